"""Two people: one asks, another agrees, and nobody is both."""

import asyncio
from typing import Any

import asyncpg
import pytest

from people.people_support import HOST, Office
from voucherswitch.people import approvals
from voucherswitch.people.approvals import Maker, NotAllowedError, Request
from voucherswitch.people.audit import Actor
from voucherswitch.people.people import PeopleError

WHY = "he is in the service desk now"
HIRED = {"do": "roles", "name": "joe", "roles": ["support"]}


async def asked(office: Office, maker: Maker, payload: dict[str, Any], action: str = "user.change") -> Request:
    async with office.pool.acquire() as connection:
        return await approvals.request(office.people.policy, connection, maker, action, payload, WHY)


async def agreed(office: Office, name: str, approval_id: str) -> Request:
    session = await office.stepped_up(name)
    async with office.pool.acquire() as connection:
        return await approvals.approve(office.people, connection, session, approval_id)


@pytest.fixture
async def admins(office: Office) -> Office:
    """An office with two admins, joe, and sue of the service desk."""
    for name in ("ann", "bob"):
        await office.hire(name, "admin")
    await office.hire("joe")
    await office.hire("sue", "support")
    return office


async def maker_of(office: Office, name: str) -> Maker:
    session = await office.session(await office.signed_in(name))
    assert session is not None
    return Maker.of_session(session)


async def test_one_asks_another_agrees_and_it_is_done_with_its_trail(admins: Office) -> None:
    request = await asked(admins, await maker_of(admins, "ann"), HIRED)
    assert (request.approval_id, request.state, request.impact) == ("a-1", "REQUESTED", "joe holds the roles support")
    assert (await admins.user("joe")).roles == ("viewer",)
    done = await agreed(admins, "bob", "a-1")
    assert (done.state, done.result, done.decided_by) == ("EXECUTED", "joe holds support", "u-2")
    assert (await admins.user("joe")).roles == ("support",)
    told = await admins.pool.fetch("SELECT action, actor_id FROM audit_event WHERE approval_id = 'a-1' ORDER BY seq")
    assert [tuple(row) for row in told] == [
        ("approval.request", "u-1"), ("role.give", "u-2"), ("role.take", "u-2"), ("approval.approve", "u-2"),
        ("approval.execute", "u-2"),
    ]  # fmt: skip


async def test_51_whoever_asked_is_refused_whichever_way_he_comes(admins: Office) -> None:
    """In another session, by another user with the same address, by the account on the host."""
    await asked(admins, await maker_of(admins, "ann"), HIRED)
    await admins.hire("ann2", "admin", email="ANN@example.org")
    await admins.pool.execute("UPDATE operator_user SET email = 'ann@example.org' WHERE name = 'bob'")
    with pytest.raises(NotAllowedError, match="does not decide"):
        await agreed(admins, "ann", "a-1")
    refused = await admins.pool.fetchrow("SELECT actor_id, reason FROM audit_event WHERE action = 'page.refused'")
    assert refused is not None
    assert tuple(refused) == ("u-1", "whoever asks for a change does not decide on it")

    put = {"role": "teller", "do": "put", "description": "x", "permissions": ["saf.view"]}
    by_twin = await asked(admins, await maker_of(admins, "ann2"), put, "role.change")
    with pytest.raises(NotAllowedError, match="does not decide"):
        await agreed(admins, "bob", by_twin.approval_id)
    by_host = await asked(
        admins, Maker.of_host(Actor(kind="cli", id="cli:Bob@host")), {"name": "sue", "days": 3}, "pin.grant"
    )
    with pytest.raises(NotAllowedError, match="does not decide"):
        await agreed(admins, "bob", by_host.approval_id)
    assert (await admins.user("joe")).roles == ("viewer",)


