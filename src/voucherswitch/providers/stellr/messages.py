"""Stellr's requests as XML (providers.md 1.1 to 1.3, Proposed): fields in the protocol's order, one builder each.

Every request starts alike; the line breaks are those of the protocol's samples.
"""

from typing import Final

from msgspec import Struct

from voucherswitch.message.marks import NEVER_KEPT, QUOTED, SEALED, plain, wire_fields
from voucherswitch.providers.contract.transport.xml import LINE_BREAK, Markup, document, element, leaf

WIRE_CURRENCY: Final = "ZAR"

FIELDS: Final = wire_fields(
    "version channelId terminalId RequestId RequestDateTime Amount Currency StoreId TillId TransactionId Serial Status"
    " Type Value MinValue MaxValue Available ExpiryDate",
    password=NEVER_KEPT,
    Pin=SEALED,
    # A voucher in another coat; instructions often hold the PIN, as a part of what is to be dialled.
    Barcode=SEALED,
    RedeemUrl=SEALED,
    Instructions=SEALED,
    ProductCode=plain("a product's"),
    Name=plain("a product's"),
    ResultCode=plain("a number of the protocol"),
    ResultText=QUOTED,
)

_VERSION: Final = {"version": "2.0"}


class Head(Struct, frozen=True):
    """What every request starts with. `time` is South African, `yyyyMMddHHmmss`."""

    auth: Markup
    request_id: str
    time: str


def auth(terminal_id: str, channel_id: str, password: str) -> Markup:
    """The credentials; the same in every request."""
    return element("Auth", attributes={"terminalId": terminal_id, "channelId": channel_id, "password": password})


def product_list_request(head: Head) -> bytes:
    return _request("ProductListRequest", head)


def purchase_request(head: Head, product: str, amount: str, store: str, till: str) -> bytes:
    return _request(
        "PurchaseRequest",
        head,
        LINE_BREAK,
        leaf("ProductCode", product),
        leaf("Amount", amount),
        leaf("Currency", WIRE_CURRENCY),
        leaf("StoreId", store),
        leaf("TillId", till),
    )


def enquiry_request(head: Head, *, pin: str | None = None, serial: str = "") -> bytes:
    """By the PIN if there is one, else by the serial."""
    return _request(
        "VoucherEnquiryRequest", head, LINE_BREAK, leaf("Serial", serial) if pin is None else leaf("Pin", pin)
    )


def redeem_request(head: Head, pin: str, amount: str, store: str, till: str) -> bytes:
    return _request(
        "RedeemRequest",
        head,
        LINE_BREAK,
        leaf("Pin", pin),
        leaf("Amount", amount),
        leaf("Currency", WIRE_CURRENCY),
        leaf("StoreId", store),
        leaf("TillId", till),
    )


def _request(root: str, head: Head, *fields: Markup) -> bytes:
    """Raises `Unwritable` when a field holds what XML cannot."""
    start = (head.auth, LINE_BREAK, leaf("RequestId", head.request_id), leaf("RequestDateTime", head.time))
    return document(element(root, *start, *fields, attributes=_VERSION))
