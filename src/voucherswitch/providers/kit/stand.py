"""The test stand: one connector before one provider, the orders that scenarios send, and the record of all of it."""

import asyncio
import re
import time
import traceback
import uuid
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from voucherswitch.message.codes import ZAR, ReversalReason
from voucherswitch.message.orders import AdviceOrder, LookupOrder, ProvisionOrder, RedeemOrder, StatusOrder
from voucherswitch.message.outcomes import Acknowledged, AdviceResult, Approved, Outcome, OutcomeUnknown
from voucherswitch.message.parties import Store, Tender, Voucher
from voucherswitch.message.trace import Leg, Trace
from voucherswitch.providers.contract.capabilities import Capabilities
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.providers.contract.kit import KitProfile
from voucherswitch.providers.contract.transport.masking import SECRET_CHARS_MIN
from voucherswitch.providers.kit.control import SimulatorControl
from voucherswitch.providers.kit.scenario import expect, mismatch, snake, support

T = TypeVar("T")

STORE: Final = Store(merchant_id="KIT-MERCHANT", terminal_id="TERM0001", operator_id="C07")
MSISDN: Final = "27820000001"
IMPATIENT_MS: Final = 300  # read timeout where silence is expected: long for an answer on loopback, short for a run
SETTLE_MS: Final = 30_000
PATIENCE_S: Final = 10.0  # for one operation: longer than any scenario lets a provider be silent

_CREDENTIAL = re.compile(r"password|secret|api_?key|token|credential", re.IGNORECASE)

Connect = Callable[[str, Mapping[str, object]], Connector]


