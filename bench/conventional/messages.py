"""The interface's provision messages as pydantic models (interface.md §2)."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
)
from pydantic.alias_generators import to_camel

UUID_SHAPE = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _uuid_shape(text: str) -> str:
    if not UUID_SHAPE.fullmatch(text):
        raise ValueError("UUID must conform to the format 8-4-4-4-12 hexadecimal values")
    return text


def _number_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_the_interface_writes_it(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


RequestId = Annotated[str, AfterValidator(_uuid_shape)]
DateTime = Annotated[AwareDatetime, PlainSerializer(_as_the_interface_writes_it, return_type=str, when_used="json")]
Text = Annotated[str, StringConstraints(max_length=255)]
Text40 = Annotated[str, StringConstraints(max_length=40)]
Currency = Annotated[str, BeforeValidator(_number_as_text), StringConstraints(pattern=r"^[0-9]{3}$")]
AccountType = Literal[
    "DEFAULT", "SAVINGS", "CHEQUE", "CREDIT", "UNIVERSAL", "ELECTRONIC_PURSE", "GIFT_CARD", "STORED_VALUE"
]
TranType = Literal[
    "GOODS_AND_SERVICES", "CASH_WITHDRAWAL", "DEBIT_ADJUSTMENT", "GOODS_AND_SERVICES_WITH_CASH_BACK", "NON_CASH",
    "RETURNS", "DEPOSIT", "CREDIT_ADJUSTMENT", "GENERAL_CREDIT", "AVAILABLE_FUNDS_INQUIRY", "BALANCE_INQUIRY",
    "GENERAL_INQUIRY", "CARD_VERIFICATION_INQUIRY", "CARDHOLDER_ACCOUNTS_TRANSFER", "GENERAL_TRANSFER",
    "PAYMENT_FROM_ACCOUNT", "GENERAL_PAYMENT", "PAYMENT_TO_ACCOUNT", "PAYMENT_FROM_ACCOUNT_TO_ACCOUNT",
    "PLACE_HOLD_ON_CARD", "GENERAL_ADMIN", "CHANGE_PIN", "CARD_HOLDER_INQUIRY", "POINTS_INQUIRY",
]  # fmt: skip


class Message(BaseModel):
    """Camel case on the wire, unknown fields refused."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


class Institution(Message):
    id: Text
    name: Text40


class MerchantName(Message):
    name: Annotated[str, StringConstraints(max_length=23)]
    city: Annotated[str, StringConstraints(max_length=13)]
    region: Annotated[str, StringConstraints(max_length=2)]
    country: Annotated[str, StringConstraints(max_length=2)]


class Merchant(Message):
    merchant_type: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")]
    merchant_id: Annotated[str, StringConstraints(min_length=15, max_length=15)]
    merchant_name: MerchantName


class Originator(Message):
    institution: Institution
    terminal_id: Annotated[str, StringConstraints(min_length=8, max_length=8)]
    merchant: Merchant
    operator_id: Annotated[str, StringConstraints(max_length=30)] | None = None
    channel_id: Annotated[str, StringConstraints(max_length=50)] | None = None


class ThirdPartyIdentifier(Message):
    institution_id: Text
    transaction_identifier: Text


class TransactionLabel(Message):
    name: Annotated[str, StringConstraints(min_length=1, max_length=50)]
    value: Text


class Barcode(Message):
    data: Text
    encoding: Text


class SlipLine(Message):
    text: Text
    barcode: Barcode | None = None
    font_width_scale_factor: float | None = None
    font_height_scale_factor: float | None = None
    line: bool | None = None
    cut: bool | None = None


class SlipData(Message):
    message_lines: Annotated[list[SlipLine], Field(max_length=100)] | None = None
    slip_width: int | None = None
    issuer_reference: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,40}$")] | None = None


class LedgerAmount(Message):
    amount: int
    currency: Currency
    ledger_indicator: Literal["DEBIT", "CREDIT"] | None = None


class Amounts(Message):
    request_amount: LedgerAmount | None = None
    approved_amount: LedgerAmount | None = None
    fee_amount: LedgerAmount | None = None
    balance_amount: LedgerAmount | None = None
    additional_amounts: Annotated[dict[str, LedgerAmount], Field(max_length=20)] | None = None


