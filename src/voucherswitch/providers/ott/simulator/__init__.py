"""OTT itself, for tests and demonstrations: protocol, books and faults in one process (providers.md 6.7).

async with start() as simulator:
    settings = {"base_url": simulator.url, **CREDENTIALS, "default_outlet": "S001"}
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import MappingProxyType
from typing import Final

from voucherswitch.providers.contract.simulator.book import FLOAT_CENTS
from voucherswitch.providers.contract.simulator.running import RunningSimulator
from voucherswitch.providers.ott.simulator.calls import API_PASSWORD, API_USER, FIRST_KEY, VENDOR_CODE, VENDOR_ID
from voucherswitch.providers.ott.simulator.provider import OttProvider

PORT: Final[int] = 9106
CREDENTIALS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "api_user": API_USER,
        "api_password": API_PASSWORD,
        "api_key": FIRST_KEY,
        "vendor_code": VENDOR_CODE,
        "vendor_id": VENDOR_ID,
    }
)


def start(
    host: str = "127.0.0.1",
    port: int = 0,
    control_port: int | None = None,
    *,
    outbox_dir: Path | None = None,
    float_cents: int = FLOAT_CENTS,
) -> AbstractAsyncContextManager[RunningSimulator]:
    """Listen until the block ends. Port 0 takes a free one; the control port is by rule 100 above the other.

    Args:
        outbox_dir: where the daily files are written at 01:00 SAST; None: only asked ones are made.
        float_cents: our balance at OTT after every reset. Sales take from it, redemptions add to it.

    Raises:
        OSError: on entering, a port is taken; the text names the address.
        ValueError: the host is not loopback.
    """
    provider = OttProvider(float_cents)
    simulator = RunningSimulator(provider, host, port, control_port, outbox_dir)
    provider.clock = simulator.frame.clock
    return simulator
