"""The sandbox's calls: which request is which operation, and the form it must have (providers.md 11.2)."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

Id = Annotated[str, Meta(min_length=36, max_length=36, pattern="^[0-9A-Za-z-]+$")]
ProductId = Annotated[str, Meta(pattern="^[0-9A-Za-z]{1,20}$")]
Code = Annotated[str, Meta(pattern="^[0-9A-Za-z-]{1,40}$")]
Place = Annotated[str, Meta(min_length=1, max_length=20)]
Reason = Annotated[str, Meta(min_length=1, max_length=40)]


class _Form(Struct, frozen=True, rename="camel", gc=False):
    """Unknown properties are ignored."""


class Provision(_Form, frozen=True):
    request_id: Id
    product_id: ProductId
    amount_cents: int
    currency: Annotated[str, Meta(pattern="^ZAR$")]
    store: Place
    terminal: Place
    voucher_code: Code | None = None


class Lookup(_Form, frozen=True):
    code: Code | None = None
    serial: Place | None = None
    request_id: Id | None = None


class Redeem(_Form, frozen=True):
    request_id: Id
    code: Code
    amount_cents: Annotated[int, Meta(ge=0)]
    store: Place
    terminal: Place
    pin: str | None = None


class Refund(_Form, frozen=True):
    request_id: Id
    code: Code
    amount_cents: Annotated[int, Meta(ge=0)]
    redemption_request_id: Id | None = None


class Confirm(_Form, frozen=True):
    advice_id: Id


class Reverse(_Form, frozen=True):
    advice_id: Id
    reason: Reason


class Nothing(_Form, frozen=True):
    """The form of a call without a body."""


class Call(Struct, frozen=True):
    """One call. `op` is the capability; `decoder` is None where there is no body."""

    op: str
    wire_op: str
    success: int
    decoder: msgspec.json.Decoder[_Form] | None = None


def _call(op: str, wire_op: str, form: type[_Form] | None = None, success: int = 200) -> Call:
    return Call(op, wire_op, success, None if form is None else msgspec.json.Decoder(form))


PROVISION: Final = _call("provision", "POST /vouchers", Provision, 201)
LOOKUP: Final = _call("lookup", "POST /vouchers/lookup", Lookup)
REDEEM: Final = _call("redeem", "POST /redemptions", Redeem, 201)
REFUND: Final = _call("refund", "POST /refunds", Refund, 201)
PRODUCTS: Final = _call("products", "GET /products")

_WHOLE: Final = {
    ("POST", "vouchers"): PROVISION,
    ("POST", "vouchers/lookup"): LOOKUP,
    ("POST", "redemptions"): REDEEM,
    ("POST", "refunds"): REFUND,
    ("GET", "products"): PRODUCTS,
}
_OF_AN_ID: Final = {
    ("GET", "vouchers", ""): _call("status", "GET /vouchers/{requestId}"),
    ("GET", "redemptions", ""): _call("redeemStatus", "GET /redemptions/{requestId}"),
    ("GET", "refunds", ""): _call("refundStatus", "GET /refunds/{requestId}"),
    ("POST", "vouchers", "retry"): _call("retry", "POST /vouchers/{requestId}/retry", Provision),
    ("POST", "vouchers", "confirm"): _call("confirm", "POST /vouchers/{requestId}/confirm", Confirm, 202),
    ("POST", "vouchers", "reverse"): _call("reverse", "POST /vouchers/{requestId}/reverse", Reverse, 202),
    ("POST", "redemptions", "confirm"): _call("confirmRedeem", "POST /redemptions/{requestId}/confirm", Confirm, 202),
    ("POST", "redemptions", "reverse"): _call("reverseRedeem", "POST /redemptions/{requestId}/reverse", Reverse, 202),
    ("POST", "refunds", "confirm"): _call("confirmRefund", "POST /refunds/{requestId}/confirm", Confirm, 202),
    ("POST", "refunds", "reverse"): _call("reverseRefund", "POST /refunds/{requestId}/reverse", Reverse, 202),
}

NAMES: Final = frozenset(name for call in (*_WHOLE.values(), *_OF_AN_ID.values()) for name in (call.op, call.wire_op))


def find(method: str, path: str) -> tuple[Call | None, str]:
    """The call of a path below the base path, and the id in it; None: there is no such call."""
    whole = _WHOLE.get((method, path))
    if whole is not None:
        return whole, ""
    what, _, rest = path.partition("/")
    reference, _, verb = rest.partition("/")
    return _OF_AN_ID.get((method, what, verb)), reference
