"""Lottostar's proposed protocol as a running provider, for tests and demonstrations.

async with start() as simulator:
    settings = {"base_url": simulator.url, "key_id": KEY_ID, "secret": SECRET, "default_outlet": "S001"}
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from voucherswitch.providers.contract.simulator.book import FLOAT_CENTS
from voucherswitch.providers.contract.simulator.running import RunningSimulator
from voucherswitch.providers.lottostar.simulator.credentials import KEY_ID, SECRET
from voucherswitch.providers.lottostar.simulator.provider import LottostarProvider

__all__ = ["KEY_ID", "PORT", "SECRET", "LottostarSimulator", "start"]

PORT: Final = 9103


class LottostarSimulator(RunningSimulator):
    """A running Lottostar. `url` is what `base_url` must be; `control_url` takes the calls of `/__sim`."""

    provider: LottostarProvider


@asynccontextmanager
async def start(
    host: str = "127.0.0.1",
    port: int = 0,
    control_port: int | None = None,
    *,
    outbox_dir: Path | None = None,
    float_cents: int = FLOAT_CENTS,
) -> AsyncIterator[LottostarSimulator]:
    """Listen until the block ends. Port 0 takes a free one; the control port is by rule 100 above the other.

    Args:
        outbox_dir: where the daily files and their digests are written at 01:00 SAST; None: only asked ones are made.
        float_cents: our balance at the provider after every reset.

    Raises:
        OSError: a port is taken; the text names the address.
        ValueError: the host is not loopback.
    """
    async with LottostarSimulator(LottostarProvider(float_cents), host, port, control_port, outbox_dir) as simulator:
        yield simulator
