"""Fixtures of Yoyo's tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.pair_support import Pair, fresh, running
from providers.yoyo.yoyo_support import CVS_HEADERS, POS_HEADERS, settings_of
from voucherswitch.providers.yoyo.connector import connect
from voucherswitch.providers.yoyo.simulator import CREDENTIALS, start


@pytest_asyncio.fixture(scope="session")
async def running_yoyo() -> AsyncIterator[Pair]:
    async with running(Pair, "yoyo", start, connect, settings_of) as pair:
        yield pair


@pytest_asyncio.fixture
async def yoyo(running_yoyo: Pair, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Pair]:
    """A fresh simulator. Every test with it ends with check 19: no code and no credential was recorded or logged."""
    running_yoyo.simulator.provider.set_profile({"partial": False, "zeroPadded": False})
    secrets = (*CREDENTIALS.values(), CVS_HEADERS["apiPassword"], POS_HEADERS["password"])
    async with fresh(running_yoyo, caplog, secrets) as pair:
        yield pair
