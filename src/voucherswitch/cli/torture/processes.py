"""The processes of a run: started, frozen, killed and started again by the harness, their output kept in files.

Not the supervisor of `up`: that one gives up on a child that ends too often, and here they are killed all the time.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from voucherswitch.cli.supervisor.parent import ParentTie
from voucherswitch.cli.supervisor.readiness import accepts

_POLL_S: Final = 0.05
_STOP_S_MAX: Final = 40
_RESTART_PAUSE_S: Final = 0.5
_OWN: Final = ("VOUCHERSWITCH_", "DATABASE_URL")


class Process:
    """One program of ours. `name` also names its log."""

    def __init__(self, name: str, argv: Sequence[str], folder: Path, env: Mapping[str, str], tie: ParentTie) -> None:
        self.name: Final = name
        self.log: Final = folder / "logs" / f"{name}.log"
        self.ended: Final[list[str]] = []  # how it ended where nobody had asked for it
        self._argv: Final = list(argv)
        self._folder: Final = folder
        # What this shell has set for another switch is no business of this one.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(_OWN)}
        self._env: Final = {**inherited, **env, "PYTHONUNBUFFERED": "1"}
        self._tie: Final = tie
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = False
        self._restart_at = 0.0

    @property
    def running(self) -> bool:
        """Whether it lives; frozen counts."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Its number, None while it does not run."""
        return self._process.pid if self._process is not None and self.running else None

    def start(self) -> None:
        """Start it. From the main thread only: the kernel ties a child to the thread that made it."""
        self._wanted = True
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 (our own command)
                self._argv,
                cwd=self._folder,
                env={**self._env, **self._tie.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=self._tie.descriptors,
                start_new_session=True,
                preexec_fn=self._tie.before_program,
            )

    def signal(self, number: int) -> None:
        """Send it a signal, if it lives."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    async def kill(self) -> None:
        """kill -9. It stays down until `start`."""
        self._wanted = False
        self.signal(signal.SIGKILL)
        await self._gone(_STOP_S_MAX)

    async def stop(self) -> int | None:
        """Ask it to end; return its exit code, None if it had to be killed."""
        self._wanted = False
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        code = await self._gone(_STOP_S_MAX)
        if code is None:
            await self.kill()
        return code

    def tend(self) -> None:
        """Start it again if it has ended without being asked to, after a pause; remember how it ended."""
        if not self._wanted or self.running or self._process is None:
            return
        if not self._restart_at:
            self.ended.append(f"{self.name} ended with {self._process.returncode}: {self.last_line()}")
            self._restart_at = time.monotonic() + _RESTART_PAUSE_S
        elif time.monotonic() >= self._restart_at:
            self._restart_at = 0.0
            self.start()

    def last_line(self) -> str:
        """What it wrote last."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return lines[-1][:300] if lines else "no output"

    async def _gone(self, within_s: float) -> int | None:
        if self._process is None:
            return 0
        deadline = time.monotonic() + within_s
        while (code := self._process.poll()) is None and time.monotonic() < deadline:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(_POLL_S)
        return code


async def until_listening(process: Process, host: str, port: int, within_s: float) -> None:
    """Wait until a process accepts connections.

    Raises:
        RuntimeError: it ended, or did not listen in time.
    """
    deadline = time.monotonic() + within_s
    while not await accepts(host, port):
        if not process.running or time.monotonic() > deadline:
            raise RuntimeError(f"{process.name} does not listen on {host}:{port}: {process.last_line()}")
        await asyncio.sleep(_POLL_S)
