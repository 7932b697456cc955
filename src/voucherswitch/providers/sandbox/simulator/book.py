"""What the sandbox remembers: vouchers, their movements, tombstones and counters. In memory and bounded."""

from collections.abc import Iterator
from datetime import datetime, time
from typing import Final, TypeVar

from msgspec import Struct

from voucherswitch.providers.contract.provider_time import SAST
from voucherswitch.providers.contract.simulator.check_digits import luhn
from voucherswitch.providers.contract.simulator.clock import business_day, months_later
from voucherswitch.providers.sandbox.simulator.lifecycle import AUTHORISED, PROVISIONED

VOUCHERS_KEPT_MAX: Final = 250_000  # about 1 KB each; beyond it the oldest goes, with its movements
IDS_KEPT_MAX: Final = 100_000  # of each kind of id that is remembered without a voucher
MOVEMENTS_MAX: Final = 1_000  # of one voucher
ADVICES_KEPT_MAX: Final = 50  # of one voucher or movement: enough for every repeat that matters
FLOAT_CENTS: Final = 100_000_000

REDEMPTION: Final = "REDEMPTION"
REFUND: Final = "REFUND"

FIRST_CODE_BODY: Final = 900_000_000_000_123
FIRST_PIN: Final = 4_711
EXPIRY_MONTHS: Final = 36

T = TypeVar("T")


class Advised(Struct, frozen=True, gc=False):
    """The first answer to an advice: every repeat of its id gets it again."""

    op: str
    advice_id: str
    refusal: str | None
    state: str


class Movement(Struct, gc=False):
    """A redemption or refund. `asked` is its request, to tell a repeat from another request with the same id."""

    request_id: str
    number: int
    kind: str
    voucher_id: str
    cents: int
    asked: tuple[str | int | None, ...]
    store: str
    terminal: str
    state: str = AUTHORISED
    confirmed_at: float | None = None
    redemption: "Movement | None" = None  # refunds: what is given back
    before: str = ""  # refunds: the voucher's state that a reversal restores
    advised: tuple[Advised, ...] = ()

    @property
    def provider_ref(self) -> str:
        return f"SBX{'F' if self.kind == REFUND else 'R'}{self.number:08d}"


class VoucherRecord(Struct, gc=False):
    """A voucher. `world` is what happened to it outside every protocol: EXPIRED or BLOCKED."""

    request_id: str
    number: int
    product_id: str
    cents: int
    balance_cents: int
    code: str
    pin: str | None
    store: str
    terminal: str
    issued_at: float
    expires_at: str
    expires_ts: float
    state: str = PROVISIONED
    world: str | None = None
    pending_until: float = 0.0
    confirmed_at: float | None = None
    elsewhere: bool = False  # not sold through us, so not in our file
    advice_attempts: int = 0
    redemptions: tuple[Movement, ...] = ()
    refunds: tuple[Movement, ...] = ()
    advised: tuple[Advised, ...] = ()
    events: tuple[tuple[float, str], ...] = ()

    @property
    def serial(self) -> str:
        return f"SX{self.number:08d}"

    @property
    def provider_ref(self) -> str:
        return f"SBXV{self.number:08d}"

    def shown_state(self, now: float) -> str:
        """The state as the sandbox tells it."""
        if self.world is not None:
            return self.world
        if now < self.pending_until and self.state == PROVISIONED:
            return "PENDING"
        return "EXPIRED" if now > self.expires_ts and self.state != "REVERSED" else self.state

    def note(self, at: float, event: str) -> None:
        self.events = (*self.events, (at, event))


class Counters(Struct):
    """The numbers that the next issues get."""

    vouchers: int = 0
    redemptions: int = 0
    refunds: int = 0
    codes: int = 0
    pins: int = 0
    seeds: int = 0


class Book:
    """All that the sandbox remembers."""

    def __init__(self, float_cents: int = FLOAT_CENTS) -> None:
        self._float_cents_at_reset = float_cents
        self._expiry: tuple[int, str, float] = (-1, "", 0.0)
        self.clear()

    def clear(self) -> None:
        self.vouchers: dict[str, VoucherRecord] = {}
        self.by_code: dict[str, VoucherRecord] = {}
        self.by_number: dict[int, VoucherRecord] = {}
        self.redemptions: dict[str, Movement] = {}
        self.refunds: dict[str, Movement] = {}
        self.tombstones: dict[tuple[str, str], None] = {}  # (vouchers | redemptions | refunds, request id)
        self.unheard: dict[tuple[str, str, str], None] = {}  # advices of requests that were unknown then
        self.scripted: dict[tuple[str, str], None] = {}  # creating calls whose script has been played
        self.counters = Counters()
        self.float_cents = self._float_cents_at_reset
        self.evicted = 0

    def movements(self, what: str) -> dict[str, Movement]:
        return self.redemptions if what == "redemptions" else self.refunds

    def add(self, voucher: VoucherRecord) -> None:
        """Remember a voucher; its code now means this one."""
        if len(self.vouchers) >= VOUCHERS_KEPT_MAX:
            self._evict()
        self.vouchers[voucher.request_id] = voucher
        self.by_code[voucher.code] = voucher
        self.by_number[voucher.number] = voucher

    def _evict(self) -> None:
        oldest = self.vouchers.pop(next(iter(self.vouchers)))
        if self.by_code.get(oldest.code) is oldest:
            del self.by_code[oldest.code]
        del self.by_number[oldest.number]
        for known, own in ((self.redemptions, oldest.redemptions), (self.refunds, oldest.refunds)):
            for movement in own:
                if known.get(movement.request_id) is movement:
                    del known[movement.request_id]
        self.evicted += 1

    def next_code(self) -> str:
        """16 digits that no voucher has: prefix 90, a count, a Luhn digit."""
        while True:
            body = str(FIRST_CODE_BODY + self.counters.codes)
            self.counters.codes += 1
            code = body + luhn(body)
            if code not in self.by_code:
                return code

    def next_pin(self) -> str:
        pin = (FIRST_PIN + self.counters.pins) % 10_000
        self.counters.pins += 1
        return f"{pin:04d}"

    def expiry(self, now: float) -> tuple[str, float]:
        """When a voucher of now expires, as text and as a moment; made once a day."""
        local_day = int(now + 7_200) // 86_400
        if self._expiry[0] != local_day:
            last = months_later(business_day(now), EXPIRY_MONTHS)
            moment = datetime.combine(last, time(23, 59, 59), SAST)
            self._expiry = (local_day, moment.isoformat(), moment.timestamp())
        return self._expiry[1], self._expiry[2]

    def all_movements(self) -> Iterator[tuple[VoucherRecord, Movement]]:
        for voucher in self.vouchers.values():
            for movement in (*voucher.redemptions, *voucher.refunds):
                yield voucher, movement


def remember(ids: dict[T, None], key: T) -> None:
    """Keep an id; the oldest goes when there are too many."""
    if len(ids) >= IDS_KEPT_MAX:
        del ids[next(iter(ids))]
    ids[key] = None
