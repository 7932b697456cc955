"""The matrix: which turns it has, what it compares, and what of it is told and published."""

import io
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the benchmark is not part of the installed package

from bench import machine
from bench.__main__ import main
from bench.errors import BenchError
from bench.matrix import CONNECTIONS, DELAYS_MS, ROUNDS, SECONDS, WARMUP, matrix_ratios, turns_for_matrix
from bench.matrix_report import SECTION, matrix_charts_of, section_of, tables_of
from bench.measurement import Exchanges, Measurement
from bench.page import publish_page, publish_section
from bench.report import Report, figures_of
from bench.rounds import Plan
from bench.scenarios import SCENARIOS

from unit.test_bench_page import a_report


def one(rate: float) -> Measurement:
    return Measurement(
        seconds=2.0, done=200, rate=rate, p50_ms=1.0, p95_ms=1234.0, p99_ms=5678.0, max_ms=9999.0, done_in_all=300,
        messages=400, messages_in_all=900, generator_cpu_us=20.0,
        operations={
            "provision": Exchanges(500, 0, 0.0, 0.0, 0.0),
            "reverse redemption": Exchanges(300, 200, 10.0, 20.0, 1030.0),
            "confirm redemption": Exchanges(100, 200, 1.0, 2.0, 3.0),
        },
        cpu_us=dict.fromkeys(("server", "worker", "console", "provider", "database", "generator"), 1000.0),
    )  # fmt: skip


def a_matrix(tmp_path: Path) -> Report:
    turns = turns_for_matrix()
    run = {turn.key: [one(100.0 if turn.contender == "a" else 5.0)] * 3 for turn in turns}
    figures = {turn.key: figures_of(turn.title("x"), run[turn.key]) for turn in turns}
    settings: dict[str, object] = {"rounds": 3, "seconds": 3.0}
    return Report({}, matrix_ratios(run), figures, machine.describe(tmp_path), settings, ["it rained"])


def test_every_question_has_its_turns() -> None:
    turns = turns_for_matrix()

    def asked(contender: str) -> list[tuple[str, int, int]]:
        return [(turn.scenario, turn.connections, turn.delay_ms) for turn in turns if turn.contender == contender]

    provisions = [("provision", connections, 0) for connections in CONNECTIONS]
    provisions += [("provision", 256, delay_ms) for delay_ms in DELAYS_MS]
    assert asked("b") == provisions
    assert asked("a") == provisions + [(name, 64, 0) for name in SCENARIOS if name != "provision"]
    assert len({turn.key for turn in turns}) == len({(turn.contender, turn.title("x")) for turn in turns}) == len(turns)


def test_by_default_it_takes_no_more_than_eight_minutes() -> None:
    plan = Plan(turns=turns_for_matrix(), rounds=ROUNDS, seconds=SECONDS, warmup=WARMUP)

    assert plan.measured_s < plan.expected_s <= 480


def test_what_both_can_do_is_compared_round_by_round() -> None:
    ratios = matrix_ratios({"a provision@1": [one(9), one(8)], "b provision@1": [one(3), one(2)], "a lookup@64": []})

    assert ratios == {"a/b provision@1": [3.0, 4.0]}


def test_the_tables_fit_a_terminal(tmp_path: Path) -> None:
    printed = io.StringIO()
    console = Console(width=80, file=printed)

    for table in tables_of(a_matrix(tmp_path)):
        console.print(table)

    assert "…" not in printed.getvalue()
    assert "a: provision, 256 tills" in printed.getvalue()
    assert "redemption: reverse redemption" in printed.getvalue()


def test_what_is_done_to_prepare_is_no_message_of_a_cycle(tmp_path: Path) -> None:
    figures = a_matrix(tmp_path).figures["a redemption@64"]

    assert figures.operations.keys() == {"reverse redemption", "confirm redemption"}
    assert figures.operations["reverse redemption"].answers == 900
    assert figures.messages_per_second is not None
    assert figures.messages_per_second.median == 200


def test_its_section_is_put_into_the_page_and_stays_when_the_page_is_made_anew(tmp_path: Path) -> None:
    page, report = tmp_path / "performance.md", a_matrix(tmp_path)
    whole = a_report(tmp_path)
    publish_page(whole, page)
    bare = page.read_text()
    section, charts = section_of(report), matrix_charts_of(report)

    publish_section("other", "## Other\n", {}, page)
    publish_section(SECTION, section, charts, page)
    publish_section(SECTION, section.replace("it rained", "it snowed"), charts, page)
    publish_section("other", "## Another\n", {}, page)
    twice = page.read_text()
    publish_page(whole, page)

    assert page.read_text() == twice
    assert twice.startswith(bare)
    assert (twice.count("it rained"), twice.count("it snowed"), twice.count("## Other")) == (1, 1, 0)
    assert "| a: provision, 500 ms | 100 | 0 % | 200 | 1.00 | 1,234 | 5,678 | 0 | 20.0 |" in twice
    assert twice.index("## Another") < twice.index("## What tills do")
    assert max(map(len, twice.splitlines())) < 200


def test_a_section_needs_a_page(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"make it first, with --targets --page"):
        publish_section(SECTION, "", {}, tmp_path / "performance.md")


def test_every_chart_of_the_section_is_drawn(tmp_path: Path) -> None:
    report = a_matrix(tmp_path)
    charts = matrix_charts_of(report)

    for name, svg in charts.items():
        assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
        assert f"![{name}](performance-{name}.svg)" in section_of(report)


def test_it_is_a_run_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Exception, match="1"):
        main(in_matrix=True, check=True)

    assert "--matrix is a run of its own" in capsys.readouterr().err
