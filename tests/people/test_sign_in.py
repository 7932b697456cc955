"""Signing in: password, second factor, sessions, and what failures lead to."""

import asyncio
import base64
import statistics
import time
from datetime import timedelta

import pytest
import structlog.testing
from msgspec.structs import replace

from people.people_support import DESK, HOST, PASSWORD, Office
from voucherswitch.people import own_account, sessions, sign_in, user_changes, users
from voucherswitch.people.people import PeopleError, Visitor
from voucherswitch.people.sign_in import Blocked, Refused, SignedIn
from voucherswitch.security.vault import VaultError

WRONG = "a quite wrong password"


async def fails(office: Office, times: int, name: str = "ann", visitor: Visitor = DESK) -> None:
    for _ in range(times):
        assert await office.try_password(name, WRONG, visitor) == Refused()


async def test_a_right_password_begins_a_session_with_the_permissions_of_the_roles(office: Office) -> None:
    await office.hire("ann", "support")
    answer = await office.try_password("ANN")
    assert isinstance(answer, SignedIn)
    session = await office.session(answer.token)
    assert session is not None
    assert (session.user.name, session.stage) == ("ann", "open")
    assert session.may("voucher.hold")
    assert not session.may("finance.approve")
    assert answer.token not in repr(answer)
    assert (
        await office.pool.fetchval("SELECT count(*) FROM operator_session WHERE token_hash = $1", answer.token.encode())
        == 0
    )
    assert (await office.actions(of="u-1")) == ["user.sign_in"]


async def test_every_refusal_is_the_same_answer_and_the_trail_knows_why(office: Office) -> None:
    await office.hire("ann")
    await office.hire("bob")
    async with office.pool.acquire() as connection:
        await user_changes.set_enabled(connection, HOST, "bob", office.people.policy, enabled=False)
    answers = [
        await office.try_password("ann", WRONG),
        await office.try_password("nobody", WRONG),
        await office.try_password("bob"),
        await office.try_password("ann", "x" * 5_000),
        await office.try_password("\x00\ud800", "\x00\ud800"),
    ]
    assert answers == [Refused()] * 5
    told = await office.pool.fetch(
        "SELECT reason, object_id FROM audit_event WHERE action = 'user.sign_in_failed' ORDER BY seq"
    )
    assert [tuple(row) for row in told] == [
        ("wrong password", "u-1"),
        ("unknown name", None),
        ("user is disabled", "u-2"),
        ("wrong password", "u-1"),
        ("unknown name", None),
    ]


async def test_an_unknown_name_costs_as_much_as_a_wrong_password(office: Office) -> None:
    """In processor time, which other work on the machine does not change: the same hash is computed for both."""
    await office.hire("ann")
    taken_s: dict[str, list[float]] = {"ann": [], "nobody": []}
    for number in range(5):
        for name, times in taken_s.items():
            began_s = time.process_time()
            await office.try_password(name, WRONG, Visitor(ip=f"196.25.2.{number}"))
            times.append(time.process_time() - began_s)
            await office.pool.execute("DELETE FROM sign_in_guard")
    known, unknown = statistics.median(taken_s["ann"]), statistics.median(taken_s["nobody"])
    assert 0.6 < known / unknown < 1.6, taken_s


async def test_five_failures_shut_a_name_for_a_minute_even_for_the_right_password(office: Office) -> None:
    await office.hire("ann")
    await office.failed_before("ann", 4)
    await fails(office, 1)
    assert await office.try_password("ann", visitor=Visitor(ip="196.25.1.99")) == Refused()
    await office.passes(timedelta(seconds=61))
    assert isinstance(await office.try_password("ann"), SignedIn)
    assert "user.locked" in await office.actions()


async def test_ten_failures_in_an_hour_shut_a_name_for_half_an_hour_and_raise_an_alarm(office: Office) -> None:
    await office.hire("ann")
    await office.failed_before("ann", 5)
    await office.passes(timedelta(seconds=61))
    await office.failed_before("ann", 4)
    with structlog.testing.capture_logs() as logs:
        await fails(office, 1)
    assert [entry["alert"] for entry in logs if entry.get("alert")] == ["sign_in_locked"]
    await office.passes(timedelta(minutes=29))
    assert await office.try_password("ann") == Refused()
    await office.passes(timedelta(minutes=2))
    assert isinstance(await office.try_password("ann"), SignedIn)


