"""What a user does to his own account: the first password by invitation, another password, a second factor."""

from typing import Final

from msgspec import Struct

from voucherswitch.catalogue.store import Connection
from voucherswitch.people import factor, guards, sessions, user_changes
from voucherswitch.people.audit import Event, record
from voucherswitch.people.people import People, PeopleError, Visitor, right_password
from voucherswitch.people.sessions import Session, Stage
from voucherswitch.people.sign_in import REFUSED_TEXT, SignedIn, next_stage, note_refused, note_sign_in
from voucherswitch.people.users import token_hash
from voucherswitch.security.sealed import OPERATOR


async def change_password(people: People, token: str, current: str | None, new: str, visitor: Visitor) -> SignedIn:
    """Set one's own password; every other session of one's own ends.

    Args:
        current: the password of before; None only where the sign-in itself asks for a new one.

    Raises:
        PeopleError: the session has ended, the current password is wrong, or the new one cannot be taken.
    """
    async with people.pool.acquire() as connection:
        known = await sessions.look_up(connection, people, token, visitor)
    if known is None or known.stage not in ("password", "open"):
        raise PeopleError("this session has ended; sign in again")
    hashed = await people.hash_new(new, known.user.name, *_local_part(known.user.email))
    refusal: PeopleError | None = None
    async with people.checking() as connection:
        session = await sessions.look_up(connection, people, token, visitor, hold=True)
        if session is None or session.stage != known.stage:
            raise PeopleError("this session has ended; sign in again")
        row = await connection.fetchrow(
            "SELECT password_hash FROM operator_user WHERE user_id = $1 FOR UPDATE", session.user.user_id
        )
        assert row is not None  # users are never deleted
        old: str | None = row["password_hash"]
        if session.stage == "open" and not await _right_current(connection, people, session, old, current):
            refusal = PeopleError(REFUSED_TEXT)
        elif await right_password(old, new):
            refusal = PeopleError("the new password is the old one")
        else:
            return await _password_set(connection, people, session, hashed)
    raise refusal  # after its transaction, which counts the failure


async def _right_current(
    connection: Connection, people: People, session: Session, password_hash: str | None, current: str | None
) -> bool:
    gates = await guards.hold(connection, people, session.visitor, session.user.name)
    right = await right_password(password_hash, current or "")
    if gates.name_shut or gates.address_shut_for is not None or not right:
        await guards.note_failure(connection, gates, session.visitor, session.user.user_id)
        await note_refused(connection, session.user, session.visitor, "wrong current password")
        return False
    return True


async def _password_set(connection: Connection, people: People, session: Session, hashed: str) -> SignedIn:
    user = session.user
    await connection.execute(
        "UPDATE operator_user SET password_hash = $2, must_change = false WHERE user_id = $1", user.user_id, hashed
    )
    await user_changes.end_sessions(connection, session.actor, user.user_id, "password changed", but=session.session_id)
    stage: Stage = "open"
    if session.stage != "open":
        stage = await next_stage(connection, people, user, proved=True)
    renewed = await sessions.renew(connection, session, stage, proved=False, step_up=False)
    told = Event(
        actor=session.actor, action="password.change", object_kind="user", object_id=user.user_id,
        after={"password": "changed"},
    )  # fmt: skip
    await record(connection, told)
    if session.stage != "open" and stage == "open":
        await note_sign_in(connection, user, session.session_id, session.visitor, "password")
    return SignedIn(renewed, stage)


async def accept_invitation(people: People, invitation: str, password: str, visitor: Visitor) -> str:
    """Set the first password with a one-time token; returns the user's name, with which he signs in then.

    Raises:
        PeopleError: the token is none, or used up, or the password cannot be taken.
    """
    wrong = PeopleError("this invitation is used up or over its time; ask for a new one")
    owner: Final = (
        "SELECT u.user_id, u.name, u.email FROM invitation AS i JOIN operator_user AS u USING (user_id)"
        " WHERE i.token_hash = $1 AND i.used_at IS NULL AND i.expires_at > clock_timestamp() AND u.enabled"
    )
    row = await people.pool.fetchrow(owner, token_hash(invitation))
    if row is None:
        raise wrong
    hashed = await people.hash_new(password, row["name"], *_local_part(row["email"]))
    async with people.pool.acquire() as connection, connection.transaction():
        if await connection.fetchrow(f"{owner} FOR UPDATE", token_hash(invitation)) is None:
            raise wrong
        await connection.execute(
            "UPDATE invitation SET used_at = clock_timestamp() WHERE token_hash = $1", token_hash(invitation)
        )
        await connection.execute(
            "UPDATE operator_user SET password_hash = $2, must_change = false WHERE user_id = $1",
            row["user_id"],
            hashed,
        )
        told = Event(
            actor=visitor.as_actor(row["user_id"]), action="password.change", object_kind="user",
            object_id=row["user_id"], after={"password": "set"},
        )  # fmt: skip
        await record(connection, told)
    name: str = row["name"]
    return name


