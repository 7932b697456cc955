"""The two listeners of a worker, one with TLS and one without: what must hold at both is tried at both."""

import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from support.certificates import ClientTls
from support.processes import Process
from support.raw import Raw, connected
from support.switch import Switch
from support.waiting import eventually

Place: TypeAlias = tuple[str, int]

# Of a connection in /proc/net/tcp that its process has not closed: established, or its other end has said its last.
_HELD: Final = ("01", "08")


@dataclass(frozen=True)
class Listener:
    """One of them; `tls` is what a client brings to it, None where TLS is not spoken."""

    switch: Switch
    tls: ClientTls | None

    def __str__(self) -> str:
        return "plain" if self.tls is None else "TLS"

    @property
    def address(self) -> Place:
        """Where the switch of all tests has it."""
        return self.switch.address if self.tls is None else self.switch.tls_address

    @property
    def sources(self) -> str:
        """The setting that lists who may connect to it."""
        return "INTERFACE_SOURCES" if self.tls is None else "TLS_SOURCES"

    def root(self, address: Place) -> str:
        """The URL of it at an address."""
        return f"{'http' if self.tls is None else 'https'}://{address[0]}:{address[1]}"

    def connected(
        self, address: Place | None = None, *, source: str | None = None, opening: bytes = b""
    ) -> AbstractAsyncContextManager[Raw]:
        """A connection to it, after the handshake; `opening` is sent before that."""
        context = None if self.tls is None else self.tls.context()
        return connected(address or self.address, source=source, tls=context, opening=opening)

    @asynccontextmanager
    async def worker(self, **settings: str) -> AsyncIterator[tuple[Place, Process]]:
        """A worker of its own, to which nobody is connected; yields the address of this listener there."""
        port = self.switch.free_port()
        async with self.switch.lone_worker(TLS_PORT=str(port), **settings) as (client, process):
            plain = "127.0.0.1", int(client.root.rpartition(":")[2])
            await client.close()
            await eventually(lambda: _nobody_at(plain), "nobody who is connected")
            yield (plain if self.tls is None else ("127.0.0.1", port)), process

    @asynccontextmanager
    async def started(self, **settings: str) -> AsyncIterator[tuple[Place, Process]]:
        """As `worker`, not waited for: one that is not to be spoken to plainly."""
        port = self.switch.free_port()
        async with self.switch.started_worker(TLS_PORT=str(port), **settings) as (plain, process):
            yield (plain if self.tls is None else ("127.0.0.1", port)), process


def connections_at(address: Place) -> int:
    """How many connections are held by whoever listens at an IPv4 address."""
    host, port = address
    local = f"{int.from_bytes(bytes(map(int, host.split('.'))), sys.byteorder):08X}:{port:04X}"
    entries = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(entry[1] == local and entry[3] in _HELD for entry in entries)


async def _nobody_at(address: Place) -> bool:
    return connections_at(address) == 0


def both(switch: Switch) -> tuple[Listener, Listener]:
    """First the one without TLS."""
    return Listener(switch, None), Listener(switch, ClientTls(switch.authority.path))
