"""OTT's connector: which message serves which operation (providers.md 6.5). What the messages mean is in translate.py.

GetVoucher and RemitVoucher are sent once and never again: a second GetVoucher sells a second voucher, and neither can
be found by its reference any more. What became of a first one is asked. GetAPIKey is never sent: it changes the key.

No answer of OTT repeats the reference it is about, so every exchange has a connection of its own: on a kept one an
answer too many would be taken for that of the next message, and a sale that was made for one that was not.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.marks import Shown, wire_of
from voucherswitch.message.orders import (
    AdviceOrder,
    LookupOrder,
    Order,
    ProvisionOrder,
    RedeemOrder,
    StatusOrder,
)
from voucherswitch.message.outcomes import AdviceResult, Declined, Outcome
from voucherswitch.providers.contract.answers import (
    UNROUTABLE,
    failed,
    failed_advice,
    hidden_of,
    impossible_code,
    in_doubt,
    refusal_of,
    rules_of,
)
from voucherswitch.providers.contract.base import BaseConnector
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.providers.contract.settings import check_base_url, override_capabilities
from voucherswitch.providers.contract.transport.form_masking import FORM_TYPE, FormMask
from voucherswitch.providers.contract.transport.http import HttpAnswer, HttpResult, HttpTransport
from voucherswitch.providers.ott import messages, translate
from voucherswitch.providers.ott.capabilities import CAPABILITIES
from voucherswitch.providers.ott.settings import OpName, OttSettings, ott_settings
from voucherswitch.providers.ott.signing import HASH, basic, signed_form

_NO_CODE: Final = Declined(ErrorType.FUNCTION_NOT_SUPPORTED)  # OTT finds a voucher by its PIN alone


class _Side(Struct, frozen=True):
    """Issuing or redemption: each has its path, its credentials and its key."""

    http: HttpTransport
    path: str
    api_key: str
    headers: Mapping[str, str]


class OttConnector(BaseConnector):
    """OTT as the switch sees it."""

    def __init__(self, provider_id: str, settings: OttSettings) -> None:
        self.capabilities = override_capabilities(CAPABILITIES, provider_id, settings.capabilities)
        self._settings = settings
        self._rules = rules_of(settings)
        hashes = dict.fromkeys((name.lower() for name in settings.hash_field.values()), Shown.HIDDEN)
        mask = FormMask({**wire_of(messages), **hashes})
        http = HttpTransport(provider_id, settings, mask, reuse=False)
        self._issuing = _Side(
            http, settings.issuing_path, settings.api_key, _headers(settings.api_user, settings.api_password)
        )
        if settings.redemption_base_url is not None:
            check_base_url(settings, provider_id, "redemption_base_url")
            http = HttpTransport(provider_id, settings, mask, base_url=settings.redemption_base_url, reuse=False)
        self._redemption = _Side(
            http,
            settings.redemption_path,
            settings.redeem_api_key or settings.api_key,
            _headers(
                settings.redeem_api_user or settings.api_user, settings.redeem_api_password or settings.api_password
            ),
        )

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        if refusal := refusal_of(order):
            return refusal
        settings = self._settings
        store = settings.store_code(order.store.merchant_id, order.store.terminal_id)
        if store is None or order.product != translate.PRODUCT:
            return UNROUTABLE
        parameters = translate.get_voucher(order, store, settings.vendor_code, send_sms=settings.send_sms)
        answer = await self._send(self._issuing, call, "provision", "GetVoucher", parameters, order)
        if isinstance(answer, HttpAnswer):
            return translate.from_provision(answer, order, self._rules)
        return failed(answer)

    async def retry(self, order: ProvisionOrder, call: Call) -> Outcome:
        """Ask what the first message did; a second one would sell a second voucher."""
        asked = StatusOrder(order.request_id, order.amount_cents, sent_ms_ago=order.settled_ms_ago)
        return refusal_of(order) or await self._status(asked, call, "retry")

    async def status(self, order: StatusOrder, call: Call) -> Outcome:
        return await self._status(order, call, "status")

    async def lookup(self, order: LookupOrder, call: Call) -> Outcome:
        code = order.voucher_code
        if code is None:
            return _NO_CODE
        if refusal := impossible_code(code, self._rules.pin_pattern):
            return refusal
        parameters = translate.check_voucher(code, self._settings.vendor_id)
        answer = await self._send(self._redemption, call, "lookup", "CheckVoucher", parameters, order)
        return translate.from_lookup(answer, order, self._rules) if isinstance(answer, HttpAnswer) else failed(answer)

    async def redeem(self, order: RedeemOrder, call: Call) -> Outcome:
        if refusal := refusal_of(order, cents_min=0) or impossible_code(order.voucher_code, self._rules.pin_pattern):
            return refusal
        settings = self._settings
        mobile = (order.msisdn or settings.default_mobile) if settings.send_mobile else ""
        parameters = translate.remit_voucher(order, settings.vendor_id, mobile)
        answer = await self._send(self._redemption, call, "redeem", "RemitVoucher", parameters, order)
        return translate.from_redeem(answer, order, self._rules) if isinstance(answer, HttpAnswer) else failed(answer)

    async def redeem_status(self, order: StatusOrder, call: Call) -> Outcome:
        parameters = translate.about(order.request_id)
        answer = await self._send(self._redemption, call, "redeemStatus", "CheckRemitVoucher", parameters, order)
        if isinstance(answer, HttpAnswer):
            return translate.from_redeem_status(answer, order, self._rules)
        return in_doubt(failed(answer))

    async def confirm(self, order: AdviceOrder, call: Call) -> AdviceResult:
        return await self._advise(order, call, "confirm", "ConfirmVoucher")

    async def reverse(self, order: AdviceOrder, call: Call) -> AdviceResult:
        return await self._advise(order, call, "reverse", "RejectVoucher")

    async def reverse_redeem(self, order: AdviceOrder, call: Call) -> AdviceResult:
        """Ask whether there is anything to reverse. Called only where the settings make the capability `emulated`."""
        parameters = translate.about(order.request_id)
        answer = await self._send(self._redemption, call, "reverseRedeem", "CheckRemitVoucher", parameters, order)
        if isinstance(answer, HttpAnswer):
            return translate.from_reversal_question(answer, order, self._rules)
        return failed_advice(answer)

    async def close(self) -> None:
        await self._issuing.http.close()
        await self._redemption.http.close()

    async def _status(self, order: StatusOrder, call: Call, operation: str) -> Outcome:
        parameters = translate.about(order.request_id)
        answer = await self._send(self._issuing, call, operation, "CheckVoucher", parameters, order)
        if isinstance(answer, HttpAnswer):
            return translate.from_status(answer, order, self._rules)
        return in_doubt(failed(answer))

    async def _advise(self, order: AdviceOrder, call: Call, operation: str, op: OpName) -> AdviceResult:
        answer = await self._send(self._issuing, call, operation, op, translate.about(order.request_id), order)
        if isinstance(answer, HttpAnswer):
            return translate.from_advice(answer, operation, order, self._rules)
        return failed_advice(answer)

    async def _send(
        self, side: _Side, call: Call, operation: str, op: OpName, parameters: Mapping[str, str], order: Order
    ) -> HttpResult:
        hash_name = self._settings.hash_field.get(op, HASH)
        return await side.http.send(
            call,
            operation,
            "POST",
            f"{side.path}/{op}",
            headers=side.headers,
            body=signed_form(parameters, side.api_key, hash_name),
            secrets=hidden_of(order),
        )


def connect(provider_id: str, settings: Mapping[str, object]) -> Connector:
    """Build the connector from a provider's settings.

    Raises:
        ProviderSettingsError: one line that names the key and what to set.
    """
    return OttConnector(provider_id, ott_settings(provider_id, settings))


def _headers(user: str, password: str) -> Mapping[str, str]:
    return {"Authorization": basic(user, password), "Content-Type": FORM_TYPE}
