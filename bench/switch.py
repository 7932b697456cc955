"""(a) voucherswitch, started as its users start it: one command, a directory, a password."""

import os
import secrets
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from bench.books import Books
from bench.children import Child, free_ports, require_free
from bench.costs import DATABASE, Groups, metered
from bench.database import Database
from bench.errors import BenchError
from bench.generator import Load, put_load
from bench.ledger import Ledger
from bench.measurement import Measurement
from bench.processes import arguments_of, descendants, postmaster_pid, tree_cpu_s
from bench.sandbox import CONTROL_PORT, SIMULATOR_PORT, Sandbox
from bench.scenarios import PROVISION

READY: Final = "voucherswitch is ready"
READY_S: Final = 120.0  # the first start of a directory makes a database
WORKER: Final = "switch-worker"
SIMULATOR_PORTS: Final = 120  # theirs and their control ports, from the base up
APPROVED: Final = "SELECT count(*) FROM transaction WHERE kind = 1 AND state IN (2, 5)"
PENDING: Final = "SELECT count(*) FROM transaction WHERE kind = 1 AND state IN (1, 4)"


class Switch:
    """The running sandbox: the switch itself, and the database and the provider that (b) and (c) use too."""

    key = "a"
    title = "voucherswitch"

    def __init__(
        self,
        command: Path,
        folder: Path,
        *,
        password: str,
        port: int,
        console_port: int,
        simulator_port_base: int,
        workers: int,
        database_url: str | None = None,
        settings: Mapping[str, int] | None = None,
    ) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.sandbox = Sandbox(
            f"http://127.0.0.1:{simulator_port_base + SIMULATOR_PORT}/sandbox/v1",
            f"http://127.0.0.1:{simulator_port_base + CONTROL_PORT}",
        )
        self._command = command
        self._folder = folder
        self._data = folder / "data"
        self.password = password
        self.simulator_port_base = simulator_port_base
        self._ports = {
            port: "--interface-port",
            console_port: "--console-port",
            simulator_port_base + SIMULATOR_PORT: "--simulator-port-base",
            simulator_port_base + CONTROL_PORT: "--simulator-port-base",
        }
        self._env = environment(
            interface_port=port,
            console_port=console_port,
            simulator_port_base=simulator_port_base,
            workers=workers,
            **(settings or {}),
        )
        self._child: Child | None = None
        self._database: Database | None = None
        self._embedded = database_url is None
        if database_url is not None:
            self._env["DATABASE_URL"] = database_url
            self._database = Database(database_url)

    def start(self) -> None:
        """Start `voucherswitch up` in an empty directory and wait until it answers."""
        for port, option in self._ports.items():
            require_free(port, "voucherswitch up", option)
        self._child = Child(
            "voucherswitch up",
            [str(self._command), "up", "--data-dir", str(self._data), "--password", self.password],
            env=self._env,
            cwd=self._folder,
            log=self._folder / "switch.log",
        )
        self._child.wait_until_ready(f"{self.url}/openapi.json", READY_S)
        self._child.wait_until_said(READY, READY_S)  # one worker answers before the others and the simulators are up
        self.sandbox.refill()

    @property
    def database(self) -> Database:
        """The journal."""
        if self._database is None:
            done = subprocess.run(
                [str(self._command), "db", "url", "--data-dir", str(self._data)],
                env=self._env,
                cwd=self._folder,
                capture_output=True,
                text=True,
                check=False,
            )
            lines = done.stdout.split()
            if done.returncode != 0 or not lines:
                raise BenchError(
                    f"voucherswitch db url ended with code {done.returncode}: {done.stderr.strip()[-300:]}"
                )
            self._database = Database(lines[-1])
        return self._database

    def measure(self, load: Load, tick: Callable[[], None]) -> Measurement:
        """Run one round, then compare what was answered with the journal and with the provider's books."""
        groups = Groups(
            {
                "server": self._processes(WORKER),
                "worker": self._processes("worker"),
                "console": self._processes("console"),
                **self.shared.pids,
            }
        )
        if load.scenario != PROVISION:
            return self._measure_scenario(load, groups, tick)
        books = Books(self.database, approved=APPROVED, pending=PENDING, sandbox=self.sandbox)
        books.open()
        measured = metered(groups, lambda: put_load(load, self.url, password=self.password, tick=tick))
        self.must_run()
        if not measured.errors:
            books.close(measured, tick)
        return measured

    def _measure_scenario(self, load: Load, groups: Groups, tick: Callable[[], None]) -> Measurement:
        """The same for any scenario. What it costs is counted until the last of its advices is delivered."""
        ledger = Ledger(self.database, self.sandbox)
        ledger.open()

        def loaded_and_delivered() -> Measurement:
            measured = put_load(load, self.url, password=self.password, tick=tick)
            if not measured.errors:
                ledger.settle(tick)
            return measured

        measured = metered(groups, loaded_and_delivered)
        self.must_run()
        if not measured.errors:
            ledger.close(measured)
        return measured

    @property
    def shared(self) -> Groups:
        """What other contenders use too: the provider, and the database server where it is the embedded one."""
        pids = {"provider": self._processes("simulators")}
        if self._embedded:
            pids[DATABASE] = [postmaster_pid(self._data)]
        return Groups(pids)

    def worker_pid(self) -> int:
        """Return the process that serves originators, of which there must be one."""
        return self.process(WORKER)

    def worker_pids(self) -> list[int]:
        """Return all processes that serve originators."""
        return self._processes(WORKER)

    def process(self, command: str) -> int:
        """Return the process that runs a command of voucherswitch, of which there must be one."""
        found = self._processes(command)
        if len(found) != 1:
            raise BenchError(f"voucherswitch up has {len(found)} processes {command}, and one was asked for")
        return found[0]

    def _processes(self, command: str) -> list[int]:
        assert self._child is not None
        return [pid for pid in descendants(self._child.pid) if command in arguments_of(pid)]

    def cpu_s(self) -> float:
        """Return the processor time in seconds of all its processes; the embedded database is none of them."""
        assert self._child is not None
        return tree_cpu_s(self._child.pid)

    def must_run(self) -> None:
        """Raise if it has ended."""
        assert self._child is not None
        self._child.must_run()

    def stop(self) -> None:
        """Stop all of it."""
        if self._child is not None:
            self._child.stop()


def switch_apart(command: Path, folder: Path, *, workers: int = 1) -> Switch:
    """A switch on ports that nobody uses, so that another sandbox may run on the machine."""
    base = free_ports(SIMULATOR_PORTS + 4)
    interface, console, metrics, tls = range(base + SIMULATOR_PORTS, base + SIMULATOR_PORTS + 4)
    return Switch(
        command,
        folder,
        password=secrets.token_hex(16),
        port=interface,
        console_port=console,
        simulator_port_base=base,
        workers=workers,
        settings={"worker_metrics_port": metrics, "tls_port": tls},
    )


def environment(**settings: int) -> dict[str, str]:
    """Return the environment of the switch: the user's, without what could name a database of somebody else."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith(("DATABASE_URL", "SWITCH_CONFIG"))}
    return kept | {f"VOUCHERSWITCH_{name.upper()}": str(value) for name, value in settings.items()}
