"""The server's settings: what nobody may change, and what an operator may tune."""

import shlex
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from voucherswitch.config import limits
from voucherswitch.journal.embedded.account import Account
from voucherswitch.journal.embedded.directories import PORT

# On the command line, where neither a file nor ALTER SYSTEM can change them: who gets in, and what "durable" means.
_FIXED: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "full_page_writes": "on",
}

# Written to voucherswitch.conf at every start. ALTER SYSTEM wins over them, so an operator can tune.
_TUNED: Final[Mapping[str, str]] = {
    "max_connections": str(limits.EMBEDDED_CONNECTIONS_MAX),
    "shared_buffers": "256MB",
    "huge_pages": "off",  # too little memory to gain from them; in a container without them the server would crash
    "synchronous_commit": "on",
    # Page images of random keys are most of the log, shrink by a third, and cost 200 µs each to compress (bench.depth).
    "wal_compression": "off",
    "min_wal_size": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    "jit": "off",  # compiling costs more than our short statements
    "max_parallel_workers_per_gather": "0",  # parallel plans need /dev/shm, which is 64 MB in containers
    "max_parallel_maintenance_workers": "0",
    "autovacuum_vacuum_scale_factor": "0.05",  # advice and transaction rows are updated soon after they are made
    "autovacuum_vacuum_cost_limit": "1000",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    # No values in the log: a failing row or a parameter may hold what is sealed or masked everywhere else.
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}

_FILE: Final = "voucherswitch.conf"

# The last lines of a new cluster's postgresql.conf.
INCLUDE: Final = f"\n# Ours; written anew at every start. Use ALTER SYSTEM for your own.\ninclude = '{_FILE}'\n"


def fixed_options(socket_dir: Path) -> str:
    """The fixed settings as pg_ctl takes them: one text, for a shell."""
    # Quoted twice: the shell of pg_ctl takes one layer off, the list syntax of the setting the other.
    listed = '"' + str(socket_dir).replace('"', '""') + '"'
    settings = {**_FIXED, "unix_socket_directories": listed}
    return shlex.join(f"--{name}={value}" for name, value in settings.items())


def write_tuned(data: Path, account: Account) -> None:
    """Write the file that the cluster includes, unless it is as it should be."""
    text = "".join(f"{name} = '{value}'\n" for name, value in _TUNED.items())
    path = data / _FILE
    with suppress(FileNotFoundError):
        if path.read_text(encoding="utf-8") == text:
            return
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.write_text(text, encoding="utf-8")
    new.chmod(0o600)
    account.give(new)
    new.replace(path)
