"""The simulated Stellr behind the common frame (Proposed): reads a message, checks it in order, keeps the books.

It remembers every RequestId for ever and answers a repeat with 301, never with the first answer: the point of it.
"""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import ClassVar, Final, cast

import msgspec

from voucherswitch.providers.contract.provider_time import SAST
from voucherswitch.providers.contract.simulator.book import FLOAT_CENTS, VOUCHERS_MAX, BookVoucher
from voucherswitch.providers.contract.simulator.booked import VALID_OUTLETS, BookedProvider, SeededVoucher, WorldEvent
from voucherswitch.providers.contract.simulator.clock import business_day, months_later
from voucherswitch.providers.contract.simulator.faults import Fault
from voucherswitch.providers.contract.simulator.provider import ControlError, Exchange, Reply
from voucherswitch.providers.contract.simulator.recon import ReconDay
from voucherswitch.providers.contract.simulator.wires import Request
from voucherswitch.providers.contract.statements import RowType
from voucherswitch.providers.stellr.simulator import answers
from voucherswitch.providers.stellr.simulator.forms import CONTENT_TYPE, PATH, WIRE, Form, read_form
from voucherswitch.providers.stellr.simulator.products import PRODUCTS, Issuer
from voucherswitch.providers.stellr.simulator.recon import recon_day

ACTIVE: Final = "ACTIVE"
REDEEMED: Final = "REDEEMED"
EXPIRED: Final = "EXPIRED"
BLOCKED: Final = "BLOCKED"
REFERENCES_MAX: Final = 500_000  # beyond it the oldest are forgotten

_STATE_CODE: Final = {REDEEMED: "202", EXPIRED: "203", BLOCKED: "204"}
_LAYER: Final = b"text/plain"


