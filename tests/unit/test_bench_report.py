"""The benchmark's arithmetic, its readers of other programs' output, and the refusals of its command line."""

import json
import sys
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the benchmark is not part of the installed package

from bench import two_commits, wrk
from bench.__main__ import parse_only
from bench.answers import differences
from bench.database import require_durable, with_database
from bench.errors import BenchError
from bench.histogram import Histogram
from bench.measurement import Measurement
from bench.report import Report, figures_of, ratios_of, spread_of, table_of
from bench.results import write
from bench.rounds import Plan
from bench.switch import environment


def measured(rate: float, p50_ms: float = 1.0) -> Measurement:
    return Measurement(
        seconds=10.0,
        done=int(rate * 10),
        rate=rate,
        p50_ms=p50_ms,
        p95_ms=2.0,
        p99_ms=3.0,
        max_ms=4.0,
        done_in_all=int(rate * 12),
        generator_cpu_us=20.0,
    )


def test_one_bad_round_does_not_move_the_median() -> None:
    figures = figures_of("switch", [measured(1000, 5.0), measured(10, 900.0), measured(1010, 5.1)])

    assert figures.provisions_per_second.median == 1000
    assert figures.provisions_per_second.rounds == [1000, 10, 1010]
    assert figures.provisions_per_second.percent == 100
    assert figures.p50_ms == 5.1
    assert figures.provisions == 20_200


def test_ratios_are_of_the_medians_and_are_told_by_round_too() -> None:
    figures = {
        "a": figures_of("switch", [measured(1000), measured(900), measured(1100)]),
        "b": figures_of("stack", [measured(250), measured(300), measured(200)]),
    }

    ratios, by_round = ratios_of(figures)

    assert ratios == {"a/b": 4.0}
    assert by_round == {"a/b": [4.0, 3.0, 5.5]}


def test_the_report_is_json_with_the_published_keys() -> None:
    figures = {key: figures_of(key, [measured(100)]) for key in "abc"}
    ratios, by_round = ratios_of(figures)
    report = Report(
        ratios=ratios, ratios_by_round=by_round, figures=figures, machine={"cores": 2}, settings={"rounds": 1}, notes=[]
    )

    written = json.loads(msgspec.json.encode(report))

    assert written["ratios"] == {"a/b": 1.0, "a/c": 1.0}
    assert {"figures", "machine", "settings"} <= written.keys()
    assert written["figures"]["c"]["provisions_per_second"]["rounds"] == [100]
    assert table_of(report).row_count == 5


def test_a_spread_of_nothing_is_no_division() -> None:
    assert spread_of([0.0, 0.0]).percent == 0.0


PGBENCH = """\
pgbench (18.6)
transaction type: /tmp/two_commits.sql
number of clients: 32
number of transactions actually processed: 12345
number of failed transactions: 0 (0.000%)
latency average = 20.123 ms
initial connection time = 12.345 ms
tps = 1543.210987 (without initial connection time)
"""


def test_pgbench_is_read() -> None:
    latencies = Histogram()
    two_commits.read_log("0 1 5000 0 1700000000 1\n3 7 7000 0 1700000000 2\n", latencies)

    result = two_commits.parse(PGBENCH, latencies, 8)

    assert (result.done, result.rate, result.errors) == (12345, 1543.210987, {})
    assert 7.0 <= result.p99_ms <= 7.04


def test_failed_transactions_of_pgbench_are_errors() -> None:
    result = two_commits.parse(PGBENCH.replace("transactions: 0 (", "transactions: 3 ("), Histogram(), 8)

    assert result.errors == {"failed transactions": 3}


def test_output_that_is_no_result_is_refused() -> None:
    with pytest.raises(BenchError, match="pgbench printed no result: out of memory"):
        two_commits.parse("out of memory", Histogram(), 8)
    with pytest.raises(BenchError, match="wrk printed no result: unable to connect"):
        wrk.parse("unable to connect", 64)


def test_wrk_is_read() -> None:
    line = {
        "seconds": 8.01, "created": 8010, "others": 2, "connect": 0, "read": 1, "write": 0, "timeout": 0,
        "p50": 1500, "p95": 2500, "p99": 9000, "max": 12000, "first": "503: {}",
    }  # fmt: skip

    result = wrk.parse(f"Running 8s test\nRESULT {json.dumps(line)}\n", 64)

    assert (round(result.rate), result.p50_ms, result.cut_off) == (1000, 1.5, 64)
    assert result.errors == {"status other than 201": 2, "connection lost": 1}
    assert result.first_error == "503: {}"


def test_answers_that_differ_in_values_only_are_the_same() -> None:
    a = {"id": "1", "list": [{"x": 1}, {"x": 2}], "factor": 2}
    b = {"id": "2", "list": [{"x": 9}], "factor": 2.0}

    assert differences(a, b) == []


def test_answers_that_differ_in_form_are_told_apart() -> None:
    a = {"id": "1", "list": [{"x": 1}], "only": {"here": True}}
    b = {"id": 1, "list": [{"y": 1}]}

    assert differences(a, b) == [
        "id is not of one type",
        "only a has list[].x",
        "only a has only.here",
        "only b has list[].y",
    ]


@pytest.mark.parametrize("name", ["fsync", "synchronous_commit", "full_page_writes"])
def test_a_database_that_forgets_is_not_measured(name: str) -> None:
    settings = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
    require_durable(settings)

    with pytest.raises(BenchError, match=f"{name} = off"):
        require_durable(settings | {name: "off"})


def test_another_database_of_the_same_server() -> None:
    assert with_database("postgresql://u:@/db?host=/run/pg", "bench") == "postgresql://u:@/bench?host=/run/pg"
    assert with_database("postgresql://u:p@host:5432/db", "bench") == "postgresql://u:p@host:5432/bench"


@pytest.mark.parametrize(("text", "contenders"), [("a,c", ("a", "c")), ("c, b,a,a", ("a", "b", "c")), ("b", ("b",))])
def test_contenders_are_named_in_any_order(text: str, contenders: tuple[str, ...]) -> None:
    assert parse_only(text) == contenders


@pytest.mark.parametrize("text", ["", "e", "a;b", "a,e"])
def test_other_contenders_are_refused(text: str) -> None:
    with pytest.raises(BenchError, match="is not made of a, b, c and d"):
        parse_only(text)


def test_the_default_plan_takes_less_than_four_minutes() -> None:
    assert 180 <= Plan().measured_s <= 210


def test_no_journal_that_matters_is_ever_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://production/journal")
    monkeypatch.setenv("VOUCHERSWITCH_DATABASE_URL", "postgresql://production/journal")
    monkeypatch.setenv("VOUCHERSWITCH_CONFIG", "/etc/production.toml")

    told = environment(interface_port=8080)

    assert not any("production" in value for value in told.values())
    assert told["VOUCHERSWITCH_INTERFACE_PORT"] == "8080"


def test_a_report_is_written_under_its_time(tmp_path: Path) -> None:
    report = Report(ratios={}, ratios_by_round={}, figures={}, machine={}, settings={}, notes=[])

    path = write(report, tmp_path / "results")

    assert path.suffix == ".json"
    assert path.name[10] == "T"
    assert json.loads(path.read_bytes())["ratios"] == {}
