"""The hot path's SQL, loaded once from the named statements of `journal/sql/*.sql`.

A file holds statements that each start with `-- name --`, followed by what it is for and what an empty result means.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Final

from msgspec import Struct, structs

_NAME: Final = re.compile(r"^-- (\w+) --$", re.MULTILINE)
_UNNEST: Final = re.compile(r"FROM unnest\((\$\d+::[^)]*)\)")

# Batches of so many rows have a text of their own, which every connection prepares once: all of them, for both
# statements of a provision, take 6 MB of a server process. A batch leaves at most a third of its rows to the next one.
SIZES: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
LEGS_EACH: Final = 2  # the originator's and the provider's: what a plain provision leaves


class Statement(Struct, frozen=True):
    """One batched statement: its text, and how many array parameters each part of a row fills.

    A row is a tuple of `columns` values plus, for each of `groups`, a list of tuples of that width. The statement
    returns its rows with the row's key first.
    """

    name: str
    sql: str
    columns: int
    groups: tuple[int, ...] = ()
    alone: str | None = None  # for one row, whose columns are no arrays; None: there is no such form
    # By number of rows, without any array, for rows of LEGS_EACH children in each group.
    several: Mapping[int, str] = {}


def alone_of(sql: str, columns: int) -> str | None:
    """The form of a batched statement for one row: `FROM unnest($1::t[], ...)` over all its columns becomes VALUES.

    A quiet switch writes every row alone. Without arrays around it, that costs each end some 30 us less.
    """
    found = next((part for part in _UNNEST.finditer(sql) if part[1].startswith("$1::")), None)
    if found is None or found[1].count("[]") != columns:
        return None
    return _in_values(sql, [found], [1])


def several_of(sql: str, groups: int) -> dict[int, str]:
    """The forms of a batched statement for each of `SIZES` rows: every `FROM unnest($1::t[], ...)` becomes VALUES.

    Their parameters are all values of all rows, one row after the other, then those of the first group's children, and
    so on. Neither end takes arrays apart then: of a provision that saves PostgreSQL a quarter of its time.
    """
    each = (1, *[LEGS_EACH] * groups)
    parts = list(_UNNEST.finditer(sql))
    if len(parts) != len(each):
        raise ValueError(f"{len(parts)} times FROM unnest, and {len(each)} were expected: {sql}")
    return {size: _in_values(sql, parts, [size * times for times in each]) for size in SIZES}


def _in_values(sql: str, parts: Sequence[re.Match[str]], counts: Sequence[int]) -> str:
    text, end, number = "", 0, 1
    for part, count in zip(parts, counts, strict=True):
        types = re.findall(r"::(\w+)\[\]", part[1])
        rows = []
        for row in range(count):
            # The first row's types are those of the column.
            names = [f"${number + at}::{name}" if row == 0 else f"${number + at}" for at, name in enumerate(types)]
            rows.append(f"({', '.join(names)})")
            number += len(types)
        text += f"{sql[end : part.start()]}FROM (VALUES {', '.join(rows)})"
        end = part.end()
    return text + sql[end:]


def batch_size(statement: Statement, waiting: int) -> int:
    """How many of the waiting rows the next batch takes: all, or as many as there is a text for.

    Of more than the largest text takes all go at once, by arrays: then fewer commits count for more than cheaper ones.
    """
    if not statement.several or not 0 < waiting <= SIZES[-1]:
        return waiting
    return SIZES[bisect_right(SIZES, waiting) - 1]


def load(file: str, folder: str = "sql") -> dict[str, str]:
    """Read one file's statements by name."""
    text = (files(__package__) / folder / file).read_text(encoding="utf-8")
    parts = _NAME.split(text)
    return {name: body.strip().rstrip(";") for name, body in zip(parts[1::2], parts[2::2], strict=True)}


SQL: Final[dict[str, str]] = {
    name: body
    for file in (
        "transactions",
        "advices",
        "vouchers",
        "saf",
        "workers",
        "checks",
        "resolve",
        "catalogue",
        "breakers",
        "reports",
        "retention",
        "restoration",
        "audit",
        "tokens",
        "vault",
    )
    for name, body in load(f"{file}.sql").items()
}

LEG: Final = 13  # columns of a leg
OWED: Final = 9  # columns of an advice that a close owes


def _statement(name: str, columns: int, *groups: int) -> Statement:
    return Statement(name=name, sql=SQL[name], columns=columns, groups=groups, alone=alone_of(SQL[name], columns))


def _hot(name: str, columns: int, *groups: int) -> Statement:
    """One that nearly every provision runs."""
    return structs.replace(_statement(name, columns, *groups), several=several_of(SQL[name], len(groups)))


OPEN_TRANSACTIONS: Final = _hot("open_transactions", 15)
OPEN_MOVEMENTS: Final = _statement("open_movements", 22)
REROUTE_TRANSACTIONS: Final = _statement("reroute_transactions", 5)
APPROVE_PROVISIONS: Final = _hot("approve_provisions", 9, LEG)
CLOSE_TRANSACTIONS: Final = _statement("close_transactions", 19, OWED, LEG)
CLAIM_CALLS: Final = _statement("claim_calls", 5)
END_CALLS: Final = _statement("end_calls", 7, LEG)
RECORD_LEGS: Final = _statement("record_legs", 1, LEG)
RECORD_REFUSALS: Final = _statement("record_refusals", 5, LEG)
READ_RECORDS: Final = _statement("read_records", 1)
READ_REDEMPTIONS: Final = _statement("read_redemptions", 2)
ADVISE: Final = _statement("advise", 15, LEG)
KEEP_REVERSALS: Final = _statement("keep_reversals", 5, LEG)
NOTE_ADVICES: Final = _statement("note_advices", 9, LEG)
READ_ADVICES: Final = _statement("read_advices", 1)
OWED_OF_VOUCHERS: Final = _statement("owed_of_vouchers", 1)
READ_VOUCHERS: Final = _statement("read_vouchers", 1)
FINISH_ADVICES: Final = _statement("finish_advices", 7, LEG)
