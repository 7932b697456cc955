"""Asking, agreeing, refusing: the life of a request that two people must agree on (backoffice §1.2).

REQUESTED → APPROVED → EXECUTED | FAILED, or REQUESTED → REJECTED | WITHDRAWN | EXPIRED | STALE. The change is made in
the transaction that sets APPROVED, or later by whoever asked (carried.py). One that could not be made (FAILED) may be
agreed to once more, until its time is over. Whoever asked never agrees, nor does anybody who shares what he signs in
with, whatever roles they hold and whichever way they come; the database keeps what was asked and that it was decided
once. No function here may be called within a transaction: a refusal is recorded in one of its own.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import asyncpg
from msgspec import Struct

from voucherswitch.catalogue.store import CatalogueError, Connection
from voucherswitch.config.limits import (
    APPROVAL_COMMENT_CHARS_MAX,
    APPROVAL_COMMENT_CHARS_MIN,
    APPROVALS_PENDING_MAX,
)
from voucherswitch.people.approvals.action import ACTIONS, Action, Making, Payload, Proposal
from voucherswitch.people.audit import Actor, Event, record
from voucherswitch.people.audit.event import plain
from voucherswitch.people.people import People, PeopleError, Policy
from voucherswitch.people.roles import RoleError
from voucherswitch.people.sessions import Session
from voucherswitch.security.passwords import PasswordError

EXPIRING: Final = Actor(kind="system", id="system:worker")
_REFUSALS: Final = (PeopleError, CatalogueError, RoleError, PasswordError)


class NotAllowedError(PeopleError):
    """Somebody may not do this; it is in the audit trail."""


class Maker(Struct, frozen=True, kw_only=True):
    """Who asks: a signed-in user, or an account on the host."""

    actor: Actor
    identities: frozenset[str]
    permissions: frozenset[str] | None  # None: somebody on the host, who is bound by no role

    @classmethod
    def of_session(cls, session: Session) -> "Maker":
        """A signed-in user."""
        may = session.permissions if session.stage == "open" else frozenset()
        return cls(actor=session.actor, identities=session.user.identities, permissions=may)

    @classmethod
    def of_host(cls, actor: Actor) -> "Maker":
        """An account on the host: the same person as the user of that name."""
        account = actor.id.partition(":")[2].rpartition("@")[0]
        return cls(actor=actor, identities=frozenset({actor.id, f"name:{account.lower()}"}), permissions=None)


class Request(Struct, frozen=True, kw_only=True):
    """A request as it is shown. Fields as the table's."""

    approval_id: str
    action: str
    object_kind: str
    object_id: str
    requested_by: str
    requested_at: datetime
    comment: str
    payload: Payload
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    impact: str
    object_version: str | None
    state: str
    decided_by: str | None
    decided_at: datetime | None
    decision_comment: str | None
    expires_at: datetime
    result: str | None


_COLUMNS: Final = ", ".join(Request.__struct_fields__)
_SELECT: Final = f"SELECT {_COLUMNS} FROM approval "  # noqa: S608 (our own names)
_INSERT: Final = f"""
INSERT INTO approval (approval_id, action, object_kind, object_id, requested_by, requester, comment, payload, before,
                      after, impact, object_version, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9::jsonb, $10::jsonb, $11, $12,
        clock_timestamp() + $13::integer * interval '1 hour')
RETURNING {_COLUMNS}
"""  # noqa: S608 (our own names)


async def request(
    policy: Policy,
    connection: Connection,
    maker: Maker,
    action_name: str,
    payload: Payload,
    comment: str,
    *,
    proposal: Proposal | None = None,
) -> Request:
    """Ask for a change.

    Args:
        proposal: of a change that whoever asks has looked at himself, because he will carry it out.

    Raises:
        NotAllowedError: the maker may not ask for it.
        PeopleError: it is not possible, the comment says nothing, or the same is asked for already.
    """
    action = _action(action_name)
    if maker.permissions is not None and action.asks not in maker.permissions:
        raise await _refused(connection, maker.actor, action, None, f"asking for {action.name} needs {action.asks}")
    comment = _comment(comment, needed=True)
    async with connection.transaction():
        # A number for each request at a time, so that the bound holds and two of the same thing meet.
        await connection.execute("LOCK TABLE approval IN SHARE ROW EXCLUSIVE MODE")
        await _expire(connection)
        if action.propose is not None:
            proposal = await action.propose(connection, payload)
        assert proposal is not None, f"whoever carries out {action.name} says what it does"
        waiting = await connection.fetchval("SELECT count(*) FROM approval WHERE state = 'REQUESTED'")
        if waiting >= APPROVALS_PENDING_MAX:
            raise PeopleError(f"{APPROVALS_PENDING_MAX} requests wait already: have them decided first")
        pending = await connection.fetchval(
            "SELECT approval_id FROM approval"
            " WHERE state = 'REQUESTED' AND action = $1 AND object_kind = $2 AND object_id = $3",
            action.name, proposal.object_kind, proposal.object_id,
        )  # fmt: skip
        if pending is not None:
            raise PeopleError(f"the same is asked for already: see voucherswitch approval show {pending}")
        approval_id: str = await connection.fetchval("SELECT 'a-' || nextval('approval_number')")
        row = await connection.fetchrow(
            _INSERT, approval_id, action.name, proposal.object_kind, proposal.object_id, maker.actor.id,
            sorted(maker.identities), comment, json.dumps(plain(payload)), _json(proposal.before),
            _json(proposal.after), proposal.impact, proposal.version, policy.approval_expiry_h,
        )  # fmt: skip
        assert row is not None  # it was put just now
        made = _request(row)
        await _tell(connection, maker.actor, "approval.request", made, reason=comment)
    return made


