"""The simulated Stellr's daily file (providers.md 1.6): sales and redemptions of one SAST day."""

from collections.abc import Sequence
from datetime import date
from typing import Final, cast

from voucherswitch.providers.contract.answers import rand
from voucherswitch.providers.contract.simulator.book import Book
from voucherswitch.providers.contract.simulator.clock import sast
from voucherswitch.providers.contract.simulator.recon import ReconDay, ReconRow
from voucherswitch.providers.stellr.simulator.forms import CHANNEL_ID

HEADER: Final = "TransactionId,RequestId,Type,ProductCode,Serial,Amount,TransactionTime,StoreId,TillId"


class Row(ReconRow, frozen=True):
    """One line."""

    type: str
    product: str
    serial: str
    at: float
    store: str
    till: str


def recon_day(book: Book, day: date) -> ReconDay:
    rows = [
        Row(
            provider_ref=entry.provider_ref,
            request_id=entry.reference,
            cents=entry.cents,
            type=entry.type.value,
            product=entry.product,
            serial=entry.serial,
            at=entry.at,
            store=entry.store,
            till=entry.terminal,
        )
        for entry in book.entries_of(day)
    ]
    return ReconDay(f"STELLR_{CHANNEL_ID}_{day:%Y%m%d}.csv", rows, _render)


def _render(rows: Sequence[ReconRow], count: int, cents: int) -> str:
    lines = [HEADER]
    for row in cast("Sequence[Row]", rows):
        at = sast(row.at).strftime("%Y-%m-%d %H:%M:%S")
        fields = (
            *(row.provider_ref, row.request_id, row.type, row.product, row.serial, rand(row.cents)),
            *(at, row.store, row.till),
        )
        # The file has no quoting, so a till that calls itself "A,B" must not make a column.
        lines.append(",".join(field.replace(",", " ").replace("\n", " ") for field in fields))
    lines.append(f"T,{count},{rand(cents)}\n")
    return "\n".join(lines)
