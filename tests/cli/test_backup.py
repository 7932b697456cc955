"""Back up, lose everything, restore: one command each, and none that overwrites."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.cli_support import Done, Terminal, environment, free_ports, open_folder


class Machine:
    """A directory with data directories and backups, and somebody who types."""

    def __init__(self, folder: Path, terminal: Terminal) -> None:
        self.folder = folder
        self._terminal = terminal

    def run(self, *arguments: str, data: str = "data") -> Done:
        return self._terminal.run(
            *arguments, "--data-dir", str(self.folder / data), folder=self.folder, env=environment(**free_ports())
        )

    def ok(self, *arguments: str, data: str = "data") -> Done:
        done = self.run(*arguments, data=data)
        assert done.code == 0, done
        return done


@pytest.fixture(scope="module")
def machine(terminal: Terminal) -> Iterator[Machine]:
    """A database with a voucher provider in it, and a backup of it in `backup`."""
    with open_folder() as folder:
        machine = Machine(folder, terminal)
        machine.ok("db", "migrate")
        machine.ok(
            "receiver", "add", "44444444", "--name", "Karoo", "--settlement-id", "33333333", "--settlement-name", "S"
        )
        machine.ok("db", "backup", str(folder / "backup"))
        yield machine


def test_what_was_backed_up_is_there_after_a_restore(machine: Machine) -> None:
    """Into a new data directory; and it says that it has forgotten what came later."""
    done = machine.ok("db", "restore", str(machine.folder / "backup"), data="new")
    assert "Restored as of " in done.out
    assert "44444444" in machine.ok("receiver", "list", data="new").out
    assert json.loads(machine.ok("db", "restored", "--json", data="new").out)["gap"] is not None
    [marked] = json.loads(machine.ok("audit", "list", "--action", "restoration.mark", "--json", data="new").out)
    assert (marked["actor_kind"], set(marked["after"])) == ("cli", {"restored_to"})
    assert machine.ok("db", "restored", "--settled", data="new").out == "Settled: unknown ids are unknown again.\n"
    assert machine.ok("db", "restored", data="new").out == "No restore is marked.\n"


def test_a_backup_overwrites_nothing(machine: Machine) -> None:
    done = machine.run("db", "backup", str(machine.folder / "backup"))
    assert (done.code, "nothing is overwritten" in done.line) == (1, True), done


def test_a_restore_overwrites_nothing(machine: Machine) -> None:
    done = machine.run("db", "restore", str(machine.folder / "backup"))
    assert (done.code, "it is not overwritten" in done.line) == (1, True), done
    assert "44444444" in machine.ok("receiver", "list").out


def test_a_damaged_backup_is_refused(machine: Machine) -> None:
    """Restored silently, it would be found out when it is needed."""
    damaged = machine.folder / "damaged"
    shutil.copytree(machine.folder / "backup", damaged)
    page = next(path for path in sorted(damaged.glob("data/base/5/*")) if path.stat().st_size >= 8192)
    raw = bytearray(page.read_bytes())
    raw[100] ^= 1
    page.write_bytes(raw)
    done = machine.run("db", "restore", str(damaged), data="other")
    assert (done.code, "is damaged" in done.line) == (1, True), done
    assert not (machine.folder / "other" / "postgres" / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("restore", "nowhere"), "is not a backup"),
        (("restore", "backup", "--to", "2026-01-01T00:00:00Z"), "--to needs --log"),
        (("restore", "backup", "--log", ".", "--to", "yesterday"), "is no moment"),
        (("restored", "--to", "2999-01-01"), "is in the future"),
        (("restored", "--settled"), "no restore is marked"),
    ],
)
def test_what_makes_no_sense_is_refused(machine: Machine, arguments: tuple[str, ...], told: str) -> None:
    done = machine.run("db", *arguments)
    assert (done.code, told in done.line) == (1, True), done
