"""What Netcare supports (providers.md section 2): dual message, tender first, the exact price, no retry.

That it takes no retries is Documented (Electrum's guide to digital vouchers); the rest of the record is Proposed.
"""

from typing import Final

from voucherswitch.providers.contract.capabilities import Capabilities, Support

CAPABILITIES: Final = Capabilities(
    provision=Support.NATIVE,
    retry=Support.NONE,
    status=Support.NONE,
    confirm=Support.NATIVE,
    reverse=Support.NATIVE,
    lookup=Support.NATIVE,
    redeem=Support.NONE,
    confirm_redeem=Support.NONE,
    reverse_redeem=Support.NONE,
    refund=Support.NONE,
    products=Support.NATIVE,
    tender_first=True,
    tender_exact=True,
)
