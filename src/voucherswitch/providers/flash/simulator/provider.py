"""The Flash simulator's protocol: reading, answering, faults (providers.md section 9)."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar, Final

import msgspec
from msgspec import Struct

from voucherswitch.providers.contract.simulator.book import FLOAT_CENTS, BookVoucher
from voucherswitch.providers.contract.simulator.booked import BookedProvider, SeededVoucher, WorldEvent
from voucherswitch.providers.contract.simulator.faults import Fault
from voucherswitch.providers.contract.simulator.provider import ControlError, Exchange, Reply
from voucherswitch.providers.contract.simulator.recon import ReconDay
from voucherswitch.providers.contract.simulator.wires import JSON_TYPE, Request
from voucherswitch.providers.contract.statements import RowType
from voucherswitch.providers.flash.simulator import recon, vouchers
from voucherswitch.providers.flash.simulator.answers import ACCOUNT, altered, encode, refused, succeeded
from voucherswitch.providers.flash.simulator.calls import (
    CALLS,
    OPERATIONS,
    PRODUCTS,
    TOKEN,
    Form,
    GiftPurchase,
    Priced,
    Purchase,
    Redeem,
    Refund,
    Reverse,
)
from voucherswitch.providers.flash.simulator.tokens import BAD_CLIENT, BAD_TOKEN, Tokens

API_PATH: Final = "/aggregation/4.0"
REPLAY_S: Final = 1_800  # how long a reference gets its first answer again
REPLAYS_KEPT_MAX: Final = 50_000

# Answers that a repeated reference gets again. An error of the system and a reversal that found nothing are asked anew.
_NOT_REMEMBERED: Final = frozenset({7001, 7201, 7202, 7301, 7901, 7999})
_UNKNOWN_CALL: Final = Reply(404, encode({"error": "not_found"}))


class Answered(Struct, frozen=True):
    """The first answer to a reference. `form` tells a repeat from another message."""

    at: float
    form: Form
    reply: Reply


class FlashProvider(BookedProvider):
    """Flash without a socket."""

    operations = OPERATIONS
    states = vouchers.STATES
    seeded_state = vouchers.ACTIVE
    world: ClassVar = {
        "REDEEM": WorldEvent(frozenset({vouchers.ACTIVE}), vouchers.USED),
        "EXPIRE": WorldEvent(frozenset({vouchers.ACTIVE}), vouchers.EXPIRED),
    }

    def __init__(self, float_cents: int = FLOAT_CENTS, *, reverse: bool = False) -> None:
        super().__init__(float_cents)
        self.tokens = Tokens()
        self.reverse_enabled = reverse
        self._answered: dict[str, Answered] = {}

    def reset(self) -> None:
        super().reset()
        self.tokens.restart_numbers()
        self._answered.clear()

    # The protocol

    def read(self, request: Request) -> Exchange:
        path = request.target.partition("?")[0]
        if (request.method, path) == ("POST", "/token"):
            return Exchange(request, TOKEN.op, TOKEN.wire_op)
        if (request.method, path) == ("GET", f"{API_PATH}/accounts/{ACCOUNT}/products"):
            return Exchange(request, PRODUCTS.op, PRODUCTS.wire_op)
        call = CALLS.get((request.method, path[len(API_PATH) :])) if path.startswith(API_PATH) else None
        if call is None or call.decoder is None:
            return Exchange(request, "", f"{request.method} {path[:60]}", refusal=_UNKNOWN_CALL)
        exchange = Exchange(request, call.op, call.wire_op)
        try:
            form = exchange.message = call.decoder.decode(request.body)
        except (msgspec.MsgspecError, RecursionError):
            exchange.refusal = refused(7001)
            return exchange
        # A reversal is about the purchase, whatever its own reference.
        exchange.reference = form.original_reference if isinstance(form, Reverse) else form.reference
        if request.header(b"content-type") != JSON_TYPE:
            exchange.refusal = refused(7001, form)
        return exchange

    def answer(self, exchange: Exchange, now: float) -> Reply:
        if exchange.op == TOKEN.op:
            return self.tokens.issue(exchange.request, now)
        if not self.tokens.accepts(exchange.request, now):
            return BAD_TOKEN
        if exchange.op == "reverse" and not self.reverse_enabled:
            return _UNKNOWN_CALL
        if exchange.refusal is not None:
            return exchange.refusal
        if exchange.op == PRODUCTS.op:
            return _PRODUCTS
        form: Form = exchange.message
        first = self._answered.get(form.reference)
        if first is not None and now - first.at < REPLAY_S:
            return first.reply if first.form == form else refused(7201, form)
        # From here on the reference is a new one, also one that brought a voucher half an hour ago.
        code = self._refusal(form, now)
        reply = self._do(form, now) if code is None else refused(code, form)
        if code not in _NOT_REMEMBERED:
            self._remember(form, now, reply)
        return reply

    def _remember(self, form: Form, now: float, reply: Reply) -> None:
        self._answered.pop(form.reference, None)
        if len(self._answered) >= REPLAYS_KEPT_MAX:
            del self._answered[next(iter(self._answered))]
        self._answered[form.reference] = Answered(now, form, reply)

    def _refusal(self, form: Form, now: float) -> int | None:
        if not isinstance(form, Reverse):
            return vouchers.refuse(self.book, form, now)
        original = vouchers.bought(self.book, form.original_reference)
        if original is None:
            return 7301
        return 7302 if original.state == vouchers.USED else None

    def _do(self, form: Form, now: float) -> Reply:
        transaction_id = vouchers.next_transaction(self.book)
        made: BookVoucher | None = None
        match form:
            case Purchase() | GiftPurchase():
                made = self._sold(form, transaction_id, now)
            case Redeem():
                made = self._redeemed(form, transaction_id, now)
            case Refund():
                made = self._refunded(form, transaction_id, now)
            case Reverse():
                self._reversed(form, now)
        return succeeded(form, transaction_id, now, made)

    def _sold(self, form: Purchase | GiftPurchase, transaction_id: str, now: float) -> BookVoucher:
        voucher = self._make(form, form.amount, transaction_id, now)
        voucher.details["bought"] = True
        self.sell(voucher)
        self._enter(RowType.SALE, form, voucher, form.amount, transaction_id, now)
        return voucher

    def _redeemed(self, form: Redeem, transaction_id: str, now: float) -> BookVoucher | None:
        """A redemption uses the voucher up; what was not asked for comes back as another one."""
        voucher = self.book.by_code(form.pin)
        assert voucher is not None
        change_cents, voucher.balance_cents = voucher.balance_cents - form.amount, 0
        voucher.become(vouchers.USED, now)
        self._enter(RowType.REDEEM, form, voucher, form.amount, transaction_id, now)
        if change_cents == 0:
            return None
        change = self._make(form, change_cents, transaction_id, now)
        self.book.add(change)
        return change

    def _refunded(self, form: Refund, transaction_id: str, now: float) -> BookVoucher:
        voucher = self._make(form, form.amount, transaction_id, now)
        self.book.add(voucher)
        self._enter(RowType.REFUND, form, voucher, -form.amount, transaction_id, now)
        return voucher

    def _reversed(self, form: Reverse, now: float) -> None:
        voucher = vouchers.bought(self.book, form.original_reference)
        assert voucher is not None
        if voucher.state != vouchers.CANCELLED:
            self.take_back(voucher, vouchers.CANCELLED, now, entered=True)

    def _make(self, form: Priced, cents: int, transaction_id: str, now: float) -> BookVoucher:
        product = vouchers.product_of(form)
        assert product is not None
        return vouchers.make(self.book, product, cents, form.reference, transaction_id, now)

    def _enter(
        self, kind: RowType, form: Priced, voucher: BookVoucher, cents: int, transaction_id: str, now: float
    ) -> None:
        self.book.enter(
            kind,
            voucher,
            cents,
            now,
            reference=form.reference,
            provider_ref=transaction_id,
            store=form.metadata.get("store", ""),
            metadata=form.metadata,
        )

    # Faults that need to know the protocol

    def refuse_credentials(self, exchange: Exchange) -> Reply:
        return BAD_CLIENT if exchange.op == TOKEN.op else BAD_TOKEN

    def decline(self, exchange: Exchange, code: str) -> Reply:
        return refused(int(code) if code.isdecimal() else code, exchange.message)

    def spoil(self, reply: Reply, fault: Fault) -> Reply:
        body = altered(reply.body, fault.kind, fault.params.delta_cents)
        return msgspec.structs.replace(reply, body=body)

    # Past the protocol

    def mint(self, seeded: SeededVoucher, state: str, now: float) -> BookVoucher:
        product = vouchers.BY_REF.get(seeded.product_ref or vouchers.ONE_VOUCHER.ref)
        if product is None:
            raise ControlError(400, "productRef is not a product")
        if seeded.code is not None and not re.fullmatch("[0-9]{16}", seeded.code):
            raise ControlError(400, "code must be 16 digits")
        transaction_id = vouchers.next_transaction(self.book)
        voucher = vouchers.make(
            self.book, product, seeded.value_cents, self.seed_reference(), transaction_id, now, seeded.code
        )
        voucher.state = state
        return voucher

    def set_profile(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        profile = msgspec.convert(wanted, Profile)
        if profile.reverse is not None:
            self.reverse_enabled = profile.reverse
        return {"reverse": self.reverse_enabled}

    def control(self, method: str, path: str, wanted: Mapping[str, Any], now: float) -> Any:
        if (method, path) == ("POST", "/__sim/tokens/expire"):
            return {"expired": self.tokens.expire()}
        return super().control(method, path, wanted, now)

    def recon_day(self, day: date) -> ReconDay:
        return recon.recon_day(self.book, day)


class Profile(Struct, forbid_unknown_fields=True):
    """`reverse`: whether there is a reverse call."""

    reverse: bool | None = None


_PRODUCTS: Final = Reply(
    200,
    encode(
        {
            "responseCode": 0,
            "responseMessage": "Success",
            "accountNumber": ACCOUNT,
            "products": [
                {
                    "productCode": product.code,
                    "productName": product.name,
                    "vendor": product.vendor,
                    "productGroup": "1Voucher" if product is vouchers.ONE_VOUCHER else "Gift vouchers",
                    "minimumAmount": product.min_cents,
                    "maximumAmount": product.max_cents,
                    "status": product.status,
                    "barcode": "",
                }
                for product in vouchers.PRODUCTS
            ],
        }
    ),
)
