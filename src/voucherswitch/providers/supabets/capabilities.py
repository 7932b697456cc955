"""What the proposed Supabets protocol supports: reservations that are committed or released, no redemption here."""

from typing import Final

from msgspec.structs import replace

from voucherswitch.providers.contract.capabilities import Capabilities, Support
from voucherswitch.providers.supabets.settings import SupabetsSettings

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


def capabilities(settings: SupabetsSettings) -> Capabilities:
    """The record under these settings: with late reveal the commit is part of the sale, so a confirmation has no
    message left to send."""
    return replace(CAPABILITIES, confirm=Support.CONSUME) if settings.late_reveal else CAPABILITIES
