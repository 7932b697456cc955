"""Fixtures of the Supabets tests."""

from collections.abc import AsyncIterator, Mapping

import pytest
import pytest_asyncio

from providers.pair_support import PLAIN, Connect, fresh
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
async def running_supabets() -> AsyncIterator[Supabets]:
    """One simulator and one connector for all tests."""
    async with start() as simulator:
        connect, settings = simulator_time(simulator), {**settings_of(simulator), **PLAIN}
        pair = Supabets(simulator, connect("supabets", settings), connect, settings)
        yield pair
        await pair.connector.close()


@pytest_asyncio.fixture
async def supabets(running_supabets: Supabets, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Supabets]:
    """A fresh Supabets. Every test with it ends with one check: no PIN, token or secret was recorded or logged."""
    running_supabets.simulator.provider.set_profile({"lateReveal": False})
    async with fresh(running_supabets, caplog, ("Bearer", "eyJ", SECRET)) as pair:
        yield pair
