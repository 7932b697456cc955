"""Run seeds: build a world, let its tills live, drain it, check it."""

import asyncio
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final, NoReturn
from unittest import mock

import structlog
from msgspec import Struct
from structlog.typing import EventDict, WrappedLogger

from simulation.checks import check
from simulation.clock import CURRENT, NothingLeftError, virtual_time
from simulation.database import Database, Pool, a_database
from simulation.providers import ScriptedConnector
from simulation.tills import Tills
from simulation.world import World, furnish
from voucherswitch import worker
from voucherswitch.config.settings import Settings
from voucherswitch.interface import app
from voucherswitch.journal.batcher import JournalError
from voucherswitch.providers.contract.connector import Connector

LIVELY_S: Final = 60  # after so long the network, the providers and the database behave, so that all can drain
DRAIN_S: Final = 200
STEPS_MAX: Final = 200_000  # far above any world: one that needs more runs in circles


# Duties of the worker that no message waits for; they read much, and have tests of their own.
HOUSEKEEPING: Final = frozenset({"keep_partitions", "watch_journal", "keep_archive"})
DUTIES: Final = tuple(duty for duty in worker.DUTIES if duty.__name__ not in HOUSEKEEPING)

ROUTES: Final = lru_cache(1)(app._routes)


class Result(Struct, frozen=True):
    """What one seed came to."""

    seed: int
    faults: list[str]
    events: list[str]
    steps: int

    def story(self) -> str:
        """The event log with what broke and how to see it again."""
        lines = [*self.events, "", *(f"BROKEN: {fault}" for fault in self.faults)]
        return "\n".join([*lines, f"again: .venv/bin/python -m simulation --first {self.seed} --seeds 1"])


class Simulation:
    """Runs worlds one after the other on one database."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database = database
        self._settings = settings

    def run(self, seed: int) -> Result:
        """Run one seed."""
        self.database.clear()
        world = World(seed, self.database, self._settings)
        tills = Tills(world)
        with ports(world), virtual_time(world.loop, seed):
            try:
                world.loop.run_until_complete(_live(world, tills))
                check(world, tills)
            except NothingLeftError:
                world.broken("everybody waits, and nothing will ever happen")
            finally:
                world.end()
        return Result(seed, world.faults, world.events, world.loop.steps)


async def _live(world: World, tills: Tills) -> None:
    draw = world.draw
    for _ in range(draw.choice((1, 2))):
        await world.start_switch()
    for _ in range(draw.choice((1, 1, 2))):
        world.start_worker()
    fate = asyncio.create_task(_disturb(world))
    stories = [asyncio.create_task(tills.story(number)) for number in range(draw.choice((1, 1, 2, 4)))]
    done, living = await asyncio.wait(stories, timeout=LIVELY_S)
    fate.cancel()
    world.heal()
    if living:
        done |= (await asyncio.wait(living, timeout=DRAIN_S))[0]
    for story in stories:
        if story not in done:
            world.broken("a till never comes to an end")
        elif (error := story.exception()) is not None:
            raise error
    for _ in range(DRAIN_S):
        if not world.owed():
            break
        await asyncio.sleep(1)


async def _disturb(world: World) -> None:
    """Kill and stop processes at any moment."""
    for _ in range(world.crashes):
        await asyncio.sleep(world.draw.uniform(0, 6))
        if victims := [*world.switches, *world.workers]:
            end = world.draw.choice((world.kill, world.stop))
            end(world.draw.choice(victims))


@contextmanager
def ports(world: World) -> Iterator[None]:
    """Put the world where the database, the providers and the log would be."""

    async def connect(_url: str, **_options: Any) -> Pool:
        return Pool(world)

    async def pending(_url: str) -> bool:
        return False

    def build(_connector: str, provider_id: str, _settings: object, *, sandbox: bool) -> Connector:
        return ScriptedConnector(world.providers[provider_id], world)

    def log(_logger: WrappedLogger, method: str, event: EventDict) -> NoReturn:
        _listen(world, method, event)
        raise structlog.DropEvent

    before = structlog.get_config()
    with ExitStack() as stack:
        for name, port in (
            ("voucherswitch.process.connect", connect),
            ("voucherswitch.process.pending", pending),
            ("voucherswitch.providers.pool.build", build),
            ("voucherswitch.worker.DUTIES", DUTIES),
            ("voucherswitch.interface.app._routes", ROUTES),  # the same of every process, and slow to make
            # Virtual time passes in jumps: an idle sender that looks four times a second would fill it with looking.
            ("voucherswitch.saf.sender.SAF_IDLE_POLL_MAX_MS", 2_000),
            ("voucherswitch.switch.resolver.RESOLVE_POLL_S", 3.0),
        ):
            stack.enter_context(mock.patch(name, port))
        structlog.configure(processors=[log], cache_logger_on_first_use=False)
        try:
            yield
        finally:
            structlog.configure(**before)


def _listen(world: World, method: str, event: EventDict) -> None:
    """Take down what the product logs; an error that nobody foresaw is a fault."""
    if world.over:
        return
    error = sys.exc_info()[1] if event.get("exc_info") is True else event.get("exc_info")
    what = ", ".join(f"{key} {value}" for key, value in event.items() if key != "exc_info")
    if method in ("error", "critical"):
        world.note(CURRENT.get(), f"log: {what} {error!r}" if error else f"log: {what}")
    if isinstance(error, BaseException) and not isinstance(error, JournalError):
        world.broken(f"logged: {what}: {''.join(traceback.format_exception(error))}")


@contextmanager
def a_simulation() -> Iterator[Simulation]:
    """A simulation with a database of its own."""
    with tempfile.TemporaryDirectory(prefix="vsw-sim-") as directory, a_database() as database:
        yield Simulation(database, furnish(database, Path(directory)))


def run_all(seeds: range, results: "Queue[Result]", enough: Event) -> None:
    """Run seeds in a process of their own until they are all done, or it is enough."""
    for number in (signal.SIGTERM, signal.SIGINT):  # they reach the whole group; the parent says when it is enough
        signal.signal(number, signal.SIG_IGN)
    with a_simulation() as simulation:
        for seed in seeds:
            if enough.is_set():
                return
            results.put(simulation.run(seed))
