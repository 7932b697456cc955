"""What a provision costs the switch by provider: figures, ratios to the sandbox, and which of them are too high."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

from msgspec import Struct
from rich.box import SIMPLE_HEAD
from rich.table import Table

from bench.measurement import Measurement
from bench.provider_requests import SANDBOX
from bench.report import Spread, short, spread_of

# How many times the CPU of a sandbox provision one of another provider may cost the switch.
CPU_RATIO_MAX: Final[Mapping[str, float]] = {
    "flash": 1.5,
    "bluvoucher": 2.0,  # AEON: a TCP connection and two messages for every voucher
}


class ProviderFigures(Struct):
    """One provider over all rounds.

    Attributes:
        cpu_us: CPU time of the switch per provision, in microseconds.
        cpu_ratio: the same in times of the sandbox's in the same round; its median is what the limit holds against.
        cpu_ratio_max: the limit, where there is one.
        worker_busy: share of a core that the switch used, 0 to 1 and a little more. Well below 1 it waited for its
            provider, commits had fewer companions, and a provision costs somewhat more than at full load.
    """

    cpu_us: Spread
    cpu_ratio: Spread
    cpu_ratio_max: float | None
    provisions_per_second: Spread
    worker_busy: float
    p50_ms: float
    p95_ms: float
    provisions: int


class ProviderReport(Struct):
    """What a run leaves behind. `cpu_ratios` are the medians, for comparisons."""

    cpu_ratios: dict[str, float]
    figures: dict[str, ProviderFigures]
    machine: dict[str, object]
    settings: dict[str, object]
    notes: list[str]


def report_of(
    measured: Mapping[str, Sequence[Measurement]],
    *,
    machine: dict[str, object],
    settings: dict[str, object],
    notes: list[str],
) -> ProviderReport:
    """Sum a run up; the sandbox must be in it."""
    figures = {name: figures_of(name, rounds, measured[SANDBOX]) for name, rounds in measured.items()}
    ratios = {name: of_one.cpu_ratio.median for name, of_one in figures.items() if name != SANDBOX}
    return ProviderReport(cpu_ratios=ratios, figures=figures, machine=machine, settings=settings, notes=notes)


def figures_of(name: str, rounds: Sequence[Measurement], sandbox: Sequence[Measurement]) -> ProviderFigures:
    """Sum one provider's rounds up. Ratios are by round: neighbours in time share the machine's moods."""
    ratios = [cpu_us(one) / cpu_us(base) for one, base in zip(rounds, sandbox, strict=True)]
    return ProviderFigures(
        cpu_us=spread_of([cpu_us(one) for one in rounds]),
        cpu_ratio=spread_of(ratios, digits=3),
        cpu_ratio_max=CPU_RATIO_MAX.get(name),
        provisions_per_second=spread_of([one.rate for one in rounds]),
        worker_busy=round(median(cpu_us(one) * one.rate / 1e6 for one in rounds), 2),
        p50_ms=round(median(one.p50_ms for one in rounds), 3),
        p95_ms=round(median(one.p95_ms for one in rounds), 3),
        provisions=sum(one.done for one in rounds),
    )


def cpu_us(measured: Measurement) -> float:
    """Return the CPU that the switch took per provision."""
    assert measured.server_cpu_us is not None
    return measured.server_cpu_us


def exceeded(report: ProviderReport) -> list[str]:
    """Name the providers that cost more than they may, a sentence each."""
    return [
        f"a provision of {name} costs the switch {figures.cpu_ratio.median:.2f} times the CPU of a sandbox provision, "
        f"and {figures.cpu_ratio_max} is the most it may"
        for name, figures in report.figures.items()
        if figures.cpu_ratio_max is not None and figures.cpu_ratio.median > figures.cpu_ratio_max
    ]


def table_of(report: ProviderReport) -> Table:
    """Lay the report out."""
    rounds = max((len(figures.cpu_us.rounds) for figures in report.figures.values()), default=0)
    title = f"What a provision costs the switch, medians of {rounds} round{'' if rounds == 1 else 's'}"
    # Two blanks between columns, not three: nine of them in 80 characters.
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for heading in ("CPU µs", "spread", "ratio", "by round", "limit", "per s", "p50 ms", "p95 ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, figures in report.figures.items():
        ratio, limit = figures.cpu_ratio, figures.cpu_ratio_max
        over = limit is not None and ratio.median > limit
        table.add_row(
            name,
            f"{figures.cpu_us.median:,.0f}",
            f"{figures.cpu_us.percent:.0f} %",
            f"[red]{ratio.median:.2f}[/]" if over else f"{ratio.median:.2f}",
            f"{short(ratio.min)}-{short(ratio.max)}",
            "" if limit is None else f"{limit:g}",
            f"{figures.provisions_per_second.median:,.0f}",
            short(figures.p50_ms),
            short(figures.p95_ms),
        )
    return table
