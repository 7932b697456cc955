"""`python -m bench.providers`: what a provision costs the switch by provider, in CPU time and against the sandbox's."""

import signal
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from bench.errors import BenchError
from bench.progress import Bar
from bench.provider_report import CPU_RATIO_MAX, exceeded, table_of
from bench.provider_requests import PROVIDERS
from bench.provider_rounds import DEFAULT, ProviderPlan, measure_providers, parse_providers
from bench.results import publish, told_in_one_line

QUICK_ROUNDS: Final = 1
QUICK_SECONDS: Final = 3.0
LIMITS: Final = ", ".join(f"{name} {limit:g}" for name, limit in CPU_RATIO_MAX.items())


def main(
    only: Annotated[
        str, typer.Option(help=f"Which to measure beside the sandbox, with commas between: {', '.join(PROVIDERS)}.")
    ] = ",".join(DEFAULT),
    every: Annotated[bool, typer.Option("--all", help="Measure all of them.")] = False,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each, in turns.")] = 5,
    seconds: Annotated[float, typer.Option(min=1, help="Measured seconds of one round.")] = 5.0,
    warmup: Annotated[float, typer.Option(min=0, help="Seconds of load before them.")] = 2.0,
    connections: Annotated[int, typer.Option(min=1, help="Connections of the load generator.")] = 16,
    quick: Annotated[bool, typer.Option("--quick", help="One round of 3 s each: does it work at all?")] = False,
    check: Annotated[
        bool, typer.Option("--check", help=f"End with code 1 when one costs more times the sandbox's CPU: {LIMITS}.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of the table.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Where the temporary directory is made.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the temporary directory: logs and database.")] = False,
) -> None:
    """What a provision costs the switch by provider: CPU time of its one worker, against the sandbox's."""
    console = Console(stderr=as_json)
    with told_in_one_line():
        plan = ProviderPlan(
            providers=PROVIDERS if every else parse_providers(only),
            rounds=QUICK_ROUNDS if quick else rounds,
            seconds=QUICK_SECONDS if quick else seconds,
            warmup=warmup,
            connections=connections,
            folder=folder,
            keep=keep,
        )
        if check:
            require_limited(plan)
        with Bar(console, plan.measured_s) as bar:
            report = measure_providers(plan, bar)
    publish(report, console, table_of(report), as_json=as_json, prefix="providers-")
    too_high = exceeded(report) if check else []
    for line in too_high:
        print(f"bench: {line}", file=sys.stderr)
    if too_high:
        raise typer.Exit(1)


def require_limited(plan: ProviderPlan) -> None:
    """Refuse a check that checks nothing."""
    if not CPU_RATIO_MAX.keys() & set(plan.providers):
        raise BenchError(f"--check needs a provider that has a limit: {', '.join(CPU_RATIO_MAX)}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop what we started then too
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app(prog_name="python -m bench.providers")
