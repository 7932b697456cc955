"""Netcare's connector (Proposed): which message serves which operation. What the messages mean is in translate.py.

A sale is sent only with its tender and at the catalogue's price, and once: Netcare takes no retries and no questions
about earlier requests. What stays in doubt is cancelled by our own reference.
"""

import os
import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.marks import wire_of
from voucherswitch.message.orders import AdviceOrder, LookupOrder, ProviderProduct, ProvisionOrder
from voucherswitch.message.outcomes import AdviceResult, Declined, NotSent, Outcome, OutcomeUnknown, Pending
from voucherswitch.providers.contract.answers import UNROUTABLE, failed, failed_advice, refusal_of, rules_of, secrets_of
from voucherswitch.providers.contract.base import BaseConnector
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.providers.contract.settings import override_capabilities, read_settings
from voucherswitch.providers.contract.transport.http import HttpAnswer, HttpResult, HttpTransport
from voucherswitch.providers.contract.transport.soap import NONCE_BYTES, Service, SoapTransport
from voucherswitch.providers.contract.transport.xml import UNWRITABLE, UNWRITABLE_ADVICE, Markup, Unwritable
from voucherswitch.providers.contract.transport.xml_masking import XmlMask
from voucherswitch.providers.netcare import messages, translate
from voucherswitch.providers.netcare.capabilities import CAPABILITIES
from voucherswitch.providers.netcare.errors import PRICE_DIFFERS, TABLE, UNKNOWN_SERVICE
from voucherswitch.providers.netcare.prices import Asked, PriceList
from voucherswitch.providers.netcare.settings import NetcareSettings

_NO_VOUCHER: Final = Pending("not sent: the voucher's number or reference is not known")


class NetcareMask(XmlMask):
    """The mask of XML, and beyond it what is a voucher number only here: one of letters alone."""

    def __call__(self, body: bytes, content_type: str | None) -> str:
        return translate.without_numbers(super().__call__(body, content_type))


class NetcareConnector(BaseConnector):
    """Netcare as the switch sees it. It keeps the price list between calls, and nothing else.

    Args:
        now: seconds since the epoch; every message says when it was made.
        ticks: seconds that only go forward, for the age of the price list.
    """

    def __init__(
        self,
        provider_id: str,
        settings: NetcareSettings,
        now: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.capabilities = override_capabilities(CAPABILITIES, provider_id, settings.capabilities)
        self._settings = settings
        self._rules = rules_of(settings)
        self._now = now
        # In a fault `Code` is a word of the protocol; everywhere else it is a voucher.
        mask = NetcareMask(wire_of(messages), TABLE.keys() | settings.code_map.keys())
        self._http = HttpTransport(provider_id, settings, mask)
        service = Service(settings.path, messages.NAMESPACE, messages.PREFIX)
        self._soap = SoapTransport(self._http, service, settings.username, settings.password)
        self._prices = PriceList(self._catalogue, ticks)

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        if refusal := refusal_of(order) or translate.tender_refusal(order):
            return refusal
        site = self._settings.store_code(order.store.merchant_id, order.store.terminal_id)
        if site is None or not order.product:
            return UNROUTABLE
        call = self._bounded(call)
        catalogue = await self._prices.current(call)
        if isinstance(catalogue, NotSent):
            return catalogue
        if differs := translate.price_refusal(order, catalogue):
            return differs
        try:
            answer = await self._send(call, "provision", messages.ISSUE, translate.issue_body(order, site))
        except Unwritable:
            return UNWRITABLE
        if not isinstance(answer, HttpAnswer):
            return failed(answer)
        outcome = translate.from_issue(answer, order, self._rules)
        if isinstance(outcome, Declined | NotSent) and outcome.provider_code in (PRICE_DIFFERS, UNKNOWN_SERVICE):
            self._prices.forget()
        return outcome

    async def lookup(self, order: LookupOrder, call: Call) -> Outcome:
        number = order.voucher_code
        if number is None:  # Netcare finds a voucher by nothing but its number
            return Declined(ErrorType.FUNCTION_NOT_SUPPORTED)
        if not translate.is_number(number, self._rules.pin_pattern):
            return Declined(ErrorType.INVALID_VOUCHER)
        body = messages.get_voucher_by_number(number)
        answer = await self._send(call, "lookup", messages.BY_NUMBER, body, secrets_of(order))
        if isinstance(answer, HttpAnswer):
            return translate.from_lookup(answer, number, order, self._rules)
        return failed(answer)

    async def confirm(self, order: AdviceOrder, call: Call) -> AdviceResult:
        body = translate.confirm_body(order)
        if body is None:
            return _NO_VOUCHER
        return await self._advise(order, call, "confirm", messages.CONFIRM, body)

    async def reverse(self, order: AdviceOrder, call: Call) -> AdviceResult:
        return await self._advise(order, call, "reverse", messages.CANCEL, translate.cancel_body(order))

    async def products(self, call: Call) -> tuple[ProviderProduct, ...] | OutcomeUnknown:
        found = await self._prices.ask(call)
        match found:
            case OutcomeUnknown():
                return found
            case Declined() | NotSent():
                alert = found.alert if isinstance(found, NotSent) else None
                return OutcomeUnknown(found.error_type, found.provider_code, found.provider_message, alert)
        return translate.products_of(found)

    async def close(self) -> None:
        await self._http.close()

    async def _advise(self, order: AdviceOrder, call: Call, operation: str, action: str, body: Markup) -> AdviceResult:
        try:
            answer = await self._send(call, operation, action, body, secrets_of(order))
        except Unwritable:
            return UNWRITABLE_ADVICE
        if not isinstance(answer, HttpAnswer):
            return failed_advice(answer)
        read = translate.from_confirm if action == messages.CONFIRM else translate.from_cancel
        return read(answer, order, self._rules)

    async def _catalogue(self, call: Call) -> Asked:
        answer = await self._send(call, "products", messages.CATALOGUE, messages.get_catalogue())
        return translate.from_catalogue(answer, self._rules) if isinstance(answer, HttpAnswer) else failed(answer)

    async def _send(
        self, call: Call, operation: str, action: str, body: Markup, secrets: tuple[str, ...] = ()
    ) -> HttpResult:
        """One message with a nonce of its own, which no other message ever has."""
        nonce = os.urandom(NONCE_BYTES)
        return await self._soap.send(call, operation, action, body, nonce=nonce, now=self._now(), secrets=secrets)

    def _bounded(self, call: Call) -> Call:
        """The same call with one budget for all of its messages."""
        deadline = min(call.deadline, time.monotonic() + self._settings.total_timeout_ms / 1000)
        return msgspec.structs.replace(call, deadline=deadline)


def connect(provider_id: str, settings: Mapping[str, object]) -> Connector:
    """Build the connector from a provider's settings.

    Raises:
        ProviderSettingsError: one line that names the key and what to set.
    """
    return NetcareConnector(provider_id, read_settings(NetcareSettings, provider_id, settings))
