"""The connections of the load generator: what they share, and what each of them does with an answer."""

import asyncio
import re
from collections import deque
from time import perf_counter
from typing import Final, cast

from bench.scenarios import Cycle, Operation, Till, UnreadableAnswerError

CONTENT_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n", re.IGNORECASE)
END_OF_HEAD: Final = b"\r\n\r\n"
STATUS_AT: Final = slice(9, 12)  # of "HTTP/1.1 201 Created"


class Run:
    """What the connections of one run share: the phase and the counts.

    In a closed loop a connection begins its next cycle as soon as it has done one. `paced`, cycles fall due by the
    clock: a connection without one waits in `idle`, and what falls due while there is none waits in `due`, as the
    moment from which its latency counts.
    """

    def __init__(self, connections: int, *, paced: bool = False) -> None:
        self.paced = paced
        self.idle: deque[Connection] = deque()
        self.due: deque[float] = deque()
        self.measuring = False
        self.stopping = False
        self.cycles = 0  # done, warm-up included
        self.cycles_measured = 0
        self.answers = 0  # of any kind, to divide the CPU by
        self.errors: dict[str, int] = {}
        self.first_error: str | None = None
        self.open_connections = 0
        self.unprepared = connections  # those that have not begun their first cycle
        self.all_prepared = asyncio.Event()
        self.all_closed = asyncio.Event()

    def failed(self, what: str, detail: str) -> None:
        """Count one thing that was not as expected."""
        self.errors[what] = self.errors.get(what, 0) + 1
        if self.first_error is None:
            self.first_error = f"{what}: {detail}"[:400]

    def one_prepared(self) -> None:
        """Note that a connection has what its cycles need, or is gone."""
        self.unprepared -= 1
        if not self.unprepared:
            self.all_prepared.set()

    def fall_due(self, moment: float) -> None:
        """Begin a cycle, at once if somebody is idle. Its latency counts from `moment`, however late this is."""
        if self.idle:
            self.idle.popleft().send(moment)
        else:
            self.due.append(moment)


class Connection(asyncio.Protocol):
    """One keep-alive connection, on which a till works: send, wait for the whole answer, count it, send the next."""

    __slots__ = (
        "_buffer",
        "_cycle",
        "_given_up",
        "_operation",
        "_prepared",
        "_run",
        "_sent_at",
        "_till",
        "_transport",
        "_waiting",
    )

    def __init__(self, run: Run, till: Till) -> None:
        self._run = run
        self._till = till
        self._cycle: Cycle = till.prepare()
        self._prepared = False
        self._operation: Operation | None = None
        self._buffer = b""
        self._sent_at = 0.0
        self._waiting = False
        self._given_up = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class is no subclass of it
        self._run.open_connections += 1

    def open(self) -> None:
        """Prepare what the cycles need, then begin the first."""
        self._go_on(None, perf_counter())

    def begin(self, now: float) -> None:
        """Begin the next cycle, or wait until one falls due."""
        run = self._run
        if not run.paced:
            self.send(now)
        elif run.due:
            self.send(run.due.popleft())
        else:
            run.idle.append(self)

    def send(self, since: float) -> None:
        """Begin a cycle; the latency of its first request counts from `since`."""
        if self._transport is not None:
            self._cycle = self._till.cycle()
            self._go_on(None, since)

    def _go_on(self, answer: bytes | None, since: float) -> None:
        """Hand the answer to the cycle, and send what it asks next."""
        try:
            self._operation, request = self._cycle.send(answer)  # type: ignore[arg-type]  # None starts it
        except StopIteration:
            self._cycle_done(since)
        except UnreadableAnswerError as error:
            assert self._operation is not None
            self._run.failed(f"{self._operation.name}: unreadable answer", str(error))
            self._after_cycle(since)
        else:
            assert self._transport is not None
            self._waiting = True
            self._sent_at = since
            self._transport.write(request)

    def _cycle_done(self, now: float) -> None:
        run = self._run
        if self._prepared:
            run.cycles += 1
            run.cycles_measured += run.measuring
        self._after_cycle(now)

    def _after_cycle(self, now: float) -> None:
        """Begin the next, unless the run is over. Only here does a connection stop: no sale is left half-way."""
        run = self._run
        if not self._prepared:
            self._prepared = True
            run.one_prepared()
        if not run.stopping:
            self.begin(now)
        elif self._transport is not None:
            self._transport.close()

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
        run, operation = self._run, self._operation
        assert operation is not None
        run.answers += 1
        if data[STATUS_AT] != operation.status:
            self._wrong(f"status {data[STATUS_AT].decode('latin-1')}", data, body_at)
        elif operation.says and data.find(operation.says, body_at) < 0:
            self._wrong(f"no {operation.says.decode()}", data, body_at)
        else:
            now = perf_counter()
            operation.answers += 1
            if run.measuring:
                operation.latencies.record(int((now - self._sent_at) * 1e6))
            self._go_on(data, now)

    def _wrong(self, what: str, data: bytes, body_at: int) -> None:
        """Note an answer that was not expected. What the till goes on with would be missing, so its cycle is over."""
        assert self._operation is not None
        self._run.failed(f"{self._operation.name}: {what}", data[body_at:].decode("utf-8", "replace"))
        if self._prepared:
            self._after_cycle(perf_counter())
        else:
            self._close_given_up()

    def _give_up(self, what: str, detail: str) -> None:
        self._run.failed(what, detail)
        self._close_given_up()

    def _close_given_up(self) -> None:
        self._given_up = True
        if self._transport is not None:
            self._transport.abort()

    def stop_if_idle(self) -> None:
        """Close the connection unless an answer is still owed to it."""
        if not self._waiting and self._transport is not None:
            self._transport.close()

    def abandon(self) -> None:
        """Close the connection, whatever is owed to it; nothing more is counted."""
        self._close_given_up()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        run = self._run
        if self._given_up:
            pass  # counted where it was given up
        elif self._waiting:
            run.failed("connection lost", str(exc) if exc else "closed by the server before it answered")
        elif not run.stopping:
            run.failed("connection closed", "closed by the server between two requests")
        if not self._prepared:
            self._prepared = True
            run.one_prepared()
        run.open_connections -= 1
        if run.open_connections == 0:
            run.all_closed.set()


async def pace(run: Run, rate: float) -> None:
    """Let cycles fall due `rate` times a second until the run stops, whether or not anybody has an answer yet.

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