async def test_deciding_needs_the_permission_and_the_factor_entered_just_now(admins: Office) -> None:
    await admins.hire("eve", "configurer")
    await asked(admins, await maker_of(admins, "ann"), HIRED)
    with pytest.raises(NotAllowedError, match=r"needs user\.approve"):
        await agreed(admins, "eve", "a-1")
    session = await admins.session(await admins.signed_in("bob"))
    assert session is not None
    async with admins.pool.acquire() as connection:
        with pytest.raises(NotAllowedError, match="once more"):
            await approvals.approve(admins.people, connection, session, "a-1")
        with pytest.raises(NotAllowedError, match="once more"):
            await approvals.reject(connection, session, "a-1", "I do not think so")
    with pytest.raises(NotAllowedError, match=r"needs user\.edit"):
        await asked(admins, await maker_of(admins, "eve"), {"do": "disable", "name": "ann"})


async def test_a_request_is_decided_once_however_many_decide(admins: Office) -> None:
    for name in ("kim", "lee"):
        await admins.hire(name, "admin")
    await asked(admins, await maker_of(admins, "ann"), HIRED)
    sessions = [await admins.stepped_up(name) for name in ("bob", "kim", "lee")]

    async def decides(number: int) -> str:
        async with admins.pool.acquire() as connection:
            try:
                return (await approvals.approve(admins.people, connection, sessions[number], "a-1")).state
            except PeopleError as error:
                return str(error)

    ends = sorted([await each for each in asyncio.as_completed([decides(number) for number in range(3)])])
    assert ends[0] == "EXECUTED"
    assert all("EXECUTED already" in end for end in ends[1:])
    assert await admins.pool.fetchval("SELECT count(*) FROM audit_event WHERE action = 'role.give'") == 1


async def test_the_same_is_asked_for_once_at_a_time_and_a_rejection_stays_on_record(admins: Office) -> None:
    maker = await maker_of(admins, "ann")
    await asked(admins, maker, HIRED)
    with pytest.raises(PeopleError, match="already: see voucherswitch approval show a-1"):
        await asked(admins, maker, HIRED)
    session = await admins.stepped_up("bob")
    async with admins.pool.acquire() as connection:
        with pytest.raises(PeopleError, match="say why"):
            await approvals.reject(connection, session, "a-1", "no")
        rejected = await approvals.reject(connection, session, "a-1", "joe has left the company")
    assert (rejected.state, rejected.decision_comment) == ("REJECTED", "joe has left the company")
    assert (await asked(admins, maker, HIRED)).approval_id == "a-2"
    async with admins.pool.acquire() as connection:
        with pytest.raises(NotAllowedError, match="only who asked"):
            await approvals.withdraw(connection, await maker_of(admins, "bob"), "a-2")
        assert (await approvals.withdraw(connection, maker, "a-2")).state == "WITHDRAWN"
        with pytest.raises(PeopleError, match="WITHDRAWN already"):
            await approvals.withdraw(connection, maker, "a-2")
        listed = await approvals.listed(connection, ("REJECTED", "WITHDRAWN"), 10)
    assert [one.approval_id for one in listed] == ["a-2", "a-1"]


async def test_what_has_moved_since_it_was_asked_for_is_not_done(admins: Office) -> None:
    await asked(admins, await maker_of(admins, "ann"), HIRED)
    await admins.pool.execute("UPDATE operator_user SET version = version + 1 WHERE name = 'joe'")
    ended = await agreed(admins, "bob", "a-1")
    assert (ended.state, ended.result) == ("STALE", "it was changed since this was asked for")
    assert (await admins.user("joe")).roles == ("viewer",)


async def test_what_is_not_decided_in_time_expires(admins: Office) -> None:
    await asked(admins, await maker_of(admins, "ann"), HIRED)
    await past_due(admins)
    async with admins.pool.acquire() as connection:
        assert await approvals.expire(connection) == 1
        assert (await approvals.read(connection, "a-1")).state == "EXPIRED"
    await asked(admins, await maker_of(admins, "ann"), HIRED)
    await past_due(admins)
    assert (await agreed(admins, "bob", "a-2")).state == "EXPIRED"
    assert (await admins.user("joe")).roles == ("viewer",)


async def past_due(office: Office) -> None:
    async with office.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("UPDATE approval SET expires_at = clock_timestamp() - interval '1 s'")


