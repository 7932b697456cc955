"""What a connector is: settings in, order in, outcome out (design §8).

A connector is stateless. It never touches the journal, never retries by itself, never logs. It speaks through the
transport of its `Call`, which enforces the deadline, tells NotSent from OutcomeUnknown and records every exchange.
An operation that the capability record does not have is never called.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from voucherswitch.message.orders import (
    AdviceOrder,
    LookupOrder,
    ProviderProduct,
    ProvisionOrder,
    RedeemOrder,
    RefundOrder,
    StatusOrder,
)
from voucherswitch.message.outcomes import AdviceResult, Outcome, OutcomeUnknown
from voucherswitch.message.trace import Trace
from voucherswitch.providers.contract.capabilities import Capabilities


class Call(Struct, frozen=True):
    """What one operation may use.

    `deadline` is in seconds of `time.monotonic()`: the end of the operation, polling and token fetch included.
    `trace` receives every exchange. `advice_id` marks the legs of an advice.
    """

    trace: Trace
    deadline: float
    advice_id: str | None = None


class Connector(Protocol):
    """One provider as the switch sees it. Every method makes one attempt and never raises for what the peer did."""

    capabilities: Capabilities

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome: ...
    async def retry(self, order: ProvisionOrder, call: Call) -> Outcome: ...
    async def status(self, order: StatusOrder, call: Call) -> Outcome: ...
    async def lookup(self, order: LookupOrder, call: Call) -> Outcome: ...
    async def redeem(self, order: RedeemOrder, call: Call) -> Outcome: ...
    async def redeem_status(self, order: StatusOrder, call: Call) -> Outcome: ...
    async def refund(self, order: RefundOrder, call: Call) -> Outcome: ...
    async def refund_status(self, order: StatusOrder, call: Call) -> Outcome: ...
    async def confirm(self, order: AdviceOrder, call: Call) -> AdviceResult: ...
    async def reverse(self, order: AdviceOrder, call: Call) -> AdviceResult: ...
    async def confirm_redeem(self, order: AdviceOrder, call: Call) -> AdviceResult: ...
    async def reverse_redeem(self, order: AdviceOrder, call: Call) -> AdviceResult: ...
    async def confirm_refund(self, order: AdviceOrder, call: Call) -> AdviceResult: ...
    async def reverse_refund(self, order: AdviceOrder, call: Call) -> AdviceResult: ...
    async def products(self, call: Call) -> Sequence[ProviderProduct] | OutcomeUnknown: ...
    async def close(self) -> None: ...


class ConnectorFactory(Protocol):
    """Builds a connector from a provider's settings.

    `provider_id` names the legs' peer; `settings` are the keys of the provider's section in providers.md with secrets
    already resolved. Raises `ProviderSettingsError` with one sentence that names the wrong key.
    """

    def __call__(self, provider_id: str, settings: Mapping[str, object]) -> Connector: ...


class ProviderSettingsError(ValueError):
    """A provider's settings are missing or wrong. The text names the key and what to set."""
