"""What the proposed Betway protocol supports: orders that are polled, acknowledged or cancelled, paid for first."""

from typing import Final

from voucherswitch.providers.contract.capabilities import Capabilities, Support

CAPABILITIES: Final = Capabilities(
    provision=Support.NATIVE,
    retry=Support.NATIVE,
    status=Support.NATIVE,
    confirm=Support.NATIVE,
    reverse=Support.NATIVE,
    lookup=Support.NATIVE,
    redeem=Support.NONE,
    confirm_redeem=Support.NONE,
    reverse_redeem=Support.NONE,
    refund=Support.NONE,
    products=Support.NATIVE,
    tender_first=True,
)
