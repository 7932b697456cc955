"""The daily file of the simulated Blu Voucher (providers.md 8.7): sold vouchers and spends of one SAST day."""

from collections.abc import Sequence
from datetime import date
from typing import cast

from voucherswitch.providers.bluvoucher.simulator.aeon import DEVICE_ID
from voucherswitch.providers.contract.answers import rand
from voucherswitch.providers.contract.simulator.book import Book
from voucherswitch.providers.contract.simulator.clock import sast
from voucherswitch.providers.contract.simulator.recon import ReconDay, ReconRow
from voucherswitch.providers.contract.transport.xml import element


class Row(ReconRow, frozen=True):
    """One line."""

    type: str
    serial: str
    at: float


def recon_day(book: Book, day: date) -> ReconDay:
    rows = [
        Row(
            provider_ref=entry.provider_ref,
            request_id=entry.reference,
            cents=entry.cents,
            type=entry.type.value,
            serial=entry.serial,
            at=entry.at,
        )
        for entry in book.entries_of(day)
    ]
    return ReconDay(
        f"BLV_{DEVICE_ID}_{day:%Y%m%d}.xml", rows, lambda shown, count, cents: _render(day, shown, count, cents)
    )


def _render(day: date, rows: Sequence[ReconRow], count: int, cents: int) -> str:
    lines = [f'<Recon device="{DEVICE_ID}" date="{day.isoformat()}" count="{count}" total="{rand(cents)}">']
    for row in cast("Sequence[Row]", rows):
        attributes = {
            "transRef": row.provider_ref,
            "reference": row.request_id,
            "type": row.type,
            "serial": row.serial,
            "amount": rand(row.cents),
            "time": f"{sast(row.at):%Y-%m-%d %H:%M:%S}",
        }
        lines.append(element("Trx", attributes=attributes))
    return "\n".join([*lines, "</Recon>", ""])
