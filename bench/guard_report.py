"""The baseline of `make bench-quick`, and what was seen against it: figures, verdict, table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
from msgspec import Struct
from rich.box import SIMPLE_HEAD
from rich.table import Table

from bench.costs import DATABASE, GENERATOR
from bench.errors import BenchError
from bench.measurement import Measurement
from bench.report import short

BASELINE: Final = Path(__file__).resolve().parent / "baseline.json"
LOSS_MAX: Final = 0.15
UPDATE: Final = 'make bench-quick BENCH_ARGS="--update"'

# Whose processor time is guarded: a group of `metered`, and what to call it.
GUARDED: Final[Mapping[str, str]] = {"server": "switch", DATABASE: "database"}


class Baseline(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a provision cost when somebody last said that it may.

    Attributes:
        ratios: processor time per provision, in times the load generator's for the same provision.
        seen: what they were measured on, for people.
    """

    ratios: dict[str, float]
    seen: dict[str, object]


class Try(Struct, frozen=True):
    """One try: the ratios of each round, and their medians, which count."""

    ratios: dict[str, float]
    by_round: dict[str, list[float]]


class GuardReport(Struct, frozen=True):
    """What a run leaves behind. `changes`: of the last try against the baseline, 0.1 is a tenth more."""

    changes: dict[str, float]
    baseline: Baseline
    tries: list[Try]
    figures: list[Measurement]
    machine: dict[str, object]
    settings: dict[str, object]
    notes: list[str]

    @property
    def lost(self) -> list[str]:
        """What costs too much more than it did, a sentence each. Empty: the last try held."""
        return [
            f"a provision costs the {name} {change:.0%} more than in {BASELINE.name}, and {LOSS_MAX:.0%} is the most "
            f"it may ({self.tries[-1].ratios[name]:.2f} against {self.baseline.ratios[name]:.2f} times the generator's)"
            for name, change in self.changes.items()
            if change > LOSS_MAX
        ]


ADVICE: Final = (
    "look where it goes with `.venv/bin/python -m bench.stages`; if it is wanted, or the load generator was changed, "
    f"run `{UPDATE}` and commit {BASELINE.parent.name}/{BASELINE.name} with the reason"
)


def try_of(rounds: Sequence[Measurement]) -> Try:
    """Sum a try up."""
    by_round = {
        name: [round(one.cpu_us[group] / one.cpu_us[GENERATOR], 3) for one in rounds] for group, name in GUARDED.items()
    }
    return Try(ratios={name: round(median(seen), 3) for name, seen in by_round.items()}, by_round=by_round)


def changes_of(seen: Try, baseline: Baseline) -> dict[str, float]:
    """Compare each ratio with the baseline's."""
    return {name: round(ratio / baseline.ratios[name] - 1, 4) for name, ratio in seen.ratios.items()}


def gains_of(changes: Mapping[str, float]) -> list[str]:
    """Name what has become so much cheaper that a loss of all of it would not be noticed."""
    return [
        f"a provision costs the {name} {-change:.0%} less than in {BASELINE.name}: keep it so with `{UPDATE}`"
        for name, change in changes.items()
        if 1 / (1 + change) > 1 + LOSS_MAX
    ]


def read_baseline(path: Path = BASELINE) -> Baseline:
    """Read the committed baseline.

    Raises:
        BenchError: there is none, or it has other figures than this release compares.
    """
    try:
        baseline = msgspec.json.decode(path.read_bytes(), type=Baseline)
    except FileNotFoundError:
        raise BenchError(f"there is no {path.name} to compare with: make one with `{UPDATE}`") from None
    except msgspec.DecodeError as error:
        raise BenchError(f"{path} is no baseline ({error}): make one with `{UPDATE}`") from None
    if baseline.ratios.keys() != set(GUARDED.values()) or min(baseline.ratios.values()) <= 0:
        raise BenchError(f"{path} has not the figures that are compared now: make them with `{UPDATE}`")
    return baseline


def table_of(report: GuardReport) -> Table:
    """Lay the last try out."""
    last, number = report.tries[-1], len(report.tries)
    title = f"CPU of a provision, in times the load generator's (try {number})"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    for heading in ("seen", "by round", "baseline", "change", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, change in report.changes.items():
        rounds = last.by_round[name]
        table.add_row(
            name,
            f"{last.ratios[name]:.2f}",
            f"{short(min(rounds))}-{short(max(rounds))}",
            f"{report.baseline.ratios[name]:.2f}",
            f"{change:+.1%}",
            "[red]lost[/]" if change > LOSS_MAX else "holds",
        )
    return table
