"""HTTP as this interface reads it: every request in exactly one way, or not at all; within bounds of size and time.

uvicorn's protocol, whose parser (llhttp) refuses most of what could be read in two ways: two lengths, a length with
chunks, folded lines, bare CR or LF, space before a colon. This module refuses the rest, answers in the interface's
words, and reads no more of a connection on which one request was unclear. What was in work by then is answered first,
for it is not the request that was wrong.
"""

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, cast

import httptools
import structlog
import uvicorn
from starlette.types import Scope
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from voucherswitch.config.limits import (
    ANSWER_TAKEN_S,
    BODY_DISCARDED_S,
    GOODBYE_LINGER_S,
    HEAD_BYTES_MAX,
    HEAD_READ_S,
    HEADERS_MAX,
    URL_BYTES_MAX,
)
from voucherswitch.interface import errors
from voucherswitch.interface.turn import Application, take_turn
from voucherswitch.message.codes import ErrorType
from voucherswitch.switch.exchange import Reply

log = structlog.get_logger(__name__)

# Headers that say where a message ends, whose it is or who speaks: two of one kind are two requests in one.
_ONCE: Final = frozenset(
    {b"authorization", b"client-cert", b"content-length", b"content-type", b"host", b"transfer-encoding"}
)


class StrictHttp(HttpToolsProtocol):
    """One connection. uvicorn, the parser and the transport call the methods."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # uvicorn lets what follows a `Connection: close` go unseen.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=False)
        self.ended = False  # nothing more is read
        self._running: RequestResponseCycle | None = None
        self._reading_head = False
        self._reading_body = False
        self._bodiless_bytes = 0  # since the last byte of a body: a head, or what stands around a body's pieces
        self._refusal = b""
        self._arriving: asyncio.TimerHandle | None = None  # until when what is being read must be there
        self._leaving: asyncio.TimerHandle | None = None  # until when what was sent must be taken

    # The transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was to happen if it stayed open."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._expect_nothing()
        if self._leaving is not None:
            self._leaving.cancel()

    def data_received(self, data: bytes) -> None:
        """Read, until something cannot be read or is not to be."""
        if self.ended:
            return
        self._bodiless_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay_with_http(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.end_with(self._refusal or UNREADABLE)
        else:
            if self._reading_head and self._arriving is None:  # most heads come whole, and need no clock
                self._expect(HEAD_READ_S, lambda: self.end_with(HEAD_TOO_SLOW))
            # The parser gathers a field until it ends: in a head, and in a trailer that nobody looks at.
            if self._bodiless_bytes > HEAD_BYTES_MAX and (self._reading_head or self._reading_body):
                self.end_with(HEAD_TOO_LARGE)

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, whether or not the other end takes what it was sent."""
        if not self.transport.is_closing():
            self.transport.close()
            self._leave()

    # The parser

    def on_message_begin(self) -> None:
        """Begin to read a request, in so much time."""
        super().on_message_begin()
        self._unset_keepalive_if_required()
        self._reading_head = True
        self._bodiless_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Read a piece of the request's target."""
        super().on_url(url)
        if len(self.url) > URL_BYTES_MAX:
            self._fail(URL_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Read a header field. One that follows the body is dropped: the request was judged without it."""
        if not self._reading_head:
            return
        super().on_header(name, value)
        if len(self.headers) > HEADERS_MAX:
            self._fail(HEAD_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Begin a request, if it can be read in one way."""
        self._reading_head = False
        self._expect_nothing()
        wrong = self._wrong_head() or self.wrong_sender()
        if wrong:
            self._fail(wrong)
        super().on_headers_complete()
        self._reading_body = True
        self._bodiless_bytes = 0
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False  # we stay with what we speak, and what follows is not for us

    def on_body(self, body: bytes) -> None:
        """Read a piece of a body."""
        self._bodiless_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the reading of a request."""
        if self.parser.should_upgrade() and _framing(self.headers):
            return  # the parser leaves the body to the other protocol; see `_stay_with_http`
        self._reading_body = False
        self._expect_nothing()
        super().on_message_complete()

    def _wrong_head(self) -> bytes:
        version = self.parser.get_http_version()
        if version not in ("1.0", "1.1"):
            return VERSION_UNKNOWN
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES_MAX:
            return HEAD_TOO_LARGE
        once = [name for name, _ in self.headers if name in _ONCE]
        if len(once) != len(set(once)) or (version == "1.1" and b"host" not in once):
            return AMBIGUOUS
        if b"transfer-encoding" in once:
            coding = next(value for name, value in self.headers if name == b"transfer-encoding")
            if version == "1.0":
                return AMBIGUOUS
            if coding.strip().lower() != b"chunked":
                return CODING_UNKNOWN
        return b""

    def wrong_sender(self) -> bytes:
        """What a request is answered that its connection does not let pass; its headers are read. Empty: it passes."""
        return b""

    def _fail(self, answer: bytes) -> None:
        """From within the parser: stop it."""
        self._refusal = answer
        raise _RefusedError

    def _stay_with_http(self, rest: bytes) -> None:
        """Read the body of a request that offered another protocol (RFC 9110, 7.8: we may ignore it), and no more."""
        framing = _framing(self.headers)
        if not framing:
            self.ended = True
            return
        self.parser = httptools.HttpRequestParser(_Body(self))
        try:
            self.parser.feed_data(b"POST / HTTP/1.1\r\nConnection: close\r\n%b\r\n\r\n" % framing)
        except httptools.HttpParserError:
            self.end_with(UNREADABLE)
        else:
            if rest:
                self.data_received(rest)

    # Requests

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        answering = cast(Application, app).answering(cast(Scope, cycle.scope))
        if answering is None:
            super()._start_asgi_task(cycle, app)
            return
        task = self.loop.create_task(take_turn(cycle, answering))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def on_response_complete(self) -> None:
        """End a request. The other end must take the answer, and must end a body that was refused unread."""
        super().on_response_complete()
        if self.transport.is_closing() or self.transport.get_write_buffer_size() > 0:
            self._leave()
        if self._reading_body and self.cycle.response_complete:
            self._expect(BODY_DISCARDED_S, self.timeout_keep_alive_handler)

    @property
    def in_work(self) -> bool:
        """Whether a request of this connection is not answered yet."""
        return self.cycle is not None and not self.cycle.response_complete

    def end_with(self, answer: bytes) -> None:
        """Answer what cannot be read, and read no more. What is in work is answered instead, and is the last."""
        if self.transport.is_closing():
            return
        self.ended = True
        self._expect_nothing()
        unread = self.cycle if self._reading_body else None
        if unread is not None and unread.response_started:  # it has its answer, or the beginning of one
            self.timeout_keep_alive_handler()
            return
        if unread is not None and self.pipeline:
            self.pipeline.popleft()  # the newest: its turn had not come
        last = self.pipeline[0][0] if self.pipeline else self._running
        if last is None or last is unread or last.response_complete:
            if unread is not None:  # the application waits for the rest of it
                unread.disconnected = True
                unread.message_event.set()
            self.say_last(answer)
        else:
            last.keep_alive = False

    def say_last(self, data: bytes) -> None:
        """Send an answer and end the connection. Nothing more is read."""
        self.ended = True
        self._unset_keepalive_if_required()
        self.transport.write(data)
        if self.transport.can_write_eof():
            # Closing at once would answer what still comes with a reset, which takes our answer away again.
            self.transport.write_eof()
            self._expect(GOODBYE_LINGER_S, self.timeout_keep_alive_handler)
        else:
            self.timeout_keep_alive_handler()

    # Time

    def _expect(self, within_s: float, otherwise: Callable[[], None]) -> None:
        self._expect_nothing()
        self._arriving = self.loop.call_later(within_s, otherwise)

    def _expect_nothing(self) -> None:
        if self._arriving is not None:
            self._arriving.cancel()
            self._arriving = None

    def _leave(self) -> None:
        """What was sent has so much time to be taken; then it and the connection are given up."""
        if self._leaving is None:
            self._leaving = self.loop.call_later(ANSWER_TAKEN_S, self._abort_unless_taken)

    def _abort_unless_taken(self) -> None:
        self._leaving = None
        if self.transport.is_closing() or self.transport.get_write_buffer_size() > 0:
            self.transport.abort()


class _RefusedError(Exception):
    """Stops the parser; what is answered is kept elsewhere."""


class _Body:
    """What of a request the second parser of `_stay_with_http` passes on."""

    def __init__(self, connection: StrictHttp) -> None:
        self._connection = connection

    def on_body(self, body: bytes) -> None:
        self._connection.on_body(body)

    def on_message_complete(self) -> None:
        self._connection.on_message_complete()
        self._connection.ended = True


def _framing(headers: list[tuple[bytes, bytes]]) -> bytes:
    """The header that says where the body ends, as it is sent; empty: there is none."""
    return next((b"%b: %b" % item for item in headers if item[0] in (b"content-length", b"transfer-encoding")), b"")


def as_bytes(reply: Reply, headers: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """An answer outside the application, which ends its connection."""
    lines = (
        f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}",
        "content-type: application/json",
        f"content-length: {len(reply.body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
        "connection: close",
        "",
        "",
    )
    return "\r\n".join(lines).encode() + reply.body


UNREADABLE: Final = as_bytes(errors.plain(400, ErrorType.FORMAT_ERROR, "Not a valid HTTP request."))
AMBIGUOUS: Final = as_bytes(errors.plain(400, ErrorType.FORMAT_ERROR, "The HTTP request could be read in two ways."))
HEAD_TOO_SLOW: Final = as_bytes(errors.plain(408, ErrorType.FORMAT_ERROR, "The request came too slowly."))
URL_TOO_LONG: Final = as_bytes(
    errors.plain(414, ErrorType.FORMAT_ERROR, f"The request's target is over {URL_BYTES_MAX} bytes.")
)
HEAD_TOO_LARGE: Final = as_bytes(
    errors.plain(431, ErrorType.FORMAT_ERROR, f"The headers are over {HEAD_BYTES_MAX} bytes or {HEADERS_MAX} fields.")
)
CODING_UNKNOWN: Final = as_bytes(errors.plain(400, ErrorType.FORMAT_ERROR, "The only transfer coding is chunked."))
VERSION_UNKNOWN: Final = as_bytes(errors.plain(400, ErrorType.FORMAT_ERROR, "The versions of HTTP are 1.0 and 1.1."))
