"""The closed value lists of the interface. Member order is the published order: texts of violations print it."""

from enum import StrEnum

from voucherswitch.message.codes import ErrorType, ReversalReason

__all__ = [
    "AccountType",
    "ErrorType",
    "LedgerIndicator",
    "PanEntryMode",
    "PinBlockFormat",
    "PinEntryCapability",
    "PosConditionCode",
    "ReversalReason",
    "TenderAccountType",
    "TenderType",
    "TranType",
]


class LedgerIndicator(StrEnum):
    """Direction of an amount, told only where it is ambiguous."""

    DEBIT = "DEBIT"
    CREDIT = "CREDIT"


class AccountType(StrEnum):
    """Account that a transaction takes from or gives to."""

    DEFAULT = "DEFAULT"
    SAVINGS = "SAVINGS"
    CHEQUE = "CHEQUE"
    CREDIT = "CREDIT"
    UNIVERSAL = "UNIVERSAL"
    ELECTRONIC_PURSE = "ELECTRONIC_PURSE"
    GIFT_CARD = "GIFT_CARD"
    STORED_VALUE = "STORED_VALUE"


class TenderAccountType(StrEnum):
    """Account behind a tender: AccountType without gift cards."""

    DEFAULT = "DEFAULT"
    SAVINGS = "SAVINGS"
    CHEQUE = "CHEQUE"
    CREDIT = "CREDIT"
    UNIVERSAL = "UNIVERSAL"
    ELECTRONIC_PURSE = "ELECTRONIC_PURSE"
    STORED_VALUE = "STORED_VALUE"


class TenderType(StrEnum):
    """How the customer paid."""

    CASH = "CASH"
    CHEQUE = "CHEQUE"
    CREDIT_CARD = "CREDIT_CARD"
    DEBIT_CARD = "DEBIT_CARD"
    WALLET = "WALLET"
    ROUNDING = "ROUNDING"
    GIFT_CARD = "GIFT_CARD"
    LOYALTY_CARD = "LOYALTY_CARD"
    OTHER = "OTHER"


class PinBlockFormat(StrEnum):
    """Layout of an encrypted PIN block."""

    ISO_9564_FORMAT_0 = "ISO_9564_FORMAT_0"
    ISO_9564_FORMAT_1 = "ISO_9564_FORMAT_1"
    ISO_9564_FORMAT_3 = "ISO_9564_FORMAT_3"


class PanEntryMode(StrEnum):
    """How the voucher or card number was read at the till."""

    UNKNOWN = "UNKNOWN"
    MANUAL = "MANUAL"
    MAGSTRIPE_NO_CVV = "MAGSTRIPE_NO_CVV"
    BARCODE = "BARCODE"
    OCR = "OCR"
    ICC_CVV = "ICC_CVV"
    CONTACTLESS_ICC = "CONTACTLESS_ICC"
    MAGSTRIPE_CVV = "MAGSTRIPE_CVV"
    CONTACTLESS_MAGSTRIPE = "CONTACTLESS_MAGSTRIPE"
    ICC_NO_CVV = "ICC_NO_CVV"
    ORIG_MODE = "ORIG_MODE"
    FALLBACK = "FALLBACK"


class PinEntryCapability(StrEnum):
    """Whether the till can take a PIN."""

    UNKNOWN = "UNKNOWN"
    CAN_ACCEPT = "CAN_ACCEPT"
    CANNOT_ACCEPT = "CANNOT_ACCEPT"


class PosConditionCode(StrEnum):
    """Circumstances at the point of sale."""

    NORMAL_PRESENTMENT = "NORMAL_PRESENTMENT"
    CUSTOMER_NOT_PRESENT = "CUSTOMER_NOT_PRESENT"
    CUSTOMER_PRESENT_AND_CARD_NOT_PRESENT = "CUSTOMER_PRESENT_AND_CARD_NOT_PRESENT"
    CUSTOMER_IDENTITY_VERIFIED = "CUSTOMER_IDENTITY_VERIFIED"
    PUBLIC_UTILITY_TERMINAL = "PUBLIC_UTILITY_TERMINAL"
    CUSTOMER_TERMINAL = "CUSTOMER_TERMINAL"
    MANUAL_REVERSAL = "MANUAL_REVERSAL"
    UNATTENDED_TERMINAL_AND_CARD_CAN_BE_RETAINED = "UNATTENDED_TERMINAL_AND_CARD_CAN_BE_RETAINED"
    UNATTENDED_TERMINAL_AND_CARD_CANNOT_BE_RETAINED = "UNATTENDED_TERMINAL_AND_CARD_CANNOT_BE_RETAINED"


class TranType(StrEnum):
    """Business nature of a transaction."""

    GOODS_AND_SERVICES = "GOODS_AND_SERVICES"
    CASH_WITHDRAWAL = "CASH_WITHDRAWAL"
    DEBIT_ADJUSTMENT = "DEBIT_ADJUSTMENT"
    GOODS_AND_SERVICES_WITH_CASH_BACK = "GOODS_AND_SERVICES_WITH_CASH_BACK"
    NON_CASH = "NON_CASH"
    RETURNS = "RETURNS"
    DEPOSIT = "DEPOSIT"
    CREDIT_ADJUSTMENT = "CREDIT_ADJUSTMENT"
    GENERAL_CREDIT = "GENERAL_CREDIT"
    AVAILABLE_FUNDS_INQUIRY = "AVAILABLE_FUNDS_INQUIRY"
    BALANCE_INQUIRY = "BALANCE_INQUIRY"
    GENERAL_INQUIRY = "GENERAL_INQUIRY"
    CARD_VERIFICATION_INQUIRY = "CARD_VERIFICATION_INQUIRY"
    CARDHOLDER_ACCOUNTS_TRANSFER = "CARDHOLDER_ACCOUNTS_TRANSFER"
    GENERAL_TRANSFER = "GENERAL_TRANSFER"
    PAYMENT_FROM_ACCOUNT = "PAYMENT_FROM_ACCOUNT"
    GENERAL_PAYMENT = "GENERAL_PAYMENT"
    PAYMENT_TO_ACCOUNT = "PAYMENT_TO_ACCOUNT"
    PAYMENT_FROM_ACCOUNT_TO_ACCOUNT = "PAYMENT_FROM_ACCOUNT_TO_ACCOUNT"
    PLACE_HOLD_ON_CARD = "PLACE_HOLD_ON_CARD"
    GENERAL_ADMIN = "GENERAL_ADMIN"
    CHANGE_PIN = "CHANGE_PIN"
    CARD_HOLDER_INQUIRY = "CARD_HOLDER_INQUIRY"
    POINTS_INQUIRY = "POINTS_INQUIRY"
