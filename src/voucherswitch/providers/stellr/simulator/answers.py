"""The simulated Stellr's answers, byte for byte as the protocol's samples (providers.md 1.2 to 1.4)."""

from collections.abc import Iterable
from typing import Final

from lxml import etree

from voucherswitch.providers.contract.answers import cents_of, rand
from voucherswitch.providers.contract.simulator.book import BookVoucher
from voucherswitch.providers.contract.simulator.clock import sast
from voucherswitch.providers.contract.simulator.provider import Reply
from voucherswitch.providers.contract.transport.xml import (
    LINE_BREAK,
    NOTHING,
    Element,
    Markup,
    document,
    element,
    leaf,
    optional,
    parse,
)
from voucherswitch.providers.stellr.simulator.products import INSTRUCTION, LINK_INSTRUCTION, URL, Product

XML_TYPE: Final = b"application/xml; charset=UTF-8"
ERROR_ROOT: Final = "ErrorResponse"  # of a request that could not be told apart

TEXTS: Final = {
    "000": "Approved",
    "101": "Unknown product",
    "102": "Amount not allowed",
    "103": "Out of stock",
    "104": "Brand suspended",
    "105": "Unknown store",
    "110": "Float exhausted",
    "201": "Voucher not found",
    "202": "Voucher already redeemed",
    "203": "Voucher expired",
    "204": "Voucher blocked",
    "301": "Duplicate RequestId",
    "401": "Authentication failed",
    "501": "Malformed message",
    "999": "System error",
}


def refusal(root: str, code: str, request_id: str) -> Reply:
    """A refusal; HTTP 200, like every answer of the application."""
    body = element(response_name(root), *_result(code, request_id), attributes={"version": "2.0"})
    return Reply(200, document(body), XML_TYPE, processed=False)


def approval(root: str, request_id: str, *content: Markup) -> Reply:
    body = element(response_name(root), *_result("000", request_id), *content, attributes={"version": "2.0"})
    return Reply(200, document(body), XML_TYPE, processed=True)


def response_name(root: str) -> str:
    return f"{root.removesuffix('Request')}Response" if root.endswith("Request") else ERROR_ROOT


def _result(code: str, request_id: str) -> tuple[Markup, ...]:
    text = TEXTS.get(code, f"Result {code}")
    return leaf("ResultCode", code), leaf("ResultText", text), optional("RequestId", request_id)


def issued(voucher: BookVoucher, brand: str, pin_format: str) -> tuple[Markup, ...]:
    """The fields of an approved purchase."""
    link = pin_format == URL
    return (
        LINE_BREAK,
        leaf("TransactionId", voucher.provider_ref),
        element(
            "Voucher",
            NOTHING if link else leaf("Pin", voucher.code),
            leaf("Serial", voucher.serial),
            leaf("Value", rand(voucher.cents)),
            LINE_BREAK,
            leaf("ExpiryDate", expiry(voucher)),
            leaf("Brand", brand),
            leaf("RedeemUrl", voucher.code) if link else NOTHING,
            leaf("Instructions", LINK_INSTRUCTION if link else INSTRUCTION),
        ),
    )


def enquired(voucher: BookVoucher, brand: str) -> tuple[Markup, ...]:
    """The fields of an answered enquiry: never the PIN, and never who redeemed it."""
    return (
        LINE_BREAK,
        element(
            "Voucher",
            leaf("Serial", voucher.serial),
            leaf("Value", rand(voucher.cents)),
            leaf("Status", voucher.state),
            leaf("ExpiryDate", expiry(voucher)),
            leaf("Brand", brand),
        ),
    )


def redeemed(transaction_id: str, voucher: BookVoucher) -> tuple[Markup, ...]:
    """The fields of an approved redemption."""
    return (
        LINE_BREAK,
        leaf("TransactionId", transaction_id),
        leaf("Serial", voucher.serial),
        leaf("Amount", rand(voucher.cents)),
    )


def echo(request_id: str, now: float) -> Reply:
    """The answer to an echo: the simulator's time."""
    return approval("EchoRequest", request_id, leaf("ServerDateTime", sast(now).strftime("%Y%m%d%H%M%S")))


def with_doctype(body: bytes) -> bytes:
    """The same answer with a DOCTYPE, whose entity stands for a part of it: what no reader may resolve."""
    root = parse(body).tag.encode()
    entity = b'<!DOCTYPE %b [<!ENTITY text "Approved">]>' % root
    return entity + body.replace(b">Approved<", b">&text;<")


def listed(products: Iterable[Product]) -> tuple[Markup, ...]:
    """The fields of a product list."""
    return tuple(
        element(
            "Product",
            leaf("ProductCode", product.code),
            leaf("Brand", product.brand),
            leaf("Name", product.name),
            leaf("Type", "FIXED" if product.fixed else "RANGE"),
            *(
                (leaf("Value", rand(product.low)),)
                if product.fixed
                else (leaf("MinValue", rand(product.low)), leaf("MaxValue", rand(product.high)))
            ),
            leaf("PinFormat", product.pin_format),
            leaf("ValidityMonths", str(product.months)),
            leaf("Available", "Y" if product.available else "N"),
        )
        for product in products
    )


def expiry(voucher: BookVoucher) -> str:
    return sast(voucher.expires_at).strftime("%Y-%m-%d")


def altered(body: bytes, kind: str, delta_cents: int) -> bytes:
    """A success made wrong, as `wrong_amount`, `wrong_reference`, `no_pin` and `bad_pin` ask; a refusal stays."""
    root = parse(body)
    if root.findtext("ResultCode") != "000":
        return body
    if kind == "wrong_amount":
        value = _first(root, "Voucher/Value", "Amount")
        if value is not None and value.text:
            value.text = rand(cents_of(value.text) + delta_cents)
    elif kind == "wrong_reference":
        echo = _first(root, "RequestId")
        if echo is not None and echo.text:
            echo.text = echo.text[:-1] + ("0" if echo.text[-1] != "0" else "1")
    else:
        pin = _first(root, "Voucher/Pin", "Voucher/RedeemUrl")
        parent = None if pin is None else pin.getparent()
        if pin is not None and parent is not None:
            if kind == "no_pin":
                parent.remove(pin)
            else:
                pin.text = "#" + (pin.text or "")[1:]
    return etree.tostring(root)


def _first(root: Element, *paths: str) -> Element | None:
    for path in paths:
        if (found := root.find(path)) is not None:
            return found
    return None
