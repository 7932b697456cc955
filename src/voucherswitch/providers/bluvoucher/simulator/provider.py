"""Blu Voucher behind the common frame: AEON or trade by the wire a request came on, and how answers are spoilt."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar, Final, Literal

import msgspec
from msgspec import Struct

from voucherswitch.providers.bluvoucher import messages
from voucherswitch.providers.bluvoucher.simulator import stock, trade
from voucherswitch.providers.bluvoucher.simulator.aeon import SESSION, Aeon
from voucherswitch.providers.bluvoucher.simulator.envelopes import FORMS, read_event, succeeded
from voucherswitch.providers.bluvoucher.simulator.recon import recon_day
from voucherswitch.providers.contract.answers import cents_of, rand
from voucherswitch.providers.contract.simulator.book import FLOAT_CENTS, BookVoucher
from voucherswitch.providers.contract.simulator.booked import BookedProvider, SeededVoucher, WorldEvent
from voucherswitch.providers.contract.simulator.faults import Fault
from voucherswitch.providers.contract.simulator.line_wire import LineRequest
from voucherswitch.providers.contract.simulator.provider import ControlError, Exchange, Reply
from voucherswitch.providers.contract.simulator.recon import STRANGER, ReconDay
from voucherswitch.providers.contract.simulator.wires import Request
from voucherswitch.providers.contract.transport.xml import leaf

CLOSING_TAG: Final = messages.CLOSING_TAG.encode()
STRANGERS_PIN: Final = "9999888877776666"  # in an answer that nobody asked for

_BREAKS: Final = {"CR": b"\r", "LF": b"\n", "CRLF": b"\r\n"}
_BREAK_EVERY: Final = 7  # bytes: inside names, inside values and inside the closing tag


class Profile(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What deployments do differently.

    Attributes:
        spelling: of the error elements.
        resend: what a repeated requestId gets from the trade API.
        lookup_unit: of the amount in a lookup of the trade API.
        half_open: new AEON connections are accepted and never read.
    """

    spelling: Literal["AEON", "Aeon"] = "AEON"
    resend: Literal["conflict", "replay"] = "conflict"
    lookup_unit: Literal["cents", "rand"] = "cents"
    half_open: bool = False


