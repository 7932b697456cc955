"""What the Betway tests share: the pair, the samples' values, and a client that knows nothing of our connector."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import msgspec

from providers.pair_support import Pair
from providers.provider_support import A1, R1, STORE, RawAnswer, http
from voucherswitch.message.orders import ProvisionOrder
from voucherswitch.message.outcomes import Approved
from voucherswitch.message.parties import Tender
from voucherswitch.providers.betway.simulator import TOKEN, BetwaySimulator

FIRST_PIN = "5550001001"
FIRST_SERIAL = "BWS000000001"
FIRST_ORDER = "BW-00000001"
EXPIRES_AT = "2029-03-02T21:59:59.000Z"
SAMPLE_NOW_S = 1_772_453_716
SAMPLE_CORRELATION = "2b7e1516-28ae-4d2a-abf7-158809cf4f3c"
SAMPLE_BODY = (
    '{"externalId":"5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13","skuId":"BW-ANY","quantity":1,'
    '"unitAmount":{"currency":"ZAR","minor":10000},"outlet":"S001",\n'
    ' "tender":{"reference":"SLIP-000123","type":"CASH","minor":10000},"requestedAt":"2026-03-02T14:15:16+02:00"}'
)
SAMPLE_PENDING = (
    '{"orderId":"BW-00000001","externalId":"5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13","skuId":"BW-ANY","state":"PENDING",'
    '"pollAfterMs":500,"acknowledged":false}'
)
SAMPLE_FULFILLED = (
    '{"orderId": "BW-00000001", "externalId": "5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13", "skuId": "BW-ANY", '
    '"state": "FULFILLED", "acknowledged": false,\n "voucher": {"pin": "5550001001", "serial": "BWS000000001", '
    '"amount": {"currency": "ZAR", "minor": 10000}, "expiresOn": "2029-03-02"}}'
)
BASE = "/voucher-partner/v2"
FULFIL_MS = 700
QUICK_MS = 10  # between two polls of connectors that tests wait for
CASH = Tender(type="CASH", amount_cents=10_000, currency="710", reference="SLIP-000123")
PROFILE = {"immediatePercent": 0, "fulfilAfterMs": FULFIL_MS, "pollAfterMs": 500, "blockedIps": []}


def settings_of(simulator: BetwaySimulator) -> dict[str, object]:
    return {
        "base_url": simulator.url,
        "token": TOKEN,
        "outlet_map": {STORE.merchant_id: "S001"},
        "poll_min_ms": QUICK_MS,
        "poll_max_ms": QUICK_MS,
    }


def provision_order(
    product: str = "BW-ANY",
    amount_cents: int = 10_000,
    request_id: str = R1,
    tenders: tuple[Tender, ...] | None = None,
    **more: Any,
) -> ProvisionOrder:
    paid = (Tender("CASH", amount_cents, "710", "SLIP-000123"),) if tenders is None else tenders
    return ProvisionOrder(
        request_id=request_id,
        amount_cents=amount_cents,
        currency="710",
        product=product,
        store=STORE,
        tenders=paid,
        **more,
    )


class Betway(Pair):
    """Betway with a connector, and with a client that knows the protocol but not our connector."""

    simulator: BetwaySimulator
    sale = staticmethod(provision_order)

    async def raw(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str | None] | None = None
    ) -> RawAnswer:
        content = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        sent = {"Authorization": f"Bearer {TOKEN}", "X-Correlation-Id": str(uuid4())}
        sent |= {} if content is None else {"Content-Type": "application/json"}
        wanted = {name: value for name, value in (sent | dict(headers or {})).items() if value is not None}
        return await http(method, f"{self.simulator.url}{BASE}{path}", content, wanted)

    async def order(self, request_id: str = R1, **changes: Any) -> RawAnswer:
        body: dict[str, Any] = msgspec.json.decode(SAMPLE_BODY)
        body = body | {"externalId": request_id} | changes
        return await self.raw("POST", "/orders", {key: value for key, value in body.items() if value is not ...})

    async def poll(self, order_id: str = FIRST_ORDER) -> RawAnswer:
        return await self.raw("GET", f"/orders/{order_id}")

    async def acknowledge(self, request_id: str = R1) -> RawAnswer:
        return await self.raw("POST", f"/orders/by-external-id/{request_id}/acknowledge", {"adviceId": A1})

    async def cancel(self, request_id: str = R1) -> RawAnswer:
        body = {"adviceId": A1, "reason": "TIMEOUT"}
        return await self.raw("POST", f"/orders/by-external-id/{request_id}/cancel", body)

    async def sold(self, request_id: str = R1, **more: Any) -> Approved:
        """A voucher that our connector has bought, fulfilled at once."""
        await self.profile(immediatePercent=100)
        outcome = await self.connector.provision(provision_order(request_id=request_id, **more), self.call())
        assert isinstance(outcome, Approved), outcome
        return outcome

    @property
    def polls(self) -> int:
        """How often the provider was asked for an order by its own id."""
        return len(list(self.simulator.frame.journal.listed("poll", None)))


def code_of(answer: RawAnswer) -> tuple[int, str]:
    return answer.status, answer.json["error"]["code"]
