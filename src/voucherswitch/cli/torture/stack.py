"""The switch under torture: embedded PostgreSQL, simulators, two switch workers, two workers, and the proxy between.

Every process is the product's own command with the product's own settings; only waits are shorter, so that silence and
leases end within seconds. All of it lives in a directory of its own.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import asyncpg

from voucherswitch.cli import processes, serving
from voucherswitch.cli.context import connect, load_settings
from voucherswitch.cli.supervisor.parent import ParentTie
from voucherswitch.cli.torture import ports, shop
from voucherswitch.cli.torture.processes import Process, until_listening
from voucherswitch.cli.torture.proxy import HOST
from voucherswitch.cli.torture.proxy_process import ProxyProcess
from voucherswitch.config.settings import Settings
from voucherswitch.journal.embedded import EmbeddedPostgres
from voucherswitch.journal.migrate import migrate
from voucherswitch.process import open_vault
from voucherswitch.providers import registry
from voucherswitch.providers.contract.simulator.running import CONTROL_PORT_ABOVE
from voucherswitch.providers.kit.control import SimulatorControl
from voucherswitch.security.vault import Vault

SWITCHES: Final = ("switch-1", "switch-2")
WORKERS: Final = ("worker-1", "worker-2")
SIMULATORS: Final = "simulators"
INTERFACE: Final = "interface"
DATABASE_OF: Final = {"switch": "database-of-switches", "worker": "database-of-workers"}

LANE_LEASE_S: Final = 4
_READY_S: Final = 60.0
_POLL_S: Final = 0.05
_SIMULATOR_PORTS: Final = frozenset(range(1, 19))  # above their base; the last is that of a provider with two protocols
# Waits that suit a run of minutes. Everything else is as shipped.
_SETTINGS: Final = {
    "ANSWER_MARGIN_S": "1",
    "SAF_BACKOFF_INITIAL_MS": "200",
    "SAF_BACKOFF_MAX_MS": "2000",
    "LANE_LEASE_S": str(LANE_LEASE_S),
    "DRAIN_S": "15",
}


class Stack:
    """All that runs. `pool` reaches the database past the proxy."""

    def __init__(self, folder: Path, settings: Settings, server: EmbeddedPostgres, tie: ParentTie) -> None:
        self.folder: Final = folder
        self.settings: Final = settings
        self.server: Final = server
        self.processes: Final[dict[str, Process]] = {}
        self.controls: Final[dict[str, SimulatorControl]] = {}
        self.passwords: dict[str, str] = {}
        self.restoring = asyncio.Lock()  # who stops or starts the database holds it
        self.proxy: ProxyProcess
        self.vault: Vault
        self._tie = tie

    @property
    def till_port(self) -> int:
        """Where tills find the switch: a proxy's port."""
        return self.proxy.ports[INTERFACE]

    @classmethod
    @asynccontextmanager
    async def start(cls, folder: Path) -> AsyncIterator["Stack"]:
        """Start all of it; on the way out stop it in order."""
        above = frozenset({0, 1}) | {2 + port for port in _SIMULATOR_PORTS}
        above |= {port + CONTROL_PORT_ABOVE for port in above if port > 1}
        first = ports.free_block(above)
        settings = load_settings(
            data_dir=folder / "data", workers=len(SWITCHES), interface_port=first, console_port=first + 1,
            simulator_port_base=first + 2,
        )  # fmt: skip
        settings.require_sandbox("simulators")
        (folder / "logs").mkdir()
        settings.data_dir.mkdir(mode=0o711)
        server = EmbeddedPostgres(settings.data_dir)
        tie = ParentTie()
        stack = cls(folder, settings, server, tie)
        with processes.reserved_interface(settings):
            await asyncio.to_thread(server.start)
            try:
                await stack._open()
                yield stack
            finally:
                await stack._close()
                await asyncio.to_thread(server.stop)
                tie.close()

    async def _open(self) -> None:
        await migrate(self.server.url)
        simulators = serving.simulator_ports(self.settings)
        socket_dir = parse_qs(urlsplit(self.server.url).query)["host"][0]
        database = str(Path(socket_dir) / ".s.PGSQL.5432")
        targets: dict[str, tuple[str, int] | str] = {name: (HOST, port) for name, port in simulators.items()}
        targets |= dict.fromkeys(DATABASE_OF.values(), database)
        targets[INTERFACE] = (HOST, self.settings.interface_port)
        self.proxy = await ProxyProcess.start(targets)
        connection = await connect(self.server.url)
        try:
            self.vault = await open_vault(self.settings, connection)
            addresses = {name: f"http://{HOST}:{self.proxy.ports[name]}" for name in simulators}
            self.passwords = await shop.load(connection, self.vault, addresses)
        finally:
            await connection.close()
        self._add(SIMULATORS, "simulators", "replay", "strict")
        for name in SWITCHES:
            self._add(name, "switch-worker", database=DATABASE_OF["switch"])
        for name in WORKERS:
            self._add(name, "worker", database=DATABASE_OF["worker"])
        for process in self.processes.values():
            process.start()
        for name, port in simulators.items():
            self.controls[name] = SimulatorControl(f"http://{HOST}:{port + CONTROL_PORT_ABOVE}")
        await until_listening(self.processes[SIMULATORS], HOST, list(simulators.values())[-1], _READY_S)
        await until_listening(self.processes[SWITCHES[0]], HOST, self.settings.interface_port, _READY_S)
        await self._until_lanes_are_held()

    async def _until_lanes_are_held(self) -> None:
        """Wait until a worker delivers: a run without one would only show that nothing is delivered.

        Raises:
            RuntimeError: it ended, or held no lane in time.
        """
        worker, deadline = self.processes[WORKERS[0]], time.monotonic() + _READY_S
        connection = await self.connect()
        try:
            while not await connection.fetchval("SELECT EXISTS (SELECT FROM lane WHERE expires_at > now())"):
                if not worker.running or time.monotonic() > deadline:
                    raise RuntimeError(f"{worker.name} delivers nothing: {worker.last_line()}")
                await asyncio.sleep(_POLL_S)
        finally:
            await connection.close()

    def _add(self, name: str, *command: str, database: str | None = None) -> None:
        env = {f"VOUCHERSWITCH_{key}": value for key, value in _SETTINGS.items()}
        env |= {
            "DATABASE_URL": self.server.url if database is None else self._through_proxy(database),
            "VOUCHERSWITCH_DATA_DIR": str(self.settings.data_dir),
            "VOUCHERSWITCH_WORKERS": str(self.settings.workers),
            "VOUCHERSWITCH_INTERFACE_PORT": str(self.settings.interface_port),
            "VOUCHERSWITCH_CONSOLE_PORT": str(self.settings.console_port),
            "VOUCHERSWITCH_SIMULATOR_PORT_BASE": str(self.settings.simulator_port_base),
        }
        self.processes[name] = Process(name, serving.serving_command(*command), self.folder, env, self._tie)

    def _through_proxy(self, target: str) -> str:
        url = urlsplit(self.server.url)
        return f"postgresql://{url.username}@{HOST}:{self.proxy.ports[target]}{url.path}?sslmode=disable"

    async def connect(self) -> asyncpg.Connection:
        """One connection to the database past the proxy.

        Raises:
            DatabaseError: it is down.
        """
        return await connect(self.server.url)

    async def ensure_database(self) -> None:
        """Start the database if it does not run; waits for whoever is just doing so."""
        async with self.restoring:
            if not await asyncio.to_thread(lambda: self.server.running):
                await asyncio.to_thread(self.server.start)

    def tend(self) -> None:
        """Start again what has ended by itself."""
        for process in self.processes.values():
            process.tend()

    async def explained(self, request_id: str) -> str:
        """What `voucherswitch explain` says of a request."""
        env: Mapping[str, Any] = {
            **{key: value for key, value in os.environ.items() if not key.startswith("VOUCHERSWITCH_")},
            "DATABASE_URL": self.server.url,
            "VOUCHERSWITCH_DATA_DIR": str(self.settings.data_dir),
        }
        explaining = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "voucherswitch", "explain", request_id,
            cwd=self.folder, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await explaining.communicate()
        return output.decode(errors="replace").rstrip()

    async def _close(self) -> None:
        """Stop the switch, then what it leads to."""
        for group in (SWITCHES, WORKERS, (SIMULATORS,)):
            found = [self.processes[name] for name in group if name in self.processes]
            await asyncio.gather(*(process.stop() for process in found))
        if hasattr(self, "proxy"):
            await self.proxy.stop()


def simulated_providers() -> list[str]:
    """Every provider of a run."""
    return list(registry.names())
