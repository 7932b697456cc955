"""What the tests of the sandbox share: the pair, requests past the connector, and orders with the samples' values."""

from typing import Any

import msgspec

from providers.pair_support import Pair
from providers.provider_support import R1, R2, R3, STORE, RawAnswer, an_id, http
from voucherswitch.message.orders import ProvisionOrder, RedeemOrder, RefundOrder
from voucherswitch.message.parties import Voucher
from voucherswitch.providers.contract.connector import Connector
from voucherswitch.providers.sandbox.simulator import API_KEY, SandboxSimulator

FIRST_CODE = "9000000000001231"


def settings_of(simulator: SandboxSimulator) -> dict[str, object]:
    return {"base_url": simulator.url, "api_key": API_KEY, "outlet_map": {STORE.merchant_id: "S001"}}


def provision_order(
    product: str = "SBXANY", amount_cents: int = 10_000, request_id: str = R1, voucher_code: str | None = None
) -> ProvisionOrder:
    return ProvisionOrder(
        request_id=request_id,
        amount_cents=amount_cents,
        currency="710",
        product=product,
        store=STORE,
        voucher_code=voucher_code,
    )


def redeem_order(
    code: str = FIRST_CODE, amount_cents: int = 4_000, request_id: str = R2, pin: str | None = None
) -> RedeemOrder:
    return RedeemOrder(
        request_id=request_id,
        amount_cents=amount_cents,
        currency="710",
        voucher_code=code,
        store=STORE,
        voucher_pin=pin,
    )


def refund_order(
    code: str = FIRST_CODE, amount_cents: int = 0, request_id: str = R3, redemption_id: str | None = R2
) -> RefundOrder:
    return RefundOrder(
        request_id=request_id,
        amount_cents=amount_cents,
        currency="710",
        voucher_code=code,
        store=STORE,
        redemption_id=redemption_id,
    )


class Sandbox(Pair):
    """The sandbox with a connector to it."""

    simulator: SandboxSimulator
    sale = staticmethod(provision_order)

    @property
    def codes(self) -> list[str]:
        return list(self.simulator.provider.book.by_code)

    def impatient(self, **settings: object) -> Connector:
        return super().impatient(**{"settle_ms": 30_000, **settings})

    # The protocol, past our connector

    async def raw(self, method: str, path: str, body: object = None, key: str = API_KEY) -> RawAnswer:
        content = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        return await http(method, f"{self.simulator.url}/sandbox/v1{path}", content, headers)

    # The connector, with the values of the samples

    async def confirmed(self, request_id: str = R1, **more: Any) -> Voucher:
        """A voucher that can be redeemed."""
        voucher = await self.issued(request_id=request_id, **more)
        assert (await self.raw("POST", f"/vouchers/{request_id}/confirm", {"adviceId": an_id(0xC0)})).status == 202
        return voucher

    async def redeemed(self, code: str, request_id: str = R2, cents: int = 4000, *, confirm: bool = False) -> None:
        """A redemption that happened."""
        body = {"requestId": request_id, "code": code, "amountCents": cents, "store": "S001", "terminal": "TERM0001"}
        assert (await self.raw("POST", "/redemptions", body)).status == 201
        if confirm:
            path = f"/redemptions/{request_id}/confirm"
            assert (await self.raw("POST", path, {"adviceId": an_id(0xC1)})).status == 202
