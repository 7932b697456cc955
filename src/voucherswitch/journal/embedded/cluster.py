"""The database cluster on disk: whether there is a usable one, how one is made, and our database in it."""

import os
import re
import shutil
from pathlib import Path
from typing import Final

from voucherswitch.journal.embedded import configuration
from voucherswitch.journal.embedded.directories import PORT, Directories
from voucherswitch.journal.embedded.errors import EmbeddedPostgresError, complaint
from voucherswitch.journal.embedded.programs import Programs

DATABASE: Final = "voucherswitch"
SUPERUSER: Final = "postgres"

_INITDB_S_MAX: Final = 300


def exists(directories: Directories, major: int) -> bool:
    """Whether there is a cluster to start. Damage that PostgreSQL would describe badly is refused here."""
    data = directories.data
    if not data.exists() or (data.is_dir() and not any(data.iterdir())):
        return False
    if not data.is_dir():
        raise damaged(directories, "it is not a directory")
    try:
        version = (data / "PG_VERSION").read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        raise damaged(directories, "PG_VERSION is missing") from None
    except OSError as error:
        raise damaged(directories, f"PG_VERSION cannot be read: {error.strerror}") from None
    if not re.fullmatch(r"\d+(\.\d+)?", version):
        raise damaged(directories, "PG_VERSION does not hold a version")
    if version != str(major):
        raise EmbeddedPostgresError(
            f"the database in {data} was made by PostgreSQL {version}, and this is {major}: move it with pg_dump of "
            "the old version, or use another --data-dir"
        )
    return True


def make(directories: Directories, programs: Programs) -> None:
    """Make the cluster aside and move it into place when it is whole: a crash half-way leaves no damaged one."""
    new = directories.home / "new"
    if new.exists():
        shutil.rmtree(new)
    answer = programs.run(
        "initdb",
        *("--pgdata", str(new), "--username", SUPERUSER, "--encoding", "UTF8", "--data-checksums"),
        *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"),
        *("--auth-local", "trust", "--auth-host", "reject", "--set", "huge_pages=off", "--no-instructions"),
        timeout_s=_INITDB_S_MAX,
    )
    if answer.returncode != 0:
        raise EmbeddedPostgresError(
            f"no database could be made in {directories.home}: {complaint(answer.stderr)}; correct that, or use "
            "another --data-dir"
        )
    with (new / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write(configuration.INCLUDE)
        file.flush()
        os.fsync(file.fileno())
    new.rename(directories.data)
    _sync_directory(directories.home)


def make_database(programs: Programs, socket_dir: Path) -> str | None:
    """Make our database in a cluster that has none; return what the server complained of."""
    answer = programs.run(
        "psql",
        *("--no-psqlrc", "--quiet", "--no-password", "--set", "ON_ERROR_STOP=1"),
        *("--host", str(socket_dir), "--port", str(PORT), "--username", SUPERUSER, "--dbname", "postgres"),
        text=f"SELECT 'CREATE DATABASE {DATABASE}' "  # noqa: S608 - a constant
        f"WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE}') \\gexec\n",
    )
    return None if answer.returncode == 0 else complaint(answer.stderr)


def damaged(directories: Directories, reason: str) -> EmbeddedPostgresError:
    """What to say when the cluster itself does not let the server run."""
    return EmbeddedPostgresError(
        f"the database in {directories.data} cannot be used: {reason}; keep a copy of the directory, then restore a "
        f"backup or use another --data-dir (server log: {directories.log_file})"
    )


def _sync_directory(path: Path) -> None:
    """Make a rename durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
