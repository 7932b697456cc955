"""`python -m bench.capacity`: what a sale takes of cores, connections, log and disk, and the page that tells it."""

import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markdown import Markdown

from bench.capacity_measure import CapacityPlan, measure_capacity
from bench.capacity_report import page_of
from bench.generator import ROOT
from bench.progress import Bar
from bench.results import publish, told_in_one_line

PAGE: Final = ROOT / "docs" / "reference" / "capacity.md"


def main(
    seconds: Annotated[float, typer.Option(min=1, help="Measured seconds of load.")] = 20.0,
    connections: Annotated[int, typer.Option(min=1, help="Connections of the load generator.")] = 64,
    page: Annotated[bool, typer.Option("--page", help="Write docs/reference/capacity.md too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of the page.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Where the temporary directory is made.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the temporary directory: logs and database.")] = False,
) -> None:
    """Sell and confirm with one worker; tell what a sale took, and multiply it up to 10,000 a second."""
    console = Console(stderr=as_json)
    plan = CapacityPlan(seconds=seconds, connections=connections, folder=folder, keep=keep)
    with told_in_one_line(), Bar(console, plan.measured_s) as bar:
        report = measure_capacity(plan, bar)
    text = page_of(report, datetime.now(UTC))
    publish(report, console, Markdown(text), as_json=as_json, prefix="capacity-")
    if page:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop what we started then too
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app(prog_name="python -m bench.capacity")
