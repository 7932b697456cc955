"""What Yoyo supports (providers.md section 7)."""

from typing import Final

import msgspec

from voucherswitch.providers.contract.capabilities import Capabilities, Support
from voucherswitch.providers.yoyo.settings import YoyoSettings

CAPABILITIES: Final = Capabilities(
    provision=Support.NATIVE,
    retry=Support.EMULATED,
    status=Support.EMULATED,
    confirm=Support.CONSUME,
    reverse=Support.EMULATED,
    lookup=Support.NATIVE,
    redeem=Support.NATIVE,
    confirm_redeem=Support.NATIVE,
    reverse_redeem=Support.NATIVE,
    refund=Support.NONE,
    products=Support.NATIVE,
    redeem_status=Support.NATIVE,
    partial_redeem=True,
)


def capabilities(settings: YoyoSettings) -> Capabilities:
    """The record under these settings: a sale that carries the customer's number instead of its own cannot be found."""
    if settings.user_ref_mode == "customer":
        return msgspec.structs.replace(CAPABILITIES, retry=Support.NONE, status=Support.NONE)
    return CAPABILITIES
