"""Child processes of a test: started with a clean environment, their output kept, gone when the test is."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from support.child import PARENT_PIPE

TESTS: Final = Path(__file__).parents[1]
STOP_S_MAX: Final = 30


class Process:
    """One child process. `log` holds all that it wrote."""

    def __init__(
        self,
        program: str,
        folder: Path,
        env: Mapping[str, str],
        *,
        name: str | None = None,
        wrapper: Sequence[str] = (),
    ) -> None:
        """`wrapper`: a command that ends in running the arguments behind it, as another user for instance."""
        self.log: Final = folder / f"{name or program}.log"
        self._program = program
        self._wrapper = wrapper
        self._folder = folder
        self._env = env
        self._parent_pipe = -1
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id; it must run."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it; its log goes on where it ended."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("VOUCHERSWITCH_") and name != "DATABASE_URL"
        }
        read_end, self._parent_pipe = os.pipe()
        try:
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    [*self._wrapper, sys.executable, "-m", "support.child", self._program],
                    cwd=self._folder,
                    env={
                        **inherited,
                        **self._env,
                        "PYTHONPATH": os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")])),
                        "PYTHONUNBUFFERED": "1",
                        PARENT_PIPE: str(read_end),
                    },
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=(read_end,),
                    start_new_session=True,
                )
        finally:
            os.close(read_end)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    async def stop(self) -> int:
        """Ask it to end, wait for it, and return its exit code."""
        self.signal(signal.SIGTERM)
        return await self._ended()

    async def kill(self) -> None:
        """End it as a crash does."""
        self.signal(signal.SIGKILL)
        await self._ended()

    async def _ended(self) -> int:
        process = self._process
        if process is None:
            return 0
        try:
            code = await asyncio.to_thread(process.wait, STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{self._program} did not stop in {STOP_S_MAX} s:\n{self.tail()}") from None
        finally:
            if self._parent_pipe >= 0:
                os.close(self._parent_pipe)
            self._parent_pipe = -1
            self._process = None
        return code

    def must_run(self) -> None:
        """Raise with the end of its log if it has ended by itself."""
        assert self.running, f"{self._program} ended:\n{self.tail()}"

    def text(self) -> str:
        """All that it wrote so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def tail(self) -> str:
        """The end of what it wrote."""
        return self.text()[-3000:]
