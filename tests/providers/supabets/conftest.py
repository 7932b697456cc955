"""Fixtures of the Supabets tests."""

from collections.abc import AsyncIterator, Mapping

import pytest
import pytest_asyncio

from providers.pair_support import Connect
from providers.supabets.supabets_support import Supabets, settings_of
from voucherswitch.providers.contract.connector import Connector
from voucherswitch.providers.contract.settings import read_settings
from voucherswitch.providers.supabets.connector import SupabetsConnector
from voucherswitch.providers.supabets.settings import SupabetsSettings
from voucherswitch.providers.supabets.simulator import SECRET, SupabetsSimulator, start


def simulator_time(simulator: SupabetsSimulator) -> Connect:
    """Builds connectors that have the simulator's clock, so that moving it does not make every token too old."""

    def connect(provider_id: str, settings: Mapping[str, object]) -> Connector:
        typed = read_settings(SupabetsSettings, provider_id, settings)
        return SupabetsConnector(provider_id, typed, simulator.frame.clock.now)

    return connect


@pytest_asyncio.fixture(scope="session")
async def running_supabets() -> AsyncIterator[tuple[SupabetsSimulator, Connector]]:
    """One simulator and one connector for all tests: building a client's TLS set-up takes longer than a test."""
    async with start() as simulator:
        connector = simulator_time(simulator)("supabets", settings_of(simulator))
        yield simulator, connector
        await connector.close()


@pytest_asyncio.fixture
async def supabets(
    running_supabets: tuple[SupabetsSimulator, Connector], caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Supabets]:
    """A fresh Supabets. Every test with it ends with one check: no PIN, token or secret was recorded or logged."""
    simulator, connector = running_supabets
    simulator.frame.reset()
    simulator.provider.set_profile({"lateReveal": False})
    caplog.set_level(0)
    pair = Supabets(simulator, connector, simulator_time(simulator), settings_of(simulator))
    yield pair
    await pair.close()
    shown = [*(repr(leg) for leg in pair.legs), *caplog.messages]
    assert [voucher.code for voucher in simulator.provider.book if any(voucher.code in text for text in shown)] == []
    assert not any("Bearer" in text or "eyJ" in text or SECRET in text for text in shown)
