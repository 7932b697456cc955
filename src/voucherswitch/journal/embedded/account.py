"""The account that the server runs as: ours, or an ordinary one when we are root, because PostgreSQL refuses root.

Chooses the account, gives it what it must own, runs programs as it, and names the directories that are closed to it.
It opens no directory to anybody but the data directory, and that for passing through only.
"""

import os
import pwd
import shlex
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

from voucherswitch.journal.embedded.errors import EmbeddedPostgresError, last_line

COMMAND_S_MAX: Final = 60

_NAME: Final = "embedded_postgres"
_POLL_S: Final = 0.05
_SHELL: Final = Path("/bin/sh")
_PASSED_ON: Final = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")

# Enters each directory in turn and prints the first that refuses. `cd` asks the kernel, access lists included.
_ENTER_EACH: Final = 'for d; do cd "$d" 2>/dev/null || { printf %s "$d"; exit 1; }; done'


class Account:
    """Who runs the server. `switched` is None when that is the account we run as ourselves."""

    def __init__(self, switched: pwd.struct_passwd | None) -> None:
        self.switched: Final = switched

    @classmethod
    def choose(cls, home: Path) -> "Account":
        """The account for the cluster in `home`. What an ordinary user made stays that user's, also for root."""
        if os.geteuid() != 0:
            return cls(None)
        with suppress(FileNotFoundError, KeyError):  # no cluster yet, or of an account that another system knew
            owner = pwd.getpwuid(home.stat().st_uid)
            if owner.pw_uid != 0:
                return cls(owner)
        deadline = time.monotonic() + COMMAND_S_MAX
        while True:
            with suppress(KeyError):
                return cls(pwd.getpwnam(_NAME))
            refusal = _add_account()
            # useradd refuses while another one is at work, such as that of a second data directory.
            if refusal is not None and ("lock" not in refusal or time.monotonic() > deadline):
                raise EmbeddedPostgresError(
                    f"PostgreSQL does not run as root, and an account {_NAME} for it cannot be made: {refusal}; work "
                    "as an ordinary user, or set DATABASE_URL"
                )
            if refusal is not None:
                time.sleep(_POLL_S)

    @property
    def uid(self) -> int:
        return os.geteuid() if self.switched is None else self.switched.pw_uid

    def give(self, path: Path) -> None:
        """Give what we made, or what belongs to an account unknown here, to the account, with all that is in it."""
        if self.switched is None or path.lstat().st_uid == self.switched.pw_uid:
            return
        for each in (path, *path.glob("**/*")):
            os.chown(each, self.switched.pw_uid, self.switched.pw_gid, follow_symlinks=False)

    def take_over(self, home: Path) -> None:
        """Make the account the owner of `home` and see that it can get there."""
        if self.switched is None:
            _refuse_foreign(home)
            return
        self.give(home)
        closed = self.first_closed([*reversed(home.parents), home])
        if closed == home.parent:
            # Only the right to pass through: the account cannot list what else is in there.
            home.parent.chmod(home.parent.stat().st_mode | 0o001)
            closed = self.first_closed([home.parent, home])
        if closed is not None:
            raise EmbeddedPostgresError(
                f"PostgreSQL does not run as root, and its account {self.switched.pw_name} may not enter {closed}: run "
                f"`chmod o+x {shlex.quote(str(closed))}`, or work as an ordinary user, or set --data-dir to a place it "
                "may enter, such as /var/lib/voucherswitch"
            )

    def first_closed(self, directories: Sequence[Path]) -> Path | None:
        """The first directory that the account may not enter."""
        answer = self.run(_SHELL, "-c", _ENTER_EACH, "sh", *map(str, directories))
        return Path(answer.stdout) if answer.returncode != 0 else None

    def working_directory(self, pid: int) -> str:
        """Where a process of the account works; empty when that cannot be seen.

        Asked as the account: root in a container may not look at the processes of others.
        """
        return self.run(_SHELL, "-c", 'readlink "/proc/$1/cwd"', "sh", str(pid)).stdout.rstrip("\n")

    def run(
        self,
        program: Path,
        *arguments: str,
        timeout_s: int = COMMAND_S_MAX,
        text: str = "",
        output: IO[bytes] | None = None,
    ) -> "subprocess.CompletedProcess[str]":
        """Run a program as the account, in a session of its own, with nothing of our environment but the path.

        Our variables hold passwords, and PGPORT or PGHOST would change what the programs do.
        """
        switch: dict[str, Any] = {}
        if self.switched is not None:
            switch = {"user": self.switched.pw_uid, "group": self.switched.pw_gid, "extra_groups": []}
        return subprocess.run(  # noqa: S603 - the wheel's programs and /bin/sh, with arguments made here
            [program, *arguments],
            input=text,
            stdout=output or subprocess.PIPE,
            stderr=output or subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            check=False,
            cwd="/",  # the account may not enter ours
            env={"LC_ALL": "C", **{name: os.environ[name] for name in _PASSED_ON if name in os.environ}},
            umask=0o077,
            start_new_session=True,
            **switch,
        )


def _refuse_foreign(home: Path) -> None:
    uid = home.stat().st_uid
    if uid == os.geteuid():
        return
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    raise EmbeddedPostgresError(
        f"the database in {home} belongs to the account {name}: start as that account or as root, or use another "
        "--data-dir"
    )


def _add_account() -> str | None:
    """Make a system account that nobody can log in to; return what useradd complained of."""
    # In a shell without root's own path, useradd's directory is missing from it.
    useradd = shutil.which("useradd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))
    if useradd is None:
        return "there is no useradd"
    answer = subprocess.run(  # noqa: S603 - constants
        [useradd, "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", _NAME],
        capture_output=True,
        text=True,
        check=False,
    )
    already_there = 9
    return None if answer.returncode in (0, already_there) else last_line(answer.stderr)
