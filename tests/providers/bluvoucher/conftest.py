"""Fixtures of the Blu Voucher tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.bluvoucher.blu_support import Blu
from voucherswitch.providers.bluvoucher.connector import AeonConnector, connect
from voucherswitch.providers.bluvoucher.kit import aeon_settings, trade_settings
from voucherswitch.providers.bluvoucher.simulator import BluVoucherSimulator, start
from voucherswitch.providers.bluvoucher.trade_connector import TradeConnector

Running = tuple[BluVoucherSimulator, AeonConnector, TradeConnector]


@pytest_asyncio.fixture(scope="session")
async def running() -> AsyncIterator[Running]:
    """One simulator and one connector per mode for all tests."""
    async with start() as simulator:
        aeon = connect("bluvoucher", aeon_settings(simulator))
        trade = connect("bluvoucher", trade_settings(simulator))
        assert isinstance(aeon, AeonConnector)
        assert isinstance(trade, TradeConnector)
        yield simulator, aeon, trade
        await aeon.close()
        await trade.close()


@pytest_asyncio.fixture
async def blu(running: Running, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Blu]:
    """A fresh Blu Voucher. Every test ends with one check: no PIN and no credential was recorded or logged."""
    simulator, aeon, trade = running
    simulator.frame.reset()
    simulator.provider.set_profile({"spelling": "AEON", "resend": "conflict", "lookupUnit": "cents", "halfOpen": False})
    caplog.set_level(0)
    pair = Blu(simulator, aeon, trade)
    yield pair
    for other in pair.connectors:
        await other.close()
    shown = [*(repr(leg) for leg in pair.legs), *caplog.messages]
    assert [one.code for one in simulator.provider.book if any(one.code in text for text in shown)] == []
    for secret in ("SIM-DEV-1", "S-00000", "c2ltLXRyYWRl", "example-apikey", "example-trade-password"):
        assert not any(secret in text for text in shown)
