"""Signing in: a password, then the second factor, each try counted before anybody hears whether it was right.

An unknown name, a wrong password, a disabled user and a shut name get the same answer after the same work. A refusal is
committed like a success: its transaction holds the count, the audit event and, where it comes to that, the lock.
"""

from typing import Final, Literal, TypeAlias

import structlog
from msgspec import Struct

from voucherswitch.catalogue.store import Connection
from voucherswitch.people import factor, guards, sessions, users
from voucherswitch.people.audit import Event, record
from voucherswitch.people.people import People, Visitor, right_password
from voucherswitch.people.sessions import Session, Stage
from voucherswitch.people.users import User, token_hash
from voucherswitch.security.sealed import OPERATOR

log = structlog.get_logger(__name__)

BREAK_GLASS: Final = "break_glass_used"
REFUSED_TEXT: Final = "The name, the password or the code is not right, or sign-in is shut for a while after failures."


class SignedIn(Struct, frozen=True):
    """A session: its token, which only the browser keeps, and what is still to do."""

    token: str
    stage: Stage

    def __repr__(self) -> str:
        return f"SignedIn(stage={self.stage!r})"


class Refused(Struct, frozen=True):
    """Not signed in; why, nobody is told but the audit trail."""

    text: str = REFUSED_TEXT


class Blocked(Struct, frozen=True):
    """Too many failures from this address: HTTP 429."""

    retry_after_s: int


Answer: TypeAlias = SignedIn | Refused | Blocked

_FORM: Final = "SELECT user_id, password_hash FROM operator_user WHERE name = lower($1)"


async def sign_in(people: People, name: str, password: str, visitor: Visitor) -> Answer:
    """Try a name and a password; where they are right, a session begins at the next thing to prove."""
    async with people.checking() as connection:
        gates = await guards.hold(connection, people, visitor, name)
        if (shut := gates.address_shut_for) is not None:
            return Blocked(int(shut.total_seconds()) + 1)
        row = await connection.fetchrow(_FORM, name) if users.is_name(name.lower()) else None
        right = await right_password(None if row is None else row["password_hash"], password)
        user = None if row is None else await users.find(connection, row["user_id"])
        why = _why_not(people, user, right=right, shut=gates.name_shut)
        if user is None or why is not None:
            await guards.note_failure(connection, gates, visitor, None if user is None else user.user_id)
            await note_refused(connection, user, visitor, why or "unknown name")
            return Refused()
        stage = await next_stage(connection, people, user, proved=False)
        if stage == "open":
            await guards.note_success(connection, gates)
        return await _begun(connection, user, stage, visitor, "password", proved=False)


def _why_not(people: People, user: User | None, *, right: bool, shut: bool) -> str | None:
    """Why somebody is not let in; for the audit trail alone."""
    if user is None:
        return "unknown name"
    if shut:
        return "name is shut after failures"
    if not right:
        return "wrong password"
    if not user.enabled:
        return "user is disabled"
    if people.policy.sso_only and not user.break_glass:
        return "only single sign-on may be used"
    return None


async def prove_factor(people: People, token: str, code: str, visitor: Visitor, *, stepping_up: bool = False) -> Answer:
    """Try a code of the second factor, or a recovery code, at a session that waits for it.

    Args:
        stepping_up: the session is made for one thing that needs a step-up, such as a command: this code is it. A
            recovery code is not.
    """
    async with people.checking() as connection:
        session = await sessions.look_up(connection, people, token, visitor, hold=True)
        if session is None or session.stage != "factor":
            return Refused()
        how = await _tried(connection, people, session, code, recovery=not stepping_up)
        if not isinstance(how, str):
            return how
        stage = await next_stage(connection, people, session.user, proved=True)
        renewed = await sessions.renew(connection, session, stage, proved=True, step_up=stepping_up)
        if stage == "open":
            await note_sign_in(connection, session.user, session.session_id, visitor, f"password and {how}")
        return SignedIn(renewed, stage)


async def step_up(people: People, token: str, proof: str, visitor: Visitor) -> Answer:
    """Prove the second factor once more, before something that needs it; who has none, the password."""
    async with people.checking() as connection:
        session = await sessions.look_up(connection, people, token, visitor, hold=True)
        if session is None or session.stage != "open":
            return Refused()
        how = await _tried(connection, people, session, proof, recovery=False)
        if not isinstance(how, str):
            return how
        renewed = await sessions.renew(connection, session, "open", proved=True, step_up=True)
        told = Event(
            actor=session.actor, action="user.step_up", object_kind="user", object_id=session.user.user_id,
            after={"by": how},
        )  # fmt: skip
        await record(connection, told)
        return SignedIn(renewed, "open")


