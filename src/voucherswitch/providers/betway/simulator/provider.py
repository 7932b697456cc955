"""The simulated Betway behind the common frame: orders that are accepted now and decided later. Proposed."""

import time
from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Final

import msgspec
from msgspec import Meta, Struct

from voucherswitch.providers.betway.simulator import answers, calls
from voucherswitch.providers.betway.simulator.orders import (
    ACTIVE,
    CANCELLED,
    FULFILLED,
    NEVER,
    PENDING,
    REJECTED,
    Orders,
    SimulatedOrder,
    issue,
    verdict_on,
)
from voucherswitch.providers.betway.simulator.products import LISTED, SKUS
from voucherswitch.providers.betway.simulator.recon import recon_day
from voucherswitch.providers.contract.simulator.book import FLOAT_CENTS, BookVoucher
from voucherswitch.providers.contract.simulator.booked import BookedProvider, SeededVoucher, WorldEvent
from voucherswitch.providers.contract.simulator.faults import Fault
from voucherswitch.providers.contract.simulator.provider import ControlError, Exchange, Reply
from voucherswitch.providers.contract.simulator.recon import ReconDay
from voucherswitch.providers.contract.simulator.wires import Request
from voucherswitch.providers.contract.statements import RowType

BASE_PATH: Final = "/voucher-partner/v2/"
TOKEN: Final = "example-betway-token"  # noqa: S105 (the sample's)
USED: Final = "USED"
EXPIRED: Final = "EXPIRED"
CANCEL_WINDOW_S: Final = 300  # counted from the fulfilment

PENDING_FOR_EVER: Final = "pending_for_ever"
REJECT: Final = "reject"  # params.code: the reason

_CREDENTIALS: Final = f"Bearer {TOKEN}".encode()


