"""Base backups of the embedded server, and clusters made from them.

A backup is a directory: `data/`, the cluster as pg_basebackup copied it with the log it needs and a manifest of
checksums, and `backup.json`, what a person wants to know of it. The vault key is not in it: together they are money.
"""

import json
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from voucherswitch.config import limits
from voucherswitch.journal.embedded import cluster
from voucherswitch.journal.embedded.account import Account
from voucherswitch.journal.embedded.directories import PORT, Directories
from voucherswitch.journal.embedded.errors import EmbeddedPostgresError, complaint
from voucherswitch.journal.embedded.programs import Programs

DATA: Final = "data"
ABOUT: Final = "backup.json"

# Stands between double quotes in a shell command between single quotes; % would be read by PostgreSQL.
_UNQUOTABLE: Final = re.compile(r"""["'$`\\%\x00-\x1f]""")


def take(programs: Programs, socket_dir: Path, target: Path) -> None:
    """Copy the running server's cluster into the new directory `target`, and check every byte of the copy.

    Raises:
        EmbeddedPostgresError: the directory is in use or out of reach, or the copy failed; nothing is left of it then.
    """
    _make_target(programs.account, target)
    try:
        answer = programs.run(
            "pg_basebackup",
            *("--pgdata", str(target / DATA), "--host", str(socket_dir), "--port", str(PORT)),
            *("--username", cluster.SUPERUSER, "--no-password"),
            *("--checkpoint", "fast", "--wal-method", "stream", "--label", "voucherswitch"),
            timeout_s=limits.BACKUP_S_MAX,
        )
        if answer.returncode != 0:
            raise EmbeddedPostgresError(f"the backup failed: {complaint(answer.stderr)}")
        verify(programs, target)
        about = {"taken_at": datetime.now(UTC).isoformat(timespec="seconds"), "postgresql": programs.major()}
        (target / ABOUT).write_text(json.dumps(about) + "\n", encoding="utf-8")
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def taken_at(backup: Path) -> datetime:
    """When a backup was complete: it holds at least what was durable before.

    Raises:
        EmbeddedPostgresError: this is no backup of ours.
    """
    try:
        return datetime.fromisoformat(json.loads((backup / ABOUT).read_text(encoding="utf-8"))["taken_at"])
    except (OSError, ValueError, KeyError, TypeError):
        raise EmbeddedPostgresError(f"{backup} is not a backup: it has no readable {ABOUT}") from None


def verify(programs: Programs, backup: Path) -> None:
    """Compare a backup with its manifest, and read the log that it needs.

    Raises:
        EmbeddedPostgresError: a file is missing, was changed, or cannot be read.
    """
    answer = programs.run("pg_verifybackup", "--exit-on-error", str(backup / DATA), timeout_s=limits.BACKUP_S_MAX)
    if answer.returncode != 0:
        raise EmbeddedPostgresError(f"the backup in {backup} is damaged: {complaint(answer.stderr)}")


def lay_out(
    directories: Directories,
    programs: Programs,
    backup: Path,
    log: Path | None,
    until: datetime | None,
    copied: Callable[[str, str], object] = shutil.copy2,
) -> None:
    """Make the cluster of a data directory from a backup; its start will recover it, up to `until`.

    Args:
        log: a directory of archived log segments, which lead beyond the backup.
        copied: copies one file; a progress bar counts in it.

    Raises:
        EmbeddedPostgresError: there is a cluster already, or the backup is damaged or of another version.
    """
    taken_at(backup)
    verify(programs, backup)
    if directories.data.exists() and any(directories.data.iterdir()):
        raise EmbeddedPostgresError(
            f"there is a database in {directories.data}, and it is not overwritten: move it away, or restore into "
            "another --data-dir"
        )
    directories.make(programs.account)
    new = directories.home / "restoring"
    if new.exists():
        shutil.rmtree(new)
    shutil.copytree(backup / DATA, new, copy_function=copied)
    (new / "backup_manifest").unlink(missing_ok=True)
    if log is not None:
        _follow(programs.account, new, log, until)
    new.chmod(0o700)
    programs.account.give(new)
    if directories.data.exists():
        directories.data.rmdir()
    new.rename(directories.data)


def _follow(account: Account, new: Path, log: Path, until: datetime | None) -> None:
    """Have the server read archived segments when it starts, and stop where it is told to."""
    log = log.resolve()
    if refused := _UNQUOTABLE.search(str(log)):
        raise EmbeddedPostgresError(f"the path {str(log)!r} has the character {refused[0]!r}: name another one")
    closed = None if account.switched is None else account.first_closed([*reversed(log.parents), log])
    if not log.is_dir() or closed is not None:
        raise EmbeddedPostgresError(f"{closed or log} cannot be read by the server's account: correct that")
    settings = [f'restore_command = \'cp "{log}/%f" "%p"\'', "recovery_target_action = 'promote'"]
    if until is not None:
        settings.append(f"recovery_target_time = '{until.astimezone(UTC).isoformat()}'")
    with (new / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in settings))
    (new / "recovery.signal").touch()


def _make_target(account: Account, target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise EmbeddedPostgresError(f"{target} is in use, and nothing is overwritten: name a new directory")
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedPostgresError(f"{target} cannot be made: {error.strerror}; name another directory") from None
    if account.switched is None:
        return
    account.give(target)
    closed = account.first_closed([*reversed(target.parents), target])
    if closed is not None:
        target.rmdir()
        raise EmbeddedPostgresError(
            f"the database's account {account.switched.pw_name} may not enter {closed}: name a directory that it may "
            "reach, such as one below /var/backups"
        )
