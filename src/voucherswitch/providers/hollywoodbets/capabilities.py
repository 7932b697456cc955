"""What Hollywoodbets supports, as proposed: single message with a reversal, confirmations consumed (section 4)."""

from typing import Final

from voucherswitch.providers.contract.capabilities import Capabilities, Support

CAPABILITIES: Final = Capabilities(
    provision=Support.NATIVE,
    retry=Support.NATIVE,
    status=Support.NATIVE,
    confirm=Support.CONSUME,
    reverse=Support.NATIVE,
    lookup=Support.NATIVE,
    redeem=Support.NONE,
    confirm_redeem=Support.NONE,
    reverse_redeem=Support.NONE,
    refund=Support.NONE,
    products=Support.NATIVE,
)
