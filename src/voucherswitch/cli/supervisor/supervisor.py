"""`Supervisor`: when each child is started, started again and stopped, and what ends everything."""

import asyncio
import signal
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import BinaryIO, Final

from voucherswitch.cli.supervisor.child import Child
from voucherswitch.cli.supervisor.output import Printer
from voucherswitch.cli.supervisor.parent import ParentTie
from voucherswitch.cli.supervisor.readiness import accepts
from voucherswitch.cli.supervisor.run import Run
from voucherswitch.cli.supervisor.waiting import first_of
from voucherswitch.config import limits

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_BACKOFF_INITIAL_S: Final = 0.25
_BACKOFF_S_MAX: Final = 8.0
_MINUTE_S: Final = 60

# One Ctrl-C may arrive twice, from the terminal and from a program between it and us; nobody presses it so fast.
_SAME_SIGNAL_S: Final = 0.3


class Supervisor:
    """Runs children until one fails for good or a signal says stop.

    SIGINT, SIGTERM and SIGHUP stop the children in their order, each group once the one before is gone; what is not
    gone after `drain_s` is killed. A second signal kills all at once.

    `renew` replaces the children that inherit a socket, one after the other, while they serve.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        drain_s: float,
        restarts_per_minute_max: int = 5,
        prefix: bool = True,
        renew_on_hangup: bool = False,
        on_ready: Callable[[], None] | None = None,
        out: BinaryIO | None = None,
        err: BinaryIO | None = None,
    ) -> None:
        """
        Args:
            children: in the order in which they are announced; names must differ.
            drain_s: bound of a stop.
            restarts_per_minute_max: a child that crashes more often ends everything.
            prefix: put the child's name before its lines; False passes them on as they are (JSON logs).
            renew_on_hangup: SIGHUP means `renew`, not stop.
            on_ready: called once, when every child is ready.
            out, err: where the children's output goes; our own lines go to `err`.
        """
        names = [child.name for child in children]
        assert len(set(names)) == len(names)
        self._children: Final = children
        self._drain_s: Final = drain_s
        self._restarts_per_minute_max: Final = restarts_per_minute_max
        self._on_ready: Final = on_ready
        self._printer: Final = Printer(names, prefix=prefix, out=out, err=err)
        self._keepers: Final[dict[Run, asyncio.Task[None]]] = {}  # what looks after each child that was started
        self._crashes: Final[defaultdict[str, deque[float]]] = defaultdict(deque)  # monotonic, of the last minute
        self._stop_asked: Final = asyncio.Event()
        self._kill_asked: Final = asyncio.Event()
        self._stop_asked_at: float | None = None
        self._hangup: Final = self.renew if renew_on_hangup else self.stop
        self._tie: Final = ParentTie()
        self._serving = False
        self._renewal: asyncio.Task[None] | None = None
        self._failed = False

    async def run(self) -> int:
        """Run until the end; from the main thread only, because signals arrive there.

        Returns:
            The exit code: 0 after an orderly stop, 1 when a child failed or had to be killed, 130 when a second signal
            cut the stop short.
        """
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._hangup if number == signal.SIGHUP else self.stop)
        try:
            await self._run()
        finally:
            for run, keeper in self._keepers.items():
                run.kill()
                keeper.cancel()
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
            self._tie.close()
        if self._kill_asked.is_set():
            return 130
        return 1 if self._failed else 0

    def stop(self) -> None:
        """Stop in order; called again, kill at once. What a signal does."""
        now = time.monotonic()
        if self._stop_asked_at is None:
            self._stop_asked_at = now
            self._printer.say(f"stopping, for {self._drain_s:g} s at most; Ctrl-C again kills at once")
            self._stop_asked.set()
        elif now - self._stop_asked_at > _SAME_SIGNAL_S:
            self._kill_asked.set()

    def renew(self) -> None:
        """Replace the children that inherit a socket, one after the other, each once its successor is ready."""
        if self._stop_asked.is_set():
            return
        if not self._serving or (self._renewal is not None and not self._renewal.done()):
            self._printer.say("not restarted: a start is under way already; ask again when it is done")
            return
        self._renewal = asyncio.create_task(self._renew(), name="restart one by one")
        self._renewal.add_done_callback(self._keeper_done)

    async def _run(self) -> None:
        if await self._refuse_taken_ports():
            return
        self._serving = await self._start_in_order()
        if self._serving and self._on_ready is not None:
            with suppress(BrokenPipeError):  # our reader may be gone, which is no reason to stop
                self._on_ready()
        await self._stop_asked.wait()
        if self._renewal is not None:
            self._renewal.cancel()  # both processes of a pair are stopped like all
            await asyncio.wait([self._renewal])
            if not self._renewal.cancelled():
                self._renewal.result()  # as for the keepers below
        await self._stop_in_order()
        for keeper in self._keepers.values():
            await keeper  # raises what went wrong inside the supervisor itself

    async def _refuse_taken_ports(self) -> bool:
        """Another program on a child's port would answer our probes in the child's place."""
        for child in self._children:
            address = child.address
            if address is not None and await accepts(*address):
                self._printer.say(f"port {address[1]} is in use by another program: stop it, or set another port")
                self._failed = True
        return self._failed

    async def _start_in_order(self) -> bool:
        """Start the children; return whether all became ready, False when a stop came before."""
        for order in sorted({child.start_order for child in self._children}):
            children = [child for child in self._children if child.start_order == order]
            group = [self._started(child) for child in children]
            for run in group:
                await first_of(run.ready.wait(), self._stop_asked.wait())
                if self._stop_asked.is_set():
                    return False
        return True

    def _started(self, child: Child, replaces: Run | None = None) -> Run:
        run = Run(child, self._printer, self._tie, self._kill_asked, replaces)
        self._keepers[run] = asyncio.create_task(self._keep(run))
        self._keepers[run].add_done_callback(self._keeper_done)
        return run

    async def _renew(self) -> None:
        for run in [run for run in self._keepers if run.child.listen is not None]:
            name = run.child.name
            self._printer.say(f"restarting {name}")
            successor = self._started(run.child, replaces=run)
            await first_of(successor.ready.wait(), self._keepers[successor])
            if not successor.ready.is_set():
                del self._keepers[successor]
                self._printer.say(f"restart given up: {name} goes on as it was, and so do those after it")
                return
            run.stopping.set()
            await first_of(self._keepers[run], timeout_s=self._drain_s)
            if not self._keepers[run].done():
                self._printer.say(f"{name}: not gone in time, killed")
                run.kill()
                await first_of(self._keepers[run])
            del self._keepers[run]
        self._printer.say("restarted")

    async def _stop_in_order(self) -> None:
        deadline = time.monotonic() + self._drain_s
        least_s = 0
        for order in sorted({run.child.stop_order for run in self._keepers}):
            group = [run for run in self._keepers if run.child.stop_order == order]
            for run in group:
                run.stopping.set()
            left_s = max(deadline - time.monotonic(), least_s)
            least_s = limits.CHILD_LATE_STOP_S
            await first_of(self._all_done(group), self._kill_asked.wait(), timeout_s=left_s)
            if self._kill_asked.is_set():
                break
            late = [run for run in group if not self._keepers[run].done()]
            if late:
                self._failed = True
                self._printer.say(f"{', '.join(run.child.name for run in late)}: not gone in time, killed")
                for run in late:
                    run.kill()
        if self._kill_asked.is_set():
            self._printer.say("killed")
            for run in self._keepers:
                run.stopping.set()
                run.kill()
        await self._all_done(self._keepers)

    async def _all_done(self, runs: Iterable[Run]) -> None:
        keepers = [self._keepers[run] for run in runs]
        if keepers:
            await asyncio.wait(keepers)

    async def _keep(self, run: Run) -> None:
        """Run one child until the stop, again after each crash."""
        name = run.child.name
        while not self._stop_asked.is_set() and not run.stopping.is_set():
            try:
                end = await run.live()
            except OSError as error:
                self._never_ready(run, f"{name} cannot be started: {error.strerror}: {run.child.argv[0]}")
                return
            if run.stopping.is_set():
                return
            report = f"{name} {end}: {run.last_words}"
            if not run.ready.is_set():
                self._never_ready(run, f"{report} (it was never ready)")
                return
            if self._stop_asked.is_set():
                self._printer.say(report)
                return
            delay_s = self._restart_delay_s(name)
            if delay_s is None:
                self._fail(f"{report} (more than {self._restarts_per_minute_max} times in a minute: giving up)")
                return
            self._printer.say(f"{report} (starting it again in {delay_s:g} s)")
            await first_of(self._stop_asked.wait(), run.stopping.wait(), timeout_s=delay_s)

    def _never_ready(self, run: Run, text: str) -> None:
        """A child that cannot run ends everything, unless the process that it should replace still serves."""
        if run.replaces is None:
            self._fail(text)
        else:
            self._printer.say(text)

    def _restart_delay_s(self, name: str) -> float | None:
        """How long to wait before a restart; None when there were too many."""
        now = time.monotonic()
        crashes = self._crashes[name]
        while crashes and crashes[0] < now - _MINUTE_S:
            crashes.popleft()
        if len(crashes) >= self._restarts_per_minute_max:
            return None
        crashes.append(now)
        return min(_BACKOFF_INITIAL_S * 2.0 ** (len(crashes) - 1), _BACKOFF_S_MAX)

    def _fail(self, text: str) -> None:
        """Say what ended everything, and end it."""
        self._printer.say(text)
        self._failed = True
        self._stop_asked.set()

    def _keeper_done(self, keeper: "asyncio.Task[None]") -> None:
        if not keeper.cancelled() and keeper.exception() is not None:
            self._failed = True
            self._stop_asked.set()
