"""Fixtures of Stellr's tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.stellr.stellr_support import settings_of
from providers.xml_support import Pair, fresh
from voucherswitch.providers.stellr.connector import connect
from voucherswitch.providers.stellr.simulator import PASSWORD, start


@pytest_asyncio.fixture(scope="session")
async def running_stellr() -> AsyncIterator[Pair]:
    """One simulator and one connector for all tests: building a client's TLS set-up takes longer than a test."""
    async with start() as simulator:
        settings = settings_of(simulator)
        connector = connect("stellr", settings)
        yield Pair("stellr", simulator, connector, connect, settings)
        await connector.close()


@pytest_asyncio.fixture
async def stellr(running_stellr: Pair, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Pair]:
    """A fresh pair. Every test with it ends with one check: no code and no credential was recorded or logged."""
    shared = running_stellr
    pair = Pair("stellr", shared.simulator, shared.connector, connect, shared.settings)
    async with fresh(pair, (PASSWORD,), caplog):
        yield pair
