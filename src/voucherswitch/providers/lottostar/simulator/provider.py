"""Lottostar behind the common frame, by the proposed protocol: its calls, its rules and its books (providers.md 3)."""

from collections.abc import Mapping
from datetime import date
from email.utils import formatdate
from typing import Annotated, Any, ClassVar, Final

import msgspec
from msgspec import Meta, Struct

from voucherswitch.providers.contract.simulator.book import FLOAT_CENTS, BookVoucher
from voucherswitch.providers.contract.simulator.booked import VALID_OUTLETS, BookedProvider, SeededVoucher, WorldEvent
from voucherswitch.providers.contract.simulator.check_digits import luhn
from voucherswitch.providers.contract.simulator.faults import Fault
from voucherswitch.providers.contract.simulator.provider import ControlError, Exchange, Reply
from voucherswitch.providers.contract.simulator.recon import ReconDay
from voucherswitch.providers.contract.simulator.wires import Request
from voucherswitch.providers.contract.statements import RowType
from voucherswitch.providers.lottostar.simulator import answers, calls
from voucherswitch.providers.lottostar.simulator.credentials import KEY_ID, Gate
from voucherswitch.providers.lottostar.simulator.recon import recon_day

BASE_PATH: Final = "/partner/v1"
DENOMINATIONS_CENTS: Final = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
VOID_WINDOW_S: Final = 900
TOMBSTONES_MAX: Final = 250_000  # beyond it the oldest are forgotten

ACTIVE: Final = "ACTIVE"
REDEEMED: Final = "REDEEMED"
VOIDED: Final = "VOIDED"
EXPIRED: Final = "EXPIRED"
TOMBSTONED: Final = "TOMBSTONED"

FIRST_CODE_BODY: Final = 7_310_024_689_135
FIRST_SEEDED_BODY: Final = (
    7_390_000_000_001  # of vouchers sold elsewhere, so that seeds leave the samples' values alone
)
FIRST_SERIAL: Final = 880_000_000_001
FIRST_SEEDED_SERIAL: Final = 990_000_000_001
FIRST_TRACE: Final = 42

_DENOMINATIONS: Final = answers.encode(
    {"denominations": [{"cents": cents, "productRef": f"LS{cents // 100}"} for cents in DENOMINATIONS_CENTS]}
)
_HTML: Final = b"<html><body><h1>503 Service Unavailable</h1></body></html>"


class KeyRotation(Struct, forbid_unknown_fields=True):
    """The body of `POST /__sim/keys`."""

    secret: Annotated[str, Meta(min_length=1)]