async def approve(
    people: People, connection: Connection, session: Session, approval_id: str, comment: str = ""
) -> Request:
    """Agree to a change, and make it; returns the request as it ended: EXECUTED, FAILED, STALE or EXPIRED.

    One that whoever asked carries out is APPROVED. One that has FAILED is tried again.

    Raises:
        NotAllowedError: this user may not agree to it, or has not entered the second factor just now.
        PeopleError: there is no such request, or it is decided.
    """
    refusal: str | None = None
    async with connection.transaction():
        row, action = await _held(connection, approval_id, "REQUESTED", "FAILED")
        asked = _request(row)
        comment = _comment(comment, needed=action.money)
        refusal = _why_not(session, action, row)
        if refusal is None:
            if (over := await _overtaken(connection, session, action, asked)) is not None:
                return over
            await _decide(connection, session, asked, "APPROVED", comment)
            return await _made(people, connection, session, action, asked, comment)
    raise await _refused(connection, session.actor, action, approval_id, refusal)


def _why_not(session: Session, action: Action, row: asyncpg.Record) -> str | None:
    """Why this user may not decide; None: he may."""
    if not session.may(action.approves):
        return f"deciding on {action.name} needs {action.approves}"
    if not session.user.identities.isdisjoint(row["requester"]):
        return "whoever asks for a change does not decide on it"
    if not session.stepped_up:
        return "enter the second factor once more"
    return None


async def _overtaken(connection: Connection, session: Session, action: Action, asked: Request) -> Request | None:
    """End a request whose time is over or whose object has moved; None: it stands."""
    now = await connection.fetchval("SELECT clock_timestamp()")
    if asked.expires_at <= now:
        return await ended(connection, session.actor, asked, "EXPIRED", "approval.expire", "not decided in time")
    if action.propose is None:
        return None  # looked at when it is carried out
    try:
        proposal = await action.propose(connection, asked.payload)
    except _REFUSALS as error:
        return await ended(connection, session.actor, asked, "STALE", "approval.stale", str(error))
    if proposal.version != asked.object_version:
        return await ended(
            connection, session.actor, asked, "STALE", "approval.stale", "it was changed since this was asked for"
        )
    return None


async def _made(
    people: People,
    connection: Connection,
    session: Session,
    action: Action,
    asked: Request,
    comment: str,
) -> Request:
    if action.execute is None:
        await _tell(connection, session.actor, "approval.approve", asked, reason=comment or None)
        return await read(connection, asked.approval_id)
    making = Making(people=people, connection=connection, actor=session.actor, approval_id=asked.approval_id)
    end = ("EXECUTED", "approval.execute")
    try:
        async with connection.transaction():
            result = await action.execute(making, asked.payload)
    except _REFUSALS as error:
        end, result = ("FAILED", "approval.fail"), str(error)
    # Recorded after the change, which takes locks of its own: nobody waits for one while he holds up all recording.
    await _tell(connection, session.actor, "approval.approve", asked, reason=comment or None)
    return await ended(connection, session.actor, asked, *end, result)


async def reject(connection: Connection, session: Session, approval_id: str, comment: str) -> Request:
    """Refuse a change, with the reason.

    Raises:
        NotAllowedError: this user may not decide on it.
        PeopleError: there is no such request, it is decided, or no reason is given.
    """
    comment = _comment(comment, needed=True)
    async with connection.transaction():
        row, action = await _held(connection, approval_id)
        refusal = _why_not(session, action, row)
        if refusal is None:
            asked = _request(row)
            await _decide(connection, session, asked, "REJECTED", comment)
            await _tell(connection, session.actor, "approval.reject", asked, reason=comment)
            return await read(connection, approval_id)
    raise await _refused(connection, session.actor, action, approval_id, refusal)


async def withdraw(connection: Connection, maker: Maker, approval_id: str) -> Request:
    """Take one's own request back, also one that was agreed to and is not carried out yet.

    Raises:
        NotAllowedError: somebody else asked.
        PeopleError: there is no such request, or it is decided.
    """
    async with connection.transaction():
        row, action = await _held(connection, approval_id, "REQUESTED", "APPROVED")
        if row["requested_by"] == maker.actor.id:
            return await ended(
                connection, maker.actor, _request(row), "WITHDRAWN", "approval.withdraw", "taken back by who asked"
            )
    raise await _refused(connection, maker.actor, action, approval_id, "only who asked for a change takes it back")


