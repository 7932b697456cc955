"""What commands print: JSON for scripts, tables for people. Standard output carries results and nothing else."""

import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

# Where the output is no terminal, a table must not be cut to a width that nobody looks at.
_PIPED_COLUMNS: Final = 200


def console() -> "Console":
    """The console for results, as wide as the terminal."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else max(_PIPED_COLUMNS, shutil.get_terminal_size().columns)
    return Console(width=width, highlight=False, soft_wrap=False)


def print_json(value: object) -> None:
    """Print a value as indented JSON; structs become objects, enums their names in lower case, times ISO 8601."""
    print(json.dumps(plain(value), indent=2))


def print_received(body: bytes) -> None:
    """Print an answer of the interface byte for byte."""
    sys.stdout.flush()
    sys.stdout.buffer.write(body + b"\n")
    sys.stdout.buffer.flush()


def plain(value: object) -> Any:
    """A value as JSON knows it."""
    match value:
        case Enum():
            return value.name.lower()
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return value.isoformat(timespec="milliseconds")
        case IPv4Network() | IPv6Network():  # which would be read as the list of its addresses
            return str(value)
        case timedelta():
            return value.total_seconds()
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case _ if hasattr(value, "__struct_fields__"):
            return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
        case _ if is_dataclass(value):
            return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        case set() | frozenset():
            return sorted(plain(item) for item in value)
        case Iterable():
            return [plain(item) for item in value]
        case _:
            return str(value)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print a table, or the text `empty`. A column whose name begins with `>` is aligned to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        right = column.startswith(">")
        table.add_column(column.lstrip(">"), justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell(item)) for item in row))
    if table.row_count:
        console().print(table)
    else:
        print(empty)


def cell(value: object) -> str:
    """One value in a table."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case Enum():
            return value.name.lower()
        case datetime():
            return when(value)
        case _:
            return str(value)


def print_styled(*items: "RenderableType") -> None:
    """Print panels, tables and the like."""
    console().print(*items)


def when(moment: datetime) -> str:
    """A time of the journal for people: UTC, to the millisecond."""
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d} UTC"


def lasting(seconds: float) -> str:
    """A duration for people: 3.2 ms, 4.1 s, 12 min, 3.5 h, 2 days."""
    for limit, unit, size in ((1, "ms", 0.001), (120, "s", 1), (7_200, "min", 60), (172_800, "h", 3_600)):
        if seconds < limit:
            value = seconds / size
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"
