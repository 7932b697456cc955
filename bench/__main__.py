"""`python -m bench`: measure, print the table, write bench/results/<UTC time>.json."""

import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Final

import typer
from rich.console import Console

from bench import machine, matrix
from bench.charts import charts_of
from bench.contenders import Site
from bench.errors import BenchError
from bench.generator import Generator
from bench.matrix_report import SECTION, matrix_charts_of, section_of, tables_of
from bench.measurement import Measurement
from bench.page import publish_page, publish_section, write_charts
from bench.progress import Bar
from bench.report import Report, costs_of, table_of
from bench.results import publish, told_in_one_line
from bench.rounds import Plan, measure
from bench.targets import missed, require_kept_up, targets_of
from bench.targets import table_of as table_of_targets
from bench.turns import CONTENDERS, TARGET_CONNECTIONS, turns_for_targets, turns_of

ROUNDS: Final = 5
SECONDS: Final = 7.0
WARMUP: Final = 3.0
QUICK_ROUNDS: Final = 1
QUICK_SECONDS: Final = 3.0


def main(
    only: Annotated[str, typer.Option(help="Which to measure: any of a, b, c, d, with commas between.")] = "a,b,c,d",
    rounds: Annotated[
        int | None, typer.Option(min=1, help=f"Rounds of each, in turns; default {ROUNDS}, matrix {matrix.ROUNDS}.")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(min=1, help=f"Measured seconds of one round; default {SECONDS:.0f}, matrix {matrix.SECONDS:.0f}."),
    ] = None,
    warmup: Annotated[
        float | None,
        typer.Option(min=0, help=f"Seconds of load before them; default {WARMUP:.0f}, matrix {matrix.WARMUP}."),
    ] = None,
    connections: Annotated[int, typer.Option(min=1, help="Connections of the load generator.")] = 64,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes of (a) and of (b); default one per core.")
    ] = None,
    generator: Annotated[Generator, typer.Option(help="Load generator: our own, or wrk to check it.")] = Generator.OWN,
    targets: Annotated[
        bool,
        typer.Option("--targets", help=f"Measure what the targets compare: {TARGET_CONNECTIONS} connections and 1."),
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="As --targets; end with code 1 when one is missed.")] = False,
    page: Annotated[
        bool, typer.Option("--page", help="As --targets; write docs/reference/performance.md and its charts too.")
    ] = False,
    in_matrix: Annotated[
        bool,
        typer.Option(
            "--matrix", help="What else tills do, numbers of connections, slow providers; --page writes its section."
        ),
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="One round of 3 s each: does it work at all?")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of the table.")] = False,
    interface_port: Annotated[int, typer.Option(help="Port of the switch.")] = 8080,
    console_port: Annotated[int, typer.Option(help="Port of its console.")] = 8081,
    simulator_port_base: Annotated[int, typer.Option(help="First port of the simulators.")] = 9100,
    conventional_port: Annotated[int, typer.Option(help="Port of the conventional stack.")] = 8090,
    folder: Annotated[Path | None, typer.Option(help="Where the temporary directory is made.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the temporary directory: logs and database.")] = False,
    database_url: Annotated[
        str | None, typer.Option(help="Measure on this PostgreSQL server, in databases made there and removed again.")
    ] = None,
) -> None:
    """Durable provisions per second: (a) voucherswitch, (b) a conventional stack, (c) bare database, (d) bare HTTP."""
    console = Console(stderr=as_json)
    targets = targets or check or (page and not in_matrix)
    usual = (matrix.ROUNDS, matrix.SECONDS, matrix.WARMUP) if in_matrix else (ROUNDS, SECONDS, WARMUP)
    with told_in_one_line():
        if in_matrix and (targets or generator is not Generator.OWN):
            raise BenchError("--matrix is a run of its own, with the generator of its own: without --targets and wrk")
        if in_matrix:
            turns = matrix.turns_for_matrix()
        else:
            turns = turns_for_targets() if targets else turns_of(parse_only(only), connections)
        plan = Plan(
            turns=turns,
            rounds=QUICK_ROUNDS if quick else rounds or usual[0],
            seconds=QUICK_SECONDS if quick else seconds or usual[1],
            warmup=usual[2] if warmup is None else warmup,
            generator=generator,
            site=Site(
                workers=workers or machine.cores(),
                interface_port=interface_port,
                console_port=console_port,
                simulator_port_base=simulator_port_base,
                conventional_port=conventional_port,
                database_url=database_url,
            ),
            folder=folder,
            keep=keep,
        )
        told = f"{len(plan.turns)} turns, {plan.rounds} rounds: about {plan.expected_s / 60:.0f} minutes"
        console.print(told, highlight=False)
        with Bar(console, plan.measured_s) as bar:
            report, measured = measure(plan, bar)
        if targets:
            require_kept_up(measured)
            report.targets = targets_of(measured)
        if in_matrix:
            _end_matrix(report, measured, console, as_json=as_json, page=page)
            return
    shown = [table_of(report), costs_of(report)]
    shown += [table_of_targets(report.targets)] if report.targets else []
    write_charts(charts_of(report), publish(report, console, *shown, as_json=as_json))
    if page:
        publish_page(report)
    too_low = missed(report.targets) if check else []
    for line in too_low:
        print(f"bench: {line}", file=sys.stderr)
    if too_low:
        raise typer.Exit(1)


def _end_matrix(
    report: Report, measured: Mapping[str, Sequence[Measurement]], console: Console, *, as_json: bool, page: bool
) -> None:
    """Compare, tell and write what the matrix brought."""
    report.ratios_by_round = matrix.matrix_ratios(measured)
    report.ratios = {name: round(median(ratios), 3) for name, ratios in report.ratios_by_round.items()}
    charts = matrix_charts_of(report)
    write_charts(charts, publish(report, console, *tables_of(report), as_json=as_json, prefix="matrix-"))
    if page:
        publish_section(SECTION, section_of(report), charts)


def parse_only(text: str) -> tuple[str, ...]:
    """Read a list of contenders; their order is always a, b, c, d."""
    wanted = {part.strip() for part in text.split(",") if part.strip()}
    if not wanted or not wanted <= set(CONTENDERS):
        raise BenchError(f"--only {text!r} is not made of a, b, c and d, like --only a,c")
    return tuple(key for key in CONTENDERS if key in wanted)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop what we started then too
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app(prog_name="python -m bench")
