"""`python -m bench.scaling`: what more workers bring, where they wait for a provider and where the cores are full."""

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.errors import BenchError
from bench.progress import Bar
from bench.results import publish, told_in_one_line
from bench.scaling_report import tables_of
from bench.scaling_rounds import DEFAULT, ScalingPlan, measure_scaling


def main(
    workers: Annotated[str, typer.Option(help="Numbers of workers to compare, with commas between; 1 is added.")] = (
        ",".join(map(str, DEFAULT))
    ),
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each, in turns.")] = 5,
    seconds: Annotated[float, typer.Option(min=1, help="Measured seconds of one round.")] = 5.0,
    warmup: Annotated[float, typer.Option(min=1, help="Seconds of load before them.")] = 3.0,
    check: Annotated[bool, typer.Option("--check", help="End with code 1 when a limit is not kept.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of the tables.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Where the temporary directory is made.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the temporary directory: logs and databases.")] = False,
) -> None:
    """Provisions per second with one, two and four workers: a sandbox each, the same loads in turns."""
    console = Console(stderr=as_json)
    with told_in_one_line():
        plan = ScalingPlan(
            workers=parse_workers(workers), rounds=rounds, seconds=seconds, warmup=warmup, folder=folder, keep=keep
        )
        with Bar(console, plan.measured_s) as bar:
            report = measure_scaling(plan, bar)
    publish(report, console, *tables_of(report), as_json=as_json, prefix="scaling-")
    missed = report.missed if check else []
    for line in missed:
        print(f"bench: {line}", file=sys.stderr)
    if missed:
        raise typer.Exit(1)


def parse_workers(text: str) -> tuple[int, ...]:
    """Read a list of numbers of workers; one worker is always among them, and the first."""
    try:
        wanted = {int(part) for part in text.split(",") if part.strip()}
    except ValueError:
        raise BenchError(f"--workers {text!r} is not made of numbers, like 1,2,4") from None
    if not wanted or min(wanted) < 1 or max(wanted) > 64:
        raise BenchError(f"--workers {text!r}: between 1 and 64 workers each, like 1,2,4")
    return tuple(sorted({1, *wanted}))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop what we started then too
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app(prog_name="python -m bench.scaling")
