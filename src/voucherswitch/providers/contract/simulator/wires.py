"""What every wire of a simulator is for the common frame: a loopback socket, and one request at a time per connection.

`wire.py` is HTTP, `line_wire.py` one document per line over TCP. None knows a provider.
"""

import asyncio
import contextlib
import ipaddress
import socket
import struct
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import ClassVar, Final, cast

from msgspec import Struct

PIPELINED_MAX: Final = 16  # requests that may wait on a connection while one is being answered

JSON_TYPE: Final = b"application/json"

_BACKLOG: Final = 4_096  # connections that may wait to be accepted: a benchmark opens thousands at once
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close sends RST and forgets what was unsent


class Request(Struct, gc=False):
    """One request, read whole. Header names as they were sent; `peer` is the address that it came from."""

    method: str
    target: str
    headers: list[tuple[bytes, bytes]]
    body: bytes
    peer: str = ""

    def header(self, name: bytes) -> bytes | None:
        """A header's value; `name` in lower case."""
        for key, value in self.headers:
            if key.lower() == name:
                return value
        return None


WireHandler = Callable[[Request, "WireConnection"], None]


class WireConnection(asyncio.Protocol, ABC):
    """One client connection; its handler answers each request, now or later, by one of the methods below."""

    __slots__ = ("_closing", "_handler", "_open", "_transport", "_turning", "_waiting", "busy")

    _transport: asyncio.Transport

    def __init__(self, handler: WireHandler, among: "set[WireConnection]") -> None:
        self._handler = handler
        self._open = among
        self._waiting: deque[Request] = deque()
        self._closing = False
        self._turning = False
        self.busy = False  # a request is being answered

    # What the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one, but does not inherit from it
        self._open.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._closing = True
        self._waiting.clear()
        self._open.discard(self)

    # What a wire does with what it has read

    def _next(self) -> None:
        # A handler that answers at once comes back here through `done`; the loop keeps that from nesting.
        self._turning = True
        while self._waiting and not self.busy:
            self.busy = True
            self._handler(self._waiting.popleft(), self)
        self._turning = False

    # What a handler may do

    @property
    def gone(self) -> bool:
        """Whether nobody is there to answer any more."""
        return self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Write a piece of an answer."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def done(self) -> None:
        """The answer is written; take the next request."""
        self.busy = False
        if self._closing and not self._waiting:
            self._transport.close()
        elif self._waiting and not self._turning:
            self._next()

    def reply(self, status: int, body: bytes, content_type: bytes = JSON_TYPE, headers: bytes = b"") -> None:
        """Write a whole answer."""
        self.write(self.rendered(status, body, content_type, headers))
        self.done()

    @abstractmethod
    def rendered(self, status: int, body: bytes, content_type: bytes = JSON_TYPE, headers: bytes = b"") -> bytes:
        """A whole answer as it goes over the wire."""

    @abstractmethod
    def padded(self, body: bytes, size: int) -> bytes:
        """A body made as large as that, which still means the same."""

    def drop(self) -> None:
        """Close cleanly; what was written before still goes out."""
        self._closing = True
        self._waiting.clear()
        self._transport.close()

    def reset(self) -> None:
        """Close with a TCP reset."""
        self._closing = True
        self._waiting.clear()
        with contextlib.suppress(OSError):  # the client was faster
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()


class WireListener(ABC):
    """A listening socket and its connections.

    Raises:
        ValueError: the host is not loopback.
    """

    scheme: ClassVar[str]

    def __init__(self, host: str) -> None:
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"simulators listen on loopback only, not on {host}")
        self.connections: set[WireConnection] = set()
        self.port = 0
        self._host = host
        self._server: asyncio.Server | None = None

    @abstractmethod
    def _connection(self) -> WireConnection:
        """What serves a client that has just connected."""

    @property
    def listening(self) -> bool:
        return self._server is not None

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{self.scheme}://{host}:{self.port}"

    async def open(self, port: int) -> None:
        """Listen; port 0 takes a free one.

        Raises:
            OSError: the port is taken; the text names the address.
        """
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._connection, self._host, port, backlog=_BACKLOG)
        except OSError as error:
            raise OSError(error.errno, f"cannot listen on {self._host}:{port}: {error.strerror}") from error
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self, *, busy: bool) -> None:
        """Stop listening and close the connections: the idle ones, with `busy` all of them."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in [one for one in self.connections if busy or not one.busy]:
            connection.drop()


Wire = Callable[[str, WireHandler, Callable[[], bytes]], WireListener]  # of a host, a handler and the `Date` header
