"""Fixtures of Yoyo's tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.pair_support import Pair
from providers.yoyo.yoyo_support import CVS_HEADERS, POS_HEADERS, settings_of
from voucherswitch.providers.contract.connector import Connector
from voucherswitch.providers.yoyo.connector import connect
from voucherswitch.providers.yoyo.simulator import CREDENTIALS, YoyoSimulator, start


@pytest_asyncio.fixture(scope="session")
async def running_yoyo() -> AsyncIterator[tuple[YoyoSimulator, Connector]]:
    """One simulator and one connector for all tests: building a client's TLS set-up takes longer than a test."""
    async with start() as simulator:
        connector = connect("yoyo", settings_of(simulator))
        yield simulator, connector
        await connector.close()


@pytest_asyncio.fixture
async def yoyo(running_yoyo: tuple[YoyoSimulator, Connector], caplog: pytest.LogCaptureFixture) -> AsyncIterator[Pair]:
    """A fresh simulator with its connector. Every test with it ends with check 19: no code and no credential was
    recorded or logged."""
    simulator, connector = running_yoyo
    simulator.frame.reset()
    simulator.provider.set_profile({"partial": False, "zeroPadded": False})
    caplog.set_level(0)
    pair = Pair(simulator, connector, connect, settings_of(simulator))
    yield pair
    await pair.close()
    shown = [*(repr(leg) for leg in pair.legs), *caplog.messages]
    secrets = {*CREDENTIALS.values(), CVS_HEADERS["apiPassword"], POS_HEADERS["password"]}
    secrets |= {item.code for item in simulator.provider.book}
    assert [secret for secret in secrets if any(secret in text for text in shown)] == []