class LottostarProvider(BookedProvider):
    """Lottostar's proposed protocol and books."""

    operations = calls.NAMES
    own_faults = frozenset({"clock_skew", "nonce_replay", "html_503"})
    world: ClassVar[Mapping[str, WorldEvent]] = {
        "REDEEM": WorldEvent(frozenset({ACTIVE}), REDEEMED),
        "EXPIRE": WorldEvent(frozenset({ACTIVE}), EXPIRED),
    }
    states: ClassVar[frozenset[str]] = frozenset({ACTIVE, REDEEMED, VOIDED, EXPIRED})
    seeded_state: ClassVar[str] = ACTIVE

    def __init__(self, float_cents: int = FLOAT_CENTS) -> None:
        super().__init__(float_cents)
        self._gate = Gate()
        self._tombstones: dict[str, None] = {}

    def reset(self) -> None:
        super().reset()
        self._gate.reset()
        self._tombstones.clear()

    # The protocol

    def read(self, request: Request) -> Exchange:
        path = request.target.partition("?")[0]
        call, reference = (
            calls.find(request.method, path[len(BASE_PATH) :]) if path.startswith(f"{BASE_PATH}/") else (None, "")
        )
        if call is None:
            return Exchange(request, "", f"{request.method} {path[:60]}", refusal=self._refuse("UNKNOWN_CALL"))
        exchange = Exchange(request, call.op, call.wire_op, reference, success=call.success)
        try:
            exchange.message = calls.read(call, request)
        except ValueError:
            exchange.refusal = self._refuse("INVALID_REQUEST")
        if isinstance(exchange.message, calls.Issue):
            exchange.reference = exchange.message.client_txn_id
        return exchange

    def answer(self, exchange: Exchange, now: float) -> Reply:
        if code := self._gate.refusal_of(exchange.request, now):
            return self._refuse(code)
        if exchange.refusal is not None:
            return exchange.refusal
        match exchange.message:
            case calls.Issue() as form:
                return self._issue(form, now)
            case calls.Void():
                return self._void(exchange.reference, now)
            case calls.Lookup(code=code):
                voucher = self._aged(self.book.by_code(code), now)
                return self._refuse("NOT_FOUND") if voucher is None else Reply(200, answers.lookup_body(voucher))
        if exchange.op == "products":
            return Reply(200, _DENOMINATIONS)
        voucher = self._sold(exchange.reference, now)
        return self._refuse("NOT_FOUND") if voucher is None else Reply(200, answers.voucher_body(voucher))

    def _issue(self, form: calls.Issue, now: float) -> Reply:
        """POST /vouchers: at most one voucher for one reference, for ever."""
        reference = form.client_txn_id
        voucher = self._sold(reference, now)
        if reference in self._tombstones or (voucher is not None and voucher.state == VOIDED):
            return self._refuse("REFERENCE_VOIDED")
        if voucher is not None:
            first = (voucher.cents, voucher.store, voucher.terminal)
            if first != (form.denomination_cents, form.store_ref, form.terminal_ref):
                return self._refuse("IDEMPOTENCY_MISMATCH")
            return Reply(200, answers.voucher_body(voucher))
        if form.store_ref not in VALID_OUTLETS:
            return self._refuse("STORE_UNKNOWN")
        if form.denomination_cents not in DENOMINATIONS_CENTS:
            return self._refuse("INVALID_AMOUNT")
        if form.denomination_cents > self.book.float_cents:
            return self._refuse("FLOAT_EXHAUSTED")
        number = self.book.next_number("vouchers")
        voucher = BookVoucher(
            reference=reference,
            provider_ref=f"LSV{number:012d}",
            code=self._next_code(FIRST_CODE_BODY, "codes"),
            serial=str(FIRST_SERIAL + number - 1),
            product=f"LS{form.denomination_cents // 100}",
            cents=form.denomination_cents,
            balance_cents=form.denomination_cents,
            state=ACTIVE,
            store=form.store_ref,
            terminal=form.terminal_ref,
            issued_at=now,
            expires_at=answers.expires_at(now),
        )
        self.sell(voucher)
        self.book.enter(RowType.SALE, voucher, voucher.cents, now)
        return Reply(201, answers.voucher_body(voucher))

    def _void(self, reference: str, now: float) -> Reply:
        """POST …/void: what was never seen is remembered, so that it is refused when it comes late."""
        voucher = self._sold(reference, now)
        if voucher is None:
            if len(self._tombstones) >= TOMBSTONES_MAX:
                del self._tombstones[next(iter(self._tombstones))]
            self._tombstones[reference] = None
            return Reply(202, answers.encode({"clientTxnId": reference, "status": TOMBSTONED}))
        if voucher.state == REDEEMED:
            return self._refuse("ALREADY_REDEEMED")
        if voucher.state != VOIDED:
            if voucher.state != ACTIVE or now - voucher.issued_at > VOID_WINDOW_S:
                return self._refuse("VOID_WINDOW_CLOSED")
            self.take_back(voucher, VOIDED, now, entered=True)
        return Reply(200, answers.encode({"clientTxnId": reference, "status": VOIDED}))

    def _sold(self, reference: str, now: float) -> BookVoucher | None:
        found = self.book.by_reference(reference)
        return self._aged(found[-1], now) if found else None

    def _aged(self, voucher: BookVoucher | None, now: float) -> BookVoucher | None:
        """The voucher in the state that it has now."""
        if voucher is not None and voucher.state == ACTIVE and now > voucher.expires_at:
            voucher.become(EXPIRED, now)
        return voucher

    def _next_code(self, first_body: int, of: str) -> str:
        while True:
            body = str(first_body + self.book.next_number(of) - 1)
            code = body + luhn(body)
            if self.book.by_code(code) is None:
                return code

    def _refuse(self, code: str) -> Reply:
        return answers.refusal(code, FIRST_TRACE - 1 + self.book.next_number("traces"))

    # Faults that need to know the protocol

    def refuse_credentials(self, _exchange: Exchange) -> Reply:
        return self._refuse("BAD_SIGNATURE")

    def decline(self, _exchange: Exchange, code: str) -> Reply:
        return self._refuse(code)

    def spoil(self, reply: Reply, fault: Fault) -> Reply:
        body = answers.altered(reply.body, fault.kind, fault.params.delta_cents)
        return msgspec.structs.replace(reply, body=body)

    def own_fault(self, exchange: Exchange, fault: Fault, now: float) -> Reply:
        """`clock_skew`: this request meets a clock that is `ms` ahead. `nonce_replay`: its bytes arrive twice, and the
        second arrival is the one whose answer is heard. `html_503`: a proxy answers; `processed` says what it hides."""
        if fault.kind == "clock_skew":
            skewed = now + fault.params.ms / 1000
            reply = self.answer(exchange, skewed)
            date_line = f"Date: {formatdate(skewed, usegmt=True)}\r\n".encode()
            return msgspec.structs.replace(reply, headers=date_line + reply.headers)
        if fault.kind == "nonce_replay":
            first = self.answer(exchange, now)
            return msgspec.structs.replace(self.answer(exchange, now), processed=first.took_effect)
        processed = bool(fault.params.processed) and self.answer(exchange, now).took_effect
        return Reply(503, _HTML, b"text/html", processed=processed)

    # The control API

    def mint(self, seeded: SeededVoucher, state: str, now: float) -> BookVoucher:
        product = seeded.product_ref or f"LS{seeded.value_cents // 100}"
        if seeded.value_cents not in DENOMINATIONS_CENTS or product != f"LS{seeded.value_cents // 100}":
            raise ControlError(400, "valueCents and productRef are not one of the denominations")
        if seeded.code is not None and not (len(seeded.code) == 14 and seeded.code.isdecimal()):
            raise ControlError(400, "a code has 14 digits")
        reference = self.seed_reference()
        number = self.book.next_number("seeded vouchers")
        return BookVoucher(
            reference=reference,
            provider_ref=f"LSV9{number:011d}",
            code=seeded.code or self._next_code(FIRST_SEEDED_BODY, "seeded codes"),
            serial=str(FIRST_SEEDED_SERIAL + number - 1),
            product=product,
            cents=seeded.value_cents,
            balance_cents=seeded.value_cents if state == ACTIVE else 0,
            state=state,
            issued_at=now,
            expires_at=answers.expires_at(now),
        )

    def control(self, method: str, path: str, wanted: Mapping[str, Any], now: float) -> Any:
        if (method, path) != ("POST", "/__sim/keys"):
            return super().control(method, path, wanted, now)
        self._gate.secret = msgspec.convert(dict(wanted), KeyRotation).secret
        return {"keyId": KEY_ID}

    def recon_day(self, day: date) -> ReconDay:
        return recon_day(self.book, day)
