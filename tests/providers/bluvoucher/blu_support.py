"""What the Blu Voucher tests share: the simulator with a connector per mode, raw AEON lines, and the samples."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from providers.pair_support import PLAIN, Pair
from providers.provider_support import A1, R1, R2, STORE, voucher_of
from voucherswitch.message.codes import ReversalReason
from voucherswitch.message.orders import AdviceOrder, LookupOrder, ProvisionOrder, RedeemOrder, StatusOrder
from voucherswitch.message.parties import Voucher
from voucherswitch.providers.bluvoucher.connector import AeonConnector, connect
from voucherswitch.providers.bluvoucher.kit import aeon_settings, trade_settings
from voucherswitch.providers.bluvoucher.simulator import BluVoucherSimulator
from voucherswitch.providers.bluvoucher.trade_connector import TradeConnector

FIRST_PIN = "1000200030004000"
SETTLED = 30_000

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


def aeon_of(simulator: BluVoucherSimulator, **settings: object) -> AeonConnector:
    connector = connect("bluvoucher", {**aeon_settings(simulator), **settings})
    assert isinstance(connector, AeonConnector)
    return connector


def trade_of(simulator: BluVoucherSimulator, **settings: object) -> TradeConnector:
    connector = connect("bluvoucher", {**trade_settings(simulator), **PLAIN, **settings})
    assert isinstance(connector, TradeConnector)
    return connector


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


class Blu(Pair):
    """The simulator with a connector per mode."""

    simulator: BluVoucherSimulator
    aeon: AeonConnector
    sale = staticmethod(provision_order)

    def __init__(self, simulator: BluVoucherSimulator) -> None:
        self.aeon, self.trade = aeon_of(simulator), trade_of(simulator)
        super().__init__(simulator, self.aeon, connect, aeon_settings(simulator))

    @property
    def asked(self) -> list[str]:
        """The operations of the legs that are no Authentication."""
        return [leg.operation for leg in self.legs if leg.operation != "auth"]

    def trade_with(self, **settings: object) -> TradeConnector:
        """Another trade connector; closed when the test ends."""
        connector = trade_of(self.simulator, **settings)
        self._others.append(connector)
        return connector

    async def usable(self, request_id: str = R1, **more: Any) -> Voucher:
        """A voucher that can be spent."""
        voucher = await self.issued(request_id, **more)
        await self.aeon.confirm(advice_order(request_id), self.call())
        return voucher

    async def traded(self, request_id: str = R1, **more: Any) -> Voucher:
        """A voucher that was sold over the trade API."""
        return voucher_of(await self.trade.provision(provision_order(request_id=request_id, **more), self.call()))

    @asynccontextmanager
    async def line(self) -> AsyncIterator[Line]:
        """A raw AEON connection, past our connector."""
        port = self.simulator.frame.listener.port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield Line(reader, writer)
        finally:
            writer.close()
