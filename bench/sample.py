"""One provision of the switch, seen from both of its ends: the answer, and the rows that it left in the journal.

What the bare contenders do is made from it. They write and answer what the switch writes and answers in this release,
on this machine, and no list of columns or sizes has to be kept in step by hand.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from bench.answers import Answer, answer_of
from bench.database import Database

TABLES: Final = {"transaction": "reference", "leg": "leg_id"}  # and in which order its rows were written
_COLUMNS: Final = """
SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
       a.atthasdef OR a.attidentity <> '' AS filled
  FROM pg_attribute AS a
 WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum
"""


class Column(Struct, frozen=True):
    """A column of the journal. `filled`: by the database itself, by a default or by counting."""

    name: str
    type: str
    filled: bool


class Left(Struct, frozen=True):
    """What a provision left in one table: the table's columns, and the rows' values by column, in order of writing."""

    columns: list[Column]
    rows: list[Mapping[str, Any]]


class Sample(Struct, frozen=True):
    """One provision: what was answered, and what was left, by table."""

    answer: Answer
    left: dict[str, Left]


def take(url: str, password: str, journal: Database) -> Sample:
    """Provision one voucher of a dual-message originator, and look at both ends."""
    answer = answer_of(url, password, "voucherswitch")
    return Sample(answer, asyncio.run(left_by(journal.url, answer.request_id)))


async def left_by(url: str, request_id: UUID) -> dict[str, Left]:
    """Read what a provision left in a journal."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return {
            table: Left(
                [Column(**column) for column in await connection.fetch(_COLUMNS, table)],
                [
                    dict(row)
                    for row in await connection.fetch(
                        f"SELECT * FROM {table} WHERE request_id = $1 ORDER BY {written}", request_id
                    )
                ],
            )
            for table, written in TABLES.items()
        }
    finally:
        await connection.close()
