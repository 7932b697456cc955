"""One database for all worlds of this folder."""

from collections.abc import Iterator

import pytest

from simulation.runner import Simulation, a_simulation


@pytest.fixture(scope="session")
def simulation() -> Iterator[Simulation]:
    """Runs seeds."""
    with a_simulation() as running:
        yield running
