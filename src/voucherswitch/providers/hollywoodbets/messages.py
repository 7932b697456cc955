"""Hollywoodbets' wire models, as proposed (providers.md 4.2). Unknown properties are ignored.

Money is a rand decimal in a string. A PIN is a string too: as a number it would lose its leading zeros, so a number is
no PIN.

An expiry may be anything: a voucher that was paid for is not given up for the form of its date.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from voucherswitch.message.marks import QUOTED, SEALED, plain

VOUCHER_ID_MAX: Final = 2**63 - 1


class Request(Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of the requests: fields in the order of the protocol."""


class IssueRequest(Request, frozen=True, kw_only=True):
    partner_ref: str
    outlet_code: Annotated[str, plain("a shop's")]
    face_value: str
    requested_at: str


class BlockRequest(Request, frozen=True, kw_only=True):
    advice_id: str
    reason: Annotated[str, plain("a word of ours")]


class PinQuery(Request, frozen=True, kw_only=True):
    pin: Annotated[str, SEALED]


class Result(Struct, frozen=True, rename="camel"):
    """What every answer has, good or bad; `partner_ref` where the answer is about a reference."""

    result_code: Annotated[str, QUOTED]
    result_text: Annotated[str, QUOTED] | None = None
    partner_ref: str | None = None


class IssueObject(Struct, frozen=True, rename="camel"):
    partner_ref: str
    face_value: str
    state: str
    pin: Annotated[str, SEALED] | None = None
    voucher_id: Annotated[int, Meta(ge=0, le=VOUCHER_ID_MAX)] | None = None
    serial_number: str | None = None
    expiry_date: object = None


class BlockAnswer(Struct, frozen=True, rename="camel"):
    partner_ref: str
    state: str


class PinAnswer(Struct, frozen=True, rename="camel"):
    """It does not repeat the PIN."""

    face_value: str
    state: str
    serial_number: str | None = None
    expiry_date: object = None


class DenominationList(Struct, frozen=True):
    denominations: tuple[str, ...]
