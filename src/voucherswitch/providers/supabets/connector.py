"""Supabets' connector: which call serves which operation. What the messages mean is in translate.py.

Proposed protocol. A sale reserves, a confirmation commits, a reversal releases; with the setting `late_reveal` a sale
reserves and commits, because the PIN comes only then.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote
from uuid import uuid4

from msgspec.structs import replace

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.marks import wire_of
from voucherswitch.message.orders import AdviceOrder, LookupOrder, ProviderProduct, ProvisionOrder, StatusOrder
from voucherswitch.message.outcomes import Acknowledged, AdviceResult, Declined, Outcome, OutcomeUnknown
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
from voucherswitch.providers.supabets import messages, translate
from voucherswitch.providers.supabets.capabilities import CAPABILITIES
from voucherswitch.providers.supabets.settings import SupabetsSettings
from voucherswitch.providers.supabets.signing import Signer

_NOT_SUPPORTED: Final = Declined(ErrorType.FUNCTION_NOT_SUPPORTED)
_EMPTY: Final = b""
CLOCK_OFFSET_S_MAX: Final = 86_400  # of the provider's clock from ours; more is an accident, and no token would help


class SupabetsConnector(BaseConnector):
    """Supabets as the switch sees it.

    Its only state is how far the provider's clock is off ours, as the last refused token showed.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(self, provider_id: str, settings: SupabetsSettings, clock: Callable[[], float] = time.time) -> None:
        self.capabilities = override_capabilities(CAPABILITIES, provider_id, settings.capabilities)
        self._settings = settings
        self._rules = rules_of(settings)
        self._signer = Signer(settings)
        self._clock = clock
        self._offset_s = 0.0
        self._http = HttpTransport(provider_id, settings, JsonMask(wire_of(messages)))

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        return refusal_of(order) or await self._sell(order, self._bounded(call), "provision")

    async def retry(self, order: ProvisionOrder, call: Call) -> Outcome:
        return refusal_of(order) or in_doubt(await self._sell(order, self._bounded(call), "retry"))

    async def status(self, order: StatusOrder, call: Call) -> Outcome:
        answer = await self._send(self._bounded(call), "status", "GET", _reservation(order.request_id))
        if isinstance(answer, HttpAnswer):
            return translate.from_status(answer, order, self._rules, late_reveal=self._settings.late_reveal)
        return in_doubt(failed(answer))

    async def confirm(self, order: AdviceOrder, call: Call) -> AdviceResult:
        """Commit, unless the sale has done so: what it was decides, not how sales are made by now.

        Of a sale whose outcome was unknown nothing is noted; a commit too many does no harm.
        """
        if translate.COMMITTED_BY_SALE in order.refs:
            return Acknowledged()
        path = f"{_reservation(order.request_id)}/commit"
        answer = await self._send(self._bounded(call), "confirm", "POST", path, secrets=secrets_of(order))
        if isinstance(answer, HttpAnswer):
            return translate.from_confirm(answer, order, self._rules)
        return failed_advice(answer)

    async def reverse(self, order: AdviceOrder, call: Call) -> AdviceResult:
        path = _reservation(order.request_id)
        answer = await self._send(self._bounded(call), "reverse", "DELETE", path, secrets=secrets_of(order))
        if isinstance(answer, HttpAnswer):
            return translate.from_release(answer, order, self._rules)
        return failed_advice(answer)

    async def lookup(self, order: LookupOrder, call: Call) -> Outcome:
        if order.voucher_code is None:
            return _NOT_SUPPORTED  # the provider finds a voucher by its PIN only
        if refusal := impossible_code(order.voucher_code, self._rules.pin_pattern):
            return refusal
        body = translate.pin_check_body(order.voucher_code)
        answer = await self._send(self._bounded(call), "lookup", "POST", "/pin-checks", body, secrets_of(order))
        return translate.from_lookup(answer, order, self._rules) if isinstance(answer, HttpAnswer) else failed(answer)

    async def products(self, call: Call) -> tuple[ProviderProduct, ...] | OutcomeUnknown:
        answer = await self._send(self._bounded(call), "products", "GET", "/products")
        if isinstance(answer, HttpAnswer):
            return translate.from_products(answer)
        return OutcomeUnknown(alert=answer.alert if isinstance(answer, NoAnswer) else None)

    async def close(self) -> None:
        await self._http.close()

    async def _sell(self, order: ProvisionOrder, call: Call, operation: str) -> Outcome:
        """Reserve, and commit where the PIN is not shown before."""
        site = self._settings.store_code(order.store.merchant_id, order.store.terminal_id)
        if site is None or not order.product:
            return UNROUTABLE
        path, late_reveal = _reservation(order.request_id), self._settings.late_reveal
        answer = await self._send(call, operation, "PUT", path, translate.reservation_body(order, site))
        if not isinstance(answer, HttpAnswer):
            return failed(answer)
        outcome = translate.from_reservation(answer, order, self._rules, late_reveal=late_reveal)
        if not isinstance(outcome, translate.Held):
            return outcome
        answer = await self._send(call, operation, "POST", f"{path}/commit")
        # From here on something is reserved: a commit that was not taken does not undo that.
        if isinstance(answer, HttpAnswer):
            return in_doubt(translate.from_commit(answer, order, self._rules))
        return in_doubt(failed(answer))

    async def _send(
        self,
        call: Call,
        operation: str,
        method: str,
        path: str,
        body: bytes = _EMPTY,
        secrets: tuple[str, ...] = (),
    ) -> HttpResult:
        """One exchange; one more with a new token when the provider says that the first one's was too old."""
        answer = await self._exchange(call, operation, method, path, body, secrets)
        if not isinstance(answer, HttpAnswer) or answer.status != 401:
            return answer
        self._learn_offset(answer)
        if self._settings.renew_once and translate.is_token_expired(answer):
            return await self._exchange(call, operation, method, path, body, secrets)
        return answer

    def _learn_offset(self, refusal: HttpAnswer) -> None:
        """A token is judged by the provider's clock, so the next one is made by it."""
        now_s = translate.provider_clock_s(refusal)
        if now_s is not None and abs(now_s - self._clock()) <= CLOCK_OFFSET_S_MAX:
            self._offset_s = now_s - self._clock()

    async def _exchange(
        self, call: Call, operation: str, method: str, path: str, body: bytes, secrets: tuple[str, ...]
    ) -> HttpResult:
        token = self._signer.token(body, int(self._clock() + self._offset_s), str(uuid4()))
        headers = {"Authorization": f"Bearer {token}"}
        if body:
            headers["Content-Type"] = "application/json"
        return await self._http.send(
            call,
            operation,
            method,
            self._settings.base_path + path,
            headers=headers,
            body=body,  # an empty one too: a call without the length 0 is refused
            secrets=secrets,
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
    return SupabetsConnector(provider_id, read_settings(SupabetsSettings, provider_id, settings))


def _reservation(request_id: str) -> str:
    """The path of a reservation, whatever its id holds."""
    return f"/reservations/{quote(request_id, safe='')}"
