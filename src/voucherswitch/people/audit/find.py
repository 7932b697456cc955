"""Reading the trail. Whoever reads it is recorded in it, before the first row is handed out."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import asyncpg
from msgspec import Struct

from voucherswitch.catalogue.store import Connection
from voucherswitch.config.limits import AUDIT_WALK_ROWS
from voucherswitch.journal.statements import SQL
from voucherswitch.people.audit.event import Actor, Event
from voucherswitch.people.audit.record import record


class Filter(Struct, frozen=True, kw_only=True):
    """Which events; None: whatever. `action` may name a group: `user` is every `user.…`."""

    since: datetime | None = None
    until: datetime | None = None
    action: str | None = None
    actor_id: str | None = None
    object_id: str | None = None
    outcome: str | None = None

    def named(self) -> dict[str, Any]:
        """What is asked for, as the trail keeps it."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}


async def find(
    connection: Connection, actor: Actor, wanted: Filter, limit: int, *, before: int | None = None
) -> list[asyncpg.Record]:
    """The newest events that fit, at most `limit`; with `before` those with lower numbers. Columns as `audit_event`."""
    await _tell(connection, Event(actor=actor, action="audit.search", object_kind="audit", after=wanted.named()))
    return list(await connection.fetch(SQL["find_audit"], before, *_parameters(wanted), limit))


async def find_one(connection: Connection, actor: Actor, seq: int) -> asyncpg.Record | None:
    """One event by its number."""
    await _tell(connection, Event(actor=actor, action="audit.search", object_kind="audit", object_id=str(seq)))
    row = next(iter(await connection.fetch(SQL["read_audit"], seq - 1, 1)), None)
    return row if row is not None and row["seq"] == seq else None


async def exported(connection: Connection, actor: Actor, wanted: Filter) -> AsyncIterator[list[asyncpg.Record]]:
    """All events that fit, the oldest first, in batches; up to the one that tells of this export, without it."""
    end = await _tell(connection, Event(actor=actor, action="audit.export", object_kind="audit", after=wanted.named()))
    after = 0
    while True:
        rows = await connection.fetch(SQL["export_audit"], after, end, *_parameters(wanted), AUDIT_WALK_ROWS)
        if not rows:
            return
        yield list(rows)
        after = rows[-1]["seq"]


async def _tell(connection: Connection, event: Event) -> int:
    async with connection.transaction():
        return await record(connection, event)


def _parameters(wanted: Filter) -> tuple[Any, ...]:
    return wanted.since, wanted.until, wanted.action, wanted.actor_id, wanted.object_id, wanted.outcome
