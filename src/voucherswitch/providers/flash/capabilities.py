"""What Flash supports (providers.md section 9). Two of its messages are used only where the settings say so."""

from typing import Final

from msgspec import structs

from voucherswitch.providers.contract.capabilities import Capabilities, Support
from voucherswitch.providers.flash.settings import FlashSettings

CAPABILITIES: Final = Capabilities(
    provision=Support.NATIVE,
    retry=Support.NATIVE,  # inside the replay window
    status=Support.NONE,
    confirm=Support.CONSUME,
    reverse=Support.CONSUME,
    lookup=Support.NONE,
    redeem=Support.NATIVE,
    confirm_redeem=Support.CONSUME,
    reverse_redeem=Support.CONSUME,
    refund=Support.NONE,
    products=Support.NATIVE,
    partial_redeem=True,
)


def capabilities(settings: FlashSettings) -> Capabilities:
    """The record as the settings' flags make it."""
    return structs.replace(
        CAPABILITIES,
        refund=Support.NATIVE if settings.refund_enabled else CAPABILITIES.refund,
        reverse=Support.NATIVE if settings.reverse_enabled else CAPABILITIES.reverse,
    )
