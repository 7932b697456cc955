"""Fixtures of Stellr's tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.pair_support import Pair, fresh, running
from providers.stellr.stellr_support import settings_of
from voucherswitch.providers.stellr.connector import connect
from voucherswitch.providers.stellr.simulator import PASSWORD, start


@pytest_asyncio.fixture(scope="session")
async def running_stellr() -> AsyncIterator[Pair]:
    async with running(Pair, "stellr", start, connect, settings_of) as pair:
        yield pair


@pytest_asyncio.fixture
async def stellr(running_stellr: Pair, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Pair]:
    """A fresh simulator. Every test with it ends with check 19: no code and no credential was recorded or logged."""
    async with fresh(running_stellr, caplog, (PASSWORD,)) as pair:
        yield pair
