"""What more workers bring: how rounds are compared, what is asked for, and which share of the load the busiest has."""

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the benchmark is not part of the installed package

from bench.errors import BenchError
from bench.measurement import Measurement, Memory
from bench.scaling import parse_workers
from bench.scaling_report import CASES, CORES, WAITS, Round, ScalingReport, figures_of, tables_of

from voucherswitch.config.settings import Settings


def rounds(*rates: float, busiest: float = 0.5) -> list[Round]:
    return [
        Round(
            Measurement(
                seconds=5.0, done=1, rate=rate, p50_ms=520.0, p95_ms=600.0, p99_ms=1700.0, max_ms=2900.0, done_in_all=1,
                cpu_us={"server": 500.0, "database": 300.0}, memory={"server": Memory(90.0, 60.0)},
            ),
            busiest,
        )
        for rate in rates
    ]  # fmt: skip


def report(*, waits: dict[int, list[Round]], cores: dict[int, list[Round]]) -> ScalingReport:
    figures = {
        case.key: {str(workers): figures_of(seen, by_workers[1]) for workers, seen in by_workers.items()}
        for case, by_workers in ((WAITS, waits), (CORES, cores))
    }
    return ScalingReport(figures=figures, cores=2, machine={}, settings={}, notes=[])


def test_rounds_are_compared_that_followed_each_other() -> None:
    two = figures_of(rounds(600, 300, 620), rounds(300, 150, 400))

    assert two.over_one.rounds == [2.0, 2.0, 1.55]
    assert two.over_one.median == 2.0


def test_processor_time_is_told_in_cores() -> None:
    two = figures_of(rounds(1000, 1000, 1000, busiest=0.6), rounds(500, 500, 500))

    assert two.busy == {"server": 0.5, "database": 0.3}
    assert two.busy_in_all == pytest.approx(0.8)
    assert two.busiest == 0.6
    assert two.workers_mib == 60.0


def test_both_limits_are_held() -> None:
    held = report(
        waits={1: rounds(300), 2: rounds(590), 4: rounds(900)}, cores={1: rounds(900), 2: rounds(950), 4: rounds(930)}
    )
    broken = report(
        waits={1: rounds(300), 2: rounds(450), 4: rounds(900)}, cores={1: rounds(900), 2: rounds(950), 4: rounds(700)}
    )

    assert held.more_than_cores == 0.979
    assert held.missed == []
    assert [line.split(" what ")[0] for line in broken.missed] == [
        "two workers serve 1.50 times",
        "more workers than cores serve 0.74 of",
    ]


def test_without_more_workers_than_cores_nothing_is_said_of_them() -> None:
    seen = report(waits={1: rounds(300), 2: rounds(600)}, cores={1: rounds(900), 2: rounds(950)})

    assert seen.more_than_cores is None
    assert seen.missed == []


def test_an_uneven_spread_of_connections_is_not_refused_by_the_bound_of_a_worker() -> None:
    """The busier of two workers gets 60 % of 320 connections at worst; its places with a provider are these."""
    places = Settings.model_fields["provider_in_flight_max"].default

    assert CORES.connections_of(1) <= places
    assert WAITS.connections_of(2) * 0.6 <= places
    assert WAITS.connections_of(4) == 4 * WAITS.connections
    assert {case.key for case in CASES} == {"waits", "cores"}


def test_one_worker_is_always_measured() -> None:
    assert parse_workers("4, 2") == (1, 2, 4)
    assert parse_workers("1") == (1,)
    for wrong in ("", "two", "0,1", "65"):
        with pytest.raises(BenchError, match="--workers"):
            parse_workers(wrong)


def test_the_tables_fit_a_terminal() -> None:
    printed = io.StringIO()
    console = Console(width=80, file=printed)
    seen = report(waits={1: rounds(300), 16: rounds(5900)}, cores={1: rounds(900), 2: rounds(950), 16: rounds(10_930)})

    for table in tables_of(seen):
        console.print(table)

    assert "…" not in printed.getvalue()
