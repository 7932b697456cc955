"""The server process: find the one that runs, start one, stop it, and end one whose directory was deleted.

Says what is there and does what it is told; what may be done when is decided by `server`, under the lock.
"""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from voucherswitch.config import limits
from voucherswitch.journal.embedded import configuration
from voucherswitch.journal.embedded.account import COMMAND_S_MAX, Account
from voucherswitch.journal.embedded.directories import SOCKET_NAME, Directories
from voucherswitch.journal.embedded.errors import EmbeddedPostgresError, complaint
from voucherswitch.journal.embedded.programs import Programs

_POLL_S: Final = 0.05
_ORPHAN_END_S_MAX: Final = 30


class Postmaster(NamedTuple):
    """A running server as its postmaster.pid describes it. `socket_dir` is None for the first moments."""

    pid: int
    socket_dir: Path | None
    ready: bool


def find(data: Path) -> Postmaster | None:
    """The server of this directory, None when there is none or postmaster.pid is stale."""
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        pid = int(lines[0])
    except (OSError, ValueError, IndexError):
        return None
    # A process number is used again, after a restart of a container very soon: what runs there must be our server.
    if not _runs(pid, data):
        return None
    socket_dir = Path(lines[4]) if len(lines) > 4 and lines[4] else None
    return Postmaster(pid, socket_dir, ready=len(lines) > 7 and lines[7].strip() == "ready")


def answers(directories: Directories) -> bool:
    """Whether a server listens on our socket. One in another container does, though we cannot see its process."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        try:
            client.connect(str(directories.socket_dir / SOCKET_NAME))
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            return False
        except (TimeoutError, BlockingIOError):  # it listens and is busy
            return True
        return True


def clear_stale_pid_file(data: Path) -> None:
    """Remove a postmaster.pid that PostgreSQL would not see through: garbage, or the number of another process.

    A file whose process is gone stays: PostgreSQL replaces it and learns from it which shared memory to check. That
    check (by the directory's inode) also holds without the file, so two servers never run on one directory.
    """
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text(encoding="utf-8", errors="replace").splitlines()[0])
    except FileNotFoundError:
        return
    except (ValueError, IndexError):
        pid_file.unlink()
        return
    if _command_of(pid) is not None and not _runs(pid, data):
        pid_file.unlink()


def launch(directories: Directories, programs: Programs) -> str | None:
    """Start the server and wait for the end of its recovery; return what it complained of, None when it runs."""
    configuration.write_tuned(directories.data, programs.account)
    directories.make_socket_dir(programs.account)
    for name in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):  # nobody answers there
        (directories.socket_dir / name).unlink(missing_ok=True)
    log_file = directories.log_file
    if log_file.exists() and log_file.stat().st_size > limits.EMBEDDED_LOG_BYTES_MAX:
        log_file.replace(log_file.with_suffix(".log.1"))
    # The server inherits the open file, so its account needs no way into our logs directory.
    with open(log_file, "ab", opener=_open_private) as log:
        begin = log.tell()
        answer = programs.run(
            "pg_ctl",
            *("--pgdata", str(directories.data), "--wait", "--silent", "--timeout", str(limits.EMBEDDED_START_S_MAX)),
            *("--options", configuration.fixed_options(directories.socket_dir), "start"),
            timeout_s=limits.EMBEDDED_START_S_MAX + COMMAND_S_MAX,
            output=log,
        )
    if answer.returncode == 0:
        return None
    with log_file.open("rb") as log:
        log.seek(begin)
        return complaint(log.read().decode("utf-8", errors="replace"))


def stop(directories: Directories, programs: Programs) -> None:
    """Stop the server and wait until it is gone; without a checkpoint when that takes too long."""
    for mode, bound_s in (("fast", limits.EMBEDDED_STOP_S_MAX), ("immediate", COMMAND_S_MAX)):
        if find(directories.data) is None:
            return
        programs.run(
            "pg_ctl",
            *("--pgdata", str(directories.data), "--wait", "--silent"),
            *("--mode", mode, "--timeout", str(bound_s), "stop"),
            timeout_s=bound_s + COMMAND_S_MAX,
        )
    if find(directories.data) is not None:
        raise EmbeddedPostgresError(f"the database in {directories.data} does not stop; see {directories.log_file}")


def orphans(data: Path, account: Account) -> list[int]:
    """Servers whose data directory was deleted under them and stood where `data` is. Found on Linux only.

    Such a server looks for its postmaster.pid once a minute. When it misses it, it ends and removes its socket by the
    path: also the socket of a server that was started there meanwhile.
    """
    servers = [pid for pid in _process_numbers() if _runs(pid, data)]
    return [pid for pid in servers if account.working_directory(pid).endswith(" (deleted)")]


def end_orphans(data: Path, pids: list[int]) -> None:
    """End servers whose data is gone: there is nothing to save by a checkpoint."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT)  # PostgreSQL's immediate stop, which also takes its children with it
    deadline = time.monotonic() + _ORPHAN_END_S_MAX
    for pid in pids:
        while _runs(pid, data):
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"{data} was deleted while its server ran, and that server does not end: run `kill -9 {pid}` and "
                    "start again"
                )
            time.sleep(_POLL_S)


def _process_numbers() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]


def _runs(pid: int, data: Path) -> bool:
    """Whether the process is a server that was started on this path."""
    command = _command_of(pid) or [""]
    return Path(command[0]).name == "postgres" and str(data) in command


def _command_of(pid: int) -> list[str] | None:
    """The program and arguments of a process; None when there is no such process, empty for one that is just ending."""
    if sys.platform == "linux":  # no early return: mypy would call the rest unreachable on Linux
        try:
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return None
        return os.fsdecode(raw).rstrip("\0").split("\0") if raw else []
    else:  # noqa: RET505 - as above
        answer = subprocess.run(  # noqa: S603 - constants and a number
            ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return shlex.split(answer.stdout) if answer.returncode == 0 else None


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
