"""What the conformance kit must know of a provider to try it: the data of its `kit.py` (providers.md Part D).

The scenarios are the same for all providers; which of them run follows from the capability record.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeAlias

from msgspec import Struct

from voucherswitch.message.codes import ErrorType
from voucherswitch.providers.contract.families import Effect, Family
from voucherswitch.providers.contract.simulator.running import RunningSimulator
from voucherswitch.providers.contract.statements import Statement


class CodeCase(Struct, frozen=True):
    """One code of the provider's tables, ordered from the simulator by the fault `decline`, and what it must become.

    `op` is the capability's name. `alert` is the alert that the outcome must carry.
    """

    op: str
    code: str
    family: Family
    error_type: ErrorType
    alert: str | None = None


class AdviceCase(Struct, frozen=True):
    """One code of the tables, in the answer to an advice: `op` is `confirm`, `reverse`, `confirmRedeem`, …"""

    op: str
    code: str
    effect: Effect
    alert: str | None = None


class Reachable(Protocol):
    """Where a simulator listens."""

    @property
    def url(self) -> str: ...


Start: TypeAlias = Callable[..., AbstractAsyncContextManager[RunningSimulator]]  # of a provider's simulator


class KitProfile(Struct, frozen=True, kw_only=True):
    """One provider, as the kit tries it.

    Attributes:
        start: starts the simulator.
        settings: what the connector needs to reach that simulator, credentials included; outlet `S001` is the default
            one. Its argument is the running simulator or anything `Reachable` that tells the same address.
        product, amount_cents: what is sold; a product reference as routes name it.
        redeem_cents: what is redeemed of a voucher of `amount_cents`; less where partial redemption is native.
        codes, advice_codes: the code tables.
        unlisted_code: a code that no table has; for `decline`.
        not_sent_503: the body of the 503 answers that prove "not processed"; None: every 503 leaves a doubt.
        labelled: `Documented`, `Proposed` or a mix, as the report says of the protocol.
        evidence: one sentence on where the protocol comes from.
        read_statement: reads the provider's daily file.
        simulator_profile: what `POST /__sim/profile` sets before each scenario; for a simulator whose answers would
            otherwise come by a second message, which no fault on the first one shows.
        not_applicable: name of a scenario -> why this protocol cannot have it, one sentence; the report shows both. A
            name may end in `*`. For instance `wrong-outlet` where no store is in the messages.
        to_do: what is still to be written, a step each, in order; a provider with any does not conform.
    """

    start: Start
    settings: Callable[[Any], Mapping[str, Any]]
    product: str
    amount_cents: int = 10_000
    redeem_cents: int = 10_000
    codes: tuple[CodeCase, ...]
    advice_codes: tuple[AdviceCase, ...] = ()
    unlisted_code: str
    not_sent_503: Any = None
    labelled: str
    evidence: str
    read_statement: Callable[[str, bytes], Statement]
    simulator_profile: Mapping[str, Any] = {}
    not_applicable: Mapping[str, str] = {}
    to_do: tuple[str, ...] = ()
