"""Messages in which every field that nobody may keep in clear says so: whatever finds a mark has found a leak.

Which fields those are is read from the tables of the interface, never from the models.
"""

import copy
from typing import Any, Final

from support.interface_examples import Json, Row, rows_of, sample

TEXT: Final = "QzxKept"
DIGITS: Final = "739184620"
BORN: Final = "1917-03-05"
MARKS: Final = (TEXT, DIGITS, BORN)

# Two capitals stand everywhere; the code of a voucher is what its provider made it.
UNMARKED: Final = frozenset({"region", "country", "code"})

_LEAVES: Final = frozenset({"string", "[string]", "email", "date-time"})
# Each has at least the mark, and three digits that tell which field it was.
_NUMBERS: Final = {
    r"/^\+?[1-9]\d{0,14}/": f"+27{DIGITS}{{:03d}}",
    "/[0-9]{12}/": f"{DIGITS}{{:03d}}",
    "/[0-9]{6}[0-9*]{0,13}/": f"498765{DIGITS}{{:03d}}",
    "/[a-fA-F0-9]{16}/": f"{DIGITS}{{:03d}}ABCD",
    "/[0-9,A-F]{1,512}/": f"{DIGITS}{{:03d}}ABCD",
}


def discreet_rows(model: str) -> list[Row]:
    """The fields of a message that are masked, sealed, or never kept: those that hold a value themselves."""
    return [row for row in rows_of(model) if row.code in ("M", "K", "N") and row.type in _LEAVES]


def marked(model: str, message: Json) -> tuple[Json, dict[str, str]]:
    """A copy of a valid message with every such field there and marked, and what was put where.

    What the message has itself stays: amounts, products, a voucher's code.
    """
    whole = sample(model)
    rows = [row for row in discreet_rows(model) if row.keys[-1] not in UNMARKED]
    tops = {str(row.keys[0]) for row in rows}
    body: Json = _merged({name: whole[name] for name in tops}, message)
    put = {}
    for number, row in enumerate(rows):
        put[row.path] = _value(row, number)
        holder: Any = body
        *way, last = row.keys
        for step in way:
            holder = holder[step]
        holder[last] = [put[row.path]] if row.type == "[string]" else put[row.path]
    return body, put


def _value(row: Row, number: int) -> str:
    if row.type == "email":
        return f"{TEXT}{number:03d}@kept.example"
    if row.type == "date-time":
        return f"{BORN}T00:00:00.000Z"
    return _NUMBERS.get(row.constraint, TEXT + "{:03d}").format(number)


def _merged(below: Any, above: Any) -> Any:
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return copy.deepcopy(above)
    return copy.deepcopy(below) | {name: _merged(below.get(name), value) for name, value in above.items()}
