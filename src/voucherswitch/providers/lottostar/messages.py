"""Lottostar's wire models, as proposed (providers.md 3.2). Unknown properties are ignored; money is whole cents.

An expiry may be anything: a voucher that was paid for is not given up for the form of its date.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from voucherswitch.message.marks import PROTOCOL_WORD, QUOTED, SEALED, plain

CENTS_MAX: Final = 10**11  # far above any voucher; what exceeds it is no amount

Cents = Annotated[int, Meta(ge=0, le=CENTS_MAX)]


class Request(Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of the requests: fields in the order of the protocol."""


class IssueRequest(Request, frozen=True, kw_only=True):
    client_txn_id: str
    denomination_cents: int
    store_ref: str
    terminal_ref: str


class VoidRequest(Request, frozen=True, kw_only=True):
    advice_id: str
    reason: Annotated[str, plain("a word of ours")]


class LookupRequest(Request, frozen=True, kw_only=True):
    code: Annotated[str, SEALED]


class VoucherObject(Struct, frozen=True, rename="camel"):
    client_txn_id: str
    value_cents: Cents
    status: str
    code: Annotated[str, SEALED] | None = None
    serial: str | None = None
    voucher_id: str | None = None
    expires_at: object = None


class VoidAnswer(Struct, frozen=True, rename="camel"):
    client_txn_id: str
    status: str


class LookupAnswer(Struct, frozen=True, rename="camel"):
    """It does not repeat the code."""

    value_cents: Cents
    status: str
    serial: str | None = None
    expires_at: object = None


class Denomination(Struct, frozen=True, rename="camel"):
    cents: Cents
    product_ref: str


class DenominationList(Struct, frozen=True):
    denominations: tuple[Denomination, ...]


class ErrorPart(Struct, frozen=True):
    code: Annotated[str, PROTOCOL_WORD]
    message: Annotated[str, QUOTED] | None = None


class ErrorObject(Struct, frozen=True):
    error: ErrorPart
