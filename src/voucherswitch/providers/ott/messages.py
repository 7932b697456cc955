"""OTT's answers (providers.md 6.2, Documented; rows marked P are ours). Unknown properties are ignored.

Money comes as a number or as text, so it is kept as it was written and read by `written_cents`, never as a float.
"""

from typing import Annotated, Any, Final

from msgspec import UNSET, Raw, Struct, UnsetType, field

from voucherswitch.message.marks import (
    MASKED,
    MASKED_LAST_FOUR,
    NEVER_KEPT,
    QUOTED,
    SEALED,
    plain,
    wire_fields,
)

Id = int | str  # a number in all that was seen; as text it would mean the same

# Our messages are forms.
PARAMETERS: Final = wire_fields(
    "amount branch till uniqueReference value vendorID",
    cashier=MASKED,
    hash=NEVER_KEPT,
    mobile=MASKED_LAST_FOUR,
    mobileForSMS=MASKED_LAST_FOUR,
    pin=SEALED,
    vendorCode=plain("the code of our contract"),
    voucherPIN=SEALED,
)


class Said(Struct, frozen=True):
    """What every answer has: `success` is the text "true" or "false"; a JSON boolean is not an answer of OTT."""

    success: str
    error_code: Annotated[str, QUOTED] | None = field(name="errorCode", default=None)
    message: Annotated[str, QUOTED] | None = None


class IssuedAnswer(Said, frozen=True):
    """Of GetVoucher and the issuing CheckVoucher: a JSON document inside a string."""

    voucher: Annotated[str, SEALED] | None = None


class VoucherDocument(Struct, frozen=True):
    """What that string holds."""

    voucher_id: Id = field(name="voucherID")
    sale_id: Id = field(name="saleID")
    pin: Annotated[str, SEALED]
    serial_number: str = field(name="serialNumber")
    amount: Raw
    instructions: Annotated[str, SEALED] | None = None
    expiry_date: Any = field(name="expiryDate", default=None)  # whatever stands there, the voucher was paid for


class FoundAnswer(Struct, frozen=True):
    """Of the redemption side's CheckVoucher, when it succeeds."""

    voucher_id: Id = field(name="voucherID")
    serial: str
    value: Raw


class RemitAnswer(Struct, frozen=True):
    """Of RemitVoucher and CheckRemitVoucher, when they succeed: what was taken, what is left, if it is told."""

    voucher_id: Id = field(name="voucherID")
    voucher_amount: Raw = field(name="voucherAmount")
    voucher_balance: Raw | UnsetType = field(name="voucherBalance", default=UNSET)
