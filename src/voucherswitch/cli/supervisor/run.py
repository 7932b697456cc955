"""One child while the supervisor runs: its process, from its start to its end, as often as it is started."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final

from voucherswitch.cli.supervisor.child import Child
from voucherswitch.cli.supervisor.handover import LISTENERS_VARIABLE, READY_VARIABLE, descriptors_text, until_told
from voucherswitch.cli.supervisor.output import Output, Printer, end_output
from voucherswitch.cli.supervisor.parent import ParentTie
from voucherswitch.cli.supervisor.readiness import wait_until_ready
from voucherswitch.cli.supervisor.waiting import first_of

_LAST_LINE_CHARS_MAX: Final = 500


class Run:
    """A child's present state. A restart gives it a new process.

    Attributes:
        ready: set when a process of the child was ready for the first time.
        stopping: set by the supervisor: end the process, and don't start another.
        replaces: the state whose place it takes, as long as it was not ready.
    """

    def __init__(
        self,
        child: Child,
        printer: Printer,
        tie: ParentTie,
        kill_asked: asyncio.Event,
        replaces: "Run | None" = None,
    ) -> None:
        self.child: Final = child
        self.replaces: Final = replaces
        self.ready: Final = asyncio.Event()
        self.stopping: Final = asyncio.Event()
        self._printer: Final = printer
        self._tie: Final = tie
        self._kill_asked: Final = kill_asked
        self._process: asyncio.subprocess.Process | None = None
        self._listeners: dict[str, socket.socket] = {}
        self._last_line = ""
        self._last_error_line = ""

    @property
    def last_words(self) -> str:
        """What the process wrote last; its errors tell more than the rest."""
        return self._last_error_line or self._last_line or "no output"

    async def live(self) -> str:
        """One process from start to end; return how it ended.

        Raises:
            OSError: it cannot be started.
        """
        self._last_line = self._last_error_line = ""
        with self._listening(), _ready_pipe(self.child) as (told, tell):
            return await self._live(told, tell)

    async def _live(self, told: int | None, tell: int | None) -> str:
        process, outputs = await self._start(tell)
        self._process = process
        if self._kill_asked.is_set():  # while it was being started
            self.kill()
        exited = asyncio.create_task(process.wait())

        in_time = await self._until_ready(exited, told)
        if not in_time:
            self.kill()
        elif not exited.done() or (self.child.ready is None and not self.child.tells_ready):
            if not self.stopping.is_set():
                if self.ready.is_set():
                    self._printer.say(f"{self.child.name} runs again")
                self.ready.set()
            await first_of(exited, self.stopping.wait())
            # Before the process stops accepting: nothing may wait for a process that does not come.
            self._close_listeners()
            if not exited.done():
                with suppress(ProcessLookupError):
                    process.terminate()

        code = await exited
        await end_output(outputs)
        return f"ended with {_outcome(code)}" if in_time else f"was not ready within {self.child.ready_within_s:g} s"

    def kill(self) -> None:
        """Kill the process, if there is one, with what it started itself."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
                os.killpg(self._process.pid, signal.SIGKILL)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """The child's sockets: those of the process that it replaces, or new ones.

        They are ours as long as the process runs. When that has crashed, the kernel gives new connections to others.
        """
        if self.child.listen is not None:
            before = {} if self.replaces is None or self.ready.is_set() else self.replaces._listeners
            self._listeners = {name: sock.dup() for name, sock in before.items()} or dict(self.child.listen())
            for listener in self._listeners.values():
                # All copies of a socket wait, or none: who accepts from one that waits serves nobody meanwhile.
                listener.setblocking(False)
        try:
            yield
        finally:
            self._close_listeners()

    def _close_listeners(self) -> None:
        for listener in self._listeners.values():
            listener.close()
        self._listeners = {}

    async def _start(self, tell: int | None) -> tuple[asyncio.subprocess.Process, list[Output]]:
        """Start the process and pass on its output."""
        # Pipes of our own: asyncio's would make `wait` wait for grandchildren that keep them open.
        descriptors = [listener.fileno() for listener in self._listeners.values()]
        handed = {LISTENERS_VARIABLE: descriptors_text(self._listeners)} if self._listeners else {}
        if tell is not None:
            descriptors.append(tell)
            handed[READY_VARIABLE] = str(tell)
        outputs: list[Output] = []
        write_ends: list[int] = []
        try:
            for is_error in (False, True):
                read_end, write_end = os.pipe()
                write_ends.append(write_end)
                outputs.append(await Output.open(read_end, partial(self._take, is_error=is_error)))
            process = await asyncio.create_subprocess_exec(
                *self.child.argv,
                env={
                    "PYTHONUNBUFFERED": "1",
                    **os.environ,
                    **self.child.env,
                    **self._tie.env,
                    **handed,
                },
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_ends[0],
                stderr=write_ends[1],
                pass_fds=(*self._tie.descriptors, *descriptors),
                start_new_session=True,
                preexec_fn=self._tie.before_program,
            )
        except BaseException:
            for output in outputs:
                output.close()
            raise
        finally:
            for write_end in write_ends:
                os.close(write_end)
        return process, outputs

    async def _until_ready(self, exited: "asyncio.Task[int]", told: int | None) -> bool:
        """Wait until the child is ready, ends, or is to stop; return False when none of this came in time."""
        probe = asyncio.create_task(wait_until_ready(self.child) if told is None else until_told(told))
        try:
            await first_of(probe, exited, self.stopping.wait(), timeout_s=self.child.ready_within_s)
            if probe.done():
                probe.result()  # raises what a probe function raised
            return probe.done() or exited.done() or self.stopping.is_set()
        finally:
            probe.cancel()

    def _take(self, line: bytes, *, is_error: bool) -> None:
        """Pass on one line of output, and remember it in case it is the last."""
        text = line.decode("utf-8", errors="replace").strip()[:_LAST_LINE_CHARS_MAX]
        if text and is_error:
            self._last_error_line = text
        elif text:
            self._last_line = text
        self._printer.pass_on(self.child.name, line, is_error=is_error)


def _outcome(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


@contextmanager
def _ready_pipe(child: Child) -> Iterator[tuple[int | None, int | None]]:
    """Both ends of the pipe by which a child says that it is ready, if it does."""
    if not child.tells_ready:
        yield None, None
        return
    read_end, write_end = os.pipe()
    try:
        yield read_end, write_end
    finally:
        os.close(read_end)
        os.close(write_end)
