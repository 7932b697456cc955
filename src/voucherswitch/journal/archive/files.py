"""Parquet files of the archive: written so that they survive a power cut, checked by reading them back.

PostgreSQL writes CSV, DuckDB makes Parquet of it: neither passes a row through Python. Blocking; the callers use
threads. Sealed columns are copied as they are, sealed.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from voucherswitch.config.limits import ARCHIVE_MEMORY_MB, ARCHIVE_ROW_GROUP

if TYPE_CHECKING:
    import duckdb

# PostgreSQL's types and how DuckDB reads their CSV. JSON stays text: it is read as it was written.
_TYPES: Final = {
    "uuid": "UUID",
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "boolean": "BOOLEAN",
    "text": "VARCHAR",
    "jsonb": "VARCHAR",
    "bytea": "VARCHAR",
    "timestamp with time zone": "TIMESTAMPTZ",
}
# The amount that a row stands for: what is summed up and compared.
CENTS: Final = {
    "transaction": "coalesce(approved_cents, amount_cents, 0)",
    "advice": "coalesce(amount_cents, 0)",
    "voucher": "0",
}


class ArchiveError(Exception):
    """A file cannot be written or read, or is not what was written. One line: which, and why."""


class Column(Struct, frozen=True):
    """A column of a table, with PostgreSQL's name of its type."""

    name: str
    type: str


class Content(Struct, frozen=True):
    """What a file holds, in numbers."""

    rows: int
    cents: int


class Written(Struct, frozen=True):
    """A durable file: its size in bytes and its checksum."""

    size: int
    sha256: bytes


def write(csv: Path, path: Path, columns: Sequence[Column], content: Content, holds: str) -> Written:
    """Make a Parquet file of a CSV file without a head, durable under its name; the CSV file is removed.

    Raises:
        ArchiveError: it cannot be written, or what can be read of it is not `content`.
    """
    partial = path.with_suffix(".partial")
    types = ", ".join(f"'{column.name}': '{_type(column)}'" for column in columns)
    values = ", ".join(
        f"unhex({column.name}[3:]) AS {column.name}" if column.type == "bytea" else column.name for column in columns
    )
    try:
        with _duckdb() as database:
            database.execute(
                f"COPY (SELECT {values} FROM read_csv({_quoted(csv)}, header = false, columns = {{{types}}}, "  # noqa: S608
                "auto_detect = false, quote = '\"', escape = '\"', allow_quoted_nulls = false, "
                "max_line_size = 16777216)) "
                f"TO {_quoted(partial)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ARCHIVE_ROW_GROUP})"
            )
        found = content_of(partial, holds)
        if found != content:
            raise ArchiveError(f"{path.name} was written wrong: {found} instead of {content}")
        written = Written(size=partial.stat().st_size, sha256=checksum(partial))
        _sync(partial)
        partial.rename(path)
        _sync(path.parent)
    except OSError as error:
        raise ArchiveError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
        csv.unlink(missing_ok=True)
    return written


def content_of(path: Path, holds: str) -> Content:
    """Count a file's rows and sum up their amounts.

    Raises:
        ArchiveError: it cannot be read.
    """
    with _duckdb() as database:
        row = database.execute(
            f"SELECT count(*), coalesce(sum({CENTS[holds]}), 0)::BIGINT FROM read_parquet({_quoted(path)})"  # noqa: S608
        ).fetchone()
    assert row is not None
    return Content(rows=row[0], cents=row[1])


def checksum(path: Path) -> bytes:
    """The SHA-256 of a file.

    Raises:
        ArchiveError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise ArchiveError(f"{path} cannot be read: {error.strerror}") from error


def rows_where(paths: Sequence[Path], condition: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    """Read the rows of some files that meet a condition; times as microseconds since 1970, UTC.

    Raises:
        ArchiveError: one of them cannot be read.
    """
    if not paths:
        return []
    listed = ", ".join(_quoted(path) for path in paths)
    with _duckdb() as database:
        source = f"read_parquet([{listed}], union_by_name = true)"
        described = database.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()  # noqa: S608
        times = [row[0] for row in described if row[1] == "TIMESTAMP WITH TIME ZONE"]
        replaced = ", ".join(f"epoch_us({name}) AS {name}" for name in times)
        found = database.execute(
            f"SELECT * REPLACE ({replaced}) FROM {source} WHERE {condition}",  # noqa: S608 (conditions are ours)
            list(values),
        )
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def make_directory(root: Path, day: str) -> Path:
    """Make the directory of a day ("2026/11/23") below the archive's, durable and for its owner only.

    Raises:
        ArchiveError: it cannot be made.
    """
    directory = root / day
    try:
        missing = [path for path in (directory, *directory.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir(mode=0o700, exist_ok=True)
            _sync(path.parent)
    except OSError as error:
        raise ArchiveError(f"{directory} cannot be made: {error.strerror}; check archive_dir") from error
    return directory


@contextmanager
def _duckdb() -> "Iterator[duckdb.DuckDBPyConnection]":
    import duckdb  # here: every worker could archive and one does, once a night

    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": "1",  # beside a switch that serves
        "memory_limit": f"{ARCHIVE_MEMORY_MB}MB",
        "autoinstall_known_extensions": "false",  # it would load programs from the network
        "autoload_known_extensions": "false",
    }
    try:
        with duckdb.connect(":memory:", config=config) as database:
            yield database
    except duckdb.Error as error:
        raise ArchiveError(str(error).splitlines()[0]) from error


def _type(column: Column) -> str:
    try:
        return _TYPES[column.type]
    except KeyError:
        raise ArchiveError(f"column {column.name} has a type that the archive does not know: {column.type}") from None


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
