"""What Lottostar's tests share: the simulator with a connector, signed requests past it, and the samples."""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import msgspec

from providers.provider_support import A1, R1, STORE, RawAnswer, http
from voucherswitch.message.codes import ReversalReason
from voucherswitch.message.orders import AdviceOrder, LookupOrder, ProvisionOrder, StatusOrder
from voucherswitch.message.outcomes import Approved, Outcome
from voucherswitch.message.parties import Voucher
from voucherswitch.message.trace import Leg, Trace
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.providers.contract.transport.http import NO_HEADERS, HttpAnswer
from voucherswitch.providers.lottostar.connector import connect
from voucherswitch.providers.lottostar.signing import signed_headers
from voucherswitch.providers.lottostar.simulator import KEY_ID, SECRET, LottostarSimulator

SAMPLE_TIME = "2026-03-02T14:15:16+02:00"
SAMPLE_EPOCH_S = 1_772_453_716
CODE = "73100246891352"
IMPATIENT_MS = 300
SETTLED = 10**9

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


class Lottostar:
    """The simulator with a connector to it, and every leg that was recorded on the way."""

    def __init__(self, simulator: LottostarSimulator, connector: Connector) -> None:
        self.simulator = simulator
        self.connector = connector
        self.traces: list[Trace] = []
        self.connectors: list[Connector] = []

    @property
    def legs(self) -> list[Leg]:
        return [leg for trace in self.traces for leg in trace.legs]

    def call(self, deadline_s: float = 20, advice_id: str | None = None) -> Call:
        self.traces.append(Trace())
        return Call(trace=self.traces[-1], deadline=time.monotonic() + deadline_s, advice_id=advice_id)

    def with_settings(self, **settings: object) -> Connector:
        """Another connector to the same simulator; closed when the test ends."""
        self.connectors.append(connect("lottostar", settings_of(self.simulator) | settings))
        return self.connectors[-1]

    def impatient(self) -> Connector:
        return self.with_settings(read_timeout_ms=IMPATIENT_MS)

    # The control API

    async def control(self, method: str, path: str, body: object = None, **query: str) -> RawAnswer:
        url = f"{self.simulator.control_url}/__sim{path}" + (f"?{urlencode(query)}" if query else "")
        return await http(method, url, None if body is None else msgspec.json.encode(body))

    async def fault(self, kind: str, op: str = "*", **more: Any) -> None:
        answer = await self.control("POST", "/faults", {"op": op, "kind": kind} | more)
        assert answer.status == 201, answer.body

    async def advance(self, milliseconds: int) -> None:
        assert (await self.control("POST", "/clock", {"advanceMs": milliseconds})).status == 200

    async def journal(self, **query: str) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = (await self.control("GET", "/journal", **query)).json
        return listed

    async def totals(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.control("GET", "/state")).json
        return found

    async def vouchers(self, reference: str = R1) -> int:
        """How many vouchers a reference brought: two are a duplicate sale."""
        answer = await self.control("GET", "/state", reference=reference)
        return 0 if answer.status == 404 else int(answer.json["vouchers"])

    async def state(self, reference: str = R1) -> str:
        found: str = (await self.control("GET", "/state", reference=reference)).json["state"]
        return found

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

    # The connector, with the values of the samples

    async def provision(self, **more: Any) -> Outcome:
        return await self.connector.provision(provision_order(**more), self.call())

    async def issued(self, **more: Any) -> Voucher:
        outcome = await self.provision(**more)
        assert isinstance(outcome, Approved)
        assert outcome.voucher is not None
        return outcome.voucher


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


def status_order(request_id: str = R1, sent_ms_ago: int = 0, amount_cents: int = 10_000) -> StatusOrder:
    return StatusOrder(request_id=request_id, amount_cents=amount_cents, sent_ms_ago=sent_ms_ago)


def advice_order(request_id: str = R1, advice_id: str = A1, **more: Any) -> AdviceOrder:
    return AdviceOrder(advice_id=advice_id, request_id=request_id, reason=ReversalReason.TIMEOUT, **more)


def lookup_order(code: str = CODE) -> LookupOrder:
    return LookupOrder(voucher_code=code)


def answer(status: int, body: object, **headers: str) -> HttpAnswer:
    """An answer as the transport gives it."""
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return HttpAnswer(status, content, headers)


def refusal(status: int, code: str, message: str = "No") -> HttpAnswer:
    return answer(status, {"error": {"code": code, "message": message, "traceId": "ls-000042"}})


def changed(sample: bytes, **changes: Any) -> bytes:
    """A sample with values replaced; ... removes one."""
    body: dict[str, Any] = msgspec.json.decode(sample) | changes
    return msgspec.json.encode({name: value for name, value in body.items() if value is not ...})
