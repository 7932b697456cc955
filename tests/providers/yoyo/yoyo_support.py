"""What Yoyo's tests share: the pair's shortcuts, raw requests to both APIs, and the samples of the specification."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from providers.pair_support import Pair
from providers.provider_support import A1, R1, R2, STORE, RawAnswer, http
from voucherswitch.message.codes import ReversalReason
from voucherswitch.message.orders import AdviceOrder, LookupOrder, ProvisionOrder, RedeemOrder, StatusOrder
from voucherswitch.message.outcomes import Approved
from voucherswitch.message.parties import Voucher
from voucherswitch.providers.contract.answers import Rules
from voucherswitch.providers.contract.kit import Reachable
from voucherswitch.providers.yoyo.simulator import CREDENTIALS

CODE = "410020030040"
RULES = Rules(re.compile(r"[0-9]{7,16}"), {}, settle_ms=30_000)

CVS_HEADERS = {"apiId": "sim-api", "apiPassword": "example-cvs-password"}
POS_HEADERS = {
    "id": "sim-pos",
    "password": "993ac0c2948b58bc53c86204e2d0a64e204c097b",
    "apiClientVersion": "1.14",
    "apiServerVersion": "1.14",
}
JSON = {"Content-Type": "application/json"}

# The samples of providers.md 7.3, byte for byte.
ISSUE_BODY = b'{"campaignId":3001,"balance":10000,"userRef":"vsw-5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13","sendSMS":false}'
ISSUE_ANSWER = (
    b'{"responseCode":"-1","responseDesc":"Success","giftcard":{"id":900145,"campaignId":3001,'
    b'"userRef":"vsw-5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13","issuedAmount":10000,"redeemedAmount":0,\n '
    b'"expiredAmount":0,"balance":10000,"createDate":"2026-03-02T14:15:16+0200","expiryDate":"2029-03-01T23:59:59+0200","stateId":"A",'
    b'"wicode":"410020030040"}}'
)
TRANSACTION_BODY = (
    b'{"type":"PAYMENT","totalAmount":10000,"basketAmount":10000,"token":{"id":"410020030040","type":"WICODE"},\n '
    b'"storeTrxDetails":{"storeId":"S001","basketId":"c2d47e08-1a6b-4f35-8e90-7b1d3a5c9f24",'
    b'"trxId":"c2d47e08-1a6b-4f35-8e90-7b1d3a5c9f24","posId":"TERM0001","cashierId":"C07"}}'
)
TRANSACTION_ANSWER = (
    b'{"responseCode":"-1","responseDesc":"Success","wiTrxId":70001234,"totalAmountProcessed":10000,'
    b'"amountToSettle":10000,"discount":[],\n "redemptions":[{"type":"GIFTCARD","itemId":900145,"campaignId":3001,'
    b'"processedAmount":10000}],"vsp":{"trxId":"88001","responseCode":"-1"}}'
)
FINALISE_BODY = {
    "action": "FINALISE",
    "originalTrx": {
        "wiTrxId": 70001234,
        "type": "PAYMENT",
        "storeTrxDetails": {"storeId": "S001", "basketId": R2, "trxId": R2, "posId": "TERM0001", "cashierId": "C07"},
    },
}
VOUCHER = Voucher(code=CODE, serial_number="900145", expires_at="2029-03-01T21:59:59.000Z")
ITEM_REFS = {"kind": "giftcard", "id": "900145"}
KEPT_TEXT = f'{{"storeId":"S001","basketId":"{R2}","trxId":"{R2}","posId":"TERM0001"}}'  # refs name no cashier
DETAILS_TEXT = f'{{"storeId":"S001","basketId":"{R2}","trxId":"{R2}","posId":"TERM0001","cashierId":"C07"}}'


def settings_of(simulator: Reachable) -> dict[str, object]:
    return {"base_url": simulator.url, **CREDENTIALS, "default_outlet": "S001"}


def provision_order(
    product: str = "giftcard:3001", amount_cents: int = 10_000, request_id: str = R1, sent_ms_ago: int = 0, **more: Any
) -> ProvisionOrder:
    return ProvisionOrder(
        request_id=request_id,
        amount_cents=amount_cents,
        currency="710",
        product=product,
        store=STORE,
        sent_ms_ago=sent_ms_ago,
        **more,
    )


def coupon_order(request_id: str = R1, amount_cents: int = 5_000, **more: Any) -> ProvisionOrder:
    return provision_order("coupon:2001", amount_cents, request_id, **more)


def redeem_order(
    code: str = CODE, amount_cents: int = 10_000, request_id: str = R2, currency: str = "710"
) -> RedeemOrder:
    return RedeemOrder(
        request_id=request_id, amount_cents=amount_cents, currency=currency, voucher_code=code, store=STORE
    )


def lookup_order(code: str = CODE) -> LookupOrder:
    return LookupOrder(voucher_code=code)


def status_order(
    sent_ms_ago: int = 0, request_id: str = R1, amount_cents: int = 10_000, product: str | None = "giftcard:3001"
) -> StatusOrder:
    """Ask about a provision whose outcome is unknown: no refs."""
    return StatusOrder(
        request_id=request_id, amount_cents=amount_cents, sent_ms_ago=sent_ms_ago, product=product, store=STORE
    )


def redeem_status_order(sent_ms_ago: int = 0, amount_cents: int = 10_000, request_id: str = R2) -> StatusOrder:
    return status_order(sent_ms_ago, request_id, amount_cents)


def advice_order(
    request_id: str = R1,
    refs: Mapping[str, str] | None = None,
    sent_ms_ago: int = 0,
    product: str | None = "giftcard:3001",
) -> AdviceOrder:
    return AdviceOrder(
        advice_id=A1,
        request_id=request_id,
        reason=ReversalReason.TIMEOUT,
        refs=dict(refs or {}),
        sent_ms_ago=sent_ms_ago,
        product=product,
        store=STORE,
    )


async def sold(pair: Pair, order: ProvisionOrder | None = None) -> Approved:
    """A voucher that exists."""
    outcome = await pair.connector.provision(order or provision_order(), pair.call())
    assert isinstance(outcome, Approved)
    return outcome


async def redeemed(pair: Pair, order: RedeemOrder | None = None) -> Approved:
    """A redemption that holds its value."""
    outcome = await pair.connector.redeem(order or redeem_order(), pair.call())
    assert isinstance(outcome, Approved)
    return outcome


async def cvs(
    pair: Pair, method: str, path: str, body: object = None, headers: Mapping[str, str] = CVS_HEADERS
) -> RawAnswer:
    """One request to the issuing API, past our connector."""
    content = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
    more = {} if body is None else JSON
    return await http(method, f"{pair.simulator.url}/cvs-issuer/rest{path}", content, {**headers, **more})


async def pos(
    pair: Pair,
    path: str,
    body: object,
    headers: Mapping[str, str] = POS_HEADERS,
    base: str = "/wigroup-transactionengine/pos-providers",
) -> RawAnswer:
    """One request to the point-of-sale API, past our connector."""
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return await http("POST", f"{pair.simulator.url}{base}{path}", content, {**headers, **JSON})
