"""The simulated Netcare behind the common frame (Proposed): reads an envelope, checks it in order, keeps the books.

A voucher is sold when it is confirmed. One that is not lapses after 15 minutes; a cancellation leaves no tombstone.
"""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any, ClassVar, Final, cast

import msgspec
from msgspec import Struct

from voucherswitch.providers.contract.provider_time import SAST
from voucherswitch.providers.contract.simulator.book import FLOAT_CENTS, BookVoucher
from voucherswitch.providers.contract.simulator.booked import VALID_OUTLETS, BookedProvider, SeededVoucher, WorldEvent
from voucherswitch.providers.contract.simulator.clock import business_day, months_later
from voucherswitch.providers.contract.simulator.faults import Fault
from voucherswitch.providers.contract.simulator.provider import ControlError, Exchange, Reply
from voucherswitch.providers.contract.simulator.recon import ReconDay
from voucherswitch.providers.contract.simulator.wires import Request
from voucherswitch.providers.contract.statements import RowType
from voucherswitch.providers.netcare.simulator import answers
from voucherswitch.providers.netcare.simulator.forms import OPS, Form, read_form
from voucherswitch.providers.netcare.simulator.recon import recon_month
from voucherswitch.providers.netcare.simulator.security import Gate
from voucherswitch.providers.netcare.simulator.services import Service, Shelf
from voucherswitch.providers.netcare.simulator.wsdl import wsdl

PATH: Final = "/services/VoucherService"
LAPSE_S: Final = 15 * 60

ISSUED: Final = "ISSUED"
ACTIVE: Final = "ACTIVE"
USED: Final = "USED"
LAPSED: Final = "LAPSED"
CANCELLED: Final = "CANCELLED"
EXPIRED: Final = "EXPIRED"

_STATE_CODE: Final = {USED: "NV-1410", EXPIRED: "NV-1411", CANCELLED: "NV-1412", LAPSED: "NV-1413"}
_LAYER: Final = b"text/plain"


class Price(Struct, rename="camel", forbid_unknown_fields=True):
    """What `POST /__sim/prices` takes."""

    service_code: str
    price_cents: int


