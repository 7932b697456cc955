"""What OTT supports (providers.md section 6; Documented transport, the record is Proposed)."""

from typing import Final

from voucherswitch.providers.contract.capabilities import Capabilities, Support

CAPABILITIES: Final = Capabilities(
    provision=Support.NATIVE,
    retry=Support.EMULATED,  # GetVoucher is never sent twice: what became of the first is asked with CheckVoucher
    status=Support.NATIVE,
    confirm=Support.NATIVE,
    reverse=Support.NATIVE,
    lookup=Support.NATIVE,
    redeem=Support.NATIVE,
    confirm_redeem=Support.CONSUME,
    reverse_redeem=Support.CONSUME,
    refund=Support.NONE,
    products=Support.LOCAL,
    redeem_status=Support.NATIVE,  # CheckRemitVoucher, the only way to resolve a lost RemitVoucher
    partial_redeem=True,
)
