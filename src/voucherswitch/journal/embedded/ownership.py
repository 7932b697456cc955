"""Which process stops the server of a data directory, and that only one at a time starts or stops it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final


class Ownership:
    """A claim on one data directory. The kernel gives it up when its process dies, however it dies."""

    def __init__(self, top: Path) -> None:
        self._owner_file: Final = top / "postgres.owner"
        self._lock_file: Final = top / "postgres.lock"
        self._held: IO[bytes] | None = None

    @property
    def taken(self) -> bool:
        """Whether we took it and did not release it, though somebody may have deleted the directory since."""
        return self._held is not None

    @property
    def valid(self) -> bool:
        """Whether what we took is what others see: after a deletion, the directory there now is another one."""
        try:
            return self._held is not None and os.path.samestat(os.fstat(self._held.fileno()), self._owner_file.stat())
        except FileNotFoundError:
            return False

    def take(self) -> None:
        """Become the owner, unless another process is."""
        if self.valid:
            return
        self.release()
        file = self._owner_file.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
        else:
            self._held = file

    def release(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Only one process at a time starts or stops the server of a directory."""
        with self._lock_file.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
