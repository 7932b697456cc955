"""Changes that whoever asked makes himself, once somebody else has agreed: just what was agreed to, once, in time."""

import asyncio
from typing import Any

import pytest

from people.people_support import HOST, Office
from people.test_approvals import agreed, past_due
from support.waiting import eventually
from voucherswitch.people import approvals
from voucherswitch.people.approvals import Maker, NotAllowedError, Request, carried
from voucherswitch.people.approvals.carried import NotAgreedError, Wish
from voucherswitch.people.audit import Actor, audited
from voucherswitch.people.people import PeopleError, Policy

MAKER = Maker.of_host(HOST)
WHY = "the shops have moved to another network"


def sources(after: str, before: str | None = None) -> Wish:
    return Wish.of(
        "allowlist.change", "originator", "7", {"sources": before and [before]}, {"sources": [after]},
    )  # fmt: skip


async def tried(office: Office, wish: Wish, maker: Maker = MAKER) -> Request:
    """Do as a command does: make the change if it was agreed to, else ask for it. Returns the request either way."""
    async with office.pool.acquire() as connection:
        try:
            async with connection.transaction():
                async with audited(connection, maker.actor, wish.action, wish.object_kind, wish.object_id) as change:
                    change.before, change.after = wish.before, wish.after
                    asked = await carried.take(connection, maker, wish)
                    change.approval_id = asked.approval_id
                await carried.carried_out(connection, maker, asked)
        except NotAgreedError as refused:
            return await carried.ask(connection, office.people.policy, maker, refused, WHY)
        return await approvals.read(connection, asked.approval_id)


@pytest.fixture
async def manned(office: Office) -> Office:
    """An office with an admin and a configurer."""
    await office.hire("ann", "admin")
    await office.hire("cal", "configurer")
    return office


async def test_it_is_asked_for_agreed_to_and_then_done_once(manned: Office) -> None:
    request = await tried(manned, sources("10.1.2.0/24"))
    assert (request.approval_id, request.state) == ("a-1", "REQUESTED")
    assert request.impact == 'originator 7 gets sources: null → ["10.1.2.0/24"]'
    with pytest.raises(PeopleError, match="already: see voucherswitch approval show a-1"):
        await tried(manned, sources("10.1.2.0/24"))
    assert (await agreed(manned, "cal", "a-1")).state == "APPROVED"
    with pytest.raises(PeopleError, match="APPROVED already"):
        await agreed(manned, "ann", "a-1")
    done = await tried(manned, sources("10.1.2.0/24"))
    assert (done.approval_id, done.state, done.decided_by) == ("a-1", "EXECUTED", "u-2")
    told = await manned.pool.fetch(
        "SELECT action, actor_id, before, after FROM audit_event WHERE approval_id = 'a-1' ORDER BY seq"
    )
    assert [(row["action"], row["actor_id"]) for row in told] == [
        ("approval.request", HOST.id), ("approval.approve", "u-2"), ("allowlist.change", HOST.id),
        ("approval.execute", HOST.id),
    ]  # fmt: skip
    assert {(row["before"], row["after"]) for row in told} == {('{"sources": null}', '{"sources": ["10.1.2.0/24"]}')}
    assert (await tried(manned, sources("10.1.2.0/24"))).approval_id == "a-2", "once"


async def test_it_is_done_once_however_many_do_it(manned: Office) -> None:
    await tried(manned, sources("10.1.2.0/24"))
    await agreed(manned, "cal", "a-1")
    ends = await asyncio.gather(*(tried(manned, sources("10.1.2.0/24")) for _ in range(2)))
    assert sorted(end.state for end in ends) == ["EXECUTED", "REQUESTED"]


async def test_whoever_asks_while_it_is_done_waits_and_nobody_waits_for_him(manned: Office) -> None:
    """Both hold the requests and the trail: in the same order, or each waits for the other."""
    await tried(manned, sources("10.1.2.0/24"))
    await agreed(manned, "cal", "a-1")
    async with manned.pool.acquire() as connection:
        async with connection.transaction():
            asked = await carried.take(connection, MAKER, sources("10.1.2.0/24"))
            async with audited(connection, HOST, "allowlist.change", "originator", "7") as change:
                change.after = {"sources": ["10.1.2.0/24"]}
            asking = asyncio.create_task(tried(manned, other(8)))
            await eventually(lambda: _somebody_waits(manned), "asking waits")
            await carried.carried_out(connection, MAKER, asked)
        assert (await approvals.read(connection, "a-1")).state == "EXECUTED"
    assert (await asking).state == "REQUESTED"


