"""Supabets' wire models (providers.md 5.2). Proposed protocol. Unknown properties are ignored; money is whole cents.

An expiry may be anything: a voucher that was paid for is not given up for the form of its date.
"""

from typing import Annotated, Final

from msgspec import Struct

from voucherswitch.message.marks import QUOTED, SEALED, plain, wire_fields

UNREAD: Final = wire_fields(masked=SEALED)  # the last digits of a PIN that is not revealed yet


class Amount(Struct, frozen=True):
    value: int
    currency: str


class ReservationRequest(Struct, frozen=True, rename="camel"):
    """The fields in the order of the sample."""

    product_id: str
    amount: Amount
    site: str
    lane: str


class PinCheckRequest(Struct, frozen=True):
    pin: Annotated[str, SEALED]


class VoucherPart(Struct, frozen=True):
    """`pin` is null while a late-revealing provider keeps it back."""

    serial: str
    value: int
    expiry: object = None
    pin: Annotated[str, SEALED] | None = None


class Reservation(Struct, frozen=True, rename="camel"):
    reservation_id: str
    state: str
    provider_ref: str | None = None
    reserved_until: object = None
    voucher: VoucherPart | None = None


class Release(Struct, frozen=True, rename="camel"):
    """The answer to a DELETE."""

    reservation_id: str
    state: str


class PinCheck(Struct, frozen=True):
    serial: str
    value: int
    state: str
    expiry: object = None


class Product(Struct, frozen=True, rename="camel"):
    product_id: str
    name: Annotated[str, plain("a product's name")]
    min_cents: int
    max_cents: int
    fixed: bool


class ProductList(Struct, frozen=True):
    products: tuple[Product, ...]


class Problem(Struct, frozen=True):
    """A refusal (RFC 9457). The last part of `type` is the provider's code."""

    type: str = ""
    title: Annotated[str, QUOTED] | None = None
    detail: Annotated[str, QUOTED] | None = None
