"""Every change of a user, with its audit event and its consequences: sessions end, enough admins remain.

The functions change at once. Whether somebody else must agree first is decided by their callers (approvals/).
"""

import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from voucherswitch.catalogue.store import Connection
from voucherswitch.config.limits import INVITATION_S, PIN_GRANT_DAYS_MAX
from voucherswitch.people.audit import Actor, Event, audited, record
from voucherswitch.people.people import PeopleError, Policy
from voucherswitch.people.roles import GRANTABLE
from voucherswitch.people.users import User, checked_roles, held, holders, token_hash

_TOKEN_BYTES: Final = 32
PEOPLE_LOCK: Final = 0x5653_5045


async def set_roles(
    connection: Connection,
    actor: Actor,
    who: str,
    roles: Iterable[str],
    policy: Policy,
    *,
    approval_id: str | None = None,
) -> User:
    """Give and take roles, so that the user holds these. His sessions end.

    Raises:
        PeopleError: they cannot be given, or too few admins would remain.
    """
    async with admins_kept(connection, policy):
        user = await held(connection, who)
        wanted = await checked_roles(connection, roles)
        await connection.execute(
            "DELETE FROM operator_role WHERE user_id = $1 AND role <> ALL ($2)", user.user_id, wanted
        )
        await connection.executemany(
            "INSERT INTO operator_role (user_id, role) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            [(user.user_id, role) for role in wanted],
        )
        await connection.execute("UPDATE operator_user SET version = version + 1 WHERE user_id = $1", user.user_id)
        await end_sessions(connection, actor, user.user_id, "roles changed")
        before = {"roles": list(user.roles)}
        for action, changed in (
            ("role.give", set(wanted) - set(user.roles)),
            ("role.take", set(user.roles) - set(wanted)),
        ):
            if changed:
                told = Event(
                    actor=actor, action=action, object_kind="user", object_id=user.user_id, approval_id=approval_id,
                    before=before, after={"roles": wanted},
                )  # fmt: skip
                await record(connection, told)
    return await held(connection, who)


async def set_enabled(
    connection: Connection, actor: Actor, who: str, policy: Policy, *, enabled: bool, reason: str | None = None,
    approval_id: str | None = None,
) -> User:  # fmt: skip
    """Let a user sign in, or not; then his sessions end.

    Raises:
        PeopleError: there is no such user, or too few admins would remain.
    """
    async with admins_kept(connection, policy):
        user = await held(connection, who)
        if user.enabled == enabled:
            return user
        # The time of dormancy begins anew: whoever is enabled today is not dormant tomorrow.
        await connection.execute(
            "UPDATE operator_user SET enabled = $2, version = version + 1,"
            " signed_in_at = CASE WHEN $2 AND signed_in_at IS NOT NULL THEN clock_timestamp() ELSE signed_in_at END"
            " WHERE user_id = $1",
            user.user_id, enabled,
        )  # fmt: skip
        if not enabled:
            await end_sessions(connection, actor, user.user_id, "user disabled")
        told = Event(
            actor=actor, action="user.enable" if enabled else "user.disable", object_kind="user",
            object_id=user.user_id, reason=reason, approval_id=approval_id, before={"enabled": user.enabled},
            after={"enabled": enabled},
        )  # fmt: skip
        await record(connection, told)
    return await held(connection, who)


async def reset_factor(connection: Connection, actor: Actor, who: str, *, approval_id: str | None = None) -> User:
    """Take the second factor away, with its recovery codes; a new one is set up at the next sign-in.

    Raises:
        PeopleError: there is no such user.
    """
    async with connection.transaction():
        user = await held(connection, who)
        await connection.execute(
            "UPDATE operator_user SET factor = NULL, factor_pending = NULL, version = version + 1 WHERE user_id = $1",
            user.user_id,
        )
        await connection.execute("DELETE FROM recovery_code WHERE user_id = $1", user.user_id)
        await end_sessions(connection, actor, user.user_id, "second factor reset")
        told = Event(
            actor=actor, action="factor.reset", object_kind="user", object_id=user.user_id, approval_id=approval_id,
            before={"factor": "set" if user.has_factor else None}, after={"factor": "removed"},
        )  # fmt: skip
        await record(connection, told)
    return await held(connection, who)


async def reset_password(
    connection: Connection, actor: Actor, who: str, policy: Policy, *, approval_id: str | None = None
) -> User:
    """Take a forgotten password away; an invitation sets a new one. The second factor stays.

    Raises:
        PeopleError: there is no such user, or too few admins would remain.
    """
    async with admins_kept(connection, policy):
        user = await held(connection, who)
        await connection.execute(
            "UPDATE operator_user SET password_hash = NULL, version = version + 1 WHERE user_id = $1", user.user_id
        )
        await end_sessions(connection, actor, user.user_id, "password reset")
        told = Event(
            actor=actor, action="password.change", object_kind="user", object_id=user.user_id, approval_id=approval_id,
            before={"password": "set" if user.has_password else None}, after={"password": "removed"},
        )  # fmt: skip
        await record(connection, told)
    return await held(connection, who)


