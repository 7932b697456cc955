"""Fixtures of every tier. Nothing is started before the first test that asks for it."""

from collections.abc import AsyncIterator

import pytest

from support.addresses import ensure_own_address
from support.listener import Listener, both
from support.originators import HASTY, OTHER, SINGLE, STRICT, TILL
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till


def pytest_sessionstart() -> None:
    """Before anything listens: attackers come from an address that is not loopback."""
    ensure_own_address()


@pytest.fixture(scope="session")
async def switch() -> AsyncIterator[Switch]:
    """One running switch for all tests of this process; it must not have logged anything unexpected in the end."""
    async with Switch.start() as running:
        yield running
        assert running.complaints() == []


@pytest.fixture(scope="module", autouse=True)
async def invariants_hold() -> AsyncIterator[None]:
    """After each module: whatever its tests did, nothing is broken in the journal of any switch that runs."""
    yield
    for running in Switch.running:
        assert await running.broken_invariants() == []


@pytest.fixture(scope="session")
def listeners(switch: Switch) -> tuple[Listener, Listener]:
    """Both listeners of the switch, for a test that tries them at once."""
    return both(switch)


@pytest.fixture(scope="module", params=[0, 1], ids=["plain", "TLS"])
def listener(listeners: tuple[Listener, Listener], request: pytest.FixtureRequest) -> Listener:
    """Each of them, one after the other."""
    return listeners[request.param]


@pytest.fixture
def simulator(switch: Switch) -> SimulatorControl:
    """The provider's control API."""
    return switch.simulator


@pytest.fixture
def till(switch: Switch) -> Till:
    """The originator that certification would use."""
    return Till(switch, TILL)


@pytest.fixture
def other(switch: Switch) -> Till:
    """A second originator with the same settings."""
    return Till(switch, OTHER)


@pytest.fixture
def strict(switch: Switch) -> Till:
    """An originator whose ids serve once only."""
    return Till(switch, STRICT)


@pytest.fixture
def hasty(switch: Switch) -> Till:
    """An originator that is answered within a second."""
    return Till(switch, HASTY)


@pytest.fixture
def single(switch: Switch) -> Till:
    """A single-message originator; the switch confirms a second after the answer."""
    return Till(switch, SINGLE)
