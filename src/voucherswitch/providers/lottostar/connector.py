"""Lottostar's connector, by the proposed protocol: which call serves which operation (providers.md 3.5).

Every message is signed with a timestamp and a nonce that serves once. The one thing kept between calls is how far the
provider's clock is ahead of ours: it comes from the refusal of a timestamp, which is also the one case in which a
message is sent a second time, because that refusal proves that it was not processed.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote
from uuid import uuid4

import msgspec

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
from voucherswitch.providers.contract.settings import override_capabilities, read_settings
from voucherswitch.providers.contract.transport.http import HttpAnswer, HttpResult, HttpTransport
from voucherswitch.providers.contract.transport.masking import JsonMask
from voucherswitch.providers.contract.transport.results import NoAnswer
from voucherswitch.providers.lottostar import errors, messages, translate
from voucherswitch.providers.lottostar.capabilities import CAPABILITIES
from voucherswitch.providers.lottostar.settings import LottostarSettings
from voucherswitch.providers.lottostar.signing import signed_headers

_JSON: Final = {"Content-Type": "application/json"}
_ONLY_BY_CODE: Final = Declined(ErrorType.FUNCTION_NOT_SUPPORTED, provider_message="found by its code only")


def _nonce() -> str:
    return str(uuid4())


class LottostarConnector(BaseConnector):
    """Lottostar as the switch sees it.

    Args:
        clock: seconds since the epoch, for timestamps.
        new_nonce: makes a UUID that was never used.
    """

    def __init__(
        self,
        provider_id: str,
        settings: LottostarSettings,
        clock: Callable[[], float] = time.time,
        new_nonce: Callable[[], str] = _nonce,
    ) -> None:
        self.capabilities = override_capabilities(CAPABILITIES, provider_id, settings.capabilities)
        self._settings = settings
        self._rules = rules_of(settings)
        self._clock = clock
        self._new_nonce = new_nonce
        self._clock_offset_ms = 0  # their clock minus ours
        self._http = HttpTransport(
            # In an error `code` is a word of the protocol; everywhere else it is the voucher.
            provider_id,
            settings,
            JsonMask(wire_of(messages), errors.CODES | settings.code_map.keys()),
        )

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        if refusal := refusal_of(order):
            return refusal
        answer = await self._issue(order, call, "provision")
        if answer is None:
            return UNROUTABLE
        return translate.from_issue(answer, order, self._rules) if isinstance(answer, HttpAnswer) else failed(answer)

    async def retry(self, order: ProvisionOrder, call: Call) -> Outcome:
        """Send the same body again: the same id brings the same voucher, without a limit in time."""
        if refusal := refusal_of(order):
            return refusal
        answer = await self._issue(order, call, "retry")
        if answer is None:
            return in_doubt(UNROUTABLE)
        if isinstance(answer, HttpAnswer):
            return translate.from_resend(answer, order, self._rules)
        return in_doubt(failed(answer))

    async def status(self, order: StatusOrder, call: Call) -> Outcome:
        answer = await self._send(call, "status", "GET", _of(order.request_id))
        if isinstance(answer, HttpAnswer):
            return translate.from_status(answer, order, self._rules)
        return in_doubt(failed(answer))

    async def lookup(self, order: LookupOrder, call: Call) -> Outcome:
        if order.voucher_code is None:
            return _ONLY_BY_CODE
        if refusal := impossible_code(order.voucher_code, self._rules.pin_pattern):
            return refusal
        body = translate.lookup_body(order.voucher_code)
        answer = await self._send(call, "lookup", "POST", "/vouchers/lookup", body, order)
        if isinstance(answer, HttpAnswer):
            return translate.from_lookup(answer, order, order.voucher_code, self._rules)
        return failed(answer)

    async def reverse(self, order: AdviceOrder, call: Call) -> AdviceResult:
        path = f"{_of(order.request_id)}/void"
        answer = await self._send(call, "reverse", "POST", path, translate.void_body(order), order)
        if isinstance(answer, HttpAnswer):
            return translate.from_void(answer, order, self._rules)
        return failed_advice(answer)

    async def products(self, call: Call) -> tuple[ProviderProduct, ...] | OutcomeUnknown:
        answer = await self._send(call, "products", "GET", "/denominations")
        if isinstance(answer, HttpAnswer):
            return translate.from_denominations(answer)
        return OutcomeUnknown(
            provider_message=answer.told, alert=answer.alert if isinstance(answer, NoAnswer) else None
        )

    async def close(self) -> None:
        await self._http.close()

    async def _issue(self, order: ProvisionOrder, call: Call, operation: str) -> HttpResult | None:
        """Ask for a voucher; None: our maps have no store or product for it, and nothing was sent."""
        store = self._settings.store_code(order.store.merchant_id, order.store.terminal_id)
        if store is None or not order.product:
            return None
        return await self._send(call, operation, "POST", "/vouchers", translate.issue_body(order, store), order)

    async def _send(
        self, call: Call, operation: str, method: str, path: str, body: bytes | None = None, order: Order | None = None
    ) -> HttpResult:
        """Make one attempt; a second one only after the refusal of its timestamp, inside the same time."""
        ends = time.monotonic() + self._settings.total_timeout_ms / 1000
        call = msgspec.structs.replace(call, deadline=min(call.deadline, ends))
        answer = await self._exchange(call, operation, method, path, body, order)
        if not (self._settings.renew_once and isinstance(answer, HttpAnswer) and translate.is_stale(answer)):
            return answer
        offset_ms = translate.clock_offset_ms(answer, self._now_ms())
        if offset_ms is None:
            return answer
        self._clock_offset_ms = offset_ms
        return await self._exchange(call, operation, method, path, body, order)

    async def _exchange(
        self, call: Call, operation: str, method: str, path: str, body: bytes | None, order: Order | None
    ) -> HttpResult:
        settings, target = self._settings, self._settings.base_path + path
        timestamp_ms = self._now_ms() + self._clock_offset_ms
        headers = signed_headers(
            settings.key_id, settings.secret, method, target, timestamp_ms, self._new_nonce(), body
        )
        return await self._http.send(
            call,
            operation,
            method,
            target,
            headers=headers if body is None else {**_JSON, **headers},
            body=body,
            secrets=() if order is None else secrets_of(order),
        )

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def connect(provider_id: str, settings: Mapping[str, object]) -> Connector:
    """Build the connector from a provider's settings.

    Raises:
        ProviderSettingsError: one line that names the key and what to set.
    """
    return LottostarConnector(provider_id, read_settings(LottostarSettings, provider_id, settings))


def _of(request_id: str) -> str:
    """The path of what a request brought; the id is one piece of it, whatever it holds."""
    return f"/vouchers/by-client-ref/{quote(request_id, safe='')}"
