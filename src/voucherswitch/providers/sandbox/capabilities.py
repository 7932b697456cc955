"""What the sandbox supports: everything, natively (providers.md section 11)."""

from typing import Final

from voucherswitch.providers.contract.capabilities import Capabilities, Support

CAPABILITIES: Final = Capabilities(
    provision=Support.NATIVE,
    retry=Support.NATIVE,
    status=Support.NATIVE,
    confirm=Support.NATIVE,
    reverse=Support.NATIVE,
    lookup=Support.NATIVE,
    redeem=Support.NATIVE,
    confirm_redeem=Support.NATIVE,
    reverse_redeem=Support.NATIVE,
    refund=Support.NATIVE,
    products=Support.NATIVE,
    confirm_refund=Support.NATIVE,
    reverse_refund=Support.NATIVE,
    redeem_status=Support.NATIVE,
    refund_status=Support.NATIVE,
    client_chosen_code=True,
    partial_redeem=True,
)
