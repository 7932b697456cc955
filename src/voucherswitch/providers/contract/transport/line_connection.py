"""One connection that carries requests of one line and answers that end with a closing tag.

It cuts the answers out of what arrives, gives each to the request whose turn it is, and knows what is proved when one
does not come. It opens nothing, records nothing and never sends twice.
"""

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias, cast

from voucherswitch.providers.contract.alerts import BAD_ANSWER
from voucherswitch.providers.contract.transport.causes import cause_of
from voucherswitch.providers.contract.transport.results import NoAnswer, NoConnection

LINE_BYTES_MAX: Final = 65_536  # of one request, its line feed included

LineResult: TypeAlias = bytes | NoConnection | NoAnswer
Belongs: TypeAlias = Callable[[bytes], bool]

_LINE_BREAKS: Final = b"\r\n"
_BLANK: Final = b" \t"
_TIMER_TICK_S: Final = 0.001  # event loops count in these, and a timer may ring half of one early
_UNASKED: Final = NoAnswer("an answer came that nobody asked for", BAD_ANSWER)


class AnswerReader:
    """Cuts answers out of a stream of bytes, however it was split.

    An answer is everything up to and including its closing tag. Line breaks are no part of it, wherever they are, the
    tag itself included; blanks between answers neither.

    Args:
        closing_tag: like `</response>`; compared without case.
        bytes_max: of one answer, line breaks included.
    """

    def __init__(self, closing_tag: str, bytes_max: int) -> None:
        self._tag = _pattern(closing_tag)
        self._overlap = len(closing_tag) - 1  # of a tag that is cut, at most this many bytes came before
        self._bytes_max = bytes_max
        self._kept = bytearray()
        self._size = 0  # of the unfinished answer as it came
        self.too_large = False  # an answer, complete or not, is beyond the bound; nothing more can be read

    @property
    def unfinished(self) -> bool:
        """Whether a part of a next answer is here."""
        return bool(self._kept)

    def feed(self, data: bytes) -> list[bytes]:
        """Take in what arrived and return the answers it completes, oldest first, up to the one that is too large."""
        kept = self._kept
        searched = max(0, len(kept) - self._overlap)
        kept += data.translate(None, _LINE_BREAKS)
        self._size += len(data)
        answers: list[bytes] = []
        while found := self._tag.search(kept, searched):
            end, searched = found.end(), 0
            # What follows in the same piece is counted without its line breaks: it makes no answer pass that is too
            # large, and refuses none that is not.
            size, self._size = self._size - (len(kept) - end), len(kept) - end
            if size > self._bytes_max:
                self._size = size
                break
            answers.append(bytes(kept[:end]).lstrip(_BLANK))
            del kept[:end]
        if kept and kept[0] in _BLANK:
            del kept[: len(kept) - len(kept.lstrip(_BLANK))]
        self.too_large = self._size > self._bytes_max
        return answers


@lru_cache(maxsize=16)  # a process has a few providers and a connection per message
def _pattern(closing_tag: str) -> re.Pattern[bytes]:
    return re.compile(re.escape(closing_tag.encode()), re.IGNORECASE)


class _Waiting:
    """A request on its way. Its place in the queue stays until its answer came, also when nobody waits any more."""

    __slots__ = ("belongs", "ends_at", "future", "sent_at", "timer")

    timer: asyncio.TimerHandle

    def __init__(
        self, future: asyncio.Future[bytes | NoAnswer], sent_at: float, ends_at: float, belongs: Belongs | None
    ) -> None:
        self.future = future
        self.sent_at = sent_at
        self.ends_at = ends_at
        self.belongs = belongs

    def settle(self, result: bytes | NoAnswer) -> None:
        self.timer.cancel()
        if not self.future.done():
            self.future.set_result(result)


