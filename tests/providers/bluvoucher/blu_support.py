"""What the Blu Voucher tests share: the simulator with a connector per mode, raw AEON lines, and the samples."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import msgspec

from providers.provider_support import A1, R1, R2, STORE, RawAnswer, http
from voucherswitch.message.codes import ReversalReason
from voucherswitch.message.orders import AdviceOrder, LookupOrder, ProvisionOrder, RedeemOrder, StatusOrder
from voucherswitch.message.outcomes import Approved
from voucherswitch.message.parties import Voucher
from voucherswitch.message.trace import Leg, Trace
from voucherswitch.providers.bluvoucher.connector import AeonConnector, connect
from voucherswitch.providers.bluvoucher.kit import aeon_settings, trade_settings
from voucherswitch.providers.bluvoucher.simulator import BluVoucherSimulator
from voucherswitch.providers.bluvoucher.trade_connector import TradeConnector
from voucherswitch.providers.contract.connector import Call
from voucherswitch.providers.contract.simulator.faults import Fault

SAMPLE_TIME = datetime.fromisoformat("2026-03-02T14:15:16+02:00")
FIRST_PIN = "1000200030004000"
SETTLED = 30_000
IMPATIENT_MS = 250

AUTHENTICATION = (
    "<request><EventType>Authentication</EventType><event><UserPin>0000</UserPin><DeviceId>90001</DeviceId>"
    "<DeviceSer>SIM-DEV-1</DeviceSer><TransType>BluVoucher</TransType></event></request>"
)
AUTHENTICATED = (
    "<response><SessionId>S-000001</SessionId><EventType>Authentication</EventType><event><EventCode>0</EventCode>"
    "</event><data><TransTypes><TransType>BluVoucher</TransType></TransTypes></data></response>"
)
GET_VOUCHER = (
    "<request><SessionId>S-000001</SessionId><EventType>GetVoucher</EventType><event>"
    "<Reference>5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13</Reference><Amount>100.00</Amount>"
    "<ProductCode>BLU</ProductCode></event></request>"
)
GOT_VOUCHER = (
    "<response><SessionId>S-000001</SessionId><EventType>GetVoucher</EventType><event><EventCode>0</EventCode></event>"
    "<data><TransRef>BT0000000001</TransRef><Reference>5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13</Reference>"
    "<Serial>BS00000001</Serial><Pin>1000200030004000</Pin><Amount>100.00</Amount><ExpiryDate>2029-03-02</ExpiryDate>"
    "</data></response>"
)
SOLD_VOUCHER = (
    "<request><EventType>SoldVoucher</EventType><event><DeviceId>90001</DeviceId><DeviceSer>SIM-DEV-1</DeviceSer>"
    "<UserPin>0000</UserPin><TransRef>BT0000000001</TransRef>"
    "<Reference>5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13</Reference></event></request>"
)
SOLD = (
    "<response><SessionId/><EventType>SoldVoucher</EventType><event><EventCode>0</EventCode></event><data>"
    "<Reference>5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13</Reference></data></response>"
)
SPEND = (
    "<request><SessionId>S-000002</SessionId><EventType>VoucherSpend</EventType><event>"
    "<Reference>c2d47e08-1a6b-4f35-8e90-7b1d3a5c9f24</Reference><VoucherNumber>1000200030004000</VoucherNumber>"
    "<Amount>100.00</Amount></event></request>"
)
SPENT_ALREADY = (
    "<response><SessionId>S-000002</SessionId><EventType>VoucherSpend</EventType><event><EventCode>1</EventCode></event>"
    "<data><ErrorCode>9</ErrorCode><ErrorText>Declined</ErrorText><AEONErrorCode>761</AEONErrorCode>"
    "<AEONErrorText>Voucher already spent</AEONErrorText></data></response>"
)


class Blu:
    """The simulator, a connector per mode, and every leg that was recorded on the way."""

    def __init__(self, simulator: BluVoucherSimulator, aeon: AeonConnector, trade: TradeConnector) -> None:
        self.simulator = simulator
        self.aeon = aeon
        self.trade = trade
        self.traces: list[Trace] = []
        self.connectors: list[AeonConnector | TradeConnector] = []

    @property
    def legs(self) -> list[Leg]:
        return [leg for trace in self.traces for leg in trace.legs]

    @property
    def asked(self) -> list[str]:
        """The operations of the legs that are no Authentication."""
        return [leg.operation for leg in self.legs if leg.operation != "auth"]

    def call(self, deadline_s: float = 20, advice_id: str | None = None) -> Call:
        self.traces.append(Trace())
        return Call(trace=self.traces[-1], deadline=time.monotonic() + deadline_s, advice_id=advice_id)

    def aeon_with(self, **settings: object) -> AeonConnector:
        """Another AEON connector; closed when the test ends."""
        connector = connect("bluvoucher", {**aeon_settings(self.simulator), **settings})
        assert isinstance(connector, AeonConnector)
        self.connectors.append(connector)
        return connector

    def trade_with(self, **settings: object) -> TradeConnector:
        connector = connect("bluvoucher", {**trade_settings(self.simulator), **settings})
        assert isinstance(connector, TradeConnector)
        self.connectors.append(connector)
        return connector

    def impatient(self) -> AeonConnector:
        return self.aeon_with(read_timeout_ms=IMPATIENT_MS)

    def at_sample_time(self) -> None:
        self.simulator.frame.clock.set_now(SAMPLE_TIME)

    def advance(self, milliseconds: float) -> None:
        self.simulator.frame.clock.advance(milliseconds)

    def fault(self, kind: str, op: str = "*", *, times: int = 1, **params: Any) -> None:
        """Order a fault; `params` in the control API's own spelling."""
        wanted = {"kind": kind, "op": op, "times": times, "params": params}
        self.simulator.frame.order(msgspec.convert(wanted, Fault))

    async def control(self, method: str, path: str, body: object = None) -> RawAnswer:
        url = f"{self.simulator.control_url}/__sim{path}"
        return await http(method, url, None if body is None else msgspec.json.encode(body))

    def journal(self, op: str | None = None) -> list[str]:
        """What the simulator heard, by the protocol's own names."""
        entries = self.simulator.frame.journal._entries
        return [entry.wire_op for entry in entries if op in (None, entry.op, entry.wire_op)]

    def state(self, reference: str = R1) -> dict[str, Any]:
        found = self.simulator.provider.state(reference, None)
        assert found is not None
        return found

    @property
    def vouchers(self) -> int:
        """How many vouchers are in the books."""
        return len(self.simulator.provider.book)

    async def issued(self, request_id: str = R1, **more: Any) -> Voucher:
        """A voucher that was sold over AEON and is not confirmed."""
        outcome = await self.aeon.provision(provision_order(request_id=request_id, **more), self.call())
        assert isinstance(outcome, Approved)
        assert outcome.voucher is not None
        return outcome.voucher

    async def usable(self, request_id: str = R1, **more: Any) -> Voucher:
        """A voucher that can be spent."""
        voucher = await self.issued(request_id, **more)
        await self.aeon.confirm(advice_order(request_id), self.call())
        return voucher

    async def traded(self, request_id: str = R1, **more: Any) -> Voucher:
        """A voucher that was sold over the trade API."""
        outcome = await self.trade.provision(provision_order(request_id=request_id, **more), self.call())
        assert isinstance(outcome, Approved)
        assert outcome.voucher is not None
        return outcome.voucher

    @asynccontextmanager
    async def line(self) -> AsyncIterator["Line"]:
        """A raw AEON connection, past our connector."""
        port = self.simulator.frame.listener.port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield Line(reader, writer)
        finally:
            writer.close()


