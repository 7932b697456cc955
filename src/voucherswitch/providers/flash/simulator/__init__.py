"""Flash itself, for tests and demonstrations: protocol, books and faults in one process.

async with start() as simulator:
    settings = {"base_url": simulator.url, "api_key": API_KEY, "account_number": ACCOUNT, "default_outlet": "S001"}
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from voucherswitch.providers.contract.simulator.book import FLOAT_CENTS
from voucherswitch.providers.contract.simulator.running import RunningSimulator
from voucherswitch.providers.flash.simulator.answers import ACCOUNT
from voucherswitch.providers.flash.simulator.provider import FlashProvider
from voucherswitch.providers.flash.simulator.tokens import API_KEY

__all__ = ["ACCOUNT", "API_KEY", "PORT", "FlashSimulator", "start"]

PORT: Final = 9109


class FlashSimulator(RunningSimulator):
    """A running Flash. `url` is what `base_url` must be; `control_url` takes the calls of `/__sim`."""

    provider: FlashProvider


@asynccontextmanager
async def start(
    host: str = "127.0.0.1",
    port: int = 0,
    control_port: int | None = None,
    *,
    outbox_dir: Path | None = None,
    float_cents: int = FLOAT_CENTS,
    reverse: bool = False,
) -> AsyncIterator[FlashSimulator]:
    """Listen until the block ends. Port 0 takes a free one; the control port is by rule 100 above the other.

    Args:
        outbox_dir: where the daily files are written at 01:00 SAST; None: only asked ones are made.
        float_cents: our balance after every reset. Every sale takes from it.
        reverse: whether there is a reverse call; `POST /__sim/profile` changes it.

    Raises:
        OSError: a port is taken; the text names the address.
        ValueError: the host is not loopback.
    """
    simulator = FlashSimulator(FlashProvider(float_cents, reverse=reverse), host, port, control_port, outbox_dir)
    async with simulator:
        yield simulator
