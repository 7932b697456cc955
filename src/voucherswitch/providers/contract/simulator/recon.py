"""A simulator's daily file and the faults it can have (providers.md B.11)."""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

import msgspec
from msgspec import Struct

FileFault: TypeAlias = Literal[
    "missing_row", "extra_row", "wrong_amount", "duplicate_row", "bad_trailer", "truncated", "late", "empty_day"
]
FILE_FAULTS: Final[tuple[str, ...]] = get_args(FileFault)
REPLACEMENTS_MAX: Final = 99
STRANGER: Final = "00000000-0000-4000-8000-000000000bad"  # the request id of a row that nobody sent a request for


class ReconRow(Struct, frozen=True):
    """What every provider's row has; a provider's own row adds to it."""

    provider_ref: str
    request_id: str
    cents: int


class ReconDay(Struct, frozen=True):
    """One business day.

    Attributes:
        render: writes rows with a trailer that claims the given count and sum.
        side_file: where a second file vouches for the first: takes that one's name, its text as it was before any
            transfer broke it, and the file fault; returns the second one's name and text.
        due: whether the file is ready when this day is over; a monthly one is so on the month's last.
    """

    file_name: str
    rows: Sequence[ReconRow]
    render: Callable[[Sequence[ReconRow], int, int], str]
    side_file: Callable[[str, str, str | None], tuple[str, str]] | None = None
    due: bool = True


class NoSuchRowError(ValueError):
    """The day has no row for the fault to spoil."""


def render_day(day: ReconDay, fault: str | None = None, reference: str | None = None) -> str:
    """The day's file, spoiled as asked. The trailer agrees with the rows unless the fault is about it.

    Args:
        fault: one of `FILE_FAULTS`; None writes the true file.
        reference: the request id whose row is spoiled; None takes the first.

    Raises:
        NoSuchRowError: the fault needs a row, and there is none.
    """
    rows = list(day.rows)
    if fault == "empty_day":
        rows = []
    elif fault in ("missing_row", "extra_row", "wrong_amount", "duplicate_row"):
        place = next((n for n, row in enumerate(rows) if reference in (None, row.request_id)), None)
        if place is None:
            raise NoSuchRowError("the day has no such row")
        row = rows[place]
        if fault == "missing_row":
            del rows[place]
        elif fault == "wrong_amount":
            rows[place] = msgspec.structs.replace(row, cents=row.cents + 1)
        elif fault == "duplicate_row":
            rows.insert(place, row)
        else:
            rows.append(msgspec.structs.replace(row, provider_ref=row.provider_ref[:-1] + "X", request_id=STRANGER))
    total = sum(row.cents for row in rows)
    text = day.render(rows, len(rows), total + 1 if fault == "bad_trailer" else total)
    if fault == "truncated":
        # Cut inside the last row, or inside the header of an empty day: a transfer that broke.
        lines = text.rstrip("\n").split("\n")
        cut = lines[-2] if len(lines) > 1 else lines[0]  # a file without a trailer may be a header alone
        text = "\n".join([*lines[:-2], cut[: len(cut) // 2]])
    return text


def write_to_outbox(outbox_dir: Path, file_name: str, text: str) -> str:
    """Write a file where finance would fetch it; a different one of the same day is a replacement, `…_R1`.

    Returns:
        The name that the content has in the outbox.
    """
    outbox_dir.mkdir(parents=True, exist_ok=True)
    stem, dot, extension = file_name.rpartition(".")
    for number in range(REPLACEMENTS_MAX + 1):
        name = f"{stem}_R{number}{dot}{extension}" if number else file_name
        path = outbox_dir / name
        if not path.exists():
            path.write_text(text, encoding="utf-8", newline="\n")
            return name
        if path.read_text(encoding="utf-8") == text:
            return name
    raise FileExistsError(f"{outbox_dir / file_name} was replaced {REPLACEMENTS_MAX} times")


def write_side_file(outbox_dir: Path, day: ReconDay, file_name: str, fault: str | None, reference: str | None) -> None:
    """Write the side file of a file that is in the outbox under this name, for a day that has one."""
    if day.side_file is None:
        return
    as_made = render_day(day, None if fault == "truncated" else fault, reference)
    name, text = day.side_file(file_name, as_made, fault)
    (outbox_dir / name).write_text(text, encoding="utf-8", newline="\n")


def business_day_of(text: str) -> date:
    """A day as the control API writes it: `2026-03-02`."""
    return date.fromisoformat(text)
