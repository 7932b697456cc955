"""The targets of a provision: what is compared with what, and that a load which was not put on proves nothing."""

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the benchmark is not part of the installed package

from bench.errors import BenchError
from bench.measurement import Measurement, Memory
from bench.report import Report, costs_of, figures_of, table_of
from bench.targets import missed, require_kept_up, targets_of
from bench.targets import table_of as table_of_targets
from bench.turns import TARGET_CONNECTIONS, turns_for_targets, turns_of


def one(rate: float, p50_ms: float = 1.0, p99_ms: float = 5.0) -> Measurement:
    return Measurement(
        seconds=1.0, done=1, rate=rate, p50_ms=p50_ms, p95_ms=2.0, p99_ms=p99_ms, max_ms=9.0, done_in_all=1,
        generator_cpu_us=20.0, cpu_us={"server": 500.0, "generator": 20.0}, memory={"server": Memory(90.0, 60.0)},
    )  # fmt: skip


def a_run(**other: list[Measurement]) -> dict[str, list[Measurement]]:
    """A run of three rounds in which everything holds, with one outlier in each that does not count."""
    return {
        "a": [one(2100), one(2000), one(100)],
        "a@half": [one(1050, 2, 19), one(1000, 2, 18), one(50, 2, 400)],
        "b": [one(100), one(100), one(100)],
        "c": [one(2000), one(1900), one(2000)],
        "d": [one(20_000)] * 3,
        "a@1": [one(400, 2.0), one(400, 2.2), one(10, 90.0)],
        "c@1": [one(900, 0.9)] * 3,
        "d@1": [one(9000, 0.1)] * 3,
    } | other


def test_medians_of_the_rounds_decide() -> None:
    targets = targets_of(a_run())

    assert [target.seen.median for target in targets] == [20.0, 1.05, 2.2, 9.5]
    assert missed(targets) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"b": [one(110)] * 3}, "a/b, provisions per second is 18.18, and the target is at least 20"),
        ({"c": [one(2500)] * 3}, "a/c, provisions per second is 0.80, and the target is at least 1"),
        ({"a@1": [one(300, 2.6)] * 3}, "1 connection: p50 of a / (c + d) is 2.60, and the target is at most 2.5"),
        ({"a@half": [one(1000, 2, 21)] * 3}, "half of peak: p99 / p50 of a is 10.50, and the target is at most 10"),
    ],
)
def test_a_missed_target_is_named(changed: dict[str, list[Measurement]], said: str) -> None:
    assert said in missed(targets_of(a_run(**changed)))


def test_a_load_that_was_not_put_on_proves_nothing() -> None:
    require_kept_up(a_run())

    with pytest.raises(BenchError, match=r"and 0\.38 of it was served"):
        require_kept_up(a_run(**{"a@half": [one(800), one(760), one(38)]}))


def test_half_of_the_peak_follows_the_peak() -> None:
    turns = turns_for_targets()

    assert [turn.key for turn in turns] == ["a", "a@half", "b", "c", "d", "a@1", "c@1", "d@1"]
    assert {turn.connections for turn in turns} == {1, TARGET_CONNECTIONS}
    assert turns[1].half_of == turns[0].key


def test_the_tables_fit_a_terminal() -> None:
    run = a_run()
    titles = {turn.key: turn.title("conventional stack") for turn in turns_for_targets()}
    figures = {key: figures_of(titles[key], rounds) for key, rounds in run.items()}
    report = Report({"a/b": 20.0}, {"a/b": [18.0, 22.0]}, figures, {}, {}, [])
    printed = io.StringIO()
    console = Console(width=80, file=printed)

    for table in (table_of(report), costs_of(report), table_of_targets(targets_of(run))):
        console.print(table)

    assert "…" not in printed.getvalue()


def test_who_took_what_is_in_the_report() -> None:
    figures = figures_of("switch", a_run()["a"])

    assert figures.cpu_us == {"server": 500.0, "generator": 20.0}
    assert figures.memory == {"server": Memory(90.0, 60.0)}


def test_contenders_at_full_load_are_as_asked() -> None:
    assert [(turn.key, turn.connections) for turn in turns_of(("a", "c"), 64)] == [("a", 64), ("c", 64)]
