"""Fixtures of Netcare's tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.netcare.netcare_support import connector_of, settings_of
from providers.pair_support import Pair, fresh, running
from voucherswitch.providers.netcare.connector import connect
from voucherswitch.providers.netcare.simulator import PASSWORD, USERNAME, start


@pytest_asyncio.fixture(scope="session")
async def running_netcare() -> AsyncIterator[Pair]:
    async with running(Pair, "netcare", start, connect, settings_of) as pair:
        yield pair


@pytest_asyncio.fixture
async def netcare(running_netcare: Pair, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Pair]:
    """A fresh simulator, and a connector that goes by its clock and has no price yet. Ends with check 19."""
    connector = connector_of(running_netcare)
    connector._now = running_netcare.simulator.frame.clock.now
    connector._prices.forget()
    async with fresh(running_netcare, caplog, (PASSWORD, USERNAME)) as pair:
        yield pair
