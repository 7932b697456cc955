"""The script of (c): both commits of one provision, row by row, as SQL that pgbench repeats.

Made from the rows that a provision of the switch left (sample.py): the same columns filled, every text and every sealed
value of the same size. No voucher: its row comes with the confirmation. What has to differ from row to row does (the
id, the voucher's fingerprint, the numbers in references), because indexes are made of it. The first commit fills what
the product's own statement `open_transactions` fills, the second one the rest.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from bench.sample import Column, Left, Sample
from voucherswitch.journal.statements import SQL
from voucherswitch.message.states import State

ID: Final = "CAST(:id AS uuid)"
NUMBER: Final = "CAST(:number AS text)"
NOW: Final = "clock_timestamp()"
_OPENED: Final = re.compile(r"INSERT INTO transaction \(([^)]*)\)")
_DIGITS: Final = re.compile(r"\d+$")


def script(sample: Sample) -> str:
    """Return pgbench's script: two statements, each a commit of its own."""
    opened, closed = _transaction(sample.left["transaction"])
    legs = sample.left["leg"]
    written = [column for column in legs.columns if not column.filled and _any(legs.rows, column)]
    return "\n".join(
        [
            one_line(f"""
                INSERT INTO transaction ({", ".join(opened)}) VALUES ({", ".join(opened.values())})
                RETURNING request_id AS id, reference AS number
            """)
            + " \\gset",
            one_line(f"""
                WITH closed AS (
                    UPDATE transaction SET {", ".join(f"{name} = {value}" for name, value in closed.items())}
                     WHERE request_id = {ID} AND generation = 0 AND state = {State.PENDING:d}
                    RETURNING request_id
                )
                INSERT INTO leg ({", ".join(column.name for column in written)})
                {" UNION ALL ".join(_selected(row, written) for row in legs.rows)}
            """)
            + ";",
            "",
        ]
    )


def _transaction(left: Left) -> tuple[dict[str, str], dict[str, str]]:
    """Return the expressions of the columns that each of the commits writes."""
    [row] = left.rows
    named = opened_columns()
    opened = {
        column.name: expression(column, row[column.name])
        for column in left.columns
        # A moment that is over when the provision is was there when it began: `call_until`.
        if column.name in named and (row[column.name] is not None or _is_moment(column))
    }
    opened |= {"request_id": "gen_random_uuid()", "state": f"{State.PENDING:d}"}
    closed = {
        column.name: expression(column, row[column.name])
        for column in left.columns
        if column.name not in named and not column.filled and row[column.name] is not None
    }
    closed |= {
        "state": f"{row['state']}",
        "fingerprint": f"substring(sha256(uuid_send({ID})) FROM 1 FOR {len(row['fingerprint'])})",
        "voucher_serial": numbered(row["voucher_serial"]),
        "provider_ref": numbered(row["provider_ref"]),
        "changed_at": NOW,
    }
    closed |= {name: "NULL" for name in opened if row[name] is None}
    return opened, closed


def opened_columns() -> frozenset[str]:
    """The columns that the switch's own first commit names."""
    found = _OPENED.search(SQL["open_transactions"])
    assert found is not None
    return frozenset(name.strip() for name in found[1].split(","))


def _selected(row: Mapping[str, Any], columns: Iterable[Column]) -> str:
    """Return the query that makes a leg of the row that was closed."""
    own = {"request_id": "request_id"}
    values = (own.get(column.name) or expression(column, row[column.name]) for column in columns)
    return f"SELECT {', '.join(values)} FROM closed"


def _any(rows: Iterable[Mapping[str, Any]], column: Column) -> bool:
    return any(row[column.name] is not None for row in rows)


def expression(column: Column, value: object) -> str:
    """Write a value again, as a constant; a moment is that of writing."""
    if _is_moment(column):
        return NOW
    if value is None:
        return f"CAST(NULL AS {column.type})"
    text = f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)
    return f"CAST({literal(text)} AS {column.type})"


def _is_moment(column: Column) -> bool:
    return column.type.startswith("timestamp")


def numbered(text: str) -> str:
    """Write a reference with the row's own number in place of its last digits: of the same length, and never twice."""
    digits = _DIGITS.search(text)
    assert digits is not None, text
    return f"concat({literal(text[: digits.start()])}, lpad({NUMBER}, {len(digits[0])}, '0'))"


def literal(text: str) -> str:
    """Write a text as an SQL literal without a colon: pgbench takes a colon and a word for a variable anywhere."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "\\'").replace(":", "\\x3a") + "'"


def one_line(statement: str) -> str:
    """Join the lines of a statement; what is inside its literals holds no line breaks."""
    return " ".join(line.strip() for line in statement.strip().splitlines())
