"""No child outlives a supervisor that was killed: on Linux the kernel kills it; elsewhere it watches a pipe.

The pipe's write end is open in the supervisor alone, so its end closes it, however the supervisor ends.
"""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

PARENT_PIPE_VARIABLE: Final = "VOUCHERSWITCH_PARENT_PIPE"

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class ParentTie:
    """What the supervisor gives each child so that it dies with us: arguments for its start."""

    def __init__(self) -> None:
        self._pipe: Final = os.pipe() if _LIBC is None else None

    @property
    def env(self) -> Mapping[str, str]:
        return {} if self._pipe is None else {PARENT_PIPE_VARIABLE: str(self._pipe[0])}

    @property
    def descriptors(self) -> tuple[int, ...]:
        return () if self._pipe is None else self._pipe[:1]

    @property
    def before_program(self) -> Callable[[], None] | None:
        """What the new process does before its program starts: ask the kernel to be killed when its parent dies."""
        libc = _LIBC
        if libc is None:
            return None
        parent = os.getpid()

        def ask() -> None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:  # it died before we asked
                os._exit(1)

        return ask

    def close(self) -> None:
        for descriptor in self._pipe or ():
            os.close(descriptor)


def watch_parent() -> None:
    """Have this process killed when its supervisor dies, where the kernel does not do so. Call it once, at start."""
    descriptor = os.environ.pop(PARENT_PIPE_VARIABLE, None)
    if descriptor is None:
        return

    def wait() -> None:
        with suppress(OSError):
            os.read(int(descriptor), 1)  # nobody writes: it ends when the last write end, the supervisor's, is closed
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, name="watch-parent", daemon=True).start()
