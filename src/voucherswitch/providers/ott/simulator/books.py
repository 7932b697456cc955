"""OTT's vouchers, what was paid with them and what both did to our balance, past its protocol (providers.md 6.7)."""

from abc import abstractmethod
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Annotated, Any, ClassVar, Final

import msgspec
from msgspec import Meta, Struct

from voucherswitch.providers.contract.provider_time import SAST
from voucherswitch.providers.contract.simulator.book import FLOAT_CENTS, BookVoucher
from voucherswitch.providers.contract.simulator.booked import BookedProvider, SeededVoucher, WorldEvent
from voucherswitch.providers.contract.simulator.clock import SimulatorClock, business_day, months_later
from voucherswitch.providers.contract.simulator.provider import ControlError
from voucherswitch.providers.contract.simulator.recon import ReconDay
from voucherswitch.providers.contract.statements import RowType
from voucherswitch.providers.ott.simulator.recon import recon_day

EXPIRY_MONTHS: Final = 36
REMITS_KEPT_MAX: Final = 250_000

FIRST_VOUCHER_ID: Final = 7_000_001
FIRST_SALE_ID: Final = 8_000_001
FIRST_PIN: Final = 100_200_300_400
FIRST_SERIAL: Final = 500_600_700_800
PRODUCT: Final = "value"

ISSUED: Final = "ISSUED"
CONFIRMED: Final = "CONFIRMED"
REJECTED: Final = "REJECTED"
REDEEMED: Final = "REDEEMED"
BLOCKED: Final = "BLOCKED"
EXPIRED: Final = "EXPIRED"
_LIVE: Final = frozenset({ISSUED, CONFIRMED})


