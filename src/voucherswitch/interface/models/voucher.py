"""The voucher and its PIN. Code and PIN together are money: every field that could be spent carries its mark."""

from typing import Annotated, TypeAlias

from msgspec import Meta

from voucherswitch.interface.models.base import LINES_MAX, DateTime, Int32, Message, Text, chars, matching
from voucherswitch.interface.models.enums import PinBlockFormat
from voucherswitch.message.marks import MASKED, NEVER_KEPT, SEALED, plain


class EncryptionParameters(Message):
    """How a PIN block was made. An absent format means ISO 9564 format 0."""

    pin_block_format: PinBlockFormat | None = None
    account_number: Annotated[str, matching("[0-9]{12}"), NEVER_KEPT]
    key_index: Int32 | None = None


class HashedPinParameters(Message):
    """How a PIN was hashed: the algorithm's name."""

    name: Annotated[str, chars(0, 20), plain("an algorithm's name")]


class PinClear(Message, tag_field="type", tag="CLEAR_PIN"):
    """A PIN as the customer typed it."""

    pin: Annotated[str, matching(".{0,20}"), NEVER_KEPT]


class PinEncrypted(Message, tag_field="type", tag="ENCRYPTED_PIN"):
    """A PIN in an encrypted block."""

    pin_block: Annotated[str, matching("[a-fA-F0-9]{16}"), NEVER_KEPT]
    encryption_parameters: Annotated[EncryptionParameters, NEVER_KEPT] | None = None


class PinHashed(Message, tag_field="type", tag="HASHED_PIN"):
    """A PIN as its hash."""

    hash: Annotated[str, matching("[0-9,A-F]{1,512}"), NEVER_KEPT]
    hashed_pin_parameters: Annotated[HashedPinParameters, plain("an algorithm's name")] | None = None


Pin: TypeAlias = PinClear | PinEncrypted | PinHashed


class Voucher(Message):
    """A voucher. The serial number names it and cannot spend it."""

    code: Annotated[str, chars(0, 40), SEALED] | None = None
    expiry_date: DateTime | None = None
    redeem_instructions: Annotated[tuple[Text, ...], Meta(max_length=LINES_MAX), MASKED] | None = None
    serial_number: Annotated[str, chars(0, 40)] | None = None
    pin: Annotated[Pin, NEVER_KEPT] | None = None


class IssuedVoucher(Voucher):
    """A voucher that a provision gave out: its code is always there."""

    code: Annotated[str, chars(0, 40), SEALED]


class RedeemableVoucher(Voucher):
    """A voucher that a redemption or refund is about: its code must be given."""

    code: Annotated[str, chars(1, 40), SEALED]
