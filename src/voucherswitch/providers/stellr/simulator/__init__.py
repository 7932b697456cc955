"""The simulated Stellr (Proposed), for tests and demonstrations: protocol, books and faults in one process.

async with start() as simulator:
    settings = {"base_url": simulator.url, "terminal_id": TERMINAL_ID, "channel_id": CHANNEL_ID, "password": PASSWORD}
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from voucherswitch.providers.contract.simulator.book import FLOAT_CENTS
from voucherswitch.providers.contract.simulator.running import RunningSimulator
from voucherswitch.providers.stellr.simulator.forms import CHANNEL_ID, PASSWORD, TERMINAL_ID
from voucherswitch.providers.stellr.simulator.provider import StellrProvider

__all__ = ["CHANNEL_ID", "PASSWORD", "PORT", "TERMINAL_ID", "start"]

PORT: Final[int] = 9101


@asynccontextmanager
async def start(
    host: str = "127.0.0.1",
    port: int = 0,
    control_port: int | None = None,
    *,
    outbox_dir: Path | None = None,
    float_cents: int = FLOAT_CENTS,
) -> AsyncIterator[RunningSimulator]:
    """Listen until the block ends. Port 0 takes a free one; the control port is by rule 100 above the other.

    Args:
        float_cents: our balance at Stellr after every reset. Every sale takes from it.
        outbox_dir: where the daily files are written at 01:00 SAST; None: only asked ones are made.

    Raises:
        OSError: a port is taken; the text names the address.
        ValueError: the host is not loopback.
    """
    async with RunningSimulator(StellrProvider(float_cents), host, port, control_port, outbox_dir) as simulator:
        yield simulator
