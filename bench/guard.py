"""`python -m bench.guard`, or `make bench-quick`: is a provision dearer than the committed baseline says?"""

import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from bench.guard_report import ADVICE, BASELINE, LOSS_MAX, read_baseline, table_of
from bench.guard_rounds import GuardPlan, guard, measure_baseline
from bench.progress import Bar
from bench.results import encoded, publish, told_in_one_line


def main(
    update: Annotated[
        bool, typer.Option("--update", help=f"Make what is measured now the baseline, bench/{BASELINE.name}.")
    ] = False,
    tries: Annotated[int, typer.Option(min=1, help="Tries at most; one that holds is the last.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of the table.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Where the temporary directory is made.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the temporary directory: logs and database.")] = False,
) -> None:
    """Compare the CPU time of a provision with the committed baseline, in times that of the load generator."""
    console = Console(stderr=as_json)
    plan = GuardPlan(tries=tries, folder=folder, keep=keep)
    if update:
        with told_in_one_line(), Bar(console, plan.tries * plan.try_s) as bar:
            made = measure_baseline(plan, f"{datetime.now(UTC):%Y-%m-%d}", bar)
        BASELINE.write_bytes(encoded(made))
        console.print(f"Written to {BASELINE}: {msgspec.json.encode(made.ratios).decode()}", markup=False)
        return
    with told_in_one_line():
        baseline = read_baseline()
        with Bar(console, plan.try_s) as bar:
            report = guard(plan, baseline, bar)
    publish(report, console, table_of(report), as_json=as_json, prefix="quick-")
    for line in report.lost:
        print(f"bench: {line}", file=sys.stderr)
    if report.lost:
        print(f"bench: {len(report.tries)} tries, each over {LOSS_MAX:.0%}: {ADVICE}", file=sys.stderr)
        raise typer.Exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop what we started then too
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app(prog_name="python -m bench.guard")
