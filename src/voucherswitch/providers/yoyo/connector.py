"""Yoyo's connector: which call serves which operation. What the messages mean is in translate.py and translate_pos.py.

An issue is sent once and never again, because Yoyo issues another item each time: a retry searches the history of
issues. A redemption that took less than was asked for is reversed before it is declined.
"""

import time
import uuid
from collections.abc import Mapping
from typing import Final

import msgspec

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.marks import wire_of
from voucherswitch.message.orders import (
    AdviceOrder,
    LookupOrder,
    ProviderProduct,
    ProvisionOrder,
    RedeemOrder,
    StatusOrder,
)
from voucherswitch.message.outcomes import (
    Acknowledged,
    AdviceResult,
    Approved,
    Declined,
    NotSent,
    Outcome,
    OutcomeUnknown,
    Pending,
    Refused,
)
from voucherswitch.message.parties import Store
from voucherswitch.providers.contract.answers import (
    UNROUTABLE,
    failed,
    failed_advice,
    impossible_code,
    in_doubt,
    not_found,
    refusal_of,
    rules_of,
)
from voucherswitch.providers.contract.base import BaseConnector
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.providers.contract.families import AdviceMeaning, Effect
from voucherswitch.providers.contract.settings import check_base_url, override_capabilities, read_settings
from voucherswitch.providers.contract.transport.http import HttpAnswer, HttpTransport
from voucherswitch.providers.contract.transport.masking import JsonMask
from voucherswitch.providers.yoyo import messages, translate, translate_pos
from voucherswitch.providers.yoyo.capabilities import capabilities
from voucherswitch.providers.yoyo.errors import Told, by_number
from voucherswitch.providers.yoyo.issuing import Issuing
from voucherswitch.providers.yoyo.messages import StoreTrxDetails
from voucherswitch.providers.yoyo.point_of_sale import PointOfSale
from voucherswitch.providers.yoyo.products import CampaignRef, CampaignValues, Kind, campaign_of
from voucherswitch.providers.yoyo.settings import YoyoSettings
from voucherswitch.providers.yoyo.signing import password_header
from voucherswitch.providers.yoyo.translate_lists import Found, Nothing
from voucherswitch.providers.yoyo.translate_pos import Booked, Partial, Recorded, Redeemed, Unrecorded

API_VERSION: Final = "1.14"
BALANCE_WAIT_S: Final = 2.0  # an approval does not wait longer to hear what is left on the card
LOOKUP_TERMINAL: Final = "SWITCH"  # a lookup comes from no till

_NOT_ASKABLE: Final = OutcomeUnknown(ErrorType.FUNCTION_NOT_SUPPORTED)
_NO_CUSTOMER: Final = NotSent(ErrorType.ROUTING_ERROR, provider_message="the sale has no customer's number")
_SETTLED_IS_DONE: Final = AdviceMeaning(Effect.DONE_ONCE_SETTLED)