async def _tried(
    connection: Connection, people: People, session: Session, proof: str, *, recovery: bool
) -> str | Refused | Blocked:
    """Count and check a proof of a user who is known: how he proved it, or the refusal."""
    user, visitor = session.user, session.visitor
    gates = await guards.hold(connection, people, visitor, user.name)
    if (shut := gates.address_shut_for) is not None:
        return Blocked(int(shut.total_seconds()) + 1)
    how = None if gates.name_shut else await _proved(connection, people, user, proof, recovery=recovery)
    if how is None:
        await guards.note_failure(connection, gates, visitor, user.user_id)
        await note_refused(
            connection, user, visitor, "name is shut after failures" if gates.name_shut else "wrong code"
        )
        return Refused()
    await guards.note_success(connection, gates)
    if how == "recovery code":
        told = Event(
            actor=session.actor, action="recovery.use", object_kind="user", object_id=user.user_id,
            after={"left": await recovery_codes_left(connection, user.user_id)},
        )  # fmt: skip
        await record(connection, told)
    return how


async def _proved(connection: Connection, people: People, user: User, proof: str, *, recovery: bool) -> str | None:
    row = await connection.fetchrow(
        "SELECT password_hash, factor, factor_step, clock_timestamp() AS now"
        " FROM operator_user WHERE user_id = $1 FOR UPDATE",
        user.user_id,
    )
    assert row is not None  # users are never deleted
    if row["factor"] is None:
        # Only where a second factor is nobody's duty; then the password is what there is to prove again.
        if people.policy.second_factor or not await right_password(row["password_hash"], proof):
            return None
        return "password"
    secret = people.vault.open(row["factor"], OPERATOR.context("factor", user.user_id))
    step = factor.proved_step(secret, proof, row["now"], row["factor_step"])
    if step is not None:
        await connection.execute("UPDATE operator_user SET factor_step = $2 WHERE user_id = $1", user.user_id, step)
        return "code"
    hashed = factor.recovery_hash(user.user_id, proof) if recovery else None
    if hashed is None:
        return None
    used = await connection.fetchval(
        "UPDATE recovery_code SET used_at = clock_timestamp()"
        " WHERE user_id = $1 AND code_hash = $2 AND used_at IS NULL RETURNING true",
        user.user_id, hashed,
    )  # fmt: skip
    return "recovery code" if used else None


async def recovery_codes_left(connection: Connection, user_id: str) -> int:
    """How many recovery codes a user has not used."""
    left: int = await connection.fetchval(
        "SELECT count(*) FROM recovery_code WHERE user_id = $1 AND used_at IS NULL", user_id
    )
    return left


async def begun_elsewhere(
    connection: Connection, people: People, user: User, visitor: Visitor, *, proved: bool
) -> SignedIn:
    """Begin the session of a user whom an identity provider vouches for; `proved`: for a second factor too."""
    stage = await next_stage(connection, people, user, proved=proved, vouched=proved)
    return await _begun(connection, user, stage, visitor, "single sign-on", proved=proved)


async def next_stage(
    connection: Connection, people: People, user: User, *, proved: bool, vouched: bool = False
) -> Stage:
    """What is still to do, in this order: prove the factor, change the password, set a factor up."""
    row = await connection.fetchrow("SELECT must_change FROM operator_user WHERE user_id = $1", user.user_id)
    assert row is not None  # users are never deleted
    if user.has_factor and not proved:
        return "factor"
    if row["must_change"] and not vouched:
        return "password"
    if people.policy.second_factor and not user.has_factor and not vouched:
        return "enrol"
    return "open"


async def _begun(
    connection: Connection, user: User, stage: Stage, visitor: Visitor, by: Literal["password", "single sign-on"], *,
    proved: bool,
) -> SignedIn:  # fmt: skip
    token = await sessions.begin(connection, user, stage, visitor, proved=proved)
    if stage == "open":
        session_id = await connection.fetchval(
            "SELECT session_id FROM operator_session WHERE token_hash = $1", token_hash(token)
        )
        await note_sign_in(connection, user, session_id, visitor, by)
    return SignedIn(token, stage)


async def note_sign_in(connection: Connection, user: User, session_id: str, visitor: Visitor, by: str) -> None:
    """Record that somebody is signed in now, with nothing left to prove."""
    if user.break_glass:
        log.warning("the break-glass admin signed in", alert=BREAK_GLASS, user=user.user_id, ip=visitor.ip)
    await connection.execute(
        "UPDATE operator_user SET signed_in_at = clock_timestamp() WHERE user_id = $1", user.user_id
    )
    told = Event(
        actor=visitor.as_actor(user.user_id, user.roles, session_id), action="user.sign_in", object_kind="user",
        object_id=user.user_id, after={"by": by, "break_glass": user.break_glass},
    )  # fmt: skip
    await record(connection, told)


async def note_refused(connection: Connection, user: User | None, visitor: Visitor, why: str) -> None:
    """Record a refusal; the reason is for the trail alone."""
    user_id = None if user is None else user.user_id
    told = Event(
        actor=visitor.as_actor(user_id), action="user.sign_in_failed", object_kind="user",
        object_id=user_id, reason=why, outcome="REFUSED",
    )  # fmt: skip
    await record(connection, told)
