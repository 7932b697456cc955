"""Hollywoodbets' proposed protocol as a running provider, for tests and demonstrations.

async with start() as simulator:
    settings = {"base_url": simulator.url, "partner": PARTNER, "password": PASSWORD, "default_outlet": "S001"}
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from voucherswitch.providers.contract.simulator.book import FLOAT_CENTS
from voucherswitch.providers.contract.simulator.running import RunningSimulator
from voucherswitch.providers.hollywoodbets.simulator.provider import PARTNER, PASSWORD, HollywoodbetsProvider

__all__ = ["PARTNER", "PASSWORD", "PORT", "HollywoodbetsSimulator", "start"]

PORT: Final = 9104


class HollywoodbetsSimulator(RunningSimulator):
    """A running Hollywoodbets. `url` is what `base_url` must be; `control_url` takes the calls of `/__sim`."""

    provider: HollywoodbetsProvider


@asynccontextmanager
async def start(
    host: str = "127.0.0.1",
    port: int = 0,
    control_port: int | None = None,
    *,
    outbox_dir: Path | None = None,
    float_cents: int = FLOAT_CENTS,
) -> AsyncIterator[HollywoodbetsSimulator]:
    """Listen until the block ends. Port 0 takes a free one; the control port is by rule 100 above the other.

    Args:
        outbox_dir: where the daily files are written at 01:00 SAST; None: only asked ones are made.
        float_cents: our credit at the provider after every reset.

    Raises:
        OSError: a port is taken; the text names the address.
        ValueError: the host is not loopback.
    """
    provider = HollywoodbetsProvider(float_cents)
    async with HollywoodbetsSimulator(provider, host, port, control_port, outbox_dir) as simulator:
        yield simulator