class StellrProvider(BookedProvider):
    """The protocol and the books."""

    operations = frozenset({*WIRE, *(wire.op for wire in WIRE.values())})
    own_faults = frozenset({"doctype", "empty_products"})
    world: ClassVar[Mapping[str, WorldEvent]] = {
        "REDEEM": WorldEvent(frozenset({ACTIVE}), REDEEMED),
        "BLOCK": WorldEvent(frozenset({ACTIVE}), BLOCKED),
        "EXPIRE": WorldEvent(frozenset({ACTIVE}), EXPIRED),
    }
    states = frozenset({ACTIVE, REDEEMED, EXPIRED, BLOCKED})
    seeded_state = ACTIVE

    def __init__(self, float_cents: int = FLOAT_CENTS) -> None:
        super().__init__(float_cents)
        self._forget()

    def reset(self) -> None:
        super().reset()
        self._forget()

    def _forget(self) -> None:
        self._issuer = Issuer()
        self._references: dict[str, None] = {}  # of purchases and redemptions, for ever
        self._by_serial: dict[str, BookVoucher] = {}

    # The protocol

    def read(self, request: Request) -> Exchange:
        if request.target.partition("?")[0] != PATH:
            return Exchange(request, "", request.target[:60], refusal=Reply(404, b"", _LAYER))
        if request.method != "POST":
            return Exchange(request, "", request.method, refusal=Reply(405, b"", _LAYER))
        if request.header(b"content-type") != CONTENT_TYPE:
            return Exchange(request, "", "", refusal=Reply(415, b"", _LAYER))
        form = read_form(request.body)
        wire = WIRE.get(form.root)
        exchange = Exchange(request, "" if wire is None else wire.op, form.root[:60], form.request_id, form)
        if form.wrong is not None:
            exchange.refusal = answers.refusal(form.root, form.wrong, form.request_id)
        return exchange

    def answer(self, exchange: Exchange, now: float) -> Reply:
        if exchange.refusal is not None:
            return exchange.refusal
        form = cast("Form", exchange.message)
        match exchange.op:
            case "provision":
                return self._first_time(form) or self._purchase(form, now)
            case "redeem":
                return self._first_time(form) or self._redeem(form, now)
            case "lookup":
                return self._enquire(form, now)
            case "products":
                brand = form.fields.get("Brand")
                shown = [product for product in PRODUCTS.values() if brand in (None, product.brand)]
                return answers.approval(form.root, form.request_id, *answers.listed(shown))
            case _:
                return answers.echo(form.request_id, now)

    def _first_time(self, form: Form) -> Reply | None:
        """Refuse a RequestId that was used before, whatever came of it."""
        if form.request_id in self._references:
            return answers.refusal(form.root, "301", form.request_id)
        self._references[form.request_id] = None
        if len(self._references) > REFERENCES_MAX:
            del self._references[next(iter(self._references))]
        return None

    def _purchase(self, form: Form, now: float) -> Reply:
        fields, product = form.fields, PRODUCTS.get(form.fields["ProductCode"])
        code = None
        if fields["StoreId"] not in VALID_OUTLETS:
            code = "105"
        elif product is None:
            code = "101"
        elif not product.low <= form.cents <= product.high:
            code = "102"
        elif product.refused is not None:
            code = product.refused
        elif form.cents > self.book.float_cents:
            code = "110"
        if code is not None or product is None:
            return answers.refusal(form.root, code or "101", form.request_id)
        voucher = self._make(form.request_id, product.code, form.cents, ACTIVE, now)
        voucher.store, voucher.terminal = fields["StoreId"], fields["TillId"]
        self.sell(voucher)
        self._list(voucher)
        self.book.enter(RowType.SALE, voucher, voucher.cents, now)
        return answers.approval(form.root, form.request_id, *answers.issued(voucher, product.brand, product.pin_format))

    def _redeem(self, form: Form, now: float) -> Reply:
        fields, voucher = form.fields, self.book.by_code(form.fields["Pin"])
        if fields["StoreId"] not in VALID_OUTLETS:
            return answers.refusal(form.root, "105", form.request_id)
        if voucher is None:
            return answers.refusal(form.root, "201", form.request_id)
        self._expire(voucher, now)
        if voucher.state != ACTIVE:
            return answers.refusal(form.root, _STATE_CODE[voucher.state], form.request_id)
        if form.cents != voucher.cents:
            return answers.refusal(form.root, "102", form.request_id)
        voucher.become(REDEEMED, now)
        voucher.balance_cents = 0
        transaction_id = self._issuer.transaction_id()
        self.book.enter(
            RowType.REDEEM,
            voucher,
            voucher.cents,
            now,
            reference=form.request_id,
            provider_ref=transaction_id,
            store=fields["StoreId"],
            terminal=fields["TillId"],
        )
        return answers.approval(form.root, form.request_id, *answers.redeemed(transaction_id, voucher))

    def _enquire(self, form: Form, now: float) -> Reply:
        pin = form.fields.get("Pin")
        voucher = self._by_serial.get(form.fields.get("Serial", "")) if pin is None else self.book.by_code(pin)
        if voucher is None:
            return answers.refusal(form.root, "201", form.request_id)
        self._expire(voucher, now)
        brand = PRODUCTS[voucher.product].brand
        return answers.approval(form.root, form.request_id, *answers.enquired(voucher, brand))

    def _expire(self, voucher: BookVoucher, now: float) -> None:
        if voucher.state == ACTIVE and now > voucher.expires_at:
            voucher.become(EXPIRED, now)

    # Faults

    def refuse_credentials(self, exchange: Exchange) -> Reply:
        return self.decline(exchange, "401")

    def decline(self, exchange: Exchange, code: str) -> Reply:
        return answers.refusal(exchange.wire_op, code, exchange.reference)

    def spoil(self, reply: Reply, fault: Fault) -> Reply:
        body = answers.altered(reply.body, fault.kind, fault.params.delta_cents)
        return msgspec.structs.replace(reply, body=body)

    def own_fault(self, exchange: Exchange, fault: Fault, now: float) -> Reply:
        """`doctype`: the right answer, with a DOCTYPE before it; `empty_products`: a list without a product."""
        if fault.kind == "empty_products":
            return answers.approval("ProductListRequest", exchange.reference)
        reply = self.answer(exchange, now)
        return msgspec.structs.replace(reply, body=answers.with_doctype(reply.body))

    # The books

    def mint(self, seeded: SeededVoucher, state: str, now: float) -> BookVoucher:
        product = PRODUCTS.get(seeded.product_ref or "GAME0100")
        if product is None:
            raise ControlError(400, "productRef is not a product")
        voucher = self._make(self.seed_reference(), product.code, seeded.value_cents, state, now)
        if seeded.code is not None:
            voucher.code = seeded.code
        self._list(voucher)
        return voucher

    def _list(self, voucher: BookVoucher) -> None:
        self._by_serial[voucher.serial] = voucher
        if len(self._by_serial) > VOUCHERS_MAX:
            del self._by_serial[next(iter(self._by_serial))]

    def _make(self, reference: str, product_code: str, cents: int, state: str, now: float) -> BookVoucher:
        product = PRODUCTS[product_code]
        last_day = months_later(business_day(now), product.months)
        return BookVoucher(
            reference=reference,
            provider_ref=self._issuer.transaction_id(),
            code=self._issuer.pin(product.pin_format),
            serial=self._issuer.serial(),
            product=product.code,
            cents=cents,
            balance_cents=0 if state == REDEEMED else cents,
            state=state,
            issued_at=now,
            expires_at=datetime.combine(last_day, time(23, 59, 59), SAST).timestamp(),
        )

    def recon_day(self, day: date) -> ReconDay:
        return recon_day(self.book, day)
