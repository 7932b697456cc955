"""The sandbox behind the common frame: reads a call, checks who sends it, hands it to vouchers.py or movements.py."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from voucherswitch.providers.contract.simulator.faults import Fault
from voucherswitch.providers.contract.simulator.provider import ControlError, Exchange, Reply
from voucherswitch.providers.contract.simulator.recon import ReconDay
from voucherswitch.providers.contract.simulator.wires import Request
from voucherswitch.providers.sandbox.simulator import calls, movements, vouchers, world
from voucherswitch.providers.sandbox.simulator.answers import altered, encode, refusal
from voucherswitch.providers.sandbox.simulator.book import (
    ADVICES_KEPT_MAX,
    FLOAT_CENTS,
    Advised,
    Book,
    Movement,
    VoucherRecord,
    remember,
)
from voucherswitch.providers.sandbox.simulator.lifecycle import REVERSED
from voucherswitch.providers.sandbox.simulator.products import (
    ADVICE_FAILS,
    ADVICE_LOST,
    LISTED,
    ordered_decline,
    product,
    transport_by_amount,
)
from voucherswitch.providers.sandbox.simulator.recon import recon_day

BASE_PATH: Final = "/sandbox/v1/"
API_KEY: Final = "example-sandbox-key"

_CREDENTIALS: Final = f"Bearer {API_KEY}".encode()
_UNKNOWN_CALL: Final = refusal("UNKNOWN_CALL", 404)
_PRODUCTS: Final = Reply(200, encode({"products": LISTED}))


class Profile(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """How strict the sandbox is about ids and codes that were used before."""

    id_reuse: Literal["replay", "rebind"] = "replay"
    code_reuse: Literal["strict", "rebind"] = "strict"


class SandboxProvider:
    """The sandbox's protocol and books."""

    operations = calls.NAMES
    own_faults: frozenset[str] = frozenset()

    def __init__(self, profile: Profile, float_cents: int = FLOAT_CENTS) -> None:
        self.book = Book(float_cents)
        self.profile = profile

    # The protocol

    def read(self, request: Request) -> Exchange:
        path = request.target.partition("?")[0]
        call, reference = (
            calls.find(request.method, path[len(BASE_PATH) :]) if path.startswith(BASE_PATH) else (None, "")
        )
        if call is None:
            return Exchange(request, "", f"{request.method} {path[:60]}", refusal=_UNKNOWN_CALL)
        exchange = Exchange(request, call.op, call.wire_op, reference, success=call.success)
        if request.header(b"authorization") != _CREDENTIALS:
            exchange.refusal = refusal("AUTHENTICATION_ERROR")
        if call.decoder is not None:
            try:
                form = exchange.message = call.decoder.decode(request.body)
            except (msgspec.MsgspecError, RecursionError):
                exchange.refusal = exchange.refusal or refusal("FORMAT_ERROR")
                return exchange
            if not reference:
                exchange.reference = getattr(form, "request_id", None) or ""
            elif call.op == "retry" and isinstance(form, calls.Provision) and form.request_id != reference:
                exchange.refusal = exchange.refusal or refusal("FORMAT_ERROR")
            if isinstance(form, calls.Lookup) and (form.code, form.serial, form.request_id).count(None) != 2:
                exchange.refusal = exchange.refusal or refusal("FORMAT_ERROR")
        return exchange

    def answer(self, exchange: Exchange, now: float) -> Reply:
        if exchange.refusal is not None:
            return exchange.refusal
        book, form = self.book, exchange.message
        rebind_code, rebind_id = self.profile.code_reuse == "rebind", self.profile.id_reuse == "rebind"
        match form:
            case calls.Provision() if exchange.op == "provision":
                return vouchers.provision(book, form, now, rebind_code=rebind_code)
            case calls.Provision():
                return vouchers.retry(book, form, now, rebind_code=rebind_code)
            case calls.Redeem():
                return movements.redeem(book, form, now, rebind_id=rebind_id)
            case calls.Refund():
                return movements.refund(book, form, now, rebind_id=rebind_id)
            case calls.Confirm() | calls.Reverse():
                return self._advise(exchange, form.advice_id, now)
            case calls.Lookup():
                return vouchers.lookup(book, form, now)
        match exchange.op:
            case "status":
                return vouchers.status(book, exchange.reference, now)
            case "redeemStatus":
                return movements.status(book, "redemptions", exchange.reference, now)
            case "refundStatus":
                return movements.status(book, "refunds", exchange.reference, now)
            case _:
                return _PRODUCTS

    def _advise(self, exchange: Exchange, advice_id: str, now: float) -> Reply:
        """Any of the six advices. A repeat of its id gets the first answer again."""
        book, op, request_id = self.book, exchange.op, exchange.reference
        what = exchange.wire_op.split("/")[1]
        target: VoucherRecord | Movement | None
        target = book.vouchers.get(request_id) if what == "vouchers" else book.movements(what).get(request_id)
        unheard = (op, request_id, advice_id)
        if unheard in book.unheard:
            return refusal("UNABLE_TO_LOCATE_RECORD")
        if target is None:
            return self._advise_unknown(what, unheard)
        for earlier in target.advised:
            if (earlier.op, earlier.advice_id) == (op, advice_id):
                return _advised(request_id, earlier)
        if isinstance(target, VoucherRecord):
            code = vouchers.advise(book, target, op, now)
        else:
            code = movements.advise(book, target, op, now)
        advised = Advised(op, advice_id, code, target.state)
        target.advised = (*target.advised[-ADVICES_KEPT_MAX + 1 :], advised)
        return _advised(request_id, advised)

    def _advise_unknown(self, what: str, unheard: tuple[str, str, str]) -> Reply:
        op, request_id, advice_id = unheard
        if what == "vouchers" and (what, request_id) in self.book.tombstones:
            # The column REVERSED: a tombstone is a reversed voucher that never was.
            if op == "confirm":
                return refusal("VOUCHER_ALREADY_REVERSED")
            return _advised(request_id, Advised(op, advice_id, None, REVERSED))
        remember(self.book.unheard, unheard)
        if op.startswith("reverse"):
            remember(self.book.tombstones, (what, request_id))
        return refusal("UNABLE_TO_LOCATE_RECORD")

    # Scripts

    def script(self, exchange: Exchange, now: float) -> Fault | None:
        if exchange.refusal is not None:
            return None
        form, book = exchange.message, self.book
        match form:
            case calls.Provision() if exchange.op == "provision":
                sold = product(form.product_id)
                script = (sold and sold.transport) or transport_by_amount(form.amount_cents)
                if script is None or vouchers.refuse_provision(
                    book, form, rebind_code=self.profile.code_reuse == "rebind"
                ):
                    return None
            case calls.Redeem():
                script = transport_by_amount(form.amount_cents)
                if script is None or form.request_id in book.redemptions or movements.refuse_redeem(book, form, now):
                    return None
            case calls.Refund():
                script = transport_by_amount(form.amount_cents)
                if (
                    script is None
                    or form.request_id in book.refunds
                    or not isinstance(movements.refundable(book, form), Movement)
                ):
                    return None
            case calls.Confirm() | calls.Reverse():
                return self._advice_script(exchange)
            case _:
                return None
        # Only the first creating call of a request id: whoever comes back finds a provider that behaves.
        if (exchange.op, form.request_id) in book.scripted:
            return None
        remember(book.scripted, (exchange.op, form.request_id))
        return script

    def _advice_script(self, exchange: Exchange) -> Fault | None:
        book = self.book
        what = exchange.wire_op.split("/")[1]
        movement = None if what == "vouchers" else book.movements(what).get(exchange.reference)
        voucher = book.vouchers.get(exchange.reference if movement is None else movement.voucher_id)
        sold = None if voucher is None else product(voucher.product_id)
        if voucher is None or sold is None or not (sold.advice_fails or sold.advice_losses):
            return None
        voucher.advice_attempts += 1
        if voucher.advice_attempts <= sold.advice_fails:
            return ADVICE_FAILS
        return ADVICE_LOST if voucher.advice_attempts <= sold.advice_losses else None

    # Faults that need to know the protocol

    def refuse_credentials(self, _exchange: Exchange) -> Reply:
        return refusal("AUTHENTICATION_ERROR")

    def decline(self, _exchange: Exchange, code: str) -> Reply:
        return ordered_decline(code)

    def spoil(self, reply: Reply, fault: Fault) -> Reply:
        body = altered(reply.body, fault.kind, fault.params.delta_cents)
        return Reply(reply.status, body, reply.content_type)

    # The control API

    def reset(self) -> None:
        self.book.clear()

    def totals(self) -> dict[str, Any]:
        return world.totals(self.book)

    def state(self, reference: str | None, code: str | None) -> dict[str, Any] | None:
        return world.state(self.book, reference, code)

    def seed(self, wanted: Mapping[str, Any], now: float) -> dict[str, Any]:
        return world.seed(self.book, wanted, now)

    def world_event(self, code: str, event: str, now: float) -> dict[str, Any]:
        return world.event(self.book, code, event, now)

    def set_float(self, cents: int) -> None:
        self.book.float_cents = cents

    def set_profile(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        current: dict[str, Any] = msgspec.to_builtins(self.profile)
        self.profile = msgspec.convert(current | dict(wanted), Profile)
        return current | dict(wanted)

    def own_fault(self, _exchange: Exchange, fault: Fault, _now: float) -> Reply:
        raise NotImplementedError(fault.kind)

    def control(self, _method: str, _path: str, _wanted: Mapping[str, Any], _now: float) -> Any:
        raise ControlError(404, "this simulator has no such control call")

    def recon_day(self, day: date) -> ReconDay:
        return recon_day(self.book, day)


def _advised(request_id: str, advised: Advised) -> Reply:
    if advised.refusal is not None:
        return refusal(advised.refusal)
    return Reply(202, encode({"requestId": request_id, "adviceId": advised.advice_id, "state": advised.state}))
