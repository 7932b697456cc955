"""Fixtures of Flash's tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.flash.flash_support import CLIENT_SECRET, KEY, Flash, settings_of
from voucherswitch.providers.flash.connector import connect
from voucherswitch.providers.flash.simulator import FlashSimulator, start


@pytest_asyncio.fixture(scope="session")
async def running_flash() -> AsyncIterator[FlashSimulator]:
    """One simulator for all tests."""
    async with start() as simulator:
        yield simulator


@pytest_asyncio.fixture
async def flash(running_flash: FlashSimulator, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Flash]:
    """A fresh simulator, and a connector that has no token yet.

    Every test with it ends with check 19: no PIN, no token and no credential was recorded or logged.
    """
    simulator = running_flash
    simulator.frame.reset()
    simulator.provider.tokens.expire()
    simulator.provider.set_profile({"reverse": False})
    caplog.set_level(0)
    settings = settings_of(simulator)
    pair = Flash(simulator, connect("flash", settings), connect, settings)
    yield pair
    await pair.connector.close()
    await pair.close()
    shown = [*(repr(leg) for leg in pair.legs), *caplog.messages]
    assert [one.serial for one in simulator.provider.book if any(one.code in text for text in shown)] == []
    for secret in (KEY, CLIENT_SECRET, "sim-token-", "Bearer "):
        assert not any(secret in text for text in shown)
