"""What the benchmark of a full journal fills it with is a journal: whole, consistent, with every index."""

from datetime import UTC, datetime

import asyncpg
from bench.depth_fill import fill

from journal.journal_rows import a_transaction
from voucherswitch.journal import invariants

INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexdef"


async def test_a_filled_journal_keeps_its_rules_and_its_indexes(journal_pool: asyncpg.Pool, journal_url: str) -> None:
    await a_transaction(journal_pool, datetime.now(UTC), state=2, refs="{}")
    before = await journal_pool.fetch(INDEXES)
    await fill(journal_url, 1_000, lambda _: None)
    assert await journal_pool.fetch(INDEXES) == before
    for table, rows in (("transaction", 1_001), ("advice", 1_000), ("voucher", 1_000)):
        assert await journal_pool.fetchval(f"SELECT count(*) FROM {table}") == rows
    async with journal_pool.acquire() as connection:
        # A third of the vouchers count as used up; the redemptions that did it are left out.
        assert {item.name for item in await invariants.check(connection)} <= {"voucher_disagrees"}
