"""Fixtures of Hollywoodbets' tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.hollywoodbets.hollywoodbets_support import AUTHORIZATION, Hollywoodbets, settings_of
from voucherswitch.providers.contract.connector import Connector
from voucherswitch.providers.hollywoodbets.connector import connect
from voucherswitch.providers.hollywoodbets.simulator import PASSWORD, HollywoodbetsSimulator, start


@pytest_asyncio.fixture(scope="session")
async def running_hollywoodbets() -> AsyncIterator[tuple[HollywoodbetsSimulator, Connector]]:
    """One simulator and one connector for all tests: building a client's TLS set-up takes longer than a test."""
    async with start() as simulator:
        connector = connect("hollywoodbets", settings_of(simulator))
        yield simulator, connector
        await connector.close()


@pytest_asyncio.fixture
async def hollywoodbets(
    running_hollywoodbets: tuple[HollywoodbetsSimulator, Connector], caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Hollywoodbets]:
    """A fresh simulator. Every test with it ends with check 19: no PIN and no credential was recorded or logged."""
    simulator, connector = running_hollywoodbets
    simulator.frame.reset()
    caplog.set_level(0)
    pair = Hollywoodbets(simulator, connector)
    yield pair
    for other in pair.connectors:
        await other.close()
    shown = [*(repr(leg) for leg in pair.legs), *caplog.messages]
    assert [one.code for one in simulator.provider.book if any(one.code in text for text in shown)] == []
    # A PIN that was sent as a number has lost its zeros, and is one all the same.
    numbers = [str(int(one.code)) for one in simulator.provider.book]
    assert [number for number in numbers if any(number in text for text in shown)] == []
    assert not any(PASSWORD in text or AUTHORIZATION in text for text in shown)
