"""Blu Voucher itself, for tests and demonstrations: AEON and the trade API on one set of books, with faults.

async with start() as simulator:
    simulator.url, simulator.trade_url
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from voucherswitch.providers.bluvoucher.simulator.provider import CLOSING_TAG, BluVoucherProvider
from voucherswitch.providers.contract.simulator.book import FLOAT_CENTS
from voucherswitch.providers.contract.simulator.line_wire import LineListener
from voucherswitch.providers.contract.simulator.running import RunningSimulator
from voucherswitch.providers.contract.simulator.wire import Listener

PORT: Final = 9108  # AEON, over TCP
TRADE_PORT_ABOVE: Final = 10


class BluVoucherSimulator(RunningSimulator):
    """A running Blu Voucher. `url` is `tcp://host:port` of AEON; `control_url` takes the calls of `/__sim` for both."""

    provider: BluVoucherProvider

    @property
    def trade_url(self) -> str:
        """The trade API's address, as `base_url` wants it."""
        return self.frame.listeners[1].url


@asynccontextmanager
async def start(
    host: str = "127.0.0.1",
    port: int = 0,
    control_port: int | None = None,
    *,
    outbox_dir: Path | None = None,
    float_cents: int = FLOAT_CENTS,
) -> AsyncIterator[BluVoucherSimulator]:
    """Listen until the block ends: AEON on `port`, the trade API 10 above it, the control API 100 above it.

    Args:
        port: 0 takes free ones for all three.
        outbox_dir: where the daily files are written at 01:00 SAST; None: only asked ones are made.
        float_cents: our balance after every reset.

    Raises:
        OSError: a port is taken; the text names the address.
        ValueError: the host is not loopback.
    """
    provider = BluVoucherProvider(float_cents)
    aeon = partial(LineListener, closing_tag=CLOSING_TAG, reads=lambda: not provider.profile.half_open)
    trade_port = port + TRADE_PORT_ABOVE if port else 0
    simulator = BluVoucherSimulator(
        provider, host, port, control_port, outbox_dir, wires=(aeon, Listener), further_ports=(trade_port,)
    )
    async with simulator:
        yield simulator
