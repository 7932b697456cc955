"""The simulators' server for one document per line over TCP, as free to misbehave on the socket as the HTTP one.

A request ends with LF, CR or both; empty lines mean nothing. An answer is a document that ends with the protocol's
closing tag, and a line feed.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any, Final

from voucherswitch.providers.contract.simulator.wires import (
    JSON_TYPE,
    PIPELINED_MAX,
    Request,
    WireConnection,
    WireHandler,
    WireListener,
)

LINE_BYTES_MAX: Final = 65_536
IDLE_S: Final = 60.0  # a connection on which nothing comes is closed

_LINE_END: Final = re.compile(rb"[\r\n]")
_ENDS: Final = b"\r\n"


class LineRequest(Request, gc=False, kw_only=True):
    """One line. `memory` is its connection's: what a provider keeps there is gone with the connection."""

    memory: dict[str, Any]


class LineConnection(WireConnection):
    """One client connection."""

    __slots__ = ("_closing_tag", "_deaf", "_idle", "_idle_s", "_kept", "_memory")

    _idle: asyncio.TimerHandle

    def __init__(
        self, handler: WireHandler, among: set[WireConnection], *, closing_tag: bytes, deaf: bool, idle_s: float
    ) -> None:
        super().__init__(handler, among)
        self._closing_tag = closing_tag
        self._deaf = deaf  # half open: what comes is dropped, for loops differ in when reading can be paused
        self._idle_s = idle_s
        self._kept = b""
        self._memory: dict[str, Any] = {}

    # What the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._idle.cancel()

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
        self._idle = asyncio.get_running_loop().call_later(self._idle_s, self._idle_over)

    def _idle_over(self) -> None:
        if self.busy:
            self._wait()
        else:
            self.drop()

    # What a handler may do; of an answer, only the body is on this wire

    def rendered(self, _status: int, body: bytes, _content_type: bytes = JSON_TYPE, _headers: bytes = b"") -> bytes:
        """An answer as it goes over the wire. What does not end with the closing tag gets one, as an HTTP answer has
        its length: without it this would be a silence and no answer."""
        ended = body.translate(None, _ENDS).endswith(self._closing_tag)
        return body + b"\n" if ended else body + self._closing_tag + b"\n"

    def padded(self, body: bytes, size: int) -> bytes:
        """A body made as large as that: blanks before its closing tag."""
        inner = body.removesuffix(self._closing_tag)
        return inner.ljust(size - len(body) + len(inner)) + body[len(inner) :]


class LineListener(WireListener):
    """A listening socket and its connections.

    Args:
        closing_tag: what every answer ends with.
        reads: whether a new connection is listened to; one that is not stays open and silent.

    Raises:
        ValueError: the host is not loopback.
    """

    scheme = "tcp"

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
        super().__init__(host)
        self._handler = handler
        self._closing_tag = closing_tag
        self._reads = reads
        self._idle_s = idle_s

    def _connection(self) -> LineConnection:
        return LineConnection(
            self._handler,
            self.connections,
            closing_tag=self._closing_tag,
            deaf=not self._reads(),
            idle_s=self._idle_s,
        )
