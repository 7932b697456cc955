"""Hollywoodbets' calls, as proposed: which request is which operation, and the form it must have (providers.md 4.2).

Forms are exact: a property that is missing, misspelt or too many is a wrong connector's, and is refused.
"""

from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import unquote

import msgspec
from msgspec import Meta, Struct

from voucherswitch.message.codes import ReversalReason
from voucherswitch.providers.contract.simulator.wires import Request

CONTENT_TYPE: Final = b"application/json; charset=utf-8"

Reference = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_.:-]{1,40}$")]  # none of them can break the daily file's columns
Outlet = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_-]{1,12}$")]
FaceValue = Annotated[str, Meta(pattern=r"^[0-9]{1,9}\.[0-9]{2}$")]
AdviceId = Annotated[str, Meta(pattern=r"^[0-9A-Za-z-]{36}$")]
Pin = Annotated[str, Meta(pattern=r"^[0-9]{11}$")]


class _Form(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Base of the forms."""


class Issue(_Form, frozen=True):
    partner_ref: Reference
    outlet_code: Outlet
    face_value: FaceValue
    requested_at: Annotated[datetime, Meta(tz=True)]


class Block(_Form, frozen=True):
    advice_id: AdviceId
    reason: ReversalReason


class Query(_Form, frozen=True):
    pin: Pin


class Call(Struct, frozen=True):
    """One call. `op` is the capability; `form` is None where there is no body."""

    op: str
    wire_op: str
    form: type[_Form] | None = None


ISSUE: Final = Call("provision", "POST /issues", Issue)
STATUS: Final = Call("status", "GET /issues/{partnerRef}")
BLOCK: Final = Call("reverse", "POST /issues/{partnerRef}/block", Block)
LOOKUP: Final = Call("lookup", "POST /pin-queries", Query)
PRODUCTS: Final = Call("products", "GET /denominations")

_WHOLE: Final = {("POST", "/issues"): ISSUE, ("POST", "/pin-queries"): LOOKUP, ("GET", "/denominations"): PRODUCTS}
_BY_REFERENCE: Final = "/issues/"

NAMES: Final = frozenset(name for call in (ISSUE, STATUS, BLOCK, LOOKUP, PRODUCTS) for name in (call.op, call.wire_op))


def find(method: str, path: str) -> tuple[Call | None, str]:
    """The call of a path below the base path, and the reference in it; None: there is no such call."""
    whole = _WHOLE.get((method, path))
    if whole is not None or not path.startswith(_BY_REFERENCE):
        return whole, ""
    reference, _, verb = path.removeprefix(_BY_REFERENCE).partition("/")
    call = {("GET", ""): STATUS, ("POST", "block"): BLOCK}.get((method, verb))
    return (call, unquote(reference)) if reference else (None, "")


def read(call: Call, request: Request) -> Any:
    """The message of a request, None where the call has none.

    Raises:
        ValueError: it does not have the call's form.
    """
    if call.form is None:
        if request.body:
            raise ValueError("this call has no body")
        return None
    if request.header(b"content-type") != CONTENT_TYPE:
        raise ValueError("the body is not declared as application/json; charset=utf-8")
    try:
        return msgspec.json.decode(request.body, type=call.form)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError("the body does not have the form of this call") from error
