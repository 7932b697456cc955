"""The matrix for people: tables, charts, and its section of docs/reference/performance.md."""

from collections.abc import Sequence
from statistics import median
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.table import Table

from bench.charts import chart
from bench.costs import DATABASE
from bench.matrix import SCENARIO_CONNECTIONS
from bench.page import markdown_table
from bench.report import Figures, Report, short
from bench.turns import TARGET_CONNECTIONS

SECTION: Final = "scenarios"
LABEL: Final = 210
_HEAD: Final = """\
## What tills do, how many they are, and how slow the provider is

Made by `make bench BENCH_ARGS="--matrix --page"`: {rounds} of {seconds} s each, in turns. Every answer was held
against the status it must have, and the books compared after every turn. A till is one connection that does its cycle
over and over: {slow} of them with a provider that takes 50 or 500 ms, {scenarios} with another cycle than a provision.
What the cycles are: [the benchmark](../../bench/README.md#the-matrix). Latencies are those of single messages, CPU is
per message.

{cores} cores ({cpu}), shared by all.
"""

Row = tuple[str, ...]


def tables_of(report: Report) -> list[Table]:
    """Lay the report out for a terminal."""
    answers = sum(one.answers for figures in report.figures.values() for one in figures.operations.values())
    caption = f"{answers:,} answers, each as expected; the books agreed after every turn"
    parts = (
        ("Cycles and messages per second, latencies in ms", *_rates(report), caption),
        ("CPU µs per message", *_costs(report), None),
        ("By message, ms", *_messages(report), None),
    )
    return [_table(title, head, rows, caption) for title, head, rows, caption in parts]


def section_of(report: Report) -> str:
    """Return the section of the page, Markdown."""
    rounds = report.settings["rounds"]
    words: dict[str, object] = {
        "rounds": "One round" if rounds == 1 else f"{rounds} rounds",
        "seconds": report.settings["seconds"],
        "slow": TARGET_CONNECTIONS,
        "scenarios": SCENARIO_CONNECTIONS,
    }
    parts = [_HEAD.format(**words, **report.machine)]
    parts += [f"Note: {note}.\n" for note in report.notes]
    for title, (head, rows) in (
        ("Cycles and messages per second, latencies in ms", _rates(report)),
        ("CPU µs per message", _costs(report)),
        ("Latency by message, ms", _messages(report)),
    ):
        parts += [f"### {title}\n", markdown_table(head, rows)]
    parts += [f"![{name}](performance-{name}.svg)\n" for name in matrix_charts_of(report)]
    return "\n".join(parts)


def matrix_charts_of(report: Report) -> dict[str, str]:
    """Return every chart of the matrix by its name."""
    groups = _groups(report)
    own = {key: one for key, one in report.figures.items() if key.startswith("a ")}
    return {
        "matrix-rate": chart(
            "Cycles per second",
            {_name(key, one): [one.provisions_per_second.median] for key, one in report.figures.items()},
            label=LABEL,
        ),
        "matrix-cpu": chart(
            "CPU of (a) per message in µs, by who takes it",
            {one.title: [one.cpu_us.get(group, 0.0) for group in groups] for one in own.values()},
            legend=groups,
            label=LABEL,
        ),
    }


def _rates(report: Report) -> tuple[Row, list[Row]]:
    rows: list[Row] = []
    for key, one in report.figures.items():
        rate, messages = one.provisions_per_second, one.messages_per_second
        by_round = report.ratios_by_round.get(key.replace("a ", "a/b ", 1))
        rows.append(
            (
                _name(key, one),
                short(rate.median),
                f"{rate.percent:.0f} %",
                "" if messages is None else short(messages.median),
                short(one.p50_ms),
                short(one.p95_ms),
                short(one.p99_ms),
                str(one.errors),
                "" if by_round is None else short(median(by_round)),
            )
        )
    return ("", "per s", "spread", "messages", "p50", "p95", "p99", "errors", "a/b"), rows


def _costs(report: Report) -> tuple[Row, list[Row]]:
    groups = _groups(report)
    rows: list[Row] = []
    for key, one in report.figures.items():
        cpu = [one.cpu_us.get(group) for group in groups]
        total = sum(part for part in cpu if part is not None)
        rows.append((_name(key, one), *("" if part is None else f"{part:,.0f}" for part in cpu), f"{total:,.0f}"))
    return ("", *("db" if group == DATABASE else group for group in groups), "all"), rows


def _messages(report: Report) -> tuple[Row, list[Row]]:
    """Those of cycles that have several kinds; of the others the first table tells."""
    rows: list[Row] = [
        (f"{figures.title}: {name}", f"{one.answers:,}", short(one.p50_ms), short(one.p95_ms), short(one.p99_ms))
        for figures in report.figures.values()
        if len(figures.operations) > 1
        for name, one in figures.operations.items()
    ]
    return ("", "answers", "p50", "p95", "p99"), rows


def _name(key: str, figures: Figures) -> str:
    return f"{key[0]}: {figures.title}"


def _groups(report: Report) -> list[str]:
    return list(dict.fromkeys(group for figures in report.figures.values() for group in figures.cpu_us))


def _table(title: str, head: Row, rows: Sequence[Row], caption: str | None) -> Table:
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left", box=SIMPLE_HEAD)
    table.pad_edge, table.padding = False, 0
    for number, heading in enumerate(head):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table