class Stand:
    """One provider as a scenario tries it.

    Args:
        name: the provider's name; the peer of every leg.
        settings: the connector's, secrets included.
        simulator: None against a provider's own sandbox.
    """

    def __init__(
        self,
        name: str,
        profile: KitProfile,
        connect: Connect,
        settings: Mapping[str, Any],
        simulator: SimulatorControl | None = None,
    ) -> None:
        self.name = name
        self.profile = profile
        self.settings = dict(settings)
        self.product, self.amount_cents, self.redeem_cents = profile.product, profile.amount_cents, profile.redeem_cents
        self.secrets: set[str] = set()  # every code and PIN that was seen
        self._simulator = simulator
        self._connect = connect
        self._connectors: list[Connector] = []
        self._traces: list[Trace] = []
        self._texts: list[str] = []  # of outcomes, as they would be kept
        self.connector = self.with_settings()

    @property
    def record(self) -> Capabilities:
        return self.connector.capabilities

    @property
    def sim(self) -> SimulatorControl:
        """The simulator, for scenarios that need one."""
        assert self._simulator is not None
        return self._simulator

    @property
    def simulated(self) -> bool:
        return self._simulator is not None

    @property
    def legs(self) -> list[Leg]:
        return [leg for trace in self._traces for leg in trace.legs]

    def with_settings(self, **changes: object) -> Connector:
        """Another connector to the same provider; closed with the stand."""
        connector = self._connect(self.name, self.settings | {"settle_ms": SETTLE_MS} | changes)
        self._connectors.append(connector)
        return connector

    def become_impatient(self) -> None:
        """Take a connector that waits only briefly for an answer."""
        self.connector = self.with_settings(read_timeout_ms=IMPATIENT_MS)

    async def close(self) -> None:
        """Close the connectors."""
        await asyncio.gather(*(connector.close() for connector in self._connectors))

    # Operations, each one attempt

    async def ask(
        self, operation: Callable[[Any, Call], Awaitable[T]], order: object, advice_id: str | None = None
    ) -> T:
        """One operation of the connector; its legs and what it says are kept for the search for secrets."""
        return await self._watched(lambda call: operation(order, call), advice_id)

    async def products(self) -> Any:
        return await self._watched(self.connector.products, None)

    async def _watched(self, operation: Callable[[Call], Awaitable[T]], advice_id: str | None) -> T:
        trace = Trace()
        self._traces.append(trace)
        call = Call(trace=trace, deadline=time.monotonic() + PATIENCE_S, advice_id=advice_id)
        try:
            async with asyncio.timeout(PATIENCE_S + 2):
                outcome = await operation(call)
        except TimeoutError:
            raise mismatch("an outcome by the deadline", f"none after {PATIENCE_S:.0f} s") from None
        except Exception as error:
            raise mismatch("an outcome", f"the connector raised {_raised(error)}") from error
        self._remember(outcome)
        return outcome

    def _remember(self, outcome: object) -> None:
        if isinstance(outcome, Approved):
            self._keep_secret(outcome.voucher)
            outcome = msgspec.structs.replace(outcome, voucher=None)
        self._texts.append(repr(outcome))

    def _keep_secret(self, voucher: Voucher | None) -> None:
        if voucher is not None:
            self.secrets.update(secret for secret in (voucher.code, voucher.pin) if secret)

    async def provision(self, order: ProvisionOrder | None = None) -> Outcome:
        return await self.ask(self.connector.provision, order or self.order())

    async def sold(self, order: ProvisionOrder) -> tuple[Approved, Voucher]:
        """A voucher that was sold without any trouble."""
        outcome = await self.provision(order)
        if not isinstance(outcome, Approved) or outcome.voucher is None:
            raise mismatch("an undisturbed sale to be approved with a voucher", outcome)
        return outcome, outcome.voucher

    async def usable(self, order: ProvisionOrder) -> tuple[Approved, Voucher]:
        """A voucher that can be spent: sold and, where the provider takes confirmations, confirmed."""
        approved, voucher = await self.sold(order)
        await self.confirm_if_sent("confirm", self.advice(order, approved))
        return approved, voucher

    async def redeemed(
        self, voucher: Voucher, sale: Approved, order: RedeemOrder | None = None
    ) -> tuple[RedeemOrder, Approved]:
        """A redemption that went without any trouble."""
        order = order or self.redeem_order(voucher, sale)
        outcome = await self.ask(self.connector.redeem, order)
        if not isinstance(outcome, Approved):
            raise mismatch("an undisturbed redemption to be approved", outcome)
        return order, outcome

    async def confirm_if_sent(self, capability: str, order: AdviceOrder) -> None:
        """Send a confirmation where the record has one as a message."""
        if support(self.record, capability).sends:
            result = await self.advise(capability, order)
            expect(result == Acknowledged(), f"{capability} to be acknowledged", result)

    async def advise(self, capability: str, order: AdviceOrder) -> AdviceResult:
        operation: Callable[[Any, Call], Awaitable[AdviceResult]] = getattr(self.connector, snake(capability))
        return await self.ask(operation, order, order.advice_id)

    async def unknown(self, order: ProvisionOrder) -> OutcomeUnknown:
        """A provision that must end in doubt."""
        outcome = await self.provision(order)
        if not isinstance(outcome, OutcomeUnknown):
            raise mismatch("OutcomeUnknown: the provider may have issued", outcome)
        return outcome

    # Orders

    def order(self, **changes: Any) -> ProvisionOrder:
        """A sale of what the profile sells, with an id of its own."""
        order = ProvisionOrder(
            request_id=new_id(),
            amount_cents=self.amount_cents,
            currency=ZAR,
            product=self.product,
            store=STORE,
            tenders=(Tender(type="CASH", amount_cents=self.amount_cents, currency=ZAR, reference="SLIP-000123"),),
            msisdn=MSISDN,
        )
        return msgspec.structs.replace(order, **changes)

    def redeem_order(self, voucher: Voucher, sale: Approved, cents: int | None = None) -> RedeemOrder:
        return RedeemOrder(
            request_id=new_id(),
            amount_cents=self.redeem_cents if cents is None else cents,
            currency=ZAR,
            voucher_code=voucher.code,
            store=STORE,
            voucher_pin=voucher.pin,
            msisdn=MSISDN,
            refs=sale.refs,
        )

    def lookup_order(self, voucher: Voucher, sale: Approved) -> LookupOrder:
        return LookupOrder(voucher_code=voucher.code, refs=sale.refs)

    def status_order(
        self, order: ProvisionOrder | RedeemOrder, approved: Approved | None = None, sent_ms_ago: int = 0
    ) -> StatusOrder:
        """Ask about a provision or redemption; without `approved` as the switch does that knows nothing of it."""
        return StatusOrder(
            request_id=order.request_id,
            amount_cents=order.amount_cents,
            refs={} if approved is None else approved.refs,
            sent_ms_ago=sent_ms_ago,
            product=order.product if isinstance(order, ProvisionOrder) else self.product,
            store=STORE,
            msisdn=order.msisdn,
            voucher_code=order.voucher_code,
        )

    def advice(
        self,
        order: ProvisionOrder | RedeemOrder,
        approved: Approved | None = None,
        *,
        sent_ms_ago: int = 0,
        voucher_code: str | None = None,
    ) -> AdviceOrder:
        """An advice for a request; without `approved` as the switch gives it for an unknown outcome."""
        voucher = None if approved is None else approved.voucher
        return AdviceOrder(
            advice_id=new_id(),
            request_id=order.request_id,
            reason=ReversalReason.TIMEOUT,
            voucher_code=voucher_code or (order.voucher_code if voucher is None else voucher.code),
            serial_number=None if voucher is None else voucher.serial_number,
            refs={} if approved is None else approved.refs,
            sent_ms_ago=sent_ms_ago,
            product=order.product if isinstance(order, ProvisionOrder) else self.product,
            store=STORE,
        )

    # The books

    async def float_cents(self) -> int:
        """Our balance at the provider: what a sale takes and a reversal gives back, to the cent."""
        found: int = (await self.sim.totals())["floatCents"]
        return found

    async def expect_at_most_one_voucher(self, order: ProvisionOrder) -> dict[str, Any] | None:
        """Two vouchers for one request are money lost. Returns the one in the books, None if there is none."""
        state = await self.sim.state(order.request_id)
        brought = 0 if state is None else int(state.get("vouchers", 1))
        total = int((await self.sim.totals())["vouchers"])
        if state is not None:
            self.secrets.add(str(state["code"]))
        expect(max(brought, total) <= 1, "at most one voucher for one request", f"{max(brought, total)} in the books")
        return state

    async def expect_sent_once(self, op: str = "provision") -> None:
        """A request that may issue leaves once."""
        count = len(await self.sim.journal(op))
        expect(count == 1, f"one {op} message and none resent", f"{count}")

    # Secrets

    @property
    def long_secrets(self) -> set[str]:
        """The codes and PINs that cannot turn up by chance."""
        return {secret for secret in self.secrets if len(secret) >= SECRET_CHARS_MIN}

    def leaks(self) -> list[str]:
        """Where a code, a PIN or a credential can be read that must not be there."""
        codes = self.long_secrets
        credentials = {
            value
            for key, value in self.settings.items()
            if isinstance(value, str) and len(value) >= SECRET_CHARS_MIN and _CREDENTIAL.search(key)
        }
        places = [(f"the leg of {leg.operation}", repr(leg)) for leg in self.legs]
        places += [("an outcome's text or references", text) for text in self._texts]
        found = [f"a voucher's code is in {place}" for place, text in places if any(code in text for code in codes)]
        found += [f"a credential is in {place}" for place, text in places if any(one in text for one in credentials)]
        return list(dict.fromkeys(found))


def _raised(error: Exception) -> str:
    """What was raised and where; not its text, which may hold a PIN."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"


def new_id() -> str:
    """A request or advice id, as originators make them."""
    return str(uuid.uuid4())
