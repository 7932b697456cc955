"""kill -9 of the archiver, again and again: every row is in the journal or in a file that the journal names, once."""

import asyncio
import os
import random
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from voucherswitch.journal.archive import files, find
from voucherswitch.journal.embedded import EmbeddedPostgres
from voucherswitch.journal.migrate import migrate

SALES = 3_000
KILLS = 5
PROGRAM = Path(__file__).with_name("archiver.py")

# Used up and confirmed 200 days ago, each with its advice and its voucher; amounts differ, so that sums tell.
FILL = (
    """INSERT INTO transaction (request_id, kind, state, originator_id, receiver_id, provider_id, amount_cents,
                                approved_cents, currency, fingerprint, request, answer, opened_at, changed_at)
       SELECT gen_random_uuid(), 1, 5, '90010001', '11111111', 'sandbox', n, n, '710', decode(md5(n::text), 'hex'),
              decode(repeat(md5(n::text), 16), 'hex'), decode(repeat(md5(n::text), 20), 'hex'),
              now() - interval '200 days' + n * interval '1 second', now() - interval '200 days'
         FROM generate_series(1, $1::integer) AS n""",
    """INSERT INTO advice (request_id, generation, advice_id, kind, request_kind, state, originator_id, provider_id,
                           lane, attempts, created_at, finished_at)
       SELECT request_id, 0, gen_random_uuid(), 1, 1, 2, originator_id, provider_id, 0, 1, opened_at, opened_at
         FROM transaction LIMIT $1::integer""",
    """INSERT INTO voucher (fingerprint, receiver_id, state, provision_id, changed_at)
       SELECT fingerprint, receiver_id, 3, request_id, changed_at FROM transaction LIMIT $1::integer""",
)
LEFT = """
SELECT (SELECT count(*) FROM transaction) AS ids,
       (SELECT count(*) FROM transaction WHERE archived_in IS NULL) AS transactions,
       (SELECT count(*) FROM advice) AS advices, (SELECT count(*) FROM voucher) AS vouchers,
       (SELECT coalesce(sum(amount_cents), 0) FROM transaction) AS cents,
       (SELECT coalesce(sum(rows) FILTER (WHERE holds = 'transaction'), 0) FROM archive_file) AS archived,
       (SELECT coalesce(sum(rows) FILTER (WHERE holds = 'advice'), 0) FROM archive_file) AS archived_advices,
       (SELECT coalesce(sum(rows) FILTER (WHERE holds = 'voucher'), 0) FROM archive_file) AS archived_vouchers,
       (SELECT coalesce(sum(cents) FILTER (WHERE holds = 'transaction'), 0) FROM archive_file) AS archived_cents
"""


@pytest.fixture
async def database() -> AsyncIterator[tuple[str, asyncpg.Connection]]:
    """A journal of this test's own, filled."""
    with tempfile.TemporaryDirectory(prefix="vsw-") as directory:
        os.chmod(directory, 0o711)
        with EmbeddedPostgres(Path(directory) / "data") as server:
            await migrate(server.url)
            connection = await asyncpg.connect(server.url)
            for statement in FILL:
                await connection.execute(statement, SALES)
            yield server.url, connection
            await connection.close()


async def test_a_killed_archiver_loses_nothing_and_keeps_nothing_twice(
    database: tuple[str, asyncpg.Connection], tmp_path: Path
) -> None:
    url, connection = database
    whole = SALES * (SALES + 1) // 2
    chance = random.Random(4)
    killed = 0
    while await connection.fetchval("SELECT count(*) FROM transaction WHERE archived_in IS NULL"):
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(PROGRAM), str(tmp_path), env=os.environ | {"DATABASE_URL": url}
        )
        if killed < KILLS:
            await _one_more_batch(connection, process)
            with suppress(TimeoutError):  # somewhere in the next one: a batch takes some tens of milliseconds
                async with asyncio.timeout(chance.uniform(0, 0.15)):
                    await process.wait()
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            killed += process.returncode is None
        await process.wait()
        left = await connection.fetchrow(LEFT)
        assert left is not None
        assert left["ids"] == SALES
        assert left["transactions"] + left["archived"] == SALES
        assert left["advices"] + left["archived_advices"] == SALES
        assert left["vouchers"] + left["archived_vouchers"] == SALES
        assert left["cents"] + left["archived_cents"] == whole

    assert killed == KILLS
    wrong = [item.wrong for item in await find.verify(connection, tmp_path) if item.wrong is not None]
    assert [text for text in wrong if "does not name it" not in text] == []
    paths = [tmp_path / file.path for file in await find.manifest(connection) if file.holds == "transaction"]
    rows = await asyncio.to_thread(files.rows_where, paths, "true", [])
    assert len(rows) == len({row["request_id"] for row in rows}) == SALES
    assert sum(row["amount_cents"] for row in rows) == whole


async def _one_more_batch(connection: asyncpg.Connection, process: asyncio.subprocess.Process) -> None:
    """Wait until a process has archived something: it is in the middle of it."""
    before = await connection.fetchval("SELECT count(*) FROM archive_file")
    async with asyncio.timeout(60):
        while process.returncode is None and before == await connection.fetchval("SELECT count(*) FROM archive_file"):
            await asyncio.wait({asyncio.create_task(process.wait())}, timeout=0.01)