class LineConnection(asyncio.Protocol):
    """One connection. Answers come in the order of the requests; times are seconds of `time.monotonic()`.

    Args:
        read_timeout_s: longest wait for the next byte while an answer is due.
        changed: called when a request ended or the connection did: it may take another one, or is gone.
    """

    _transport: asyncio.Transport

    def __init__(
        self, reader: AnswerReader, read_timeout_s: float, changed: Callable[["LineConnection"], None] | None = None
    ) -> None:
        self._reader = reader
        self._read_s = read_timeout_s
        self._changed = changed
        self._waiting: deque[_Waiting] = deque()
        self._heard_at = 0.0
        self.ended: str | None = "it is not connected"  # why nothing more is sent on it; None: it takes requests
        self.closed = False
        self.used_at = 0.0  # when it was last sent on or answered

    @property
    def in_flight(self) -> int:
        """Requests whose answers are due."""
        return len(self._waiting)

    async def exchange(self, line: bytes, ends_at: float, belongs: Belongs | None = None) -> LineResult:
        """Send one line, its line feed included, and wait for its answer.

        Cancelling takes nothing back: the answer, when it comes, is dropped.

        Args:
            ends_at: when waiting ends, at the latest.
            belongs: whether an answer can be this request's; one that is not leaves the whole connection out of step.

        Returns:
            The answer without line breaks; `NoConnection` if the connection had ended before a byte was written.
        """
        if self.ended is not None or self._transport.is_closing():
            return NoConnection(self.ended or "the provider closed the connection")
        now = self.used_at = time.monotonic()
        loop = asyncio.get_running_loop()
        waiting = _Waiting(loop.create_future(), now, ends_at, belongs)
        waiting.timer = loop.call_later(max(0, min(ends_at - now, self._read_s)), self._ring, waiting)
        self._waiting.append(waiting)
        self._transport.write(line)
        try:
            return await waiting.future
        finally:
            self._give_up_if_unheard()

    def close(self) -> None:
        """Close; requests still in flight end unanswered."""
        self._end(NoAnswer("the connection was closed here"), abort=bool(self._waiting))

    # What the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one, but does not inherit from it
        self.ended = None
        self.used_at = time.monotonic()

    def data_received(self, data: bytes) -> None:
        if self.closed:
            return
        self._heard_at = time.monotonic()
        answers = self._reader.feed(data)
        for answer in answers:
            if not self._waiting:
                self._end(_UNASKED)
                return
            waiting = self._waiting.popleft()
            if waiting.belongs is not None and not waiting.belongs(answer):
                waiting.settle(NoAnswer("the answer is about another request", BAD_ANSWER))
                self._end(NoAnswer("the connection is out of step", BAD_ANSWER))
                return
            waiting.settle(answer)
        if self._reader.too_large:
            self._end(NoAnswer("the answer is larger than the bound", BAD_ANSWER))
        elif self._waiting:
            self._give_up_if_unheard()
        elif self._reader.unfinished:
            self._end(_UNASKED)
        elif self.ended is not None:
            self._end(NoAnswer(self.ended))
        if answers:
            self.used_at = self._heard_at
            self._tell()

    def connection_lost(self, error: Exception | None) -> None:
        cause = "the provider closed the connection" if error is None else f"the connection broke: {cause_of(error)}"
        # A part of an answer is an unusable one.
        alert = BAD_ANSWER if self._reader.unfinished else None
        self._end(NoAnswer(cause, alert))

    # How waiting ends

    def _ring(self, waiting: _Waiting) -> None:
        """A request's timer: is it overdue, or have bytes come since?

        Nothing ends before its time: whether silence lasted for all of it says whose fault it was (`verdict.judge`).
        """
        now = time.monotonic()
        left_s = min(waiting.ends_at, max(waiting.sent_at, self._heard_at) + self._read_s) - now
        if left_s > 0:
            waiting.timer = asyncio.get_running_loop().call_later(max(_TIMER_TICK_S, left_s), self._ring, waiting)
            return
        # Requests behind it may still be answered, but nothing new is sent after a silence.
        self.ended = self.ended or "an answer on it is overdue"
        waiting.settle(NoAnswer("no complete answer in time"))
        self._give_up_if_unheard()

    def _give_up_if_unheard(self) -> None:
        """Close an ended connection on which nobody waits any more."""
        if self.ended is not None and all(one.future.done() for one in self._waiting):
            self._end(NoAnswer(self.ended))

    def _end(self, failure: NoAnswer, *, abort: bool = True) -> None:
        """Nothing more is sent or read; every request in flight ends unanswered."""
        if self.closed:
            return
        self.closed = True
        self.ended = self.ended or failure.cause
        while self._waiting:
            self._waiting.popleft().settle(failure)
            failure = NoAnswer(failure.cause)  # one spoilt connection is one alert
        if abort:
            self._transport.abort()
        else:
            self._transport.close()
        self._tell()

    def _tell(self) -> None:
        if self._changed is not None:
            self._changed(self)
