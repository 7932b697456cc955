"""The sandbox's connector: which call serves which operation. What the messages mean is in translate.py.

What the switch asks for and the sandbox could never take is refused here, before anything is sent.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from voucherswitch.message.marks import wire_of
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
from voucherswitch.message.outcomes import AdviceResult, Outcome, OutcomeUnknown
from voucherswitch.message.parties import Store
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
from voucherswitch.providers.contract.capabilities import Capabilities
from voucherswitch.providers.contract.connector import Call
from voucherswitch.providers.contract.settings import override_capabilities, read_settings
from voucherswitch.providers.contract.transport.http import HttpAnswer, HttpResult, HttpTransport
from voucherswitch.providers.contract.transport.masking import JsonMask
from voucherswitch.providers.contract.transport.results import NoAnswer, NoConnection
from voucherswitch.providers.sandbox import errors, messages, translate
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
        self._rules = rules_of(settings)
        self._http = HttpTransport(
            provider_id,
            settings,
            # In an error `code` is a word of the protocol; everywhere else it is the voucher.
            JsonMask(wire_of(messages), errors.CODES | settings.code_map.keys()),
            {"Authorization": f"Bearer {settings.api_key}"},
        )

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        if refusal := refusal_of(order) or impossible_code(order.voucher_code, self._rules.pin_pattern):
            return refusal
        store = self._store(order.store)
        if store is None or not order.product:
            return UNROUTABLE
        answer = await self._post(call, "provision", "/vouchers", translate.provision_body(order, store), order)
        if isinstance(answer, HttpAnswer):
            return translate.from_provision(answer, order, self._rules)
        return failed(answer)

    async def retry(self, order: ProvisionOrder, call: Call) -> Outcome:
        if refusal := refusal_of(order):
            return refusal
        store = self._store(order.store)
        if store is None or not order.product:
            return in_doubt(UNROUTABLE)
        path = f"/vouchers/{_segment(order.request_id)}/retry"
        answer = await self._post(call, "retry", path, translate.provision_body(order, store), order)
        if isinstance(answer, HttpAnswer):
            return translate.from_retry(answer, order, self._rules)
        return in_doubt(failed(answer))

    async def status(self, order: StatusOrder, call: Call) -> Outcome:
        answer = await self._get(call, "status", f"/vouchers/{_segment(order.request_id)}")
        if isinstance(answer, HttpAnswer):
            return translate.from_status(answer, order, self._rules)
        return in_doubt(failed(answer))

    async def lookup(self, order: LookupOrder, call: Call) -> Outcome:
        if refusal := impossible_code(order.voucher_code, self._rules.pin_pattern):
            return refusal
        answer = await self._post(call, "lookup", "/vouchers/lookup", translate.lookup_body(order), order)
        return translate.from_lookup(answer, order, self._rules) if isinstance(answer, HttpAnswer) else failed(answer)

    async def redeem(self, order: RedeemOrder, call: Call) -> Outcome:
        if refusal := refusal_of(order, cents_min=0) or impossible_code(order.voucher_code, self._rules.pin_pattern):
            return refusal
        store = self._store(order.store)
        if store is None:
            return UNROUTABLE
        answer = await self._post(call, "redeem", "/redemptions", translate.redeem_body(order, store), order)
        if isinstance(answer, HttpAnswer):
            return translate.from_movement(answer, order, translate.REDEMPTION, self._rules)
        return failed(answer)

    async def redeem_status(self, order: StatusOrder, call: Call) -> Outcome:
        answer = await self._get(call, "redeemStatus", f"/redemptions/{_segment(order.request_id)}")
        if isinstance(answer, HttpAnswer):
            return translate.from_movement_status(answer, order, translate.REDEMPTION, self._rules)
        return in_doubt(failed(answer))

    async def refund(self, order: RefundOrder, call: Call) -> Outcome:
        if refusal := refusal_of(order, cents_min=0) or impossible_code(order.voucher_code, self._rules.pin_pattern):
            return refusal
        answer = await self._post(call, "refund", "/refunds", translate.refund_body(order), order)
        if isinstance(answer, HttpAnswer):
            return translate.from_movement(answer, order, translate.REFUND, self._rules)
        return failed(answer)

    async def refund_status(self, order: StatusOrder, call: Call) -> Outcome:
        answer = await self._get(call, "refundStatus", f"/refunds/{_segment(order.request_id)}")
        if isinstance(answer, HttpAnswer):
            return translate.from_movement_status(answer, order, translate.REFUND, self._rules)
        return in_doubt(failed(answer))

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
            case NoConnection() | NoAnswer():
                return failed_advice(answer)

    async def _post(self, call: Call, operation: str, path: str, body: bytes, order: Order) -> HttpResult:
        return await self._http.send(
            call,
            operation,
            "POST",
            self._path + path,
            headers=_JSON,
            body=body,
            secrets=secrets_of(order),
        )

    async def _get(self, call: Call, operation: str, path: str) -> HttpResult:
        return await self._http.send(call, operation, "GET", self._path + path)

    def _store(self, store: Store) -> str | None:
        return self._settings.store_code(store.merchant_id, store.terminal_id)


def connect(provider_id: str, settings: Mapping[str, object]) -> SandboxConnector:
    """Build the connector from a provider's settings.

    Raises:
        ProviderSettingsError: one line that names the key and what to set.
    """
    return SandboxConnector(provider_id, read_settings(SandboxSettings, provider_id, settings))


def _segment(request_id: str) -> str:
    """An id as one piece of a path, whatever it holds."""
    return quote(request_id, safe="")
