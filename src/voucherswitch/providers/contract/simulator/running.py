"""A simulator that listens: its protocol port and its control port, opened and closed together."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from voucherswitch.providers.contract.simulator.control import ControlApi
from voucherswitch.providers.contract.simulator.frame import SimulatorFrame
from voucherswitch.providers.contract.simulator.provider import ProviderSimulator
from voucherswitch.providers.contract.simulator.wire import Listener
from voucherswitch.providers.contract.simulator.wires import Wire

CONTROL_PORT_ABOVE: Final = 100


class RunningSimulator:
    """A provider's simulator with its two ports, or more where it has several wires.

    Args:
        port: 0 takes a free one.
        control_port: None takes the rule, 100 above `port`; a free one if that is 0.
        wires: what is spoken on the protocol ports.
        further_ports: those of the wires after the first.
    """

    def __init__(
        self,
        provider: ProviderSimulator,
        host: str,
        port: int = 0,
        control_port: int | None = None,
        outbox_dir: Path | None = None,
        wires: Sequence[Wire] = (Listener,),
        further_ports: Sequence[int] = (),
    ) -> None:
        self.provider = provider
        self.frame = SimulatorFrame(provider, host, outbox_dir, wires)
        self._further_ports = further_ports
        self._control = ControlApi(self.frame, host)
        self._port = port
        self._control_port = (port + CONTROL_PORT_ABOVE if port else 0) if control_port is None else control_port

    @property
    def url(self) -> str:
        """The provider's address, as `base_url` wants it."""
        return self.frame.listener.url

    @property
    def control_url(self) -> str:
        """Where `/__sim` is."""
        return self._control.listener.url

    async def __aenter__(self) -> Self:
        await self._control.listener.open(self._control_port)
        try:
            await self.frame.open(self._port, *self._further_ports)
        except OSError:
            self._control.listener.close(busy=True)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._control.listener.close(busy=True)
        await self.frame.close()