class BluVoucherProvider(BookedProvider):
    """Blu Voucher's two protocols on one set of books."""

    operations = frozenset(
        {*FORMS, *(form.op for form in FORMS.values()), *trade.OPERATIONS, *trade.OPERATIONS.values()}
    )
    own_faults = frozenset({"cut_closing", "two_responses", "unsolicited", "line_breaks", "session_lost"})
    world: ClassVar[Mapping[str, WorldEvent]] = {
        "REDEEM": WorldEvent(frozenset({stock.ACTIVE}), stock.SPENT),
        "BLOCK": WorldEvent(frozenset({stock.UNSOLD, stock.ACTIVE}), stock.BLOCKED),
        "EXPIRE": WorldEvent(frozenset({stock.UNSOLD, stock.ACTIVE}), stock.EXPIRED),
    }
    states = frozenset({stock.UNSOLD, stock.ACTIVE, stock.SPENT, stock.EXPIRED, stock.BLOCKED})
    seeded_state = stock.ACTIVE

    def __init__(self, float_cents: int = FLOAT_CENTS) -> None:
        super().__init__(float_cents)
        self.profile = Profile()
        self.aeon = Aeon(self.book)
        self.trade = trade.Trade(self.book)

    # The protocols

    def read(self, request: Request) -> Exchange:
        if not isinstance(request, LineRequest):
            return self.trade.read(request)
        event = read_event(request.body)
        if event is None or event.form is None:
            return Exchange(request, "", "" if event is None else event.name[:60], message=event)
        reference = event.fields.get("Reference", "")
        return Exchange(request, event.form.op, event.name, reference, message=event)

    def answer(self, exchange: Exchange, now: float) -> Reply:
        if isinstance(exchange.request, LineRequest):
            return self.aeon.answer(exchange.message, exchange.request.memory, now)
        return self.trade.answer(exchange, now)

    # Faults that need to know the protocols

    def refuse_credentials(self, exchange: Exchange) -> Reply:
        if isinstance(exchange.request, LineRequest):
            return self.aeon.refuse(exchange.message, "103")
        return trade.error(401, "", "Credentials refused")

    def decline(self, exchange: Exchange, code: str) -> Reply:
        if isinstance(exchange.request, LineRequest):
            return self.aeon.refuse(exchange.message, code)
        return trade.ordered_error(code)

    def spoil(self, reply: Reply, fault: Fault) -> Reply:
        if reply.status >= 300:
            return reply
        delta_cents = fault.params.delta_cents
        spoil = _spoilt_xml if reply.body.endswith(CLOSING_TAG) else _spoilt_json
        return msgspec.structs.replace(reply, body=spoil(reply.body, fault.kind, delta_cents))

    def own_fault(self, exchange: Exchange, fault: Fault, now: float) -> Reply:
        if not isinstance(exchange.request, LineRequest):
            return self.answer(exchange, now)
        if fault.kind == "session_lost":
            exchange.request.memory.pop(SESSION, None)
        reply = self.answer(exchange, now)
        body = reply.body
        match fault.kind:
            case "cut_closing":
                return msgspec.structs.replace(reply, pieces=(len(body) - len(CLOSING_TAG) // 2, len(body)))
            case "two_responses":
                return msgspec.structs.replace(reply, body=body + body)
            case "unsolicited":
                surplus = _strangers_voucher(exchange.message.session_id if exchange.message else "")
                return msgspec.structs.replace(reply, body=body + surplus, pieces=(len(body), len(surplus) + 1))
            case "line_breaks":
                return msgspec.structs.replace(reply, body=_broken_up(body, _BREAKS.get(fault.params.code, b"\n")))
        return reply

    # The control API

    def reset(self) -> None:
        super().reset()
        self.aeon.reset()
        self.trade.reset()

    def set_profile(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        merged = msgspec.to_builtins(self.profile) | dict(wanted)
        self.profile = profile = msgspec.convert(merged, Profile)
        self.aeon.spelling = profile.spelling
        self.trade.resend, self.trade.lookup_unit = profile.resend, profile.lookup_unit
        shown: dict[str, Any] = msgspec.to_builtins(profile)
        return shown

    def mint(self, seeded: SeededVoucher, state: str, now: float) -> BookVoucher:
        if seeded.product_ref not in (None, stock.PRODUCT):
            raise ControlError(400, "there is no such product")
        if seeded.code is not None and not re.fullmatch(r"[0-9]{16}", seeded.code):
            raise ControlError(400, "code must be 16 digits")
        number = self.book.next_number("seeded")
        voucher = stock.new_voucher(
            self.book, now, seeded.value_cents, self.seed_reference(), f"BS{number:010d}", state, seeded.code
        )
        if state == stock.SPENT:
            voucher.balance_cents = 0
        return voucher

    def recon_day(self, day: date) -> ReconDay:
        return recon_day(self.book, day)


def _strangers_voucher(session_id: str) -> bytes:
    """A whole and right answer, to somebody else's request."""
    return succeeded(
        messages.GET_VOUCHER,
        session_id,
        leaf("TransRef", "BT9999999999"),
        leaf("Reference", STRANGER),
        leaf("Serial", "BS99999999"),
        leaf("Pin", STRANGERS_PIN),
        leaf("Amount", "100.00"),
        leaf("ExpiryDate", "2029-03-02"),
    ).body


def _broken_up(body: bytes, break_: bytes) -> bytes:
    """A body with line breaks all over it; they mean nothing, wherever they are."""
    pieces = [body[start : start + _BREAK_EVERY] for start in range(0, len(body), _BREAK_EVERY)]
    return break_.join([b"", *pieces, b""])


def _spoilt_xml(body: bytes, kind: str, delta_cents: int) -> bytes:
    text = body.decode()
    if kind == "wrong_amount":
        return re.sub(
            r"<(Amount|Value)>([^<]*)<", lambda found: f"<{found[1]}>{rand(cents_of(found[2]) + delta_cents)}<", text
        ).encode()
    if kind == "wrong_reference":
        return re.sub(r"<Reference>[^<]*<", f"<Reference>{STRANGER}<", text).encode()
    replacement = "" if kind == "no_pin" else r"<Pin>#\1</Pin>"
    return re.sub(r"<Pin>[^<]([^<]*)</Pin>", replacement, text).encode()


def _spoilt_json(body: bytes, kind: str, delta_cents: int) -> bytes:
    shown: dict[str, Any] = msgspec.json.decode(body)
    if kind == "wrong_amount" and isinstance(shown.get("amount"), int):
        shown["amount"] += delta_cents
    elif kind == "wrong_reference" and "requestId" in shown:
        shown["requestId"] = STRANGER
    elif kind in ("no_pin", "bad_pin"):
        holder = shown.get("replacementVoucher", shown)
        if kind == "no_pin":
            holder.pop("token", None)
        elif "token" in holder:
            holder["token"] = "#" + holder["token"][1:]
    return msgspec.json.encode(shown)
