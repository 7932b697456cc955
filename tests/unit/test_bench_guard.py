"""The guard of `make bench-quick`: what is compared, what is a loss, and what is said of it."""

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the benchmark is not part of the installed package

from bench.errors import BenchError
from bench.guard_report import (
    ADVICE,
    BASELINE,
    UPDATE,
    Baseline,
    GuardReport,
    changes_of,
    gains_of,
    read_baseline,
    table_of,
    try_of,
)
from bench.guard_rounds import GuardPlan
from bench.measurement import Measurement
from bench.results import encoded

COMMITTED = Baseline(ratios={"switch": 20.0, "database": 8.0}, seen={})
MAKEFILE = Path(__file__).resolve().parents[2] / "Makefile"


def one(switch_us: float, database_us: float, generator_us: float) -> Measurement:
    return Measurement(
        seconds=3.0, done=100, rate=30.0, p50_ms=1.0, p95_ms=2.0, p99_ms=3.0, max_ms=4.0, done_in_all=120,
        cpu_us={"server": switch_us, "worker": 90.0, "database": database_us, "generator": generator_us},
    )  # fmt: skip


def report(*rounds: Measurement) -> GuardReport:
    seen = try_of(rounds)
    changes = changes_of(seen, COMMITTED)
    return GuardReport(
        changes=changes, baseline=COMMITTED, tries=[seen], figures=[*rounds], machine={}, settings={}, notes=[]
    )


def test_a_machine_that_is_half_as_fast_changes_no_ratio() -> None:
    assert try_of([one(400, 160, 20)]).ratios == try_of([one(800, 320, 40)]).ratios == {"switch": 20.0, "database": 8.0}


def test_the_median_of_the_rounds_counts() -> None:
    seen = try_of([one(400, 160, 20), one(420, 900, 20), one(900, 164, 20)])

    assert seen.ratios == {"switch": 21.0, "database": 8.2}
    assert seen.by_round == {"switch": [20.0, 21.0, 45.0], "database": [8.0, 45.0, 8.2]}


@pytest.mark.parametrize(
    ("round_", "lost"),
    [(one(458, 182, 20), []), (one(500, 160, 20), ["switch 25%"]), (one(500, 200, 20), ["switch 25%", "database 25%"])],
)
def test_a_loss_of_more_than_15_percent_is_named(round_: Measurement, lost: list[str]) -> None:
    seen = report(round_)

    assert [line.split(" costs the ")[1].split(" more than")[0] for line in seen.lost] == lost


def test_a_loss_says_by_how_much_and_what_to_do() -> None:
    assert report(one(500, 160, 20)).lost == [
        "a provision costs the switch 25% more than in baseline.json, and 15% is the most it may "
        "(25.00 against 20.00 times the generator's)"
    ]
    assert "bench.stages" in ADVICE
    assert UPDATE in ADVICE


def test_a_gain_that_hides_a_later_loss_is_told() -> None:
    assert gains_of({"switch": -0.05, "database": -0.1}) == []
    assert gains_of({"switch": -0.2, "database": 0.0}) == [
        f"a provision costs the switch 20% less than in baseline.json: keep it so with `{UPDATE}`"
    ]


def test_the_committed_baseline_can_be_read() -> None:
    assert read_baseline().ratios.keys() == {"switch", "database"}


def test_without_a_baseline_it_is_said_how_one_is_made(tmp_path: Path) -> None:
    file = tmp_path / BASELINE.name
    with pytest.raises(BenchError, match=r"there is no baseline\.json .*--update"):
        read_baseline(file)
    for wrong in (b"{", encoded(Baseline(ratios={"switch": 1.0}, seen={})), b'{"ratios": {"switch": 1}}'):
        file.write_bytes(wrong)
        with pytest.raises(BenchError, match=r"baseline\.json .*--update"):
            read_baseline(file)


def test_a_baseline_of_nothing_is_refused(tmp_path: Path) -> None:
    file = tmp_path / BASELINE.name
    file.write_bytes(encoded(Baseline(ratios={"switch": 0.0, "database": 8.0}, seen={})))

    with pytest.raises(BenchError, match="has not the figures"):
        read_baseline(file)


def test_three_tries_leave_time_to_start_and_stop() -> None:
    plan = GuardPlan()

    assert plan.tries == 3
    assert plan.tries * plan.try_s <= 60


def test_the_table_fits_a_terminal() -> None:
    printed = io.StringIO()

    Console(width=80, file=printed).print(table_of(report(one(500, 160, 20))))

    assert "…" not in printed.getvalue()
    assert "+25.0%" in printed.getvalue()


def test_make_and_the_benchmark_agree_on_the_command() -> None:
    assert "python -m bench.guard $(BENCH_ARGS)" in MAKEFILE.read_text()
