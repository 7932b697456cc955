"""What the switch reads again of a request that it has recorded: the interface's own words, sealed in the journal.

Who asked is told there and nowhere else, because the cashier is a person: he is in no column of his own.
"""

from typing import Annotated

import msgspec

from voucherswitch.message.marks import MASKED, Discreet
from voucherswitch.message.parties import Store


class _Merchant(Discreet, frozen=True, rename="camel"):
    merchant_id: str


class Origin(Discreet, frozen=True, rename="camel"):
    """The part of a recorded `originator` that providers know a till by."""

    merchant: _Merchant
    terminal_id: str
    operator_id: Annotated[str, MASKED] | None = None

    @property
    def store(self) -> Store:
        """Where the transaction started."""
        return Store(self.merchant.merchant_id, self.terminal_id, self.operator_id)


class _Request(Discreet, frozen=True):
    originator: Origin


_decode = msgspec.json.Decoder(_Request).decode


def store_of(request: bytes) -> Store:
    """Where a recorded request started."""
    return _decode(request).originator.store
