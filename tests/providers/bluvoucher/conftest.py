"""Fixtures of the Blu Voucher tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.bluvoucher.blu_support import Blu
from providers.pair_support import fresh
from voucherswitch.providers.bluvoucher.simulator import start

SECRETS = ("SIM-DEV-1", "S-00000", "c2ltLXRyYWRl", "example-apikey", "example-trade-password")
PROFILE = {"spelling": "AEON", "resend": "conflict", "lookupUnit": "cents", "halfOpen": False}


@pytest_asyncio.fixture(scope="session")
async def running_blu() -> AsyncIterator[Blu]:
    """One simulator and one connector per mode for all tests."""
    async with start() as simulator:
        pair = Blu(simulator)
        yield pair
        await pair.aeon.close()
        await pair.trade.close()


@pytest_asyncio.fixture
async def blu(running_blu: Blu, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Blu]:
    """A fresh Blu Voucher. Every test ends with one check: no PIN and no credential was recorded or logged."""
    running_blu.simulator.provider.set_profile(PROFILE)
    async with fresh(running_blu, caplog, SECRETS) as pair:
        yield pair
