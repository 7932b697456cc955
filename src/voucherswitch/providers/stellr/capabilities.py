"""What Stellr supports (providers.md section 1): single message. It takes no advices and no retries.

That much is Documented (Electrum's guide to digital vouchers); the rest of the record is Proposed.
"""

from typing import Final

from voucherswitch.providers.contract.capabilities import Capabilities, Support

CAPABILITIES: Final = Capabilities(
    provision=Support.NATIVE,
    retry=Support.NONE,
    status=Support.NONE,
    confirm=Support.CONSUME,
    reverse=Support.CONSUME,
    lookup=Support.NATIVE,
    redeem=Support.NATIVE,
    confirm_redeem=Support.CONSUME,
    reverse_redeem=Support.CONSUME,
    refund=Support.NONE,
    products=Support.NATIVE,
)
