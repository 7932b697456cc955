"""The books of a simulated provider: vouchers, our balance, and what its daily file will report (providers.md B.11).

Kept in memory and bounded. A provider's own rules decide what enters; the books only find it again.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any, Final

from msgspec import Struct, field

from voucherswitch.providers.contract.simulator.clock import business_day
from voucherswitch.providers.contract.statements import RowType

FLOAT_CENTS: Final = 100_000_000  # our balance after a reset
VOUCHERS_MAX: Final = 250_000  # beyond it the oldest are forgotten
ENTRIES_MAX: Final = 500_000


class BookVoucher(Struct, kw_only=True):
    """One voucher. Times are seconds since the epoch; `details` is what only this provider keeps of it."""

    reference: str
    provider_ref: str
    code: str
    serial: str
    product: str
    cents: int
    balance_cents: int
    state: str
    store: str = ""
    terminal: str = ""
    issued_at: float
    expires_at: float
    elsewhere: bool = False  # seeded: sold through somebody else
    events: list[tuple[float, str]] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    def become(self, state: str, now: float) -> None:
        """Change its state."""
        self.state = state
        self.events.append((now, state))

    def shown(self, issued: int) -> dict[str, Any]:
        """As `GET /__sim/state` tells it; `issued`: how many vouchers its reference brought."""
        return {
            "reference": self.reference,
            "code": self.code,
            "serial": self.serial,
            "valueCents": self.cents,
            "balanceCents": self.balance_cents,
            "state": self.state,
            "vouchers": issued,
            "events": [
                {"at": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"), "event": name}
                for at, name in self.events
            ],
        }


class BookEntry(Struct, frozen=True):
    """One completed financial event; `cents` are signed as the daily file shows them."""

    type: RowType
    reference: str
    provider_ref: str
    serial: str
    cents: int
    at: float
    store: str
    terminal: str
    product: str
    details: dict[str, Any]


class Book:
    """Everything one simulated provider remembers of vouchers and money."""

    def __init__(self, float_cents: int = FLOAT_CENTS) -> None:
        self.initial_float_cents = float_cents
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.float_cents = self.initial_float_cents
        self.entries: list[BookEntry] = []
        self.numbers: dict[str, int] = {}
        self.evicted = 0
        self._vouchers: dict[int, BookVoucher] = {}  # in the order of their issue
        self._added = 0
        self._by_code: dict[str, BookVoucher] = {}
        self._by_reference: dict[str, list[BookVoucher]] = {}

    def __iter__(self) -> Iterator[BookVoucher]:
        return iter(self._vouchers.values())

    def __len__(self) -> int:
        return len(self._vouchers)

    def next_number(self, of: str) -> int:
        """Count something, from 1 after every reset: serials, references, sessions."""
        self.numbers[of] = self.numbers.get(of, 0) + 1
        return self.numbers[of]

    def add(self, voucher: BookVoucher) -> None:
        """Take in a voucher that was issued now. The float is the caller's business."""
        self._added += 1
        self._vouchers[self._added] = voucher
        self._by_code[voucher.code] = voucher
        self._by_reference.setdefault(voucher.reference, []).append(voucher)
        voucher.events.append((voucher.issued_at, voucher.state))
        if len(self._vouchers) > VOUCHERS_MAX:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        oldest = self._vouchers.pop(next(iter(self._vouchers)))
        self.evicted += 1
        self._by_code.pop(oldest.code, None)
        kept = [voucher for voucher in self._by_reference.pop(oldest.reference, ()) if voucher is not oldest]
        if kept:
            self._by_reference[oldest.reference] = kept

    def by_code(self, code: str) -> BookVoucher | None:
        """The voucher with this code."""
        return self._by_code.get(code)

    def by_reference(self, reference: str) -> list[BookVoucher]:
        """Every voucher that this reference brought, oldest first: two of them are a duplicate sale."""
        return self._by_reference.get(reference, [])

    def enter(
        self,
        kind: RowType,
        voucher: BookVoucher,
        cents: int,
        at: float,
        *,
        reference: str | None = None,
        provider_ref: str | None = None,
        store: str | None = None,
        terminal: str | None = None,
        **details: Any,
    ) -> None:
        """Enter a completed financial event, for the daily file and the totals."""
        if len(self.entries) >= ENTRIES_MAX:
            del self.entries[: ENTRIES_MAX // 10]
        self.entries.append(
            BookEntry(
                type=kind,
                reference=voucher.reference if reference is None else reference,
                provider_ref=voucher.provider_ref if provider_ref is None else provider_ref,
                serial=voucher.serial,
                cents=cents,
                at=at,
                store=voucher.store if store is None else store,
                terminal=voucher.terminal if terminal is None else terminal,
                product=voucher.product,
                details=details,
            )
        )

    def entries_of(self, day: date) -> list[BookEntry]:
        """The entries of one SAST calendar day, oldest first."""
        return [entry for entry in self.entries if business_day(entry.at) == day]

    def totals(self) -> dict[str, Any]:
        """How much is in the books: by state, and in cents by type of entry."""
        states: dict[str, int] = {}
        for voucher in self:
            states[voucher.state] = states.get(voucher.state, 0) + 1
        cents = dict.fromkeys(RowType, 0)
        for entry in self.entries:
            cents[entry.type] += entry.cents
        return {
            "vouchers": len(self),
            "byState": states,
            "centsByType": {kind.value: total for kind, total in cents.items()},
            "floatCents": self.float_cents,
            "evicted": self.evicted,
        }
