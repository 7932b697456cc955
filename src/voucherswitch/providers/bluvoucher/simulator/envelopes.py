"""AEON's envelope on the provider's side: which requests are well-formed, and how answers and errors look
(providers.md 8.1, 8.2, 8.4)."""

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from voucherswitch.providers.bluvoucher import messages
from voucherswitch.providers.contract.answers import BadAnswer
from voucherswitch.providers.contract.simulator.provider import Reply
from voucherswitch.providers.contract.transport.xml import Markup, element, leaf, own_text, parse

XML_TYPE: Final = b"text/xml"
DONE: Final = 200  # for the simulator's journal; nothing of it is on the wire
REFUSED: Final = 400

TEXTS: Final[Mapping[str, str]] = {
    "103": "Invalid user",
    "750": "Session unknown or expired",
    "751": "Unknown product",
    "752": "Amount out of range",
    "753": "Float exhausted",
    "754": "Reference already used",
    "755": "XML malformed",
    "760": "Voucher not found",
    "761": "Voucher already spent",
    "762": "Voucher expired",
    "763": "Voucher blocked",
    "764": "Voucher unsold",
    "765": "Amount differs from value",
    "770": "Transaction unknown",
    "771": "Already sold",
    "772": "Already cancelled",
    "773": "Cancel window closed",
    "774": "Function not available",
    "790": "Temporarily unavailable",
    "799": "Technical error",
}


class Form(Struct, frozen=True):
    """An event: the capability it serves, whether it needs a session, and its children in their order."""

    op: str
    in_session: bool
    fields: tuple[str, ...]  # `?` at the end: it may be missing


FORMS: Final[Mapping[str, Form]] = {
    messages.AUTHENTICATION: Form(
        "auth", False, ("UserPin", "DeviceId", "DeviceSer", "DeviceVer?", "TransType", "Reference?")
    ),
    messages.GET_PRODUCT_LIST: Form("products", True, ("TransType",)),
    messages.GET_VOUCHER: Form("provision", True, ("Reference", "Amount", "ProductCode")),
    messages.SOLD_VOUCHER: Form("confirm", False, ("DeviceId", "DeviceSer", "UserPin", "TransRef", "Reference")),
    messages.CANCEL_VOUCHER: Form("reverse", False, ("DeviceId", "DeviceSer", "UserPin", "TransRef?", "Reference")),
    messages.GET_TRANS_STATUS: Form("status", True, ("Reference",)),
    messages.VOUCHER_ENQUIRY: Form("lookup", True, ("Reference", "VoucherNumber")),
    messages.VOUCHER_SPEND: Form("redeem", True, ("Reference", "VoucherNumber", "Amount")),
}
_SHAPES: Final = {
    "Reference": re.compile(r"[0-9A-Za-z-]{36}"),
    "Amount": re.compile(r"[0-9]{1,9}\.[0-9]{2}"),
    "ProductCode": re.compile(r".{1,12}"),
    "VoucherNumber": re.compile(r"[0-9]{16}"),
    "TransType": re.compile(messages.TRANS_TYPE),
}


class Event(Struct, frozen=True):
    """A request as it was read; `well_formed`: it has the children of its event and no others, each of its shape."""

    name: str
    form: Form | None
    session_id: str
    fields: Mapping[str, str]
    well_formed: bool


def read_event(line: bytes) -> Event | None:
    """Read a request; None: it is no AEON request at all."""
    try:
        root = parse(line)
        parts = [(part.tag, part) for part in root if isinstance(part.tag, str)]
        if root.tag != "request" or not line.startswith(b"<request>"):
            return None
        if parts and parts[0][0] == "Version" and re.fullmatch(r"2\.[0-9]+", own_text(parts[0][1])):
            parts.pop(0)
        session_id = ""
        if parts and parts[0][0] == "SessionId":
            session_id = own_text(parts.pop(0)[1])
        if [tag for tag, _ in parts] != ["EventType", "event"]:
            return None
        name, form = own_text(parts[0][1]), FORMS.get(own_text(parts[0][1]))
        fields = [(str(child.tag), own_text(child)) for child in parts[1][1]]
    except BadAnswer:
        return None
    well_formed = form is not None and _has_the_children(form, fields)
    return Event(name, form, session_id, dict(fields), well_formed)


def _has_the_children(form: Form, fields: list[tuple[str, str]]) -> bool:
    present = {name for name, _ in fields}
    wanted = [name.rstrip("?") for name in form.fields if not name.endswith("?") or name[:-1] in present]
    return [name for name, _ in fields] == wanted and all(
        (shape.fullmatch(text) if (shape := _SHAPES.get(name)) else text) for name, text in fields
    )


def succeeded(event_type: str, session_id: str, *data: Markup) -> Reply:
    """The answer to an event that was done."""
    return Reply(DONE, _response(event_type, session_id, "0", *data), XML_TYPE)


def refused(event_type: str, session_id: str, code: str, spelling: str = "AEON") -> Reply:
    """The answer to an event that was not; `spelling` is that of the error's element names."""
    error = "3" if code == "103" else "9"
    return Reply(
        REFUSED,
        _response(
            event_type,
            session_id,
            "1",
            leaf("ErrorCode", error),
            leaf("ErrorText", "Declined"),
            leaf(f"{spelling}ErrorCode", code),
            leaf(f"{spelling}ErrorText", TEXTS.get(code, "Refused")),
        ),
        XML_TYPE,
    )


def _response(event_type: str, session_id: str, event_code: str, *data: Markup) -> bytes:
    session = leaf("SessionId", session_id) if session_id else element("SessionId")
    return element(
        "response",
        session,
        leaf("EventType", event_type),
        element("event", leaf("EventCode", event_code)),
        element("data", *data),
    ).encode()