class YoyoConnector(BaseConnector):
    """Yoyo as the switch sees it. Between calls it keeps what coupon campaigns were last seen to be worth."""

    def __init__(self, provider_id: str, settings: YoyoSettings) -> None:
        self.capabilities = override_capabilities(capabilities(settings), provider_id, settings.capabilities)
        self._settings = settings
        rules = rules_of(settings)
        self._rules = msgspec.structs.replace(rules, code_map=by_number(rules.code_map))
        self._total_s = settings.total_timeout_ms / 1000
        stores = {*settings.outlet_map.values(), settings.default_outlet} - {None, ""}
        self._one_store = len(stores) == 1
        self._by_customer = settings.user_ref_mode == "customer"
        self._campaigns = CampaignValues()
        mask = JsonMask(wire_of(messages))
        issuer = {"apiId": settings.api_id, "apiPassword": settings.api_password}
        self._cvs = Issuing(HttpTransport(provider_id, settings, mask, issuer), settings.cvs_path)
        till = {
            "id": settings.pos_id,
            "password": password_header(settings.pos_password),
            "apiClientVersion": API_VERSION,
            "apiServerVersion": API_VERSION,
        }
        self._pos = PointOfSale(
            HttpTransport(provider_id, settings, mask, till, base_url=settings.pos_base_url),
            HttpTransport(provider_id, settings, mask, till, base_url=settings.pos_base_url, reuse=False),
            settings.pos_path,
            self._rules,
        )

    # Issuing

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        if refusal := refusal_of(order):
            return refusal
        campaign = campaign_of(order.product)
        if campaign is None or self._store(order.store) is None:
            return UNROUTABLE
        if self._by_customer and not order.msisdn:
            return _NO_CUSTOMER
        user_ref = order.msisdn if self._by_customer and order.msisdn else translate.user_ref_of(order.request_id)
        coupon = campaign.kind is Kind.COUPON
        if coupon and not self._campaigns.allows(campaign.campaign_id, order.amount_cents, time.monotonic()):
            return Declined(ErrorType.INVALID_AMOUNT, provider_message="the coupon has another value")
        answer = await self._cvs.issue(call, campaign.kind, translate.issue_body(order, campaign, user_ref))
        if not isinstance(answer, HttpAnswer):
            return failed(answer)
        if coupon and (cents := translate.coupon_value(answer)) is not None:
            self._campaigns.note(campaign.campaign_id, cents, time.monotonic())
        return translate.from_issue(answer, order, campaign, user_ref, self._rules)

    async def retry(self, order: ProvisionOrder, call: Call) -> Outcome:
        """Search for what the first message issued; nothing is ever issued here."""
        asked = StatusOrder(
            request_id=order.request_id,
            amount_cents=order.amount_cents,
            sent_ms_ago=order.settled_ms_ago,
            product=order.product,
        )
        outcome = await self._ask(asked, call, "retry")
        # As the first answer would have been: only lookups and statuses tell the item's state.
        return msgspec.structs.replace(outcome, voucher_state=None) if isinstance(outcome, Approved) else outcome

    async def status(self, order: StatusOrder, call: Call) -> Outcome:
        return await self._ask(order, call, "status")

    async def _ask(self, order: StatusOrder, call: Call, operation: str) -> Outcome:
        campaign = campaign_of(order.product)
        if campaign is None:
            return in_doubt(UNROUTABLE)
        if self._by_customer or (campaign.kind is Kind.COUPON and not self._settings.coupon_get):
            return _NOT_ASKABLE
        call = self._bounded(call)
        match await self._cvs.search(call, operation, order.request_id, campaign):
            case Found(item_id):
                answer = await self._cvs.item(call, operation, order, campaign.kind, item_id)
                if isinstance(answer, HttpAnswer):
                    return translate.from_item(answer, order, campaign, item_id, self._rules)
                return in_doubt(failed(answer))
            case Nothing(what):
                code = None if what.code is None else str(what.code)
                return not_found(order, self._rules.settle_ms, code, what.text)
            case OutcomeUnknown() as doubt:
                return doubt

    async def reverse(self, order: AdviceOrder, call: Call) -> AdviceResult:
        """Expire the item: the one that the approval named, or the one that the history has for the request."""
        named = translate.issued_item(order.refs)
        campaign = campaign_of(order.product)
        kind = named[0] if named else (campaign.kind if campaign else None)
        if kind is None:
            return Pending(cause="neither the approval nor the product names a campaign")
        deletes = kind is Kind.GIFT_CARD or self._settings.coupon_delete
        call = self._bounded(call)
        if named is None:
            if campaign is None or self._by_customer:
                return Refused(provider_message="the sale cannot be found by its customer")
            found = await self._search_for(order, call, campaign)
            if not isinstance(found, Found):
                return found
            item_id = found.item_id
        else:
            item_id = named[1]
        if not deletes:
            # Acknowledging it would say that nobody can use it. Refused is listed as money at risk.
            return Refused(provider_message="a coupon cannot be expired here")
        answer = await self._cvs.delete(call, order, kind, item_id)
        return (
            translate.from_delete(answer, order, self._rules)
            if isinstance(answer, HttpAnswer)
            else failed_advice(answer)
        )

    async def _search_for(self, order: AdviceOrder, call: Call, campaign: CampaignRef) -> Found | AdviceResult:
        match await self._cvs.search(call, "reverse", order.request_id, campaign):
            case Found() as found:
                return found
            case Nothing(what):
                code = None if what.code is None else str(what.code)
                return _SETTLED_IS_DONE.result(order, self._rules.settle_ms, code, what.text)
            case OutcomeUnknown() as doubt:
                return Pending(cause=doubt.provider_message or "the search was not answered", alert=doubt.alert)

    async def products(self, call: Call) -> tuple[ProviderProduct, ...] | OutcomeUnknown:
        call = self._bounded(call)
        found: list[ProviderProduct] = []
        for kind in Kind:
            listed = await self._cvs.campaigns(call, kind)
            if isinstance(listed, OutcomeUnknown):
                return listed
            found += listed
        for product in found:
            campaign = campaign_of(product.product)
            if campaign is not None and campaign.kind is Kind.COUPON and product.amount_cents is not None:
                self._campaigns.note(campaign.campaign_id, product.amount_cents, time.monotonic())
        return tuple(found)

    # The point of sale

    async def lookup(self, order: LookupOrder, call: Call) -> Outcome:
        if order.voucher_code is None:
            return Declined(ErrorType.FUNCTION_NOT_SUPPORTED, provider_message="only a code can be looked up")
        if refusal := impossible_code(order.voucher_code, self._rules.pin_pattern):
            return refusal
        store_id = self._settings.default_outlet
        if store_id is None:
            return UNROUTABLE
        details = translate_pos.details_of(str(uuid.uuid4()), store_id, Store("", LOOKUP_TERMINAL))
        answer = await self._pos.token_info(call, order, details)
        return (
            translate_pos.from_token_info(answer, order, self._rules)
            if isinstance(answer, HttpAnswer)
            else failed(answer)
        )

    async def redeem(self, order: RedeemOrder, call: Call) -> Outcome:
        if refusal := refusal_of(order) or impossible_code(order.voucher_code, self._rules.pin_pattern):
            return refusal
        store_id = self._store(order.store)
        if store_id is None:
            return UNROUTABLE
        details = translate_pos.details_of(order.request_id, store_id, order.store)
        outcome = await self._redeem(order, details, self._bounded(call))
        if isinstance(outcome, OutcomeUnknown):
            # Without its wiTrxId, also where that was told: whoever ends a doubt must ask the history first.
            return msgspec.structs.replace(outcome, refs=translate_pos.sent_refs(details))
        return outcome

    async def _redeem(self, order: RedeemOrder, details: StoreTrxDetails, call: Call) -> Outcome:
        answer = await self._pos.transaction(call, order, details)
        if not isinstance(answer, HttpAnswer):
            return failed(answer)
        match translate_pos.from_transaction(
            answer, order, details, self._rules, allow_partial=self._settings.allow_partial
        ):
            case Redeemed(approved, item_id):
                if item_id is None or not self._settings.ask_balance:
                    return approved
                balance_cents = await self._balance(call, order, item_id, approved.approved_cents)
                return translate_pos.with_balance(approved, balance_cents)
            case Partial(wi_trx_id):
                return await self._undo(order, Booked(wi_trx_id, details), call)
            case outcome:
                return outcome

    async def _undo(self, order: RedeemOrder, redemption: Booked, call: Call) -> Outcome:
        """Give back what was taken, and only then decline: the customer must not lose it to a sale that failed."""
        advice = AdviceOrder(advice_id="", request_id=order.request_id)
        result = await self._pos.advise(call, "redeem", advice, Told.REVERSE, redemption, just_named=True)
        if isinstance(result, Acknowledged):
            return Declined(ErrorType.INSUFFICIENT_FUNDS, provider_message=translate_pos.ONLY_A_PART)
        # The part is still taken: whoever resolves this doubt finds it in the history, and reverses it.
        alert = result.alert if isinstance(result, Pending | Refused) else None
        return OutcomeUnknown(ErrorType.VOUCHER_STATUS_UNKNOWN, None, translate_pos.ONLY_A_PART, alert)

    async def _balance(self, call: Call, order: RedeemOrder, item_id: int, taken_cents: int) -> int | None:
        """What is left on a gift card, if that can be heard soon; the redemption stands either way."""
        soon = Call(call.trace, min(call.deadline, time.monotonic() + BALANCE_WAIT_S), call.advice_id)
        answer = await self._cvs.item(soon, "redeem", order, Kind.GIFT_CARD, item_id)
        if not isinstance(answer, HttpAnswer):
            return None
        return translate.balance_of(answer, item_id, order.voucher_code, taken_cents)

    async def redeem_status(self, order: StatusOrder, call: Call) -> Outcome:
        found = await self._history(order, call, "redeemStatus")
        if found is None:
            return in_doubt(UNROUTABLE)
        return translate_pos.from_redeem_status(found, order, self._rules, allow_partial=self._settings.allow_partial)

    async def confirm_redeem(self, order: AdviceOrder, call: Call) -> AdviceResult:
        return await self._tell(order, Told.FINALISE, call, "confirmRedeem")

    async def reverse_redeem(self, order: AdviceOrder, call: Call) -> AdviceResult:
        return await self._tell(order, Told.REVERSE, call, "reverseRedeem")

    async def _tell(self, order: AdviceOrder, told: Told, call: Call, operation: str) -> AdviceResult:
        call = self._bounded(call)
        if (approved := translate_pos.booked(order.refs, order.store)) is not None:
            return await self._pos.advise(call, operation, order, told, approved)
        found = await self._history(order, call, operation)
        if found is None:
            no_store = "the redemption does not tell its store: its sealed request did not open"
            no_outlet = "no outlet is configured for the redemption's store"
            return Pending(cause=no_store if order.store is None else no_outlet)
        result = translate_pos.from_history_to_advice(found, order, told, self._rules)
        if result is not None:
            return result
        if not isinstance(found, Recorded):
            return Pending(cause="the history names no redemption")
        named = Booked(found.wi_trx_id, found.details)
        return await self._pos.advise(call, operation, order, told, named, just_named=True)

    async def _history(
        self, order: StatusOrder | AdviceOrder, call: Call, operation: str
    ) -> Recorded | Unrecorded | OutcomeUnknown | None:
        """What became of a redemption, asked for the store that was sent; None: no store is known.

        A worker that died left no word of that store, and the settings may have changed: then it is asked for today's,
        where "not found" proves something only if there has never been a choice.
        """
        details = translate_pos.sent(order.refs, order.store)
        if details is not None:
            return await self._pos.history(call, operation, order, details)
        details = self._details(order.request_id, order.store)
        if details is None:
            return None
        found = await self._pos.history(call, operation, order, details)
        return found if self._one_store else translate_pos.unless_elsewhere(found)

    async def close(self) -> None:
        await self._cvs.close()
        await self._pos.close()

    def _bounded(self, call: Call) -> Call:
        """An operation of several exchanges has the time of one."""
        return Call(call.trace, min(call.deadline, time.monotonic() + self._total_s), call.advice_id)

    def _details(self, request_id: str, store: Store | None) -> StoreTrxDetails | None:
        store_id = None if store is None else self._store(store)
        if store is None or store_id is None:
            return None
        return translate_pos.details_of(request_id, store_id, store)

    def _store(self, store: Store) -> str | None:
        return self._settings.store_code(store.merchant_id, store.terminal_id)


def connect(provider_id: str, settings: Mapping[str, object]) -> Connector:
    """Build the connector from a provider's settings.

    Raises:
        ProviderSettingsError: one line that names the key and what to set.
    """
    typed = read_settings(YoyoSettings, provider_id, settings)
    if typed.pos_base_url is not None:
        check_base_url(typed, provider_id, "pos_base_url")
    return YoyoConnector(provider_id, typed)
