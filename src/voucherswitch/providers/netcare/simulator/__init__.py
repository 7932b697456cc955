"""The simulated Netcare (Proposed), for tests and demonstrations: protocol, books and faults in one process.

async with start() as simulator:
    settings = {"base_url": simulator.url, "username": USERNAME, "password": PASSWORD}
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from voucherswitch.providers.contract.simulator.book import FLOAT_CENTS
from voucherswitch.providers.contract.simulator.running import RunningSimulator
from voucherswitch.providers.netcare.simulator.provider import NetcareProvider
from voucherswitch.providers.netcare.simulator.security import PASSWORD, USERNAME

__all__ = ["PASSWORD", "PORT", "USERNAME", "start"]

PORT: Final[int] = 9102


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
        float_cents: our credit at Netcare after every reset. Every sale takes from it.
        outbox_dir: where the monthly files are written, at 01:00 SAST of the next month; None: only those asked for.

    Raises:
        OSError: a port is taken; the text names the address.
        ValueError: the host is not loopback.
    """
    async with RunningSimulator(NetcareProvider(float_cents), host, port, control_port, outbox_dir) as simulator:
        yield simulator
