"""The simulated Supabets' daily file (providers.md 5.6): what was committed, and what of it was released. Proposed."""

from collections.abc import Sequence
from datetime import date
from typing import cast

from voucherswitch.providers.contract.simulator.book import Book
from voucherswitch.providers.contract.simulator.clock import sast
from voucherswitch.providers.contract.simulator.recon import ReconDay, ReconRow
from voucherswitch.providers.supabets.simulator.answers import encode
from voucherswitch.providers.supabets.simulator.tokens import PARTNER_ID


class Row(ReconRow, frozen=True):
    """One line."""

    type: str
    serial: str
    at: float
    site: str


def recon_day(book: Book, day: date) -> ReconDay:
    rows = [
        Row(
            provider_ref=entry.provider_ref,
            request_id=entry.reference,
            cents=entry.cents,
            type=entry.type.value,
            serial=entry.serial,
            at=entry.at,
            site=entry.store,
        )
        for entry in book.entries_of(day)
    ]

    def render(rows: Sequence[ReconRow], count: int, cents: int) -> str:
        lines = [encode({"rec": "header", "partner": PARTNER_ID, "date": day.isoformat()})]
        lines += [encode(_detail(row)) for row in cast("Sequence[Row]", rows)]
        lines.append(encode({"rec": "trailer", "count": count, "totalCents": cents}))
        return "".join(f"{line.decode()}\n" for line in lines)

    return ReconDay(f"supabets_settlement_{day:%Y%m%d}.jsonl", rows, render)


def _detail(row: Row) -> dict[str, str | int]:
    return {
        "rec": "detail",
        "reservationId": row.request_id,
        "providerRef": row.provider_ref,
        "type": row.type,
        "serial": row.serial,
        "cents": row.cents,
        "at": sast(row.at).isoformat(timespec="seconds"),
        "site": row.site,
    }
