"""Where everything of one data directory is, and how its directories are made.

data_dir/
  postgres/         belongs to the server's account, 0700
    data/           the database cluster
    socket/         the Unix socket
  logs/postgres.log
  postgres.lock     held while a process starts or stops the server
  postgres.owner    held by the process that will stop the server
"""

import hashlib
import os
import re
import stat
import sys
from pathlib import Path
from typing import Final

from voucherswitch.journal.embedded.account import Account
from voucherswitch.journal.embedded.errors import EmbeddedPostgresError

PORT: Final = 5432  # only a part of the socket's file name
SOCKET_NAME: Final = f".s.PGSQL.{PORT}"

_SOCKET_PATH_BYTES_MAX: Final = 107 if sys.platform == "linux" else 103
_UNQUOTABLE: Final = re.compile(r'["$`\\\x00-\x1f]')


class Directories:
    """The paths of one data directory."""

    def __init__(self, data_dir: Path) -> None:
        # Without symbolic links, because the server's account must be able to enter every directory of this path.
        self.top: Final = data_dir.expanduser().resolve()
        self.home: Final = self.top / "postgres"
        self.data: Final = self.home / "data"
        self.log_file: Final = self.top / "logs" / "postgres.log"
        self.socket_dir: Final = self._choose_socket_dir()

    def make_top(self) -> None:
        """Make the data directory itself, closed to others; refuse a path that PostgreSQL's programs cannot take."""
        # pg_ctl puts the path between double quotes in a shell command; postmaster.pid has one line for it.
        if refused := _UNQUOTABLE.search(str(self.top)):
            raise EmbeddedPostgresError(
                f"the path {str(self.top)!r} has the character {refused[0]!r}, which pg_ctl cannot take: use another "
                "--data-dir"
            )
        if self.top.exists() and not self.top.is_dir():
            raise EmbeddedPostgresError(f"{self.top} is not a directory: move it away, or use another --data-dir")
        self.top.mkdir(mode=0o700, parents=True, exist_ok=True)

    def make(self, account: Account) -> None:
        """Make what is below the top, and see that the server's account can reach its part."""
        for directory in (self.home, self.log_file.parent):
            if directory.exists() and not directory.is_dir():
                raise EmbeddedPostgresError(
                    f"{directory} is not a directory: move it away, or use another --data-dir than {self.top}"
                )
            directory.mkdir(mode=0o700, exist_ok=True)
        account.take_over(self.home)

    def make_socket_dir(self, account: Account) -> None:
        """Make the socket's directory, mode 0700; refuse one that somebody else made under its name."""
        directory = self.socket_dir
        directory.mkdir(mode=0o700, exist_ok=True)
        status = directory.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (account.uid, os.geteuid()):
            raise EmbeddedPostgresError(
                f"{directory} is not a directory of ours: remove it, or use a --data-dir with a shorter path"
            )
        account.give(directory)
        directory.chmod(0o700)

    def _choose_socket_dir(self) -> Path:
        """Where the socket belongs: its path must be short enough for a socket and must be able to stand in a URL."""
        directory = self.home / "socket"
        # A comma separates hosts in a URL, so a path with one could not be named there.
        if len(os.fsencode(directory / SOCKET_NAME)) <= _SOCKET_PATH_BYTES_MAX and "," not in str(directory):
            return directory
        # The same name every time and for everybody, so that a left-over is used again.
        name = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]
        return Path("/tmp") / f"voucherswitch-{name}"  # noqa: S108 - its owner is checked before it is used