class Profile(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """How orders are decided, when clients are told to ask, and which addresses may not."""

    immediate_percent: Annotated[int, Meta(ge=0, le=100)] = 0
    fulfil_after_ms: Annotated[int, Meta(ge=0, le=86_400_000)] = 700
    poll_after_ms: Annotated[int, Meta(ge=0, le=86_400_000)] = 500
    blocked_ips: tuple[str, ...] = ()


class BetwayProvider(BookedProvider):
    """Betway's protocol and books. `now` is the simulator's clock, for calls that come without a time."""

    operations = calls.NAMES
    own_faults = frozenset({PENDING_FOR_EVER, REJECT})
    world: ClassVar[Mapping[str, WorldEvent]] = {
        "REDEEM": WorldEvent(frozenset({ACTIVE}), USED),
        "EXPIRE": WorldEvent(frozenset({ACTIVE}), EXPIRED),
    }
    states: ClassVar[frozenset[str]] = frozenset({ACTIVE, USED, CANCELLED, EXPIRED})
    seeded_state: ClassVar[str] = ACTIVE

    def __init__(self, profile: Profile, float_cents: int = FLOAT_CENTS) -> None:
        super().__init__(float_cents)
        self.now: Callable[[], float] = time.time
        self.profile = profile
        self.orders = Orders()

    # The protocol

    def read(self, request: Request) -> Exchange:
        target = request.target
        call, reference = (
            calls.find(request.method, target[len(BASE_PATH) :]) if target.startswith(BASE_PATH) else (None, "")
        )
        if call is None:
            wire_op = f"{request.method} {target.partition('?')[0][:60]}"
            return Exchange(request, "", wire_op, refusal=_error("UNKNOWN_CALL"))
        if call is calls.POLL:
            order = self.orders.by_id.get(reference)
            exchange = Exchange(request, call.op, call.wire_op, order.form.external_id if order else "")
            exchange.message = order
        else:
            exchange = Exchange(request, call.op, call.wire_op, reference, success=call.success)
        try:
            form = calls.read_form(call, request)
        except ValueError as error:
            exchange.refusal = _error("BAD_REQUEST", str(error))
        else:
            exchange.message = form if form is not None else exchange.message
            if isinstance(form, calls.OrderForm):
                exchange.reference = form.external_id
                if form.external_id in self.orders.by_external:
                    exchange.op = calls.ORDER_AGAIN.op
        if request.header(b"authorization") != _CREDENTIALS:
            exchange.refusal = _error("TOKEN_INVALID")
        elif request.peer in self.profile.blocked_ips:
            exchange.refusal = _error("IP_NOT_ALLOWED")
        return exchange

    def answer(self, exchange: Exchange, now: float) -> Reply:
        self._ripen(now)
        reply = exchange.refusal or self._answer(exchange, now)
        correlation = exchange.request.header(b"x-correlation-id")
        if correlation is None:
            return reply
        return msgspec.structs.replace(reply, headers=b"X-Correlation-Id: %b\r\n" % correlation)

    def _answer(self, exchange: Exchange, now: float) -> Reply:
        match exchange.message:
            case calls.OrderForm() as form:
                return self._place(form, now)
            case calls.AcknowledgeForm():
                return self._acknowledge(exchange.reference)
            case calls.CancelForm():
                return self._cancel(exchange.reference, now)
            case calls.ValidateForm() as form:
                return self._validate(form.pin, now)
            case SimulatedOrder() as order:
                return self._shown(order, 200)
        if exchange.op == "products":
            return Reply(200, answers.encode({"skus": LISTED}))
        known = self.orders.by_external.get(exchange.reference)
        return _error("ORDER_UNKNOWN") if known is None else self._shown(known, 200)

    def _place(
        self, form: calls.OrderForm, now: float, *, reason: str | None = None, due: float | None = None
    ) -> Reply:
        """Take an order. `reason` and `due`, when given, replace what the profile would make of it."""
        known = self.orders.by_external.get(form.external_id)
        if known is not None:
            same = known.form.content == form.content
            return self._shown(known, 200) if same else _error("EXTERNAL_ID_CONFLICT")
        if form.external_id in self.orders.tombstones:
            return _error("EXTERNAL_ID_CANCELLED")
        if form.tender is None or form.tender.minor < form.unit_amount.minor:
            return _error("TENDER_MISSING")
        number = self.book.next_number("orders")
        at_once = due is None and self._is_immediate(number)
        if due is None:
            due = now if at_once else now + self.profile.fulfil_after_ms / 1000
        order = SimulatedOrder(f"BW-{number:08d}", form, due, reason or verdict_on(form))
        self.orders.add(order)
        if at_once and order.verdict is None and form.unit_amount.minor <= self.book.float_cents:
            self._fulfil(order, now)
            return self._shown(order, 201)
        return self._shown(order, 202)

    def _is_immediate(self, number: int) -> bool:
        """Spread the share evenly: of 30 percent the 4th, 7th and 10th of every ten."""
        percent = self.profile.immediate_percent
        return number * percent // 100 > (number - 1) * percent // 100

    def _acknowledge(self, external_id: str) -> Reply:
        order = self.orders.by_external.get(external_id)
        if order is None:
            return _error("EXTERNAL_ID_CANCELLED" if external_id in self.orders.tombstones else "ORDER_UNKNOWN")
        if order.state == CANCELLED:
            return _error("EXTERNAL_ID_CANCELLED")
        if order.state != FULFILLED:
            return _error("NOT_FULFILLED")
        order.acknowledged = True
        return self._shown(order, 200)

    def _cancel(self, external_id: str, now: float) -> Reply:
        order = self.orders.by_external.get(external_id)
        if order is None:
            self.orders.bury(external_id)
            return _cancelled(external_id, known=False)
        if order.state == PENDING:
            order.state = CANCELLED
        elif order.state == FULFILLED and order.voucher is not None:
            if order.voucher.state == USED:
                return _error("VOUCHER_USED")
            if order.acknowledged:
                return _error("ALREADY_ACKNOWLEDGED")
            if now > order.fulfilled_at + CANCEL_WINDOW_S:
                return _error("REVERSAL_WINDOW_CLOSED")
            order.state = CANCELLED
            self.take_back(order.voucher, CANCELLED, now, entered=True)
        return _cancelled(external_id, known=True)

    def _validate(self, pin: str, now: float) -> Reply:
        voucher = self.book.by_code(pin)
        if voucher is None:
            return _error("VOUCHER_UNKNOWN")
        state = EXPIRED if voucher.state == ACTIVE and now > voucher.expires_at else voucher.state
        return Reply(200, answers.encode(answers.voucher_part(voucher) | {"state": state}))

    # Orders in time

    def _ripen(self, now: float) -> None:
        """Decide every order whose time has come."""
        for order in self.orders.ripe(now):
            if order.verdict is None and order.form.unit_amount.minor > self.book.float_cents:
                order.verdict = "CREDIT_EXHAUSTED"
            if order.verdict is None:
                self._fulfil(order, order.due)
            else:
                order.state, order.reason = REJECTED, order.verdict

    def _fulfil(self, order: SimulatedOrder, now: float) -> None:
        form = order.form
        voucher = issue(
            self.book,
            reference=form.external_id,
            order_id=order.order_id,
            sku_id=form.sku_id,
            cents=form.unit_amount.minor,
            now=now,
        )
        voucher.store = form.outlet
        order.state, order.fulfilled_at, order.voucher = FULFILLED, now, voucher
        self.sell(voucher)
        self.book.enter(RowType.SALE, voucher, voucher.cents, now)

    def _shown(self, order: SimulatedOrder, status: int) -> Reply:
        return Reply(status, answers.order_body(order, self.profile.poll_after_ms))

    # Faults

    def refuse_credentials(self, _exchange: Exchange) -> Reply:
        return _error("TOKEN_INVALID")

    def decline(self, exchange: Exchange, code: str) -> Reply:
        """A reason is told by an order that is accepted and then rejected; every other code by the status."""
        form = exchange.message
        if code in answers.REASONS and isinstance(form, calls.OrderForm) and exchange.refusal is None:
            return msgspec.structs.replace(self._place(form, self.now(), reason=code), processed=False)
        return _error(code)

    def own_fault(self, exchange: Exchange, fault: Fault, now: float) -> Reply:
        form = exchange.message
        if not isinstance(form, calls.OrderForm) or exchange.refusal is not None:
            return self.answer(exchange, now)
        if fault.kind == PENDING_FOR_EVER:
            return self._place(form, now, due=NEVER)
        return self._place(form, now, reason=fault.params.code or "RISK_REVIEW")

    def spoil(self, reply: Reply, fault: Fault) -> Reply:
        if reply.status >= 300:
            return reply
        if fault.kind != "wrong_reference":
            reply = self._with_voucher(reply)
        return Reply(reply.status, answers.altered(reply.body, fault.kind, fault.params.delta_cents))

    def _with_voucher(self, reply: Reply) -> Reply:
        """A pending order has no voucher to spoil, so it is fulfilled at once."""
        shown: dict[str, Any] = msgspec.json.decode(reply.body)
        order = self.orders.by_external.get(shown.get("externalId", ""))
        if shown.get("state") != PENDING or order is None or order.verdict is not None:
            return reply
        self._fulfil(order, self.now())
        return self._shown(order, 201 if reply.status == 202 else reply.status)

    # The control API

    def reset(self) -> None:
        super().reset()
        self.orders.clear()

    def state(self, reference: str | None, code: str | None) -> dict[str, Any] | None:
        self._ripen(self.now())
        return super().state(reference, code)

    def totals(self) -> dict[str, Any]:
        self._ripen(self.now())
        states = dict.fromkeys((PENDING, FULFILLED, REJECTED, CANCELLED), 0)
        for order in self.orders.by_external.values():
            states[order.state] += 1
        return super().totals() | {"orders": states}

    def mint(self, seeded: SeededVoucher, state: str, now: float) -> BookVoucher:
        sku = SKUS.get(seeded.product_ref or LISTED[0].sku_id)
        if sku is None:
            raise ControlError(400, "productRef is not a product")
        pin = seeded.code
        if pin is not None and not (len(pin) == 10 and pin.isascii() and pin.isdecimal()):
            raise ControlError(400, "code must be 10 digits")
        reference = self.seed_reference()
        cents = seeded.value_cents
        return issue(
            self.book, reference=reference, order_id="", sku_id=sku.sku_id, cents=cents, now=now, state=state, pin=pin
        )

    def set_profile(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        self.profile = msgspec.convert(msgspec.to_builtins(self.profile) | dict(wanted), Profile)
        shown: dict[str, Any] = msgspec.to_builtins(self.profile)
        return shown

    def recon_day(self, day: date) -> ReconDay:
        self._ripen(self.now())
        return recon_day(self.book, self.orders, day)


def _error(code: str, message: str = "") -> Reply:
    status, body = answers.error(code, message)
    return Reply(status, body)


def _cancelled(external_id: str, *, known: bool) -> Reply:
    return Reply(200, answers.encode({"externalId": external_id, "state": CANCELLED, "known": known}))
