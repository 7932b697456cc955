"""One world: real switch and worker processes, scripted providers and the database port, all drawn from a seed."""

import asyncio
import base64
import random
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextvars import copy_context
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncpg
import msgspec
from argon2 import PasswordHasher

from simulation.clock import CURRENT, WORLD, NothingLeftError, Process, VirtualLoop
from simulation.database import BROKEN, Database
from simulation.providers import Entry, Provider, capabilities_drawn
from voucherswitch.catalogue import store
from voucherswitch.catalogue.snapshot import Provider as ProviderRow
from voucherswitch.catalogue.snapshot import Route, VoucherProvider
from voucherswitch.config.settings import Settings
from voucherswitch.interface.app import BASE, Interface, build_app
from voucherswitch.interface.connection import Drain
from voucherswitch.interface.doors import Doors
from voucherswitch.journal.database import DatabaseError
from voucherswitch.message.parties import Institution
from voucherswitch.message.states import AdviceKind, Kind
from voucherswitch.process import open_vault
from voucherswitch.security.passwords import decoy_hash
from voucherswitch.security.peer import PEER, Peer
from voucherswitch.worker import work

T = TypeVar("T")

PASSWORD: Final = "till password"
DUAL: Final = "22222222"
SINGLE: Final = "22222227"
DEADLINE_S: Final = 4
RECEIVERS: Final = ({"id": "44444444", "name": "MobiTalk"}, {"id": "55555555", "name": "Protea"})
PROVIDERS: Final = ("north", "south")
OWED: Final = """
SELECT (SELECT count(*) FROM advice WHERE state = 1)
     + (SELECT count(*) FROM transaction WHERE state IN (1, 4) AND call_until > clock_timestamp()) AS under_way,
       ARRAY(SELECT (kind, single, provider_id) FROM transaction WHERE state IN (1, 4)) AS open
"""
ANSWERED: Final = "SELECT 1 FROM transaction WHERE request_id = $1 AND state IN (2, 5, 6) AND answer IS NOT NULL"
ACCEPTED: Final = "SELECT 1 FROM advice WHERE advice_id = $1"
EVENTS_MAX: Final = 20_000
URL: Final = "postgresql://simulated"


class BrokenError(AssertionError):
    """An invariant does not hold."""


class Answer(msgspec.Struct, frozen=True):
    """What a till was told."""

    status: int
    body: dict[str, Any]

    @property
    def error(self) -> str:
        """The errorType, if it is a no."""
        return str(self.body.get("errorType", ""))


class Lost(Exception):  # noqa: N818 (an event, not a fault)
    """No answer came: connection lost, process dead, or the till's patience over."""


def furnish(database: Database, directory: Path) -> Settings:
    """Write the catalogue, the same for every world; return the settings of its processes."""
    settings = Settings(
        data_dir=directory, answer_margin_s=1, catalogue_poll_ms=60_000, credential_cache_s=3_600,
        lane_lease_s=12, worker_lease_s=12,
        saf_poll_ms=250, saf_backoff_initial_ms=500, saf_backoff_max_ms=4_000, log_level="warning",
        trace_days=0, resolve_first_ms=1_000, resolve_backoff_initial_ms=1_000, resolve_backoff_max_ms=5_000,
    )  # fmt: skip
    # Cheap to verify: what takes long on purpose would take most of a world's real time.
    decoy_hash()  # made once in a process, of random bytes: before any world, so that none differs from its repeat
    password_hash = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)

    async def write(connection: asyncpg.Connection) -> None:
        vault = await open_vault(settings, connection)
        for originator, single in ((DUAL, False), (SINGLE, True)):
            values = {"name": originator, "password_hash": password_hash, "single": single, "deadline_s": DEADLINE_S}
            values |= {"redemption": True, "single_confirm_delay_s": 5, "allow_request_id_reuse": False}
            await store.add_originator(connection, originator, values)
        for name in PROVIDERS:
            await store.put_provider(connection, vault, ProviderRow(id=name, connector="scripted", settings={}), {})
        settlement = Institution("33333333", "Settlement")
        for number, brand in enumerate(RECEIVERS):
            receiver = Institution(**brand)
            await store.put_voucher_provider(connection, VoucherProvider(receiver=receiver, settlement=settlement))
            # The first brand has a second route to fail over to; the other has none.
            for priority, name in enumerate(PROVIDERS[: 2 - number], 1):
                await store.put_route(
                    connection,
                    Route(
                        id=0, product_id=None, receiver_id=receiver.id, provider_id=name, provider_product="ANY",
                        default_cents=10_000, priority=priority,
                    ),
                )  # fmt: skip

    database.with_connection(write)
    return settings


