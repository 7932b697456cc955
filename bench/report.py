"""Medians, spreads and ratios; the table for people and the JSON for comparisons."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from msgspec import Struct
from rich.box import SIMPLE_HEAD
from rich.table import Table

from bench.measurement import Measurement, Memory

RATIOS = (("a", "b"), ("a", "c"), ("a", "d"))


class Spread(Struct):
    """One figure over the rounds."""

    median: float
    min: float
    max: float
    rounds: list[float]

    @property
    def percent(self) -> float:
        """How far apart the rounds are, in percent of the median."""
        return (self.max - self.min) / self.median * 100 if self.median else 0.0


class Latencies(Struct):
    """Of one kind of message: medians of the rounds' percentiles, and how many were answered in all."""

    answers: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


class Figures(Struct):
    """One turn over all rounds. Latencies are medians of the rounds' percentiles.

    Attributes:
        provisions_per_second: or cycles, where a scenario is more than a provision.
        messages_per_second: answers, also where a cycle has several; None: as many as cycles.
        cpu_us: CPU per message of everybody who took part, by what they are: median of the rounds.
        memory: what they held after the last round.
        errors: a run with one has ended before.
        operations: the messages of a cycle by what was asked, where there are several kinds.
    """

    title: str
    provisions_per_second: Spread
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    provisions: int
    generator_cpu_us: float | None
    cpu_us: dict[str, float]
    memory: dict[str, Memory]
    messages_per_second: Spread | None = None
    errors: int = 0
    operations: dict[str, Latencies] = {}


class Target(Struct):
    """One of them.

    Attributes:
        seen: the median of the rounds counts: rounds compare turns that followed each other.
        at_least, at_most: the limit, one of both.
    """

    name: str
    seen: Spread
    at_least: float | None = None
    at_most: float | None = None

    @property
    def holds(self) -> bool:
        """Whether it is reached."""
        return (self.at_least is None or self.seen.median >= self.at_least) and (
            self.at_most is None or self.seen.median <= self.at_most
        )

    @property
    def limit(self) -> str:
        """The limit in words."""
        return f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"


class Report(Struct):
    """What a run leaves behind."""

    ratios: dict[str, float]
    ratios_by_round: dict[str, list[float]]
    figures: dict[str, Figures]
    machine: dict[str, object]
    settings: dict[str, object]
    notes: list[str]
    targets: list[Target] = []


def figures_of(title: str, rounds: Sequence[Measurement]) -> Figures:
    """Sum one contender's rounds up."""

    def middle(value: Callable[[Measurement], float]) -> float:
        return round(median(value(measured) for measured in rounds), 3)

    cpu = [measured.generator_cpu_us for measured in rounds if measured.generator_cpu_us is not None]
    return Figures(
        title=title,
        provisions_per_second=spread_of([measured.rate for measured in rounds]),
        p50_ms=middle(lambda measured: measured.p50_ms),
        p95_ms=middle(lambda measured: measured.p95_ms),
        p99_ms=middle(lambda measured: measured.p99_ms),
        max_ms=round(max(measured.max_ms for measured in rounds), 3),
        provisions=sum(measured.done for measured in rounds),
        generator_cpu_us=round(median(cpu), 1) if cpu else None,
        cpu_us={group: round(median(measured.cpu_us[group] for measured in rounds), 1) for group in rounds[-1].cpu_us},
        memory=rounds[-1].memory,
        messages_per_second=(
            spread_of([measured.messages / measured.seconds for measured in rounds]) if rounds[-1].messages else None
        ),
        errors=sum(sum(measured.errors.values()) for measured in rounds),
        operations=_operations_of(rounds),
    )


def _operations_of(rounds: Sequence[Measurement]) -> dict[str, Latencies]:
    """Those that every round has in its measured time: what was done before it, to prepare, is none of the cycle's."""
    found = {}
    for name in rounds[-1].operations:
        each = [measured.operations[name] for measured in rounds if name in measured.operations]
        if len(each) == len(rounds) and all(one.measured for one in each):
            found[name] = Latencies(
                answers=sum(one.in_all for one in each),
                p50_ms=round(median(one.p50_ms for one in each), 3),
                p95_ms=round(median(one.p95_ms for one in each), 3),
                p99_ms=round(median(one.p99_ms for one in each), 3),
            )
    return found


def spread_of(values: Sequence[float], digits: int = 1) -> Spread:
    """Sum one figure up, with so many decimals."""
    rounded = [round(value, digits) for value in values]
    return Spread(median=round(median(values), digits), min=min(rounded), max=max(rounded), rounds=rounded)


def ratios_of(figures: Mapping[str, Figures]) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Return the ratios of the medians, and those of each round: neighbours in time share the machine's moods."""
    of_medians, by_round = {}, {}
    for above, below in RATIOS:
        if above in figures and below in figures:
            upper, lower = figures[above].provisions_per_second, figures[below].provisions_per_second
            name = f"{above}/{below}"
            of_medians[name] = ratio(upper.median, lower.median)
            by_round[name] = [ratio(one, other) for one, other in zip(upper.rounds, lower.rounds, strict=True)]
    return of_medians, by_round


def table_of(report: Report) -> Table:
    """Lay the report out."""
    rounds = max((len(figures.provisions_per_second.rounds) for figures in report.figures.values()), default=0)
    title = f"Durable provisions, medians of {rounds} round{'' if rounds == 1 else 's'}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    for heading in ("per second", "spread", "p50 ms", "p95 ms", "p99 ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    for key, figures in report.figures.items():
        rate = figures.provisions_per_second
        table.add_row(
            f"{key}  {figures.title}",
            f"{rate.median:,.0f}",
            f"{rate.percent:.0f} %",
            short(figures.p50_ms),
            short(figures.p95_ms),
            short(figures.p99_ms),
        )
    if report.ratios:
        table.add_section()
    for name, ratio in report.ratios.items():
        by_round = report.ratios_by_round[name]
        table.add_row(name, f"{ratio:.2f}", f"{short(min(by_round))}-{short(max(by_round))}")
    return table


def costs_of(report: Report) -> Table:
    """Lay out who took how much CPU for a provision, and the memory of a round's end."""
    groups = list(dict.fromkeys(group for figures in report.figures.values() for group in figures.cpu_us))
    table = Table(title="CPU µs per provision", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.padding = (0, 1, 0, 0)
    table.add_column("", no_wrap=True)
    for heading in (*groups, "all"):
        table.add_column(heading, justify="right", no_wrap=True)
    for key, figures in report.figures.items():
        cpu = [figures.cpu_us.get(group) for group in groups]
        total = sum(one for one in cpu if one is not None)
        table.add_row(key, *("" if one is None else f"{one:,.0f}" for one in cpu), f"{total:,.0f}")
    table.add_section()
    for key, figures in report.figures.items():
        if "@" in key or not figures.memory:
            continue
        held = (figures.memory.get(group) for group in groups)
        table.add_row(f"{key}  MiB", *("" if one is None else _mib(one) for one in held))
    return table


def _mib(memory: Memory) -> str:
    """PSS, which can be summed up, or RSS marked as such."""
    return f"{memory.pss:,.0f}" if memory.pss is not None else f"{memory.rss:,.0f} RSS"


def short(value: float) -> str:
    """Write a figure with as many decimals as its size deserves."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def ratio(above: float, below: float) -> float:
    """Divide one figure by another."""
    return round(above / below, 3) if below else 0.0
