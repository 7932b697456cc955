"""OTT's daily file (providers.md 6.6, Proposed): comma, quotes where a field holds a comma, no trailer."""

from collections.abc import Iterable, Sequence
from datetime import date
from operator import attrgetter
from typing import Final, cast

from voucherswitch.providers.contract.simulator.book import BookEntry
from voucherswitch.providers.contract.simulator.clock import sast
from voucherswitch.providers.contract.simulator.recon import ReconDay, ReconRow
from voucherswitch.providers.ott.simulator.answers import grouped
from voucherswitch.providers.ott.simulator.calls import VENDOR_CODE

HEADER: Final = "Date,UniqueReference,VoucherID,SerialNumber,Type,Amount,Branch,Balance"


class Row(ReconRow, frozen=True):
    """One line; `balance_cents` is ours at OTT after it."""

    at: float
    type: str
    serial: str
    store: str
    balance_cents: int


def recon_day(entries: Iterable[BookEntry], day: date) -> ReconDay:
    rows = [
        Row(
            provider_ref=entry.provider_ref,
            request_id=entry.reference,
            cents=entry.cents,
            at=entry.at,
            type=entry.type,
            serial=entry.serial,
            store=entry.store,
            balance_cents=entry.details["balance_cents"],
        )
        for entry in sorted(entries, key=attrgetter("at"))
    ]
    return ReconDay(f"OTT_STATEMENT_{VENDOR_CODE}_{day:%Y%m%d}.csv", rows, _render)


def _render(rows: Sequence[ReconRow], _count: int, _cents: int) -> str:
    lines = [HEADER]
    for row in cast("Sequence[Row]", rows):
        fields = (
            f"{sast(row.at):%Y-%m-%d %H:%M:%S}",
            *(row.request_id, row.provider_ref, row.serial, row.type, grouped(row.cents), row.store),
            grouped(row.balance_cents),
        )
        lines.append(",".join(_quoted(field) for field in fields))
    return "\n".join([*lines, ""])


def _quoted(field: str) -> str:
    return f'"{field}"' if "," in field else field
