"""Betway's connector: which call serves which operation. What the messages mean is in translate.py.

Proposed protocol. An order is accepted first and decided later, so a sale asks for its order again until it is decided
or the operation's time is up. A confirmation acknowledges, a reversal cancels.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import quote
from uuid import uuid4

from msgspec.structs import replace

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.marks import wire_of
from voucherswitch.message.orders import AdviceOrder, LookupOrder, Order, ProviderProduct, ProvisionOrder, StatusOrder
from voucherswitch.message.outcomes import AdviceResult, Declined, Outcome, OutcomeUnknown
from voucherswitch.providers.betway import errors, messages, translate
from voucherswitch.providers.betway.capabilities import CAPABILITIES
from voucherswitch.providers.betway.settings import BetwaySettings
from voucherswitch.providers.contract.answers import (
    UNROUTABLE,
    failed,
    failed_advice,
    impossible_code,
    in_doubt,
    refusal_of,
    rules_of,
    secrets_of,
)
from voucherswitch.providers.contract.base import BaseConnector
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.providers.contract.settings import override_capabilities, read_settings, refuse
from voucherswitch.providers.contract.transport.http import HttpAnswer, HttpResult, HttpTransport
from voucherswitch.providers.contract.transport.masking import JsonMask
from voucherswitch.providers.contract.transport.results import NoAnswer

POLLS_MAX: Final = 1_000  # of one sale, whatever the settings allow

_NOT_SUPPORTED: Final = Declined(ErrorType.FUNCTION_NOT_SUPPORTED)


class BetwayConnector(BaseConnector):
    """Betway as the switch sees it.

    Args:
        sleep: waits for some seconds between two polls.
    """

    def __init__(
        self,
        provider_id: str,
        settings: BetwaySettings,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.capabilities = override_capabilities(CAPABILITIES, provider_id, settings.capabilities)
        self._settings = settings
        self._rules = rules_of(settings)
        self._sleep = sleep
        self._http = HttpTransport(
            provider_id,
            settings,
            # In an error `code` is a word of the protocol; everywhere else it would be the voucher.
            JsonMask(wire_of(messages), errors.CODES | settings.code_map.keys()),
            {"Authorization": f"Bearer {settings.token}"},
        )

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        return refusal_of(order) or await self._buy(order, self._bounded(call), "provision", first=True)

    async def retry(self, order: ProvisionOrder, call: Call) -> Outcome:
        return refusal_of(order) or await self._buy(order, self._bounded(call), "retry", first=False)

    async def status(self, order: StatusOrder, call: Call) -> Outcome:
        path = f"/orders?externalId={_escaped(order.request_id)}"
        answer = await self._send(self._bounded(call), "status", "GET", path)
        if isinstance(answer, HttpAnswer):
            outcome = translate.from_status(answer, order, self._rules)
            if outcome is translate.STILL_PENDING:
                return replace(translate.STILL_PENDING, cancel_after_s=self._settings.cancel_pending_after_s)
            return outcome
        return in_doubt(failed(answer))

    async def confirm(self, order: AdviceOrder, call: Call) -> AdviceResult:
        path = f"/orders/by-external-id/{_escaped(order.request_id)}/acknowledge"
        body = translate.acknowledge_body(order)
        answer = await self._send(self._bounded(call), "confirm", "POST", path, body, order)
        if isinstance(answer, HttpAnswer):
            return translate.from_acknowledge(answer, order, self._rules)
        return failed_advice(answer)

    async def reverse(self, order: AdviceOrder, call: Call) -> AdviceResult:
        path = f"/orders/by-external-id/{_escaped(order.request_id)}/cancel"
        body = translate.cancel_body(order)
        answer = await self._send(self._bounded(call), "reverse", "POST", path, body, order)
        if isinstance(answer, HttpAnswer):
            return translate.from_cancel(answer, order, self._rules)
        return failed_advice(answer)

    async def lookup(self, order: LookupOrder, call: Call) -> Outcome:
        if order.voucher_code is None:
            return _NOT_SUPPORTED  # the provider finds a voucher by its PIN only
        if refusal := impossible_code(order.voucher_code, self._rules.pin_pattern):
            return refusal
        body = translate.validate_body(order.voucher_code)
        answer = await self._send(self._bounded(call), "lookup", "POST", "/vouchers/validate", body, order)
        return translate.from_lookup(answer, order, self._rules) if isinstance(answer, HttpAnswer) else failed(answer)

    async def products(self, call: Call) -> tuple[ProviderProduct, ...] | OutcomeUnknown:
        answer = await self._send(self._bounded(call), "products", "GET", "/skus")
        if isinstance(answer, HttpAnswer):
            return translate.from_products(answer)
        return OutcomeUnknown(alert=answer.alert if isinstance(answer, NoAnswer) else None)

    async def close(self) -> None:
        await self._http.close()

    async def _buy(self, order: ProvisionOrder, call: Call, operation: str, *, first: bool) -> Outcome:
        """Order, and follow the order until it is decided.

        A resend (`first` is false) that is refused or lost says nothing about the message before it. The order that it
        finds does, also when that was rejected: then nothing was issued.
        """
        outlet = self._settings.store_code(order.store.merchant_id, order.store.terminal_id)
        if outlet is None or not order.product:
            return UNROUTABLE if first else in_doubt(UNROUTABLE)
        tender = translate.tender_of(order)
        if tender is None:
            return translate.TENDER_REQUIRED if first else translate.NO_TENDER_TO_RESEND
        body = translate.order_body(order, tender, outlet, time.time())
        answer = await self._send(call, operation, "POST", "/orders", body, order)
        if isinstance(answer, HttpAnswer) and answer.status in translate.ACCEPTED:
            return await self._decided(translate.from_accepted(answer, order, self._rules), order, call, operation)
        if isinstance(answer, HttpAnswer):
            refused = translate.from_refused(answer, order, self._rules)
        else:
            refused = failed(answer)
        return refused if first else in_doubt(refused)

    async def _decided(
        self, found: Outcome | translate.Waiting, order: ProvisionOrder, call: Call, operation: str
    ) -> Outcome:
        """Ask for a pending order until it is decided, or until there is no time for one more question.

        A poll that fails is repeated: it changes nothing at the provider, and the order is known to be there.
        """
        if not isinstance(found, translate.Waiting):
            return found
        waiting, otherwise = found, translate.STILL_PENDING
        for _ in range(POLLS_MAX):
            wait_s = min(max(waiting.poll_after_ms, self._settings.poll_min_ms), self._settings.poll_max_ms) / 1000
            if time.monotonic() + wait_s >= call.deadline:
                break
            await self._sleep(wait_s)
            answer = await self._send(call, operation, "GET", f"/orders/{_escaped(waiting.order_id)}")
            if not isinstance(answer, HttpAnswer):
                # One that our own deadline cut off takes nothing from what the polls before it told.
                if time.monotonic() < call.deadline:
                    alert = answer.alert if isinstance(answer, NoAnswer) else None
                    otherwise = OutcomeUnknown(provider_message=answer.told, alert=alert)
                continue
            match translate.from_poll(answer, order, self._rules):
                case translate.Waiting() as waiting:
                    otherwise = translate.STILL_PENDING
                case translate.NoWord(outcome=otherwise):
                    pass
                case decided:
                    return decided
        return otherwise

    async def _send(
        self, call: Call, operation: str, method: str, path: str, body: bytes | None = None, order: Order | None = None
    ) -> HttpResult:
        headers = {"X-Correlation-Id": str(uuid4())}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return await self._http.send(
            call,
            operation,
            method,
            self._settings.base_path + path,
            headers=headers,
            body=body,
            secrets=() if order is None else secrets_of(order),
        )

    def _bounded(self, call: Call) -> Call:
        """The operation's own end: every message of it counts."""
        own = time.monotonic() + self._settings.total_timeout_ms / 1000
        return replace(call, deadline=min(call.deadline, own))


def connect(provider_id: str, settings: Mapping[str, object]) -> Connector:
    """Build the connector from a provider's settings.

    Raises:
        ProviderSettingsError: one line that names the key and what to set.
    """
    typed = read_settings(BetwaySettings, provider_id, settings)
    if typed.poll_min_ms > typed.poll_max_ms:
        refuse(provider_id, "poll_min_ms", "is above poll_max_ms", "a whole number of milliseconds up to poll_max_ms")
    return BetwayConnector(provider_id, typed)


def _escaped(text: str) -> str:
    """An id as one piece of an address, whatever it holds."""
    return quote(text, safe="")