class NetcareProvider(BookedProvider):
    """The protocol and the books."""

    operations = frozenset({*OPS, *OPS.values()})
    own_faults = frozenset({"retryable", "fault_200", "other_prefix"})
    world: ClassVar[Mapping[str, WorldEvent]] = {
        "REDEEM": WorldEvent(frozenset({ACTIVE}), USED),
        "EXPIRE": WorldEvent(frozenset({ACTIVE}), EXPIRED),
    }
    states = frozenset({ISSUED, ACTIVE, *_STATE_CODE})
    seeded_state = ACTIVE

    def __init__(self, float_cents: int = FLOAT_CENTS) -> None:
        super().__init__(float_cents)
        self._forget()

    def reset(self) -> None:
        super().reset()
        self._forget()

    def _forget(self) -> None:
        self._shelf = Shelf()
        self._gate = Gate()

    # The protocol

    def read(self, request: Request) -> Exchange:
        path, _, query = request.target.partition("?")
        if path != PATH:
            return Exchange(request, "", request.target[:60], refusal=Reply(404, b"", _LAYER))
        if request.method == "GET" and query.lower() == "wsdl":
            host = (request.header(b"host") or b"127.0.0.1").decode("latin-1")
            described = Reply(200, wsdl(f"http://{host}{PATH}"), answers.XML_TYPE, processed=False)
            return Exchange(request, "", "wsdl", refusal=described)
        if request.method != "POST":
            return Exchange(request, "", request.method, refusal=Reply(405, b"", _LAYER))
        if request.header(b"content-type") != answers.XML_TYPE:
            return Exchange(request, "", "", refusal=Reply(415, b"", _LAYER))
        form = read_form(request.body, request.header(b"soapaction"))
        reference = form.fields.get("ClientReference", "")[:36]
        return Exchange(request, OPS.get(form.action, ""), form.action, reference, form)

    def answer(self, exchange: Exchange, now: float) -> Reply:
        if exchange.refusal is not None:
            return exchange.refusal
        form = cast("Form", exchange.message)
        wrong = self._gate.refuse(form.token, now) or form.wrong
        if wrong is not None:
            return answers.fault(wrong)
        match exchange.op:
            case "provision":
                return self._issue(form.fields, now)
            case "confirm":
                return self._confirm(form.fields, now)
            case "reverse":
                return self._cancel(form.fields, now)
            case "lookup":
                return self._find(form.fields, now)
            case _:
                return answers.listed(self._shelf.services.values())

    def _issue(self, fields: dict[str, str], now: float) -> Reply:
        reference, service = fields["ClientReference"], self._shelf.services.get(fields["ServiceCode"])
        price = int(fields["PriceCents"])
        if self.book.by_reference(reference):
            return answers.fault("NV-1409")
        if fields["SiteCode"] not in VALID_OUTLETS:
            return answers.fault("NV-1005")
        if service is None:
            return answers.fault("NV-1001")
        if (
            not {"TenderReference", "TenderType"} <= fields.keys()
            or fields.get("TenderedCents") != fields["PriceCents"]
        ):
            return answers.fault("NV-1004")
        if price != service.price_cents:
            return answers.fault("NV-1002", f"Expected {service.price_cents}")
        if service.suspended:
            return answers.fault("NV-1003")
        if price > self.book.float_cents:
            return answers.fault("NV-1006")
        voucher = self._make(reference, service, price, ISSUED, now)
        voucher.store = fields["SiteCode"]
        self.sell(voucher)
        return answers.issued(voucher, service.description)

    def _confirm(self, fields: dict[str, str], now: float) -> Reply:
        voucher = self._advised(fields, now)
        if voucher is None or voucher.provider_ref != fields["NetcareReference"]:
            return answers.fault("NV-1404")
        if voucher.state in _STATE_CODE:
            return answers.fault(_STATE_CODE[voucher.state])
        if voucher.state == ISSUED:
            voucher.become(ACTIVE, now)
            self.book.enter(RowType.SALE, voucher, voucher.cents, now)
        return answers.confirmed(voucher.reference)

    def _cancel(self, fields: dict[str, str], now: float) -> Reply:
        voucher = self._advised(fields, now)
        if voucher is None:
            return answers.fault("NV-1404")
        if voucher.state in _STATE_CODE:
            return answers.fault(_STATE_CODE[voucher.state])
        self.take_back(voucher, CANCELLED, now, entered=voucher.state == ACTIVE)
        return answers.cancelled(voucher.reference)

    def _advised(self, fields: dict[str, str], now: float) -> BookVoucher | None:
        """The voucher of an advice; None: there is none, or its number is another."""
        found = self.book.by_reference(fields["ClientReference"])
        if not found or fields.get("VoucherNumber", found[-1].code) != found[-1].code:
            return None
        self._age(found[-1], now)
        return found[-1]

    def _find(self, fields: dict[str, str], now: float) -> Reply:
        voucher = self.book.by_code(fields["VoucherNumber"])
        if voucher is None:
            return answers.fault("NV-1404")
        self._age(voucher, now)
        return answers.found(voucher, self._shelf.services[voucher.product].description)

    def _age(self, voucher: BookVoucher, now: float) -> None:
        """What time alone has made of a voucher."""
        if voucher.state == ISSUED and now - voucher.issued_at >= LAPSE_S:
            self.take_back(voucher, LAPSED, now, entered=False)
        elif voucher.state == ACTIVE and now > voucher.expires_at:
            voucher.become(EXPIRED, now)

    # Faults

    def refuse_credentials(self, _exchange: Exchange) -> Reply:
        return answers.fault("NV-1401")

    def decline(self, _exchange: Exchange, code: str) -> Reply:
        return answers.fault(code)

    def spoil(self, reply: Reply, fault: Fault) -> Reply:
        body = answers.altered(reply.body, fault.kind, fault.params.delta_cents)
        return msgspec.structs.replace(reply, body=body)

    def own_fault(self, exchange: Exchange, fault: Fault, now: float) -> Reply:
        """`retryable`: processed, then a fault that calls itself retryable; `fault_200`: the fault `params.code` with
        HTTP 200, nothing processed; `other_prefix`: the right answer under other prefixes."""
        if fault.kind == "fault_200":
            return answers.fault(fault.params.code or answers.INTERNAL, status=200)
        reply = self.answer(exchange, now)
        if fault.kind == "retryable":
            return answers.fault(answers.INTERNAL, retryable=True, processed=reply.took_effect)
        return msgspec.structs.replace(reply, body=answers.with_other_prefixes(reply.body))

    # The books

    def control(self, method: str, path: str, wanted: Mapping[str, Any], now: float) -> Any:
        """`POST /__sim/prices` changes a price from now on."""
        if (method, path) != ("POST", "/__sim/prices"):
            return super().control(method, path, wanted, now)
        price = msgspec.convert(wanted, Price)
        if price.service_code not in self._shelf.services or price.price_cents <= 0:
            raise ControlError(400, "serviceCode is not a service, or priceCents is not above zero")
        self._shelf.reprice(price.service_code, price.price_cents)
        return {"serviceCode": price.service_code, "priceCents": price.price_cents}

    def mint(self, seeded: SeededVoucher, state: str, now: float) -> BookVoucher:
        service = self._shelf.services.get(seeded.product_ref or "GP-CONSULT-1")
        if service is None:
            raise ControlError(400, "productRef is not a service")
        voucher = self._make(self.seed_reference(), service, seeded.value_cents, state, now)
        if seeded.code is not None:
            voucher.code = seeded.code
        return voucher

    def _make(self, reference: str, service: Service, cents: int, state: str, now: float) -> BookVoucher:
        last_day = months_later(business_day(now), service.months)
        netcare_reference = self._shelf.reference()
        return BookVoucher(
            reference=reference,
            provider_ref=netcare_reference,
            code=self._shelf.number(),
            serial=netcare_reference,
            product=service.code,
            cents=cents,
            balance_cents=cents,
            state=state,
            issued_at=now,
            expires_at=datetime.combine(last_day, time(23, 59, 59), SAST).timestamp(),
        )

    def recon_day(self, day: date) -> ReconDay:
        return recon_month(self.book, day)