async def _somebody_waits(office: Office) -> bool:
    return bool(await office.pool.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"))


def other(number: int) -> Wish:
    return Wish.of("allowlist.change", "originator", str(number), {"sources": None}, {"sources": ["10.0.0.0/8"]})


async def test_only_what_was_agreed_to_is_done(manned: Office) -> None:
    await tried(manned, sources("10.1.2.0/24"))
    await agreed(manned, "cal", "a-1")
    assert (await tried(manned, sources("10.0.0.0/8"))).approval_id == "a-2"
    async with manned.pool.acquire() as connection:
        assert (await approvals.read(connection, "a-1")).state == "APPROVED", "the other one still may be done"


async def test_an_object_that_has_moved_since_makes_it_stale_and_it_is_asked_for_anew(manned: Office) -> None:
    """What is compared is what is changed: the checker saw that, and nothing else of the object."""
    await tried(manned, sources("10.1.2.0/24"))
    await agreed(manned, "cal", "a-1")
    assert (await tried(manned, sources("10.1.2.0/24", before="192.0.2.0/24"))).approval_id == "a-2"
    async with manned.pool.acquire() as connection:
        assert (await approvals.read(connection, "a-1")).state == "STALE"


async def test_nobody_but_the_asker_does_it_and_the_asker_does_not_agree(manned: Office) -> None:
    await manned.hire("root", "configurer")
    await tried(manned, sources("10.1.2.0/24"))
    with pytest.raises(NotAllowedError, match="does not decide"):
        await agreed(manned, "root", "a-1")  # the account on the host that asked is root's
    await agreed(manned, "cal", "a-1")
    with pytest.raises(PeopleError, match="it is for cli:root@host"):
        await tried(manned, sources("10.1.2.0/24"), Maker.of_host(Actor(kind="cli", id="cli:eve@host")))


async def test_it_is_done_in_time_or_not_at_all_and_may_be_taken_back(manned: Office) -> None:
    await tried(manned, sources("10.1.2.0/24"))
    await agreed(manned, "cal", "a-1")
    await past_due(manned)
    assert (await tried(manned, sources("10.1.2.0/24"))).approval_id == "a-2"
    async with manned.pool.acquire() as connection:
        assert (await approvals.read(connection, "a-1")).state == "EXPIRED"
    await agreed(manned, "cal", "a-2")
    async with manned.pool.acquire() as connection:
        await approvals.withdraw(connection, MAKER, "a-2")
    assert (await tried(manned, sources("10.1.2.0/24"))).approval_id == "a-3"


async def test_a_change_that_goes_wrong_is_undone_and_may_be_tried_again(manned: Office) -> None:
    await tried(manned, sources("10.1.2.0/24"))
    await agreed(manned, "cal", "a-1")

    async def goes_wrong() -> None:
        async with manned.pool.acquire() as connection, connection.transaction():
            asked = await carried.take(connection, MAKER, sources("10.1.2.0/24"))
            await carried.carried_out(connection, MAKER, asked)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await goes_wrong()
    assert (await tried(manned, sources("10.1.2.0/24"))).state == "EXECUTED"


@pytest.mark.parametrize(
    ("policy", "roles", "must"),
    [
        (Policy(two_agree=False), ("admin",), False),
        (Policy(), (), False),  # the first: nobody is there who could agree
        (Policy(), ("viewer",), False),
        (Policy(), ("admin",), True),
        (Policy(), ("configurer",), True),
    ],
)
async def test_two_must_agree_in_production_once_there_are_two(
    office: Office, policy: Policy, roles: tuple[str, ...], must: bool
) -> None:
    for role in roles:
        await office.hire(f"some.{role}", role)
    async with office.pool.acquire() as connection:
        assert await carried.two_must_agree(connection, policy, "credential.issue") is must


async def test_a_secret_is_in_no_request(manned: Office) -> None:
    hidden: dict[str, Any] = {"settings": {"api_key": "correct-horse"}, "password": "changed"}
    await tried(manned, Wish.of("config.publish", "provider", "mobi", None, hidden))
    stored = str([dict(row) for row in await manned.pool.fetch("SELECT * FROM approval")])
    assert "correct-horse" not in stored
    assert "changed" in stored
