"""Flash's calls and the form that each must have (providers.md 9.2). Exact: what is not listed is refused."""

from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct

Reference = Annotated[str, Meta(pattern=r"^[0-9A-Za-z.=-]{1,50}$")]
Account = Annotated[str, Meta(pattern=r"^[0-9]{4}(-[0-9]{4}){3}$")]
Cents = Annotated[int, Meta(ge=1, le=10**12)]
Place = Annotated[str, Meta(pattern=r"^[0-9A-Za-z]{1,20}$")]
Mobile = Annotated[str, Meta(pattern=r"^27[0-9]{9}$")]
Pin = Annotated[str, Meta(pattern=r"^[0-9]{16}$")]
Metadata = Annotated[dict[Annotated[str, Meta(max_length=10)], Annotated[str, Meta(max_length=43)]], Meta(max_length=9)]


class _Form(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    reference: Reference


class _Priced(_Form, frozen=True, kw_only=True, forbid_unknown_fields=True):
    account_number: Account
    amount: Cents
    metadata: Metadata = {}


class Purchase(_Priced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class GiftPurchase(_Priced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    product_code: int
    store_id: Place
    terminal_id: Place
    barcode: str | None = None


class Redeem(_Priced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pin: Pin
    mobile_number: Mobile | None = None
    store_id: Place | None = None
    terminal_id: Place | None = None


class Refund(_Priced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    mobile_number: Mobile | None = None


class Reverse(_Form, frozen=True, kw_only=True, forbid_unknown_fields=True):
    original_reference: Reference


Priced: TypeAlias = Purchase | GiftPurchase | Redeem | Refund
Form: TypeAlias = Priced | Reverse


class Call(Struct, frozen=True):
    """One call. `op` is the capability; `decoder` is None where there is no JSON."""

    op: str
    wire_op: str
    decoder: msgspec.json.Decoder[Any] | None = None


def _post(op: str, path: str, form: type[Form]) -> tuple[tuple[str, str], Call]:
    return ("POST", path), Call(op, f"POST {path}", msgspec.json.Decoder(form))


TOKEN: Final = Call("token", "POST /token")
PRODUCTS: Final = Call("products", "GET /accounts/{accountNumber}/products")
CALLS: Final[dict[tuple[str, str], Call]] = dict(
    (
        _post("provision", "/1voucher/purchase", Purchase),
        _post("provision", "/gift-vouchers/purchase", GiftPurchase),
        _post("redeem", "/1voucher/redeem", Redeem),
        _post("refund", "/1voucher/refund", Refund),
        _post("reverse", "/1voucher/reverse", Reverse),
    )
)
OPERATIONS: Final = frozenset(name for call in (TOKEN, PRODUCTS, *CALLS.values()) for name in (call.op, call.wire_op))
