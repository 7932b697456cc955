"""The exchanges of Yoyo's point-of-sale API (wiCode platform). What the answers mean is in translate_pos.py."""

from typing import Final

from voucherswitch.message.orders import AdviceOrder, LookupOrder, Order, RedeemOrder, StatusOrder
from voucherswitch.message.outcomes import AdviceResult, OutcomeUnknown
from voucherswitch.providers.contract.answers import Rules, failed_advice, hidden_of
from voucherswitch.providers.contract.connector import Call
from voucherswitch.providers.contract.transport.http import HttpAnswer, HttpResult, HttpTransport
from voucherswitch.providers.contract.transport.results import NoAnswer
from voucherswitch.providers.yoyo import translate_pos
from voucherswitch.providers.yoyo.errors import Told
from voucherswitch.providers.yoyo.messages import StoreTrxDetails
from voucherswitch.providers.yoyo.translate_pos import Booked, Recorded, Unrecorded

_JSON: Final = {"Content-Type": "application/json"}


class PointOfSale:
    """The point-of-sale API.

    Args:
        http: for questions, whose answers name what they are about.
        apart: for redemptions and advices, whose answers do not: no connection of it is used twice.
    """

    def __init__(self, http: HttpTransport, apart: HttpTransport, path: str, rules: Rules) -> None:
        self._http = http
        self._apart = apart
        self._path = path
        self._rules = rules

    async def close(self) -> None:
        await self._http.close()
        await self._apart.close()

    async def token_info(self, call: Call, order: LookupOrder, details: StoreTrxDetails) -> HttpResult:
        body = translate_pos.token_info_body(order, details)
        return await self._post(self._http, call, "lookup", "/token-info", body, order)

    async def transaction(self, call: Call, order: RedeemOrder, details: StoreTrxDetails) -> HttpResult:
        """Redeem: once per request, because Yoyo redeems again each time."""
        body = translate_pos.transaction_body(order, details)
        return await self._post(self._apart, call, "redeem", "/transaction", body, order)

    async def advise(
        self,
        call: Call,
        operation: str,
        order: AdviceOrder,
        told: Told,
        redemption: Booked,
        *,
        just_named: bool = False,
    ) -> AdviceResult:
        """Finalise or reverse a redemption. `just_named`: the provider named it in this very operation."""
        body = translate_pos.advise_body(told, redemption.wi_trx_id, redemption.details)
        answer = await self._post(self._apart, call, operation, "/advise", body, order)
        if isinstance(answer, HttpAnswer):
            return translate_pos.from_advise(answer, order, told, self._rules, just_named=just_named)
        return failed_advice(answer)

    async def history(
        self, call: Call, operation: str, order: StatusOrder | AdviceOrder, details: StoreTrxDetails
    ) -> Recorded | Unrecorded | OutcomeUnknown:
        """What became of a redemption. A question that fails says nothing of it."""
        body = translate_pos.history_body(details.trx_id, details.store_id)
        answer = await self._post(self._http, call, operation, "/transaction-history/v2", body, order)
        if isinstance(answer, HttpAnswer):
            return translate_pos.from_history(answer, details.trx_id, hidden_of(order))
        alert = answer.alert if isinstance(answer, NoAnswer) else None
        return OutcomeUnknown(provider_message=answer.told, alert=alert)

    async def _post(
        self, http: HttpTransport, call: Call, operation: str, path: str, body: bytes, order: Order
    ) -> HttpResult:
        return await http.send(
            call, operation, "POST", self._path + path, headers=_JSON, body=body, secrets=hidden_of(order)
        )
