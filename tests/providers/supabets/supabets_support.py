"""What the Supabets tests share: the pair, the samples' values, and a client that signs by itself."""

import base64
import hashlib
import hmac
import json
from typing import Any
from uuid import uuid4

import msgspec

from providers.pair_support import Pair
from providers.provider_support import R1, STORE, RawAnswer, http
from voucherswitch.message.orders import ProvisionOrder
from voucherswitch.message.outcomes import Approved
from voucherswitch.providers.supabets.simulator import KID, PARTNER_ID, SECRET, SupabetsSimulator

FIRST_PIN = "2100987654321"
FIRST_SERIAL = "6100000001"
FIRST_REF = "SB0000000001"
EXPIRES_AT = "2029-03-02T21:59:59.000Z"
SAMPLE_NOW_S = 1_772_453_716
SAMPLE_JTI = "f1b6c3d8-9e07-4a52-86c4-d05a7e1b3f92"
SAMPLE_BODY = '{"productId":"SB-ANY","amount":{"value":10000,"currency":"ZAR"},"site":"S001","lane":"TERM0001"}'
SAMPLE_TOKEN = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImsxIn0."
    "eyJpc3MiOiJ2c3ctZXhhbXBsZSIsImF1ZCI6InN1cGFiZXRzLXZvdWNoZXIiLCJpYXQiOjE3NzI0NTM3MTYsImV4cCI6MTc3MjQ1Mzc2MSwianRpIjoi"
    "ZjFiNmMzZDgtOWUwNy00YTUyLTg2YzQtZDA1YTdlMWIzZjkyIiwiYmgiOiJiS25zcWppcGV5SzBwT2IxdEFjR2ExdUx1MmZOVm11dzF0M2RGWGxPRUVn"
    "In0.U0wRCVilNBfTdr27C6FzMZIT6riyErq2UkfWd065AWc"
)
SAMPLE_ANSWER = (
    '{"reservationId":"5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13","state":"RESERVED","providerRef":"SB0000000001",'
    '"ttlSeconds":180,"reservedUntil":"2026-03-02T14:18:16+02:00",\n'
    ' "voucher":{"pin":"2100987654321","serial":"6100000001","value":10000,"expiry":"2029-03-02"}}'
)
BASE = "/retail-voucher/v1"
TTL_MS = 180_000


def settings_of(simulator: SupabetsSimulator) -> dict[str, object]:
    return {
        "base_url": simulator.url,
        "partner_id": PARTNER_ID,
        "kid": KID,
        "secret": SECRET,
        "outlet_map": {STORE.merchant_id: "S001"},
    }


def provision_order(
    product: str = "SB-ANY", amount_cents: int = 10_000, request_id: str = R1, **more: Any
) -> ProvisionOrder:
    return ProvisionOrder(
        request_id=request_id, amount_cents=amount_cents, currency="710", product=product, store=STORE, **more
    )


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(
    body: bytes,
    now_s: float,
    *,
    header: dict[str, Any] | None = None,
    secret: str = SECRET,
    digest: str = "sha256",
    without: str = "",
    **claims: Any,
) -> str:
    """A token made with nothing but the standard library; what is given replaces what is right."""
    said: dict[str, Any] = {
        "iss": PARTNER_ID,
        "aud": "supabets-voucher",
        "iat": int(now_s),
        "exp": int(now_s) + 45,
        "jti": str(uuid4()),
        "bh": b64(hashlib.sha256(body).digest()),
    } | claims
    said.pop(without, None)
    head = {"alg": "HS256", "typ": "JWT", "kid": KID} if header is None else header
    signed = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(said).encode())}"
    return f"{signed}.{b64(hmac.digest(secret.encode(), signed.encode(), digest))}"


class Supabets(Pair):
    """Supabets with a connector, and with a client that knows the protocol but not our connector."""

    simulator: SupabetsSimulator
    sale = staticmethod(provision_order)

    @property
    def now_s(self) -> float:
        return self.simulator.frame.clock.now()

    async def raw(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
        with_token: str | None = None,
        **changes: Any,
    ) -> RawAnswer:
        content = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        made = token(content, self.now_s, **changes) if with_token is None else with_token
        sent = {"Authorization": f"Bearer {made}"} | ({"Content-Type": "application/json"} if content else {})
        return await http(method, f"{self.simulator.url}{BASE}{path}", content, sent | (headers or {}))

    async def reserve(self, request_id: str = R1, **changes: Any) -> RawAnswer:
        body = {"productId": "SB-ANY", "amount": {"value": 10_000, "currency": "ZAR"}, "site": "S001", "lane": "T1"}
        return await self.raw("PUT", f"/reservations/{request_id}", body | changes)

    async def commit(self, request_id: str = R1) -> RawAnswer:
        return await self.raw("POST", f"/reservations/{request_id}/commit")

    async def release(self, request_id: str = R1) -> RawAnswer:
        return await self.raw("DELETE", f"/reservations/{request_id}")

    async def sold(self, request_id: str = R1, **more: Any) -> Approved:
        """A voucher that our connector has bought."""
        outcome = await self.connector.provision(provision_order(request_id=request_id, **more), self.call())
        assert isinstance(outcome, Approved), outcome
        return outcome

    async def late(self, late_reveal: bool = True) -> None:
        """The provider's profile."""
        answer = await self.control("POST", "/profile", {"lateReveal": late_reveal})
        assert answer.json == {"lateReveal": late_reveal}


def code_of(answer: RawAnswer) -> tuple[int, str]:
    """Status and the last part of the problem's type."""
    return answer.status, answer.json.get("type", "").rpartition(":")[2]
