"""What Hollywoodbets' tests share: the simulator with a connector, requests past it, and the samples."""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from providers.provider_support import A1, R1, STORE, RawAnswer, http
from voucherswitch.message.codes import ReversalReason
from voucherswitch.message.orders import AdviceOrder, LookupOrder, ProvisionOrder, StatusOrder
from voucherswitch.message.outcomes import Approved, Outcome
from voucherswitch.message.parties import Voucher
from voucherswitch.message.trace import Leg, Trace
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.providers.contract.transport.http import NO_HEADERS, HttpAnswer
from voucherswitch.providers.hollywoodbets.connector import connect
from voucherswitch.providers.hollywoodbets.simulator import PARTNER, PASSWORD, HollywoodbetsSimulator

SAMPLE_TIME = "2026-03-02T14:15:16+02:00"
SAMPLE_EPOCH_S = 1_772_453_716
PIN = "00471203869"
AUTHORIZATION = "Basic c2ltLXBhcnRuZXI6ZXhhbXBsZS1oYi1wYXNzd29yZA=="
CONTENT_TYPE = "application/json; charset=utf-8"
IMPATIENT_MS = 300
SETTLED = 10**9
HOUR_MS = 3_600_000
WINDOW_MS = 23 * HOUR_MS

ISSUE_BODY = (
    b'{"partnerRef":"5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13","outletCode":"S001","faceValue":"100.00",'
    b'"requestedAt":"2026-03-02T14:15:16.000+02:00"}'
)
VOUCHER_BODY = (
    b'{"resultCode":"HB00","resultText":"OK","partnerRef":"5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13",'
    b'"voucherId":51000001,"serialNumber":"4100000001","pin":"00471203869",\n "faceValue":"100.00",'
    b'"expiryDate":"02/03/2029","batchNo":"B260302","state":"UNUSED"}'
)
REFUSAL_BODY = (
    b'{"resultCode": "HB14", "resultText": "Voucher was used, block refused", '
    b'"partnerRef": "5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13"}'
)
VOUCHER = Voucher(code=PIN, serial_number="4100000001", expires_at="2029-03-02T21:59:59.000Z")


class Hollywoodbets:
    """The simulator with a connector to it, and every leg that was recorded on the way."""

    def __init__(self, simulator: HollywoodbetsSimulator, connector: Connector) -> None:
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
        self.connectors.append(connect("hollywoodbets", settings_of(self.simulator) | settings))
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
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> RawAnswer:
        """A request; `headers` replace those that it would have, and an empty one is left out."""
        content = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        sent = {"Authorization": AUTHORIZATION}
        if content is not None:
            sent["Content-Type"] = CONTENT_TYPE
        sent |= headers
        url = f"{self.simulator.url}/retail-topup/v1{path}"
        return await http(method, url, content, {name: value for name, value in sent.items() if value})

    # The connector, with the values of the samples

    async def provision(self, **more: Any) -> Outcome:
        return await self.connector.provision(provision_order(**more), self.call())

    async def issued(self, **more: Any) -> Voucher:
        outcome = await self.provision(**more)
        assert isinstance(outcome, Approved)
        assert outcome.voucher is not None
        return outcome.voucher


def settings_of(simulator: HollywoodbetsSimulator) -> dict[str, object]:
    return {
        "base_url": simulator.url,
        "partner": PARTNER,
        "password": PASSWORD,
        "outlet_map": {STORE.merchant_id: "S001"},
    }


def provision_order(request_id: str = R1, amount_cents: int = 10_000, **more: Any) -> ProvisionOrder:
    values: dict[str, Any] = {"currency": "710", "product": f"{amount_cents // 100}.00", "store": STORE} | more
    return ProvisionOrder(request_id=request_id, amount_cents=amount_cents, **values)


def status_order(request_id: str = R1, sent_ms_ago: int = 0, amount_cents: int = 10_000) -> StatusOrder:
    return StatusOrder(request_id=request_id, amount_cents=amount_cents, sent_ms_ago=sent_ms_ago)


def advice_order(request_id: str = R1, advice_id: str = A1, **more: Any) -> AdviceOrder:
    return AdviceOrder(advice_id=advice_id, request_id=request_id, reason=ReversalReason.TIMEOUT, **more)


def lookup_order(pin: str = PIN) -> LookupOrder:
    return LookupOrder(voucher_code=pin)


def answer(body: object, status: int = 200) -> HttpAnswer:
    """An answer as the transport gives it."""
    return HttpAnswer(status, body if isinstance(body, bytes) else msgspec.json.encode(body))


def refusal(code: str, text: str = "No", **fields: Any) -> HttpAnswer:
    return answer({"resultCode": code, "resultText": text} | fields)


def changed(sample: bytes, **changes: Any) -> bytes:
    """A sample with values replaced; ... removes one."""
    body: dict[str, Any] = msgspec.json.decode(sample) | changes
    return msgspec.json.encode({name: value for name, value in body.items() if value is not ...})
