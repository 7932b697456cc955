"""The cost model: what a sale takes, as measured, and what so many a second would take; the page that tells it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import ceil
from typing import Final

from msgspec import Struct

from bench.costs import DATABASE
from bench.measurement import Memory
from bench.report import short

RATES: Final = (100, 1_000, 10_000)
BUSY: Final = 0.7  # of a core: what is left is for bursts, and for what a worker that ended leaves to the others
PROVIDER_S: Final = 0.5  # that a provider takes, for the calls that wait
DAY_S: Final = 86_400
MIB: Final = 2**20
WORKER, SENDER = "server", "worker"
PROCESSES: Final = {WORKER: "switch workers", SENDER: "worker (sender)", DATABASE: "PostgreSQL"}


class Disk(Struct, frozen=True):
    """Bytes of a table and its indexes for one sale.

    Attributes:
        written: as the load left them, with room that dead rows took and later ones get.
        compact: the same rows written anew by `VACUUM FULL`: a table of live rows alone.
    """

    written: float
    compact: float


class CapacityReport(Struct, frozen=True, kw_only=True):
    """What a sale that is confirmed took: sold, confirmed, and the confirmation delivered.

    Attributes:
        sales: how many, and `rate` of them a second.
        cpu_us: processor time of each process for one sale.
        wal_bytes: of log for one sale, page images included; `page_image_share`: at most so much of them.
        connections: to the database, of one process of each kind.
        in_flight_per_worker: calls to one provider that a switch worker may have waiting.
        memory: of the processes after the load.
    """

    sales: int
    rate: float
    cpu_us: dict[str, float]
    wal_bytes: float
    page_image_share: float
    disk: dict[str, Disk]
    connections: dict[str, int]
    in_flight_per_worker: int
    memory: dict[str, Memory]
    machine: dict[str, object]
    settings: dict[str, object]
    notes: list[str]


class Need(Struct, frozen=True):
    """What a rate asks for, by the figures of one report."""

    rate: int
    workers_by_cpu: int
    workers_by_calls: int
    senders: int
    database_cores: float
    connections: int
    calls_waiting: int
    wal_mib_s: float
    wal_gib_day: float
    disk_gib_day: float

    @property
    def workers(self) -> int:
        """Switch workers: enough for the work, and for the calls that wait."""
        return max(self.workers_by_cpu, self.workers_by_calls)


def need_of(report: CapacityReport, rate: int) -> Need:
    """Multiply. Nothing here knows of locks, networks and other things that do not grow in proportion."""

    def cores(process: str) -> float:
        return rate * report.cpu_us[process] / 1e6 / BUSY

    calls = ceil(rate * PROVIDER_S)
    workers = ceil(cores(WORKER))
    by_calls = ceil(calls / (report.in_flight_per_worker * BUSY))
    senders = ceil(cores(SENDER))
    return Need(
        rate=rate,
        workers_by_cpu=workers,
        workers_by_calls=by_calls,
        senders=senders,
        database_cores=round(cores(DATABASE), 1),
        connections=max(workers, by_calls) * report.connections[WORKER] + senders * report.connections[SENDER],
        calls_waiting=calls,
        wal_mib_s=rate * report.wal_bytes / MIB,
        wal_gib_day=rate * report.wal_bytes * DAY_S / MIB / 1024,
        disk_gib_day=rate * sum(disk.compact for disk in report.disk.values()) * DAY_S / MIB / 1024,
    )


_HEAD: Final = """\
# Capacity

What a sale costs and what many a second would need. Made by `.venv/bin/python -m bench.capacity --page` on {day},
with every figure of its tables; do not change it by hand.

