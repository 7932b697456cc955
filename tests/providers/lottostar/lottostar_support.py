"""What Lottostar's tests share: the simulator with a connector, signed requests past it, and the samples."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import msgspec

from providers.pair_support import Pair
from providers.provider_support import R1, STORE, RawAnswer, answer, http
from voucherswitch.message.orders import LookupOrder, ProvisionOrder
from voucherswitch.message.parties import Voucher
from voucherswitch.providers.contract.transport.http import NO_HEADERS, HttpAnswer
from voucherswitch.providers.lottostar.signing import signed_headers
from voucherswitch.providers.lottostar.simulator import KEY_ID, SECRET, LottostarSimulator

SAMPLE_EPOCH_S = 1_772_453_716
CODE = "73100246891352"

ISSUE_BODY = (
    b'{"clientTxnId":"5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13","denominationCents":10000,'
    b'"storeRef":"S001","terminalRef":"TERM0001"}'
)
VOUCHER_BODY = (
    b'{"voucherId":"LSV000000000001","clientTxnId":"5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13","code":"73100246891352",'
    b'"serial":"880000000001","valueCents":10000,\n "issuedAt":"2026-03-02T14:15:16.420+02:00",'
    b'"expiresAt":"2029-03-02T23:59:59+02:00","status":"ACTIVE"}'
)
ERROR_BODY = b'{"error": {"code": "ALREADY_REDEEMED", "message": "Voucher was spent", "traceId": "ls-000042"}}'
VOUCHER = Voucher(code=CODE, serial_number="880000000001", expires_at="2029-03-02T21:59:59.000Z")


def settings_of(simulator: LottostarSimulator) -> dict[str, object]:
    return {
        "base_url": simulator.url,
        "key_id": KEY_ID,
        "secret": SECRET,
        "outlet_map": {STORE.merchant_id: "S001"},
    }


def provision_order(request_id: str = R1, amount_cents: int = 10_000, **more: Any) -> ProvisionOrder:
    values: dict[str, Any] = {"currency": "710", "product": f"LS{amount_cents // 100}", "store": STORE} | more
    return ProvisionOrder(request_id=request_id, amount_cents=amount_cents, **values)


def lookup_order(code: str = CODE) -> LookupOrder:
    return LookupOrder(voucher_code=code)


def refusal(status: int, code: str, message: str = "No") -> HttpAnswer:
    return answer({"error": {"code": code, "message": message, "traceId": "ls-000042"}}, status)


class Lottostar(Pair):
    """The simulator with a connector to it."""

    simulator: LottostarSimulator
    sale = staticmethod(provision_order)

    # The protocol, past our connector

    async def raw(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        secret: str = SECRET,
        nonce: str | None = None,
        timestamp_ms: int | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> RawAnswer:
        """A signed request; `headers` replace those that it would have, and an empty one is left out."""
        content = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        target = f"/partner/v1{path}"
        now_ms = int(self.simulator.frame.clock.now() * 1000) if timestamp_ms is None else timestamp_ms
        signed = dict(signed_headers(KEY_ID, secret, method, target, now_ms, nonce or str(uuid4()), content))
        if content is not None:
            signed["Content-Type"] = "application/json"
        signed |= headers
        return await http(
            method,
            f"{self.simulator.url}{target}",
            content,
            {name: value for name, value in signed.items() if value},
        )
