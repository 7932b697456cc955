"""The hot path's SQL, loaded once from the named statements of `journal/sql/*.sql`.

A file holds statements that each start with `-- name --`, followed by what it is for and what an empty result means.
"""

import re
from importlib.resources import files
from typing import Final

from msgspec import Struct

_NAME: Final = re.compile(r"^-- (\w+) --$", re.MULTILINE)
_FROM_UNNEST: Final = re.compile(r"FROM unnest\((\$1::[^)]*)\)")


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


def alone_of(sql: str, columns: int) -> str | None:
    """The form of a batched statement for one row: `FROM unnest($1::t[], ...)` over all its columns becomes VALUES.

    A quiet switch writes every row alone. Without arrays around it, that costs each end some 30 us less.
    """
    found = _FROM_UNNEST.search(sql)
    if found is None or found[1].count("[]") != columns:
        return None
    return f"{sql[: found.start()]}FROM (VALUES ({found[1].replace('[]', '')})){sql[found.end() :]}"


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


OPEN_TRANSACTIONS: Final = _statement("open_transactions", 15)
OPEN_MOVEMENTS: Final = _statement("open_movements", 22)
REROUTE_TRANSACTIONS: Final = _statement("reroute_transactions", 5)
APPROVE_PROVISIONS: Final = _statement("approve_provisions", 9, LEG)
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