Measured: {sales} sales of the sandbox, each confirmed by its till and the confirmation delivered, {rate} a second
with {workers} worker and {connections} connections, on {cores} cores ({cpu}), Python {python}. Load generator,
simulator and database shared these cores.
"""

_READING: Final = """\
*As written* is what the load left: rows that were changed leave room behind, which vacuum gives to later ones.
*Live* is the same rows written anew (`VACUUM FULL`). A journal in use lies between the two. Messages (`leg`)
go after `trace_days`, closed requests into the archive after `closed_days`:
[Retention](../operations/retention.md#how-much-there-is-of-it) has the figures of 10 million requests. The log is
that of a young journal between two checkpoints. With 10 million requests a sale touches pages that nobody touched
since the last one, and each goes into the log as a whole: 13 to 19 KB more were measured there.
"""

_PROJECTION: Final = """\
Multiplied from the tables above, with every process {busy:.0%} busy and a provider that takes {provider_ms:.0f} ms:
*calls waiting* is the rate times that, and a worker may have `provider_in_flight_max` ({in_flight}) of them to one
provider. Disk and log are those of such a rate all day and night; a peak hour is not a day.
"""

_LIMITS: Final = """\
## What the projection does not know

* **Only what was measured is measured**: {rate} sales a second on {cores} cores. Everything above that is
  arithmetic. Nobody has run 10,000 a second here.
* Processor time per sale differs with the load. Workers that are not busy share commits with fewer others and take
  more for each sale; more workers write more and smaller batches, so the database takes more: `.venv/bin/python -m
  bench.scaling` tells both.
* The database stood on the same machine. What a network between costs was not measured; its time is in both commits.
* One PostgreSQL writes one log: what its disk takes a second, and how long it takes to make it durable, bound the
  rate however many cores there are. The log above is without the page images of a journal with millions of requests.
* Other providers than the sandbox cost the switch more: `make bench-providers`.
* A sender works on lanes, 16 for each provider: more senders than that bring nothing to one provider.

## How to repeat it

| Figures | Command |
|---|---|
| all of this page | `.venv/bin/python -m bench.capacity --page` |
| sales a second and latencies: [Performance](performance.md) | `make bench BENCH_ARGS="--page"` |
| delivering queued advices | `.venv/bin/python -m bench.saf` |
| log and indexes with millions of requests | `.venv/bin/python -m bench.depth` |
| more workers | `.venv/bin/python -m bench.scaling` |
"""


def page_of(report: CapacityReport, now: datetime) -> str:
    """Return the page, Markdown."""
    facts, settings = report.machine, report.settings
    needs = [need_of(report, rate) for rate in RATES]
    head = _HEAD.format(
        day=f"{now:%Y-%m-%d}",
        sales=f"{report.sales:,}",
        rate=f"{report.rate:,.0f}",
        workers=settings["workers"],
        connections=settings["connections"],
        cores=facts["cores"],
        cpu=facts["cpu"],
        python=facts["python"],
    )
    parts = [head, *(f"Note: {note}.\n" for note in report.notes)]
    parts += [
        "## What a sale takes\n",
        _costs(report),
        "## What a million sales leave on disk\n",
        _disk(report),
        _READING,
    ]
    parts += ["## What so many a second need\n", _needs(needs)]
    parts.append(_PROJECTION.format(busy=BUSY, provider_ms=PROVIDER_S * 1000, in_flight=report.in_flight_per_worker))
    parts.append(_LIMITS.format(rate=f"{report.rate:,.0f}", cores=facts["cores"]))
    return "\n".join(parts)


def _costs(report: CapacityReport) -> str:
    rows = [
        (
            title,
            f"{report.cpu_us[process]:,.0f}",
            f"{report.cpu_us[process] / 3600:,.2f}",
            short(_mib(report.memory[process])),
            str(report.connections.get(process, "")),
        )
        for process, title in PROCESSES.items()
    ]
    return _table(("", "CPU µs a sale", "core hours a million", "MiB", "database connections of one process"), rows)


def _disk(report: CapacityReport) -> str:
    rows = [(f"`{name}`", _gib(disk.written), _gib(disk.compact)) for name, disk in report.disk.items()]
    rows.append(
        (
            "all of it",
            _gib(sum(disk.written for disk in report.disk.values())),
            _gib(sum(disk.compact for disk in report.disk.values())),
        )
    )
    rows.append(("log (WAL)", _gib(report.wal_bytes), f"at most {report.page_image_share:.0%} of it page images"))
    return _table(("with its indexes", "GiB as written", "GiB live"), rows)


def _needs(needs: Sequence[Need]) -> str:
    lines: Mapping[str, Sequence[str]] = {
        "switch workers, a core each": [f"{one.workers:,}" for one in needs],
        "of these for the work": [f"{one.workers_by_cpu:,}" for one in needs],
        "of these for calls waiting": [f"{one.workers_by_calls:,}" for one in needs],
        "senders": [f"{one.senders:,}" for one in needs],
        "cores of PostgreSQL": [f"{one.database_cores:,.1f}" for one in needs],
        "connections to PostgreSQL": [f"{one.connections:,}" for one in needs],
        "calls waiting": [f"{one.calls_waiting:,}" for one in needs],
        "log, MiB a second": [short(one.wal_mib_s) for one in needs],
        "log, GiB a day": [short(one.wal_gib_day) for one in needs],
        "live rows, GiB a day": [short(one.disk_gib_day) for one in needs],
    }
    return _table(
        ("sales a second", *(f"{one.rate:,}" for one in needs)), [(name, *cells) for name, cells in lines.items()]
    )


def _mib(memory: Memory) -> float:
    return memory.pss if memory.pss is not None else memory.rss


def _gib(bytes_each: float) -> str:
    """A million of them in GiB."""
    return f"{bytes_each * 1e6 / 2**30:,.2f}"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---", *("--:" for _ in head[1:])), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
