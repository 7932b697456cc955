"""What the journal keeps of an approval, sealed as a whole: enough to give the same answer again, byte for byte."""

import msgspec
from msgspec import Struct

from voucherswitch.message.parties import Institution, Voucher


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An approved provision, redemption or refund.

    `switch_ref` and `provider_ref` become the last two third-party identifiers of the response (interface.md §2.8).
    `currency` is ISO 4217 numeric; amounts are cents. `product_name` is for the slip.
    """

    receiver: Institution
    settlement: Institution
    switch_ref: str
    provider_ref: str
    approved_cents: int
    currency: str
    balance_cents: int | None = None
    voucher: Voucher | None = None
    product_name: str | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Answer).decode


def pack(answer: Answer) -> bytes:
    """Encode for sealing."""
    return _encode(answer)


def unpack(data: bytes) -> Answer:
    """Decode what `pack` made. A field that a later release adds has a default, so old answers stay readable."""
    return _decode(data)
