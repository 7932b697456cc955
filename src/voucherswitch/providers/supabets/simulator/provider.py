"""The simulated Supabets behind the common frame: reservations that are committed, released, or lapse. Proposed."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, ClassVar, Final

import msgspec
from msgspec import Struct

from voucherswitch.providers.contract.simulator.book import FLOAT_CENTS, BookVoucher
from voucherswitch.providers.contract.simulator.booked import VALID_OUTLETS, BookedProvider, SeededVoucher, WorldEvent
from voucherswitch.providers.contract.simulator.clock import sast
from voucherswitch.providers.contract.simulator.faults import Fault
from voucherswitch.providers.contract.simulator.provider import ControlError, Exchange, Reply
from voucherswitch.providers.contract.simulator.recon import ReconDay
from voucherswitch.providers.contract.simulator.wires import Request
from voucherswitch.providers.contract.statements import RowType
from voucherswitch.providers.supabets.simulator import answers, calls, vouchers
from voucherswitch.providers.supabets.simulator.products import LISTED, PRODUCTS
from voucherswitch.providers.supabets.simulator.recon import recon_day
from voucherswitch.providers.supabets.simulator.tokens import Tokens

BASE_PATH: Final = "/retail-voucher/v1/"
RESERVED: Final = "RESERVED"
COMMITTED: Final = "COMMITTED"
RELEASED: Final = "RELEASED"
EXPIRED: Final = "EXPIRED"
SPENT: Final = "SPENT"

RELEASE_WINDOW_S: Final = 1_800  # counted from the commit
TOMBSTONES_MAX: Final = 100_000


class Profile(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """When a PIN shows."""

    late_reveal: bool = False


class Message(Struct, frozen=True):
    """An authentic request: the id of its token, and what it says or why that cannot be read."""

    jti: str
    form: Any = None
    malformed: str | None = None


class SupabetsProvider(BookedProvider):
    """Supabets' protocol and books. `now` is the simulator's clock, for calls that come without a time."""

    operations = calls.NAMES
    world: ClassVar[Mapping[str, WorldEvent]] = {
        "REDEEM": WorldEvent(frozenset({COMMITTED}), SPENT),
        "EXPIRE": WorldEvent(frozenset({RESERVED}), EXPIRED),
    }
    states: ClassVar[frozenset[str]] = frozenset({RESERVED, COMMITTED, RELEASED, EXPIRED, SPENT})
    seeded_state: ClassVar[str] = COMMITTED

    def __init__(self, float_cents: int = FLOAT_CENTS, *, late_reveal: bool = False) -> None:
        super().__init__(float_cents)
        self.now: Callable[[], float] = time.time
        self.profile = Profile(late_reveal)
        self.tokens = Tokens()
        self._forget()

    def _forget(self) -> None:
        self._tombstones: dict[str, None] = {}
        self._running: deque[BookVoucher] = deque()  # reservations in the order in which they lapse

    # The protocol

    def read(self, request: Request) -> Exchange:
        path = request.target
        call, reference = (
            calls.find(request.method, path[len(BASE_PATH) :]) if path.startswith(BASE_PATH) else (None, "")
        )
        if call is None:
            wire_op = f"{request.method} {path[:60]}"
            return Exchange(request, "", wire_op, refusal=self._problem("unknown-call"))
        if call is calls.RESERVE and self._found(reference) is not None:
            call = calls.RESERVE_AGAIN
        exchange = Exchange(request, call.op, call.wire_op, reference, success=call.success)
        # A token is judged when it arrives: a request that is processed later was authentic in its time.
        token = self.tokens.judge(request.header(b"authorization"), request.body, self.now())
        if token.refusal is not None:
            exchange.refusal = self._problem(token.refusal)
            return exchange
        try:
            exchange.message = Message(token.jti, calls.read_form(call, reference, request))
        except ValueError as error:
            exchange.message = Message(token.jti, malformed=str(error))
        return exchange

    def answer(self, exchange: Exchange, now: float) -> Reply:
        self._lapse(now)
        if exchange.refusal is not None:
            return exchange.refusal
        message: Message = exchange.message
        if (refused := self.tokens.use(message.jti, now)) is not None:
            return self._problem(refused)
        if message.malformed is not None:
            return self._problem("bad-request", message.malformed)
        match message.form:
            case calls.Reserve() as form:
                return self._reserve(exchange.reference, form, now)
            case calls.CheckPin() as form:
                return self._check(form.pin, now)
        match exchange.op:
            case "confirm":
                return self._commit(exchange.reference, now)
            case "reverse":
                return self._release(exchange.reference, now)
            case "status":
                return self._status(exchange.reference)
            case _:
                return Reply(200, answers.encode({"products": LISTED}))

    def _reserve(self, reference: str, form: calls.Reserve, now: float) -> Reply:
        known = self._found(reference)
        if reference in self._tombstones or (known is not None and known.state == RELEASED):
            return self._problem("reservation-released")
        if known is not None:
            if known.state == EXPIRED:
                return self._problem("reservation-expired")
            if known.details.get("asked") != form:
                return self._problem("reservation-conflict")
            return self._shown(known, 200)
        refused = self._refused(form)
        if refused is not None:
            return self._problem(refused)
        voucher = vouchers.issue(self.book, reference, form.product_id, form.amount.value, RESERVED, now)
        voucher.store, voucher.terminal = form.site, form.lane
        voucher.details["asked"] = form
        self.sell(voucher)
        self._running.append(voucher)
        return self._shown(voucher, 201)

    def _refused(self, form: calls.Reserve) -> str | None:
        """Why a new reservation is refused; an id that was refused is not used up."""
        if form.site not in VALID_OUTLETS:
            return "unknown-site"
        product = PRODUCTS.get(form.product_id)
        if product is None:
            return "unknown-product"
        if not product.min_cents <= form.amount.value <= product.max_cents:
            return "amount-not-allowed"
        return "credit-limit" if form.amount.value > self.book.float_cents else None

    def _commit(self, reference: str, now: float) -> Reply:
        voucher = self._found(reference)
        if voucher is None:
            return self._problem("reservation-released" if reference in self._tombstones else "not-found")
        match voucher.state:
            case "RELEASED":
                return self._problem("reservation-released")
            case "EXPIRED":
                return self._problem("reservation-expired")
            case "SPENT":
                return self._problem("voucher-spent")
            case "RESERVED":
                voucher.become(COMMITTED, now)
                voucher.details["committed_at"] = now
                self.book.enter(RowType.SALE, voucher, voucher.cents, now)
        return self._shown(voucher, 200)

    def _release(self, reference: str, now: float) -> Reply:
        voucher = self._found(reference)
        if voucher is None:
            if len(self._tombstones) >= TOMBSTONES_MAX:
                del self._tombstones[next(iter(self._tombstones))]
            self._tombstones[reference] = None
            return self._released(reference, known=False)
        match voucher.state:
            case "SPENT":
                return self._problem("voucher-spent", "Release refused")
            case "EXPIRED":
                return self._problem("reservation-expired")
            case "COMMITTED":
                if now > voucher.details["committed_at"] + RELEASE_WINDOW_S:
                    return self._problem("reversal-window-closed", "Release refused")
                self.take_back(voucher, RELEASED, now, entered=not voucher.elsewhere)
            case "RESERVED":
                self.take_back(voucher, RELEASED, now, entered=False)
        return self._released(reference, known=True)

    def _status(self, reference: str) -> Reply:
        voucher = self._found(reference)
        return self._problem("not-found") if voucher is None else self._shown(voucher, 200)

    def _check(self, pin: str, now: float) -> Reply:
        voucher = self.book.by_code(pin)
        if voucher is None:
            return self._problem("not-found")
        state = EXPIRED if voucher.state == COMMITTED and now > voucher.expires_at else voucher.state
        expiry = sast(voucher.expires_at).date().isoformat()
        shown = {"serial": voucher.serial, "value": voucher.cents, "expiry": expiry, "state": state}
        return Reply(200, answers.encode(shown))

    # The books

    def _found(self, reference: str) -> BookVoucher | None:
        found = self.book.by_reference(reference)
        return found[-1] if found else None

    def _lapse(self, now: float) -> None:
        """Let go of every reservation whose time is up. All live equally long, so the oldest go first."""
        while self._running and self._running[0].details["reserved_until"] < now:
            voucher = self._running.popleft()
            if voucher.state == RESERVED:
                self.take_back(voucher, EXPIRED, voucher.details["reserved_until"], entered=False)

    # Answers

    def _shown(self, voucher: BookVoucher, status: int) -> Reply:
        reveal = not self.profile.late_reveal or "committed_at" in voucher.details
        return Reply(status, answers.reservation(voucher, reveal=reveal))

    def _released(self, reference: str, *, known: bool) -> Reply:
        return Reply(200, answers.encode({"reservationId": reference, "state": RELEASED, "known": known}))

    def _problem(self, code: str, detail: str = "") -> Reply:
        number = self.book.next_number("problems")
        status = answers.STATUS_OF.get(code, answers.OTHER_STATUS)
        return Reply(status, answers.problem(code, number, detail), answers.PROBLEM_JSON)

    def refuse_credentials(self, _exchange: Exchange) -> Reply:
        return self._problem("invalid-token")

    def decline(self, _exchange: Exchange, code: str) -> Reply:
        return self._problem(code)

    def spoil(self, reply: Reply, fault: Fault) -> Reply:
        if reply.status >= 300:
            return reply
        return Reply(reply.status, answers.altered(reply.body, fault.kind, fault.params.delta_cents))

    # The control API

    def reset(self) -> None:
        super().reset()
        self.tokens.reset()
        self._forget()

    def state(self, reference: str | None, code: str | None) -> dict[str, Any] | None:
        self._lapse(self.now())
        return super().state(reference, code)

    def totals(self) -> dict[str, Any]:
        self._lapse(self.now())
        return super().totals()

    def world_event(self, code: str, event: str, now: float) -> dict[str, Any]:
        self._lapse(now)
        voucher = self.book.by_code(code)
        if event == "EXPIRE" and voucher is not None and voucher.state == COMMITTED:
            # It stays committed, and its PIN has run out: only a pin check tells.
            voucher.expires_at = now - 1
            voucher.events.append((now, EXPIRED))
            return voucher.shown(len(self.book.by_reference(voucher.reference)))
        shown = super().world_event(code, event, now)
        if event == "EXPIRE" and voucher is not None:
            self.book.float_cents += voucher.cents  # what was reserved is free again
        return shown

    def mint(self, seeded: SeededVoucher, state: str, now: float) -> BookVoucher:
        product = PRODUCTS.get(seeded.product_ref or LISTED[0].product_id)
        if product is None:
            raise ControlError(400, "productRef is not a product")
        pin = seeded.code
        if pin is not None and not vouchers.is_pin(pin):
            raise ControlError(400, "code must be 13 digits, the last one an EAN-13 check digit")
        reference = self.seed_reference()
        voucher = vouchers.issue(self.book, reference, product.product_id, seeded.value_cents, state, now, pin)
        if state in (COMMITTED, SPENT):
            voucher.details["committed_at"] = now
        return voucher

    def set_profile(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        self.profile = msgspec.convert(msgspec.to_builtins(self.profile) | dict(wanted), Profile)
        shown: dict[str, Any] = msgspec.to_builtins(self.profile)
        return shown

    def control(self, method: str, path: str, wanted: Mapping[str, Any], now: float) -> Any:
        match method, path:
            case "POST", "/__sim/keys":
                return self.tokens.rotate(wanted, now)
            case "POST", "/__sim/tokens/expire":
                self.tokens.expire_next = True
                return {"tokens": "the next one is refused as expired"}
        return super().control(method, path, wanted, now)

    def recon_day(self, day: date) -> ReconDay:
        return recon_day(self.book, day)
