"""Fixtures of the Betway tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.betway.betway_support import PROFILE, Betway, settings_of
from voucherswitch.providers.betway.connector import connect
from voucherswitch.providers.betway.simulator import TOKEN, BetwaySimulator, start
from voucherswitch.providers.contract.connector import Connector


@pytest_asyncio.fixture(scope="session")
async def running_betway() -> AsyncIterator[tuple[BetwaySimulator, Connector]]:
    """One simulator and one connector for all tests: building a client's TLS set-up takes longer than a test."""
    async with start() as simulator:
        connector = connect("betway", settings_of(simulator))
        yield simulator, connector
        await connector.close()


@pytest_asyncio.fixture
async def betway(
    running_betway: tuple[BetwaySimulator, Connector], caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Betway]:
    """A fresh Betway. Every test with it ends with one check: no PIN and no token was recorded or logged."""
    simulator, connector = running_betway
    simulator.frame.reset()
    simulator.provider.set_profile(PROFILE)
    caplog.set_level(0)
    pair = Betway(simulator, connector, connect, settings_of(simulator))
    yield pair
    await pair.close()
    shown = [*(repr(leg) for leg in pair.legs), *caplog.messages]
    assert [voucher.code for voucher in simulator.provider.book if any(voucher.code in text for text in shown)] == []
    assert not any("Bearer" in text or TOKEN in text for text in shown)
