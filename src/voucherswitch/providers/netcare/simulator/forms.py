"""The simulated Netcare's requests, read strictly: envelope, action, elements in order (providers.md 2.1, 2.2)."""

import re
from typing import Final

from msgspec import Struct

from voucherswitch.providers.contract.answers import BadAnswer
from voucherswitch.providers.contract.transport.soap import SOAP
from voucherswitch.providers.contract.transport.xml import Element, attributes_of, child, name_of, own_text, parse
from voucherswitch.providers.netcare.messages import BY_NUMBER, CANCEL, CATALOGUE, CONFIRM, ISSUE, NAMESPACE, name
from voucherswitch.providers.netcare.simulator.security import Token, read_token

OPS: Final = {CATALOGUE: "products", ISSUE: "provision", CONFIRM: "confirm", CANCEL: "reverse", BY_NUMBER: "lookup"}

_REFERENCE: Final = re.compile(r".{36}")
_NUMBER: Final = re.compile(r".{12}")
_CENTS: Final = re.compile(r"[0-9]{1,11}")

# Field -> its shape. A field that may be missing ends in `?`; a sale without its tender is refused by its own code.
_SCHEMA: Final[dict[str, dict[str, re.Pattern[str]]]] = {
    CATALOGUE: {},
    ISSUE: {
        "ClientReference": _REFERENCE,
        "ServiceCode": re.compile(r".{1,20}"),
        "Quantity": re.compile(r"1"),
        "PriceCents": _CENTS,
        "SiteCode": re.compile(r".{1,10}"),
        "TenderReference?": re.compile(r".{1,40}"),
        "TenderType?": re.compile(r"[A-Z_]{1,20}"),
        "TenderedCents?": _CENTS,
        "Msisdn?": re.compile(r"[0-9]{11}"),
    },
    CONFIRM: {"ClientReference": _REFERENCE, "NetcareReference": re.compile(r"NV[0-9]{10}"), "VoucherNumber": _NUMBER},
    CANCEL: {
        "ClientReference": _REFERENCE,
        "VoucherNumber?": _NUMBER,
        "Reason": re.compile(r"TIMEOUT|CANCELLED|RESPONSE_NOT_FINAL"),
    },
    BY_NUMBER: {"VoucherNumber": _NUMBER},
}


class Form(Struct):
    """A request as it was read. `wrong`: the fault code that its format earns, once its token has passed."""

    action: str = ""
    fields: dict[str, str] = {}
    token: Token | None = None
    wrong: str | None = None


def read_form(body: bytes, action_header: bytes | None) -> Form:
    """Read a request; what is wrong with it is in the form, never raised."""
    form = Form()
    try:
        root = parse(body)
        form.token = read_token(child(root, f"{{{SOAP}}}Header"))
        content = _content(root)
        form.action = name_of(content) if content.tag.startswith(f"{{{NAMESPACE}}}") else ""
        if form.action not in OPS:
            form.wrong = "NV-1400"
        elif action_header != f'"{NAMESPACE}/{form.action}"'.encode():
            form.wrong = "NV-1402"
        elif not _follows(content, _SCHEMA[form.action], form):
            form.wrong = "NV-1400"
    except BadAnswer:
        form.wrong = "NV-1400"
    return form


def _content(root: Element) -> Element:
    body = child(root, f"{{{SOAP}}}Body")
    if root.tag != f"{{{SOAP}}}Envelope" or body is None or len(body) != 1:
        raise BadAnswer("not an envelope with one element")
    return body[0]


def _follows(content: Element, schema: dict[str, re.Pattern[str]], form: Form) -> bool:
    """Whether the elements are those of the schema, in its order; takes what it finds into the form."""
    form.fields = {name_of(part): own_text(part) for part in content}
    expected = [name(field.rstrip("?")) for field in schema if not field.endswith("?") or field[:-1] in form.fields]
    if [part.tag for part in content] != expected or any(attributes_of(part) for part in (content, *content)):
        return False
    return all(
        shape.fullmatch(form.fields[field.rstrip("?")])
        for field, shape in schema.items()
        if field.rstrip("?") in form.fields
    )
