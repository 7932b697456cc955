"""Fixtures of the Betway tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.betway.betway_support import PROFILE, Betway, settings_of
from providers.pair_support import fresh, running
from voucherswitch.providers.betway.connector import connect
from voucherswitch.providers.betway.simulator import TOKEN, start


@pytest_asyncio.fixture(scope="session")
async def running_betway() -> AsyncIterator[Betway]:
    async with running(Betway, "betway", start, connect, settings_of) as pair:
        yield pair


@pytest_asyncio.fixture
async def betway(running_betway: Betway, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Betway]:
    """A fresh Betway. Every test with it ends with one check: no PIN and no token was recorded or logged."""
    running_betway.simulator.provider.set_profile(PROFILE)
    async with fresh(running_betway, caplog, ("Bearer", TOKEN)) as pair:
        yield pair
