"""How the customer paid, and how the till read what it was given."""

from typing import Annotated

from voucherswitch.interface.models.amounts import LedgerAmount
from voucherswitch.interface.models.base import Message, chars, matching
from voucherswitch.interface.models.enums import (
    PanEntryMode,
    PinEntryCapability,
    PosConditionCode,
    TenderAccountType,
    TenderType,
)
from voucherswitch.message.marks import MASKED_CARD


class Tender(Message):
    """One means of payment. An absent account type means DEFAULT and stays absent in an echo."""

    amount: LedgerAmount
    tender_type: TenderType
    account_type: TenderAccountType | None = None
    card_number: Annotated[str, matching("[0-9]{6}[0-9*]{0,13}"), MASKED_CARD] | None = None
    reference: Annotated[str, chars(0, 40)] | None = None


class PosEntryMode(Message):
    """How the number was read, and whether the till can take a PIN."""

    pan_entry_mode: PanEntryMode
    pin_entry_capability: PinEntryCapability


class PosInfo(Message):
    """Circumstances at the till."""

    entry_mode: PosEntryMode | None = None
    pos_condition_code: PosConditionCode | None = None
