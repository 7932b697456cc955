"""Betway's wire models (providers.md 10.2). Proposed protocol. Unknown properties are ignored; money is whole cents.

An expiry may be anything: a voucher that was paid for is not given up for the form of its date.
"""

from typing import Annotated

from msgspec import Struct

from voucherswitch.message.marks import PROTOCOL_WORD, QUOTED, SEALED, plain


class Amount(Struct, frozen=True):
    currency: str
    minor: int


class TenderPart(Struct, frozen=True):
    """What was paid before the order: reference and type of the first tender, and the sum of all."""

    reference: str
    type: str
    minor: int


class OrderRequest(Struct, frozen=True, rename="camel"):
    """The fields in the order of the sample."""

    external_id: str
    sku_id: str
    quantity: int
    unit_amount: Amount
    outlet: str
    tender: TenderPart
    requested_at: str


class Acknowledgement(Struct, frozen=True, rename="camel"):
    advice_id: str


class Cancellation(Struct, frozen=True, rename="camel"):
    advice_id: str
    reason: Annotated[str, plain("a word of ours")]


class Validation(Struct, frozen=True):
    pin: Annotated[str, SEALED]


class VoucherPart(Struct, frozen=True, rename="camel"):
    serial: str
    amount: Amount
    expires_on: object = None
    pin: Annotated[str, SEALED] | None = None


class OrderObject(Struct, frozen=True, rename="camel"):
    """An order. Which of the rest is there depends on `state`."""

    external_id: str
    state: str
    order_id: str | None = None
    poll_after_ms: int | None = None
    reason: Annotated[str, QUOTED] | None = None
    acknowledged: bool = False
    voucher: VoucherPart | None = None


class Cancelled(Struct, frozen=True, rename="camel"):
    external_id: str
    state: str


class ValidatedVoucher(Struct, frozen=True, rename="camel"):
    serial: str
    amount: Amount
    state: str
    expires_on: object = None


class Sku(Struct, frozen=True, rename="camel"):
    sku_id: str
    name: Annotated[str, plain("a product's name")]
    fixed: bool
    min_minor: int
    max_minor: int


class SkuList(Struct, frozen=True):
    skus: tuple[Sku, ...]


class ErrorPart(Struct, frozen=True):
    code: Annotated[str, PROTOCOL_WORD]
    message: Annotated[str, QUOTED] | None = None


class ErrorObject(Struct, frozen=True):
    error: ErrorPart
