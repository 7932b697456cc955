"""What every benchmark's command does at its end: the report is kept and told, a failure is one line."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

import msgspec
import typer
from msgspec import Struct
from rich.console import Console, RenderableType

from bench.errors import BenchError

RESULTS: Final = Path(__file__).resolve().parent / "results"


def write(report: Struct, folder: Path, prefix: str = "") -> Path:
    """Write a report under the present UTC time."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{prefix}{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.json"
    path.write_bytes(encoded(report))
    return path


def encoded(report: Struct) -> bytes:
    """Return a report as JSON for people and programs."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


class Report(Protocol):
    """Figures, and what a reader has to know besides."""

    @property
    def notes(self) -> Sequence[str]: ...


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """End the command with one line, and a code, where it cannot go on or is stopped."""
    try:
        yield
    except BenchError as error:
        print(f"bench: {' '.join(str(error).split())}", file=sys.stderr)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        print("bench: stopped before the end; nothing was written", file=sys.stderr)
        raise typer.Exit(130) from None


def publish(report: Report, console: Console, *shown: RenderableType, as_json: bool, prefix: str = "") -> Path:
    """Write a report, and print it: as JSON on standard output, or to people what is `shown` of it. Return where."""
    assert isinstance(report, Struct)
    path = write(report, RESULTS, prefix)
    if as_json:
        print(encoded(report).decode(), end="")
        return path
    for part in shown:
        console.print(part)
    for note in report.notes:
        console.print(f"Note: {note}", markup=False)
    console.print(f"Written to {path}", markup=False)
    return path
