"""Fixtures of Lottostar's tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.lottostar.lottostar_support import Lottostar, settings_of
from providers.pair_support import fresh, running
from voucherswitch.providers.lottostar.connector import connect
from voucherswitch.providers.lottostar.simulator import SECRET, start


@pytest_asyncio.fixture(scope="session")
async def running_lottostar() -> AsyncIterator[Lottostar]:
    async with running(Lottostar, "lottostar", start, connect, settings_of) as pair:
        yield pair


@pytest_asyncio.fixture
async def lottostar(running_lottostar: Lottostar, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Lottostar]:
    """A fresh simulator, and a connector that knows nothing of its clock yet. Ends with check 19."""
    await running_lottostar.forget("lottostar")
    async with fresh(running_lottostar, caplog, (SECRET, "X-LS-")) as pair:
        yield pair
