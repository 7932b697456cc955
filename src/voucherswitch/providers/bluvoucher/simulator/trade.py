"""The trade API on the provider's side (providers.md 8.6), on the same books as AEON."""

import re
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from voucherswitch.providers.bluvoucher.simulator import stock
from voucherswitch.providers.contract.answers import rand
from voucherswitch.providers.contract.provider_time import SAST
from voucherswitch.providers.contract.simulator.book import Book, BookVoucher
from voucherswitch.providers.contract.simulator.booked import VALID_OUTLETS
from voucherswitch.providers.contract.simulator.provider import Exchange, Reply
from voucherswitch.providers.contract.simulator.wires import Request
from voucherswitch.providers.contract.statements import RowType

BASE_PATH: Final = "/v2/trade"
API_KEY: Final = "example-apikey"
API_USER: Final = "sim-trade"
API_PASSWORD: Final = "example-trade-password"  # noqa: S105 (the simulator's own)

SALES: Final = "POST /voucher/variable/sales"
VOUCHERS: Final = "GET /voucher/variable/vouchers"
REDEMPTIONS: Final = "POST /voucher/variable/redemptions"
OPERATIONS: Final = {SALES: "provision", VOUCHERS: "lookup", REDEMPTIONS: "redeem"}

_BASIC: Final = b"Basic c2ltLXRyYWRlOmV4YW1wbGUtdHJhZGUtcGFzc3dvcmQ="
_INSTRUCTIONS: Final = "Redeem at a partner site"
_TOKEN: Final = re.compile(r"[0-9]{16}")
_CODE_STATUS: Final = {"AMOUNT": 400, "USED": 409, "DUPLICATE": 409}
UNLISTED_STATUS: Final = 422

RequestId = Annotated[str, Meta(pattern="^[0-9A-Za-z-]{36}$")]
Token = Annotated[str, Meta(pattern="^[0-9]{16}$")]


