"""What the proposed Supabets protocol supports: reservations that are committed or released, no redemption here.

The same with and without `late_reveal`: confirmations of sales from before a change of that setting still need their
commit, so the connector decides for each one, by the sale's `refs`.
"""

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
)
