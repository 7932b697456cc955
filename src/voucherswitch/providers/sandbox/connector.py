"""The sandbox's connector: which call serves which operation. What the messages mean is in translate.py.

What the switch asks for and the sandbox could never take is refused here, before anything is sent.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from voucherswitch.message.codes import ZAR, ErrorType
from voucherswitch.message.orders import (
    AdviceOrder,
    LookupOrder,
    Order,
    ProviderProduct,
    ProvisionOrder,
    RedeemOrder,
    RefundOrder,
    StatusOrder,
)
from voucherswitch.message.outcomes import AdviceResult, Declined, NotSent, Outcome, OutcomeUnknown, Pending
from voucherswitch.message.parties import Store
from voucherswitch.providers.contract.capabilities import Capabilities
from voucherswitch.providers.contract.connector import Call
from voucherswitch.providers.contract.settings import override_capabilities, read_settings
from voucherswitch.providers.contract.transport.http import (
    HttpAnswer,
    HttpResult,
    HttpTransport,
    NoAnswer,
    NoConnection,
)
from voucherswitch.providers.contract.transport.masking import JsonMask
from voucherswitch.providers.sandbox import errors, translate
from voucherswitch.providers.sandbox.capabilities import CAPABILITIES
from voucherswitch.providers.sandbox.settings import SandboxSettings

_JSON: Final = {"Content-Type": "application/json"}


class SandboxConnector:
    """The sandbox as the switch sees it."""

    capabilities: Capabilities

    def __init__(self, provider_id: str, settings: SandboxSettings) -> None:
        self.capabilities = override_capabilities(CAPABILITIES, provider_id, settings.capabilities)
        self._settings = settings
        self._path = settings.base_path
        self._rules = translate.Rules(re.compile(settings.pin_pattern), settings.code_meanings(), settings.settle_ms)
        self._http = HttpTransport(
            provider_id,
            settings,
            # In an error `code` is a word of the protocol; everywhere else it is the voucher.
            JsonMask(own_words=errors.CODES | settings.code_map.keys()),
            {"Authorization": f"Bearer {settings.api_key}"},
        )

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        if refusal := _refusal(order, cents_min=1) or self._impossible(order.voucher_code):
            return refusal
        store = self._store(order.store)
        if store is None or not order.product:
            return _UNROUTABLE
        answer = await self._post(call, "provision", "/vouchers", translate.provision_body(order, store), order)
        if isinstance(answer, HttpAnswer):
            return translate.from_provision(answer, order, self._rules)
        return _outcome(answer)

    async def retry(self, order: ProvisionOrder, call: Call) -> Outcome:
        if refusal := _refusal(order, cents_min=1):
            return refusal
        store = self._store(order.store)
        if store is None or not order.product:
            return translate.in_doubt(_UNROUTABLE)
        path = f"/vouchers/{_segment(order.request_id)}/retry"
        answer = await self._post(call, "retry", path, translate.provision_body(order, store), order)
        if isinstance(answer, HttpAnswer):
            return translate.from_retry(answer, order, self._rules)
        return translate.in_doubt(_outcome(answer))

    async def status(self, order: StatusOrder, call: Call) -> Outcome:
        answer = await self._get(call, "status", f"/vouchers/{_segment(order.request_id)}")
        if isinstance(answer, HttpAnswer):
            return translate.from_status(answer, order, self._rules)
        return translate.in_doubt(_outcome(answer))

    def _impossible(self, code: str | None) -> Declined | None:
        """A code that no voucher of this provider can have; asking would only earn a refusal of the message."""
        if code is None or self._rules.pin_pattern.fullmatch(code):
            return None
        return Declined(ErrorType.INVALID_VOUCHER)

    async def lookup(self, order: LookupOrder, call: Call) -> Outcome:
        if refusal := self._impossible(order.voucher_code):
            return refusal
        answer = await self._post(call, "lookup", "/vouchers/lookup", translate.lookup_body(order), order)
        return translate.from_lookup(answer, order, self._rules) if isinstance(answer, HttpAnswer) else _outcome(answer)

    async def redeem(self, order: RedeemOrder, call: Call) -> Outcome:
        if refusal := _refusal(order, cents_min=0) or self._impossible(order.voucher_code):
            return refusal
        store = self._store(order.store)
        if store is None:
            return _UNROUTABLE
        answer = await self._post(call, "redeem", "/redemptions", translate.redeem_body(order, store), order)
        if isinstance(answer, HttpAnswer):
            return translate.from_movement(answer, order, translate.REDEMPTION, self._rules)
        return _outcome(answer)

    async def redeem_status(self, order: StatusOrder, call: Call) -> Outcome:
        answer = await self._get(call, "redeemStatus", f"/redemptions/{_segment(order.request_id)}")
        if isinstance(answer, HttpAnswer):
            return translate.from_movement_status(answer, order, translate.REDEMPTION, self._rules)
        return translate.in_doubt(_outcome(answer))

    async def refund(self, order: RefundOrder, call: Call) -> Outcome:
        if refusal := _refusal(order, cents_min=0) or self._impossible(order.voucher_code):
            return refusal
        answer = await self._post(call, "refund", "/refunds", translate.refund_body(order), order)
        if isinstance(answer, HttpAnswer):
            return translate.from_movement(answer, order, translate.REFUND, self._rules)
        return _outcome(answer)

    async def refund_status(self, order: StatusOrder, call: Call) -> Outcome:
        answer = await self._get(call, "refundStatus", f"/refunds/{_segment(order.request_id)}")
        if isinstance(answer, HttpAnswer):
            return translate.from_movement_status(answer, order, translate.REFUND, self._rules)
        return translate.in_doubt(_outcome(answer))

    async def confirm(self, order: AdviceOrder, call: Call) -> AdviceResult:
        return await self._advise(order, call, "confirm", "vouchers")

    async def reverse(self, order: AdviceOrder, call: Call) -> AdviceResult:
        return await self._advise(order, call, "reverse", "vouchers", reversal=True)

    async def confirm_redeem(self, order: AdviceOrder, call: Call) -> AdviceResult:
        return await self._advise(order, call, "confirmRedeem", "redemptions")

    async def reverse_redeem(self, order: AdviceOrder, call: Call) -> AdviceResult:
        return await self._advise(order, call, "reverseRedeem", "redemptions", reversal=True)

    async def confirm_refund(self, order: AdviceOrder, call: Call) -> AdviceResult:
        return await self._advise(order, call, "confirmRefund", "refunds")

    async def reverse_refund(self, order: AdviceOrder, call: Call) -> AdviceResult:
        return await self._advise(order, call, "reverseRefund", "refunds", reversal=True)

    async def products(self, call: Call) -> tuple[ProviderProduct, ...] | OutcomeUnknown:
        answer = await self._get(call, "products", "/products")
        if isinstance(answer, HttpAnswer):
            return translate.from_products(answer)
        return OutcomeUnknown(alert=answer.alert if isinstance(answer, NoAnswer) else None)

    async def close(self) -> None:
        await self._http.close()

    async def _advise(
        self, order: AdviceOrder, call: Call, operation: str, what: str, *, reversal: bool = False
    ) -> AdviceResult:
        body = translate.reverse_body(order) if reversal else translate.confirm_body(order)
        path = f"/{what}/{_segment(order.request_id)}/{'reverse' if reversal else 'confirm'}"
        answer = await self._post(call, operation, path, body, order)
        match answer:
            case HttpAnswer():
                return translate.from_advice(answer, order, self._rules, reversal=reversal)
            case NoConnection():
                return Pending(cause=answer.cause)
            case NoAnswer():
                return Pending(cause=answer.cause, alert=answer.alert)

    async def _post(self, call: Call, operation: str, path: str, body: bytes, order: Order) -> HttpResult:
        return await self._http.send(
            call,
            operation,
            "POST",
            self._path + path,
            headers=_JSON,
            body=body,
            secrets=translate.secrets_of(order),
        )

    async def _get(self, call: Call, operation: str, path: str) -> HttpResult:
        return await self._http.send(call, operation, "GET", self._path + path)

    def _store(self, store: Store) -> str | None:
        return self._settings.store_code(store.merchant_id, store.terminal_id)


def sandbox_connector(provider_id: str, settings: Mapping[str, object]) -> SandboxConnector:
    """Build the connector from a provider's settings.

    Raises:
        ProviderSettingsError: one line that names the key and what to set.
    """
    return SandboxConnector(provider_id, read_settings(SandboxSettings, provider_id, settings))


_UNROUTABLE: Final = NotSent(ErrorType.ROUTING_ERROR)


def _refusal(order: ProvisionOrder | RedeemOrder | RefundOrder, *, cents_min: int) -> Declined | None:
    """What no provider of this switch can do: another currency, or an amount that is none."""
    if order.currency != ZAR or order.amount_cents < cents_min:
        return Declined(ErrorType.INVALID_AMOUNT)
    return None


def _outcome(failure: NoConnection | NoAnswer) -> NotSent | OutcomeUnknown:
    if isinstance(failure, NoConnection):
        return NotSent(ErrorType.UPSTREAM_UNAVAILABLE, provider_message=failure.cause)
    return OutcomeUnknown(provider_message=failure.cause, alert=failure.alert)


def _segment(request_id: str) -> str:
    """An id as one piece of a path, whatever it holds."""
    return quote(request_id, safe="")