async def test_an_unknown_name_is_shut_like_a_known_one(office: Office) -> None:
    """So that being shut out does not tell who exists."""
    await office.failed_before("nobody", 4)
    await fails(office, 1, "nobody")
    assert await office.pool.fetchval("SELECT count(*) FROM sign_in_guard WHERE shut_until > clock_timestamp()") == 1


async def test_a_success_forgets_the_failures_of_the_name(office: Office) -> None:
    await office.hire("ann")
    for _ in range(2):
        await office.failed_before("ann", 4)
        await office.signed_in("ann")


async def test_guesses_at_the_same_moment_are_counted_one_by_one(office: Office) -> None:
    """Many at once find no more tries than one after the other."""
    await office.hire("ann")
    visitors = [Visitor(ip=f"196.25.3.{number}") for number in range(8)]
    await asyncio.gather(*(office.try_password("ann", WRONG, visitor) for visitor in visitors))
    reasons = await office.pool.fetch(
        "SELECT reason, count(*) FROM audit_event WHERE action = 'user.sign_in_failed' GROUP BY 1"
    )
    assert {row["reason"]: row["count"] for row in reasons} == {"wrong password": 5, "name is shut after failures": 3}


async def test_twenty_failures_from_an_address_shut_it_whatever_the_names(office: Office) -> None:
    await office.hire("ann")
    for number in range(19):
        await office.failed_before(f"name{number}", 1)
    await fails(office, 1, "nobody")
    answer = await office.try_password("ann")
    assert isinstance(answer, Blocked)
    assert 880 < answer.retry_after_s <= 901
    assert isinstance(await office.try_password("ann", visitor=Visitor(ip="196.25.1.11")), SignedIn)
    await office.passes(timedelta(minutes=16))
    assert isinstance(await office.try_password("ann"), SignedIn)


async def test_names_tried_from_an_address_that_is_shut_leave_nothing(office: Office) -> None:
    """Else whoever makes names up fills the database as fast as it answers."""
    for number in range(20):
        await office.failed_before(f"name{number}", 1)
    before = await office.pool.fetchval("SELECT count(*) FROM sign_in_guard")
    for number in range(5):
        assert isinstance(await office.try_password(f"made-up{number}"), Blocked)
    assert await office.pool.fetchval("SELECT count(*) FROM sign_in_guard") == before


async def test_addresses_of_one_ipv6_site_are_one_address(office: Office) -> None:
    """A site has 2^64 of them."""
    for number in range(20):
        await office.failed_before(f"name{number}", 1, Visitor(ip=f"2001:db8:1:2::{number}"))
    assert isinstance(await office.try_password("nobody", visitor=Visitor(ip="2001:db8:1:2:ffff::1")), Blocked)
    assert await office.try_password("nobody", visitor=Visitor(ip="2001:db8:1:3::1")) == Refused()


# --- the second factor -----------------------------------------------------------------------------------------------


async def test_with_a_second_factor_a_password_alone_opens_nothing(strict: Office) -> None:
    await strict.hire("ann", "support", with_factor=True)
    answer = await strict.try_password("ann")
    assert isinstance(answer, SignedIn)
    assert answer.stage == "factor"
    waiting = await strict.session(answer.token)
    assert waiting is not None
    assert not waiting.may("transaction.view")
    code = await strict.code("ann")
    proved = await sign_in.prove_factor(strict.people, answer.token, code, DESK)
    assert isinstance(proved, SignedIn)
    assert proved.stage == "open"
    assert await strict.session(answer.token) is None, "a new id once it is proved"
    again = await strict.try_password("ann")
    assert isinstance(again, SignedIn)
    assert await sign_in.prove_factor(strict.people, again.token, code, DESK) == Refused(), "a used code"
    later = await strict.code("ann", steps=1)
    assert isinstance(await sign_in.prove_factor(strict.people, again.token, later, DESK), SignedIn)


async def test_wrong_codes_count_like_wrong_passwords(strict: Office) -> None:
    await strict.hire("ann", with_factor=True)
    answer = await strict.try_password("ann")
    assert isinstance(answer, SignedIn)
    for _ in range(5):
        assert await sign_in.prove_factor(strict.people, answer.token, "000000x", DESK) == Refused()
    right = await strict.code("ann")
    assert await sign_in.prove_factor(strict.people, answer.token, right, DESK) == Refused()
    assert await strict.try_password("ann") == Refused()


