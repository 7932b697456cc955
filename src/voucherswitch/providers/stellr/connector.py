"""Stellr's connector (Proposed): which message serves which operation. What the messages mean is in translate.py.

Stellr takes no advices, no retries and no questions about earlier requests, so there is no message for them here: the
capability record consumes or declines them, and what stays in doubt is settled by the daily file.
"""

import time
from collections.abc import Mapping
from typing import Final
from uuid import uuid4

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.marks import wire_of
from voucherswitch.message.orders import LookupOrder, Order, ProviderProduct, ProvisionOrder, RedeemOrder
from voucherswitch.message.outcomes import Declined, Outcome, OutcomeUnknown
from voucherswitch.message.parties import Store
from voucherswitch.providers.contract.answers import (
    UNROUTABLE,
    failed,
    impossible_code,
    refusal_of,
    rules_of,
    secrets_of,
)
from voucherswitch.providers.contract.base import BaseConnector
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.providers.contract.settings import override_capabilities, read_settings
from voucherswitch.providers.contract.transport.http import HttpAnswer, HttpResult, HttpTransport
from voucherswitch.providers.contract.transport.results import NoAnswer
from voucherswitch.providers.contract.transport.xml import UNWRITABLE, Unwritable
from voucherswitch.providers.contract.transport.xml_masking import XmlMask
from voucherswitch.providers.stellr import messages, translate
from voucherswitch.providers.stellr.capabilities import CAPABILITIES
from voucherswitch.providers.stellr.settings import StellrSettings

_HEADERS: Final = {"Content-Type": "application/xml; charset=UTF-8"}


class StellrMask(XmlMask):
    """The mask of XML, and beyond it what is a PIN only here: one of letters alone."""

    def __call__(self, body: bytes, content_type: str | None) -> str:
        return translate.without_pins(super().__call__(body, content_type))


class StellrConnector(BaseConnector):
    """Stellr as the switch sees it."""

    def __init__(self, provider_id: str, settings: StellrSettings) -> None:
        self.capabilities = override_capabilities(CAPABILITIES, provider_id, settings.capabilities)
        self._settings = settings
        self._rules = rules_of(settings)
        self._auth = messages.auth(settings.terminal_id, settings.channel_id, settings.password)
        self._http = HttpTransport(provider_id, settings, StellrMask(wire_of(messages)))

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        if refusal := refusal_of(order):
            return refusal
        store = self._store(order.store)
        if store is None or not order.product:
            return UNROUTABLE
        try:
            body = translate.purchase_body(order, self._head(order.request_id), store)
        except Unwritable:
            return UNWRITABLE
        answer = await self._post(call, "provision", body, secrets_of(order))
        return translate.from_purchase(answer, order, self._rules) if isinstance(answer, HttpAnswer) else failed(answer)

    async def lookup(self, order: LookupOrder, call: Call) -> Outcome:
        code = order.voucher_code
        if code is not None and (refusal := self._impossible(code)):
            return refusal
        request_id = str(uuid4())
        try:
            body = translate.enquiry_body(order, self._head(request_id))
        except Unwritable:
            return UNWRITABLE
        if body is None:
            return Declined(ErrorType.FUNCTION_NOT_SUPPORTED)
        answer = await self._post(call, "lookup", body, _secrets(order))
        if isinstance(answer, HttpAnswer):
            return translate.from_enquiry(answer, order, request_id, self._rules)
        return failed(answer)

    async def redeem(self, order: RedeemOrder, call: Call) -> Outcome:
        # "All there is" is no amount here: a redemption names the voucher's full value.
        refusal = refusal_of(order) or translate.link_refusal(order) or self._impossible(order.voucher_code)
        if refusal:
            return refusal
        store = self._store(order.store)
        if store is None:
            return UNROUTABLE
        try:
            body = translate.redeem_body(order, self._head(order.request_id), store)
        except Unwritable:
            return UNWRITABLE
        answer = await self._post(call, "redeem", body, _secrets(order))
        return translate.from_redeem(answer, order, self._rules) if isinstance(answer, HttpAnswer) else failed(answer)

    async def products(self, call: Call) -> tuple[ProviderProduct, ...] | OutcomeUnknown:
        request_id = str(uuid4())
        answer = await self._post(call, "products", translate.products_body(self._head(request_id)))
        if isinstance(answer, HttpAnswer):
            return translate.from_products(answer, request_id, self._rules)
        return OutcomeUnknown(alert=answer.alert if isinstance(answer, NoAnswer) else None)

    async def close(self) -> None:
        await self._http.close()

    async def _post(self, call: Call, operation: str, body: bytes, secrets: tuple[str, ...] = ()) -> HttpResult:
        return await self._http.send(
            call, operation, "POST", self._settings.path, headers=_HEADERS, body=body, secrets=secrets
        )

    def _head(self, request_id: str) -> messages.Head:
        return messages.Head(self._auth, request_id, translate.time_text(time.time()))

    def _impossible(self, code: str) -> Declined | None:
        return impossible_code(translate.pin_text(code), self._rules.pin_pattern)

    def _store(self, store: Store) -> str | None:
        return self._settings.store_code(store.merchant_id, store.terminal_id)


def connect(provider_id: str, settings: Mapping[str, object]) -> Connector:
    """Build the connector from a provider's settings.

    Raises:
        ProviderSettingsError: one line that names the key and what to set.
    """
    return StellrConnector(provider_id, read_settings(StellrSettings, provider_id, settings))


def _secrets(order: Order) -> tuple[str, ...]:
    """The order's code as it came and as it is sent."""
    found = secrets_of(order)
    return (*found, *(translate.pin_text(secret) for secret in found))