async def expire(connection: Connection) -> int:
    """End the requests whose time is over, agreed to or not; returns how many."""
    async with connection.transaction():
        return await _expire(connection)


async def _expire(connection: Connection) -> int:
    rows = await connection.fetch(
        _SELECT + "WHERE state IN ('REQUESTED', 'APPROVED') AND expires_at <= clock_timestamp()"
        " ORDER BY approval_id FOR UPDATE"
    )
    for row in rows:
        late = "not decided in time" if row["state"] == "REQUESTED" else "not carried out in time"
        await ended(connection, EXPIRING, _request(row), "EXPIRED", "approval.expire", late)
    return len(rows)


async def read(connection: Connection, approval_id: str) -> Request:
    """One request.

    Raises:
        PeopleError: there is none with this id.
    """
    row = await connection.fetchrow(_SELECT + "WHERE approval_id = $1", approval_id)
    if row is None:
        raise PeopleError(f"there is no request {approval_id}; see: voucherswitch approval list")
    return _request(row)


async def listed(connection: Connection, states: Iterable[str], limit: int) -> list[Request]:
    """Requests in some states, the newest first."""
    rows = await connection.fetch(
        _SELECT + "WHERE state = ANY ($1::text[]) ORDER BY requested_at DESC LIMIT $2",
        list(states), limit,
    )  # fmt: skip
    return [_request(row) for row in rows]


async def _held(connection: Connection, approval_id: str, *states: str) -> tuple[asyncpg.Record, Action]:
    row = await connection.fetchrow("SELECT * FROM approval WHERE approval_id = $1 FOR UPDATE", approval_id)
    if row is None:
        raise PeopleError(f"there is no request {approval_id}; see: voucherswitch approval list")
    if row["state"] not in (states or ("REQUESTED",)):
        raise PeopleError(f"{approval_id} is {row['state']} already; see: voucherswitch approval show {approval_id}")
    return row, _action(row["action"])


async def _decide(connection: Connection, session: Session, asked: Request, state: str, comment: str) -> None:
    await connection.execute(
        "UPDATE approval SET state = $2, decided_by = $3, decided_at = clock_timestamp(), decision_comment = $4"
        " WHERE approval_id = $1",
        asked.approval_id, state, session.actor.id, comment or None,
    )  # fmt: skip


async def ended(connection: Connection, actor: Actor, asked: Request, state: str, told: str, result: str) -> Request:
    """End a request, within a transaction; returns it as it is then."""
    await connection.execute(
        "UPDATE approval SET state = $2, result = $3 WHERE approval_id = $1",
        asked.approval_id, state, result,
    )  # fmt: skip
    await _tell(connection, actor, told, asked, reason=result, outcome="FAILED" if state == "FAILED" else "OK")
    return await read(connection, asked.approval_id)


async def _tell(
    connection: Connection, actor: Actor, what: str, asked: Request, *, reason: str | None, outcome: str = "OK"
) -> None:
    told = Event(
        actor=actor, action=what, object_kind=asked.object_kind, object_id=asked.object_id, reason=reason,
        approval_id=asked.approval_id, before=asked.before, after=asked.after,
        outcome="FAILED" if outcome == "FAILED" else "OK",
    )  # fmt: skip
    await record(connection, told)


async def _refused(
    connection: Connection, actor: Actor, action: Action, approval_id: str | None, why: str | None
) -> NotAllowedError:
    """Record that somebody tried what he may not; returns what to raise."""
    async with connection.transaction():
        told = Event(
            actor=actor, action="page.refused", object_kind="approval", object_id=action.name, reason=why,
            approval_id=approval_id, outcome="REFUSED",
        )  # fmt: skip
        await record(connection, told)
    return NotAllowedError(str(why))


def _action(name: str) -> Action:
    if (action := ACTIONS.get(name)) is None:
        raise PeopleError(f"there is no change {name} to ask for")
    return action


def _comment(text: str, *, needed: bool) -> str:
    text = " ".join(text.split())
    if needed and len(text) < APPROVAL_COMMENT_CHARS_MIN:
        raise PeopleError(f"say why, in at least {APPROVAL_COMMENT_CHARS_MIN} characters: whoever decides reads it")
    if len(text) > APPROVAL_COMMENT_CHARS_MAX or not text.isprintable():
        raise PeopleError(f"a comment is one line of at most {APPROVAL_COMMENT_CHARS_MAX} characters")
    return text


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(plain(value))


def _request(row: asyncpg.Record) -> Request:
    values = {name: row[name] for name in Request.__struct_fields__}
    for name in ("payload", "before", "after"):
        values[name] = None if values[name] is None else json.loads(values[name])
    return Request(**values)
