"""A whole switch for tests: embedded PostgreSQL, simulator, workers and sender, each the real thing in its process."""

import asyncio
import base64
import json
import re
import shutil
import signal
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from copy import copy
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import asyncpg
from pyreqwest.exceptions import ConnectError

from support.certificates import Authority, ClientTls, Issued
from support.client import Client
from support.document import Document
from support.originators import ALL, PASSWORD, TILL, Originator
from support.ports import free_port
from support.processes import Process
from support.providers import SECRETS, Brand, load_brand, load_brands
from support.simulator import SimulatorControl
from support.vault import vault_of
from support.waiting import eventually
from voucherswitch.catalogue import store
from voucherswitch.catalogue.sandbox import load_sandbox
from voucherswitch.journal import invariants
from voucherswitch.journal.embedded import EmbeddedPostgres
from voucherswitch.journal.migrate import migrate
from voucherswitch.message.states import AdviceKind, AdviceState, State, VoucherState
from voucherswitch.security.passwords import hash_password
from voucherswitch.security.vault import Vault

READY_S: Final = 30.0
RAW_S: Final = 20.0

# Waits that suit a test. Everything else is as shipped.
SETTINGS: Final = {
    "CATALOGUE_POLL_MS": "50",
    "SAF_BACKOFF_INITIAL_MS": "50",
    "SAF_BACKOFF_MAX_MS": "500",
    "SAF_POLL_MS": "20",
    "LANE_LEASE_S": "5",
    "INVARIANT_CHECK_S": "1",
    "WORKER_METRICS_PORT": "0",
    "WORKER_LEASE_S": "5",
    "KEEP_ALIVE_S": "5",
    # Tests break the providers that they share; those that are about circuit breakers have workers of their own.
    "BREAKER_FAILURES": "10000",
    "RESOLVE_FIRST_MS": "3600000",  # a test says itself when: `Switch.resolve_now`
}
# What no worker and no sender may ever log: an answer 500, and late work that failed.
_UNEXPECTED: Final = re.compile(r"unexpected error|work after the answer failed|Traceback \(most recent call last\)")