class Enrolment(Struct, frozen=True):
    """A new second factor, to be put into an authenticator. Shown once."""

    typed: str
    uri: str

    def __repr__(self) -> str:
        return "Enrolment()"


async def begin_enrolment(people: People, token: str, visitor: Visitor, issuer: str) -> Enrolment:
    """Make a new secret; it is in force once a first code was right, and until then the one before is.

    Raises:
        PeopleError: the session has ended, or a factor is in force and was not entered again just now.
    """
    async with people.pool.acquire() as connection, connection.transaction():
        session = await _enrolling(connection, people, token, visitor)
        secret = factor.new_secret()
        sealed = people.vault.seal(secret, OPERATOR.context("factor_pending", session.user.user_id))
        await connection.execute(
            "UPDATE operator_user SET factor_pending = $2 WHERE user_id = $1", session.user.user_id, sealed
        )
    return Enrolment(factor.written(secret), factor.provisioning_uri(secret, session.user.name, issuer))


async def confirm_enrolment(
    people: People, token: str, code: str, visitor: Visitor
) -> tuple[SignedIn, list[str]] | None:
    """Put the new secret in force if this is its code; returns the session and the recovery codes, shown once.

    None: the code is not right. Raises:
        PeopleError: the session has ended.
    """
    async with people.pool.acquire() as connection, connection.transaction():
        session = await _enrolling(connection, people, token, visitor)
        user = session.user
        row = await connection.fetchrow(
            "SELECT factor_pending, clock_timestamp() AS now FROM operator_user WHERE user_id = $1 FOR UPDATE",
            user.user_id,
        )
        assert row is not None  # users are never deleted
        if row["factor_pending"] is None:
            raise PeopleError("no second factor is being set up; begin anew")
        secret = people.vault.open(row["factor_pending"], OPERATOR.context("factor_pending", user.user_id))
        step = factor.proved_step(secret, code, row["now"], 0)
        if step is None:
            return None
        await connection.execute(
            "UPDATE operator_user SET factor = $2, factor_pending = NULL, factor_step = $3 WHERE user_id = $1",
            user.user_id, people.vault.seal(secret, OPERATOR.context("factor", user.user_id)), step,
        )  # fmt: skip
        await connection.execute("DELETE FROM recovery_code WHERE user_id = $1", user.user_id)
        codes = factor.new_recovery_codes()
        await connection.executemany(
            "INSERT INTO recovery_code (user_id, code_hash) VALUES ($1, $2)",
            [(user.user_id, factor.recovery_hash(user.user_id, each)) for each in codes],
        )
        renewed = await sessions.renew(connection, session, "open", proved=True, step_up=False)
        told = Event(actor=session.actor, action="factor.enrol", object_kind="user", object_id=user.user_id)
        await record(connection, told)
        if session.stage == "enrol":
            await note_sign_in(connection, user, session.session_id, visitor, "password and a new factor")
        return SignedIn(renewed, "open"), codes


async def _enrolling(connection: Connection, people: People, token: str, visitor: Visitor) -> Session:
    session = await sessions.look_up(connection, people, token, visitor, hold=True)
    if session is None or session.stage not in ("enrol", "open"):
        raise PeopleError("this session has ended; sign in again")
    if session.stage == "open" and session.user.has_factor and not session.stepped_up:
        raise PeopleError("enter the second factor of now once more before another takes its place")
    return session


def _local_part(email: str | None) -> tuple[str, ...]:
    return (email.partition("@")[0],) if email else ()
