"""The sandbox provider itself, for tests and demonstrations: protocol, books and faults in one process.

async with start() as simulator:
    settings = {"base_url": simulator.url, "api_key": API_KEY, "default_outlet": "S001"}
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Literal

from voucherswitch.providers.contract.simulator.running import RunningSimulator
from voucherswitch.providers.sandbox.simulator.book import FLOAT_CENTS
from voucherswitch.providers.sandbox.simulator.provider import API_KEY, Profile, SandboxProvider

__all__ = ["API_KEY", "PORT", "SandboxSimulator", "start"]

PORT: Final = 9111


class SandboxSimulator(RunningSimulator):
    """A running sandbox. `url` is what `base_url` must be; `control_url` takes the calls of `/__sim`."""

    provider: SandboxProvider


@asynccontextmanager
async def start(
    host: str = "127.0.0.1",
    port: int = 0,
    control_port: int | None = None,
    *,
    id_reuse: Literal["replay", "rebind"] = "replay",
    code_reuse: Literal["strict", "rebind"] = "strict",
    float_cents: int = FLOAT_CENTS,
    outbox_dir: Path | None = None,
) -> AsyncIterator[SandboxSimulator]:
    """Listen until the block ends. Port 0 takes a free one; the control port is by rule 100 above the other.

    Args:
        float_cents: our balance at the sandbox after every reset. Every sale takes from it.
        outbox_dir: where the daily files are written at 01:00 SAST; None: only asked ones are made.

    Raises:
        OSError: a port is taken; the text names the address.
        ValueError: the host is not loopback.
    """
    provider = SandboxProvider(Profile(id_reuse, code_reuse), float_cents)
    async with SandboxSimulator(provider, host, port, control_port, outbox_dir) as simulator:
        yield simulator
