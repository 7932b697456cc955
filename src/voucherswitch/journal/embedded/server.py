"""`EmbeddedPostgres`: what happens when a process starts, uses and stops the server of a data directory.

Decides under the directory's lock; what it decides is done by `cluster` (on disk) and `postmaster` (the process).
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from voucherswitch.config import limits
from voucherswitch.journal.embedded import backup, cluster, postmaster
from voucherswitch.journal.embedded.account import Account
from voucherswitch.journal.embedded.directories import PORT, Directories
from voucherswitch.journal.embedded.errors import EmbeddedPostgresError
from voucherswitch.journal.embedded.ownership import Ownership
from voucherswitch.journal.embedded.programs import Programs

_POLL_S: Final = 0.05

# A postmaster that was killed is not gone at once, nor are its children: so long they hold its socket and its memory.
_REMAINS_S_MAX: Final = 30


class EmbeddedPostgres:
    """The server of one data directory, shared by all processes that use the directory.

    The first process that starts it owns it and stops it; the others only use it. When the owner was killed, the server
    goes on and the next process that calls `start` becomes its owner.
    """

    def __init__(self, data_dir: Path) -> None:
        self._directories: Final = Directories(data_dir)
        self._ownership: Final = Ownership(self._directories.top)
        self.data_dir: Final = self._directories.top
        self.log_file: Final = self._directories.log_file

    @property
    def owned(self) -> bool:
        """Whether this object's `stop` stops the server."""
        return self._ownership.valid

    @property
    def running(self) -> bool:
        """Whether the server runs and accepts connections."""
        found = postmaster.find(self._directories.data)
        return found is not None and found.ready

    @property
    def url(self) -> str:
        """The URL of the database, for asyncpg, psql and SQLAlchemy alike."""
        socket_dir = quote(os.fsencode(self._socket_dir()))
        return f"postgresql://{cluster.SUPERUSER}@/{cluster.DATABASE}?host={socket_dir}&port={PORT}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> str:
        """Make the cluster if there is none, start the server if it does not run, and return its URL.

        Raises:
            EmbeddedPostgresError: the directory is damaged, or this machine does not let the server run.
        """
        try:
            self._directories.make_top()
            with self._ownership.locked():
                programs = self._programs()
                self._ownership.take()
                try:
                    self._start(programs)
                except BaseException:
                    self._ownership.release()
                    raise
                return self.url
        except (OSError, subprocess.SubprocessError) as error:
            raise EmbeddedPostgresError(
                f"the database in {self.data_dir} cannot be started: {error}; correct that, or use another --data-dir"
            ) from None

    def stop(self) -> None:
        """Stop the server if this object owns it: end its connections, write a checkpoint, wait until it is gone."""
        if not self._ownership.taken:
            return
        try:
            programs = self._programs()
            if self._ownership.valid:
                with self._ownership.locked():
                    postmaster.stop(self._directories, programs)
            orphans = postmaster.orphans(self._directories.data, programs.account)
            postmaster.end_orphans(self._directories.data, orphans)
            self._ownership.release()
        except (OSError, subprocess.SubprocessError) as error:
            raise EmbeddedPostgresError(
                f"the database in {self._directories.data} cannot be stopped: {error}; it goes on running"
            ) from None

    def back_up(self, target: Path) -> None:
        """Write a verified base backup of the running server into the new directory `target`.

        Raises:
            EmbeddedPostgresError: the server does not run, the directory is in use, or the copy failed.
        """
        backup.take(self._programs(), self._socket_dir(), target.absolute())

    def restore(
        self,
        source: Path,
        log: Path | None = None,
        until: datetime | None = None,
        copied: Callable[[str, str], object] = shutil.copy2,
    ) -> None:
        """Make the cluster from a backup, and from archived log up to `until`; `start` then recovers it.

        Raises:
            EmbeddedPostgresError: there is a cluster already, or the backup is damaged; nothing was changed.
        """
        self._directories.make_top()
        with self._ownership.locked():
            backup.lay_out(self._directories, self._programs(), source.absolute(), log, until, copied)

    def _programs(self) -> Programs:
        return Programs(Account.choose(self._directories.home))

    def _start(self, programs: Programs) -> None:
        self._directories.make(programs.account)
        if not cluster.exists(self._directories, programs.major()):
            cluster.make(self._directories, programs)
        launched = False
        while not self._becomes_ready():
            if launched:
                raise cluster.damaged(self._directories, "the server ended as soon as it had started")
            self._clear_the_way(programs.account)
            launched = self._launch(programs)
        complaint = cluster.make_database(programs, self._socket_dir())
        if complaint is not None:
            if launched:
                self._stop_quietly(programs)
            raise cluster.damaged(self._directories, complaint)

    def _becomes_ready(self) -> bool:
        """Wait while a server is starting or stopping; return whether one accepts connections."""
        deadline = time.monotonic() + limits.EMBEDDED_START_S_MAX
        while (found := postmaster.find(self._directories.data)) is not None:
            if found.ready:
                return True
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"the database in {self._directories.data} is still starting or stopping after "
                    f"{limits.EMBEDDED_START_S_MAX} s; see {self.log_file} and start again"
                )
            time.sleep(_POLL_S)
        return False

    def _clear_the_way(self, account: Account) -> None:
        """Let what is left of an earlier server go; refuse where another process may have a server of its own."""
        data = self._directories.data
        orphans = postmaster.orphans(data, account)
        if orphans and not self.owned:
            raise EmbeddedPostgresError(
                f"the database in {data} was deleted while its server ran, and the program that started the server "
                "still runs: end that program, then start again"
            )
        postmaster.end_orphans(data, orphans)
        unseen = EmbeddedPostgresError(
            f"the database in {data} is in use by a process that is not to be seen from here, perhaps in another "
            "container: stop that one, or use another --data-dir"
        )
        if not self.owned:
            raise unseen
        deadline = time.monotonic() + _REMAINS_S_MAX
        while postmaster.answers(self._directories):
            if time.monotonic() > deadline:
                raise unseen
            time.sleep(_POLL_S)
        postmaster.clear_stale_pid_file(data)

    def _launch(self, programs: Programs) -> bool:
        """Start the server; return False when one that was still starting when we looked got in first."""
        deadline = time.monotonic() + _REMAINS_S_MAX
        while True:
            try:
                complaint = postmaster.launch(self._directories, programs)
            except BaseException:
                self._stop_quietly(programs)
                raise
            if complaint is None:
                return True
            if postmaster.find(self._directories.data) is not None:
                return False
            if "shared memory block" not in complaint:
                raise cluster.damaged(self._directories, complaint)
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"the database in {self._directories.data} still has processes of a server that was killed: end "
                    f"the programs that use it and start again (server log: {self.log_file})"
                )
            time.sleep(_POLL_S)

    def _stop_quietly(self, programs: Programs) -> None:
        """Take back a start that failed; the failure is what the caller must hear of."""
        with suppress(OSError, subprocess.SubprocessError, EmbeddedPostgresError):
            postmaster.stop(self._directories, programs)

    def _socket_dir(self) -> Path:
        found = postmaster.find(self._directories.data)
        if found is None or found.socket_dir is None:
            raise EmbeddedPostgresError(f"the database in {self._directories.data} does not run; start it first")
        return found.socket_dir
