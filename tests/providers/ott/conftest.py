"""Fixtures of OTT's tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.ott.ott_support import SAMPLE_AUTHORIZATION, Ott, settings_of
from voucherswitch.providers.contract.connector import Connector
from voucherswitch.providers.contract.simulator.running import RunningSimulator
from voucherswitch.providers.ott.connector import connect
from voucherswitch.providers.ott.simulator import CREDENTIALS, start


@pytest_asyncio.fixture(scope="session")
async def running_ott() -> AsyncIterator[tuple[RunningSimulator, Connector]]:
    """One simulator and one connector for all tests: building a client's TLS set-up takes longer than a test."""
    async with start() as simulator:
        connector = connect("ott", settings_of(simulator))
        yield simulator, connector
        await connector.close()


@pytest_asyncio.fixture
async def ott(running_ott: tuple[RunningSimulator, Connector], caplog: pytest.LogCaptureFixture) -> AsyncIterator[Ott]:
    """A fresh simulator. Every test with it ends with check 19: no PIN, no credential, no hash recorded or logged."""
    simulator, connector = running_ott
    pair = Ott(simulator, connector)
    simulator.frame.reset()
    pair.provider.set_profile({"autoRejectMin": 0, "expiryDate": False})
    caplog.set_level(0)
    yield pair
    for other in pair.connectors:
        await other.close()
    shown = [*(repr(leg) for leg in pair.legs), *caplog.messages]
    secrets = [one.code for one in pair.provider.book]
    secrets += [CREDENTIALS["api_password"], SAMPLE_AUTHORIZATION, "EXAMPLE-KEY-"]
    assert [secret for secret in secrets if any(secret in text for text in shown)] == []
    assert all("hash=***" in leg.request for leg in pair.legs)
