"""Group commit against a real PostgreSQL: neighbours, bounds, lost connections."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from msgspec import structs

from voucherswitch.journal.batcher import Batcher, JournalFullError, JournalUnavailableError
from voucherswitch.journal.statements import SIZES, Statement, several_of

INSERT = Statement(
    name="insert_notes",
    sql="""
    INSERT INTO note (id, text)
    SELECT id, text FROM unnest($1::integer[], $2::text[]) AS d (id, text)
    ON CONFLICT (id) DO NOTHING
    RETURNING id, pg_current_xact_id()::text AS commit
    """,
    columns=2,
)
CHILDREN = Statement(
    name="insert_children",
    sql="""
    WITH added AS (
        INSERT INTO child (id, name) SELECT * FROM unnest($2::integer[], $3::text[]) RETURNING id
    )
    SELECT unnest($1::integer[])
    """,
    columns=1,
    groups=(2,),
)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool on tables of this test's own."""
    async with asyncpg.create_pool(database_url, min_size=2, max_size=4, max_inactive_connection_lifetime=0) as pool:
        await pool.execute("DROP TABLE IF EXISTS note, child")
        await pool.execute("CREATE TABLE note (id integer PRIMARY KEY, text text NOT NULL CHECK (text <> 'poison'))")
        await pool.execute("CREATE TABLE child (id integer, name text)")
        yield pool


def batcher(
    pool: asyncpg.Pool, statement: Statement = INSERT, *, batch_max: int = 256, queue_max: int = 1000
) -> Batcher:
    return Batcher(pool, statement, batch_max=batch_max, queue_max=queue_max)


async def test_rows_that_arrive_together_share_commits(pool: asyncpg.Pool) -> None:
    notes = batcher(pool)
    rows = await asyncio.gather(*(notes.send(number, (number, "x")) for number in range(200)))
    commits = {records[0]["commit"] for records in rows}
    assert len(commits) <= 3, "the first row flushes alone, the rest wait for it and share"
    assert await pool.fetchval("SELECT count(*) FROM note") == 200


async def test_a_row_is_durable_when_its_future_resolves(pool: asyncpg.Pool) -> None:
    notes = batcher(pool)
    await notes.send(1, (1, "x"))
    assert await pool.fetchval("SELECT text FROM note WHERE id = 1") == "x"


async def test_a_poisoned_row_fails_alone(pool: asyncpg.Pool) -> None:
    """One bad row never fails its neighbours."""
    notes = batcher(pool)
    texts = ["poison" if number == 37 else "x" for number in range(100)]
    results = await asyncio.gather(
        *(notes.send(number, (number, text)) for number, text in enumerate(texts)), return_exceptions=True
    )
    failed = [number for number, result in enumerate(results) if isinstance(result, BaseException)]
    assert failed == [37]
    assert isinstance(results[37], asyncpg.CheckViolationError)
    assert await pool.fetchval("SELECT count(*) FROM note") == 99


async def test_a_row_that_changes_nothing_gets_no_record(pool: asyncpg.Pool) -> None:
    notes = batcher(pool)
    assert await notes.send(1, (1, "first"))
    assert not await notes.send(1, (1, "second"))


async def test_the_same_key_twice_goes_in_two_batches(pool: asyncpg.Pool) -> None:
    """A statement sees a key once, so that each row learns its own fate."""
    notes = batcher(pool)
    results = await asyncio.gather(*(notes.send(number % 5, (number % 5, str(number))) for number in range(50)))
    assert sum(bool(records) for records in results) == 5


async def test_a_full_queue_refuses_at_once_and_forgets_nothing(pool: asyncpg.Pool) -> None:
    notes = batcher(pool, queue_max=10)
    accepted = [notes.send(number, (number, "x")) for number in range(10)]
    with pytest.raises(JournalFullError, match="10 rows wait"):
        notes.send(99, (99, "x"))
    assert len(await asyncio.gather(*accepted)) == 10
    assert await pool.fetchval("SELECT count(*) FROM note") == 10
    await notes.send(99, (99, "x"))


