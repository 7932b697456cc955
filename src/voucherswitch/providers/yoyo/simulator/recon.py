"""Yoyo's daily file (providers.md 7.6, Proposed): issues, expiries by us, and finalised redemptions of one SAST day."""

from collections.abc import Sequence
from datetime import date
from typing import Final, cast

from voucherswitch.providers.contract.simulator.book import Book
from voucherswitch.providers.contract.simulator.recon import ReconDay, ReconRow
from voucherswitch.providers.contract.statements import RowType
from voucherswitch.providers.yoyo.simulator.answers import wire_time
from voucherswitch.providers.yoyo.simulator.items import USER_REF_PREFIX

HEADER: Final = "reference\titemId\twiTrxId\ttype\tcents\ttime\tstoreId"
RETAILER_ID: Final = "4711"


class Row(ReconRow, frozen=True):
    """One line. Issues go by their `userRef`, redemptions by their request's id and the platform's number."""

    prefix: str
    item_id: str
    type: RowType
    at: float
    store: str


def recon_day(book: Book, day: date) -> ReconDay:
    rows = [
        Row(
            provider_ref=entry.provider_ref,
            request_id=entry.reference,
            cents=entry.cents,
            prefix="" if entry.type is RowType.REDEEM or not _ours(entry.reference) else USER_REF_PREFIX,
            item_id=entry.serial,
            type=entry.type,
            at=entry.at,
            store=entry.store,
        )
        for entry in book.entries_of(day)
    ]
    return ReconDay(f"yoyo_recon_{RETAILER_ID}_{day:%Y%m%d}.csv", rows, _render)


def _ours(reference: str) -> bool:
    """Whether an issue carried a request's id; a customer's number has no dash."""
    return "-" in reference


def _render(rows: Sequence[ReconRow], count: int, cents: int) -> str:
    lines = [HEADER]
    for row in cast("Sequence[Row]", rows):
        redeemed = row.type is RowType.REDEEM
        fields = (
            row.prefix + row.request_id,
            row.item_id if redeemed else row.provider_ref,
            row.provider_ref if redeemed else "",
            row.type,
            row.cents,
            wire_time(row.at),
            row.store,
        )
        lines.append("\t".join(str(field).replace("\t", " ").replace("\n", " ") for field in fields))
    lines.append(f"#rows\t{count}\t{cents}\n")
    return "\n".join(lines)
