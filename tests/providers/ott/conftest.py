"""Fixtures of OTT's tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.ott.ott_support import SAMPLE_AUTHORIZATION, Ott, settings_of
from providers.pair_support import fresh, running
from voucherswitch.providers.ott.connector import connect
from voucherswitch.providers.ott.simulator import CREDENTIALS, start


@pytest_asyncio.fixture(scope="session")
async def running_ott() -> AsyncIterator[Ott]:
    async with running(Ott, "ott", start, connect, settings_of) as pair:
        yield pair


@pytest_asyncio.fixture
async def ott(running_ott: Ott, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Ott]:
    """A fresh simulator. Every test with it ends with check 19: no PIN, no credential, no hash recorded or logged."""
    running_ott.provider.set_profile({"autoRejectMin": 0, "expiryDate": False})
    secrets = (CREDENTIALS["api_password"], SAMPLE_AUTHORIZATION, "EXAMPLE-KEY-")
    async with fresh(running_ott, caplog, secrets) as pair:
        yield pair
    assert all("hash=***" in leg.request for leg in pair.legs)
