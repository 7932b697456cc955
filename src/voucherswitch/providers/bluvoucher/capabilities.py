"""What Blu Voucher supports, by mode (providers.md section 8): Documented in part, the rest Proposed."""

from typing import Final

from msgspec.structs import replace

from voucherswitch.providers.bluvoucher.settings import BluVoucherSettings
from voucherswitch.providers.contract.capabilities import Capabilities, Support

CAPABILITIES: Final = Capabilities(  # of mode aeon, with all its flags on
    provision=Support.NATIVE,
    retry=Support.EMULATED,
    status=Support.NATIVE,
    confirm=Support.NATIVE,
    reverse=Support.NATIVE,
    lookup=Support.NATIVE,
    redeem=Support.NATIVE,
    confirm_redeem=Support.CONSUME,
    reverse_redeem=Support.CONSUME,
    refund=Support.NONE,
    products=Support.NATIVE,
    redeem_status=Support.EMULATED,
)
TRADE: Final = Capabilities(  # of mode trade, with all its flags off
    provision=Support.NATIVE,
    retry=Support.NONE,
    status=Support.NONE,
    confirm=Support.CONSUME,
    reverse=Support.CONSUME,
    lookup=Support.NONE,
    redeem=Support.NATIVE,
    confirm_redeem=Support.CONSUME,
    reverse_redeem=Support.CONSUME,
    refund=Support.NONE,
    products=Support.LOCAL,
    partial_redeem=True,
)


def capabilities(settings: BluVoucherSettings) -> Capabilities:
    """The record of the settings' mode and flags."""
    if settings.mode == "aeon":
        if settings.trans_status:
            return CAPABILITIES
        return replace(CAPABILITIES, retry=Support.NONE, status=Support.NONE)
    return replace(
        TRADE,
        retry=Support.NATIVE if settings.requestid_replay else Support.NONE,
        lookup=Support.NATIVE if settings.trade_lookup else Support.NONE,
    )
