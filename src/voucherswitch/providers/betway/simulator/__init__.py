"""The Betway provider itself, as proposed, for tests and demonstrations: protocol, books and faults in one process.

async with start() as simulator:
    settings = {"base_url": simulator.url, "token": TOKEN, "default_outlet": "S001"}
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from voucherswitch.providers.betway.simulator.provider import TOKEN, BetwayProvider, Profile
from voucherswitch.providers.contract.simulator.book import FLOAT_CENTS
from voucherswitch.providers.contract.simulator.running import RunningSimulator

__all__ = ["PORT", "TOKEN", "BetwaySimulator", "start"]

PORT: Final = 9110


class BetwaySimulator(RunningSimulator):
    """A running Betway. `url` is what `base_url` must be; `control_url` takes the calls of `/__sim`."""

    provider: BetwayProvider


@asynccontextmanager
async def start(
    host: str = "127.0.0.1",
    port: int = 0,
    control_port: int | None = None,
    *,
    outbox_dir: Path | None = None,
    float_cents: int = FLOAT_CENTS,
    immediate_percent: int = 0,
) -> AsyncIterator[BetwaySimulator]:
    """Listen until the block ends. Port 0 takes a free one; the control port is by rule 100 above the other.

    Args:
        outbox_dir: where the daily files are written at 01:00 SAST; None: only asked ones are made.
        float_cents: our balance at the provider after every reset. Every fulfilled order takes from it.
        immediate_percent: how many orders of a hundred are fulfilled at once; `POST /__sim/profile` changes it.

    Raises:
        OSError: a port is taken; the text names the address.
        ValueError: the host is not loopback.
    """
    provider = BetwayProvider(Profile(immediate_percent=immediate_percent), float_cents)
    simulator = BetwaySimulator(provider, host, port, control_port, outbox_dir)
    provider.now = simulator.frame.clock.now
    async with simulator:
        yield simulator
