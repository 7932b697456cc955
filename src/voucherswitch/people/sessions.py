"""Sessions: on the server, found by the hash of what the browser holds, ended by time, by their user or by others."""

import hashlib
import secrets
from datetime import datetime
from typing import Final, Literal

from msgspec import Struct

from voucherswitch.catalogue.store import Connection
from voucherswitch.config.limits import (
    AGENT_CHARS_MAX,
    SESSION_NOTED_S,
    SESSIONS_PER_USER_MAX,
    SIGN_IN_STAGE_S,
    STEP_UP_S,
)
from voucherswitch.people import users
from voucherswitch.people.audit import Actor, Event, record
from voucherswitch.people.people import People, PeopleError, Visitor
from voucherswitch.people.users import User, token_hash

COOKIE: Final = "__Host-vs_session"  # Secure, HttpOnly, SameSite=Lax
_TOKEN_BYTES: Final = 32

Stage = Literal["factor", "password", "enrol", "open"]
"""What is still to prove or to do before anything else: a code, a new password, a second factor; open: nothing."""


class Session(Struct, frozen=True, kw_only=True):
    """Who is signed in, as far as he has come, and what he may do."""

    session_id: str
    stage: Stage
    user: User
    permissions: frozenset[str]
    stepped_up: bool  # the second factor was entered again within STEP_UP_S
    visitor: Visitor

    @property
    def actor(self) -> Actor:
        """For the audit trail."""
        return self.visitor.as_actor(self.user.user_id, self.user.roles, self.session_id)

    def may(self, permission: str) -> bool:
        """Whether he may do it now. Nobody may anything before he has proved all there is to prove."""
        return self.stage == "open" and permission in self.permissions


async def begin(connection: Connection, user: User, stage: Stage, visitor: Visitor, *, proved: bool) -> str:
    """Begin a session and return its token. Beyond a user's third open one, the oldest ends."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    agent = None if visitor.agent is None else "".join(c for c in visitor.agent if c.isprintable())[:AGENT_CHARS_MAX]
    await connection.execute(
        "INSERT INTO operator_session (token_hash, user_id, stage, factor_proved, ip, agent)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        token_hash(token), user.user_id, stage, proved, visitor.ip, agent,
    )  # fmt: skip
    await connection.execute(
        "UPDATE operator_session SET ended_at = clock_timestamp(), ended = 'too many sessions' WHERE session_id IN ("
        " SELECT session_id FROM operator_session WHERE user_id = $1 AND ended_at IS NULL"
        " ORDER BY begun_at DESC, session_id DESC OFFSET $2)",
        user.user_id, SESSIONS_PER_USER_MAX,
    )  # fmt: skip
    return token


_LIVE: Final = """
SELECT s.session_id, s.user_id, s.stage, s.seen_at,
       s.stepped_up_at > clock_timestamp() - $4::integer * interval '1 second' AS stepped_up
  FROM operator_session AS s
  JOIN operator_user AS u USING (user_id)
 WHERE s.token_hash = $1 AND s.ended_at IS NULL AND u.enabled
   AND s.begun_at > clock_timestamp() - $3::integer * interval '1 second'
   AND s.seen_at > clock_timestamp() - $2::integer * interval '1 second'
   AND (s.stage = 'open' OR s.begun_at > clock_timestamp() - $5::integer * interval '1 second')
"""


async def look_up(
    connection: Connection, people: People, token: str, visitor: Visitor, *, hold: bool = False
) -> Session | None:
    """Whose session a token is; None: it has ended, or never was. Looking counts as use.

    Args:
        hold: nobody else looks it up until the transaction ends.
    """
    policy = people.policy
    row = await connection.fetchrow(
        _LIVE + ("FOR UPDATE OF s" if hold else ""),
        token_hash(token), policy.session_idle_s, policy.session_max_s, STEP_UP_S, SIGN_IN_STAGE_S,
    )  # fmt: skip
    if row is None:
        return None
    await connection.execute(
        "UPDATE operator_session SET seen_at = clock_timestamp()"
        " WHERE session_id = $1 AND seen_at < clock_timestamp() - $2::integer * interval '1 second'",
        row["session_id"], SESSION_NOTED_S,
    )  # fmt: skip
    user = await users.find(connection, row["user_id"])
    assert user is not None  # users are never deleted
    return Session(
        session_id=row["session_id"],
        stage=row["stage"],
        user=user,
        permissions=await users.permissions(connection, user),
        stepped_up=bool(row["stepped_up"]),
        visitor=visitor,
    )


async def renew(connection: Connection, session: Session, stage: Stage, *, proved: bool, step_up: bool) -> str:
    """Go on under a new token; the one before is worth nothing any more."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    await connection.execute(
        "UPDATE operator_session SET token_hash = $2, stage = $3, factor_proved = factor_proved OR $4,"
        " stepped_up_at = CASE WHEN $5 THEN clock_timestamp() ELSE stepped_up_at END WHERE session_id = $1",
        session.session_id, token_hash(token), stage, proved, step_up,
    )  # fmt: skip
    return token


async def sign_out(connection: Connection, session: Session) -> None:
    """End one's own session."""
    async with connection.transaction():
        await _end(connection, session.session_id, "signed out")
        told = Event(actor=session.actor, action="user.sign_out", object_kind="user", object_id=session.user.user_id)
        await record(connection, told)


async def end(connection: Connection, actor: Actor, session_id: str, *, of: str | None = None) -> None:
    """End a session by its id, one's own other one (`of` names oneself) or, as an admin, anybody's.

    Raises:
        PeopleError: there is no such session any more.
    """
    async with connection.transaction():
        user_id = await _end(connection, session_id, "ended by hand", of=of)
        if user_id is None:
            raise PeopleError(f"there is no session {session_id}; it may have ended already")
        told = Event(
            actor=actor, action="session.end", object_kind="user", object_id=user_id, after={"sessions": [session_id]}
        )
        await record(connection, told)


async def _end(connection: Connection, session_id: str, why: str, *, of: str | None = None) -> str | None:
    user_id: str | None = await connection.fetchval(
        "UPDATE operator_session SET ended_at = clock_timestamp(), ended = $2"
        " WHERE session_id = $1 AND ended_at IS NULL AND ($3::text IS NULL OR user_id = $3) RETURNING user_id",
        session_id, why, of,
    )  # fmt: skip
    return user_id


class Listed(Struct, frozen=True, kw_only=True):
    """A session as its user, or an admin, sees it."""

    session_id: str
    begun_at: datetime
    seen_at: datetime
    ip: str | None
    agent: str | None


async def list_live(connection: Connection, people: People, user_id: str) -> list[Listed]:
    """A user's open sessions, the newest first."""
    rows = await connection.fetch(
        "SELECT session_id, begun_at, seen_at, ip, agent FROM operator_session WHERE user_id = $1 AND ended_at IS NULL"
        " AND stage = 'open' AND begun_at > clock_timestamp() - $3::integer * interval '1 second'"
        " AND seen_at > clock_timestamp() - $2::integer * interval '1 second' ORDER BY begun_at DESC",
        user_id, people.policy.session_idle_s, people.policy.session_max_s,
    )  # fmt: skip
    return [Listed(**row) for row in rows]


def form_token(token: str) -> str:
    """What every form of a session carries: only a page that we gave to this session knows it."""
    return hashlib.sha256(f"form {token}".encode()).hexdigest()
