"""The two runs of `bench.saf`, each with its books compared afterwards: journal, trace and the provider's own."""

import asyncio
import json
import socket
import time
from base64 import b64encode
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.error import URLError
from urllib.request import Request, urlopen
from uuid import UUID, uuid4

import asyncpg
from msgspec import Struct

from bench import machine
from bench.answers import answer_of
from bench.contenders import COMMAND
from bench.database import require_durable
from bench.errors import BenchError
from bench.processes import postmaster_pid, tree_cpu_s
from bench.progress import Display
from bench.provision import ORIGINATOR
from bench.rounds import temporary_folder
from bench.saf_fill import add_providers_like, queue_confirmations, queue_for_others, sell
from bench.switch import Switch, switch_apart
from voucherswitch.cli.serving import SIMULATOR_PORT_BASE
from voucherswitch.providers import registry

CONTROL_ABOVE: Final = 100  # a simulator's control port above its own
DRAIN_S: Final = 600.0  # given up after
DELIVERED_S: Final = 60.0
LOOK_S: Final = 0.25
DOWN: Final = 9
PROVIDER: Final = "sandbox"
SILENT_BACKLOG: Final = 4_096  # connections that are made and never heard

STEP_SELL: Final = 1 / 5_000  # seconds that one takes, roughly: for the progress bar
STEP_DRAIN: Final = 1 / 3_000
STEP_STANDING: Final = 1 / 15_000
STEP_SALE: Final = 0.3
SETTLE_S: Final = 5.0  # the standing queues' first attempts, before anything is measured


class SafPlan(Struct, frozen=True):
    """What is queued and sold."""

    advices: int
    standing: int
    sales: int
    folder: Path | None = None
    keep: bool = False

    @property
    def steps(self) -> float:
        """Seconds that the plan takes, roughly."""
        waits = self.standing * STEP_STANDING + self.sales * STEP_SALE + SETTLE_S if self.standing else 0
        return self.advices * (STEP_SELL + STEP_DRAIN) + waits


class Drain(Struct, frozen=True):
    """A queue that was emptied: `seconds` from its becoming visible to the last result in the journal."""

    advices: int
    seconds: float
    rate: float
    cpu_us: dict[str, float]


class Waits(Struct, frozen=True):
    """From the acceptance of an advice to its delivery, while others' queues stand.

    `busy`: processor time of each process in that time, in seconds a second.
    """

    standing: int
    down: list[str]
    p50_ms: float
    max_ms: float
    all_ms: list[float]
    attempts: int
    busy: dict[str, float]


class SafReport(Struct, frozen=True):
    """The whole run. `waits` is None where no standing queue was asked for."""

    drain: Drain
    waits: Waits | None
    machine: dict[str, object]
    settings: dict[str, object]
    notes: list[str]


