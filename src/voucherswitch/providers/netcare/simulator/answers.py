"""The simulated Netcare's answers, byte for byte as the protocol's samples (providers.md 2.2 to 2.4)."""

import re
from collections.abc import Iterable
from typing import Final

from lxml import etree

from voucherswitch.providers.contract.simulator.book import BookVoucher
from voucherswitch.providers.contract.simulator.clock import sast
from voucherswitch.providers.contract.simulator.provider import Reply
from voucherswitch.providers.contract.transport.soap import SOAP
from voucherswitch.providers.contract.transport.xml import LINE_BREAK, Element, Markup, document, element, leaf, parse
from voucherswitch.providers.netcare.messages import BY_NUMBER, CANCEL, CATALOGUE, CONFIRM, ISSUE, NAMESPACE, name
from voucherswitch.providers.netcare.simulator.services import Service

XML_TYPE: Final = b"text/xml; charset=utf-8"
INTERNAL: Final = "NV-1500"

TEXTS: Final = {
    "NV-1001": "Unknown service",
    "NV-1002": "Price does not match the catalogue",
    "NV-1003": "Service suspended",
    "NV-1004": "Tender missing or not of the price",
    "NV-1005": "Unknown site",
    "NV-1006": "Credit limit reached",
    "NV-1400": "Message does not follow the schema",
    "NV-1401": "Credentials refused",
    "NV-1402": "SOAPAction does not agree with the message",
    "NV-1403": "Nonce was used before",
    "NV-1404": "Voucher not found",
    "NV-1409": "ClientReference was used before",
    "NV-1410": "Voucher used",
    "NV-1411": "Voucher expired",
    "NV-1412": "Voucher cancelled",
    "NV-1413": "Voucher lapsed",
    INTERNAL: "Internal error",
}


def fault(
    code: str, message: str | None = None, *, retryable: bool = False, status: int = 500, processed: bool = False
) -> Reply:
    """A refusal as a soap:Fault."""
    text = TEXTS.get(code, f"Fault {code}")
    detail = Markup(
        f'<detail><nv:ServiceFault xmlns:nv="{NAMESPACE}">{leaf("nv:Code", code)}\n'
        f"{leaf('nv:Message', message or text)}{leaf('nv:Retryable', 'true' if retryable else 'false')}"
        "</nv:ServiceFault></detail>"
    )
    body = element(
        "soap:Fault",
        leaf("faultcode", "soap:Server" if code == INTERNAL else "soap:Client"),
        LINE_BREAK,
        leaf("faultstring", text),
        detail,
    )
    whole = element("soap:Envelope", element("soap:Body", body), attributes={"xmlns:soap": SOAP})
    return Reply(status, document(whole), XML_TYPE, processed=processed)


def issued(voucher: BookVoucher, description: str) -> Reply:
    return _success(
        ISSUE,
        LINE_BREAK,
        leaf("nv:ClientReference", voucher.reference),
        leaf("nv:NetcareReference", voucher.provider_ref),
        leaf("nv:VoucherNumber", voucher.code),
        LINE_BREAK,
        leaf("nv:ServiceCode", voucher.product),
        leaf("nv:ServiceDescription", description),
        leaf("nv:PriceCents", str(voucher.cents)),
        LINE_BREAK,
        leaf("nv:ValidFrom", _day(voucher.issued_at)),
        leaf("nv:ValidTo", _day(voucher.expires_at)),
        leaf("nv:Status", voucher.state),
    )


def found(voucher: BookVoucher, description: str) -> Reply:
    return _success(
        BY_NUMBER,
        leaf("nv:VoucherNumber", voucher.code),
        leaf("nv:ServiceCode", voucher.product),
        leaf("nv:ServiceDescription", description),
        leaf("nv:PriceCents", str(voucher.cents)),
        leaf("nv:ValidTo", _day(voucher.expires_at)),
        leaf("nv:Status", voucher.state),
    )


def confirmed(reference: str) -> Reply:
    return _success(CONFIRM, leaf("nv:ClientReference", reference), leaf("nv:Status", "ACTIVE"))


def cancelled(reference: str) -> Reply:
    return _success(CANCEL, leaf("nv:ClientReference", reference), leaf("nv:Status", "CANCELLED"))


def listed(services: Iterable[Service]) -> Reply:
    return _success(
        CATALOGUE,
        *(
            element(
                "nv:Service",
                leaf("nv:ServiceCode", service.code),
                leaf("nv:Description", service.description),
                leaf("nv:PriceCents", str(service.price_cents)),
                leaf("nv:ValidityMonths", str(service.months)),
                leaf("nv:Suspended", "true" if service.suspended else "false"),
            )
            for service in services
        ),
    )


def _success(operation: str, *content: Markup) -> Reply:
    body = element("soap:Body", element(f"nv:{operation}Response", *content))
    whole = element("soap:Envelope", body, attributes={"xmlns:soap": SOAP, "xmlns:nv": NAMESPACE})
    return Reply(200, document(whole), XML_TYPE)


def _day(moment: float) -> str:
    return sast(moment).strftime("%Y-%m-%d")


def with_other_prefixes(body: bytes) -> bytes:
    """The same answer; only its prefixes are others."""
    body = re.sub(rb"(</?|xmlns:)nv([:=])", rb"\1ns2\2", body)
    return re.sub(rb"(</?|xmlns:)soap([:=])", rb"\1S\2", body)


def altered(body: bytes, kind: str, delta_cents: int) -> bytes:
    """A success made wrong, as `wrong_amount`, `wrong_reference`, `no_pin` and `bad_pin` ask; a fault stays."""
    root = parse(body)
    price, echo, number = (_first(root, local) for local in ("PriceCents", "ClientReference", "VoucherNumber"))
    if kind == "wrong_amount" and price is not None:
        price.text = str(int(price.text or "0") + delta_cents)
    elif kind == "wrong_reference" and echo is not None and echo.text:
        echo.text = echo.text[:-1] + ("0" if echo.text[-1] != "0" else "1")
    elif kind == "bad_pin" and number is not None:
        number.text = "#" + (number.text or "")[1:]
    elif kind == "no_pin" and number is not None and (parent := number.getparent()) is not None:
        parent.remove(number)
    return etree.tostring(root)


def _first(root: Element, local: str) -> Element | None:
    return next(root.iter(name(local)), None)