async def test_batches_are_bounded(pool: asyncpg.Pool) -> None:
    notes = batcher(pool, batch_max=8)
    rows = await asyncio.gather(*(notes.send(number, (number, "x")) for number in range(80)))
    sizes: dict[str, int] = {}
    for records in rows:
        sizes[records[0]["commit"]] = sizes.get(records[0]["commit"], 0) + 1
    assert max(sizes.values()) <= 8


async def test_children_of_all_rows_are_written_with_them(pool: asyncpg.Pool) -> None:
    children = batcher(pool, CHILDREN)
    await asyncio.gather(*(children.send(n, (n,), ([(n, str(child)) for child in range(n)],)) for n in range(6)))
    rows = await pool.fetch("SELECT id, count(*) AS n FROM child GROUP BY id ORDER BY id")
    assert [(row["id"], row["n"]) for row in rows] == [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]


async def test_a_lost_connection_costs_nobody_an_answer(pool: asyncpg.Pool) -> None:
    """Every server process is killed while rows are under way; all rows are written exactly once all the same."""
    notes = batcher(pool, batch_max=16)

    async def kill() -> None:
        for _ in range(5):
            async with pool.acquire() as killer:
                await killer.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = ''"
                )

    async def write(number: int) -> None:
        await notes.send(number, (number, "x"))

    await asyncio.gather(kill(), *(write(number) for number in range(500)))
    assert await pool.fetchval("SELECT count(*) FROM note") == 500


async def test_a_database_that_stays_away_is_said_to_be_unavailable() -> None:
    """The rows' fate is not known here, and nobody waits for ever."""
    pool = asyncpg.create_pool("postgresql://nobody@127.0.0.1:1/none", min_size=0, max_size=1)
    async with pool:
        notes = batcher(pool)
        with pytest.raises(JournalUnavailableError):
            await notes.send(1, (1, "x"))


async def test_rows_that_come_right_after_an_answer_are_not_forgotten(pool: asyncpg.Pool) -> None:
    """The flush that has just emptied the queue is over, although its task may not be: the next row starts another."""
    notes = batcher(pool)
    for number in range(200):
        async with asyncio.timeout(5):
            await notes.send(number, (number, "x"))


async def test_each_number_of_rows_that_arrive_together_is_written_once_and_whole(pool: asyncpg.Pool) -> None:
    """Also where batches have texts by their number of rows, and where more wait than the largest takes."""
    statement = structs.replace(INSERT, several=several_of(INSERT.sql, 0))
    written = 0
    for together in range(1, SIZES[-1] + 10):
        notes = batcher(pool, statement)
        ids = range(written, written + together)
        answers = await asyncio.gather(*(notes.send(number, (number, f"note {number}")) for number in ids))
        assert [[record["id"] for record in records] for records in answers] == [[number] for number in ids]
        written += together
    rows = await pool.fetch("SELECT id, text FROM note ORDER BY id")
    assert [tuple(row) for row in rows] == [(number, f"note {number}") for number in range(written)]


async def test_children_of_several_rows_are_written_whether_each_has_as_many_or_not(pool: asyncpg.Pool) -> None:
    sql = """
    WITH d AS (
        SELECT * FROM unnest($1::integer[]) AS d (id)
    ), added AS (
        INSERT INTO child (id, name) SELECT * FROM unnest($2::integer[], $3::text[]) AS c (id, name)
    )
    SELECT id FROM d
    """
    statement = structs.replace(CHILDREN, sql=sql, several=several_of(sql, 1))
    for first, sizes in ((0, [2, 2, 2, 2]), (10, [2, 1, 0, 3]), (20, [2])):
        family = batcher(pool, statement)
        await asyncio.gather(
            *(
                family.send(first + at, (first + at,), ([(first + at, f"child {number}") for number in range(size)],))
                for at, size in enumerate(sizes)
            )
        )
        for at, size in enumerate(sizes):
            names = await pool.fetch("SELECT name FROM child WHERE id = $1 ORDER BY name", first + at)
            assert [row["name"] for row in names] == [f"child {number}" for number in range(size)]