class Tender(Message):
    amount: LedgerAmount
    tender_type: Literal[
        "CASH", "CHEQUE", "CREDIT_CARD", "DEBIT_CARD", "WALLET", "ROUNDING", "GIFT_CARD", "LOYALTY_CARD", "OTHER"
    ]
    account_type: AccountType | None = None
    card_number: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}[0-9*]{0,13}$")] | None = None
    reference: Text40 | None = None


class Voucher(Message):
    code: Text40 | None = None
    expiry_date: DateTime | None = None
    redeem_instructions: Annotated[list[Text], Field(max_length=100)] | None = None
    serial_number: Text40 | None = None


class Product(Message):
    product_id: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    barcode: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{1,13}$")] | None = None
    name: Annotated[str, StringConstraints(min_length=1, max_length=40)] | None = None
    amount: LedgerAmount | None = None
    description: Annotated[str, StringConstraints(max_length=250)] | None = None


class PosEntryMode(Message):
    pan_entry_mode: Literal[
        "UNKNOWN", "MANUAL", "MAGSTRIPE_NO_CVV", "BARCODE", "OCR", "ICC_CVV", "CONTACTLESS_ICC", "MAGSTRIPE_CVV",
        "CONTACTLESS_MAGSTRIPE", "ICC_NO_CVV", "ORIG_MODE", "FALLBACK",
    ]  # fmt: skip
    pin_entry_capability: Literal["UNKNOWN", "CAN_ACCEPT", "CANNOT_ACCEPT"]


class PosInfo(Message):
    entry_mode: PosEntryMode | None = None
    pos_condition_code: (
        Literal[
            "NORMAL_PRESENTMENT", "CUSTOMER_NOT_PRESENT", "CUSTOMER_PRESENT_AND_CARD_NOT_PRESENT",
            "CUSTOMER_IDENTITY_VERIFIED", "PUBLIC_UTILITY_TERMINAL", "CUSTOMER_TERMINAL", "MANUAL_REVERSAL",
            "UNATTENDED_TERMINAL_AND_CARD_CAN_BE_RETAINED", "UNATTENDED_TERMINAL_AND_CARD_CANNOT_BE_RETAINED",
        ]
        | None
    ) = None  # fmt: skip


class Address(Message):
    address_line1: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    address_line2: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    city: Annotated[str, StringConstraints(min_length=1, max_length=30)] | None = None
    region: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    postal_code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9 -]{1,20}$")] | None = None


class Customer(Message):
    first_name: Text40 | None = None
    last_name: Text40 | None = None
    address: Annotated[str, StringConstraints(max_length=80)] | None = None
    address_details: Address | None = None
    date_of_birth: DateTime | None = None
    status: Text | None = None
    msisdn: Annotated[str, StringConstraints(pattern=r"^\+?[1-9]\d{0,14}$")] | None = None
    email_address: Text | None = None
    profile_id: Text | None = None


class Transaction(Message):
    """What request and answer have in common."""

    id: RequestId
    time: DateTime
    originator: Originator
    client: Institution
    settlement_entity: Institution | None = None
    receiver: Institution | None = None
    third_party_identifiers: Annotated[list[ThirdPartyIdentifier], Field(max_length=22)] = []
    slip_data: SlipData | None = None
    basket_ref: Text | None = None
    tran_type: TranType | None = None
    src_acc_type: AccountType | None = None
    dest_acc_type: AccountType | None = None
    stan: Text | None = None
    rrn: Text | None = None
    transaction_labels: Annotated[list[TransactionLabel], Field(max_length=20)] | None = None
    amounts: Amounts | None = None
    product: Product | None = None
    pos_info: PosInfo | None = None
    recipient: Customer | None = None


class ProvisionRequest(Transaction):
    """A till asks for a voucher."""

    tenders: Annotated[list[Tender], Field(max_length=20)] | None = None
    voucher: Voucher | None = None

    @property
    def request_id(self) -> UUID:
        """The id as the database compares it."""
        return UUID(self.id)


class ProvisionResponse(Transaction):
    """The voucher."""

    voucher: Voucher


class FormatError(Message):
    field: str
    msg: str


class DetailMessage(Message):
    free_string: str | None = None
    voucher_id: str | None = None
    format_errors: list[FormatError] | None = None


class ErrorDetail(Message):
    """Every refusal (interface.md §8.1)."""

    id: str | None = None
    error_type: str
    error_message: str
    detail_message: DetailMessage | None = None
    provider_error_code: str | None = None
    provider_error_message: str | None = None
