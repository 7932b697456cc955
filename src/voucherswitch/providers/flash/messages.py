"""Flash's wire models (providers.md 9.2): the shapes are Documented. Cents; unknown properties are ignored."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from voucherswitch.message.marks import MASKED_LAST_FOUR, QUOTED, SEALED, plain

# A bound far beyond any code, so that a number without end is no code.
ResponseCode = Annotated[int, Meta(ge=-999_999_999, le=999_999_999), plain("a number of the protocol")]
ProductCode = Annotated[int, plain("a product's number")]
Account = Annotated[str, MASKED_LAST_FOUR]


class Request(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of the requests: fields in the order of the protocol, what is None is left out."""


class Metadata(Struct, frozen=True):
    """Ours to fill: comes back in the daily file."""

    store: str


class PurchaseRequest(Request, frozen=True, kw_only=True):
    reference: str
    account_number: Account
    amount: int
    metadata: Metadata


class GiftPurchaseRequest(Request, frozen=True, kw_only=True):
    reference: str
    account_number: Account
    amount: int
    metadata: Metadata
    product_code: ProductCode
    store_id: str
    terminal_id: str


class RedeemRequest(Request, frozen=True, kw_only=True):
    reference: str
    account_number: Account
    pin: Annotated[str, SEALED]
    amount: int
    mobile_number: Annotated[str, MASKED_LAST_FOUR] | None = None
    store_id: str
    terminal_id: str | None = None


class RefundRequest(Request, frozen=True, kw_only=True):
    reference: str
    account_number: Account
    amount: int
    metadata: Metadata


class ReverseRequest(Request, frozen=True, kw_only=True):
    """Proposed. `reference` is the advice's own; `original_reference` that of the purchase."""

    reference: str
    original_reference: str


class Content(Struct, frozen=True, rename="camel"):
    redemption_instructions: Annotated[str, SEALED] | None = None


class VoucherPart(Struct, frozen=True, rename="camel"):
    amount: int | None = None
    expiry_date: Any = None  # whatever stands there, the voucher was paid for
    pin: Annotated[str, SEALED] | None = None
    serial_number: str | None = None
    status: str | None = None
    content: Content | None = None


class Answer(Struct, frozen=True, rename="camel"):
    """The answer of every call; a decline has no voucher."""

    response_code: ResponseCode
    response_message: Annotated[str, QUOTED] | None = None
    reference: str | None = None
    amount: int | None = None
    transaction_id: str | None = None
    voucher: VoucherPart | None = None


class Product(Struct, frozen=True, rename="camel"):
    product_code: ProductCode
    product_name: Annotated[str, plain("a product's name")]
    minimum_amount: int
    maximum_amount: int
    status: str


class ProductsAnswer(Struct, frozen=True, rename="camel"):
    response_code: ResponseCode
    response_message: Annotated[str, QUOTED] | None = None
    products: tuple[Product, ...] = ()
