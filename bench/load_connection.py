"""The connections of the load generator: what they share, and what each of them does with an answer."""

import asyncio
import re
from collections import deque
from time import perf_counter
from typing import Final, cast

from bench.histogram import Histogram
from bench.wire import fresh_id

CONTENT_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n", re.IGNORECASE)
END_OF_HEAD: Final = b"\r\n\r\n"
STATUS_AT: Final = slice(9, 12)  # of "HTTP/1.1 201 Created"


class Run:
    """What the connections of one run share: the request, the phase and the counts.

    In a closed loop a connection sends its next request as soon as it has its answer. `paced`, requests fall due by the
    clock: a connection without one waits in `idle`, and what falls due while there is none waits in `due`, as the
    moment from which its latency counts.
    """

    def __init__(self, before_id: bytes, after_id: bytes, *, paced: bool = False) -> None:
        self.before_id = before_id
        self.after_id = after_id
        self.paced = paced
        self.idle: deque[Connection] = deque()
        self.due: deque[float] = deque()
        self.measuring = False
        self.stopping = False
        self.latencies = Histogram()
        self.created = 0  # answers 201, warm-up included
        self.answers = 0  # answers of any kind, to divide the CPU by
        self.errors: dict[str, int] = {}
        self.first_error: str | None = None
        self.open_connections = 0
        self.all_closed = asyncio.Event()

    def failed(self, what: str, detail: str) -> None:
        """Count one thing that was not a 201."""
        self.errors[what] = self.errors.get(what, 0) + 1
        if self.first_error is None:
            self.first_error = f"{what}: {detail}"[:400]

    def fall_due(self, moment: float) -> None:
        """Send a request, at once if somebody is idle. Its latency counts from `moment`, however late this is."""
        if self.idle:
            self.idle.popleft().send(moment)
        else:
            self.due.append(moment)


class Connection(asyncio.Protocol):
    """One keep-alive connection: send, wait for the whole answer, count it, send the next."""

    __slots__ = ("_buffer", "_given_up", "_run", "_sent_at", "_transport", "_waiting")

    def __init__(self, run: Run) -> None:
        self._run = run
        self._buffer = b""
        self._sent_at = 0.0
        self._waiting = False
        self._given_up = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class is no subclass of it
        self._run.open_connections += 1

    def begin(self) -> None:
        """Send the next provision, or wait until one falls due."""
        run = self._run
        if not run.paced:
            self.send(perf_counter())
        elif run.due:
            self.send(run.due.popleft())
        else:
            run.idle.append(self)

    def send(self, since: float) -> None:
        """Send one provision with an id that was never used; its latency counts from `since`."""
        run = self._run
        if self._transport is None:
            return
        self._waiting = True
        self._sent_at = since
        self._transport.write(b"".join((run.before_id, fresh_id(), run.after_id)))

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        end_of_head = data.find(END_OF_HEAD)
        if end_of_head < 0:
            self._buffer = data
            return
        length = CONTENT_LENGTH.search(data, 0, end_of_head + 2)
        if length is None:
            self._give_up("unreadable answer", data[:200].decode("latin-1"))
            return
        body_at = end_of_head + len(END_OF_HEAD)
        missing = body_at + int(length[1]) - len(data)
        if missing > 0:
            self._buffer = data
            return
        if missing < 0 or not self._waiting:  # more bytes than were asked for: nothing after this can be trusted
            self._give_up("unasked bytes", data[:200].decode("latin-1"))
            return
        self._buffer = b""
        self._waiting = False
        self._count(data, body_at)

    def _count(self, data: bytes, body_at: int) -> None:
        run = self._run
        run.answers += 1
        if data[STATUS_AT] == b"201":
            run.created += 1
            if run.measuring:
                run.latencies.record(int((perf_counter() - self._sent_at) * 1e6))
        else:
            status = data[STATUS_AT].decode("latin-1")
            run.failed(f"status {status}", data[body_at:].decode("utf-8", "replace"))
        if not run.stopping:
            self.begin()
        elif self._transport is not None:
            self._transport.close()

    def _give_up(self, what: str, detail: str) -> None:
        self._run.failed(what, detail)
        self._given_up = True
        if self._transport is not None:
            self._transport.abort()

    def stop_if_idle(self) -> None:
        """Close the connection unless an answer is still owed to it."""
        if not self._waiting and self._transport is not None:
            self._transport.close()

    def abandon(self) -> None:
        """Close the connection, whatever is owed to it; nothing more is counted."""
        self._given_up = True
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        run = self._run
        if self._given_up:
            pass  # counted where it was given up
        elif self._waiting:
            run.failed("connection lost", str(exc) if exc else "closed by the server before it answered")
        elif not run.stopping:
            run.failed("connection closed", "closed by the server between two requests")
        run.open_connections -= 1
        if run.open_connections == 0:
            run.all_closed.set()


async def pace(run: Run, rate: float) -> None:
    """Let requests fall due `rate` times a second until the run stops, whether or not anybody has an answer yet.

    Those of one step of the clock fall due together at its beginning: a timer is no finer than a millisecond.
    """
    loop, began = asyncio.get_running_loop(), perf_counter()
    began_by_loop, steps, sent = loop.time(), 0, 0
    step_s: Final = 0.001
    while not run.stopping:
        steps += 1
        wait_s = began_by_loop + steps * step_s - loop.time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        moment = began + steps * step_s
        while sent < steps * step_s * rate and not run.stopping:
            sent += 1
            run.fall_due(moment)
