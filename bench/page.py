"""The published page of a run: docs/reference/performance.md with its charts, from the report and nothing else."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.charts import charts_of
from bench.errors import BenchError
from bench.generator import ROOT
from bench.report import Report, short
from bench.turns import TARGET_CONNECTIONS

# What another run has written, by its name: it is replaced as a whole, or kept as a whole.
_SECTION: Final = re.compile(r"^<!-- (?P<name>[a-z]+) -->\n.*?^<!-- end of (?P=name) -->\n", re.DOTALL | re.MULTILINE)
PAGE: Final = ROOT / "docs" / "reference" / "performance.md"
_HEAD: Final = """\
# Performance

Made by `make bench BENCH_ARGS="--targets --page"` on {day}; do not change it by hand. What the contenders are,
what the figures mean and what they leave out: [the benchmark](../../bench/README.md).

{cores} cores ({cpu}), {memory_gib} GiB, {filesystem}, one durable write of 8 kB in {fdatasync_us} µs, Python {python}.
Load generator, provider, database and contender share these cores. {rounds} of {seconds} s each, in turns, with
{connections} connections where nothing else is said; the database alone has 32 clients.
"""


def publish_page(report: Report, path: Path = PAGE) -> None:
    """Write the page and its charts. Sections that other runs have written stay in it."""
    charts = charts_of(report)
    write_charts(charts, path)
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    page = "\n".join((page_of(report, datetime.now(UTC)), *(found[0] for found in _SECTION.finditer(before))))
    path.write_text(page, encoding="utf-8")


def publish_section(name: str, section: str, charts: Mapping[str, str], path: Path = PAGE) -> None:
    """Write one section of the page and its charts, in place of what was there under its name.

    Raises:
        BenchError: there is no page yet.
    """
    if not path.is_file():
        raise BenchError(f"{path} does not exist, and this is a section of it: make it first, with --targets --page")
    write_charts(charts, path)
    page = path.read_text(encoding="utf-8")
    marked = f"<!-- {name} -->\n\n{section.strip()}\n\n<!-- end of {name} -->\n"
    old = next((found for found in _SECTION.finditer(page) if found["name"] == name), None)
    before, after = (f"{page.rstrip()}\n\n", "") if old is None else (page[: old.start()], page[old.end() :])
    path.write_text(before + marked + after, encoding="utf-8")


def write_charts(charts: Mapping[str, str], beside: Path) -> None:
    """Write charts beside a file, under its name and theirs."""
    for name, svg in charts.items():
        beside.with_name(f"{beside.stem}-{name}.svg").write_text(svg, encoding="utf-8")


def page_of(report: Report, now: datetime) -> str:
    """Return the page, Markdown."""
    settings = report.settings
    words: dict[str, object] = {
        "day": f"{now:%Y-%m-%d}",
        "rounds": "One round" if settings["rounds"] == 1 else f"{settings['rounds']} rounds",
        "seconds": settings["seconds"],
        "connections": TARGET_CONNECTIONS,
    }
    parts = [_HEAD.format(**words, **report.machine)]
    parts += [f"Note: {note}.\n" for note in report.notes]
    parts.append("## Targets\n")
    parts.append(
        markdown_table(
            ("", "seen", "by round", "target", ""),
            [
                (
                    target.name,
                    f"{target.seen.median:.2f}",
                    f"{short(target.seen.min)}-{short(target.seen.max)}",
                    target.limit,
                    "holds" if target.holds else "**missed**",
                )
                for target in report.targets
            ],
        )
    )
    parts.append("## Rates and latencies\n")
    parts.append(
        markdown_table(
            ("", "per second", "spread", "p50 ms", "p95 ms", "p99 ms"),
            [
                (
                    f"{key}: {one.title}",
                    f"{one.provisions_per_second.median:,.0f}",
                    f"{one.provisions_per_second.percent:.0f} %",
                    short(one.p50_ms),
                    short(one.p95_ms),
                    short(one.p99_ms),
                )
                for key, one in report.figures.items()
            ],
        )
    )
    parts += [f"![{name}](performance-{name}.svg)\n" for name in charts_of(report)]
    return "\n".join(parts)


def markdown_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Write a table, Markdown; all columns but the first are figures."""
    lines = [head, ("---", *("--:" for _ in head[1:])), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