async def test_whoever_has_no_second_factor_sets_one_up_before_anything_else(strict: Office) -> None:
    await strict.hire("ann", "support")
    answer = await strict.try_password("ann")
    assert isinstance(answer, SignedIn)
    assert answer.stage == "enrol"
    enrolment = await own_account.begin_enrolment(strict.people, answer.token, DESK, "voucherswitch")
    assert enrolment.typed not in repr(enrolment)
    strict.secrets["ann"] = base64.b32decode(enrolment.typed.replace(" ", ""))
    assert await own_account.confirm_enrolment(strict.people, answer.token, "000000", DESK) is None
    confirmed = await own_account.confirm_enrolment(strict.people, answer.token, await strict.code("ann"), DESK)
    assert confirmed is not None
    signed_in, codes = confirmed
    session = await strict.session(signed_in.token)
    assert session is not None
    assert session.may("transaction.view")
    assert await strict.actions(of="u-1") == ["factor.enrol", "user.sign_in"]
    stored = await strict.pool.fetchrow("SELECT factor FROM operator_user")
    assert stored is not None
    assert strict.secrets["ann"] not in bytes(stored["factor"])

    # A recovery code stands in for the device, once.
    for expected in (SignedIn, Refused):
        waiting = await strict.try_password("ann")
        assert isinstance(waiting, SignedIn)
        proved = await sign_in.prove_factor(strict.people, waiting.token, codes[3].upper(), DESK)
        assert isinstance(proved, expected)
    assert "recovery.use" in await strict.actions()
    left = await strict.pool.fetchval("SELECT count(*) FROM recovery_code WHERE used_at IS NULL")
    assert left == 9


async def test_a_factor_is_replaced_only_after_the_one_before_was_entered_again(strict: Office) -> None:
    await strict.hire("ann", with_factor=True)
    token = await strict.signed_in("ann")
    with pytest.raises(PeopleError, match="once more"):
        await own_account.begin_enrolment(strict.people, token, DESK, "voucherswitch")
    answer = await sign_in.step_up(strict.people, token, await strict.code("ann", steps=1), DESK)
    assert isinstance(answer, SignedIn)
    assert answer.token != token
    await own_account.begin_enrolment(strict.people, answer.token, DESK, "voucherswitch")
    await strict.signed_in("ann"), "until the new one is proved, the old one counts"


async def test_a_step_up_holds_for_five_minutes(strict: Office) -> None:
    await strict.hire("ann", with_factor=True)
    session = await strict.stepped_up("ann")
    assert session.stepped_up
    token = await strict.signed_in("ann")
    before = await strict.session(token)
    assert before is not None
    assert not before.stepped_up
    await strict.pool.execute("UPDATE operator_user SET factor_step = 0")
    answer = await sign_in.step_up(strict.people, token, await strict.code("ann"), DESK)
    assert isinstance(answer, SignedIn)
    await strict.passes(timedelta(minutes=5, seconds=1))
    after = await strict.session(answer.token)
    assert after is not None
    assert not after.stepped_up


async def test_a_recovery_code_or_a_password_is_no_step_up_where_there_is_a_factor(strict: Office) -> None:
    await strict.hire("ann", with_factor=True)
    token = await strict.signed_in("ann")
    assert await sign_in.step_up(strict.people, token, PASSWORD, DESK) == Refused()


async def test_a_sealed_factor_opens_in_no_other_row(strict: Office) -> None:
    """Somebody who can write to the database gives a victim a secret that he knows."""
    await strict.hire("ann", with_factor=True)
    await strict.hire("eve", with_factor=True)
    await strict.pool.execute(
        "UPDATE operator_user SET factor = (SELECT factor FROM operator_user WHERE name = 'eve') WHERE name = 'ann'"
    )
    answer = await strict.try_password("ann")
    assert isinstance(answer, SignedIn)
    with pytest.raises(VaultError):
        await sign_in.prove_factor(strict.people, answer.token, await strict.code("eve"), DESK)


# --- sessions --------------------------------------------------------------------------------------------------------


async def test_a_session_ends_after_a_time_without_use_and_after_a_time_anyway(office: Office) -> None:
    await office.hire("ann")
    token = await office.signed_in("ann")
    await office.passes(timedelta(minutes=14))
    assert await office.session(token) is not None
    await office.passes(timedelta(minutes=14))
    assert await office.session(token) is not None, "it was used in between"
    await office.passes(timedelta(minutes=16))
    assert await office.session(token) is None
    token = await office.signed_in("ann")
    await office.pool.execute("UPDATE operator_session SET begun_at = begun_at - interval '10 hours'")
    assert await office.session(token) is None


