"""What a connector does for operations that its provider does not have. The switch asks the capability record first,
so nothing of this is ever sent, and the answers only keep a wrong record harmless.
"""

from collections.abc import Sequence

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import (
    AdviceOrder,
    LookupOrder,
    ProviderProduct,
    ProvisionOrder,
    RedeemOrder,
    RefundOrder,
    StatusOrder,
)
from voucherswitch.message.outcomes import AdviceResult, Declined, Outcome, OutcomeUnknown, Pending
from voucherswitch.providers.contract.capabilities import Capabilities
from voucherswitch.providers.contract.connector import Call

_DECLINED = Declined(ErrorType.FUNCTION_NOT_SUPPORTED)
# Of an earlier request nothing is proved by having no way to ask.
_UNKNOWN = OutcomeUnknown(ErrorType.FUNCTION_NOT_SUPPORTED)
_PENDING = Pending(cause="the provider has no such message; its capability record is wrong")


class BaseConnector:
    """A connector whose operations all say "not supported". Subclasses add what their provider has."""

    capabilities: Capabilities

    async def provision(self, _order: ProvisionOrder, _call: Call) -> Outcome:
        return _DECLINED

    async def retry(self, _order: ProvisionOrder, _call: Call) -> Outcome:
        return _UNKNOWN

    async def status(self, _order: StatusOrder, _call: Call) -> Outcome:
        return _UNKNOWN

    async def lookup(self, _order: LookupOrder, _call: Call) -> Outcome:
        return _DECLINED

    async def redeem(self, _order: RedeemOrder, _call: Call) -> Outcome:
        return _DECLINED

    async def redeem_status(self, _order: StatusOrder, _call: Call) -> Outcome:
        return _UNKNOWN

    async def refund(self, _order: RefundOrder, _call: Call) -> Outcome:
        return _DECLINED

    async def refund_status(self, _order: StatusOrder, _call: Call) -> Outcome:
        return _UNKNOWN

    async def confirm(self, _order: AdviceOrder, _call: Call) -> AdviceResult:
        return _PENDING

    async def reverse(self, _order: AdviceOrder, _call: Call) -> AdviceResult:
        return _PENDING

    async def confirm_redeem(self, _order: AdviceOrder, _call: Call) -> AdviceResult:
        return _PENDING

    async def reverse_redeem(self, _order: AdviceOrder, _call: Call) -> AdviceResult:
        return _PENDING

    async def confirm_refund(self, _order: AdviceOrder, _call: Call) -> AdviceResult:
        return _PENDING

    async def reverse_refund(self, _order: AdviceOrder, _call: Call) -> AdviceResult:
        return _PENDING

    async def products(self, _call: Call) -> Sequence[ProviderProduct] | OutcomeUnknown:
        return _UNKNOWN

    async def close(self) -> None:
        """Nothing to close."""
