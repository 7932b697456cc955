"""The trace's days: made ahead, dropped by policy, and never at the cost of a sale or of what is still open."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from journal.journal_rows import a_leg, a_transaction, an_advice
from voucherswitch.journal import partitions

NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
OLD = NOW - timedelta(days=40)
OLD_DAY = f"leg_{OLD:%Y%m%d}"


@pytest.fixture
async def pool(journal_pool: asyncpg.Pool) -> asyncpg.Pool:
    """A journal with one old day of the trace."""
    begins = OLD.replace(hour=0)
    await journal_pool.execute(
        f"CREATE TABLE {OLD_DAY} PARTITION OF leg FOR VALUES FROM ('{begins}') TO ('{begins + timedelta(days=1)}')"
    )
    return journal_pool


async def days(pool: asyncpg.Pool) -> list[str]:
    """The days of the trace."""
    rows = await pool.fetch(
        "SELECT relname FROM pg_class WHERE relname ~ '^leg_[0-9]{8}$' AND relkind = 'r' ORDER BY relname"
    )
    return [row["relname"] for row in rows]


async def test_a_day_over_its_time_is_dropped_with_its_messages(pool: asyncpg.Pool) -> None:
    closed = await a_transaction(pool, OLD)
    await a_leg(pool, closed, OLD)
    await a_leg(pool, closed, NOW)
    assert await partitions.drop_days(pool, 30) == [OLD_DAY]
    assert OLD_DAY not in await days(pool)
    assert await pool.fetchval("SELECT count(*) FROM leg WHERE request_id = $1", closed) == 1


@pytest.mark.parametrize("trace_days", [0, 40, 400])
async def test_a_day_within_its_time_stays(pool: asyncpg.Pool, trace_days: int) -> None:
    """40 days mean forty whole days; 0 means for ever."""
    assert await partitions.drop_days(pool, trace_days) == []
    assert OLD_DAY in await days(pool)


async def test_messages_of_what_is_not_settled_outlive_their_day(pool: asyncpg.Pool) -> None:
    unknown = await a_transaction(pool, OLD, state=4)
    owed, parked, risk, settled = [await a_transaction(pool, OLD) for _ in range(4)]
    await an_advice(pool, owed, OLD, state=1, finished_at=None)
    await an_advice(pool, parked, OLD, state=4)
    await an_advice(pool, risk, OLD, state=3, kind=2)
    await an_advice(pool, settled, OLD)
    for request_id in (unknown, owed, parked, risk, settled):
        await a_leg(pool, request_id, OLD)
    await partitions.drop_days(pool, 30)
    kept = await pool.fetch("SELECT request_id FROM leg")
    assert {row["request_id"] for row in kept} == {unknown, owed, parked, risk}

    await pool.execute("UPDATE transaction SET state = 3 WHERE request_id = $1", unknown)
    await partitions.drop_days(pool, 30)
    kept = await pool.fetch("SELECT request_id FROM leg_default")
    assert {row["request_id"] for row in kept} == {owed, parked, risk}, "what is settled since goes with the next run"


async def test_a_day_that_is_being_read_is_left_and_holds_up_nobody(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dump reads for hours. While the drop waits for its lock, sales wait too: 0.2 s at most, then it gives up."""
    monkeypatch.setattr(partitions, "PARTITION_LOCK_TRIES", 2)
    request_id = await a_transaction(pool, NOW)
    async with pool.acquire() as reader, reader.transaction():
        await reader.fetch("SELECT count(*) FROM leg")
        dropping = asyncio.create_task(partitions.drop_days(pool, 30))
        loop = asyncio.get_running_loop()
        longest = 0.0
        while not dropping.done():
            began = loop.time()
            await a_leg(pool, request_id, NOW)
            longest = max(longest, loop.time() - began)
        assert await dropping == []
    assert longest < 2, "a writer waits for the lock's own time, not for the reader"
    assert OLD_DAY in await days(pool)
    assert await partitions.drop_days(pool, 30) == [OLD_DAY]


async def test_a_drop_that_died_half_way_is_finished(pool: asyncpg.Pool) -> None:
    unknown = await a_transaction(pool, OLD, state=4)
    await a_leg(pool, unknown, OLD)
    await pool.execute(f"ALTER TABLE leg DETACH PARTITION {OLD_DAY}")
    assert await partitions.drop_days(pool, 30) == [OLD_DAY]
    assert await pool.fetchval("SELECT count(*) FROM leg WHERE request_id = $1", unknown) == 1
    assert OLD_DAY not in await days(pool)


async def test_two_workers_that_drop_at_once_keep_each_message_once(pool: asyncpg.Pool) -> None:
    unknown = await a_transaction(pool, OLD, state=4)
    await a_leg(pool, unknown, OLD)
    await asyncio.gather(*(partitions.drop_days(pool, 30) for _ in range(3)))
    assert await pool.fetchval("SELECT count(*) FROM leg WHERE request_id = $1", unknown) == 1
    assert OLD_DAY not in await days(pool)


async def test_a_day_that_began_without_its_partition_stops_no_other(pool: asyncpg.Pool) -> None:
    """Its messages lie in leg_default, are found there, and leave when their time is over."""
    today = f"leg_{NOW:%Y%m%d}"
    tomorrow = f"leg_{NOW + timedelta(days=1):%Y%m%d}"
    await pool.execute(f"DROP TABLE {today}")
    await pool.execute(f"DROP TABLE {tomorrow}")
    request_id = await a_transaction(pool, NOW)
    await a_leg(pool, request_id, NOW)
    await partitions.make_days(pool)
    assert today not in await days(pool)
    assert tomorrow in await days(pool)
    assert await pool.fetchval("SELECT count(*) FROM leg_default") == 1
    await partitions.drop_days(pool, 30, today=(NOW + timedelta(days=31)).date())
    assert await pool.fetchval("SELECT count(*) FROM leg_default") == 0
