"""Flash's connector: which message serves which operation. What the messages mean is in translate.py.

Its one state is the access token. A purchase is only repeated while Flash still knows the first one: later the same
message would buy a second voucher.
"""

import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.marks import last_four, wire_of
from voucherswitch.message.orders import AdviceOrder, ProviderProduct, ProvisionOrder, RedeemOrder, RefundOrder
from voucherswitch.message.outcomes import AdviceResult, NotSent, Outcome, OutcomeUnknown, Pending, Refused
from voucherswitch.message.parties import Store
from voucherswitch.providers.contract.answers import (
    UNROUTABLE,
    failed,
    impossible_code,
    in_doubt,
    refusal_of,
    rules_of,
    secrets_of,
)
from voucherswitch.providers.contract.base import BaseConnector
from voucherswitch.providers.contract.capabilities import Capabilities
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.providers.contract.settings import override_capabilities
from voucherswitch.providers.contract.transport.http import HttpAnswer, HttpTransport
from voucherswitch.providers.contract.transport.masking import JsonMask
from voucherswitch.providers.contract.transport.tokens import TokenCache, bounded
from voucherswitch.providers.flash import messages, translate
from voucherswitch.providers.flash.capabilities import capabilities
from voucherswitch.providers.flash.settings import FlashSettings, flash_settings

TOKEN_PATH: Final = "/token"  # noqa: S105 (a path)
UNAUTHORISED: Final = 401

# A resend now could buy a second voucher: none is sent, and of the first message nothing is proved.
TOO_LATE: Final = OutcomeUnknown(ErrorType.FUNCTION_NOT_SUPPORTED)
NO_REVERSAL: Final = Refused(provider_message="Flash reverses no gift vouchers")


