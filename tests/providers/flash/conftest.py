"""Fixtures of Flash's tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.flash.flash_support import CLIENT_SECRET, KEY, Flash, settings_of
from providers.pair_support import fresh, running
from voucherswitch.providers.flash.connector import connect
from voucherswitch.providers.flash.simulator import start


@pytest_asyncio.fixture(scope="session")
async def running_flash() -> AsyncIterator[Flash]:
    async with running(Flash, "flash", start, connect, settings_of) as pair:
        yield pair


@pytest_asyncio.fixture
async def flash(running_flash: Flash, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Flash]:
    """A fresh simulator, and a connector that has no token yet. Ends with check 19."""
    running_flash.simulator.provider.tokens.expire()
    running_flash.simulator.provider.set_profile({"reverse": False})
    await running_flash.forget("flash")
    async with fresh(running_flash, caplog, (KEY, CLIENT_SECRET, "sim-token-", "Bearer ")) as pair:
        yield pair
