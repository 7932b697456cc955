"""Hollywoodbets behind the common frame, by the proposed protocol: its calls, rules and books (providers.md 4)."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Final

import msgspec
from msgspec import Meta, Struct

from voucherswitch.providers.contract.answers import cents_of, rand
from voucherswitch.providers.contract.simulator.book import BookVoucher
from voucherswitch.providers.contract.simulator.booked import VALID_OUTLETS, BookedProvider, SeededVoucher, WorldEvent
from voucherswitch.providers.contract.simulator.check_digits import luhn
from voucherswitch.providers.contract.simulator.clock import business_day, sast
from voucherswitch.providers.contract.simulator.faults import Fault
from voucherswitch.providers.contract.simulator.provider import ControlError, Exchange, Reply
from voucherswitch.providers.contract.simulator.recon import ReconDay
from voucherswitch.providers.contract.simulator.wires import Request
from voucherswitch.providers.contract.statements import RowType
from voucherswitch.providers.hollywoodbets.signing import authorization
from voucherswitch.providers.hollywoodbets.simulator import answers, calls
from voucherswitch.providers.hollywoodbets.simulator.recon import recon_day
from voucherswitch.providers.hollywoodbets.stock import StockBatch, StockItem, stock_file_name, write_stock

BASE_PATH: Final = "/retail-topup/v1"
PARTNER: Final = "sim-partner"
PASSWORD: Final = "example-hb-password"  # noqa: S105 (invented, and the simulator's own)

DENOMINATIONS_CENTS: Final = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
OUT_OF_STOCK_CENTS: Final = 20_000
STOCK_CENTS: Final = 10_000  # face value of what is exported as stock
STOCK_ITEMS_MAX: Final = 10_000

REPLAY_S: Final = 24 * 3_600
BLOCK_WINDOW_S: Final = 3_600
KEPT_S: Final = 90 * 24 * 3_600

UNUSED: Final = "UNUSED"
USED: Final = "USED"
BLOCKED: Final = "BLOCKED"
LAPSED: Final = "LAPSED"

FIRST_VOUCHER_ID: Final = 51_000_001
FIRST_SEEDED_ID: Final = 59_000_001  # sold elsewhere: they leave the samples' values to our own
FIRST_SERIAL: Final = 4_100_000_001
FIRST_SEEDED_SERIAL: Final = 4_900_000_001
FIRST_PIN_BODY: Final = 47_120_386
FIRST_SEEDED_PIN_BODY: Final = 90_000_001

_CREDENTIALS: Final = authorization(PARTNER, PASSWORD).encode()


class StockExport(Struct, frozen=True, forbid_unknown_fields=True):
    """The query of `GET /__sim/stock`."""

    count: Annotated[int, Meta(ge=1, le=STOCK_ITEMS_MAX)]


class HollywoodbetsProvider(BookedProvider):
    """Hollywoodbets' proposed protocol and books."""

    operations = calls.NAMES
    own_faults = frozenset({"in_progress", "number_pin", "empty_body"})
    world: ClassVar[Mapping[str, WorldEvent]] = {
        "REDEEM": WorldEvent(frozenset({UNUSED}), USED),
        "BLOCK": WorldEvent(frozenset({UNUSED}), BLOCKED),
        "EXPIRE": WorldEvent(frozenset({UNUSED}), LAPSED),
    }
    states: ClassVar[frozenset[str]] = frozenset({UNUSED, USED, BLOCKED, LAPSED})
    seeded_state: ClassVar[str] = UNUSED

    # The protocol

    def read(self, request: Request) -> Exchange:
        path = request.target.partition("?")[0]
        call, reference = (
            calls.find(request.method, path[len(BASE_PATH) :]) if path.startswith(f"{BASE_PATH}/") else (None, "")
        )
        if call is None:
            return Exchange(request, "", f"{request.method} {path[:60]}", refusal=answers.no_such_call())
        exchange = Exchange(request, call.op, call.wire_op, reference)
        try:
            exchange.message = calls.read(call, request)
        except ValueError:
            exchange.refusal = answers.refusal("HB50", reference)
        if isinstance(exchange.message, calls.Issue):
            exchange.reference = exchange.message.partner_ref
        if request.header(b"authorization") != _CREDENTIALS:
            exchange.refusal = answers.credentials_refused()
        return exchange

    def answer(self, exchange: Exchange, now: float) -> Reply:
        if exchange.refusal is not None:
            return exchange.refusal
        match exchange.message:
            case calls.Issue() as form:
                return self._issue(form, now)
            case calls.Block():
                return self._block(exchange.reference, now)
            case calls.Query(pin=pin):
                return self._query(pin, now)
        if exchange.op == "products":
            return answers.done(denominations=[rand(cents) for cents in DENOMINATIONS_CENTS])
        voucher = self._remembered(exchange.reference, now)
        return answers.refusal("HB40", exchange.reference) if voucher is None else answers.issue(voucher)

    def _issue(self, form: calls.Issue, now: float) -> Reply:
        """POST /issues: the first issue again within 24 h; after that the reference is forgotten, and it is a sale."""
        reference, cents = form.partner_ref, cents_of(form.face_value)
        voucher = self._remembered(reference, now)
        if voucher is not None and now - voucher.issued_at < REPLAY_S:
            if (voucher.store, voucher.cents) != (form.outlet_code, cents):
                return answers.refusal("HB13", reference)
            return answers.issue(voucher)
        if form.outlet_code not in VALID_OUTLETS:
            return answers.refusal("HB10", reference)
        if cents not in DENOMINATIONS_CENTS:
            return answers.refusal("HB11", reference)
        if cents == OUT_OF_STOCK_CENTS:
            return answers.refusal("HB12", reference)
        if cents > self.book.float_cents:
            return answers.refusal("HB16", reference)
        voucher = self._made(reference, cents, now, store=form.outlet_code)
        self.sell(voucher)
        self.book.enter(RowType.SALE, voucher, voucher.cents, now)
        return answers.issue(voucher)

    def _block(self, reference: str, now: float) -> Reply:
        """POST …/block. What was never seen is not remembered, so the late request will issue."""
        voucher = self._remembered(reference, now)
        if voucher is None:
            return answers.refusal("HB40", reference)
        if voucher.state == USED:
            return answers.refusal("HB14", reference)
        if voucher.state != BLOCKED:
            if voucher.state != UNUSED or now - voucher.issued_at > BLOCK_WINDOW_S:
                return answers.refusal("HB15", reference)
            self.take_back(voucher, BLOCKED, now, entered=True)
        return answers.done(partnerRef=reference, state=BLOCKED)

    def _query(self, pin: str, now: float) -> Reply:
        voucher = self._aged(self.book.by_code(pin), now)
        if voucher is None:
            return answers.refusal("HB20")
        return answers.done(
            serialNumber=voucher.serial,
            faceValue=rand(voucher.cents),
            expiryDate=answers.expiry_text(voucher.expires_at),
            state=voucher.state,
        )

    def _remembered(self, reference: str, now: float) -> BookVoucher | None:
        """The newest issue of a reference, for 90 days."""
        found = self.book.by_reference(reference)
        return self._aged(found[-1], now) if found and now - found[-1].issued_at < KEPT_S else None

    def _aged(self, voucher: BookVoucher | None, now: float) -> BookVoucher | None:
        """The voucher in the state that it has now."""
        if voucher is not None and voucher.state == UNUSED and now > voucher.expires_at:
            voucher.become(LAPSED, now)
        return voucher

    def _made(self, reference: str, cents: int, now: float, store: str = "", batch: str | None = None) -> BookVoucher:
        """A new voucher with the next numbers."""
        number = self.book.next_number("vouchers")
        return BookVoucher(
            reference=reference,
            provider_ref=str(FIRST_VOUCHER_ID + number - 1),
            code=self._next_pin(FIRST_PIN_BODY, "pins"),
            serial=str(FIRST_SERIAL + number - 1),
            product=rand(cents),
            cents=cents,
            balance_cents=cents,
            state=UNUSED,
            store=store,
            issued_at=now,
            expires_at=answers.expires_at(now),
            details={"batch": batch or _batch(now)},
        )

    def _next_pin(self, first_body: int, of: str) -> str:
        while True:
            body = f"{first_body + self.book.next_number(of) - 1:010d}"
            pin = body + luhn(body)
            if self.book.by_code(pin) is None:
                return pin

    # Faults that need to know the protocol

    def refuse_credentials(self, _exchange: Exchange) -> Reply:
        return answers.credentials_refused()

    def decline(self, exchange: Exchange, code: str) -> Reply:
        return answers.refusal(code, exchange.reference)

    def spoil(self, reply: Reply, fault: Fault) -> Reply:
        body = answers.altered(reply.body, fault.kind, fault.params.delta_cents)
        return msgspec.structs.replace(reply, body=body)

    def own_fault(self, exchange: Exchange, fault: Fault, now: float) -> Reply:
        """`in_progress`: HB30 although a provision is done. `number_pin`: the PIN as a JSON number. `empty_body`: HTTP
        200 and nothing, processed unless `processed` says no."""
        if fault.kind == "number_pin":
            reply = self.answer(exchange, now)
            return msgspec.structs.replace(reply, body=answers.altered(reply.body, fault.kind))
        if fault.kind == "in_progress":
            processed = exchange.op == "provision" and self.answer(exchange, now).took_effect
            return answers.refusal("HB30", exchange.reference, processed=processed)
        processed = fault.params.processed is not False and self.answer(exchange, now).took_effect
        return answers.empty(processed=processed)

    # The control API

    def mint(self, seeded: SeededVoucher, state: str, now: float) -> BookVoucher:
        if seeded.value_cents not in DENOMINATIONS_CENTS or seeded.product_ref not in (None, rand(seeded.value_cents)):
            raise ControlError(400, "valueCents and productRef are not one of the face values")
        if seeded.code is not None and not (len(seeded.code) == 11 and seeded.code.isdecimal()):
            raise ControlError(400, "a PIN has 11 digits")
        reference = self.seed_reference()
        number = self.book.next_number("seeded vouchers")
        return BookVoucher(
            reference=reference,
            provider_ref=str(FIRST_SEEDED_ID + number - 1),
            code=seeded.code or self._next_pin(FIRST_SEEDED_PIN_BODY, "seeded pins"),
            serial=str(FIRST_SEEDED_SERIAL + number - 1),
            product=rand(seeded.value_cents),
            cents=seeded.value_cents,
            balance_cents=seeded.value_cents if state == UNUSED else 0,
            state=state,
            issued_at=now,
            expires_at=answers.expires_at(now),
            details={"batch": _batch(now)},
        )

    def control(self, method: str, path: str, wanted: Mapping[str, Any], now: float) -> Any:
        if (method, path) != ("GET", "/__sim/stock"):
            return super().control(method, path, wanted, now)
        return self._stock(msgspec.convert(dict(wanted), StockExport, strict=False).count, now)

    def _stock(self, count: int, now: float) -> Reply:
        """A batch of PINs that are issued in advance and paid by other means: they are in no daily file."""
        exports = self.book.next_number(f"batches of {_batch(now)}")
        batch_no = _batch(now) if exports == 1 else f"{_batch(now)}-{exports}"
        items = []
        for _ in range(count):
            voucher = self._made(self.seed_reference(), STOCK_CENTS, now, batch=batch_no)
            voucher.elsewhere = True
            self.book.add(voucher)
            expires_on = sast(voucher.expires_at).date()
            items.append(StockItem(voucher.serial, voucher.cents, expires_on, voucher.code))
        content = write_stock(StockBatch(PARTNER, batch_no, business_day(now), tuple(items)))
        disposition = f'Content-Disposition: attachment; filename="{stock_file_name(PARTNER, batch_no)}"\r\n'
        return Reply(200, content, b"text/plain; charset=utf-8", disposition.encode())

    def recon_day(self, day: date) -> ReconDay:
        return recon_day(self.book, PARTNER, day)


def _batch(now: float) -> str:
    """The batch of a day's issues: `B260302`."""
    return f"B{sast(now):%y%m%d}"
