"""The published page and its charts are made from a report and nothing else."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the benchmark is not part of the installed package

from bench import machine
from bench.charts import chart, charts_of
from bench.page import page_of, publish_page
from bench.report import Report, figures_of
from bench.targets import targets_of
from bench.turns import turns_for_targets

from unit.test_bench_targets import a_run

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def a_report(tmp_path: Path) -> Report:
    run = a_run()
    titles = {turn.key: turn.title("voucherswitch") for turn in turns_for_targets()}
    figures = {key: figures_of(titles[key], rounds) for key, rounds in run.items()}
    settings: dict[str, object] = {"rounds": 3, "seconds": 4.0}
    return Report({}, {}, figures, machine.describe(tmp_path), settings, ["it rained"], targets_of(run))


def test_the_page_tells_targets_figures_and_where_they_come_from(tmp_path: Path) -> None:
    page = page_of(a_report(tmp_path), NOW)

    assert "on 2026-11-23" in page
    assert "3 rounds of 4.0 s each" in page
    assert "| a/b, provisions per second | 20.00 | 1.00-21.0 | at least 20 | holds |" in page
    assert "| a: voucherswitch | 2,000 |" in page
    assert "| a@half: half of a's rate | 1,000 |" in page
    assert "Note: it rained." in page
    assert max(map(len, page.splitlines())) < 200


def test_every_chart_of_the_page_is_beside_it(tmp_path: Path) -> None:
    publish_page(a_report(tmp_path), tmp_path / "performance.md")

    named = {line for line in (tmp_path / "performance.md").read_text().splitlines() if line.startswith("![")}
    assert named == {f"![{name}](performance-{name}.svg)" for name in ("rate", "cpu", "alone")}
    for chart_file in tmp_path.glob("performance-*.svg"):
        assert ElementTree.fromstring(chart_file.read_text()).tag == "{http://www.w3.org/2000/svg}svg"
    assert len(list(tmp_path.glob("*.svg"))) == len(named)


def test_the_longest_bar_is_the_largest_figure_and_all_fit() -> None:
    drawn = ElementTree.fromstring(chart("t", {"x <&": [10.0], "y": [20.0, 20.0], "none": [0.0]}, legend=("p", "q")))
    bars = [one for one in drawn.iter("{http://www.w3.org/2000/svg}rect") if one.get("height") == "16"]

    assert [float(bar.get("width", "0")) for bar in bars] == [120.0, 240.0, 240.0, 0.0]
    assert all(float(bar.get("x", "0")) + float(bar.get("width", "0")) <= 760 for bar in bars)


def test_a_report_without_the_lone_turns_has_no_chart_of_them(tmp_path: Path) -> None:
    report = a_report(tmp_path)
    report.figures = {key: one for key, one in report.figures.items() if "@" not in key}

    assert charts_of(report).keys() == {"rate", "cpu"}
