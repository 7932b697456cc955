"""What OTT's tests share: the simulator with a connector, signed messages past it, and the samples."""

import time
from typing import Any
from urllib.parse import urlencode

import msgspec

from providers.provider_support import A1, R1, R2, STORE, RawAnswer, http
from voucherswitch.message.codes import ReversalReason
from voucherswitch.message.orders import AdviceOrder, LookupOrder, ProvisionOrder, RedeemOrder, StatusOrder
from voucherswitch.message.outcomes import Approved, Outcome
from voucherswitch.message.parties import Voucher
from voucherswitch.message.trace import Leg, Trace
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.providers.contract.simulator.running import RunningSimulator
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.ott.connector import connect
from voucherswitch.providers.ott.signing import signed_form
from voucherswitch.providers.ott.simulator import CREDENTIALS
from voucherswitch.providers.ott.simulator.provider import OttProvider

SAMPLE_TIME = "2026-03-02T14:15:16+02:00"
SAMPLE_AUTHORIZATION = "c2ltLWFwaS11c2VyOmV4YW1wbGUtb3R0LXBhc3N3b3Jk"
PIN = "100200300400"
SERIAL = "500600700800"
MOBILE = "27820000001"
IMPATIENT_MS = 300
SETTLED = 10**9

ISSUING = "/api/reseller/v1"
REDEMPTION = "/api/v1"
KEY = "EXAMPLE-KEY-0001"

GET_VOUCHER = (
    b"branch=S001&cashier=C07&till=TERM0001&uniqueReference=5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13&value=100.00"
    b"&vendorCode=11&hash=05c9f53ef5e6063d76ea2c77a0c9992b158ab9821474391189acf17d74e1c355"
)
ISSUED = (
    rb'{"success":"true","voucher":"{\"voucherID\":7000001,\"saleID\":8000001,\"pin\":\"100200300400\",'
    rb"\"serialNumber\":\"500600700800\",\"batch\":\"B1\",\"instructions\":\"Redeem at a partner site\","
    rb'\"amount\":100.0000}"}'
)
FAILED = b'{"success":"false","errorCode":"3","message":"No product for value"}'
REMIT_VOUCHER = (
    b"amount=100.00&mobile=27820000001&pin=100200300400&uniqueReference=c2d47e08-1a6b-4f35-8e90-7b1d3a5c9f24"
    b"&vendorID=22&hash=a4b30b52113d77308c032a95cde7c8f3cbd7cc681390e5ba124fbef6b0918497"
)
REMITTED = (
    b'{"success": "true", "voucherID": 7000001, "voucherAmount": "100.00", "voucherBalance": "0.00", '
    b'"message": "Redeemed"}'
)
FOUND = b'{"success": "true", "voucherID": 7000001, "serial": "500600700800", "value": "100.00"}'

VOUCHER = Voucher(code=PIN, serial_number=SERIAL, instructions=("Redeem at a partner site",))
REFS = {"voucherID": "7000001", "saleID": "8000001", "serialNumber": SERIAL}
SOLD = Approved(approved_cents=10_000, voucher=VOUCHER, provider_ref="7000001", refs=REFS)
REDEEMED = Approved(approved_cents=10_000, balance_cents=0, provider_ref="7000001", refs={"voucherID": "7000001"})


