"""Fixtures of Lottostar's tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.lottostar.lottostar_support import Lottostar, settings_of
from voucherswitch.providers.lottostar.connector import connect
from voucherswitch.providers.lottostar.simulator import SECRET, LottostarSimulator, start


@pytest_asyncio.fixture(scope="session")
async def running_lottostar() -> AsyncIterator[LottostarSimulator]:
    """One simulator for all tests."""
    async with start() as simulator:
        yield simulator


@pytest_asyncio.fixture
async def lottostar(
    running_lottostar: LottostarSimulator, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Lottostar]:
    """A fresh simulator, and a connector that knows nothing of its clock yet.

    Every test with it ends with check 19: no code and no secret was recorded or logged.
    """
    simulator = running_lottostar
    simulator.frame.reset()
    caplog.set_level(0)
    pair = Lottostar(simulator, connect("lottostar", settings_of(simulator)))
    yield pair
    for connector in (pair.connector, *pair.connectors):
        await connector.close()
    shown = [*(repr(leg) for leg in pair.legs), *caplog.messages]
    assert [one.code for one in simulator.provider.book if any(one.code in text for text in shown)] == []
    assert not any(SECRET in text or "X-LS-" in text for text in shown)