def measure_saf(plan: SafPlan, display: Display) -> SafReport:
    """Carry a plan out."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder(plan.folder, keep=plan.keep))
        facts = machine.describe(folder)
        display.say("starting voucherswitch")
        switch = switch_apart(COMMAND, folder)
        stack.callback(switch.stop)
        switch.start()
        postgres = switch.database.settings()
        require_durable(postgres)
        stand = _Stand(switch, folder / "data", plan, display)
        drain = stand.drain()
        waits = stand.waits(stack) if plan.standing else None
        display.say("stopping")
    return SafReport(
        drain=drain,
        waits=waits,
        machine=facts,
        settings={"postgres": postgres, "workers": 1},
        notes=machine.warnings(facts),
    )


class _Stand:
    """The running switch and what is asked of it."""

    def __init__(self, switch: Switch, data_dir: Path, plan: SafPlan, display: Display) -> None:
        self._switch = switch
        self._url = switch.database.url
        self._data_dir = data_dir
        self._plan = plan
        self._display = display
        self._processes = {
            "sender": switch.process("worker"),
            "PostgreSQL": postmaster_pid(data_dir),
            "simulator": switch.process("simulators"),
        }
        self._sample = self._sale()

    def drain(self) -> Drain:
        """Queue confirmations of real sales, wait until all are delivered, and compare the books."""
        number, display = self._plan.advices, self._display
        display.say("selling at the provider")
        ids = asyncio.run(sell(self._switch.sandbox.url, number, lambda _: display.tick()))
        display.finished(number * STEP_SELL)
        display.say("queueing")
        self._switch.database.checkpoint()
        began = asyncio.run(queue_confirmations(self._url, self._data_dir, self._sample, ids))
        filled = self._cpu_s()  # the filling is the database's work too, and not what is measured
        display.say("delivering")
        give_up = time.monotonic() + DRAIN_S
        queued = f"SELECT count(*) FROM advice WHERE state = 1 AND provider_id = '{PROVIDER}'"
        while left := self._switch.database.number(queued):
            if time.monotonic() >= give_up:
                raise BenchError(f"{left:,} of {number:,} advices were not delivered within {DRAIN_S:.0f} s")
            self._switch.must_run()
            display.tick()
            time.sleep(LOOK_S)
        used = self._cpu_s()
        display.finished(number * STEP_DRAIN)
        ended = self._delivered(number)
        seconds = (ended - began).total_seconds()
        return Drain(
            advices=number,
            seconds=seconds,
            rate=number / seconds,
            cpu_us={name: (used[name] - filled[name]) * 1e6 / number for name in used},
        )

    def waits(self, stack: ExitStack) -> Waits:
        """Confirm sales one by one while the queues of the providers that are down stand."""
        plan, display = self._plan, self._display
        down = self._take_down(stack)
        each = plan.standing // len(down)
        began = time.monotonic()
        asyncio.run(queue_for_others(self._url, self._sample, down, each, display.say))
        display.finished(plan.standing * STEP_STANDING)
        display.say(f"{len(down)} providers are down (queued in {time.monotonic() - began:.0f} s)")
        time.sleep(SETTLE_S)
        display.finished(SETTLE_S)
        before, since = self._cpu_s(), time.monotonic()
        waits_ms = []
        for number in range(1, plan.sales + 1):
            display.say(f"confirmation {number} of {plan.sales}")
            waits_ms.append(self._confirmed(self._sale()))
            display.finished(STEP_SALE)
        used, seconds = self._cpu_s(), time.monotonic() - since
        attempts = self._switch.database.number("SELECT coalesce(sum(attempts), 0)::bigint FROM advice WHERE state = 1")
        standing = self._switch.database.number("SELECT count(*) FROM advice WHERE state = 1")
        if standing < each * len(down):
            raise BenchError(f"{each * len(down) - standing} advices of providers that are down count as delivered")
        return Waits(
            standing=standing,
            down=down,
            p50_ms=median(waits_ms),
            max_ms=max(waits_ms),
            all_ms=waits_ms,
            attempts=attempts,
            busy={name: (used[name] - before[name]) / seconds for name in used},
        )

    def _take_down(self, stack: ExitStack) -> list[str]:
        """Add providers that speak as the sandbox does, at addresses where nobody answers, or nobody is."""
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=SILENT_BACKLOG))
        addresses = (f"http://127.0.0.1:{silent.getsockname()[1]}", "http://127.0.0.1:9")
        names = [f"down{number}" for number in range(1, DOWN + 1)]
        where = {name: addresses[number % len(addresses)] for number, name in enumerate(names)}
        asyncio.run(add_providers_like(self._url, self._data_dir, PROVIDER, where))
        return names

    def _sale(self) -> UUID:
        return answer_of(self._switch.url, self._switch.password, "voucherswitch").request_id

    def _confirmed(self, sale: UUID) -> float:
        """Confirm a sale as its till would; return how long its provider waited for it, in milliseconds."""
        advice_id = uuid4()
        credentials = b64encode(f"{ORIGINATOR}:{self._switch.password}".encode()).decode()
        advice = {"id": str(advice_id), "requestId": str(sale), "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}"}
        _post(f"{self._switch.url}/suv/v1/vouchers/confirmations", advice, {"Authorization": f"Basic {credentials}"})
        return asyncio.run(self._waited_ms(advice_id))

    async def _waited_ms(self, advice_id: UUID) -> float:
        connection = await asyncpg.connect(self._url)
        try:
            give_up = time.monotonic() + DELIVERED_S
            while time.monotonic() < give_up:
                waited_ms: float | None = await connection.fetchval(
                    "SELECT (extract(epoch FROM finished_at - created_at) * 1000)::float8 FROM advice"
                    " WHERE advice_id = $1 AND state = 2",
                    advice_id,
                )
                if waited_ms is not None:
                    return waited_ms
                self._display.tick()
                await asyncio.sleep(LOOK_S)
        finally:
            await connection.close()
        raise BenchError(f"a confirmation was not delivered within {DELIVERED_S:.0f} s")

    def _delivered(self, number: int) -> datetime:
        """Return when the last was delivered, after a look into the books of all three."""
        delivered, traced, ended = asyncio.run(self._books())
        port = registry.simulator_port(PROVIDER) + CONTROL_ABOVE
        port += self._switch.simulator_port_base - SIMULATOR_PORT_BASE
        with urlopen(f"http://127.0.0.1:{port}/__sim/state", timeout=10) as answer:
            confirmed = json.load(answer)["byState"]["CONFIRMED"]
        if not delivered == traced == confirmed == number:
            raise BenchError(
                f"of {number:,} advices {delivered:,} are delivered, {traced:,} traced, {confirmed:,} at the provider"
            )
        return ended

    async def _books(self) -> tuple[int, int, datetime]:
        connection = await asyncpg.connect(self._url)
        try:
            row = await connection.fetchrow(
                "SELECT count(*) FILTER (WHERE state = 2 AND attempts = 1) AS delivered, max(finished_at) AS ended,"
                " (SELECT count(*) FROM leg WHERE operation = 'confirm') AS traced FROM advice"
            )
        finally:
            await connection.close()
        assert row is not None
        return row["delivered"], row["traced"], row["ended"]

    def _cpu_s(self) -> dict[str, float]:
        return {name: tree_cpu_s(pid) for name, pid in self._processes.items()}


def _post(url: str, body: dict[str, Any], headers: dict[str, str]) -> None:
    request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})
    try:
        urlopen(request, timeout=10).close()
    except (URLError, OSError) as error:
        raise BenchError(f"{url} did not take what was sent: {error}") from None
