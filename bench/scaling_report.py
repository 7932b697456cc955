"""What more workers bring: figures, ratios, what the machine had left, limits."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

from msgspec import Struct
from rich.box import SIMPLE_HEAD
from rich.table import Table

from bench.measurement import Measurement
from bench.report import Spread, short, spread_of

ONE_TO_TWO_MIN: Final = 1.6
MORE_THAN_CORES_MIN: Final = 0.95


class Case(Struct, frozen=True, kw_only=True):
    """One kind of load.

    Attributes:
        provider_ms: what the provider takes for an answer.
        connections: of the generator, for each worker or in all.
    """

    key: str
    title: str
    provider_ms: int
    connections: int
    for_each_worker: bool

    def connections_of(self, workers: int) -> int:
        """How many the generator opens to so many workers."""
        return self.connections * workers if self.for_each_worker else self.connections


# Well below `provider_in_flight_max`: the kernel spreads connections by chance, and one too many is a 503.
WAITS: Final = Case(
    key="waits",
    title="the provider takes 500 ms; 160 connections for each worker",
    provider_ms=500,
    connections=160,
    for_each_worker=True,
)
CORES: Final = Case(
    key="cores",
    title="the provider takes 50 ms; 256 connections in all",
    provider_ms=50,
    connections=256,
    for_each_worker=False,
)
CASES: Final = (WAITS, CORES)


class Round(Struct, frozen=True):
    """One measurement, and which share of the workers' processor time the busiest of them took."""

    measured: Measurement
    busiest: float


class Figures(Struct, frozen=True):
    """So many workers under one load, over all rounds: medians.

    Attributes:
        over_one: provisions per second, in times those of one worker in the same round.
        cpu_us: processor time per provision by process.
        busy: the same in cores.
        busiest: share of the workers' processor time that the busiest of them took.
        workers_mib: memory of all workers.
    """

    provisions_per_second: Spread
    over_one: Spread
    p50_ms: float
    p99_ms: float
    cpu_us: dict[str, float]
    busy: dict[str, float]
    busiest: float
    workers_mib: float

    @property
    def busy_in_all(self) -> float:
        """Cores in use by all that take part."""
        return sum(self.busy.values())


class ScalingReport(Struct, frozen=True):
    """What a run leaves behind: figures by case, then by the number of workers, as text for JSON's sake."""

    figures: dict[str, dict[str, Figures]]
    cores: int
    machine: dict[str, object]
    settings: dict[str, object]
    notes: list[str]

    @property
    def more_than_cores(self) -> float | None:
        """Provisions per second with more workers than cores, in times those with a worker for each core."""
        by_workers = self.figures[CORES.key]
        most = max(map(int, by_workers))
        if str(self.cores) not in by_workers or most <= self.cores:
            return None
        above, below = (by_workers[str(number)].provisions_per_second.rounds for number in (most, self.cores))
        return round(median([one / other for one, other in zip(above, below, strict=True)]), 3)

    @property
    def missed(self) -> list[str]:
        """What is not kept, a sentence each."""
        found = []
        two = self.figures[WAITS.key].get("2")
        if two is not None and two.over_one.median < ONE_TO_TWO_MIN:
            found.append(
                f"two workers serve {two.over_one.median:.2f} times what one does while {WAITS.title}, and "
                f"{ONE_TO_TWO_MIN:g} is the least"
            )
        more = self.more_than_cores
        if more is not None and more < MORE_THAN_CORES_MIN:
            found.append(
                f"more workers than cores serve {more:.2f} of what a worker for each core does, and "
                f"{MORE_THAN_CORES_MIN:g} is the least"
            )
        return found


def figures_of(rounds: Sequence[Round], one_worker: Sequence[Round]) -> Figures:
    """Sum the rounds of one number of workers up."""
    measured = [one.measured for one in rounds]
    groups = measured[-1].cpu_us
    return Figures(
        provisions_per_second=spread_of([one.rate for one in measured]),
        over_one=spread_of(
            [one.rate / single.measured.rate for one, single in zip(measured, one_worker, strict=True)], digits=3
        ),
        p50_ms=round(median(one.p50_ms for one in measured), 2),
        p99_ms=round(median(one.p99_ms for one in measured), 2),
        cpu_us={name: round(median(one.cpu_us[name] for one in measured), 1) for name in groups},
        busy={name: round(median(one.cpu_us[name] * one.rate / 1e6 for one in measured), 3) for name in groups},
        busiest=round(median(one.busiest for one in rounds), 3),
        workers_mib=(memory := measured[-1].memory["server"]).pss or memory.rss,
    )


def tables_of(report: ScalingReport) -> list[Table]:
    """Lay the report out, a table for each case."""
    return [_table(case, report.figures[case.key], report.cores) for case in CASES]


def _table(case: Case, by_workers: Mapping[str, Figures], cores: int) -> Table:
    title = f"{case.title[0].upper()}{case.title[1:]}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    headings = ("workers", "per s", "spread", "over 1", "p50 ms", "p99 ms", "busiest", "CPU µs", f"of {cores}", "MiB")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for workers, one in by_workers.items():
        table.add_row(
            workers,
            f"{one.provisions_per_second.median:,.0f}",
            f"{one.provisions_per_second.percent:.0f} %",
            f"{one.over_one.median:.2f}",
            short(one.p50_ms),
            short(one.p99_ms),
            f"{one.busiest:.0%}",
            f"{one.cpu_us['server']:,.0f}",
            f"{one.busy_in_all:.2f}",
            f"{one.workers_mib:,.0f}",
        )
    return table
