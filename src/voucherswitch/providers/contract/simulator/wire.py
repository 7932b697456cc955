"""The simulators' HTTP/1.1 server, on httptools: small, fast, and free to misbehave on the socket as faults ask.

It parses requests, hands them over one at a time per connection, and writes what it is given. It knows no provider.
"""

import asyncio
import contextlib
import ipaddress
import socket
import struct
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, cast

import httptools
from msgspec import Struct

REQUEST_BYTES_MAX: Final = 65_536
PIPELINED_MAX: Final = 16  # requests that may wait on a connection while one is being answered
BACKLOG: Final = 4_096  # connections that may wait to be accepted: a benchmark opens thousands at once

JSON_TYPE: Final = b"application/json"

RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close sends RST and forgets what was unsent


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


Handler = Callable[[Request, "Connection"], None]


class Connection(asyncio.Protocol):
    """One client connection. Its handler answers each request, now or later, by one of the methods at the end."""

    __slots__ = (
        "_body",
        "_closing",
        "_headers",
        "_listener",
        "_parser",
        "_peer",
        "_size",
        "_target",
        "_transport",
        "_turning",
        "_waiting",
        "busy",
    )

    _transport: asyncio.Transport

    def __init__(self, listener: "Listener") -> None:
        self._listener = listener
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Request] = deque()
        self._closing = False
        self._turning = False
        self._start()
        self.busy = False  # a request is being answered

    def _start(self) -> None:
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._size = 0

    # What the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one, but does not inherit from it
        self._peer = str((transport.get_extra_info("peername") or ("",))[0])
        self._listener.connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._closing = True
        self._waiting.clear()
        self._listener.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        self._size += len(data)
        if self._size > REQUEST_BYTES_MAX:
            self._give_up(413)
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._give_up(400)

    # What the parser tells

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._closing:
            return
        if not self._parser.should_keep_alive():
            # Whatever comes after this request is not read.
            self._closing = True
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        target = self._target.decode("latin-1")
        method = self._parser.get_method().decode()
        self._waiting.append(Request(method, target, self._headers, body, self._peer))
        self._start()
        if len(self._waiting) > PIPELINED_MAX:
            self._give_up(503)
        elif not self.busy:
            self._next()

    def _give_up(self, status: int) -> None:
        self._closing = True
        self._waiting.clear()
        self._transport.write(render(status, b"", JSON_TYPE, self._listener.date(), b"Connection: close\r\n"))
        self._transport.close()

    def _next(self) -> None:
        # A handler that answers at once comes back here through `done`; the loop keeps that from nesting.
        self._turning = True
        while self._waiting and not self.busy:
            self.busy = True
            self._listener.handler(self._waiting.popleft(), self)
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
        if not self._transport.is_closing():
            self._transport.write(self.rendered(status, body, content_type, headers))
        self.done()

    def rendered(self, status: int, body: bytes, content_type: bytes = JSON_TYPE, headers: bytes = b"") -> bytes:
        """A whole answer as it goes over the wire."""
        return render(status, body, content_type, self._listener.date(), headers)

    def padded(self, body: bytes, size: int) -> bytes:
        """A body made as large as that, which still means the same."""
        return body.ljust(size)

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
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._transport.abort()


_HEADS: dict[tuple[int, bytes], bytes] = {}


def render(status: int, body: bytes, content_type: bytes, date: bytes, headers: bytes = b"") -> bytes:
    """An answer as it goes over the wire. `headers` are whole lines, each with its line end; `date` is the clock's
    unless they hold another."""
    if headers.startswith(b"Date: "):
        own, _, headers = headers.partition(b"\r\n")
        date = own.removeprefix(b"Date: ")
    head = _HEADS.get((status, content_type))
    if head is None:
        phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Status"
        head = b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nDate: " % (status, phrase.encode(), content_type)
        if len(_HEADS) < 1_000:
            _HEADS[status, content_type] = head
    return b"%b%b\r\n%bContent-Length: %d\r\n\r\n%b" % (head, date, headers, len(body), body)


class Listener:
    """A listening socket and its connections.

    Raises:
        ValueError: the host is not loopback.
    """

    def __init__(self, host: str, handler: Handler, date: Callable[[], bytes]) -> None:
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"simulators listen on loopback only, not on {host}")
        self.handler = handler
        self.date = date
        self.connections: set[Connection] = set()
        self.port = 0
        self._host = host
        self._server: asyncio.Server | None = None

    @property
    def listening(self) -> bool:
        return self._server is not None

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    async def open(self, port: int) -> None:
        """Listen; port 0 takes a free one.

        Raises:
            OSError: the port is taken; the text names the address.
        """
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: Connection(self), self._host, port, backlog=BACKLOG)
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