async def test_a_fourth_session_ends_the_oldest(office: Office) -> None:
    await office.hire("ann")
    tokens = [await office.signed_in("ann") for _ in range(4)]
    assert [await office.session(token) is not None for token in tokens] == [False, True, True, True]


@pytest.mark.parametrize("change", ["roles", "disable", "factor", "password", "reset"])
async def test_what_changes_a_user_ends_his_sessions(office: Office, change: str) -> None:
    await office.hire("ann", "support")
    token = await office.signed_in("ann")
    policy = office.people.policy
    async with office.pool.acquire() as connection:
        match change:
            case "roles":
                await user_changes.set_roles(connection, HOST, "ann", ("viewer",), policy)
            case "disable":
                await user_changes.set_enabled(connection, HOST, "ann", policy, enabled=False)
            case "factor":
                await user_changes.reset_factor(connection, HOST, "ann")
            case "reset":
                await user_changes.reset_password(connection, HOST, "ann", policy)
            case "password":
                other = await office.signed_in("ann")
                await own_account.change_password(office.people, other, PASSWORD, "a new lemon of 7 trams", DESK)
    assert await office.session(token) is None


async def test_sessions_are_ended_by_their_user_and_by_no_other(office: Office) -> None:
    await office.hire("ann")
    await office.hire("eve")
    mine, others = await office.signed_in("ann"), await office.signed_in("eve")
    ann, eve = await office.session(mine), await office.session(others)
    assert ann is not None
    assert eve is not None
    async with office.pool.acquire() as connection:
        with pytest.raises(PeopleError, match="no session"):
            await sessions.end(connection, eve.actor, ann.session_id, of=eve.user.user_id)
        assert [one.session_id for one in await sessions.list_live(connection, office.people, "u-1")] == [
            ann.session_id
        ]
        await sessions.sign_out(connection, ann)
    assert await office.session(mine) is None
    assert await office.session(others) is not None


# --- passwords and invitations ---------------------------------------------------------------------------------------


async def test_an_invitation_sets_the_first_password_once(office: Office) -> None:
    async with office.pool.acquire() as connection:
        await users.create(connection, HOST, name="ann", full_name="Ann", email=None, roles=("viewer",))
        first, _ = await user_changes.invite(connection, HOST, "ann")
        token, _ = await user_changes.invite(connection, HOST, "ann")
    assert await office.try_password("ann") == Refused(), "nobody's password is right"
    with pytest.raises(PeopleError, match="used up"):
        await own_account.accept_invitation(office.people, first, PASSWORD, DESK)
    with pytest.raises(PeopleError, match="tried first"):
        await own_account.accept_invitation(office.people, token, "password12345", DESK)
    assert await own_account.accept_invitation(office.people, token, PASSWORD, DESK) == "ann"
    await office.signed_in("ann")
    with pytest.raises(PeopleError, match="used up"):
        await own_account.accept_invitation(office.people, token, "another lemon of 7", DESK)
    async with office.pool.acquire() as connection:
        with pytest.raises(PeopleError, match="can sign in already"):
            await user_changes.invite(connection, HOST, "ann")
        await user_changes.reset_password(connection, HOST, "ann", office.people.policy)
        late, _ = await user_changes.invite(connection, HOST, "ann")
    await office.passes(timedelta(hours=73))
    with pytest.raises(PeopleError, match="over its time"):
        await own_account.accept_invitation(office.people, late, PASSWORD, DESK)
    assert token not in str(await office.pool.fetch("SELECT * FROM invitation"))


async def test_a_password_is_changed_by_who_knows_the_old_one(office: Office) -> None:
    await office.hire("ann")
    token = await office.signed_in("ann")
    for current, new, why in (
        (WRONG, "a new lemon of 7 trams", "not right"),
        (PASSWORD, PASSWORD, "is the old one"),
        (PASSWORD, "ann and her trams 7", "user's name"),
        (PASSWORD, "short", "12 to 128"),
    ):
        with pytest.raises(PeopleError, match=why):
            await own_account.change_password(office.people, token, current, new, DESK)
    changed = await own_account.change_password(office.people, token, PASSWORD, "a new lemon of 7 trams", DESK)
    assert await office.session(changed.token) is not None
    assert await office.try_password("ann") == Refused()
    assert isinstance(await office.try_password("ann", "a new lemon of 7 trams"), SignedIn)