class Profile(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What is not documented of OTT: whether an unconfirmed voucher lapses, whether an expiry is told."""

    auto_reject_min: Annotated[int, Meta(ge=0, le=1_000_000)] = 0  # 0: never
    expiry_date: bool = False


class Remit(Struct, frozen=True):
    """A redemption that happened. `left_cents` went to the customer's wallet."""

    voucher: BookVoucher
    cents: int
    left_cents: int


class OttBooks(BookedProvider):
    """All that OTT remembers, and the control calls about it."""

    states = frozenset({ISSUED, CONFIRMED, REJECTED, REDEEMED, BLOCKED, EXPIRED})
    seeded_state = CONFIRMED
    world: ClassVar[Mapping[str, WorldEvent]] = {
        "REDEEM": WorldEvent(_LIVE, REDEEMED),
        "BLOCK": WorldEvent(_LIVE, BLOCKED),
        "EXPIRE": WorldEvent(_LIVE, EXPIRED),
    }

    def __init__(self, float_cents: int = FLOAT_CENTS) -> None:
        super().__init__(float_cents)
        self.clock = SimulatorClock()  # the frame's own, as soon as there is one
        self.profile = Profile()
        self._remits: dict[str, Remit] = {}

    def reset(self) -> None:
        super().reset()
        self._remits = {}

    @abstractmethod
    def rotate_key(self) -> str:
        """Change the key that every hash is made with; returns the new one."""

    # Issuing

    def issue(self, reference: str, cents: int, store: str, terminal: str, now: float) -> BookVoucher:
        """Sell a voucher; under a reference that has one, another."""
        voucher = self._make(reference, cents, now)
        voucher.store, voucher.terminal = store, terminal
        self.sell(voucher)
        self._enter(RowType.SALE, voucher, cents, now)
        return voucher

    def sole(self, reference: str) -> BookVoucher | None:
        """The reference's only voucher; two of them cannot be told apart, so there is none."""
        found = self.book.by_reference(reference)
        return found[0] if len(found) == 1 else None

    def reject(self, voucher: BookVoucher, at: float) -> None:
        """Undo a sale."""
        self.take_back(voucher, REJECTED, at, entered=False)
        self._enter(RowType.REVERSAL, voucher, -voucher.cents, at)

    def lapse(self, now: float) -> None:
        """Reject what nobody confirmed in time, if the profile says so."""
        lives_s = self.profile.auto_reject_min * 60
        for voucher in self.book if lives_s else ():
            if voucher.issued_at + lives_s > now:
                break
            if voucher.state == ISSUED and not voucher.elsewhere:
                self.reject(voucher, voucher.issued_at + lives_s)

    # Redemption

    def remit_of(self, reference: str) -> Remit | None:
        """The redemption with this reference."""
        return self._remits.get(reference)

    def pay(self, voucher: BookVoucher, cents: int, reference: str, now: float) -> Remit:
        """Take money of a voucher and credit it to us. What is left goes to a wallet: the PIN is used up."""
        voucher.balance_cents -= cents
        voucher.become(REDEEMED, now)
        if len(self._remits) >= REMITS_KEPT_MAX:
            del self._remits[next(iter(self._remits))]
        remit = self._remits[reference] = Remit(voucher, cents, voucher.balance_cents)
        self.book.float_cents += cents
        self._enter(RowType.REDEEM, voucher, cents, now, reference)
        return remit

    # Vouchers and rows

    def _make(self, reference: str, cents: int, now: float) -> BookVoucher:
        number = self.book.next_number("vouchers") - 1
        last_day = months_later(business_day(now), EXPIRY_MONTHS)
        return BookVoucher(
            reference=reference,
            provider_ref=str(FIRST_VOUCHER_ID + number),
            code=self._next_pin(),
            serial=str(FIRST_SERIAL + number),
            product=PRODUCT,
            cents=cents,
            balance_cents=cents,
            state=ISSUED,
            issued_at=now,
            expires_at=datetime.combine(last_day, time(23, 59, 59), SAST).timestamp(),
            details={"sale_id": FIRST_SALE_ID + number, "confirmed": False},
        )

    def _next_pin(self) -> str:
        """12 digits that no voucher has."""
        while True:
            pin = str(FIRST_PIN + self.book.next_number("pins") - 1)
            if self.book.by_code(pin) is None:
                return pin

    def mint(self, seeded: SeededVoucher, state: str, now: float) -> BookVoucher:
        if seeded.product_ref not in (None, PRODUCT):
            raise ControlError(400, f"productRef must be {PRODUCT}")
        if seeded.code is not None and not (seeded.code.isdecimal() and len(seeded.code) == 12):
            raise ControlError(400, "code must have 12 digits")
        voucher = self._make(self.seed_reference(), seeded.value_cents, now)
        voucher.code, voucher.state = seeded.code or voucher.code, state
        voucher.details["confirmed"] = state not in (ISSUED, REJECTED)
        return voucher

    def _enter(self, kind: RowType, voucher: BookVoucher, cents: int, at: float, reference: str | None = None) -> None:
        self.book.enter(kind, voucher, cents, at, reference=reference, balance_cents=self.book.float_cents)

    # The control API

    def recon_day(self, day: date) -> ReconDay:
        self.lapse(self.clock.now())
        return recon_day(self.book.entries_of(day), day)

    def totals(self) -> dict[str, Any]:
        self.lapse(self.clock.now())
        return super().totals() | {"remits": len(self._remits)}

    def state(self, reference: str | None, code: str | None) -> dict[str, Any] | None:
        self.lapse(self.clock.now())
        remit = self._remits.get(reference or "")
        return super().state(None, remit.voucher.code) if remit is not None else super().state(reference, code)

    def set_profile(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        current: dict[str, Any] = msgspec.to_builtins(self.profile)
        self.profile = msgspec.convert(current | dict(wanted), Profile)
        return current | dict(wanted)

    def control(self, method: str, path: str, _wanted: Mapping[str, Any], _now: float) -> Any:
        if (method, path) != ("POST", "/__sim/keys"):
            raise ControlError(404, "this simulator has no such control call")
        return {"apiKey": self.rotate_key()}
