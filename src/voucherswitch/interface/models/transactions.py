"""The six messages that create or answer a transaction: provision, redemption, refund."""

from typing import Annotated, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from voucherswitch.interface.models.amounts import Amounts
from voucherswitch.interface.models.base import ADVISED_ENTRIES_MAX, ENTRIES_MAX, DateTime, Message, Text, Uuid, chars
from voucherswitch.interface.models.enums import AccountType, TranType
from voucherswitch.interface.models.parties import Customer, Institution, Originator, ThirdPartyIdentifier
from voucherswitch.interface.models.product import Product
from voucherswitch.interface.models.slip import SlipData
from voucherswitch.interface.models.tender import PosInfo, Tender
from voucherswitch.interface.models.voucher import IssuedVoucher, RedeemableVoucher, Voucher
from voucherswitch.message.marks import MASKED, plain

Tenders: TypeAlias = Annotated[tuple[Tender, ...], Meta(max_length=ENTRIES_MAX)]


class TransactionLabel(Message):
    """A name and a value to find transactions by; never drives processing."""

    name: Annotated[str, chars(1, 50), plain("the label's, which the originator chose")]
    value: Annotated[str, chars(0, 255)]


class Transaction(Message):
    """What all requests and responses have in common.

    `third_party_identifiers` may be left out, which is unset and false here, but must not be null.
    """

    id: Uuid
    time: DateTime
    originator: Originator
    client: Institution
    settlement_entity: Institution | None = None
    receiver: Institution | None = None
    third_party_identifiers: Annotated[tuple[ThirdPartyIdentifier, ...], Meta(max_length=ENTRIES_MAX)] | UnsetType = (
        UNSET
    )
    slip_data: SlipData | None = None
    basket_ref: Text | None = None
    tran_type: TranType | None = None
    src_acc_type: AccountType | None = None
    dest_acc_type: AccountType | None = None
    stan: Text | None = None
    rrn: Text | None = None
    transaction_labels: Annotated[tuple[TransactionLabel, ...], Meta(max_length=ENTRIES_MAX)] | None = None


class TransactionResponse(Transaction):
    """What all responses have in common: both institutions behind us are named, and each adds its own reference."""

    settlement_entity: Institution
    receiver: Institution
    third_party_identifiers: Annotated[tuple[ThirdPartyIdentifier, ...], Meta(max_length=ADVISED_ENTRIES_MAX)]


class ProvisionRequest(Transaction):
    """Ask for a voucher."""

    amounts: Amounts | None = None
    tenders: Tenders | None = None
    voucher: Voucher | None = None
    product: Product | None = None
    pos_info: PosInfo | None = None
    recipient: Annotated[Customer, MASKED] | None = None


class ProvisionResponse(TransactionResponse):
    """A voucher was issued; `amounts.approvedAmount` is its value."""

    amounts: Amounts | None = None
    voucher: IssuedVoucher
    product: Product | None = None
    pos_info: PosInfo | None = None
    recipient: Annotated[Customer, MASKED] | None = None


class RedemptionRequest(Transaction):
    """Use a voucher as tender for `amounts.requestAmount`."""

    voucher: RedeemableVoucher
    amounts: Amounts | None = None
    pos_info: PosInfo | None = None
    customer: Annotated[Customer, MASKED] | None = None


class RedemptionResponse(TransactionResponse):
    """The voucher was used; the balance is told where the provider tells it."""

    voucher: Voucher | None = None
    amounts: Amounts | None = None
    pos_info: PosInfo | None = None
    customer: Annotated[Customer, MASKED] | None = None


class RefundRequest(Transaction):
    """Put a redeemed voucher back; without a request amount all of it."""

    voucher: RedeemableVoucher
    amounts: Amounts | None = None
    redemption_id: Text | None = None
    receiver_transaction_ref: Text | None = None
    pos_info: PosInfo | None = None


class RefundResponse(TransactionResponse):
    """The voucher was put back; `amounts.approvedAmount` is what was refunded."""

    amounts: Amounts | None = None
    voucher: Voucher | None = None
    pos_info: PosInfo | None = None
