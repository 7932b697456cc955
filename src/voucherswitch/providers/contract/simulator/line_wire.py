"""The simulators' server for one document per line over TCP, as free to misbehave on the socket as the HTTP one.

A request ends with LF, CR or both; empty lines mean nothing. Requests of a connection are handed over one at a time.
An answer is a document that ends with the protocol's closing tag, and a line feed. It knows no provider.
"""

import asyncio
import contextlib
import ipaddress
import re
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

from voucherswitch.providers.contract.simulator.wire import BACKLOG, JSON_TYPE, PIPELINED_MAX, RESET_ON_CLOSE, Request
from voucherswitch.providers.contract.simulator.wires import WireHandler

LINE_BYTES_MAX: Final = 65_536
IDLE_S: Final = 60.0  # a connection on which nothing comes is closed

_LINE_END: Final = re.compile(rb"[\r\n]")
_ENDS: Final = b"\r\n"


class LineRequest(Request, gc=False, kw_only=True):
    """One line. `memory` is its connection's: what a provider keeps there is gone with the connection."""

    memory: dict[str, Any]


class LineConnection(asyncio.Protocol):
    """One client connection."""

    __slots__ = (
        "_closing",
        "_deaf",
        "_idle",
        "_kept",
        "_listener",
        "_memory",
        "_transport",
        "_turning",
        "_waiting",
        "busy",
    )

    _transport: asyncio.Transport
    _idle: asyncio.TimerHandle

    def __init__(self, listener: "LineListener") -> None:
        self._listener = listener
        self._kept = b""
        self._waiting: deque[LineRequest] = deque()
        self._memory: dict[str, Any] = {}
        self._closing = False
        self._turning = False
        self._deaf = False  # half open: what comes is dropped, for loops differ in when reading can be paused
        self.busy = False  # a request is being answered

    # What the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one, but does not inherit from it
        self._listener.connections.add(self)
        self._deaf = not self._listener.reads()
        self._wait()

    def connection_lost(self, _error: Exception | None) -> None:
        self._closing = True
        self._waiting.clear()
        self._idle.cancel()
        self._listener.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        if self._closing or self._deaf:
            return
        self._idle.cancel()
        self._wait()
        *lines, self._kept = _LINE_END.split(self._kept + data)
        if len(self._kept) > LINE_BYTES_MAX or any(len(line) > LINE_BYTES_MAX for line in lines):
            self.drop()
            return
        self._waiting.extend(
            LineRequest(method="", target="", headers=[], body=line, memory=self._memory) for line in lines if line
        )
        if len(self._waiting) > PIPELINED_MAX:
            self.drop()
        elif not self.busy and not self._turning:
            self._next()

    def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        self._idle = loop.call_later(self._listener.idle_s, self._idle_over)

    def _idle_over(self) -> None:
        if self.busy:
            self._wait()
        else:
            self.drop()

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
        if self._waiting and not self._turning:
            self._next()

    def reply(self, status: int, body: bytes, content_type: bytes = JSON_TYPE, headers: bytes = b"") -> None:
        """Write a whole answer. Only `body` is on this wire."""
        self.write(self.rendered(status, body, content_type, headers))
        self.done()

    def rendered(self, _status: int, body: bytes, _content_type: bytes = JSON_TYPE, _headers: bytes = b"") -> bytes:
        """An answer as it goes over the wire. What does not end with the closing tag gets one, as an HTTP answer has
        its length: without it this would be a silence and no answer."""
        ended = body.translate(None, _ENDS).endswith(self._listener.closing_tag)
        return body + b"\n" if ended else body + self._listener.closing_tag + b"\n"

    def padded(self, body: bytes, size: int) -> bytes:
        """A body made as large as that: blanks before its closing tag."""
        inner = body.removesuffix(self._listener.closing_tag)
        return inner.ljust(size - len(body) + len(inner)) + body[len(inner) :]

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


class LineListener:
    """A listening socket and its connections.

    Args:
        closing_tag: what every answer ends with.
        reads: whether a new connection is listened to; one that is not stays open and silent.

    Raises:
        ValueError: the host is not loopback.
    """

    def __init__(
        self,
        host: str,
        handler: WireHandler,
        _date: Callable[[], bytes],
        *,
        closing_tag: bytes,
        reads: Callable[[], bool] = lambda: True,
        idle_s: float = IDLE_S,
    ) -> None:
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"simulators listen on loopback only, not on {host}")
        self.handler = handler
        self.closing_tag = closing_tag
        self.reads = reads
        self.idle_s = idle_s
        self.connections: set[LineConnection] = set()
        self.port = 0
        self._host = host
        self._server: asyncio.Server | None = None

    @property
    def listening(self) -> bool:
        return self._server is not None

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"tcp://{host}:{self.port}"

    async def open(self, port: int) -> None:
        """Listen; port 0 takes a free one.

        Raises:
            OSError: the port is taken; the text names the address.
        """
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: LineConnection(self), self._host, port, backlog=BACKLOG)
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