class Line:
    """Sends lines and reads what comes back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, line: str, end: str = "\n") -> str:
        self.writer.write((line + end).encode())
        return await self.answer()

    async def answer(self) -> str:
        async with asyncio.timeout(5):
            return (await self.reader.readuntil(b"</response>\n"))[:-1].decode()


def sale_of(request_id: str, session: str = "S-000001", amount: str = "100.00", product: str = "BLU") -> str:
    """A GetVoucher request."""
    changed = GET_VOUCHER.replace(R1, request_id).replace("S-000001", session).replace("100.00", amount)
    return changed.replace(">BLU<", f">{product}<")


def provision_order(
    product: str = "BLU", amount_cents: int = 10_000, request_id: str = R1, **more: Any
) -> ProvisionOrder:
    return ProvisionOrder(
        request_id=request_id, amount_cents=amount_cents, currency="710", product=product, store=STORE, **more
    )


def redeem_order(code: str = FIRST_PIN, amount_cents: int = 10_000, request_id: str = R2) -> RedeemOrder:
    return RedeemOrder(request_id=request_id, amount_cents=amount_cents, currency="710", voucher_code=code, store=STORE)


def status_order(request_id: str = R1, amount_cents: int = 10_000, **more: Any) -> StatusOrder:
    return StatusOrder(request_id=request_id, amount_cents=amount_cents, **more)


def spend_status(**more: Any) -> StatusOrder:
    return StatusOrder(request_id=R2, amount_cents=10_000, **({"voucher_code": FIRST_PIN} | more))


def lookup_order(code: str = FIRST_PIN) -> LookupOrder:
    return LookupOrder(voucher_code=code)


def advice_order(request_id: str = R1, refs: Mapping[str, str] | None = None, sent_ms_ago: int = 0) -> AdviceOrder:
    return AdviceOrder(
        advice_id=A1,
        request_id=request_id,
        reason=ReversalReason.TIMEOUT,
        refs=dict(refs or {}),
        sent_ms_ago=sent_ms_ago,
        product="BLU",
        store=STORE,
    )