class Ott:
    """The simulator with a connector to it, and every leg that was recorded on the way."""

    def __init__(self, simulator: RunningSimulator, connector: Connector) -> None:
        assert isinstance(simulator.provider, OttProvider)
        self.simulator = simulator
        self.provider: OttProvider = simulator.provider
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
        self.connectors.append(connect("ott", settings_of(self.simulator) | settings))
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

    async def at_sample_time(self) -> None:
        assert (await self.control("POST", "/clock", {"now": SAMPLE_TIME})).status == 200

    async def profile(self, **wanted: object) -> None:
        assert (await self.control("POST", "/profile", wanted)).status == 200

    async def journal(self, **query: str) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = (await self.control("GET", "/journal", **query)).json
        return listed

    async def heard(self) -> list[str]:
        """The operations that the simulator heard, in their order."""
        return [entry["op"] for entry in await self.journal()]

    async def totals(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.control("GET", "/state")).json
        return found

    async def state(self, reference: str = R1) -> dict[str, Any]:
        found: dict[str, Any] = (await self.control("GET", "/state", reference=reference)).json
        return found

    async def vouchers(self, reference: str = R1) -> int:
        """How many vouchers a reference brought: two are a duplicate sale."""
        answer = await self.control("GET", "/state", reference=reference)
        return 0 if answer.status == 404 else int(answer.json["vouchers"])

    # The protocol, past our connector

    async def raw(self, path: str, key: str = KEY, **parameters: str) -> RawAnswer:
        """A message with the right hash."""
        return await self.send(path, signed_form(parameters, key))

    async def send(self, path: str, body: bytes, **headers: str) -> RawAnswer:
        """Any body with the right credentials; `headers` replace ours, with `_` for `-`."""
        ours = {
            "Authorization": f"Basic {SAMPLE_AUTHORIZATION}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        sent = ours | {name.replace("_", "-"): value for name, value in headers.items()}
        return await http("POST", f"{self.simulator.url}{path}", body, sent)

    # The connector, with the values of the samples

    async def provision(self, **more: Any) -> Outcome:
        return await self.connector.provision(provision_order(**more), self.call())

    async def issued(self, request_id: str = R1, **more: Any) -> Voucher:
        outcome = await self.provision(request_id=request_id, **more)
        assert isinstance(outcome, Approved)
        assert outcome.voucher is not None
        return outcome.voucher

    async def confirmed(self, request_id: str = R1, **more: Any) -> Voucher:
        """A voucher that can be redeemed."""
        voucher = await self.issued(request_id, **more)
        assert (await self.raw(f"{ISSUING}/ConfirmVoucher", uniqueReference=request_id)).status == 200
        return voucher

    async def redeem(self, **more: Any) -> Outcome:
        return await self.connector.redeem(redeem_order(**more), self.call())


def settings_of(simulator: RunningSimulator) -> dict[str, object]:
    return {"base_url": simulator.url, "outlet_map": {STORE.merchant_id: "S001"}, **CREDENTIALS}


def provision_order(request_id: str = R1, amount_cents: int = 10_000, **more: Any) -> ProvisionOrder:
    values: dict[str, Any] = {"currency": "710", "product": "value", "store": STORE} | more
    return ProvisionOrder(request_id=request_id, amount_cents=amount_cents, **values)


def redeem_order(request_id: str = R2, amount_cents: int = 10_000, code: str = PIN, **more: Any) -> RedeemOrder:
    values: dict[str, Any] = {"currency": "710", "store": STORE, "msisdn": MOBILE} | more
    return RedeemOrder(request_id=request_id, amount_cents=amount_cents, voucher_code=code, **values)


def status_order(request_id: str = R1, amount_cents: int = 10_000, sent_ms_ago: int = 0) -> StatusOrder:
    return StatusOrder(request_id=request_id, amount_cents=amount_cents, sent_ms_ago=sent_ms_ago)


def advice_order(request_id: str = R1, sent_ms_ago: int = 0) -> AdviceOrder:
    return AdviceOrder(advice_id=A1, request_id=request_id, reason=ReversalReason.TIMEOUT, sent_ms_ago=sent_ms_ago)


def lookup_order(code: str | None = PIN, **more: Any) -> LookupOrder:
    return LookupOrder(voucher_code=code, **more)


def answer(body: object, status: int = 200) -> HttpAnswer:
    """An answer as the transport gives it."""
    return HttpAnswer(status, body if isinstance(body, bytes) else msgspec.json.encode(body))


def failure(code: object, message: object = "No") -> HttpAnswer:
    return answer({"success": "false", "errorCode": code, "message": message}, 201)


def issued_with(**changes: Any) -> bytes:
    """The sample of a sale with values of its inner document replaced; ... removes one."""
    outer = msgspec.json.decode(ISSUED)
    document = msgspec.json.decode(outer["voucher"]) | changes
    inner = msgspec.json.encode({name: value for name, value in document.items() if value is not ...})
    return msgspec.json.encode(outer | {"voucher": inner.decode()})


def changed(sample: bytes, **changes: Any) -> bytes:
    """A sample with values replaced; ... removes one."""
    body: dict[str, Any] = msgspec.json.decode(sample) | changes
    return msgspec.json.encode({name: value for name, value in body.items() if value is not ...})
