"""Lottostar's daily file as proposed, and the side file with its digest (providers.md 3.6)."""

import hashlib
from collections.abc import Sequence
from datetime import date
from typing import Final, cast

from voucherswitch.providers.contract.simulator.book import Book
from voucherswitch.providers.contract.simulator.clock import sast
from voucherswitch.providers.contract.simulator.recon import ReconDay, ReconRow
from voucherswitch.providers.lottostar.simulator.credentials import KEY_ID
from voucherswitch.providers.lottostar.statement import HEADER, SIDE_SUFFIX

_ENDS_OF_LINE: Final = str.maketrans("\r\n", "  ")


class Row(ReconRow, frozen=True):
    """One line."""

    type: str
    serial: str
    at: float
    store: str
    terminal: str


def recon_day(book: Book, day: date) -> ReconDay:
    rows = [
        Row(
            provider_ref=entry.provider_ref,
            request_id=entry.reference,
            cents=entry.cents,
            type=entry.type,
            serial=entry.serial,
            at=entry.at,
            store=entry.store,
            terminal=entry.terminal,
        )
        for entry in book.entries_of(day)
    ]
    return ReconDay(f"lottostar_{KEY_ID}_{day:%Y-%m-%d}.csv", rows, _render, _side_file)


def _render(rows: Sequence[ReconRow], _count: int, _cents: int) -> str:
    """The file has no trailer, so nothing in it claims a count or a sum."""
    lines = [HEADER]
    for row in cast("Sequence[Row]", rows):
        at = sast(row.at).isoformat(timespec="milliseconds")
        fields = (row.provider_ref, row.request_id, row.type, row.serial, row.cents, at, row.store, row.terminal)
        lines.append(",".join(_quoted(str(field)) for field in fields))
    return "\n".join(lines) + "\n"


def _quoted(field: str) -> str:
    return '"' + field.translate(_ENDS_OF_LINE).replace('"', '""') + '"'


def _side_file(name: str, text: str, fault: str | None) -> tuple[str, str]:
    """The digest stands where others have a trailer, so the fault `bad_trailer` spoils it."""
    digest = hashlib.sha256(text.encode() + (b"spoilt" if fault == "bad_trailer" else b"")).hexdigest()
    return name + SIDE_SUFFIX, digest + "\n"
