"""Yoyo itself, for tests and demonstrations: both of its APIs on one port, books and faults in one process.

async with start() as simulator:
    settings = {"base_url": simulator.url, **CREDENTIALS, "default_outlet": "S001"}
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from voucherswitch.providers.contract.simulator.book import FLOAT_CENTS
from voucherswitch.providers.contract.simulator.running import RunningSimulator
from voucherswitch.providers.yoyo.simulator.calls import API_ID, API_PASSWORD, POS_ID, POS_PASSWORD
from voucherswitch.providers.yoyo.simulator.provider import YoyoProvider

__all__ = ["CREDENTIALS", "PORT", "YoyoSimulator", "start"]

PORT: Final = 9107
CREDENTIALS: Final = {
    "api_id": API_ID,
    "api_password": API_PASSWORD,
    "pos_id": POS_ID,
    "pos_password": POS_PASSWORD,
}


class YoyoSimulator(RunningSimulator):
    """A running Yoyo. `url` is what `base_url` must be; `control_url` takes the calls of `/__sim`."""

    provider: YoyoProvider


@asynccontextmanager
async def start(
    host: str = "127.0.0.1",
    port: int = 0,
    control_port: int | None = None,
    *,
    outbox_dir: Path | None = None,
    float_cents: int = FLOAT_CENTS,
) -> AsyncIterator[YoyoSimulator]:
    """Listen until the block ends. Port 0 takes a free one; the control port is by rule 100 above the other.

    Args:
        outbox_dir: where the daily files are written at 01:00 SAST; None: only asked ones are made.
        float_cents: our balance at Yoyo after every reset. Every issue takes from it.

    Raises:
        OSError: a port is taken; the text names the address.
        ValueError: the host is not loopback.
    """
    async with YoyoSimulator(YoyoProvider(float_cents), host, port, control_port, outbox_dir) as simulator:
        yield simulator
