"""A start that cannot succeed says why in one line and ends non-zero: `up`, every process, and administration."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.cli_support import Terminal, environment, free_ports, open_folder

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"  # port 1: nobody listens there


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


@pytest.mark.parametrize("process", ["up", "switch", "worker", "console", "db migrate", "originator list"])
def test_a_database_that_cannot_be_reached(process: str, folder: Path, terminal: Terminal) -> None:
    env = environment(**free_ports(), DATABASE_URL=NOWHERE)
    done = terminal.run(*process.split(), "--data-dir", "data", folder=folder, env=env)
    *waited, line = done.err.splitlines()
    assert done.code == 1
    assert line.startswith("voucherswitch: database cannot be reached:")
    assert "check DATABASE_URL" in line
    # A worker has no supervisor that starts it again: it waits a while, and says so.
    assert ["waiting for the database" in text for text in waited] == ([True] if process == "worker" else [])


@pytest.mark.parametrize("process", ["up", "simulators"])
def test_a_wrong_setting(process: str, folder: Path, terminal: Terminal) -> None:
    done = terminal.run(process, folder=folder, env=environment(VOUCHERSWITCH_WORKERS="many"))
    assert (done.code, done.line) == (
        1,
        "voucherswitch: workers (environment variable VOUCHERSWITCH_WORKERS): 'many' is not a whole number; "
        "set 1 to 64",
    )


@pytest.mark.parametrize("process", ["up", "originator list"])
def test_a_damaged_data_directory(process: str, folder: Path, terminal: Terminal) -> None:
    cluster = folder / "data" / "postgres" / "data"
    cluster.mkdir(parents=True)
    (cluster / "leftover").touch()
    done = terminal.run(
        *process.split(), "--data-dir", str(folder / "data"), folder=folder, env=environment(**free_ports())
    )
    assert done.code == 1
    assert "PG_VERSION is missing" in done.line
    assert "use another --data-dir" in done.line


@pytest.mark.parametrize(
    ("process", "setting"), [("up", "INTERFACE_PORT"), ("up", "CONSOLE_PORT"), ("simulators", "SIMULATOR_PORT_BASE")]
)
def test_a_port_in_use(process: str, setting: str, folder: Path, terminal: Terminal) -> None:
    """Before anything is started: no database is left behind."""
    env = environment(**free_ports())
    port = int(env[f"VOUCHERSWITCH_{setting}"]) + (11 if process == "simulators" else 0)
    with socket.create_server(("127.0.0.1", port)):
        done = terminal.run(process, "--data-dir", "data", folder=folder, env=env)
    assert done.code == 1
    assert str(port) in done.line
    assert f"set VOUCHERSWITCH_{setting}" in done.line
    assert not (folder / "data" / "postgres").exists()


@pytest.mark.parametrize("command", ["switch", "worker", "db url", "product list"])
def test_no_database_at_all(command: str, folder: Path, terminal: Terminal) -> None:
    """None of them makes one: a mistyped directory would become an empty journal."""
    done = terminal.run(*command.split(), "--data-dir", "data", folder=folder, env=environment())
    assert done.code == 1
    assert "DATABASE_URL" in done.line
    assert str(folder / "data") in done.line
    assert not (folder / "data" / "postgres").exists()


def test_a_data_directory_that_is_a_file(folder: Path, terminal: Terminal) -> None:
    (folder / "data").touch()
    done = terminal.run("up", "--data-dir", "data", folder=folder, env=environment())
    assert (done.code, done.line) == (
        1,
        f"voucherswitch: {folder}/data is not a directory: move it away, or name another --data-dir",
    )


def test_no_sandbox_in_production(folder: Path, terminal: Terminal) -> None:
    (folder / "vault.key").touch()
    env = environment(VOUCHERSWITCH_ENVIRONMENT="production", VOUCHERSWITCH_VAULT_KEY_FILE=str(folder / "vault.key"))
    done = terminal.run("up", folder=folder, env=env)
    assert done.code == 1
    assert "simulators are refused in production" in done.line


def test_a_till_without_a_switch(folder: Path, terminal: Terminal) -> None:
    env = environment(VOUCHERSWITCH_TILL_USER="22222222", VOUCHERSWITCH_TILL_PASSWORD="a password")
    done = terminal.run("products", "--url", "http://127.0.0.1:1", folder=folder, env=env)
    assert done.code == 1
    assert done.line.startswith("voucherswitch: the switch does not answer: Connection refused")


def test_a_till_that_knows_nobody(folder: Path, terminal: Terminal) -> None:
    done = terminal.run("sell", "--product", "MOBI29", folder=folder, env=environment())
    assert done.code == 1
    assert "--url, --user, --password not given" in done.line


@pytest.mark.parametrize(
    "program", [[sys.executable, "-m", "voucherswitch"], [str(Path(sys.executable).with_name("voucherswitch"))]]
)
def test_the_script_and_the_module_are_the_same(program: list[str]) -> None:
    """Everything else here is typed into a process that has loaded our modules already."""
    done = subprocess.run([*program, "sell"], capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (
        2,
        "voucherswitch: name a --product, or a --receiver; see: voucherswitch sell --help\n",
    )
