"""Attackers come over TLS, as everybody does who is not on this machine."""

from collections.abc import AsyncIterator

import pytest

from support.switch import Switch


@pytest.fixture(scope="session")
async def switch(switch: Switch) -> AsyncIterator[Switch]:
    """The switch that all tests of this process share, spoken to over TLS."""
    over_tls = switch.over_tls()
    yield over_tls
    await over_tls.client.close()
