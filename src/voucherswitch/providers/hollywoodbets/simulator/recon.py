"""Hollywoodbets' daily file as proposed (providers.md 4.6)."""

from collections.abc import Sequence
from datetime import date
from typing import cast

from voucherswitch.providers.contract.answers import rand
from voucherswitch.providers.contract.simulator.book import Book
from voucherswitch.providers.contract.simulator.clock import sast
from voucherswitch.providers.contract.simulator.recon import ReconDay, ReconRow
from voucherswitch.providers.hollywoodbets.statement import TIME, header


class Row(ReconRow, frozen=True):
    """One line D."""

    type: str
    serial: str
    at: float
    outlet: str


def recon_day(book: Book, partner: str, day: date) -> ReconDay:
    rows = [
        Row(
            provider_ref=entry.provider_ref,
            request_id=entry.reference,
            cents=entry.cents,
            type=entry.type,
            serial=entry.serial,
            at=entry.at,
            outlet=entry.store,
        )
        for entry in book.entries_of(day)
    ]

    def render(shown: Sequence[ReconRow], count: int, cents: int) -> str:
        lines = [header(partner, day)]
        for row in cast("Sequence[Row]", shown):
            at = sast(row.at).strftime(TIME)
            fields = ("D", row.request_id, row.provider_ref, row.serial, row.type, rand(row.cents), at, row.outlet)
            lines.append("|".join(fields))
        lines.append(f"T|{count}|{rand(cents)}\n")
        return "\n".join(lines)

    return ReconDay(f"HTU_{partner}_{day:%d%m%Y}.txt", rows, render)
