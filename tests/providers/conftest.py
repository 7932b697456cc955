"""Fixtures of the provider tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from providers.pair_support import fresh, running
from providers.sandbox_support import Sandbox, settings_of
from voucherswitch.providers.sandbox.connector import connect
from voucherswitch.providers.sandbox.simulator import API_KEY, start

# How long an example takes says nothing where other processes want the processor too.
settings.register_profile("providers", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("providers")


@pytest_asyncio.fixture(scope="session")
async def running_sandbox() -> AsyncIterator[Sandbox]:
    async with running(Sandbox, "sandbox", start, connect, settings_of) as pair:
        yield pair


@pytest_asyncio.fixture
async def sandbox(running_sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Sandbox]:
    """A fresh sandbox. Every test with it ends with one check: no code and no credential was recorded or logged."""
    running_sandbox.simulator.provider.set_profile({"idReuse": "replay", "codeReuse": "strict"})
    async with fresh(running_sandbox, caplog, ("Bearer", API_KEY)) as pair:
        yield pair
