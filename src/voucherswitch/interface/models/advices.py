"""The messages that finish a transaction: confirmations and reversals. Their answer is their own body."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from voucherswitch.interface.models.amounts import Amounts
from voucherswitch.interface.models.base import ADVISED_ENTRIES_MAX, DateTime, Message, Text, Uuid
from voucherswitch.interface.models.enums import ReversalReason
from voucherswitch.interface.models.parties import ThirdPartyIdentifier
from voucherswitch.interface.models.transactions import Tenders


class BasicAdvice(Message):
    """An advice about the request `requestId`. Without amounts it is about all of it.

    `third_party_identifiers` may be left out, which is unset and false here, but must not be null.
    """

    id: Uuid
    request_id: Uuid
    time: DateTime
    third_party_identifiers: (
        Annotated[tuple[ThirdPartyIdentifier, ...], Meta(max_length=ADVISED_ENTRIES_MAX)] | UnsetType
    ) = UNSET
    stan: Text | None = None
    rrn: Text | None = None
    amounts: Amounts | None = None


class TenderAdvice(BasicAdvice):
    """Confirm a provision: the customer paid with these tenders and holds the voucher."""

    tenders: Tenders | None = None


class BasicReversal(BasicAdvice):
    """Undo a request that failed, timed out or was cancelled."""

    reversal_reason: ReversalReason
