"""A restored journal: what it has forgotten is marked, listed, and one day settled (docs/operations/backup.md)."""

from datetime import datetime
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from msgspec import Struct

from voucherswitch.config.limits import REFERENCES_SKIPPED
from voucherswitch.journal.statements import SQL


class Gap(Struct, frozen=True):
    """What came after `restored_to` and before `marked_at` may be forgotten; both are UTC."""

    restored_to: datetime
    marked_at: datetime


class Forgotten(Struct, frozen=True):
    """What an originator has spoken of since the restore and the journal does not know."""

    request_id: UUID
    originator_id: str
    operation: str
    times: int
    first_at: datetime
    last_at: datetime


async def mark(connection: asyncpg.Connection | PoolConnectionProxy, restored_to: datetime) -> None:
    """Say that the journal was restored to a moment; references told in between are not told again."""
    async with connection.transaction():
        await connection.execute(SQL["mark_restoration"], restored_to)
        await connection.execute(SQL["skip_references"], REFERENCES_SKIPPED)


async def close(connection: asyncpg.Connection | PoolConnectionProxy) -> bool:
    """Say that everything forgotten is settled. False: nothing was open."""
    return await connection.fetchval(SQL["close_restoration"]) is not None


async def open_gap(connection: asyncpg.Connection | PoolConnectionProxy) -> Gap | None:
    """Read the gap that is not settled yet."""
    row = await connection.fetchrow(SQL["open_restoration"])
    return None if row is None else Gap(**row)


async def forgotten(connection: asyncpg.Connection | PoolConnectionProxy) -> list[Forgotten]:
    """List what originators have spoken of since the restore and nobody here knows."""
    return [Forgotten(**row) for row in await connection.fetch(SQL["report_forgotten"])]