class World:
    """What one seed makes."""

    def __init__(self, seed: int, database: Database, settings: Settings) -> None:
        self.seed = seed
        self.draw = random.Random(f"{seed} world")
        self.database = database
        self.settings = settings
        self.loop = VirtualLoop(random.Random(f"{seed} schedule"))
        self.events: list[str] = []
        self.faults: list[str] = []
        self.calm = False
        self.over = False
        draw = self.draw
        # Many worlds are quiet in one way or another: a fault that needs calm water shows there.
        trouble = draw.choice((0.0, 0.1, 0.3, 0.6))
        self.network = draw.choice((0.0, 0.05, 0.2))  # of requests and answers of tills that are lost
        self.crashes = draw.choice((0, 0, 1, 3))  # at any moment
        # How often a process dies while it writes, or when it has just answered.
        self._fragility = draw.choice((0.0, 0.0, 0.01, 0.03))
        self._database_trouble = draw.choice((0.0, 0.0, 0.01, 0.05))
        self._outages = self._outages_drawn(draw.choice((0, 0, 0, 1, 2)))
        self._database_troubled = bool(self._database_trouble or self._outages)
        self.providers = {name: Provider(name, self, capabilities_drawn(draw), trouble) for name in PROVIDERS}
        self.switches: dict[Process, Interface] = {}
        self.workers: list[Process] = []
        self._processes = 0
        self._waiting: dict[Process, set[asyncio.Future[Any]]] = {}
        self._lives: dict[Process, asyncio.Event] = {}  # what lives, and whether it is ready
        self._stops: dict[Process, Callable[[], object]] = {}
        self._others: list[asyncio.Task[None]] = []

    def _outages_drawn(self, number: int) -> list[tuple[float, float]]:
        starts = [self.loop.now + self.draw.uniform(0, 15) for _ in range(number)]
        return [(start, start + self.draw.choice((0.5, 3.0, 8.0))) for start in starts]

    def heal(self) -> None:
        """From now on nothing more goes wrong."""
        self.calm = True
        self._outages = []
        for provider in self.providers.values():
            provider.trouble = 0.0

    def owed(self) -> bool:
        """Whether anything is still under way: advices to deliver, calls that may be running, outcomes to find out."""
        row = self.database.statement(self.now, "fetchrow", OWED)
        return bool(row["under_way"]) or any(self.resolvable(*found) for found in row["open"])

    def resolvable(self, kind: int, single: bool, provider_id: str) -> bool:
        """Whether the resolver can end it without the originator: by a question, or by undoing it (B.7)."""
        can = self.providers[provider_id].can
        status = {Kind.PROVISION: can.status, Kind.REDEMPTION: can.redeem_status, Kind.REFUND: can.refund_status}
        return status[Kind(kind)].sends or (single and can.advice(Kind(kind), AdviceKind.REVERSAL).sends)

    # --- what everybody uses --------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Virtual seconds."""
        return self.loop.now

    def note(self, who: object, text: str) -> None:
        """Add a line to the story that a failing seed tells."""
        if len(self.events) < EVENTS_MAX:
            self.events.append(f"{self.now - 1000:9.3f} {who!s:>9}  {text}")

    def broken(self, text: str) -> None:
        """An invariant does not hold: the world fails, whoever caught what. How it is taken down counts for nothing."""
        if self.over:
            return
        self.note("BROKEN", text)
        self.faults.append(text)

    def at(self, moment_s: float, happen: Callable[[], None]) -> None:
        """Let something happen by itself, whoever is alive then."""
        world = copy_context()
        world.run(CURRENT.set, WORLD)
        self.loop.call_at(max(moment_s, self.now), happen, context=world)

    async def answered(self, start: Callable[[Callable[[T], None]], None]) -> T:
        """Wait for the first answer to what `start` begins."""
        if self.over:
            raise ConnectionError("the world has ended")
        future: asyncio.Future[T] = self.loop.create_future()

        def answer(value: T) -> None:
            if not future.done():
                future.set_result(value)

        start(answer)
        return await future

    def elsewhere(self, provider: Provider, request_id: str) -> Entry | None:
        """The same request in another provider's book, unless it was undone there."""
        for other in self.providers.values():
            entry = other.entries.get(request_id)
            if other is not provider and entry is not None and entry.stands:
                return entry
        return None

    # --- the database port ----------------------------------------------------------------------------------------

    async def carry(self, method: str, text: str, arguments: Sequence[Any]) -> Any:
        """One statement: it takes effect once or never, at a moment between its call and its answer, or after."""
        draw = self.draw
        trouble = not self.calm and draw.random() < self._database_trouble
        kind = draw.choice(("before", "after", "later")) if trouble else ""
        there = draw.choice((0.0, 0.0, 0.001, 0.01, 0.05))
        sent_s = self.now
        down = any(start <= sent_s < end for start, end in self._outages)

        def start(answer: Callable[[Any], None]) -> None:
            def lose() -> None:
                answer(asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"))

            def effect() -> None:
                try:
                    result = self.database.statement(self.now, method, text, *arguments)
                except asyncpg.PostgresError as error:
                    if error.sqlstate == BROKEN:
                        self.broken(str(error))
                    result = error
                if kind == "after":
                    lose()
                elif kind != "later":
                    self.at(self.now + there, lambda: answer(result))

            if down or kind == "before":
                self.at(sent_s + there, lose)
                return
            if kind == "later":  # the server goes on with what a lost connection gave it
                self.at(sent_s + there, lose)
                self.at(sent_s + there + draw.choice((0.05, 0.3)), effect)
                return
            self.at(sent_s + there, effect)

        self._may_die(CURRENT.get())
        result = await self.answered(start)
        if trouble or down:
            self.note(CURRENT.get(), f"database: {kind or 'down'}: {' '.join(text.split())[:60]}")
        if isinstance(result, Exception):
            raise result
        return result

    def at_once(self, method: str, text: str, arguments: Sequence[Any]) -> Any:
        """A statement of a transaction."""
        return self.database.statement(self.now, method, text, *arguments)

    # --- processes ------------------------------------------------------------------------------------------------

    def _process(self, kind: str) -> Process:
        self._processes += 1
        process = Process(f"{kind}{self._processes}")
        self._waiting[process] = set()
        return process

    def _may_die(self, process: Process) -> None:
        """Processes die where it hurts: between a statement's effect and its answer, or with an answer just sent."""
        if not self.calm and process is not WORLD and self.draw.random() < self._fragility:
            self.at(self.now + self.draw.choice((0.0, 0.0, 0.005, 0.05)), lambda: self.kill(process))

    def start(self, process: Process, work: Awaitable[T]) -> asyncio.Task[T]:
        """Run something in a process."""
        context = copy_context()
        context.run(CURRENT.set, process)
        return self.loop.create_task(work, context=context)  # type: ignore[arg-type]  # every awaitable here is a coroutine

    async def start_switch(self) -> None:
        """Start a switch worker and wait until it serves."""
        process = self._process("switch")
        drain = Drain(self.settings.drain_s)
        app = build_app(self.settings, URL, drain, Doors(self.settings))
        ready = asyncio.Event()
        stopping = asyncio.Event()

        async def live() -> None:
            async with app.router.lifespan_context(app):
                self.switches[process] = app
                ready.set()
                await stopping.wait()
                while waiting := self._waiting[process]:  # the server waits for what it has accepted
                    await asyncio.wait(waiting)

        def stop() -> None:
            drain.begin()
            self.switches.pop(process, None)
            stopping.set()

        self._stops[process] = stop
        self._run(process, live, ready)
        await ready.wait()

    def start_worker(self) -> None:
        """Start a worker."""
        process = self._process("worker")
        self.workers.append(process)
        self._stops[process] = lambda: self.loop.signal_handlers.get(process, lambda: self.kill(process))()
        self._run(process, lambda: work(self.settings, URL), asyncio.Event())

    def _run(self, process: Process, life: Callable[[], Coroutine[Any, Any, None]], ready: asyncio.Event) -> None:
        """Let a process live until it ends by itself."""

        async def live() -> None:
            try:
                await life()
                self.note(process, "ended")
            except DatabaseError as error:
                self.note(process, f"did not start: {error}")
            except Exception as error:
                self.broken(f"{process} ended with {''.join(traceback.format_exception(error))}")

        def ended(_: asyncio.Task[None]) -> None:
            if not self.over:
                self._gone(process)

        context = copy_context()
        context.run(CURRENT.set, WORLD)
        task = self.start(process, live())
        task.add_done_callback(ended, context=context)
        self._lives[process] = ready
        self.note(process, "started")

    def _restart(self, process: Process) -> None:
        """What a supervisor does when a process of its own is gone."""
        if self._lives.pop(process, None) is None or self.over:
            return
        again_s = self.now + self.draw.choice((0.5, 1.0, 4.0))
        self.switches.pop(process, None)
        if process in self.workers:
            self.workers.remove(process)
            self.at(again_s, self.start_worker)
        else:
            self.at(again_s, lambda: self._others.append(self.loop.create_task(self.start_switch())))

    def stop(self, process: Process) -> None:
        """SIGTERM: it finishes what it has begun."""
        if process.alive and process in self._lives:
            self.note(process, "stops")
            self._stops[process]()

    def kill(self, process: Process) -> None:
        """kill -9: nothing of it runs any more; its connections break, and its supervisor starts another."""
        if not process.alive or process not in self._lives or self.over:
            return
        self.note(process, "killed")
        self._gone(process)

    def _gone(self, process: Process) -> None:
        """Nothing of it runs any more, whatever it has left behind."""
        process.alive = False
        if process in self._lives:
            self._lives[process].set()
        self._restart(process)
        for future in self._waiting.pop(process, ()):
            if not future.done():
                future.set_exception(Lost("the process is gone"))

    # --- what tills use -------------------------------------------------------------------------------------------

    async def post(self, by: str, path: str, body: dict[str, Any]) -> Answer:
        """Send one request to one of the switch workers.

        Raises:
            Lost: the till will never know what became of it.
        """
        draw = self.draw
        lossy = not self.calm and draw.random() < self.network
        lost = draw.choice(("request", "answer")) if lossy else ""
        if lost == "request" or not self.switches:
            await asyncio.sleep(0.5)
            raise Lost("the request was lost")
        process = draw.choice(list(self.switches))
        app = self.switches[process]
        future: asyncio.Future[Answer] = self.loop.create_future()
        self._waiting[process].add(future)
        self.note(by, f"{path} {body.get('requestId') or body['id']} to {process}")

        async def serve() -> None:
            answer = await _asgi(app, by, path, body)
            if not future.done():
                future.set_result(answer)

        self.start(process, serve())
        try:
            async with asyncio.timeout(DEADLINE_S):
                answer = await future
        except TimeoutError:
            if not self._database_troubled:
                self.broken(f"no answer in time to {path} {body['id']}")
            raise Lost("no answer in time") from None
        finally:
            self._waiting.get(process, set()).discard(future)
        self.note(by, f"{path} {body.get('requestId') or body['id']} <- {answer.status} {answer.error}")
        self._check_durable(path, body, answer)
        self._may_die(process)
        if lost:
            self.note(by, "... but the answer was lost")
            raise Lost("the answer was lost")
        return answer

    def _check_durable(self, path: str, body: dict[str, Any], answer: Answer) -> None:
        """What a till is told is in the journal when it leaves, not some time later."""
        if answer.status == 201 and not self.database.look(ANSWERED, UUID(body["id"])):
            self.broken(f"{path} {body['id']} is answered 201 before that is durable")
        if answer.status == 202 and not self.database.look(ACCEPTED, UUID(body["id"])):
            self.broken(f"{path} {body['id']} is acknowledged before that is durable")

    # --- the end --------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Close every coroutine in order, those of killed processes too."""
        self.over = True
        for process in self._stops:
            process.alive = True

        async def close() -> None:
            for task in [one for one in asyncio.all_tasks(self.loop) if one is not asyncio.current_task()]:
                task.cancel()
            await asyncio.sleep(0)

        self.loop.revive()
        for _ in range(20):
            others = asyncio.all_tasks(self.loop)
            if not others:
                break
            try:
                self.loop.run_until_complete(close())
                self.loop.run_until_complete(asyncio.wait_for(asyncio.wait(others), 100))
            except (NothingLeftError, TimeoutError):
                continue
        self.loop.close()


async def _asgi(app: Interface, by: str, path: str, body: dict[str, Any]) -> Answer:
    """Let an ASGI application answer one POST, as the server would."""
    token = base64.b64encode(f"{by}:{PASSWORD}".encode())
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": BASE + path, "raw_path": (BASE + path).encode(), "query_string": b"", "root_path": "",
        "headers": [(b"content-type", b"application/json"), (b"authorization", b"Basic " + token)],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8080), "state": {}, PEER: Peer(ip_address("127.0.0.1")),
    }  # fmt: skip
    messages: Iterator[dict[str, Any]] = iter([{"type": "http.request", "body": msgspec.json.encode(body)}])
    status, chunks = 0, []

    async def receive() -> dict[str, Any]:
        if (message := next(messages, None)) is None:
            return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]  # nobody hangs up
        return message

    async def send(message: Mapping[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            chunks.append(message.get("body", b""))

    await app(scope, receive, send)
    content = b"".join(chunks)
    return Answer(status, msgspec.json.decode(content) if content else {})
