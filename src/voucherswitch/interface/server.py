"""One switch worker: uvicorn on a port that all workers of a machine share.

Every worker listens on a socket of its own with SO_REUSEPORT, so that the kernel spreads connections over them evenly.
Whoever starts the workers has made sure that the port is free (`reserve_port`), and may hand over the sockets, so that
a worker's successor takes over the connections that wait in them (0018). There are two where TLS is served (0024).
"""

import asyncio
import resource
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Final

import uvicorn

from voucherswitch.config.limits import DRAIN_IDLE_S, OPEN_FILES_MAX
from voucherswitch.config.settings import Settings
from voucherswitch.interface.accept import Acceptor, Listener
from voucherswitch.interface.app import build_app
from voucherswitch.interface.connection import Connection, Connections, Drain
from voucherswitch.interface.doors import Arrival, Doors
from voucherswitch.interface.edges import Edges
from voucherswitch.memory import settle_memory
from voucherswitch.security.live_tls import LiveTls
from voucherswitch.security.tls import originators

BACKLOG = 2048

# The listeners, as a supervisor and its children name them.
PLAIN: Final = "plain"
TLS: Final = "tls"


class PortInUseError(OSError):
    """Somebody else listens on the port. The text says which, and which setting names another."""


def reserve_port(host: str, port: int, setting: str) -> socket.socket:
    """Make sure that nobody uses the port, then hold it for sockets that share it by SO_REUSEPORT.

    Raises:
        PortInUseError: it is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
        return shared_socket(host, port)
    except OSError as error:
        raise PortInUseError(f"cannot listen on {host}:{port}: {error.strerror}; set {setting} to another") from error


def shared_socket(host: str, port: int) -> socket.socket:
    """Bind a socket that shares its port with the other workers'."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((host, port))
    return sock


def addresses(settings: Settings) -> Mapping[str, tuple[str, int]]:
    """Where the interface listens: host and port by the name of the listener."""
    plain = {PLAIN: (settings.interface_host, settings.interface_port)}
    return plain if settings.tls_certificate_file is None else plain | {TLS: (settings.tls_host, settings.tls_port)}


def listening_sockets(settings: Settings) -> Mapping[str, socket.socket]:
    """The sockets of one worker and its successors; connections wait in them until one of them accepts."""
    sockets: dict[str, socket.socket] = {}
    try:
        for name, (host, port) in addresses(settings).items():
            sockets[name] = shared_socket(host, port)
            sockets[name].listen(BACKLOG)
    except OSError:
        for sock in sockets.values():
            sock.close()
        raise
    return sockets


def serve(
    settings: Settings,
    url: str,
    handed: Mapping[str, socket.socket] = MappingProxyType({}),
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in work and return.

    Args:
        settings: the worker's.
        url: the journal's database.
        handed: sockets to accept from, by the name of the listener; the worker makes those that it was not given.
        on_ready: called once, when requests are answered.

    Raises:
        SettingsError: a certificate or a key cannot be used.
    """
    _raise_file_limit()
    tls = None if settings.tls_certificate_file is None else LiveTls(settings, originators(settings))
    drain = Drain(settings.drain_s)
    verify = None if tls is None or settings.tls_client_certificates == "off" else tls.verified
    edges = Edges(verify, required=settings.tls_client_certificates == "required")
    connections = Connections(drain, edges, settings.connections_max, settings.connections_per_source_max)
    doors = Doors(settings, connections.look_again)
    config = uvicorn.Config(
        build_app(settings, url, drain, doors),
        loop="uvloop",
        http=Connection,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # who is trusted to say who speaks is decided in doors.py
        backlog=BACKLOG,
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=settings.drain_s,
    )
    wanted = addresses(settings)
    sockets = {name: handed.get(name) or shared_socket(*where) for name, where in wanted.items()}
    for name, sock in handed.items():
        if name not in wanted:  # a setting has changed since our predecessor began
            sock.close()
    for sock in sockets.values():
        sock.listen(BACKLOG)
    listeners = [Listener(sockets[PLAIN], doors.plain)]
    if tls is not None:
        listeners.append(Listener(sockets[TLS], doors.tls, tls.context))
    _Server(config, connections, listeners, tls, on_ready).run(sockets=list(sockets.values()))


class _Server(uvicorn.Server):
    """uvicorn's, which says when it is ready and lets idle connections have their last request."""

    def __init__(
        self,
        config: uvicorn.Config,
        connections: Connections,
        listeners: Sequence[Listener],
        tls: LiveTls | None,
        on_ready: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._listeners = listeners
        self._tls = tls
        self._watch: asyncio.Task[None] | None = None
        self.server_state: Connections = connections
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - uvicorn calls it by name
        await super().startup([])  # uvicorn would accept from them itself, before anybody has seen who comes
        if self._tls is not None:
            self._watch = asyncio.create_task(self._tls.watch(self._dismiss_refused), name="TLS files")
        self.servers = [Acceptor(each, self._connection) for each in self._listeners]  # type: ignore[misc]  # as far as uvicorn uses them
        settle_memory()
        self._on_ready()

    def _connection(self, arrival: Arrival) -> Connection:
        return Connection(self.config, self.server_state, self.lifespan.state, arrival=arrival)

    def _dismiss_refused(self) -> None:
        assert self._tls is not None
        self.server_state.dismiss_refused(self._tls.refuses)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        drain = self.server_state.drain
        drain.begin()
        dismissal = asyncio.get_running_loop().call_later(DRAIN_IDLE_S, self.server_state.dismiss_idle)
        try:
            for acceptor in self.servers:
                acceptor.close()
            for sock in sockets or ():
                sock.close()
            await self._handshakes_ended(drain.left_s)
            self.config.timeout_graceful_shutdown = int(drain.left_s)
            await super().shutdown(sockets)
        finally:
            dismissal.cancel()
            if self._watch is not None:
                self._watch.cancel()

    async def _handshakes_ended(self, within_s: float) -> None:
        """uvicorn waits only for what is a connection already."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                for acceptor in self.servers:
                    await acceptor.wait_closed()


def _raise_file_limit() -> None:
    """Let the process open as many connections as its bounds allow, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(OPEN_FILES_MAX, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
