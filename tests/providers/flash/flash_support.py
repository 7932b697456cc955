"""What Flash's tests share: the simulator with a connector, requests past it, orders and the samples."""

import base64
from typing import Any

import msgspec

from providers.pair_support import Pair
from providers.provider_support import A1, R1, R2, R3, STORE, RawAnswer, answer, changed, http
from voucherswitch.message.codes import ReversalReason
from voucherswitch.message.orders import AdviceOrder, ProvisionOrder, RedeemOrder, RefundOrder
from voucherswitch.message.parties import Voucher
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.flash.simulator import FlashSimulator

CLIENT_ID = "sim-client-id"
CLIENT_SECRET = "example-flash-secret"
KEY = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
ACCOUNT = "0000-0000-0000-0001"
PIN = "1111222233334444"
WINDOW_MS = 1_740_000
REPLAY_MS = 1_800_000

PURCHASE_BODY = (
    b'{"reference":"5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13","accountNumber":"0000-0000-0000-0001","amount":10000,'
    b'"metadata":{"store":"S001"}}'
)
TOKEN_ANSWER = b'{"access_token": "sim-token-000001", "scope": "default", "token_type": "Bearer", "expires_in": 3600}'
# The specification prints it on three lines.
PURCHASE_ANSWER = (
    b'{"responseCode":0,"responseMessage":"Success","accountNumber":"0000-0000-0000-0001",'
    b'"reference":"5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13","amount":10000,'
    b'"transactionDate":"2026-03-02T14:15:16+02:00","transactionId":"9000000001",'
    b'"voucher":{"amount":10000,"expiryDate":"2029-03-02T23:59:59+02:00","pin":"1111222233334444",'
    b'"serialNumber":"FS00000001","status":"Active",'
    b'"content":{"redemptionInstructions":"Enter the PIN","termsAndConditions":"See issuer"}}}'
)
DECLINE = (
    b'{"responseCode": 7103, "responseMessage": "Voucher already used", "accountNumber": "0000-0000-0000-0001", '
    b'"reference": "c2d47e08-1a6b-4f35-8e90-7b1d3a5c9f24", "amount": 10000}'
)
VOUCHER = Voucher(
    code=PIN,
    serial_number="FS00000001",
    expires_at="2029-03-02T21:59:59.000Z",
    instructions=("Enter the PIN",),
)


def settings_of(simulator: FlashSimulator) -> dict[str, object]:
    return {
        "base_url": simulator.url,
        "api_key": KEY,
        "account_number": ACCOUNT,
        "outlet_map": {STORE.merchant_id: "S001"},
    }


def provision_order(
    request_id: str = R1, amount_cents: int = 10_000, product: str = "1voucher", **more: Any
) -> ProvisionOrder:
    values: dict[str, Any] = {"currency": "710", "store": STORE} | more
    return ProvisionOrder(request_id=request_id, amount_cents=amount_cents, product=product, **values)


def redeem_order(code: str = PIN, amount_cents: int = 10_000, request_id: str = R2, **more: Any) -> RedeemOrder:
    values: dict[str, Any] = {"currency": "710", "store": STORE} | more
    return RedeemOrder(request_id=request_id, amount_cents=amount_cents, voucher_code=code, **values)


def refund_order(code: str = PIN, amount_cents: int = 10_000, request_id: str = R3) -> RefundOrder:
    return RefundOrder(
        request_id=request_id,
        amount_cents=amount_cents,
        currency="710",
        voucher_code=code,
        store=STORE,
        redemption_id=R2,
    )


def advice_order(request_id: str = R1, advice_id: str = A1, **more: Any) -> AdviceOrder:
    values: dict[str, Any] = {"product": "1voucher", "store": STORE} | more
    return AdviceOrder(advice_id=advice_id, request_id=request_id, reason=ReversalReason.TIMEOUT, **values)


def coded(code: object, **more: object) -> HttpAnswer:
    """HTTP 200 with a code."""
    return answer({"responseCode": code, "responseMessage": "No"} | more)


def purchase_answer(**changes: Any) -> HttpAnswer:
    """The sample of a sale with values replaced."""
    return answer(changed(PURCHASE_ANSWER, **changes))


class Flash(Pair):
    """Flash with a connector to it."""

    simulator: FlashSimulator
    sale = staticmethod(provision_order)

    async def reverse_on(self) -> None:
        await self.profile(reverse=True)

    async def expire_tokens(self) -> None:
        assert (await self.control("POST", "/tokens/expire")).status == 200

    async def heard_of(self, reference: str) -> list[tuple[str, int | None]]:
        """What the simulator heard of a request, with its answers' statuses."""
        return [(entry["op"], entry["status"]) for entry in await self.journal(reference=reference)]

    # The protocol, past our connector

    async def token(self) -> str:
        headers = {"Authorization": f"Basic {KEY}", "Content-Type": "application/x-www-form-urlencoded"}
        answer = await http("POST", f"{self.simulator.url}/token", b"grant_type=client_credentials", headers)
        assert answer.status == 200, answer.body
        token: str = answer.json["access_token"]
        return token

    async def raw(
        self,
        path: str,
        body: object = None,
        *,
        method: str = "POST",
        token: str | None = None,
        content_type: str = "application/json",
    ) -> RawAnswer:
        content = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        headers = {"Authorization": f"Bearer {await self.token() if token is None else token}"}
        if content is not None:
            headers["Content-Type"] = content_type
        return await http(method, f"{self.simulator.url}/aggregation/4.0{path}", content, headers)
