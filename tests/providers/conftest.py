"""Fixtures of the provider tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.provider_support import Sandbox, settings_of
from voucherswitch.providers.sandbox.connector import SandboxConnector, connect
from voucherswitch.providers.sandbox.simulator import API_KEY, SandboxSimulator, start


@pytest_asyncio.fixture(scope="session")
async def running_sandbox() -> AsyncIterator[tuple[SandboxSimulator, SandboxConnector]]:
    """One sandbox and one connector for all tests: building a client's TLS set-up takes longer than a test."""
    async with start() as simulator:
        connector = connect("sandbox", settings_of(simulator))
        yield simulator, connector
        await connector.close()


@pytest_asyncio.fixture
async def sandbox(
    running_sandbox: tuple[SandboxSimulator, SandboxConnector], caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Sandbox]:
    """A fresh sandbox. Every test with it ends with one check: no code and no credential was recorded or logged."""
    simulator, connector = running_sandbox
    simulator.frame.reset()
    simulator.provider.set_profile({"idReuse": "replay", "codeReuse": "strict"})
    caplog.set_level(0)
    pair = Sandbox(simulator, connector)
    yield pair
    for other in pair.connectors:
        await other.close()
    shown = [*(repr(leg) for leg in pair.legs), *caplog.messages]
    assert [code for code in simulator.provider.book.by_code if any(code in text for text in shown)] == []
    assert not any("Bearer" in text or API_KEY in text for text in shown)
