"""Two databases on one embedded server, one of them filled; a switch on each; the same load on both in turns."""

import asyncio
import secrets
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

import asyncpg
from msgspec import Struct

from bench import machine
from bench.answers import answer_of
from bench.books import Books
from bench.children import free_ports
from bench.contenders import COMMAND
from bench.database import require_durable, with_database
from bench.depth_fill import fill
from bench.depth_writes import Log, Writes, writes_of
from bench.errors import BenchError
from bench.generator import put_own_load
from bench.measurement import Measurement
from bench.processes import cpu_s, descendants, postmaster_pid
from bench.progress import Display
from bench.rounds import temporary_folder
from bench.switch import PENDING, Switch
from voucherswitch.journal.embedded import EmbeddedPostgres

EMPTY, FULL = "depth_empty", "depth_full"
PORTS: Final = 130


class DepthPlan(Struct, frozen=True):
    """What is measured, how often and how long."""

    rows: int
    rounds: int
    seconds: float
    warmup: float
    connections: int
    folder: Path | None = None
    keep: bool = False
    command: Path = COMMAND

    @property
    def measured_s(self) -> float:
        """Seconds of load that the plan asks for."""
        return self.rounds * 2 * (self.warmup + self.seconds)


class DepthFigures(Struct):
    """The rounds of one of the two, in order; `p99_ms` and `cpu_us` are the medians of theirs.

    `cpu_us`: processor time of the switch and of the database per provision. Other work on the machine hardly moves it.
    """

    rates: list[float]
    median: float
    p99_ms: float
    cpu_us: float
    writes: Writes


class DepthReport(Struct):
    """`ratio` is the median of `ratios`, which compare rounds that followed each other.

    `cpu_ratio`: the processor time of a provision with an empty journal, in times that with a full one.
    """

    rows: int
    size_bytes: int
    fill_s: float
    ratio: float
    ratios: list[float]
    cpu_ratio: float
    empty: DepthFigures
    full: DepthFigures
    machine: dict[str, object]
    settings: dict[str, object]
    notes: list[str]


def measure_depth(plan: DepthPlan, display: Display) -> DepthReport:
    """Carry a plan out."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder(plan.folder, keep=plan.keep))
        facts = machine.describe(folder)
        notes = machine.warnings(facts)
        display.say("starting the database")
        server = stack.enter_context(EmbeddedPostgres(folder / "server"))
        base = free_ports(2 * PORTS)
        sides = {
            name: _make(plan, folder, server.url, name, base + number * PORTS)
            for number, name in enumerate((EMPTY, FULL))
        }
        for name, switch in sides.items():  # its first start makes the schema, and a sale gives the rows their sizes
            display.say(f"starting voucherswitch: {name}")
            stack.callback(switch.stop)
            switch.start()
            answer_of(switch.url, switch.password, name)
            switch.stop()
        postgres = sides[FULL].database.settings()
        require_durable(postgres)
        began = time.monotonic()
        asyncio.run(fill(sides[FULL].database.url, plan.rows, display.say))
        fill_s = time.monotonic() - began
        for switch in sides.values():
            switch.start()

        measured: dict[str, list[Measurement]] = {EMPTY: [], FULL: []}
        logs: dict[str, list[tuple[Log, Log, int]]] = {EMPTY: [], FULL: []}
        for number in range(1, plan.rounds + 1):
            # Each begins every other round, so that what one leaves in the caches helps neither.
            for name in (EMPTY, FULL) if number % 2 else (FULL, EMPTY):
                display.say(f"round {number} of {plan.rounds}: {name}")
                before = Log.of(sides[name].database)
                measured[name].append(
                    _round(sides[name], postmaster_pid(folder / "server"), plan, name, number, display)
                )
                logs[name].append((before, Log.of(sides[name].database), measured[name][-1].done_in_all))
                display.finished(plan.warmup + plan.seconds)
        empty, full = (_figures(measured[name], writes_of(sides[name].database, logs[name])) for name in (EMPTY, FULL))
        size = sides[FULL].database.number("SELECT pg_database_size(current_database())")
        display.say("stopping")
    pairs = zip(measured[EMPTY], measured[FULL], strict=True)
    ratios = [filled.rate / bare.rate for bare, filled in pairs]
    return DepthReport(
        rows=plan.rows,
        size_bytes=size,
        fill_s=fill_s,
        ratio=median(ratios),
        ratios=ratios,
        cpu_ratio=empty.cpu_us / full.cpu_us,
        empty=empty,
        full=full,
        machine=facts,
        settings={
            "rounds": plan.rounds,
            "seconds": plan.seconds,
            "warmup": plan.warmup,
            "connections": plan.connections,
            "workers": 1,
            "postgres": postgres,
        },
        notes=notes,
    )


def _make(plan: DepthPlan, folder: Path, url: str, name: str, port: int) -> Switch:
    asyncio.run(_create(url, name))
    own = folder / name
    own.mkdir()
    return Switch(
        plan.command,
        own,
        password=secrets.token_hex(16),
        port=port,
        console_port=port + 1,
        simulator_port_base=port + 3,
        workers=1,
        database_url=with_database(url, name),
        settings={"worker_metrics_port": port + 2, "tls_port": port + PORTS - 1},
    )


def _round(switch: Switch, database_pid: int, plan: DepthPlan, name: str, number: int, display: Display) -> Measurement:
    """Run one round, then compare what was answered with what the journal has of it.

    No checkpoint before it: the first change of a page after one is logged whole, and random keys touch as many pages
    as there are sales. Between the server's own, a quarter of an hour apart, that evens out; in 10 s it would not.
    """
    since = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f+00}"
    approved = f"SELECT count(*) FROM transaction WHERE opened_at >= '{since}' AND kind = 1 AND state IN (2, 5)"
    books = Books(switch.database, approved=approved, pending=PENDING, sandbox=None)
    books.open()
    processes = [switch.worker_pid(), database_pid, *descendants(database_pid)]
    before_s = {pid: cpu_s(pid) for pid in processes}
    one = put_own_load(
        switch.url,
        password=switch.password,
        connections=plan.connections,
        seconds=plan.seconds,
        warmup=plan.warmup,
        tick=display.tick,
    )
    switch.must_run()
    if one.errors or not one.done:
        what = f"{one.errors}, the first: {one.first_error}" if one.errors else "no provision was finished"
        raise BenchError(f"{name}, round {number}: {what}")
    used_s = sum(cpu_s(pid) - before_s[pid] for pid in before_s.keys() & set(_living(processes)))
    books.close(one, display.tick)
    one.server_cpu_us = used_s * 1e6 / one.done_in_all
    return one


def _living(processes: list[int]) -> list[int]:
    """Those that have not ended: the database's helpers come and go."""
    return [pid for pid in processes if Path(f"/proc/{pid}").exists()]


def _figures(measured: list[Measurement], writes: Writes) -> DepthFigures:
    rates = [one.rate for one in measured]
    return DepthFigures(
        rates=rates,
        median=median(rates),
        p99_ms=median(one.p99_ms for one in measured),
        cpu_us=median(one.server_cpu_us or 0.0 for one in measured),
        writes=writes,
    )


async def _create(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
