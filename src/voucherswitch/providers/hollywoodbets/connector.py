"""Hollywoodbets' connector, by the proposed protocol: which call serves which operation (providers.md 4.5).

The trap of this provider is time: within 24 h the same reference brings the same PIN, after that it brings a new one.
So from `replay_window_s` on a retry only asks what became of the request and never posts it.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.marks import wire_of
from voucherswitch.message.orders import AdviceOrder, LookupOrder, Order, ProviderProduct, ProvisionOrder, StatusOrder
from voucherswitch.message.outcomes import AdviceResult, Declined, Outcome, OutcomeUnknown
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
from voucherswitch.providers.hollywoodbets import messages, translate
from voucherswitch.providers.hollywoodbets.capabilities import CAPABILITIES
from voucherswitch.providers.hollywoodbets.settings import HollywoodbetsSettings
from voucherswitch.providers.hollywoodbets.signing import authorization

_JSON: Final = {"Content-Type": "application/json; charset=utf-8"}
_ONLY_BY_CODE: Final = Declined(ErrorType.FUNCTION_NOT_SUPPORTED, provider_message="found by its PIN only")


class HollywoodbetsConnector(BaseConnector):
    """Hollywoodbets as the switch sees it. `clock`: seconds since the epoch, for the time in a request."""

    def __init__(
        self, provider_id: str, settings: HollywoodbetsSettings, clock: Callable[[], float] = time.time
    ) -> None:
        self.capabilities = override_capabilities(CAPABILITIES, provider_id, settings.capabilities)
        self._settings = settings
        self._rules = rules_of(settings)
        self._clock = clock
        credentials = {"Authorization": authorization(settings.partner, settings.password)}
        self._http = HttpTransport(provider_id, settings, JsonMask(wire_of(messages)), credentials)

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        if refusal := refusal_of(order):
            return refusal
        answer = await self._issue(order, call, "provision")
        if answer is None:
            return UNROUTABLE
        return translate.from_issue(answer, order, self._rules) if isinstance(answer, HttpAnswer) else failed(answer)

    async def retry(self, order: ProvisionOrder, call: Call) -> Outcome:
        """Send the same request again while the provider surely remembers it; otherwise only ask about it.

        An age below 0 is none: the clock was set back, and the request may be older than the provider's memory.
        """
        if refusal := refusal_of(order):
            return refusal
        if not 0 <= order.sent_ms_ago < self._settings.replay_window_s * 1000:
            asked = StatusOrder(order.request_id, order.amount_cents, sent_ms_ago=order.settled_ms_ago)
            return await self._ask(asked, call, "retry", order.sent_ms_ago)
        answer = await self._issue(order, call, "retry")
        if answer is None:
            return in_doubt(UNROUTABLE)
        if isinstance(answer, HttpAnswer):
            return translate.from_resend(answer, order, self._rules)
        return in_doubt(failed(answer))

    async def status(self, order: StatusOrder, call: Call) -> Outcome:
        return await self._ask(order, call, "status")

    async def lookup(self, order: LookupOrder, call: Call) -> Outcome:
        if order.voucher_code is None:
            return _ONLY_BY_CODE
        if refusal := impossible_code(order.voucher_code, self._rules.pin_pattern):
            return refusal
        answer = await self._post(call, "lookup", "/pin-queries", translate.pin_query_body(order.voucher_code), order)
        if isinstance(answer, HttpAnswer):
            return translate.from_pin_query(answer, order, order.voucher_code, self._rules)
        return failed(answer)

    async def reverse(self, order: AdviceOrder, call: Call) -> AdviceResult:
        path = f"{_of(order.request_id)}/block"
        answer = await self._post(call, "reverse", path, translate.block_body(order), order)
        if isinstance(answer, HttpAnswer):
            return translate.from_block(answer, order, self._rules)
        return failed_advice(answer)

    async def products(self, call: Call) -> tuple[ProviderProduct, ...] | OutcomeUnknown:
        answer = await self._get(call, "products", "/denominations")
        if isinstance(answer, HttpAnswer):
            return translate.from_denominations(answer, self._rules)
        return OutcomeUnknown(
            provider_message=answer.told, alert=answer.alert if isinstance(answer, NoAnswer) else None
        )

    async def close(self) -> None:
        await self._http.close()

    async def _issue(self, order: ProvisionOrder, call: Call, operation: str) -> HttpResult | None:
        """Ask for a voucher; None: our maps have no outlet or product for it, and nothing was sent."""
        outlet = self._settings.store_code(order.store.merchant_id, order.store.terminal_id)
        if outlet is None or not order.product:
            return None
        return await self._post(call, operation, "/issues", translate.issue_body(order, outlet, self._clock()), order)

    async def _ask(
        self, order: StatusOrder, call: Call, operation: str, first_sent_ms_ago: int | None = None
    ) -> Outcome:
        answer = await self._get(call, operation, _of(order.request_id))
        if isinstance(answer, HttpAnswer):
            return translate.from_status(answer, order, self._rules, first_sent_ms_ago)
        return in_doubt(failed(answer))

    async def _post(self, call: Call, operation: str, path: str, body: bytes, order: Order) -> HttpResult:
        return await self._http.send(
            call,
            operation,
            "POST",
            self._settings.base_path + path,
            headers=_JSON,
            body=body,
            secrets=secrets_of(order),
        )

    async def _get(self, call: Call, operation: str, path: str) -> HttpResult:
        return await self._http.send(call, operation, "GET", self._settings.base_path + path)


def connect(provider_id: str, settings: Mapping[str, object]) -> Connector:
    """Build the connector from a provider's settings.

    Raises:
        ProviderSettingsError: one line that names the key and what to set.
    """
    typed = read_settings(HollywoodbetsSettings, provider_id, settings)
    if typed.stock_mode:
        refuse(provider_id, "stock_mode", "is not offered: the switch keeps no stock of PINs", "false")
    return HollywoodbetsConnector(provider_id, typed)


def _of(request_id: str) -> str:
    """The path of what a request brought; the reference is one piece of it, whatever it holds."""
    return f"/issues/{quote(request_id, safe='')}"
