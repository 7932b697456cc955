"""Betway's calls: which request is which operation, and the form it must have (providers.md 10.2). Proposed.

Strict on purpose: a property too many, or a request without its own correlation id, is a wrong client.
"""

import re
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta, Struct

from voucherswitch.providers.contract.simulator.wires import Request

_UUID: Final = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"

Id = Annotated[str, Meta(pattern=_UUID)]
_ID = re.compile(_UUID)


class _Form(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Every property of a form is in the protocol."""


class Amount(_Form, frozen=True):
    currency: Literal["ZAR"]
    minor: Annotated[int, Meta(ge=1)]


class TenderForm(_Form, frozen=True):
    reference: Annotated[str, Meta(min_length=1, max_length=40)]
    type: Annotated[str, Meta(min_length=1, max_length=20)]
    minor: int


class OrderForm(_Form, frozen=True):
    """`tender` may be missing here: that is refused later, in the order of the checks."""

    external_id: Id
    sku_id: Annotated[str, Meta(min_length=1, max_length=20)]
    quantity: Literal[1]
    unit_amount: Amount
    outlet: Annotated[str, Meta(min_length=1, max_length=12)]
    requested_at: datetime
    tender: TenderForm | None = None

    @property
    def content(self) -> tuple[object, ...]:
        """What must be the same for an id to come again. When it was asked is not part of it."""
        return (self.sku_id, self.unit_amount, self.outlet, self.tender)


class AcknowledgeForm(_Form, frozen=True):
    advice_id: Id


class CancelForm(_Form, frozen=True):
    advice_id: Id
    reason: Annotated[str, Meta(min_length=1, max_length=40)]


class ValidateForm(_Form, frozen=True):
    pin: Annotated[str, Meta(pattern="^[0-9]{10}$")]


class Call(Struct, frozen=True):
    """One call. `op` is the capability; a poll has a name of its own. `form` is None where there is no body."""

    op: str
    wire_op: str
    success: int = 200
    form: type[_Form] | None = None


ORDER: Final = Call("provision", "POST /orders", 202, OrderForm)
# The same message for an id that is known: what a retry is.
ORDER_AGAIN: Final = Call("retry", "POST /orders", 200, OrderForm)
POLL: Final = Call("poll", "GET /orders/{orderId}")
STATUS: Final = Call("status", "GET /orders?externalId=")
ACKNOWLEDGE: Final = Call("confirm", "POST /orders/by-external-id/{externalId}/acknowledge", form=AcknowledgeForm)
CANCEL: Final = Call("reverse", "POST /orders/by-external-id/{externalId}/cancel", form=CancelForm)
VALIDATE: Final = Call("lookup", "POST /vouchers/validate", form=ValidateForm)
SKUS: Final = Call("products", "GET /skus")

_WHOLE: Final = {
    ("POST", "orders"): ORDER,
    ("GET", "orders"): STATUS,
    ("POST", "vouchers/validate"): VALIDATE,
    ("GET", "skus"): SKUS,
}
_ADVICES: Final = {"acknowledge": ACKNOWLEDGE, "cancel": CANCEL}
NAMES: Final = frozenset(
    name for call in (*_WHOLE.values(), *_ADVICES.values(), ORDER_AGAIN, POLL) for name in (call.op, call.wire_op)
)


def find(method: str, target: str) -> tuple[Call | None, str]:
    """The call of a target below the base path, and the id in it; None: there is no such call."""
    path, _, query = target.partition("?")
    whole = _WHOLE.get((method, path))
    if whole is STATUS:
        named = parse_qsl(query)
        return (STATUS, named[0][1]) if [name for name, _ in named] == ["externalId"] else (None, "")
    if whole is not None:
        return whole, ""
    parts = path.split("/")
    match method, parts:
        case "GET", ["orders", order_id]:
            return POLL, order_id
        case "POST", ["orders", "by-external-id", external_id, verb]:
            return _ADVICES.get(verb), external_id
    return None, ""


def read_form(call: Call, request: Request) -> Any:
    """The message of a call; None where there is no body.

    Raises:
        ValueError: it does not have the form of this call.
    """
    if not _ID.match((request.header(b"x-correlation-id") or b"").decode("latin-1")):
        raise ValueError("X-Correlation-Id is not a UUID")
    if call.form is None:
        if request.body:
            raise ValueError("this call has no body")
        return None
    if request.header(b"content-type") != b"application/json":
        raise ValueError("the body is not JSON")
    try:
        form = msgspec.json.decode(request.body, type=call.form)
    except (msgspec.MsgspecError, RecursionError):
        raise ValueError("the body is not of this form") from None
    if isinstance(form, OrderForm) and form.requested_at.tzinfo is None:
        raise ValueError("requestedAt has no offset")
    return form
