"""What a provision has to reach, and whether it does. Every target is a ratio, so it holds on a machine of any size."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.table import Table

from bench.errors import BenchError
from bench.measurement import Measurement
from bench.report import Spread, Target, short, spread_of

OVER_CONVENTIONAL: Final = 20.0
OVER_TWO_COMMITS: Final = 1.0
ALONE_MAX: Final = 2.5
TAIL_MAX: Final = 10.0

Rounds = Mapping[str, Sequence[Measurement]]


def targets_of(measured: Rounds) -> list[Target]:
    """Compare what was measured with every target; a run with an error has ended before, so errors are none."""
    peak, half = measured["a"], measured["a@half"]
    return [
        Target("a/b, provisions per second", _ratio(peak, measured["b"]), at_least=OVER_CONVENTIONAL),
        Target("a/c, provisions per second", _ratio(peak, measured["c"]), at_least=OVER_TWO_COMMITS),
        Target(
            "1 connection: p50 of a / (c + d)",
            _spread(
                a.p50_ms / (commits.p50_ms + echo.p50_ms)
                for a, commits, echo in zip(measured["a@1"], measured["c@1"], measured["d@1"], strict=True)
            ),
            at_most=ALONE_MAX,
        ),
        Target("half of peak: p99 / p50 of a", _spread(one.p99_ms / one.p50_ms for one in half), at_most=TAIL_MAX),
    ]


def require_kept_up(measured: Rounds) -> None:
    """Refuse latencies of a load that was not put on: half of the peak must be half of it.

    Raises:
        BenchError: the generator, or the switch, did not keep the pace.
    """
    share = median(one.rate / peak.rate for one, peak in zip(measured["a@half"], measured["a"], strict=True))
    if not 0.45 <= share <= 0.55:
        raise BenchError(f"half of the peak's load was asked for, and {share:.2f} of it was served")


def table_of(targets: Sequence[Target]) -> Table:
    """Lay them out."""
    table = Table(title="Targets, medians of the rounds", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    for heading in ("seen", "by round", "target", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for target in targets:
        seen = target.seen
        table.add_row(
            target.name,
            f"{seen.median:.2f}",
            f"{short(seen.min)}-{short(seen.max)}",
            target.limit,
            "holds" if target.holds else "[red]missed[/]",
        )
    return table


def missed(targets: Sequence[Target]) -> list[str]:
    """Name those that are not reached, a sentence each."""
    return [
        f"{target.name} is {target.seen.median:.2f}, and the target is {target.limit}"
        for target in targets
        if not target.holds
    ]


def _ratio(above: Sequence[Measurement], below: Sequence[Measurement]) -> Spread:
    return _spread(one.rate / other.rate for one, other in zip(above, below, strict=True))


def _spread(values: Iterable[float]) -> Spread:
    return spread_of(list(values), digits=3)
