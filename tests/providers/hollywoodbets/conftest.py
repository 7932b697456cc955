"""Fixtures of Hollywoodbets' tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.hollywoodbets.hollywoodbets_support import AUTHORIZATION, Hollywoodbets, settings_of
from providers.pair_support import fresh, running
from voucherswitch.providers.hollywoodbets.connector import connect
from voucherswitch.providers.hollywoodbets.simulator import PASSWORD, start


@pytest_asyncio.fixture(scope="session")
async def running_hollywoodbets() -> AsyncIterator[Hollywoodbets]:
    async with running(Hollywoodbets, "hollywoodbets", start, connect, settings_of) as pair:
        yield pair


@pytest_asyncio.fixture
async def hollywoodbets(
    running_hollywoodbets: Hollywoodbets, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Hollywoodbets]:
    """A fresh simulator. Every test with it ends with check 19: no PIN and no credential was recorded or logged."""
    async with fresh(running_hollywoodbets, caplog, (PASSWORD, AUTHORIZATION)) as pair:
        yield pair
