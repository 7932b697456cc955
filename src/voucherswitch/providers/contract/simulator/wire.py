"""The simulators' HTTP/1.1 server, on httptools: small, fast, and free to misbehave on the socket as faults ask."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import httptools

from voucherswitch.providers.contract.simulator.wires import (
    JSON_TYPE,
    PIPELINED_MAX,
    Request,
    WireConnection,
    WireHandler,
    WireListener,
)

REQUEST_BYTES_MAX: Final = 65_536


class Connection(WireConnection):
    """One client connection: it parses requests, and writes what it is given."""

    __slots__ = ("_body", "_date", "_headers", "_parser", "_peer", "_size", "_target")

    def __init__(self, handler: WireHandler, among: set[WireConnection], date: Callable[[], bytes]) -> None:
        super().__init__(handler, among)
        self._date = date
        self._parser = httptools.HttpRequestParser(self)
        self._start()

    def _start(self) -> None:
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._size = 0

    # What the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._peer = str((transport.get_extra_info("peername") or ("",))[0])

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
        self._transport.write(render(status, b"", JSON_TYPE, self._date(), b"Connection: close\r\n"))
        self._transport.close()

    # What a handler may do

    def rendered(self, status: int, body: bytes, content_type: bytes = JSON_TYPE, headers: bytes = b"") -> bytes:
        return render(status, body, content_type, self._date(), headers)

    def padded(self, body: bytes, size: int) -> bytes:
        return body.ljust(size)


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


class Listener(WireListener):
    """A listening socket and its connections; `date` gives the `Date` header.

    Raises:
        ValueError: the host is not loopback.
    """

    scheme = "http"

    def __init__(self, host: str, handler: WireHandler, date: Callable[[], bytes]) -> None:
        super().__init__(host)
        self._handler = handler
        self._date = date

    def _connection(self) -> Connection:
        return Connection(self._handler, self.connections, self._date)