async def test_what_cannot_be_done_in_the_end_leaves_nothing_behind(strict: Office) -> None:
    """In production two admins stay: the change is undone, and the request says why."""
    for name in ("ann", "bob"):
        await strict.hire(name, "admin", with_factor=True)
    await asked(strict, Maker.of_host(HOST), {"do": "disable", "name": "ann"})
    ended = await agreed(strict, "bob", "a-1")
    assert ended.state == "FAILED"
    assert "too few active admins" in str(ended.result)
    assert (await strict.user("ann")).enabled
    assert (await strict.actions())[-2:] == ["approval.approve", "approval.fail"]


async def test_a_role_is_made_changed_and_taken_out_by_two(admins: Office) -> None:
    maker = await maker_of(admins, "ann")
    put = {"do": "put", "role": "clerk", "description": "counts", "permissions": ["saf.view", "finance.view"]}
    await asked(admins, maker, put, "role.change")
    assert (await agreed(admins, "bob", "a-1")).state == "EXECUTED"
    await asked(admins, maker, {"do": "roles", "name": "joe", "roles": ["clerk"]})
    assert (await agreed(admins, "bob", "a-2")).state == "EXECUTED"
    session = await admins.session(await admins.signed_in("joe"))
    assert session is not None
    assert session.permissions == {"saf.view", "finance.view"}
    with pytest.raises(PeopleError, match="take it from them first"):
        await asked(admins, maker, {"do": "delete", "role": "clerk"}, "role.change")
    with pytest.raises(PeopleError, match="cannot be held together"):
        await asked(admins, maker, put | {"permissions": ["finance.settle", "finance.approve"]}, "role.change")


async def test_what_has_failed_is_tried_again_and_need_not_be_asked_for_anew(strict: Office) -> None:
    for name in ("ann", "bob"):
        await strict.hire(name, "admin", with_factor=True)
    await asked(strict, Maker.of_host(HOST), {"do": "disable", "name": "ann"})
    assert (await agreed(strict, "bob", "a-1")).state == "FAILED"
    again = await agreed(strict, "bob", "a-1")
    assert (again.state, "too few active admins" in str(again.result)) == ("FAILED", True)
    await strict.hire("kim", "admin", with_factor=True)
    assert (await agreed(strict, "bob", "a-1")).state == "EXECUTED"
    assert not (await strict.user("ann")).enabled
    with pytest.raises(PeopleError, match="EXECUTED already"):
        await agreed(strict, "kim", "a-1")


async def test_what_has_failed_is_not_done_after_its_time_nor_to_what_has_moved(strict: Office) -> None:
    for name in ("ann", "bob"):
        await strict.hire(name, "admin", with_factor=True)
    for number in (1, 2):
        await asked(strict, Maker.of_host(HOST), {"do": "disable", "name": "ann"})
        assert (await agreed(strict, "bob", f"a-{number}")).state == "FAILED"
    await strict.hire("kim", "admin", with_factor=True)
    await strict.pool.execute("UPDATE operator_user SET version = version + 1 WHERE name = 'ann'")
    assert (await agreed(strict, "bob", "a-1")).state == "STALE"
    await past_due(strict)
    assert (await agreed(strict, "bob", "a-2")).state == "EXPIRED"
    assert (await strict.user("ann")).enabled


@pytest.mark.parametrize(
    "statement",
    [
        'UPDATE approval SET payload = \'{"do": "disable", "name": "ann"}\' WHERE approval_id = \'a-1\'',
        "UPDATE approval SET requester = '{}' WHERE approval_id = 'a-1'",
        "UPDATE approval SET state = 'REQUESTED' WHERE approval_id = 'a-2'",
        "DELETE FROM approval WHERE approval_id = 'a-2'",
    ],
)
async def test_the_database_keeps_what_was_asked_and_what_was_decided(admins: Office, statement: str) -> None:
    maker = await maker_of(admins, "ann")
    await asked(admins, maker, HIRED)
    await asked(admins, maker, {"name": "sue", "days": 1}, "pin.grant")
    async with admins.pool.acquire() as connection:
        await approvals.withdraw(connection, maker, "a-2")
    with pytest.raises(asyncpg.RaiseError):
        await admins.pool.execute(statement)
