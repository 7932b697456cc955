"""Fixtures of Netcare's tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.netcare.netcare_support import connector_of, settings_of
from providers.xml_support import Pair, fresh
from voucherswitch.providers.netcare.connector import connect
from voucherswitch.providers.netcare.simulator import PASSWORD, USERNAME, start


@pytest_asyncio.fixture(scope="session")
async def running_netcare() -> AsyncIterator[Pair]:
    """One simulator and one connector for all tests: building a client's TLS set-up takes longer than a test."""
    async with start() as simulator:
        settings = settings_of(simulator)
        connector = connect("netcare", settings)
        yield Pair("netcare", simulator, connector, connect, settings)
        await connector.close()


@pytest_asyncio.fixture
async def netcare(running_netcare: Pair, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Pair]:
    """A fresh pair whose connector goes by the simulator's clock.

    Every test with it ends with one check: no code and no credential was recorded or logged.
    """
    shared = running_netcare
    pair = Pair("netcare", shared.simulator, shared.connector, connect, shared.settings)
    connector = connector_of(pair)
    connector._now = shared.simulator.frame.clock.now
    connector._prices.forget()
    async with fresh(pair, (PASSWORD, USERNAME), caplog):
        yield pair
