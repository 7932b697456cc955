"""The switch needs no rights: it sells as a user who may do nothing and write nowhere but in its data directory.

What the unit asks of systemd is done here by hand, because there is no systemd in a test: another user, no capability,
everything read-only, no new rights, no memory that is both written and executed.
"""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from pyreqwest.exceptions import ConnectError

from support.client import Client
from support.originators import TILL
from support.switch import Switch
from support.till import Till
from support.waiting import eventually

READY_S: Final = 30.0

# PR_SET_MDWE, of Linux 6.3 and later; an older one goes on without.
NO_NEW_CODE: Final = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(65, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
# In a name space of its own: a Python that only root could reach is shown to all, the data directory stays writable.
SET_UP: Final = """
set -e
data=$1 python=$2 hidden=$3; shift 3
if [ -n "$hidden" ]; then
    mkdir -p "$data/python" && mount --bind "$python" "$data/python"
    mount -t tmpfs -o mode=755 tmpfs "$hidden" && mkdir -p "$python" && mount --move "$data/python" "$python"
fi
mount --bind "$data" "$data"
mount -o remount,bind,ro /
exec "$@"
"""

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "setpriv"))),
    reason="only root can put a process into a name space and give up all rights",
)


def hidden_from_others(path: Path) -> str:
    """The first folder on the way to a path that other users may not enter; empty: none."""
    return next((str(each) for each in [*reversed(path.parents), path] if not each.stat().st_mode & 0o001), "")


def without_rights(data: Path, user: int) -> Sequence[str]:
    """The command that runs what follows as the unit does."""
    python = Path(sys.base_prefix)
    drop = ["--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--no-new-privs", "--clear-groups"]
    return [
        *("unshare", "--mount", "sh", "-c", SET_UP, "sh", str(data), str(python), hidden_from_others(python)),
        *("setpriv", f"--reuid={user}", f"--regid={user}", *drop),
        *(sys.executable, "-c", NO_NEW_CODE),
    ]


def status_of(pid: int) -> dict[str, str]:
    """What the kernel says of a process's rights."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def mount_options(pid: int, where: str) -> list[str]:
    """How a file system is mounted for a process."""
    lines = Path(f"/proc/{pid}/mounts").read_text().splitlines()
    return next(line.split()[3].split(",") for line in reversed(lines) if line.split()[1] == where)


@needs_root
async def test_it_sells_as_a_user_without_rights_on_a_file_system_that_it_cannot_write(switch: Switch) -> None:
    user = switch.database_socket.stat().st_uid  # an ordinary account, and the only one that this database listens to
    assert user != 0
    data = switch.folder / "its-own"
    data.mkdir(mode=0o700)
    files = {
        "VAULT_KEY_FILE": switch.folder / "data" / "vault.key",
        "TLS_KEY_FILE": switch.server.key_path,
        "TLS_CERTIFICATE_FILE": switch.server.certificate_path,
        "TLS_CLIENT_CA_FILE": switch.authority.path,
        "TLS_CLIENT_REVOCATIONS_FILE": switch.revocations,
    }
    settings = {name: shutil.copy(file, data / file.name) for name, file in files.items()}
    for file in (data, *data.iterdir()):
        os.chown(file, user, user)

    async with switch.started_worker(
        wrapper=without_rights(data, user), DATA_DIR=str(data), **{name: str(path) for name, path in settings.items()}
    ) as ((host, port), process):
        client = Client(f"http://{host}:{port}", switch.client.document)
        till = Till(switch, TILL, client)

        async def serves() -> bool:
            process.must_run()
            try:
                return (await client.get("/products", by=TILL)).status == 200
            except ConnectError:
                return False

        try:
            await eventually(serves, "a worker without rights that answers", within_s=READY_S)
            sale = await till.a_used()
            assert sale.answer.status == 201
            status = status_of(process.pid)
            assert set(status["Uid"].split()) == {str(user)}
            assert {status[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {"0" * 16}
            assert status["NoNewPrivs"] == "1"
            assert "ro" in mount_options(process.pid, "/")
        finally:
            await client.close()
    assert "Read-only file system" not in process.text()
    assert "Permission denied" not in process.text()
