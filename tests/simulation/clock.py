"""Virtual time: an event loop that jumps to the next timer, and randomness that repeats.

The loop has no selector: whatever the simulated processes wait for is a timer or a future of the simulation. Each
handle belongs to the process whose context it was made in. Within a process handles run in their order, as in every
event loop; which process runs next is drawn. So every schedule is one that real processes could have.
"""

import asyncio
import heapq
import os
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeVar

T = TypeVar("T")

START_S: Final = 1_000.0  # the monotonic clock when a world begins: not 0, which some code could take for "never"


class Process:
    """A simulated process: what runs on its behalf is found by the context it was started in."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True

    def __repr__(self) -> str:
        return self.name


WORLD: Final = Process("world")
CURRENT: Final[ContextVar[Process]] = ContextVar("CURRENT", default=WORLD)


class NothingLeftError(Exception):
    """Everybody waits and nothing will ever happen: a deadlock."""


class _Task(asyncio.Task[T]):
    """A task whose place in a set does not depend on its address, so that a seed repeats exactly."""

    _numbers = iter(range(0))

    def __init__(self, *args: Any, **options: Any) -> None:
        self._number = next(_Task._numbers)
        super().__init__(*args, **options)
        self._log_destroy_pending = False  # a killed process leaves tasks behind, as it should

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop in virtual time. `choose` draws one of n."""

    def __init__(self, draw: random.Random) -> None:
        super().__init__()
        self.now = START_S
        self.steps = 0
        self.signal_handlers: dict[Process, Callable[[], object]] = {}
        self._draw = draw
        self._queues: dict[Process, deque[asyncio.Handle]] = {}
        self._left_behind: list[asyncio.Handle] = []
        self._ready: deque[asyncio.Handle]
        self._scheduled: list[asyncio.TimerHandle]
        _Task._numbers = iter(range(1 << 62))
        self.set_task_factory(lambda loop, coro, **options: _Task(coro, loop=loop, **options))

    def time(self) -> float:
        """Virtual seconds; the monotonic clock of every simulated process."""
        return self.now

    def _run_once(self) -> None:
        """Run one handle of one process; jump to the next timer when there is none."""
        self._sort()
        if not self._queues:
            while self._scheduled and self._scheduled[0].cancelled():
                heapq.heappop(self._scheduled)
            if not self._scheduled:
                raise NothingLeftError
            self.now = max(self.now, self._scheduled[0].when())
        while self._scheduled and self._scheduled[0].when() <= self.now:
            timer = heapq.heappop(self._scheduled)
            if not timer.cancelled():
                self._ready.append(timer)
        self._sort()
        if not self._queues:
            return
        processes = list(self._queues)
        process = processes[0] if len(processes) == 1 else processes[int(self._draw.random() * len(processes))]
        queue = self._queues[process]
        handle = queue.popleft()
        if not queue:
            del self._queues[process]
        if not process.alive:
            self._left_behind.append(handle)
        elif not handle.cancelled():
            self.steps += 1
            handle._run()

    def _sort(self) -> None:
        """Hand what became ready to its process."""
        while self._ready:
            handle = self._ready.popleft()
            process = handle._context.get(CURRENT, WORLD)  # type: ignore[attr-defined]  # asyncio keeps it there
            self._queues.setdefault(process, deque()).append(handle)

    def revive(self) -> None:
        """Run what killed processes left behind, so that their coroutines can be closed in order."""
        self._ready.extend(self._left_behind)
        self._left_behind.clear()

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]  # typeshed has it return a union
        """Run it now: threads have no place in virtual time."""
        future = self.create_future()
        future.set_result(func(*args))
        return future

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: Any) -> None:  # type: ignore[override]  # typeshed wants the arguments typed
        """Keep it for the process, so that the simulation can ask it to stop."""
        self.signal_handlers[CURRENT.get()] = lambda: callback(*args)

    def _write_to_self(self) -> None:
        """Nobody sleeps in a selector."""

    def _process_events(self, event_list: object) -> None:
        """There are none."""


@contextmanager
def virtual_time(loop: VirtualLoop, seed: int) -> Iterator[None]:
    """Let everybody read the loop's clock and draw from the seed, the standard library's secrets and ids included."""
    source = random.Random(f"{seed} bytes")
    real = time.monotonic, os.urandom, random._urandom, random.getstate()  # type: ignore[attr-defined]
    time.monotonic = loop.time
    os.urandom = source.randbytes  # what uuid4 and the vault draw from
    random._urandom = source.randbytes  # type: ignore[attr-defined]  # what `secrets` draws from
    random.seed(seed)
    try:
        yield
    finally:
        time.monotonic, os.urandom, random._urandom, state = real  # type: ignore[attr-defined]
        random.setstate(state)
