"""One HTTP/1.1 connection to a provider, one exchange at a time.

It writes a request once, whole, and cuts the answer out of what arrives, within bounds of time and size. It opens
nothing, records nothing, follows nothing and never sends twice. llhttp does the parsing; this module knows whether a
byte of the request left, and how much of an answer may come.
"""

import asyncio
import re
import select
import time
from collections.abc import Callable, Mapping
from math import inf
from types import MappingProxyType
from typing import Final, TypeAlias, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from msgspec import Struct

from voucherswitch.providers.contract.alerts import BAD_ANSWER
from voucherswitch.providers.contract.transport.causes import cause_of
from voucherswitch.providers.contract.transport.results import NoAnswer, NoConnection

HEAD_BYTES_MAX: Final = 32_768  # of all heads of an answer, those that announce it (1xx) included
INTERIM_MAX: Final = 8  # answers that announce the answer (1xx)
# Bytes on the wire for a byte of body: six where each has a chunk of its own. More is padding.
WIRE_PER_BODY_MAX: Final = 8

_HEAD_TOO_LARGE: Final = f"the answer's head is larger than {HEAD_BYTES_MAX} bytes"

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")
_TARGET: Final = re.compile(r'/[!"$-~]*')  # no fragment: it never leaves
_FRAMING: Final = frozenset({"content-length", "transfer-encoding", "connection"})
_TIMER_TICK_S: Final = 0.001  # event loops count in these, and a timer may ring half of one early
_WITHOUT_BODY: Final = frozenset({204, 304})


class HttpAnswer(Struct, frozen=True):
    """A complete answer, whatever its status. Header names are in lower case; of a repeated one the first counts."""

    status: int
    body: bytes
    headers: Mapping[str, str] = NO_HEADERS

    def header(self, name: str) -> str | None:
        """A header's value, by its name in lower case; None also for one that is not text."""
        return self.headers.get(name)


HttpResult: TypeAlias = HttpAnswer | NoConnection | NoAnswer


# Writing


class UnwritableRequest(ValueError):  # noqa: N818 (a finding about a message, like BadAnswer)
    """A part of a request has characters that HTTP would read as something else. Nothing was sent."""


