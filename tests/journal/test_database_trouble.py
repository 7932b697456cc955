"""Group commit when the database is in trouble: every row's fate is told in time, and neighbours do not suffer."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from support.proxy import DatabaseDoor
from support.waiting import eventually
from voucherswitch.config.limits import JOURNAL_WAIT_S
from voucherswitch.journal.batcher import Batcher, JournalUnavailableError
from voucherswitch.journal.database import DatabaseError, close, connect, host_urls, own_session
from voucherswitch.journal.migrate import migrate, pending
from voucherswitch.journal.statements import Statement

TOUCH = Statement(
    name="touch_troubles",
    sql="""
    UPDATE trouble AS t SET times = t.times + 1 FROM unnest($1::integer[]) AS d (id) WHERE t.id = d.id
    RETURNING t.id
    """,
    columns=1,
)
SPARE_S = 2.0  # what a crowded machine may take on top


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool as the processes have it, on a table of ten rows; row 7 can be made to fail with any SQLSTATE."""
    pool = await connect(database_url, size_max=4, application="test")
    await pool.execute(
        """DROP TABLE IF EXISTS trouble;
           DROP SEQUENCE IF EXISTS failures;
           CREATE TABLE trouble (id integer PRIMARY KEY, times integer NOT NULL DEFAULT 0, error text);
           INSERT INTO trouble SELECT generate_series(1, 10);
           CREATE SEQUENCE failures;
           CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN
               IF nextval('failures') <= 2 THEN RAISE EXCEPTION 'as ordered' USING ERRCODE = old.error; END IF;
               RETURN new;
           END $$;
           CREATE TRIGGER fail BEFORE UPDATE OF times ON trouble FOR EACH ROW WHEN (old.error IS NOT NULL)
           EXECUTE FUNCTION fail()"""
    )
    yield pool
    await close(pool)


def touches(pool: asyncpg.Pool) -> Batcher:
    return Batcher(pool, TOUCH, batch_max=256, queue_max=1000)


@pytest.mark.parametrize(
    "sqlstate",
    ["40001", "40P01", "55P03", "57014", "53100", "53200", "53300", "57P01", "25006", "58030"],
    ids=[
        "serialisation", "deadlock", "lock_timeout", "statement_timeout", "disk_full", "out_of_memory",
        "too_many_connections", "shut_down", "read_only", "io_error",
    ],
)  # fmt: skip
async def test_trouble_that_passes_costs_nobody_an_answer(pool: asyncpg.Pool, sqlstate: str) -> None:
    """The second attempt fails as well, the third does not; each row is written once."""
    await pool.execute("UPDATE trouble SET error = $1 WHERE id = 7", sqlstate)
    batcher = touches(pool)
    records = await asyncio.gather(*(batcher.send(number, (number,)) for number in range(1, 11)))
    assert all(records)
    assert await pool.fetchval("SELECT array_agg(DISTINCT times) FROM trouble") == [1]


async def test_a_row_that_somebody_has_locked_holds_up_no_neighbour(pool: asyncpg.Pool) -> None:
    """An operator's open transaction: that row waits, is told in time that nobody knows, and the others are written."""
    batcher = touches(pool)
    async with pool.acquire() as operator, operator.transaction():
        await operator.execute("SELECT 1 FROM trouble WHERE id = 3 FOR UPDATE")
        began_s = time.monotonic()
        held = batcher.send(3, (3,))
        others = [batcher.send(number, (number,)) for number in (1, 2, 4, 5)]
        await asyncio.gather(*others)
        later = await batcher.send(6, (6,))
        assert later
        assert time.monotonic() - began_s < JOURNAL_WAIT_S
        with pytest.raises(JournalUnavailableError, match=r"4\.5 s"):
            await held
        assert time.monotonic() - began_s < JOURNAL_WAIT_S + SPARE_S
    assert await batcher.send(3, (3,)), "free again"
    await batcher.drain()


async def test_a_server_that_falls_silent_costs_one_wait_and_not_one_for_each_batch(
    database_url: str, pool: asyncpg.Pool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nothing is refused or reset: the network is gone. Rows that come meanwhile wait no longer than the first."""
    socket = Path(parse_qs(urlsplit(database_url).query)["host"][0]) / ".s.PGSQL.5432"
    async with DatabaseDoor(tmp_path_factory.mktemp("d"), socket) as door:
        silent = await connect(door.url, size_max=3, application="test")
        batcher = touches(silent)
        assert await batcher.send(1, (1,))
        door.hang()

        async def unknown(number: int) -> float:
            began_s = time.monotonic()
            with pytest.raises(JournalUnavailableError):
                await batcher.send(number, (number,))
            return time.monotonic() - began_s

        first = asyncio.create_task(unknown(1))
        waited = await asyncio.gather(first, *(unknown(number) for number in range(2, 9)))
        assert max(waited) < JOURNAL_WAIT_S + SPARE_S
        door.flow()
        assert await batcher.send(9, (9,)), "no restart, and no dead connection"
        await close(silent)


async def test_a_server_that_became_read_only_is_left(pool: asyncpg.Pool) -> None:
    """A demoted primary: its connections work, and none of them may be used again."""
    batcher = touches(pool)
    assert await batcher.send(1, (1,))
    await pool.execute("SET default_transaction_read_only = on")
    assert await batcher.send(1, (1,)), "on a new connection"


async def test_of_several_hosts_the_one_that_can_be_written_to_is_used(database_url: str) -> None:
    """The first is switched off: it takes its own share of the time and no more."""
    folder = parse_qs(urlsplit(database_url).query)["host"][0]
    url = f"postgresql://postgres@/voucherswitch?host=/nowhere,{folder}&port=5432"
    pool = await connect(url, size_max=2, application="test")
    assert await pool.fetchval("SELECT 1") == 1
    await close(pool)
    await migrate(url)
    assert not await pending(url)
    with pytest.raises(DatabaseError, match="check DATABASE_URL"):
        await connect("postgresql://u@127.0.0.1:1,127.0.0.1:2/x", size_max=1, application="test")


@pytest.mark.parametrize(
    ("url", "urls"),
    [
        ("postgresql://u:p@a:1/x", ["postgresql://u:p@a:1/x"]),
        ("postgresql://u:p@a:1,b:2/x?sslmode=require", [
            "postgresql://u:p@a:1/x?sslmode=require", "postgresql://u:p@b:2/x?sslmode=require",
        ]),
        ("postgresql://u@/x?host=/a,/b&port=1", [
            "postgresql://u@/x?host=%2Fa&port=1", "postgresql://u@/x?host=%2Fb&port=1",
        ]),
    ],
)  # fmt: skip
def test_hosts_of_a_url(url: str, urls: list[str]) -> None:
    assert host_urls(url) == urls


async def test_what_lives_in_a_session_ends_with_it_also_when_its_work_is_cancelled(pool: asyncpg.Pool) -> None:
    """A lock that stayed with a pooled connection would keep everybody from the work that it is for."""
    locked = asyncio.Event()

    async def work() -> None:
        async with own_session(pool) as connection:
            await connection.execute("SET statement_timeout = '123s'; SELECT pg_advisory_lock(1)")
            locked.set()
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await locked.wait()
    assert not await pool.fetchval("SELECT pg_try_advisory_lock(1)")
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

    async def free() -> bool:
        return bool(await pool.fetchval("SELECT pg_try_advisory_xact_lock(1)"))

    await eventually(free, "the lock of a session that has ended")
    assert {await pool.fetchval("SHOW statement_timeout") for _ in range(8)} == {"10s"}