async def invite(connection: Connection, actor: Actor, who: str) -> tuple[str, datetime]:
    """Make a one-time token with which a user who has no password sets one; returns it and its end. Older ones end.

    Raises:
        PeopleError: there is no such user, he is disabled, or he has a way to sign in already.
    """
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    async with connection.transaction():
        user = await held(connection, who)
        if user.has_password or user.issuer is not None:
            raise PeopleError(
                f"{user.name} can sign in already; a forgotten password is: voucherswitch user reset-password"
            )
        if not user.enabled:
            raise PeopleError(f"{user.name} is disabled; first: voucherswitch user enable {user.name}")
        expires_at = await make_invitation(connection, actor, user.user_id, token)
    return token, expires_at


async def make_invitation(connection: Connection, actor: Actor, user_id: str, token: str) -> datetime:
    """Store a token of a user; his older ones are used up."""
    await connection.execute(
        "UPDATE invitation SET used_at = clock_timestamp() WHERE user_id = $1 AND used_at IS NULL", user_id
    )
    expires_at: datetime = await connection.fetchval(
        "INSERT INTO invitation (token_hash, user_id, made_by, expires_at)"
        " VALUES ($1, $2, $3, clock_timestamp() + $4::integer * interval '1 second') RETURNING expires_at",
        token_hash(token), user_id, actor.id, INVITATION_S,
    )  # fmt: skip
    told = Event(
        actor=actor, action="user.invite", object_kind="user", object_id=user_id, after={"expires_at": expires_at}
    )
    await record(connection, told)
    return expires_at


async def end_sessions(connection: Connection, actor: Actor, user_id: str, why: str, *, but: str | None = None) -> int:
    """End a user's sessions, but for one; returns how many. What he began to prove is to be proved again."""
    ended = await connection.fetch(
        "UPDATE operator_session SET ended_at = clock_timestamp(), ended = $2"
        " WHERE user_id = $1 AND ended_at IS NULL AND session_id IS DISTINCT FROM $3 RETURNING session_id",
        user_id, why, but,
    )  # fmt: skip
    if ended:
        told = Event(
            actor=actor, action="session.end", object_kind="user", object_id=user_id, reason=why,
            after={"sessions": sorted(row["session_id"] for row in ended)},
        )  # fmt: skip
        await record(connection, told)
    return len(ended)


def check_grant(user: User, days: int) -> None:
    """See that a user may be let reveal PINs for some days.

    Raises:
        PeopleError: his roles do not allow it, or it is too long.
    """
    if GRANTABLE.isdisjoint(user.roles):
        raise PeopleError(f"{user.name} holds none of the roles {', '.join(sorted(GRANTABLE))} that may reveal PINs")
    if not 1 <= days <= PIN_GRANT_DAYS_MAX:
        raise PeopleError(f"PINs may be revealed for 1 to {PIN_GRANT_DAYS_MAX} days")


async def grant_pins(
    connection: Connection, actor: Actor, who: str, days: int, reason: str, *, approval_id: str | None = None
) -> None:
    """Let a user of a role that may be granted it reveal PINs for some days.

    Raises:
        PeopleError: his roles do not allow it.
    """
    async with connection.transaction():
        user = await held(connection, who)
        check_grant(user, days)
        async with audited(connection, actor, "pin.grant", "user", user.user_id, reason=reason) as change:
            change.approval_id = approval_id
            change.after = {
                "until": await connection.fetchval(
                    "INSERT INTO pin_grant (user_id, reason, expires_at)"
                    " VALUES ($1, $2, clock_timestamp() + $3::integer * interval '1 day') RETURNING expires_at",
                    user.user_id, reason, days,
                )
            }  # fmt: skip


async def revoke_pins(connection: Connection, actor: Actor, who: str, reason: str) -> bool:
    """End every grant of a user at once; False: he had none."""
    async with audited(connection, actor, "pin.revoke", "user", reason=reason) as change:
        user = await held(connection, who)
        change.object_id = user.user_id
        ended = await connection.fetch(
            "UPDATE pin_grant SET revoked_at = clock_timestamp()"
            " WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > clock_timestamp() RETURNING grant_id",
            user.user_id,
        )
        change.nothing = not ended
        change.before, change.after = {"grants": len(ended)}, {"grants": 0}
    return bool(ended)


@asynccontextmanager
async def admins_kept(connection: Connection, policy: Policy) -> AsyncIterator[None]:
    """A transaction that is undone when it takes an active admin away and leaves too few.

    Raises:
        PeopleError: that was so.
    """
    async with connection.transaction():
        # Two changes that each leave enough could together leave too few: one after the other.
        await connection.execute("SELECT pg_advisory_xact_lock($1)", PEOPLE_LOCK)
        before = {user.name for user in await holders(connection, "user.approve")}
        yield
        left = {user.name for user in await holders(connection, "user.approve")}
        if len(left) < policy.admins_min and before - left:
            raise PeopleError(
                f"too few active admins would remain ({', '.join(sorted(left)) or 'nobody'}; at least "
                f"{policy.admins_min} must): make another one first"
            )
