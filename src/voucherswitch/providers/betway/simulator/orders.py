"""What the simulated Betway remembers of orders: when they are decided and how (providers.md 10.2, 10.5). Proposed."""

import heapq
import math
from collections.abc import Iterator
from datetime import datetime, time
from typing import Final

from msgspec import Struct

from voucherswitch.providers.betway.simulator.calls import OrderForm
from voucherswitch.providers.betway.simulator.products import SKUS
from voucherswitch.providers.contract.provider_time import SAST
from voucherswitch.providers.contract.simulator.book import Book, BookVoucher
from voucherswitch.providers.contract.simulator.booked import VALID_OUTLETS
from voucherswitch.providers.contract.simulator.clock import business_day, months_later

PENDING: Final = "PENDING"
FULFILLED: Final = "FULFILLED"
REJECTED: Final = "REJECTED"
CANCELLED: Final = "CANCELLED"
ACTIVE: Final = "ACTIVE"

NEVER: Final = math.inf
ORDERS_MAX: Final = 250_000
TOMBSTONES_MAX: Final = 100_000
EXPIRY_MONTHS: Final = 36
FIRST_PIN: Final = 5_550_001_001


class SimulatedOrder(Struct):
    """One order. `due` is when it is decided; `verdict` the reason why it will be rejected, None if it will not."""

    order_id: str
    form: OrderForm
    due: float
    verdict: str | None
    state: str = PENDING
    reason: str | None = None
    acknowledged: bool = False
    fulfilled_at: float = 0.0
    voucher: BookVoucher | None = None


class Orders:
    """Every order, by either of its ids, and the ids that were cancelled before their order came."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.by_external: dict[str, SimulatedOrder] = {}
        self.by_id: dict[str, SimulatedOrder] = {}
        self.tombstones: dict[str, None] = {}
        self._pending: list[tuple[float, str]] = []

    def add(self, order: SimulatedOrder) -> None:
        """Remember an order; the oldest goes when there are too many."""
        if len(self.by_external) >= ORDERS_MAX:
            oldest = self.by_external.pop(next(iter(self.by_external)))
            self.by_id.pop(oldest.order_id, None)
        self.by_external[order.form.external_id] = order
        self.by_id[order.order_id] = order
        if order.due != NEVER:
            heapq.heappush(self._pending, (order.due, order.order_id))

    def bury(self, external_id: str) -> None:
        """Remember an id that must never become an order."""
        if len(self.tombstones) >= TOMBSTONES_MAX:
            del self.tombstones[next(iter(self.tombstones))]
        self.tombstones[external_id] = None

    def ripe(self, now: float) -> Iterator[SimulatedOrder]:
        """The pending orders whose time has come, in its order; each once."""
        while self._pending and self._pending[0][0] <= now:
            _, order_id = heapq.heappop(self._pending)
            order = self.by_id.get(order_id)
            if order is not None and order.state == PENDING:
                yield order


def verdict_on(form: OrderForm) -> str | None:
    """Why an order will be rejected, as far as that is certain when it comes; our balance is looked at later."""
    if form.outlet not in VALID_OUTLETS:
        return "OUTLET_BLOCKED"
    sku = SKUS.get(form.sku_id)
    if sku is None:
        return "SKU_UNKNOWN"
    return None if sku.min_minor <= form.unit_amount.minor <= sku.max_minor else "AMOUNT_RANGE"


def issue(
    book: Book,
    *,
    reference: str,
    order_id: str,
    sku_id: str,
    cents: int,
    now: float,
    state: str = ACTIVE,
    pin: str | None = None,
) -> BookVoucher:
    """Make a voucher; the first one after a reset has the values of the specification's sample."""
    last_day = months_later(business_day(now), EXPIRY_MONTHS)
    return BookVoucher(
        reference=reference,
        provider_ref=order_id,
        code=pin or _next_pin(book),
        serial=f"BWS{book.next_number('vouchers'):09d}",
        product=sku_id,
        cents=cents,
        balance_cents=cents,
        state=state,
        issued_at=now,
        expires_at=datetime.combine(last_day, time(23, 59, 59), SAST).timestamp(),
    )


def _next_pin(book: Book) -> str:
    while True:
        pin = str(FIRST_PIN + book.next_number("pins") - 1)
        if book.by_code(pin) is None:
            return pin