def header_lines(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as lines, by their names in lower case.

    Raises:
        UnwritableRequest: a name that is none, a value with a line break or another control character, or a header that
            says where a message ends, which is ours to say.
    """
    lines = {name.lower(): f"{name}: {value}" for name, value in headers.items() if _TOKEN.fullmatch(name)}
    if len(lines) != len(headers) or not all(map(_VALUE.fullmatch, headers.values())) or not _FRAMING.isdisjoint(lines):
        raise UnwritableRequest
    return lines


def request_bytes(method: str, target: str, lines: Mapping[str, str], body: bytes | None) -> bytes:
    """A whole request. `lines` are those of `header_lines`; the length is added.

    Raises:
        UnwritableRequest: the method or the target has a character that it cannot have.
    """
    if not _TOKEN.fullmatch(method) or not _TARGET.fullmatch(target):
        raise UnwritableRequest
    length = "" if body is None and method in ("GET", "DELETE") else f"\r\nContent-Length: {len(body or b'')}"
    head = f"{method} {target} HTTP/1.1\r\n" + "\r\n".join(lines.values()) + length + "\r\n\r\n"
    return head.encode("ascii") + (body or b"")


# Reading


class _Reader:
    """What httptools finds in the bytes of an answer. A `fault` says why it is none.

    One for all answers of a connection: it and its parser know each other, so that a reader that is dropped after its
    answer waits for the garbage collector, and thousands of them make it look at every request in work.
    """

    def __init__(self, bytes_max: int) -> None:
        self._parser = HttpResponseParser(self)
        self._bytes_max = bytes_max
        self._wire_max = HEAD_BYTES_MAX + WIRE_PER_BODY_MAX * bytes_max
        self.begin()

    def begin(self) -> None:
        """Be ready for the next answer: the last one was complete, and the connection stayed."""
        self._wire = 0
        self._head = 0
        self._interim = 0
        self._headers: dict[str, str] = {}
        self._names: set[str] = set()
        self._body = bytearray()
        self.status: int | None = None  # of the answer itself, once its head is whole
        self.complete = False
        self.reusable = False  # another request may follow on the connection
        self.fault: str | None = None

    @property
    def begun(self) -> bool:
        """Whether anything has arrived."""
        return self._wire > 0

    def feed(self, data: bytes) -> None:
        """Take in what arrived."""
        self._wire += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._wrong("the answer changes the protocol")
        except HttpParserError:
            if self.complete:
                self.reusable = False  # a whole answer, and nonsense behind it
            else:
                self._wrong("the answer is not HTTP")
        if self.complete or self.fault:
            return
        if self.status is None and self._wire > HEAD_BYTES_MAX:
            self._wrong(_HEAD_TOO_LARGE)
        elif self._wire > self._wire_max:
            self._wrong("the answer is mostly padding")

    def end(self) -> None:
        """The connection ended: that completes an answer that says nothing of its length (RFC 9112 section 6.3)."""
        lengths = {"content-length", "transfer-encoding"}
        if self.status is not None and not self.fault and not lengths & self._names:
            self.complete, self.reusable = True, False

    def answer(self) -> HttpAnswer:
        """The answer, when it is complete."""
        return HttpAnswer(self.status or 0, bytes(self._body), self._headers)

    def _wrong(self, cause: str) -> None:
        self.fault = self.fault or cause

    # What the parser finds

    def on_message_begin(self) -> None:
        if self.complete:
            self.reusable = False  # a second answer, to nothing that was asked

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head += len(name) + len(value)
        if self._head > HEAD_BYTES_MAX:
            self._wrong(_HEAD_TOO_LARGE)
        if self.complete or self.fault or self.status is not None:
            return  # of a second answer, of none, or behind the body
        text = name.decode("ascii").lower()
        if text in self._names:
            return
        self._names.add(text)
        try:
            self._headers[text] = value.decode()
        except UnicodeDecodeError:
            return  # not text: as good as none

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        status = self._parser.get_status_code()
        if status >= 200:
            self.status = status
            declared = self._headers.get("content-length", "")
            if declared.isdecimal() and int(declared[:19]) > self._bytes_max:
                self._wrong(self._too_large())
        elif status == 101:
            self._wrong("the answer changes the protocol")

    def on_body(self, piece: bytes) -> None:
        if self.complete or self.fault:
            return
        if len(self._body) + len(piece) > self._bytes_max:
            self._wrong(self._too_large())
        else:
            self._body += piece

    def on_message_complete(self) -> None:
        if self.complete or self.fault:
            return
        if self.status is not None:
            self.complete, self.reusable = True, self._parser.should_keep_alive()
            return
        self._interim += 1
        self._headers.clear()
        self._names.clear()
        if self._interim > INTERIM_MAX:
            self._wrong("the answer is announced too often")

    def _too_large(self) -> str:
        return f"the answer is larger than {self._bytes_max} bytes"


class HttpConnection(asyncio.Protocol):
    """One connection. Times are seconds of `time.monotonic()`.

    Args:
        bytes_max: of an answer's body.
        read_timeout_s: longest wait for the next byte while an answer is due.
        closed: called once, when the connection has ended.
    """

    _transport: asyncio.Transport

    def __init__(self, bytes_max: int, read_timeout_s: float, closed: Callable[["HttpConnection"], None]) -> None:
        self._read_s = read_timeout_s
        self._closed = closed
        self._reader = _Reader(bytes_max)
        self._answer: asyncio.Future[HttpAnswer | NoAnswer] | None = None  # None: nothing is due
        self._ends_at = 0.0
        self._heard_at = 0.0
        self._kept_until = inf  # while nothing is due
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = inf
        self._ended = False

    @property
    def usable(self) -> bool:
        """Whether a request can be sent on it now."""
        return not self._ended and self._answer is None and not self._transport.is_closing()

    async def exchange(self, request: bytes, ends_at: float) -> HttpResult:
        """Send one request, whole, and wait for its answer. Cancelling closes the connection; it takes nothing back.

        Returns:
            The answer, what is proved without one, or `NoConnection` if the connection had ended before a byte was
            written.
        """
        if not self.usable:
            return NoConnection("the provider closed the connection")
        loop = asyncio.get_running_loop()
        self._reader.begin()
        answer: asyncio.Future[HttpAnswer | NoAnswer] = loop.create_future()
        self._answer = answer
        self._ends_at, self._heard_at = ends_at, time.monotonic()
        self._ring_by(min(ends_at, self._heard_at + self._read_s))
        self._transport.write(request)
        try:
            return await answer
        finally:
            if not answer.done() or answer.cancelled():
                self._end(NoAnswer("cancelled while waiting for the answer"))

    def stay(self, seconds: float) -> None:
        """Keep the connection for another exchange, for so long."""
        self._kept_until = time.monotonic() + seconds
        self._ring_by(self._kept_until)

    def wake(self) -> bool:
        """Take it back into use before that time is over. False: it has ended, and takes no request."""
        self._kept_until = inf
        if not self.usable:
            return False
        # The event loop may not have told yet that the provider hung up: a request sent now would end in doubt.
        asked = select.poll()
        asked.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        if asked.poll(0):
            self.close()
            return False
        return True

    def close(self) -> None:
        """Close; an exchange that is still in flight ends unanswered."""
        self._end(NoAnswer("the connection was closed here"), abort=self._answer is not None)

    # What the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one, but does not inherit from it

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        if self._answer is None:
            self._end(NoAnswer("an answer came that nobody asked for"))
            return
        self._heard_at = time.monotonic()
        self._reader.feed(data)
        self._judge()

    def eof_received(self) -> None:
        if not self._ended and self._answer is not None:
            self._reader.end()
            self._judge()

    def connection_lost(self, error: Exception | None) -> None:
        cause = "the provider closed the connection" if error is None else f"the connection broke: {cause_of(error)}"
        self._end(NoAnswer(cause, BAD_ANSWER if self._reader.begun else None, self._reader.status))

    # How waiting ends

    def _judge(self) -> None:
        reader = self._reader
        if reader.complete:
            self._settle(reader.answer())
            if not reader.reusable:
                self._end(NoAnswer("the connection was closed here"), abort=False)
        elif reader.fault is not None:
            self._end(NoAnswer(reader.fault, BAD_ANSWER, reader.status))

    def _ring_by(self, moment_s: float) -> None:
        """Have the timer ring then, or before. It looks what is due then: one that rings for nothing is cheaper than
        two that are set and cancelled for every exchange.
        """
        if self._rings_at <= moment_s:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = moment_s
        self._timer = asyncio.get_running_loop().call_later(max(_TIMER_TICK_S, moment_s - time.monotonic()), self._ring)

    def _ring(self) -> None:
        """The timer: is the answer overdue, or has the connection been idle for so long?

        Nothing ends before its time: whether silence lasted for all of it says whose fault it was (`verdict.judge`).
        """
        self._rings_at = inf
        due = self._answer is not None
        until_s = min(self._ends_at, self._heard_at + self._read_s) if due else self._kept_until
        if until_s > time.monotonic():
            if until_s < inf:
                self._ring_by(until_s)
        elif due:
            self._end(NoAnswer("no complete answer in time", None, self._reader.status))
        else:
            self.close()

    def _settle(self, result: HttpAnswer | NoAnswer) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_result(result)

    def _end(self, failure: NoAnswer, *, abort: bool = True) -> None:
        """Nothing more is sent or read; an exchange in flight ends unanswered."""
        if self._ended:
            return
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        self._settle(failure)
        if abort:
            self._transport.abort()
        else:
            self._transport.close()
        self._closed(self)
