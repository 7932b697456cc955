"""The connector of Blu Voucher in mode trade: REST (providers.md 8.6). What the messages mean is in trade_translate.py.

A sale is sent once: that a repeated requestId brings the first answer is not proven, so `requestid_replay` must say so
before one is resent. A PIN in an address is shown to nobody.
"""

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Final
from urllib.parse import quote

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.marks import wire_of
from voucherswitch.message.orders import LookupOrder, ProvisionOrder, RedeemOrder
from voucherswitch.message.outcomes import Declined, Outcome, OutcomeUnknown
from voucherswitch.providers.bluvoucher import trade_messages, trade_translate
from voucherswitch.providers.bluvoucher.capabilities import capabilities
from voucherswitch.providers.bluvoucher.errors import TRADE_CODES, mapped_trade_codes
from voucherswitch.providers.bluvoucher.settings import BluVoucherSettings
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
from voucherswitch.providers.contract.connector import Call
from voucherswitch.providers.contract.provider_time import SAST
from voucherswitch.providers.contract.settings import override_capabilities
from voucherswitch.providers.contract.transport.http import HttpAnswer, HttpTransport
from voucherswitch.providers.contract.transport.masking import JsonMask

_JSON: Final = {"Content-Type": "application/json"}
_NOT_BY_CODE: Final = Declined(ErrorType.FUNCTION_NOT_SUPPORTED)


class TradeConnector(BaseConnector):
    """Blu Voucher over the trade API as the switch sees it.

    Args:
        now: the time that a sale is stamped with.
    """

    def __init__(
        self, provider_id: str, settings: BluVoucherSettings, now: Callable[[], datetime] = lambda: datetime.now(SAST)
    ) -> None:
        self.capabilities = override_capabilities(capabilities(settings), provider_id, settings.capabilities)
        self._settings = settings
        self._path = settings.trade_path
        self._rules = rules_of(settings)
        self._now = now
        user = f"{settings.api_user}:{settings.api_password}".encode()
        headers = {
            "apikey": settings.api_key or "",
            "Authorization": f"Basic {base64.b64encode(user).decode()}",
        }
        if settings.vend_channel is not None:
            headers["Trade-Vend-Channel"] = settings.vend_channel
        self._http = HttpTransport(
            provider_id,
            settings.over_http(),
            # In an error `code` is a word of the protocol; everywhere else it is the voucher.
            JsonMask(wire_of(trade_messages), TRADE_CODES | mapped_trade_codes(self._rules.code_map)),
            headers,
            # Few answers say whose they are: on a kept connection a surplus one would be taken for that of the next.
            reuse=False,
        )

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        if refusal := refusal_of(order):
            return refusal
        return await self._sell(order, call, "provision")

    async def retry(self, order: ProvisionOrder, call: Call) -> Outcome:
        """The same requestId again, where it is known to bring the first answer."""
        if not self._settings.requestid_replay:
            return OutcomeUnknown(ErrorType.FUNCTION_NOT_SUPPORTED)
        if refusal := refusal_of(order):
            return refusal
        return in_doubt(await self._sell(order, call, "retry"))

    async def lookup(self, order: LookupOrder, call: Call) -> Outcome:
        code = order.voucher_code
        if not self._settings.trade_lookup or code is None:
            return _NOT_BY_CODE
        if refusal := impossible_code(code, self._rules.pin_pattern):
            return refusal
        path = f"{self._path}/voucher/variable/vouchers?token="
        answer = await self._http.send(
            call, "lookup", "GET", path + quote(code, safe=""), shown_path=f"{path}***", secrets=(code,)
        )
        if not isinstance(answer, HttpAnswer):
            return failed(answer)
        in_rand = self._settings.trade_lookup_unit == "rand"
        return trade_translate.from_lookup(answer, order, self._rules, in_rand=in_rand)

    async def redeem(self, order: RedeemOrder, call: Call) -> Outcome:
        refusal = refusal_of(order, cents_min=0) or impossible_code(order.voucher_code, self._rules.pin_pattern)
        if refusal is not None:
            return refusal
        answer = await self._http.send(
            call,
            "redeem",
            "POST",
            f"{self._path}/voucher/variable/redemptions",
            headers=_JSON,
            body=trade_translate.redemption_body(order),
            secrets=secrets_of(order),
        )
        if isinstance(answer, HttpAnswer):
            return trade_translate.from_redemption(answer, order, self._rules)
        return failed(answer)

    async def close(self) -> None:
        await self._http.close()

    async def _sell(self, order: ProvisionOrder, call: Call, operation: str) -> Outcome:
        store = self._settings.store_code(order.store.merchant_id, order.store.terminal_id)
        if store is None or not order.product:
            return UNROUTABLE
        answer = await self._http.send(
            call,
            operation,
            "POST",
            f"{self._path}/voucher/variable/sales",
            headers=_JSON,
            body=trade_translate.sale_body(order, store, self._now()),
        )
        if isinstance(answer, HttpAnswer):
            return trade_translate.from_sale(answer, order, self._rules)
        return failed(answer)
