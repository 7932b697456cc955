"""Money on the wire: minor units and a numeric ISO 4217 currency."""

from typing import Annotated

from msgspec import Meta

from voucherswitch.interface.models.base import ENTRIES_MAX, Int64, Message, Text, matching
from voucherswitch.interface.models.enums import LedgerIndicator


class LedgerAmount(Message):
    """An amount in minor units: 15000 of currency 710 is R150.00."""

    amount: Int64
    currency: Annotated[str, matching("[0-9]{3}")]
    ledger_indicator: LedgerIndicator | None = None


class Amounts(Message):
    """The amounts of a transaction by role; an absent one means zero."""

    request_amount: LedgerAmount | None = None
    approved_amount: LedgerAmount | None = None
    fee_amount: LedgerAmount | None = None
    balance_amount: LedgerAmount | None = None
    additional_amounts: Annotated[dict[Text, LedgerAmount], Meta(max_length=ENTRIES_MAX)] | None = None