class _Meta(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    transaction_request_date_time: datetime
    consumer_account_number: Annotated[str, Meta(min_length=1)]


class _Sale(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    request_id: RequestId
    product_id: str
    amount: int
    vend_meta_data: _Meta


class _Redemption(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    request_id: RequestId
    token: Token
    amount: Annotated[int, Meta(ge=0)]


_FORMS: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    SALES: msgspec.json.Decoder(_Sale),
    REDEMPTIONS: msgspec.json.Decoder(_Redemption),
}


class Trade:
    """The calls, on the provider's books.

    Attributes:
        resend: what a repeated requestId gets: `conflict` (409 DUPLICATE) or `replay` (the first answer).
        lookup_unit: of the amount that a lookup shows.
    """

    def __init__(self, book: Book) -> None:
        self.book = book
        self.resend: Literal["conflict", "replay"] = "conflict"
        self.lookup_unit: Literal["cents", "rand"] = "cents"
        self._answered: dict[str, Reply] = {}

    def reset(self) -> None:
        """Forget the first answers; the books are their owner's."""
        self._answered.clear()

    def read(self, request: Request) -> Exchange:
        """Recognise a call; changes nothing."""
        path, _, query = request.target.partition("?")
        call = f"{request.method} {path.removeprefix(BASE_PATH)}" if path.startswith(BASE_PATH) else ""
        if call not in OPERATIONS:
            return Exchange(request, "", f"{request.method} {path[:60]}", refusal=error(404, "", "No such call"))
        exchange = Exchange(request, OPERATIONS[call], call, success=201 if call == SALES else 200)
        if request.header(b"apikey") != API_KEY.encode() or request.header(b"authorization") != _BASIC:
            exchange.refusal = error(401, "", "Credentials refused")
        form = _FORMS.get(call)
        if form is None:
            exchange.message = query.removeprefix("token=")
            if not _TOKEN.fullmatch(exchange.message):
                exchange.refusal = exchange.refusal or error(400, "", "Malformed request")
            return exchange
        try:
            exchange.message = form.decode(request.body)
            exchange.reference = exchange.message.request_id
        except (msgspec.MsgspecError, RecursionError):
            exchange.refusal = exchange.refusal or error(400, "", "Malformed request")
        if request.header(b"content-type") != b"application/json":
            exchange.refusal = exchange.refusal or error(400, "", "Not JSON")
        return exchange

    def answer(self, exchange: Exchange, now: float) -> Reply:
        """Check a call and, if it passes, let it take effect."""
        if exchange.refusal is not None:
            return exchange.refusal
        form = exchange.message
        if isinstance(form, str):
            return self._lookup(form, now)
        if self._used(form.request_id):
            first = self._answered.get(form.request_id)
            if self.resend == "replay" and first is not None:
                return first
            return error(409, "DUPLICATE", "Request was processed before")
        reply = self._sell(form, now) if isinstance(form, _Sale) else self._redeem(form, now)
        if reply.status < 300:
            self._answered[form.request_id] = reply
            if len(self._answered) > stock.REMEMBERED_MAX:
                del self._answered[next(iter(self._answered))]
        return reply

    def _used(self, request_id: str) -> bool:
        return request_id in self._answered or bool(self.book.by_reference(request_id))

    def _sell(self, form: _Sale, now: float) -> Reply:
        if form.vend_meta_data.consumer_account_number not in VALID_OUTLETS:
            return error(404, "", "Unknown account")
        if form.product_id != stock.PRODUCT:
            return error(404, "", "Unknown product")
        if not stock.amount_sold(form.amount):
            return error(400, "AMOUNT", "Amount out of range")
        if form.amount > self.book.float_cents:
            return error(403, "", "Trading limit reached")
        voucher = stock.new_voucher(self.book, now, form.amount, form.request_id, self._next_reference(), stock.ACTIVE)
        voucher.store = form.vend_meta_data.consumer_account_number
        self.book.float_cents -= form.amount
        self.book.add(voucher)
        self.book.enter(RowType.SALE, voucher, voucher.cents, now)
        body = {
            "requestId": form.request_id,
            "reference": voucher.provider_ref,
            "token": voucher.code,
            "amount": voucher.cents,
            "serialNumber": voucher.serial,
            "expiryDateTime": _expiry(voucher),
            "productInstructions": _INSTRUCTIONS,
        }
        return Reply(201, msgspec.json.encode(body))

    def _lookup(self, token: str, now: float) -> Reply:
        voucher = self.book.by_code(token)
        if voucher is None:
            return error(404, "", "Voucher not found")
        state = stock.state_of(voucher, now)
        status = {stock.ACTIVE: "ACTIVE", stock.SPENT: "USED"}.get(state, "EXPIRED")
        in_rand = self.lookup_unit == "rand"
        amount = msgspec.Raw(rand(voucher.cents).encode() if in_rand else b"%d" % voucher.cents)
        return Reply(200, msgspec.json.encode({"status": status, "amount": amount}))

    def _redeem(self, form: _Redemption, now: float) -> Reply:
        voucher = self.book.by_code(form.token)
        if voucher is None:
            return error(404, "", "Voucher not found")
        state = stock.state_of(voucher, now)
        if state == stock.SPENT:
            return error(409, "USED", "Voucher was used")
        if state != stock.ACTIVE:
            return error(404, "", "Voucher cannot be used")
        cents = form.amount or voucher.cents
        if cents > voucher.cents:
            return error(400, "AMOUNT", "Amount above the voucher's value")
        reference = self._next_reference()
        voucher.become(stock.SPENT, now)
        voucher.balance_cents = 0
        voucher.details["spender"] = form.request_id
        self.book.enter(RowType.REDEEM, voucher, cents, now, reference=form.request_id, provider_ref=reference)
        body: dict[str, Any] = {"reference": reference, "amount": cents}
        if cents < voucher.cents:
            rest = stock.new_voucher(self.book, now, voucher.cents - cents, form.request_id, reference, stock.ACTIVE)
            rest.expires_at = voucher.expires_at
            self.book.add(rest)
            body["replacementVoucher"] = {
                "token": rest.code,
                "serialNumber": rest.serial,
                "expiryDateTime": _expiry(rest),
            }
        return Reply(200, msgspec.json.encode(body))

    def _next_reference(self) -> str:
        return f"TR{self.book.next_number('trades'):010d}"


def error(status: int, code: str, text: str) -> Reply:
    """A refusal; `code` is left out where there is none."""
    return Reply(status, msgspec.json.encode(({"code": code} if code else {}) | {"message": text}))


def ordered_error(code: str) -> Reply:
    """The refusal that a test orders: by our own code, or by an HTTP status without a code."""
    if re.fullmatch(r"[45][0-9]{2}", code):
        return error(int(code), "", "Refused")
    return error(_CODE_STATUS.get(code, UNLISTED_STATUS), code, "Refused")


def _expiry(voucher: BookVoucher) -> str:
    return datetime.fromtimestamp(voucher.expires_at, SAST).isoformat(timespec="seconds")
