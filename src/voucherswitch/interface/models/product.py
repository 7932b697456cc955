"""What is sold, and how each channel shows it."""

from typing import Annotated, Final

from voucherswitch.interface.models.amounts import LedgerAmount
from voucherswitch.interface.models.base import Double, Message, Text, chars, matching
from voucherswitch.interface.models.parties import Institution
from voucherswitch.message.marks import plain

OFFER: Final = plain("ours to say of a product")


class ChannelProductListing(Message):
    """How one channel shows a product."""

    channel_name: Annotated[str, chars(0, 50), plain("a way to sell")]
    product_display_name: Annotated[str, chars(0, 50), OFFER] | None = None
    product_display_category: Annotated[str, chars(0, 50)] | None = None
    product_display_sort_order: Double | None = None
    channel_product_identifier: Text | None = None


class Product(Message):
    """A product. A fixed value stands in `amount`; a variable one lies between `minAmount` and `maxAmount`."""

    product_id: Annotated[str, chars(1, 40)]
    barcode: Annotated[str, matching("[0-9A-Za-z]{1,13}"), plain("the product's, not a voucher's")] | None = None
    name: Annotated[str, chars(1, 40), OFFER] | None = None
    amount: LedgerAmount | None = None
    description: Annotated[str, chars(0, 250), OFFER] | None = None
    min_amount: LedgerAmount | None = None
    max_amount: LedgerAmount | None = None
    is_fixed_value: bool | None = None
    receiver: Institution | None = None
    channel_product_listings: tuple[ChannelProductListing, ...] | None = None
