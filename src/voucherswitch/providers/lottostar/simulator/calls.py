"""Lottostar's calls, as proposed: which request is which operation, and the form it must have (providers.md 3.2).

Forms are exact: a property that is missing, misspelt or too many is a wrong connector's, and is refused.
"""

from typing import Annotated, Any, Final
from urllib.parse import unquote

import msgspec
from msgspec import Meta, Struct

from voucherswitch.message.codes import ReversalReason
from voucherswitch.providers.contract.simulator.wires import Request

Reference = Annotated[str, Meta(pattern=r"^[!-~]{1,36}$")]
AdviceId = Annotated[str, Meta(pattern=r"^[0-9A-Za-z-]{36}$")]
Place = Annotated[str, Meta(min_length=1, max_length=20)]
Code = Annotated[str, Meta(pattern=r"^[0-9]{14}$")]


class _Form(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Base of the forms."""


class Issue(_Form, frozen=True):
    client_txn_id: Reference
    denomination_cents: int
    store_ref: Place
    terminal_ref: Place


class Void(_Form, frozen=True):
    advice_id: AdviceId
    reason: ReversalReason


class Lookup(_Form, frozen=True):
    code: Code


class Call(Struct, frozen=True):
    """One call. `op` is the capability; `form` is None where there is no body."""

    op: str
    wire_op: str
    form: type[_Form] | None = None
    success: int = 200


ISSUE: Final = Call("provision", "POST /vouchers", Issue, 201)
LOOKUP: Final = Call("lookup", "POST /vouchers/lookup", Lookup)
PRODUCTS: Final = Call("products", "GET /denominations")
STATUS: Final = Call("status", "GET /vouchers/by-client-ref/{clientTxnId}")
VOID: Final = Call("reverse", "POST /vouchers/by-client-ref/{clientTxnId}/void", Void)

_WHOLE: Final = {
    ("POST", "/vouchers"): ISSUE,
    ("POST", "/vouchers/lookup"): LOOKUP,
    ("GET", "/denominations"): PRODUCTS,
}
_BY_REFERENCE: Final = "/vouchers/by-client-ref/"

NAMES: Final = frozenset(name for call in (ISSUE, LOOKUP, PRODUCTS, STATUS, VOID) for name in (call.op, call.wire_op))


def find(method: str, path: str) -> tuple[Call | None, str]:
    """The call of a path below the base path, and the reference in it; None: there is no such call."""
    whole = _WHOLE.get((method, path))
    if whole is not None or not path.startswith(_BY_REFERENCE):
        return whole, ""
    reference, _, verb = path.removeprefix(_BY_REFERENCE).partition("/")
    call = {("GET", ""): STATUS, ("POST", "void"): VOID}.get((method, verb))
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
    if request.header(b"content-type") != b"application/json":
        raise ValueError("the body is not declared as application/json")
    try:
        return msgspec.json.decode(request.body, type=call.form)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError("the body does not have the form of this call") from error
