"""The trace's days: made a week ahead, dropped when they are over their time. Never on the path of a request.

A day is taken out of `leg` in two steps. Detaching needs a lock for a moment; it is waited for briefly, because sales
queue up behind a lock that is waited for, and tried again. Then the rows of requests that somebody still has to settle
go back into `leg` (into leg_default), and the day is dropped. A crash between leaves a table that the next run takes.

DETACH … CONCURRENTLY would not need the lock, but PostgreSQL refuses it beside a default partition, and without that
one a missing day would fail sales.
"""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Final

import asyncpg
import structlog

from voucherswitch.config.limits import (
    LEG_DELETE_ROWS,
    LEG_PARTITION_DAYS,
    PARTITION_LOCK_MS,
    PARTITION_LOCK_PAUSE_S,
    PARTITION_LOCK_TRIES,
)
from voucherswitch.journal.statements import SQL

log = structlog.get_logger(__name__)

_COLUMNS: Final = (
    "request_id, generation, leg_id, advice_id, direction, peer, operation, started_at, duration_us, outcome, status, "
    "request, response, error"
)


async def make_days(pool: asyncpg.Pool) -> None:
    """Make the coming days of the trace."""
    await pool.execute("SELECT make_leg_partitions($1)", LEG_PARTITION_DAYS)


async def drop_days(pool: asyncpg.Pool, trace_days: int, *, today: date | None = None) -> list[str]:
    """Drop what is older than `trace_days` whole days (UTC); return the names of the days that are gone.

    A day that somebody reads or dumps the whole time is left for the next run. 0 days: nothing is dropped.
    """
    if trace_days == 0:
        return []
    before = (today or datetime.now(UTC).date()) - timedelta(days=trace_days)
    dropped = []
    for row in await pool.fetch(SQL["old_leg_days"], before):
        if row["attached"] and not await _detach(pool, row["name"]):
            log.warning("day of the trace not dropped: it is being read; tried again later", day=row["name"])
            continue
        await _drop(pool, row["name"])
        log.info("day of the trace dropped", day=row["name"])
        dropped.append(row["name"])
    while await pool.fetch(SQL["delete_default_legs"], before, LEG_DELETE_ROWS):
        pass
    return dropped


async def _detach(pool: asyncpg.Pool, name: str) -> bool:
    """Take a day out of the trace. False: the lock was not to be had."""
    for number in range(PARTITION_LOCK_TRIES):
        if number:
            await asyncio.sleep(PARTITION_LOCK_PAUSE_S)
        try:
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = {PARTITION_LOCK_MS}")
                await connection.execute(f"ALTER TABLE leg DETACH PARTITION {name}")
        except asyncpg.LockNotAvailableError:
            continue
        except asyncpg.UndefinedTableError:
            return True  # another worker was quicker
        return True
    return False


async def _drop(pool: asyncpg.Pool, name: str) -> None:
    """Put back what is still needed, then drop the day: both or neither."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext('leg partitions'))")
        if await connection.fetchval("SELECT to_regclass($1)", name) is None:
            return  # another worker was quicker
        await connection.execute(
            f"INSERT INTO leg ({_COLUMNS}) OVERRIDING SYSTEM VALUE "  # noqa: S608 (a name of ours)
            f"SELECT {_COLUMNS} FROM {name} WHERE request_id IN (SELECT request_id FROM unsettled)"
        )
        await connection.execute(f"DROP TABLE {name}")
