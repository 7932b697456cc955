"""The simulated Stellr's requests, read strictly: elements, their order, credentials (providers.md 1.1, 1.2)."""

import re
from datetime import datetime
from typing import Final

from msgspec import Struct

from voucherswitch.providers.contract.answers import BadAnswer
from voucherswitch.providers.contract.transport.xml import Element, attributes_of, own_text, parse

PATH: Final = "/voucher-gateway/v2/process"
CONTENT_TYPE: Final = b"application/xml; charset=UTF-8"
TERMINAL_ID: Final = "T0000042"
CHANNEL_ID: Final = "VSW"
PASSWORD: Final = "example-stellr-password"  # noqa: S105 (an invented sample)

_CREDENTIALS: Final = {"terminalId": TERMINAL_ID, "channelId": CHANNEL_ID, "password": PASSWORD}


class Wire(Struct, frozen=True):
    """One request of the protocol: the capability it serves, and its fields; `choice`: exactly one of them is there."""

    op: str
    fields: tuple[str, ...]
    choice: bool = False


WIRE: Final = {
    "EchoRequest": Wire("echo", ()),
    "ProductListRequest": Wire("products", ("Brand",), choice=True),
    "PurchaseRequest": Wire("provision", ("ProductCode", "Amount", "Currency", "StoreId", "TillId")),
    "VoucherEnquiryRequest": Wire("lookup", ("Pin", "Serial"), choice=True),
    "RedeemRequest": Wire("redeem", ("Pin", "Amount", "Currency", "StoreId", "TillId")),
}
_OPTIONAL: Final = frozenset({"Brand"})
_SHAPES: Final = {
    "Brand": re.compile(r".{1,30}"),
    "ProductCode": re.compile(r".{1,8}"),
    "Amount": re.compile(r"[0-9]{1,10}\.[0-9]{2}"),
    "Currency": re.compile(r"ZAR"),
    "StoreId": re.compile(r".{1,12}"),
    "TillId": re.compile(r".{1,12}"),
    "Pin": re.compile(r".{1,40}"),
    "Serial": re.compile(r"[0-9]{12}"),
}


class Form(Struct):
    """A request as it was read. `wrong`: the result code that credentials or format earn it."""

    root: str = ""
    request_id: str = ""
    fields: dict[str, str] = {}
    wrong: str | None = None

    @property
    def cents(self) -> int:
        return int(self.fields["Amount"].replace(".", ""))


def read_form(body: bytes) -> Form:
    """Read a request; what is wrong with it is in the form, never raised."""
    try:
        root = parse(body)
    except BadAnswer:
        return Form(wrong="501")
    form = Form(root.tag)
    parts = list(root)
    try:
        form.request_id = next((own_text(part) for part in parts if part.tag == "RequestId"), "")[:36]
        if not parts or parts[0].tag != "Auth" or attributes_of(parts[0]) != _CREDENTIALS or len(parts[0]):
            form.wrong = "401"
        elif not _is_exact(root, parts, form):
            form.wrong = "501"
    except (BadAnswer, ValueError):
        form.wrong = "501"
    return form


def _is_exact(root: Element, parts: list[Element], form: Form) -> bool:
    wire = WIRE.get(root.tag)
    if wire is None or attributes_of(root) != {"version": "2.0"}:
        return False
    names = [part.tag for part in parts]
    if names[:3] != ["Auth", "RequestId", "RequestDateTime"] or any(attributes_of(part) for part in parts[1:]):
        return False
    if not 1 <= len(own_text(parts[1])) <= 36:
        return False
    datetime.strptime(own_text(parts[2]), "%Y%m%d%H%M%S")  # noqa: DTZ007 (only whether it is a time)
    found = names[3:]
    if wire.choice:
        if len(found) > 1 or not set(found) <= set(wire.fields) or (not found and not set(wire.fields) <= _OPTIONAL):
            return False
    elif tuple(found) != wire.fields:
        return False
    form.fields = {part.tag: own_text(part) for part in parts[3:]}
    return all(_SHAPES[name].fullmatch(text) for name, text in form.fields.items())
