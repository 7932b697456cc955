"""Questions without financial effect: what they ask and what they are answered."""

from typing import Annotated

from msgspec import Meta

from voucherswitch.interface.models.amounts import Amounts
from voucherswitch.interface.models.base import ADVISED_ENTRIES_MAX, Message, Text, Uuid, chars
from voucherswitch.interface.models.parties import Institution, ThirdPartyIdentifier
from voucherswitch.interface.models.product import Product
from voucherswitch.interface.models.tender import PosInfo
from voucherswitch.interface.models.voucher import Voucher
from voucherswitch.message.marks import SEALED, plain


class VoucherLookupQuery(Message):
    """The query of lookupVoucher: at least one of the first three."""

    voucher_code: Annotated[str, chars(1, 40), SEALED] | None = None
    provision_request_id: Uuid | None = None
    voucher_serial_number: Annotated[str, chars(1, 40)] | None = None
    receiver_inst_id: Text | None = None
    settlement_entity_inst_id: Text | None = None


class ProductsLookupQuery(Message):
    """The query of lookupProducts."""

    channel_name: Annotated[str, chars(1, 50), plain("a way to sell")] | None = None


class VoucherLookupResponse(Message):
    """What is known about a voucher; its value, if known, is a CREDIT in `amounts.approvedAmount`."""

    voucher: Voucher
    pos_info: PosInfo | None = None
    settlement_entity: Institution
    receiver: Institution | None = None
    amounts: Amounts | None = None
    product: Product | None = None
    third_party_identifiers: (
        Annotated[tuple[ThirdPartyIdentifier, ...], Meta(max_length=ADVISED_ENTRIES_MAX)] | None
    ) = None
    rrn: Text | None = None


class ProductsLookupResponse(Message):
    """The products that the originator may sell; empty when its catalogue is."""

    products: tuple[Product, ...]
