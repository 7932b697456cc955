"""`python -m bench.saf`: how fast are queued advices delivered, and does a queue that stands keep another waiting?"""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from bench.progress import Bar
from bench.results import publish, told_in_one_line
from bench.saf_rounds import SafPlan, SafReport, measure_saf

RATE_MIN: Final = 3_000.0  # advices a second to one fast provider
WAIT_MAX_MS: Final = 1_000.0  # of an advice to a provider that is up, while the others' queues stand


def main(
    advices: Annotated[int, typer.Option(min=100, max=200_000, help="Queued for the provider that is up.")] = 100_000,
    standing: Annotated[int, typer.Option(min=0, help="Queued for the providers that are down, in all.")] = 1_000_000,
    sales: Annotated[int, typer.Option(min=1, help="Confirmed one by one meanwhile.")] = 30,
    check: Annotated[bool, typer.Option("--check", help="End with code 1 when a limit is not kept.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of the lines.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Where the temporary directory is made.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the temporary directory: logs and database.")] = False,
) -> None:
    """Drain a queue of confirmations; then confirm sales while nine other providers are down and hold a long queue.

    Everything as users start it: `voucherswitch up` with one worker, real sales of the sandbox, real messages.
    """
    console = Console(stderr=as_json)
    plan = SafPlan(advices=advices, standing=standing, sales=sales, folder=folder, keep=keep)
    with told_in_one_line(), Bar(console, plan.steps) as bar:
        report = measure_saf(plan, bar)
    drain, waits = report.drain, report.waits
    lines = [
        f"drain    {drain.rate:,.0f} a second: {drain.advices:,} advices in {drain.seconds:.1f} s",
        "CPU each " + ", ".join(f"{name} {cpu_us:.0f} µs" for name, cpu_us in drain.cpu_us.items()),
    ]
    if waits is not None:
        lines += [
            f"waits    p50 {waits.p50_ms:.0f} ms, longest {waits.max_ms:.0f} ms, from acceptance to delivery, while "
            f"{len(waits.down)} providers are down and hold {waits.standing:,} advices",
            "meanwhile " + ", ".join(f"{name} {busy:.0%} of a core" for name, busy in waits.busy.items()),
        ]
    publish(report, console, *lines, as_json=as_json, prefix="saf-")
    missed = missed_by(report) if check else []
    for line in missed:
        print(f"bench: {line}", file=sys.stderr)
    if missed:
        raise typer.Exit(1)


def missed_by(report: SafReport) -> list[str]:
    """What is not kept, a sentence each."""
    drain, waits = report.drain, report.waits
    found = []
    if drain.rate < RATE_MIN:
        found.append(f"{drain.rate:,.0f} advices a second were delivered, and {RATE_MIN:,.0f} is the least")
    if waits is not None and waits.max_ms >= WAIT_MAX_MS:
        found.append(f"an advice waited {waits.max_ms:,.0f} ms, and less than {WAIT_MAX_MS:,.0f} is asked for")
    return found


if __name__ == "__main__":
    typer.run(main)
