"""Accept connections: see where one comes from before a byte of it is read, then give it to its protocol."""

import asyncio
import errno
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

import structlog
from msgspec import Struct

from voucherswitch.config.limits import (
    ACCEPT_AT_ONCE_MAX,
    ACCEPT_PAUSE_S,
    GOODBYE_LINGER_S,
    TLS_HANDSHAKE_S,
    TLS_HANDSHAKES_MAX,
)
from voucherswitch.interface.doors import Arrival, Door
from voucherswitch.interface.proxy_protocol import ProxyHeaderError, read_source
from voucherswitch.security.peer import Address, source_of
from voucherswitch.security.refusals import Reason, RefusalLog, Unproven

log = structlog.get_logger(__name__)

# What `accept` says when the system has nothing left to give a connection with; waiting helps, closing does not.
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

# What OpenSSL says when a client has not shown the certificate that it should. An operator has to know of it.
_NO_CERTIFICATE: Final = frozenset({"CERTIFICATE_VERIFY_FAILED", "PEER_DID_NOT_RETURN_A_CERTIFICATE"})


class Listener(Struct, frozen=True):
    """A socket that connections come in at, and what is asked of them.

    `door` says whether a source may connect at all; whoever may not is closed without an answer (N2).
    """

    sock: socket.socket
    door: Door
    tls: Callable[[], ssl.SSLContext] | None = None  # asked for each connection, so that a renewed one counts at once


class Acceptor:
    """Accepts from one listener until it is closed. Has the two methods that uvicorn asks of a server."""

    def __init__(self, listener: Listener, protocol: Callable[[Arrival], asyncio.Protocol]) -> None:
        """
        Args:
            listener: where from.
            protocol: makes the protocol of a connection that was let in.
        """
        self._refusals: Final = RefusalLog()
        self._listener: Final = listener
        self._protocol: Final = protocol
        self._loop: Final = asyncio.get_running_loop()
        self._beginning: Final[dict[asyncio.Task[None], None]] = {}  # oldest first
        self._resume: asyncio.TimerHandle | None = None
        self._closed = False
        listener.sock.setblocking(False)
        self._loop.add_reader(listener.sock, self._accept)

    def close(self) -> None:
        """Accept no more. Connections that wait in the socket stay there, for whoever else holds it."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._listener.sock)
            if self._resume is not None:
                self._resume.cancel()

    async def wait_closed(self) -> None:
        """Wait for the connections that are being begun."""
        while self._beginning:
            await asyncio.wait(self._beginning)

    def _accept(self) -> None:
        for _ in range(ACCEPT_AT_ONCE_MAX):
            try:
                sock, address = self._listener.sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                log.error("connections are not accepted", reason=error.strerror, again_in_s=ACCEPT_PAUSE_S)
                self._loop.remove_reader(self._listener.sock)
                self._resume = self._loop.call_later(ACCEPT_PAUSE_S, self._go_on)
                return
            source = source_of(address[0])
            if not self._listener.door.admits(source):
                self._refuse(sock, source, Unproven(Reason.SOURCE))
                continue
            if self._listener.tls is not None:
                self._make_room()
            task = self._loop.create_task(self._begin(sock, source))
            self._beginning[task] = None
            task.add_done_callback(partial(self._begun, sock))

    def _make_room(self) -> None:
        """Give up the oldest handshake when there are too many: an honest one is over before its turn comes.

        That holds only where many may be under way, also when all connections are taken: who comes then, and is to
        have the place of an idle connection, must first be able to finish.
        """
        if len(self._beginning) >= TLS_HANDSHAKES_MAX:
            oldest = next(iter(self._beginning))
            del self._beginning[oldest]
            oldest.cancel()

    def _begun(self, sock: socket.socket, task: asyncio.Task[None]) -> None:
        self._beginning.pop(task, None)
        if task.cancelled():
            sock.close()

    def _go_on(self) -> None:
        self._loop.add_reader(self._listener.sock, self._accept)

    async def _begin(self, sock: socket.socket, source: Address) -> None:
        sock.setblocking(False)
        door = self._listener.door
        arrival = Arrival(door, source)
        if door.is_announced(source):
            announced = await self._announced(sock, arrival)
            if announced is None:
                return
            arrival = announced
        context = None if self._listener.tls is None else self._listener.tls()
        try:
            await self._loop.connect_accepted_socket(
                lambda: self._protocol(arrival),
                sock,
                ssl=context,
                ssl_handshake_timeout=None if context is None else TLS_HANDSHAKE_S,
                # What comes after our last answer is read and thrown away for so long, as without TLS.
                ssl_shutdown_timeout=None if context is None else GOODBYE_LINGER_S,
            )
        except (OSError, ssl.SSLError) as error:
            if isinstance(error, ssl.SSLError) and error.reason in _NO_CERTIFICATE:
                why = getattr(error, "verify_message", None) or "none was shown"
                self._refusals.note(arrival.source, Unproven(Reason.HANDSHAKE, detail=why))
            else:
                # Whoever scans us fails here; it is their business, and worth a line only to whoever looks for it.
                log.debug("connection not begun", source=str(arrival.source), reason=str(error))
            sock.close()

    async def _announced(self, sock: socket.socket, arrival: Arrival) -> Arrival | None:
        """Let an edge say who is behind it. None: the connection is closed, for it does not, or not somebody listed."""
        try:
            source = await read_source(sock)
        except (OSError, ProxyHeaderError) as error:
            self._refuse(sock, arrival.source, Unproven(Reason.EDGE, detail=str(error)))
            return None
        if source is None:  # the edge's own connection, such as a health check
            return arrival
        behind = Arrival(arrival.door, source, announced=True)
        if not behind.admitted:
            self._refuse(sock, source, Unproven(Reason.SOURCE, detail=f"behind {arrival.source}"))
            return None
        return behind

    def _refuse(self, sock: socket.socket, source: Address, why: Unproven) -> None:
        self._refusals.note(source, why)
        _abort(sock)


def _abort(sock: socket.socket) -> None:
    """Close with a reset, whatever was sent: nothing of the connection stays, and it always looks the same."""
    with suppress(OSError):  # the other end was faster
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
