"""The bare database of the benchmark does what a provision does: what it leaves is what the switch leaves.

Without this the switch would be compared with something that does less, and nobody would notice.
"""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from bench import sample, two_commits_script
from bench.costs import Groups
from bench.database import Database
from bench.generator import Load
from bench.sample import Sample
from bench.two_commits import TwoCommits

from support.originators import PASSWORD
from support.switch import Switch

SIZE_MAY_DIFFER = 0.05

_WITH_IDS = """
SELECT c.relname AS table, array_agg(a.attname ORDER BY a.attnum) AS columns
  FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
   AND a.atttypid = 'uuid'::regtype AND NOT a.attisdropped
 GROUP BY c.relname
"""


async def rows_of(journal: asyncpg.Pool, request_id: UUID) -> dict[str, list[dict[str, Any]]]:
    """Whatever any table has of a request: rows by table, the partition that each lies in among its values."""
    found = {}
    for table, columns in await journal.fetch(_WITH_IDS):
        named = " OR ".join(f"{column} = $1" for column in columns)
        rows = await journal.fetch(
            f"SELECT tableoid::regclass::text AS lies_in, * FROM {table} WHERE {named}", request_id
        )
        if rows:
            found[table] = sorted((dict(row) for row in rows), key=lambda row: row.get("direction", 0))
    return found


def filled(row: dict[str, Any]) -> set[str]:
    return {name for name, value in row.items() if value is not None}


@pytest.fixture(scope="module")
async def taken(switch: Switch) -> Sample:
    return await asyncio.to_thread(sample.take, switch.root, PASSWORD, Database(switch.database_url))


@pytest.fixture(scope="module")
async def both(switch: Switch, taken: Sample, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a provision of the switch left, and what one of pgbench's left; by table."""
    server = Database(switch.database_url)
    own = await asyncio.to_thread(server.make, "two_commits_test")
    try:
        folder: Path = tmp_path_factory.mktemp("two_commits")
        bare = TwoCommits(folder, own, taken, Groups({}))
        await asyncio.to_thread(bare.start)
        measured = await asyncio.to_thread(bare.measure, Load(connections=1, seconds=1.0, warmup=0.0), lambda: None)
        assert measured.errors == {}
        async with asyncpg.create_pool(own.url, min_size=1, max_size=1) as pool:
            some = await pool.fetchval("SELECT request_id FROM transaction ORDER BY reference DESC LIMIT 1")
            by_pgbench = await rows_of(pool, some)
    finally:
        await asyncio.to_thread(server.drop, "two_commits_test")
    return await rows_of(switch.pool, taken.answer.request_id), by_pgbench


async def test_it_writes_the_same_tables_and_partitions(both: Any) -> None:
    by_switch, by_pgbench = ({table: [row["lies_in"] for row in rows] for table, rows in left.items()} for left in both)

    assert by_switch == by_pgbench
    assert by_switch.keys() == {"transaction", "leg"}
    assert [place.startswith("leg_2") for place in by_switch["leg"]] == [True, True]


async def test_it_fills_the_same_columns(both: Any) -> None:
    by_switch, by_pgbench = ({table: [filled(row) for row in rows] for table, rows in left.items()} for left in both)

    assert by_switch == by_pgbench


async def test_what_it_fills_them_with_is_as_long(both: Any) -> None:
    by_switch, by_pgbench = both
    compared = 0
    for table, rows in by_switch.items():
        for ours, theirs in zip(rows, by_pgbench[table], strict=True):
            for name, value in ours.items():
                if isinstance(value, str | bytes):
                    compared += 1
                    assert len(theirs[name]) == pytest.approx(len(value), rel=SIZE_MAY_DIFFER), (table, name)
    assert compared > 20


async def test_no_two_rows_have_the_same_place_in_an_index(both: Any) -> None:
    """Equal keys would gather in one page of an index, and be cheaper than a sale's."""
    by_switch, by_pgbench = both
    for column in ("fingerprint", "voucher_serial", "provider_ref"):
        assert by_switch["transaction"][0][column] != by_pgbench["transaction"][0][column]


async def test_the_script_is_two_commits_without_stray_variables(taken: Sample) -> None:
    """pgbench takes every colon with a word behind it for a variable, in literals too."""
    first, second = two_commits_script.script(taken).strip().split("\n")

    assert first.startswith("INSERT INTO transaction ")
    assert first.endswith(" RETURNING request_id AS id, reference AS number \\gset")
    assert ":" not in first
    assert second.count(":") == second.count(":id ") + second.count(":number ") == 4
    assert second.endswith(";")
    assert ";" not in first
    assert "BEGIN" not in second