async def test_a_password_that_was_given_is_changed_at_the_first_sign_in(office: Office) -> None:
    await office.hire("ann", "support")
    await office.pool.execute("UPDATE operator_user SET must_change = true")
    answer = await office.try_password("ann")
    assert isinstance(answer, SignedIn)
    assert answer.stage == "password"
    waiting = await office.session(answer.token)
    assert waiting is not None
    assert not waiting.may("transaction.view")
    done = await own_account.change_password(office.people, answer.token, None, "a new lemon of 7 trams", DESK)
    assert done.stage == "open"


async def test_where_passwords_are_closed_the_break_glass_admin_is_let_in_with_an_alarm(
    office: Office,
) -> None:
    await office.hire("ann", "support")
    await office.hire("glass", "admin")
    await office.pool.execute("UPDATE operator_user SET break_glass = true WHERE name = 'glass'")
    office.people.policy = replace(office.people.policy, sso_only=True)
    assert await office.try_password("ann") == Refused()
    with structlog.testing.capture_logs() as logs:
        assert isinstance(await office.try_password("glass"), SignedIn)
    assert [entry["alert"] for entry in logs if entry.get("alert")] == ["break_glass_used"]


# --- roles and admins ------------------------------------------------------------------------------------------------


async def test_the_last_admins_stay(strict: Office) -> None:
    await strict.hire("ann", "admin")
    await strict.hire("bob", "admin")
    policy = strict.people.policy
    async with strict.pool.acquire() as connection:
        with pytest.raises(PeopleError, match="too few active admins"):
            await user_changes.set_roles(connection, HOST, "ann", ("viewer",), policy)
        with pytest.raises(PeopleError, match="too few active admins"):
            await user_changes.set_enabled(connection, HOST, "bob", policy, enabled=False)
        with pytest.raises(PeopleError, match="too few active admins"):
            await user_changes.reset_password(connection, HOST, "bob", policy)
    assert (await strict.user("ann")).roles == ("admin",)
    await strict.hire("eve", "admin")
    async with strict.pool.acquire() as connection:
        await user_changes.set_roles(connection, HOST, "ann", ("viewer", "support"), policy)
    assert (await strict.user("ann")).roles == ("support", "viewer")
    assert (await strict.actions())[-2:] == ["role.give", "role.take"]


async def test_admins_cannot_leave_two_at_a_time(strict: Office) -> None:
    for name in ("ann", "bob", "eve"):
        await strict.hire(name, "admin")

    async def leaves(name: str) -> bool:
        async with strict.pool.acquire() as connection:
            try:
                await user_changes.set_enabled(connection, HOST, name, strict.people.policy, enabled=False)
            except PeopleError:
                return False
        return True

    assert sorted(await asyncio.gather(leaves("ann"), leaves("bob"), leaves("eve"))) == [False, False, True]


async def test_pins_are_revealed_only_under_a_grant_and_only_for_its_time(office: Office) -> None:
    await office.hire("ann", "support")
    await office.hire("bob", "viewer")
    async with office.pool.acquire() as connection:
        with pytest.raises(PeopleError, match="holds no"):
            await user_changes.grant_pins(connection, HOST, "bob", 7, "case 12")
        await user_changes.grant_pins(connection, HOST, "ann", 7, "case 12")
    token = await office.signed_in("ann")
    session = await office.session(token)
    assert session is not None
    assert session.may("pin.reveal")
    async with office.pool.acquire() as connection:
        assert await user_changes.revoke_pins(connection, HOST, "ann", "case is closed")
        assert not await user_changes.revoke_pins(connection, HOST, "ann", "twice")
        await user_changes.grant_pins(connection, HOST, "ann", 7, "case 13")
    await office.passes(timedelta(days=8))
    session = await office.session(await office.signed_in("ann"))
    assert session is not None
    assert not session.may("pin.reveal")


async def test_a_name_is_taken_once_and_is_a_name(office: Office) -> None:
    await office.hire("ann")
    for name, why in (("Ann", "already"), ("a", "cannot be"), ("ann lee", "cannot be"), ("<b>", "cannot be")):
        with pytest.raises(PeopleError, match=why):
            await office.hire(name)
