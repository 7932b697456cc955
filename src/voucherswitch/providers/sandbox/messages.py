"""The sandbox's wire models (providers.md 11.2). Unknown properties are ignored; money is whole cents."""

from typing import Annotated

from msgspec import Struct

from voucherswitch.message.marks import PROTOCOL_WORD, QUOTED, SEALED, plain


class Request(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of the requests: fields in the order of the protocol, what is None is left out."""


class ProvisionRequest(Request, frozen=True, kw_only=True):
    request_id: str
    product_id: str
    amount_cents: int
    currency: str
    voucher_code: Annotated[str, SEALED] | None = None
    store: str
    terminal: str


class LookupRequest(Request, frozen=True, kw_only=True):
    """One of the three."""

    code: Annotated[str, SEALED] | None = None
    serial: str | None = None
    request_id: str | None = None


class RedeemRequest(Request, frozen=True, kw_only=True):
    request_id: str
    code: Annotated[str, SEALED]
    pin: Annotated[str, SEALED] | None = None
    amount_cents: int
    store: str
    terminal: str


class RefundRequest(Request, frozen=True, kw_only=True):
    request_id: str
    code: Annotated[str, SEALED]
    redemption_request_id: str | None = None
    amount_cents: int


class ConfirmAdvice(Request, frozen=True, kw_only=True):
    advice_id: str


class ReverseAdvice(Request, frozen=True, kw_only=True):
    advice_id: str
    reason: Annotated[str, plain("a word of ours")]


class VoucherPart(Struct, frozen=True, rename="camel"):
    """`code` is masked in a lookup that did not send it, and missing until the voucher is issued."""

    serial: str
    value_cents: int
    balance_cents: int
    code: Annotated[str, SEALED] | None = None
    pin: Annotated[str, SEALED] | None = None
    expires_at: str | None = None
    instructions: Annotated[tuple[str, ...], SEALED] = ()


class VoucherObject(Struct, frozen=True, rename="camel"):
    """`voucher` is missing while the state is PENDING."""

    request_id: str
    state: str
    provider_ref: str | None = None
    voucher: VoucherPart | None = None


class MovementVoucher(Struct, frozen=True, rename="camel"):
    balance_cents: int


class MovementObject(Struct, frozen=True, rename="camel"):
    request_id: str
    kind: str
    state: str
    approved_cents: int
    voucher: MovementVoucher
    provider_ref: str | None = None


class AdviceAnswer(Struct, frozen=True, rename="camel"):
    request_id: str
    advice_id: str


class Product(Struct, frozen=True, rename="camel"):
    product_id: str
    name: Annotated[str, plain("a product's name")]
    fixed: bool
    amount_cents: int | None = None
    min_cents: int | None = None
    max_cents: int | None = None


class ProductList(Struct, frozen=True):
    products: tuple[Product, ...]


class ErrorPart(Struct, frozen=True, rename="camel"):
    code: Annotated[str, PROTOCOL_WORD]
    provider_code: Annotated[str, QUOTED] | None = None
    message: Annotated[str, QUOTED] | None = None


class ErrorObject(Struct, frozen=True):
    error: ErrorPart
