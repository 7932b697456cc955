"""`python -m bench.depth`: does a journal that holds millions of requests serve as fast as an empty one?"""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from bench.depth_rounds import DepthPlan, measure_depth
from bench.progress import Bar
from bench.results import publish, told_in_one_line

RATIO_MIN: Final = 0.9


def main(
    rows: Annotated[int, typer.Option(min=1_000, help="Closed requests in the full journal.")] = 10_000_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each, in turns.")] = 7,
    seconds: Annotated[float, typer.Option(min=1, help="Measured seconds of one round.")] = 7.0,
    warmup: Annotated[float, typer.Option(min=0, help="Seconds of load before them.")] = 3.0,
    connections: Annotated[int, typer.Option(min=1, help="Connections of the load generator.")] = 32,
    check: Annotated[bool, typer.Option("--check", help=f"End with code 1 below {RATIO_MIN:g}.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of the lines.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Where the temporary directory is made.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the temporary directory: logs and databases.")] = False,
) -> None:
    """Provisions per second with a full journal against an empty one, in turns, on one database server.

    10 million requests take some 20 GB in the directory, and their making takes its minutes.
    """
    console = Console(stderr=as_json)
    plan = DepthPlan(
        rows=rows, rounds=rounds, seconds=seconds, warmup=warmup, connections=connections, folder=folder, keep=keep
    )
    with told_in_one_line(), Bar(console, plan.measured_s) as bar:
        report = measure_depth(plan, bar)
    lines = [
        f"{name:6} {figures.median:8.0f} per second, {min(figures.rates):.0f}-{max(figures.rates):.0f}; "
        f"p99 {figures.p99_ms:.0f} ms; {figures.cpu_us:.0f} µs of processor time each"
        for name, figures in (("empty", report.empty), ("full", report.full))
    ]
    lines += [
        f"{name:6} {figures.writes.wal_bytes:,.0f} bytes of log for a provision, page images at most "
        f"{figures.writes.page_image_share:.0%} of it; {figures.writes.hot_share:.0%} of the updates of transaction in "
        f"place; {figures.writes.index_bytes:,.0f} bytes of indexes for a request"
        for name, figures in (("empty", report.empty), ("full", report.full))
    ]
    lines.append(
        f"full/empty {report.ratio:.3f}, by round {min(report.ratios):.2f}-{max(report.ratios):.2f}; "
        f"by processor time {report.cpu_ratio:.3f}; "
        f"{report.rows:,} requests in {report.size_bytes / 2**30:.1f} GiB, filled in {report.fill_s:.0f} s"
    )
    publish(report, console, *lines, as_json=as_json, prefix="depth-")
    if check and report.ratio < RATIO_MIN:
        print(f"bench: a full journal serves {report.ratio:.2f} of an empty one's rate", file=sys.stderr)
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
