"""The simulated Netcare's monthly file (providers.md 2.6): confirmed sales, and cancellations of confirmed sales."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Final, cast

from voucherswitch.providers.contract.simulator.book import Book
from voucherswitch.providers.contract.simulator.clock import sast
from voucherswitch.providers.contract.simulator.recon import ReconDay, ReconRow
from voucherswitch.providers.contract.statements import RowType
from voucherswitch.providers.netcare.simulator.security import USERNAME

CREATED_AT: Final = time(1, 0)  # of the first day after the month

_LETTER: Final = {RowType.SALE: "S", RowType.REVERSAL: "R"}


class Row(ReconRow, frozen=True):
    """One line."""

    type: str
    service: str
    at: float
    site: str


def recon_month(book: Book, day: date) -> ReconDay:
    """The file of the month that a day is in; it is due when the month is over."""
    first = day.replace(day=1)
    next_first = (first + timedelta(days=31)).replace(day=1)
    rows = [
        Row(
            provider_ref=entry.provider_ref,
            request_id=entry.reference,
            cents=entry.cents,
            type=_LETTER[entry.type],
            service=entry.product,
            at=entry.at,
            site=entry.store,
        )
        for entry in book.entries
        if first <= sast(entry.at).date() < next_first
    ]

    def render(rows: Sequence[ReconRow], count: int, cents: int) -> str:
        created = datetime.combine(next_first, CREATED_AT)
        lines = [f"H{USERNAME:<20}{first:%Y%m}{created:%Y%m%d%H%M%S}{'':78}."]
        lines += [_line(row) for row in cast("Sequence[Row]", rows)]
        lines.append(f"T{count:09d}{_sign(cents)}{abs(cents):013d}{'':95}.\n")
        return "\n".join(lines)

    last_day = day + timedelta(days=1) == next_first
    return ReconDay(f"NVSTMT_{USERNAME}_{first:%Y%m}.txt", rows, render, due=last_day)


def _line(row: Row) -> str:
    amount = f"{row.type}{_sign(row.cents)}{abs(row.cents):011d}"
    at = sast(row.at).strftime("%Y%m%d%H%M%S")
    return f"D{row.request_id:<36}{row.provider_ref:<12}{row.service:<20}{amount}{at}{row.site:<10}{'':13}."


def _sign(cents: int) -> str:
    return "-" if cents < 0 else "+"
