"""The simulated Betway's daily file (providers.md 10.6): fulfilled orders and what of them was cancelled. Proposed."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final, cast

from voucherswitch.providers.betway.simulator.orders import Orders
from voucherswitch.providers.contract.simulator.book import Book
from voucherswitch.providers.contract.simulator.recon import ReconDay, ReconRow

HEADER: Final = "orderId|externalId|type|serial|minor|at|outlet|acknowledged"


class Row(ReconRow, frozen=True):
    """One line."""

    type: str
    serial: str
    at: float
    outlet: str
    acknowledged: bool


def recon_day(book: Book, orders: Orders, day: date) -> ReconDay:
    rows = []
    for entry in book.entries_of(day):
        order = orders.by_external.get(entry.reference)
        rows.append(
            Row(
                provider_ref=entry.provider_ref,
                request_id=entry.reference,
                cents=entry.cents,
                type=entry.type.value,
                serial=entry.serial,
                at=entry.at,
                outlet=entry.store,
                acknowledged=order is not None and order.acknowledged,
            )
        )
    return ReconDay(f"betway_orders_{day:%Y%m%d}.psv", rows, _render)


def _render(rows: Sequence[ReconRow], count: int, cents: int) -> str:
    lines = [HEADER]
    for row in cast("Sequence[Row]", rows):
        at = datetime.fromtimestamp(row.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        flag = "Y" if row.acknowledged else "N"
        fields = (row.provider_ref, row.request_id, row.type, row.serial, row.cents, at, row.outlet, flag)
        lines.append("|".join(str(field) for field in fields))
    lines.append(f"#EOF|{count}|{cents}\n")
    return "\n".join(lines)
