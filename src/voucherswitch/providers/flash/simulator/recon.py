"""Flash's daily file (providers.md 9.6)."""

from collections.abc import Sequence
from datetime import date
from typing import Final, cast

from voucherswitch.providers.contract.answers import rand
from voucherswitch.providers.contract.simulator.book import Book, BookEntry
from voucherswitch.providers.contract.simulator.clock import sast
from voucherswitch.providers.contract.simulator.recon import ReconDay, ReconRow
from voucherswitch.providers.contract.statements import RowType
from voucherswitch.providers.flash.simulator.answers import ACCOUNT, encode
from voucherswitch.providers.flash.simulator.vouchers import BY_REF

HEADER: Final = (
    "Date;Reference;Transaction ID;Transaction Type;Product Code;Product;Account Number;Account Name;"
    "Gross Amount;Fee;Commission;Net Amount;Status;Metadata"
)
ACCOUNT_NAME: Final = "Example Account"
NOTHING: Final = "0.0000"

_TYPE_TEXT: Final = {
    RowType.SALE: "Purchase",
    RowType.REDEEM: "Redeem",
    RowType.REFUND: "Refund",
    RowType.REVERSAL: "Reversal",
}


class Row(ReconRow, frozen=True):
    """One line."""

    entry: BookEntry


def recon_day(book: Book, day: date) -> ReconDay:
    rows = [Row(entry.provider_ref, entry.reference, entry.cents, entry) for entry in book.entries_of(day)]
    return ReconDay(f"recon_{day:%Y%m%d}.csv", rows, _render)


def _render(rows: Sequence[ReconRow], _count: int, _cents: int) -> str:
    """There is no trailer, so nothing tells how many rows were meant."""
    lines = [HEADER]
    for row in cast("Sequence[Row]", rows):
        entry, product = row.entry, BY_REF[row.entry.product]
        amount = f"{rand(row.cents)}00"
        metadata = encode(entry.details.get("metadata", {})).decode().replace('"', '""')
        fields = (
            sast(entry.at).strftime("%Y/%m/%d %H:%M"),
            row.request_id,
            row.provider_ref,
            _TYPE_TEXT[entry.type],
            str(product.code),
            product.name,
            ACCOUNT,
            ACCOUNT_NAME,
            *(amount, NOTHING, NOTHING, amount),
            "Success",
            f'"{metadata}"',
        )
        lines.append(";".join(fields))
    return "\n".join([*lines, ""])