class FlashConnector(BaseConnector):
    """Flash as the switch sees it."""

    capabilities: Capabilities

    def __init__(self, provider_id: str, settings: FlashSettings) -> None:
        self.capabilities = override_capabilities(capabilities(settings), provider_id, settings.capabilities)
        self._settings = settings
        self._account = settings.account_number
        self._window_s = settings.replay_window_s
        self._total_s = settings.total_timeout_ms / 1000
        self._rules = rules_of(settings)
        self._http = HttpTransport(provider_id, settings, JsonMask(wire_of(messages)))
        self._tokens = TokenCache(self._http, TOKEN_PATH, f"Basic {settings.api_key}")

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        if refusal := refusal_of(order):
            return refusal
        message = self._purchase(order)
        if message is None:
            return UNROUTABLE
        first_sent_at = _utc_text(datetime.now(UTC))
        answer = await self._post(call, "provision", message)
        if isinstance(answer, HttpAnswer):
            return translate.from_purchase(answer, order, self._rules, first_sent_at)
        return answer

    async def retry(self, order: ProvisionOrder, call: Call) -> Outcome:
        left_s = self._window_s - order.sent_ms_ago / 1000
        # A message that was sent in the future was sent who knows when.
        if left_s <= 0 or order.sent_ms_ago < 0:
            return TOO_LATE
        if refusal := refusal_of(order):
            return refusal
        message = self._purchase(order)
        if message is None:
            return in_doubt(UNROUTABLE)
        first_sent_at = _utc_text(datetime.now(UTC) - timedelta(milliseconds=order.sent_ms_ago))
        answer = await self._post(call, "retry", message, leave_by_s=time.monotonic() + left_s)
        if isinstance(answer, HttpAnswer):
            return translate.from_resent_purchase(answer, order, self._rules, first_sent_at)
        return in_doubt(answer)

    async def redeem(self, order: RedeemOrder, call: Call) -> Outcome:
        if refusal := refusal_of(order) or impossible_code(order.voucher_code, self._rules.pin_pattern):
            return refusal
        store = self._store(order.store)
        if store is None:
            return UNROUTABLE
        message = translate.redemption(order, self._account, store)
        answer = await self._post(call, "redeem", message, secrets=secrets_of(order))
        if isinstance(answer, HttpAnswer):
            return translate.from_redemption(answer, order, self._rules)
        return answer

    async def refund(self, order: RefundOrder, call: Call) -> Outcome:
        if not self._settings.refund_enabled:
            return await super().refund(order, call)
        if refusal := refusal_of(order):
            return refusal
        store = self._store(order.store)
        if store is None:
            return UNROUTABLE
        message = translate.refund(order, self._account, store)
        answer = await self._post(call, "refund", message, secrets=secrets_of(order))
        if isinstance(answer, HttpAnswer):
            return translate.from_refund(answer, order, self._rules)
        return answer

    async def reverse(self, order: AdviceOrder, call: Call) -> AdviceResult:
        if not self._settings.reverse_enabled:
            return await super().reverse(order, call)
        message = translate.reversal(order)
        if message is None:
            return NO_REVERSAL
        answer = await self._post(call, "reverse", message, secrets=secrets_of(order))
        if isinstance(answer, HttpAnswer):
            return translate.from_reversal(answer, order, self._rules)
        return Pending(answer.provider_message or answer.error_type, answer.alert)

    async def products(self, call: Call) -> tuple[ProviderProduct, ...] | OutcomeUnknown:
        answer = await self._send(call, "products", "GET", translate.products_path(self._account))
        if isinstance(answer, HttpAnswer):
            return translate.from_products(answer)
        return OutcomeUnknown(provider_message=answer.provider_message, alert=answer.alert)

    async def close(self) -> None:
        await self._tokens.close()
        await self._http.close()

    async def _post(
        self,
        call: Call,
        operation: str,
        message: translate.Message,
        *,
        secrets: tuple[str, ...] = (),
        leave_by_s: float = math.inf,
    ) -> HttpAnswer | NotSent | OutcomeUnknown:
        return await self._send(
            call, operation, "POST", message.path, message.body, secrets=secrets, leave_by_s=leave_by_s
        )

    async def _send(
        self,
        call: Call,
        operation: str,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        secrets: tuple[str, ...] = (),
        leave_by_s: float = math.inf,
    ) -> HttpAnswer | NotSent | OutcomeUnknown:
        """Send with a token; once more, with a fresh one, after 401, which proves that nothing was processed.

        Args:
            leave_by_s: the moment of `time.monotonic()` from which nothing may leave any more.
        """
        ends_s = time.monotonic() + self._total_s
        for last in (False, True):
            token = self._tokens.held
            if token is None:
                call = bounded(call, ends_s)
                fetched = await self._tokens.get(call)
                if isinstance(fetched, NotSent):
                    return fetched
                token = fetched
            if time.monotonic() >= leave_by_s:
                return TOO_LATE
            headers = {"Authorization": token.authorization}
            if body is not None:
                headers["Content-Type"] = "application/json"
            answer = await self._http.send(
                call,
                operation,
                method,
                self._settings.api_path + path,
                headers=headers,
                body=body,
                shown_path=self._settings.api_path + path.replace(self._account, last_four(self._account)),
                secrets=(*secrets, token.text),
            )
            if not isinstance(answer, HttpAnswer):
                return failed(answer)
            if answer.status != UNAUTHORISED or last:
                return answer
            self._tokens.drop(token)
            if not self._settings.renew_once:
                return answer
            call = bounded(call, ends_s)
        raise AssertionError("a second 401 is an answer")

    def _purchase(self, order: ProvisionOrder) -> translate.Message | None:
        store = self._store(order.store)
        return None if store is None else translate.purchase(order, self._account, store)

    def _store(self, store: Store) -> str | None:
        return self._settings.store_code(store.merchant_id, store.terminal_id)


def connect(provider_id: str, settings: Mapping[str, object]) -> Connector:
    """Build the connector from a provider's settings.

    Raises:
        ProviderSettingsError: one line that names the key and what to set.
    """
    return FlashConnector(provider_id, flash_settings(provider_id, settings))


def _utc_text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
