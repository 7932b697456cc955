"""The Supabets provider itself, as proposed, for tests and demonstrations: protocol, books and faults in one process.

async with start() as simulator:
    settings = {"base_url": simulator.url, "partner_id": PARTNER_ID, "kid": KID, "secret": SECRET} | outlets
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from voucherswitch.providers.contract.simulator.book import FLOAT_CENTS
from voucherswitch.providers.contract.simulator.running import RunningSimulator
from voucherswitch.providers.supabets.simulator.provider import SupabetsProvider
from voucherswitch.providers.supabets.simulator.tokens import KID, PARTNER_ID, SECRET

__all__ = ["KID", "PARTNER_ID", "PORT", "SECRET", "SupabetsSimulator", "start"]

PORT: Final = 9105


class SupabetsSimulator(RunningSimulator):
    """A running Supabets. `url` is what `base_url` must be; `control_url` takes the calls of `/__sim`."""

    provider: SupabetsProvider


@asynccontextmanager
async def start(
    host: str = "127.0.0.1",
    port: int = 0,
    control_port: int | None = None,
    *,
    outbox_dir: Path | None = None,
    float_cents: int = FLOAT_CENTS,
    late_reveal: bool = False,
) -> AsyncIterator[SupabetsSimulator]:
    """Listen until the block ends. Port 0 takes a free one; the control port is by rule 100 above the other.

    Args:
        outbox_dir: where the daily files are written at 01:00 SAST; None: only asked ones are made.
        float_cents: our balance at the provider after every reset. Every reservation takes from it.
        late_reveal: PINs show only once they are committed; `POST /__sim/profile` changes it.

    Raises:
        OSError: a port is taken; the text names the address.
        ValueError: the host is not loopback.
    """
    provider = SupabetsProvider(float_cents, late_reveal=late_reveal)
    simulator = SupabetsSimulator(provider, host, port, control_port, outbox_dir)
    provider.now = simulator.frame.clock.now
    async with simulator:
        yield simulator
