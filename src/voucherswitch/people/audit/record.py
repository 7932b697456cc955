"""Recording an event: in the transaction of what it tells about, so that neither is there without the other.

Call it last in the transaction: from here to its end nobody else records. Whoever cannot record does not act.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from msgspec import Struct

from voucherswitch.catalogue.store import Connection
from voucherswitch.journal.statements import SQL
from voucherswitch.people.audit.actions import ACTIONS
from voucherswitch.people.audit.event import GENESIS, Actor, Event, fields_of, hash_of

# One writer at a time gives numbers without gaps: a transaction that is undone gives its number back.
AUDIT_LOCK: Final = 0x5653_4155


async def record(connection: Connection, event: Event) -> int:
    """Append an event to the trail; returns its number.

    Raises:
        ValueError: no transaction is open on the connection, or the action is none of ours.
    """
    if event.action not in ACTIONS:
        raise ValueError(f"{event.action} is not an action of the audit trail (people/audit/actions.py)")
    if not connection.is_in_transaction():
        raise ValueError("an audit event is recorded in the transaction of the change that it tells about")
    await connection.execute(SQL["hold_audit"], AUDIT_LOCK)
    head = await connection.fetchrow(SQL["audit_head"])
    assert head is not None  # it joins a row that is always there
    prev_hash: bytes = head["hash"] or GENESIS
    fields = fields_of(event, head["seq"] + 1, head["now"])
    await connection.execute(
        SQL["append_audit"], fields["seq"], head["now"], fields["actor_kind"], fields["actor_id"], fields["roles"],
        fields["session_id"], fields["ip"], fields["correlation_id"], fields["action"], fields["object_kind"],
        fields["object_id"], fields["reason"], fields["approval_id"], _json(fields["before"]), _json(fields["after"]),
        fields["outcome"], prev_hash, hash_of(prev_hash, fields),
    )  # fmt: skip
    seq: int = fields["seq"]
    return seq


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value)


class Change(Struct):
    """What a change was, filled in while it is made.

    Attributes:
        nothing: it turned out that nothing changes: no event.
        needs: what somebody else must agree to where two must (approvals/carried.py); None: nothing.
        asked_id, asked: what a request names the change by, where `object_id` and `after` hold what is made anew each
            time it is tried, such as a number.
    """

    object_id: str | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    approval_id: str | None = None
    nothing: bool = False
    needs: str | None = None
    asked_id: str | None = None
    asked: Mapping[str, Any] | None = None


@asynccontextmanager
async def audited(
    connection: Connection,
    actor: Actor,
    action: str,
    object_kind: str,
    object_id: str | None = None,
    *,
    reason: str | None = None,
) -> AsyncIterator[Change]:
    """One transaction for a change and its event: what is raised inside undoes both."""
    async with connection.transaction():
        change = Change(object_id=object_id)
        yield change
        if change.nothing:
            return
        event = Event(
            actor=actor,
            action=action,
            object_kind=object_kind,
            object_id=change.object_id,
            reason=reason,
            approval_id=change.approval_id,
            before=change.before,
            after=change.after,
        )
        await record(connection, event)