class Switch:
    """A running switch. `root` is its address, `url` the interface's base address, `tls_root` its address over TLS.

    Tests share it, so they use fresh ids and codes, and faults that match one request only. Whatever they do, the
    journal's invariants must hold: `running` are the switches whose journals conftest.py looks at after each module.
    """

    running: ClassVar[list["Switch"]] = []

    def __init__(self, folder: Path, database: EmbeddedPostgres, simulator: Process, vault: Vault) -> None:
        self.folder = folder
        self.database = database
        self.simulator_process = simulator
        self.vault = vault
        self.workers: list[Process] = []
        self.senders: list[Process] = []
        self.simulator: SimulatorControl
        self.pool: asyncpg.Pool
        self.client: Client
        self._context: ssl.SSLContext | None = None  # with which `raw` speaks
        self._settings: dict[str, str] = {}
        self._held: list[socket.socket] = []
        self.authority = Authority(folder / "certs")
        self.revocations = self.authority.revoke(folder / "certs" / "revoked.pem")
        self.server = self.authority.server()

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        *,
        workers: int = 1,
        senders: int = 1,
        supervised: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> AsyncIterator["Switch"]:
        """Start all of it, with every originator of `originators.ALL` and every brand of `providers.BRANDS`.

        Args:
            supervised: let `voucherswitch switch` run the workers; it is the one process in `workers` then.
            settings: settings by their environment names without the prefix, over those of this module.
        """
        folder = _make_folder()
        simulator = Process("simulator", folder, {})
        database = EmbeddedPostgres(folder / "data")
        try:
            simulator.start()
            await asyncio.to_thread(database.start)
            switch = cls(folder, database, simulator, vault_of(folder / "data" / "vault.key"))
            try:
                await switch._open(SETTINGS | dict(settings or {}))
                for _ in range(senders):
                    switch.start_sender()
                if supervised:
                    switch.start_supervisor(workers)
                else:
                    for _ in range(workers):
                        switch.start_worker()
                await switch.ready()
                cls.running.append(switch)
                yield switch
                assert await switch.broken_invariants() == []
            finally:
                if switch in cls.running:
                    cls.running.remove(switch)
                await switch._close()
        finally:
            await simulator.stop()
            await asyncio.to_thread(database.stop)
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def database_url(self) -> str:
        """Where the journal is."""
        return self.database.url

    @property
    def database_socket(self) -> Path:
        """The Unix socket of the database."""
        host = parse_qs(urlsplit(self.database_url).query)["host"][0]
        return Path(host) / ".s.PGSQL.5432"

    @property
    def url(self) -> str:
        """The interface's base address."""
        return f"{self.root}/suv/v1"

    @property
    def root(self) -> str:
        """The switch's address."""
        return f"http://127.0.0.1:{self._settings['INTERFACE_PORT']}"

    @property
    def tls_root(self) -> str:
        """The switch's address over TLS."""
        return f"https://127.0.0.1:{self._settings['TLS_PORT']}"

    @property
    def tls_address(self) -> tuple[str, int]:
        """Host and port of the worker over TLS."""
        return "127.0.0.1", int(self._settings["TLS_PORT"])

    def tls_client(self, own: Issued | None = None) -> Client:
        """A client over TLS, with a certificate or without. Close it."""
        return Client(self.tls_root, self.client.document, ClientTls(self.authority.path, own))

    def over_tls(self) -> "Switch":
        """The same switch, spoken to over TLS. Close its client."""
        view = copy(self)
        view.client = self.tls_client()
        view._context = ClientTls(self.authority.path).context()
        return view

    def _tls_settings(self) -> dict[str, str]:
        return {
            "TLS_PORT": str(self._hold_port()),
            "TLS_CERTIFICATE_FILE": str(self.server.certificate_path),
            "TLS_KEY_FILE": str(self.server.key_path),
            "TLS_CLIENT_CERTIFICATES": "optional",
            "TLS_CLIENT_CA_FILE": str(self.authority.path),
            "TLS_CLIENT_REVOCATIONS_FILE": str(self.revocations),
        }

    async def _open(self, settings: dict[str, str]) -> None:
        where = {"INTERFACE_PORT": str(self._hold_port()), "DATA_DIR": str(self.folder / "data")}
        self._settings = where | self._tls_settings() | settings
        self.client = Client(self.root)
        await migrate(self.database_url)
        self.pool = await asyncpg.create_pool(self.database_url, min_size=1, max_size=4)
        where = json.loads(await eventually(self._announced, "the simulator", within_s=READY_S))
        self.simulator = SimulatorControl(where["url"], where["control_url"])
        password_hash = await asyncio.to_thread(hash_password, PASSWORD)
        async with self.pool.acquire() as connection:
            await load_sandbox(
                connection,
                self.vault,
                settings={"base_url": self.simulator.url, "default_outlet": "S001"},
                secrets=SECRETS,
                password_hash=password_hash,
            )
            await store.set_originator(connection, TILL.id, dict(TILL.settings))
            closed_url = f"http://127.0.0.1:{self._hold_port()}"
            await load_brands(connection, self.vault, self.simulator.url, closed_url)
            for originator in ALL:
                if originator.id != TILL.id:
                    await self._add(connection, originator, password_hash)

    async def _close(self) -> None:
        if hasattr(self, "client"):
            await self.client.close()  # a worker waits a while for the next request on a connection that is open
        await asyncio.gather(*(process.stop() for process in (*self.workers, *self.senders)))
        for resource in ("simulator", "pool"):
            if hasattr(self, resource):
                await getattr(self, resource).close()
        for held in self._held:
            held.close()

    async def _announced(self) -> str:
        self.simulator_process.must_run()
        line, end, _ = self.simulator_process.text().partition("\n")
        return line if end else ""

    def free_port(self) -> int:
        """A port for a listener of a `lone_worker`."""
        return self._hold_port()

    def _hold_port(self) -> int:
        """Take a free port that nobody listens on; our workers may share it."""
        held = socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        self._held.append(held)
        port: int = held.getsockname()[1]
        return port

    # Processes

    def start_worker(self) -> Process:
        """Start one more worker on the shared port; see `ready`."""
        return self._start("switch", self.workers)

    def start_supervisor(self, workers: int) -> Process:
        """Start `voucherswitch switch` on the port, which it wants to itself; see `ready`."""
        for held in self._held[:2]:  # the two of the interface
            held.close()
        self._settings["WORKERS"] = str(workers)
        return self._start("supervisor", self.workers)

    def start_sender(self) -> Process:
        """Start one more store-and-forward sender."""
        return self._start("worker", self.senders)

    def _start(self, program: str, among: list[Process]) -> Process:
        env = {f"VOUCHERSWITCH_{name}": value for name, value in self._settings.items()}
        process = Process(program, self.folder, env | {"DATABASE_URL": self.database_url})
        process.start()
        among.append(process)
        return process

    @asynccontextmanager
    async def extra_worker(self, *, database_url: str | None = None, **settings: str) -> AsyncIterator[Client]:
        """One more worker with settings of its own, on a port of its own; yields a client of it.

        What it logs is its test's business: `complaints` does not look at it.
        """
        async with self.lone_worker(database_url=database_url, **settings) as (client, _):
            yield client

    @asynccontextmanager
    async def lone_worker(
        self, *, database_url: str | None = None, **settings: str
    ) -> AsyncIterator[tuple[Client, Process]]:
        """As `extra_worker`, for a test that does something to the process.

        The client speaks TLS where `client` does, but for a `TLS_PORT` that the test speaks to by itself.
        """
        tls = None
        if self._context is not None and "TLS_PORT" not in settings:
            tls = ClientTls(self.authority.path)
            settings["TLS_PORT"] = str(self.free_port())
        async with self.started_worker(database_url=database_url, **settings) as ((_, port), process):
            root = f"http://127.0.0.1:{port}" if tls is None else f"https://127.0.0.1:{settings['TLS_PORT']}"
            client = Client(root, self.client.document, tls)
            try:
                await eventually(lambda: _answers(client, process), "an extra worker that answers", within_s=READY_S)
                yield client, process
            finally:
                await client.close()

    @asynccontextmanager
    async def started_worker(
        self, *, database_url: str | None = None, wrapper: Sequence[str] = (), **settings: str
    ) -> AsyncIterator[tuple[tuple[str, int], Process]]:
        """As `lone_worker`, not waited for: one that is not to be spoken to plainly. Yields its address.

        `wrapper`: a command that runs it, as somebody else: only sockets of one user share a port.
        """
        port = self._hold_port() if not wrapper else free_port()
        tls_port = self._hold_port() if not wrapper else free_port()
        values = self._settings | {"TLS_PORT": str(tls_port)} | settings | {"INTERFACE_PORT": str(port)}
        env = {f"VOUCHERSWITCH_{name}": value for name, value in values.items()}
        env["DATABASE_URL"] = database_url or self.database_url
        process = Process("switch", self.folder, env, name=f"switch-{port}", wrapper=wrapper)
        process.start()
        try:
            yield ("127.0.0.1", port), process
        finally:
            await process.stop()

    @contextmanager
    def senders_stopped(self) -> Iterator[None]:
        """Freeze every sender: whatever reaches the provider meanwhile, the workers sent it."""
        for sender in self.senders:
            sender.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for sender in self.senders:
                sender.signal(signal.SIGCONT)

    async def ready(self) -> None:
        """Wait until a worker answers."""
        await eventually(lambda: _answers(self.client, *self.workers), "a worker that answers", within_s=READY_S)
        self.client.document = Document((await self.client.send("GET", "/openapi.json", by=None)).body)

    def complaints(self) -> list[str]:
        """What workers and senders logged that must never be logged."""
        return [
            f"{process.log.name}: {process.text()[max(0, found.start() - 300) : found.end() + 1500]}"
            for process in (*self.workers[:1], *self.senders[:1])
            for found in _UNEXPECTED.finditer(process.text())
        ]

    # Bytes

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the worker."""
        return "127.0.0.1", int(self._settings["INTERFACE_PORT"])

    async def raw(self, data: bytes, *, until: bytes | None = None) -> bytes:
        """Send bytes on a connection of their own; return what comes back until the end, or until some bytes came."""
        address = self.address if self._context is None else self.tls_address
        reader, writer = await asyncio.open_connection(*address, ssl=self._context)
        try:
            writer.write(data)
            async with asyncio.timeout(RAW_S):
                return await (reader.read() if until is None else reader.readuntil(until))
        except ConnectionResetError:
            return b""
        finally:
            writer.close()

    def request_head(self, method: str, path: str, *, by: Originator, length: int = 0) -> bytes:
        """The head of a request that announces a JSON body of some length."""
        credentials = base64.b64encode(f"{by.id}:{by.password}".encode()).decode()
        lines = [
            f"{method} {path} HTTP/1.1",
            "Host: switch",
            f"Authorization: Basic {credentials}",
            "Content-Type: application/json",
            f"Content-Length: {length}",
        ]
        return "\r\n".join([*lines, "", ""]).encode()

    # Catalogue

    async def add_originator(self, originator: Originator) -> None:
        """Register an originator and wait until it may speak."""
        await self.register(originator)
        await self.live(originator)

    async def register(self, originator: Originator) -> None:
        """Register an originator; workers know it within their poll."""
        async with self.pool.acquire() as connection:
            await self._add(connection, originator, await asyncio.to_thread(hash_password, originator.password))

    async def set_originator(self, originator_id: str, **settings: Any) -> None:
        """Change settings of an originator; see `live`."""
        async with self.pool.acquire() as connection:
            await store.set_originator(connection, originator_id, settings)

    async def add_brand(self, brand: Brand, url: str) -> None:
        """Add a brand with a provider of its own at an address, or with other brands' providers as its routes.

        The workers know it within their poll; one that is started after this knows it at once.
        """
        async with self.pool.acquire() as connection:
            await load_brand(connection, self.vault, brand, url)

    async def set_password(self, originator: Originator) -> None:
        """Give a registered originator the password that `originator` has, and wait until it is the one that counts."""
        password_hash = await asyncio.to_thread(hash_password, originator.password)
        await self.set_originator(originator.id, password_hash=password_hash)
        await self.live(originator)

    async def live(self, originator: Originator) -> None:
        """Wait until the worker knows an originator, and with it every earlier change of the catalogue."""

        async def known() -> bool:
            return (await self.client.get("/products", by=originator)).status != 401

        await eventually(known, f"originator {originator.id} in the catalogue of the worker")

    async def caught_up(self) -> None:
        """Wait until the worker knows every change of the catalogue that was made before this."""
        probe = Originator(f"probe-{uuid4()}", {"product_lookup": True})
        await self.add_originator(probe)

    @staticmethod
    async def _add(connection: store.Connection, originator: Originator, password_hash: str) -> None:
        if originator.password != PASSWORD:
            password_hash = await asyncio.to_thread(hash_password, originator.password)
        values = {"name": originator.id, "password_hash": password_hash} | dict(originator.settings)
        await store.add_originator(connection, originator.id, values)

    # Journal

    async def rows(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Read from the journal."""
        found: list[asyncpg.Record] = await self.pool.fetch(sql, *arguments)
        return found

    async def value(self, sql: str, *arguments: Any) -> Any:
        """Read one value from the journal."""
        return await self.pool.fetchval(sql, *arguments)

    async def record(self, request_id: str) -> asyncpg.Record | None:
        """The newest record of a request id."""
        rows = await self.rows(
            "SELECT * FROM transaction WHERE request_id = $1 ORDER BY generation DESC LIMIT 1", request_id
        )
        return rows[0] if rows else None

    async def state(self, request_id: str) -> str | None:
        """The state of the newest record of a request id; None: no record."""
        record = await self.record(request_id)
        return None if record is None else State(record["state"]).name

    async def resolve_now(self, *request_ids: str) -> None:
        """Let the last calls of open requests have ended two hours ago, and the resolver look at them now."""
        for request_id in request_ids:

            async def over(request_id: str = request_id) -> bool:
                sql = """UPDATE transaction SET resolve_at = now(), call_ended_at = now() - interval '2 hours'
                          WHERE request_id = $1 AND state IN (1, 4) AND call_until IS NULL RETURNING true"""
                return bool(await self.value(sql, request_id))

            await eventually(over, f"the end of the calls of {request_id}")

    async def reaches(self, request_id: str, state: State, *, within_s: float = 10.0) -> None:
        """Wait until a record is in a state."""

        async def there() -> bool:
            return await self.state(request_id) == state.name

        await eventually(there, f"{request_id} {state.name}", within_s=within_s)

    async def voucher_state(self, code: str) -> str | None:
        """The state of the voucher with this code; None: it has none yet."""
        state = await self.value("SELECT state FROM voucher WHERE fingerprint = $1", self.vault.fingerprint(code))
        return None if state is None else VoucherState(state).name

    async def advices(self, request_id: str) -> list[tuple[str, str]]:
        """Kind and state of the advices of a request id, oldest first."""
        rows = await self.rows("SELECT kind, state FROM advice WHERE request_id = $1 ORDER BY seq", request_id)
        return [(AdviceKind(row["kind"]).name, AdviceState(row["state"]).name) for row in rows]

    async def broken_invariants(self) -> list[str]:
        """What does not hold in the journal now, a line each."""
        async with self.pool.acquire() as connection:
            return [str(finding) for finding in await invariants.check(connection)]

    async def refusals(self, request_id: str) -> int:
        """How many refusals of a request id are on file."""
        count: int = await self.value("SELECT count(*) FROM refusal WHERE request_id = $1", request_id)
        return count

    async def written_for(self, originator_id: str) -> dict[str, int]:
        """How many rows of each table an originator has."""
        sql = """SELECT (SELECT count(*) FROM transaction WHERE originator_id = $1) AS transaction,
                        (SELECT count(*) FROM refusal WHERE originator_id = $1) AS refusal,
                        (SELECT count(*) FROM advice WHERE originator_id = $1) AS advice,
                        (SELECT count(*) FROM leg WHERE peer = $1) AS leg"""
        return dict((await self.rows(sql, originator_id))[0])


def _make_folder() -> Path:
    """A directory that PostgreSQL can enter, which runs as another account when the tests run as root."""
    folder = Path(tempfile.mkdtemp(prefix="vs-", dir="/tmp"))
    folder.chmod(0o711)
    return folder


async def _answers(client: Client, *processes: Process) -> bool:
    for process in processes:
        process.must_run()
    try:
        return (await client.send("GET", "/openapi.json", by=None)).status == 200
    except ConnectError:
        return False
