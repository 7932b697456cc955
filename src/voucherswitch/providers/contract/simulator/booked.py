"""What simulated providers with the common books share: the control calls of B.12 that are about vouchers and money.

A provider's simulator is a subclass: it adds its protocol (`read`, `answer`, the refusals) and how it makes a voucher.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

import msgspec
from msgspec import Struct

from voucherswitch.providers.contract.simulator.book import FLOAT_CENTS, Book, BookVoucher
from voucherswitch.providers.contract.simulator.faults import Fault
from voucherswitch.providers.contract.simulator.provider import ControlError, Exchange, Reply
from voucherswitch.providers.contract.statements import RowType

VALID_OUTLETS: Final = frozenset({"S001"})  # S999 and every other one is unknown (B.12)


class SeededVoucher(Struct, rename="camel", forbid_unknown_fields=True):
    """A voucher that was sold elsewhere."""

    value_cents: int
    code: str | None = None
    product_ref: str | None = None
    state: str | None = None
    expires_at: datetime | None = None


class WorldEvent(Struct, frozen=True):
    """What the world can do to a voucher: in which states, and the state it brings."""

    states: frozenset[str]
    to: str


class BookedProvider(ABC):
    """The part of a simulated provider that every one has alike."""

    operations: frozenset[str]
    own_faults: frozenset[str] = frozenset()
    world: ClassVar[Mapping[str, WorldEvent]]  # of REDEEM, BLOCK and EXPIRE those that this provider knows
    states: ClassVar[frozenset[str]]  # of a voucher
    seeded_state: ClassVar[str]  # of a voucher sold elsewhere, unless the seed says another

    def __init__(self, float_cents: int = FLOAT_CENTS) -> None:
        self.book = Book(float_cents)

    @abstractmethod
    def mint(self, seeded: SeededVoucher, state: str, now: float) -> BookVoucher:
        """Make a voucher that was sold elsewhere, with a code of this provider's kind unless one is given.

        Raises:
            ControlError: no such product, or the code is impossible.
        """

    def script(self, _exchange: Exchange, _now: float) -> Fault | None:
        return None

    def own_fault(self, _exchange: Exchange, fault: Fault, _now: float) -> Reply:
        raise NotImplementedError(fault.kind)

    def reset(self) -> None:
        self.book.reset()

    def totals(self) -> dict[str, Any]:
        return self.book.totals()

    def state(self, reference: str | None, code: str | None) -> dict[str, Any] | None:
        if code is not None:
            voucher = self.book.by_code(code)
        else:
            found = self.book.by_reference(reference or "")
            voucher = found[-1] if found else None
        return None if voucher is None else voucher.shown(len(self.book.by_reference(voucher.reference)))

    def seed(self, wanted: Mapping[str, Any], now: float) -> dict[str, Any]:
        seeded = msgspec.convert(wanted, SeededVoucher)
        state = seeded.state or self.seeded_state
        if state not in self.states:
            raise ControlError(400, f"state must be one of {', '.join(sorted(self.states))}")
        if seeded.code is not None and self.book.by_code(seeded.code) is not None:
            raise ControlError(409, "the code is taken")
        voucher = self.mint(seeded, state, now)
        voucher.elsewhere = True
        if seeded.expires_at is not None:
            voucher.expires_at = seeded.expires_at.timestamp()
        self.book.add(voucher)
        return voucher.shown(1)

    def seed_reference(self) -> str:
        """A reference for a voucher that nobody bought through us."""
        return f"00000000-0000-4000-8000-{self.book.next_number('seeds'):012d}"

    def world_event(self, code: str, event: str, now: float) -> dict[str, Any]:
        voucher = self.book.by_code(code)
        if voucher is None:
            raise ControlError(404, "no such voucher")
        if event not in ("REDEEM", "BLOCK", "EXPIRE"):
            raise ControlError(400, "event must be REDEEM, BLOCK or EXPIRE")
        happens = self.world.get(event)
        if happens is None:
            raise ControlError(409, f"this provider has no state for {event}")
        if voucher.state not in happens.states:
            raise ControlError(409, f"a voucher that is {voucher.state} takes no {event}")
        voucher.become(happens.to, now)
        if event == "REDEEM":
            voucher.balance_cents = 0
        return voucher.shown(len(self.book.by_reference(voucher.reference)))

    def set_float(self, cents: int) -> None:
        self.book.float_cents = cents

    def set_profile(self, _wanted: Mapping[str, Any]) -> dict[str, Any]:
        raise ControlError(404, "this simulator has no profiles")

    def control(self, _method: str, _path: str, _wanted: Mapping[str, Any], _now: float) -> Any:
        raise ControlError(404, "this simulator has no such control call")

    # Money

    def sell(self, voucher: BookVoucher) -> None:
        """Take a new voucher into the books and its value off our balance; the provider checks the balance before."""
        self.book.float_cents -= voucher.cents
        self.book.add(voucher)

    def take_back(self, voucher: BookVoucher, state: str, now: float, *, entered: bool) -> None:
        """Undo a sale: the value goes back to our balance. `entered`: the sale is in a daily file, so this must be."""
        voucher.become(state, now)
        self.book.float_cents += voucher.cents
        if entered:
            self.book.enter(RowType.REVERSAL, voucher, -voucher.cents, now)
