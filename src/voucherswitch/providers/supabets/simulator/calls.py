"""Supabets' calls: which request is which operation, and the form it must have (providers.md 5.2). Proposed.

Strict on purpose: a property too many, a body where none belongs, or a missing length is a wrong client.
"""

import re
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from voucherswitch.providers.contract.simulator.wires import Request

Place = Annotated[str, Meta(min_length=1, max_length=20)]

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Amount(Struct, frozen=True, forbid_unknown_fields=True):
    value: Annotated[int, Meta(ge=1)]
    currency: Literal["ZAR"]


class Reserve(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    product_id: Place
    amount: Amount
    site: Place
    lane: Place


class CheckPin(Struct, frozen=True, forbid_unknown_fields=True):
    pin: Annotated[str, Meta(pattern="^[0-9]{13}$")]


class Call(Struct, frozen=True):
    """One call. `op` is the capability; `form` is None where there is no body."""

    op: str
    wire_op: str
    success: int = 200
    form: type[Struct] | None = None


RESERVE: Final = Call("provision", "PUT /reservations/{id}", 201, Reserve)
# The same message for an id that is known: what a retry is.
RESERVE_AGAIN: Final = Call("retry", "PUT /reservations/{id}", 200, Reserve)
COMMIT: Final = Call("confirm", "POST /reservations/{id}/commit")
RELEASE: Final = Call("reverse", "DELETE /reservations/{id}")
STATUS: Final = Call("status", "GET /reservations/{id}")
PIN_CHECK: Final = Call("lookup", "POST /pin-checks", form=CheckPin)
PRODUCTS: Final = Call("products", "GET /products")

_CALLS: Final = {
    ("PUT", "reservations", ""): RESERVE,
    ("POST", "reservations", "commit"): COMMIT,
    ("DELETE", "reservations", ""): RELEASE,
    ("GET", "reservations", ""): STATUS,
}
_WHOLE: Final = {("POST", "pin-checks"): PIN_CHECK, ("GET", "products"): PRODUCTS}
NAMES: Final = frozenset(
    name for call in (*_CALLS.values(), *_WHOLE.values(), RESERVE_AGAIN) for name in (call.op, call.wire_op)
)


def find(method: str, path: str) -> tuple[Call | None, str]:
    """The call of a path below the base path, and the reservation's id in it; None: there is no such call."""
    whole = _WHOLE.get((method, path))
    if whole is not None:
        return whole, ""
    what, _, rest = path.partition("/")
    reference, _, verb = rest.partition("/")
    return _CALLS.get((method, what, verb)), reference


def read_form(call: Call, reference: str, request: Request) -> Any:
    """The message of a call; None where there is no body.

    Raises:
        ValueError: it does not have the form of this call.
    """
    if call not in (PIN_CHECK, PRODUCTS) and not _ID.fullmatch(reference):
        raise ValueError("the id is not a UUID")
    content_type = request.header(b"content-type")
    if call.form is None:
        if request.body or content_type is not None or request.header(b"content-length") != b"0":
            raise ValueError("this call has an empty body")
        return None
    if content_type != b"application/json":
        raise ValueError("the body is not JSON")
    try:
        return msgspec.json.decode(request.body, type=call.form)
    except (msgspec.MsgspecError, RecursionError):
        raise ValueError("the body is not of this form") from None
