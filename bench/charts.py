"""Charts of a report as SVG, written by hand: bars with their figures beside them, legible on light and dark pages."""

from collections.abc import Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape

from bench.report import Report, short

WIDTH: Final = 760
LABEL: Final = 190  # where the bars begin
FIGURE: Final = 90  # kept free behind the longest bar
ROW: Final = 26
BAR: Final = 16
TOP: Final = 40
LEGEND: Final = 22
COLOURS: Final = ("#2f6fb2", "#d9822b", "#3d9970", "#a65fb5", "#8a8d91", "#c0504d")

Bars = Mapping[str, Sequence[float]]  # of a row: its parts, one after the other


def charts_of(report: Report) -> dict[str, str]:
    """Return every chart of a report by its name."""
    full = {key: figures for key, figures in report.figures.items() if "@" not in key}
    groups = list(dict.fromkeys(group for figures in full.values() for group in figures.cpu_us))
    charts = {
        "rate": chart(
            "Durable provisions per second (d: answers of a bare server, nothing durable)",
            {f"{key}  {one.title}": [one.provisions_per_second.median] for key, one in full.items()},
        ),
        "cpu": chart(
            "CPU per provision in µs, by who takes it",
            {f"{key}  {one.title}": [one.cpu_us.get(group, 0.0) for group in groups] for key, one in full.items()},
            legend=groups,
        ),
    }
    alone = {key: figures for key, figures in report.figures.items() if key.endswith("@1")}
    if alone:
        charts["alone"] = chart(
            "Latency of one connection, p50 in ms",
            {f"{key}  {full[key.partition('@')[0]].title}": [one.p50_ms] for key, one in alone.items()},
        )
    return charts


def chart(title: str, bars: Bars, legend: Sequence[str] = (), label: int = LABEL) -> str:
    """Draw rows of bars that begin at `label`; with a legend, each bar is made of parts that it names."""
    largest = max((sum(parts) for parts in bars.values()), default=0.0) or 1.0
    scale = (WIDTH - label - FIGURE) / largest
    top = TOP + (LEGEND if legend else 0)
    height = top + ROW * len(bars) + 10
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title, {chr(34): "&quot;"})}" font-family="sans-serif" font-size="13" fill="#767b83">',
        f'<text x="0" y="20" font-weight="bold">{escape(title)}</text>',
    ]
    for number, name in enumerate(legend):
        at = number * 115
        drawn.append(f'<rect x="{at}" y="{TOP - 9}" width="11" height="11" fill="{_colour(number)}"/>')
        drawn.append(f'<text x="{at + 16}" y="{TOP + 1}">{escape(name)}</text>')
    for row, (name, parts) in enumerate(bars.items()):
        y, x = top + row * ROW, float(label)
        drawn.append(f'<text x="0" y="{y + 13}">{escape(name)}</text>')
        for number, part in enumerate(parts):
            width = part * scale
            drawn.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{_colour(number)}"/>')
            x += width
        drawn.append(f'<text x="{x + 6:.1f}" y="{y + 13}">{short(sum(parts))}</text>')
    return "\n".join((*drawn, "</svg>", ""))


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]
