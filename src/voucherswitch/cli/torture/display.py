"""What a person sees: a live line while it runs, on standard error, and tables at the end."""

import asyncio
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from voucherswitch.cli.output import lasting, print_styled, print_table
from voucherswitch.cli.torture.run import Order, Progress, Report

_REFRESH_S: Final = 0.25
_LINE_S: Final = 15  # where nobody watches: a line now and then
_SHOWN_MAX: Final = 20


@asynccontextmanager
async def shown(order: Order, progress: Progress) -> AsyncIterator[None]:
    """Show the progress while the block runs."""
    showing = asyncio.create_task(_show(order, progress))
    try:
        yield
    finally:
        showing.cancel()
        with suppress(asyncio.CancelledError):
            await showing


async def _show(order: Order, progress: Progress) -> None:
    console = Console(stderr=True, highlight=False)
    console.print(f"torture: seed {order.seed}, {order.minutes:g} min, {order.tills} tills")
    if not sys.stderr.isatty():
        while True:
            await asyncio.sleep(_LINE_S)
            console.print(_line(order, progress).plain, soft_wrap=True)
    with Live(_line(order, progress), console=console, auto_refresh=False, transient=True) as live:
        while True:
            await asyncio.sleep(_REFRESH_S)
            live.update(_line(order, progress), refresh=True)


def _line(order: Order, progress: Progress) -> Text:
    rate = progress.transactions / progress.seconds if progress.seconds else 0.0
    line = Text()
    line.append(f"{progress.phase}  ", "bold")
    line.append(f"{lasting(progress.seconds)} of {order.minutes:g} min  ")
    line.append(f"{progress.transactions:,} transactions  {rate:,.0f}/s  ")
    line.append(f"{progress.faults:,} faults  ")
    left = progress.left
    if left is not None:
        line.append(f"{left.queued:,} advices queued, {left.unknown:,} outcomes open  ")
    line.append(progress.now, "red")
    return line


def show_report(report: Report, order: Order, *, kept: bool) -> None:
    """The end of a run: figures, verdict, and where it failed the way to repeat it."""
    faults = Table.grid(padding=(0, 2))
    for kind, count in report.faults_by_kind.items():
        faults.add_row(f"{count:>6,}", kind)
    print_styled(Text(f"{report.faults:,} faults injected, {report.faults_met:,} of them met by somebody", "bold"))
    print_styled(faults)
    kinds = ", ".join(f"{count:,} {kind}s" for kind, count in report.by_kind.items())
    facts = (
        ("Transactions", f"{report.transactions:,} ({kinds}), {report.per_second:,.0f}/s"),
        ("Messages of tills", f"{report.messages:,}"),
        ("Answers", _counted(report.answers)),
        ("Vouchers issued", f"{sum(report.vouchers.values()):,} by {len(report.vouchers)} providers"),
        ("Advices", _counted(report.advices)),
        ("Listed by the switch", _counted(report.listed) or "nothing"),
        ("Open, could be asked", f"{report.unresolved_though_askable:,}"),
        ("Drained in", f"{report.drained_s:g} s; {report.left.queued:,} advices left"),
        ("Ended by themselves", f"{len(report.ended_by_themselves)} processes"),
    )
    table = Table.grid(padding=(0, 2))
    for name, value in facts:
        table.add_row(Text(name, "dim"), value)
    print_styled(Text(), table, Text())
    for end in report.ended_by_themselves[:_SHOWN_MAX]:
        print(f"  {end}")
    if report.agreed:
        print_styled(Text(f"The four books agree. Seed {report.seed}.", "bold green"))
    else:
        _show_failure(report, order)
    if kept:
        print(f"Database, logs and the tills' book are kept in {report.folder}")


def _show_failure(report: Report, order: Order) -> None:
    print_styled(Text(f"The books disagree: {len(report.differences):,} differences.", "bold red"))
    rows = [(one.rule, one.request_id, one.what) for one in report.differences[:_SHOWN_MAX]]
    print_table(("Rule", "Request", "What"), rows, empty="")
    if len(report.differences) > _SHOWN_MAX:
        print(f"{len(report.differences) - _SHOWN_MAX:,} more; --json shows them all.")
    if report.unfinished:
        print(f"{report.unfinished} tills were never told what became of their last request.")
    if report.left.queued:
        print(f"{report.left.queued} advices were not delivered in time.")
    for request_id, text in report.explanations.items():
        print_styled(Text(f"\nvoucherswitch explain {request_id}", "bold"))
        print(text)
    data_dir = shlex.quote(f"{report.folder}/data")
    print_styled(Text("\nLook further, and repeat it", "bold"))
    print(f"  voucherswitch --data-dir {data_dir} explain ID --full")
    print(f"  voucherswitch torture --minutes {order.minutes:g} --seed {order.seed} --tills {order.tills}"
          f" --think-ms {order.think_s * 1_000:g}")  # fmt: skip


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {word.lower()}" for word, count in counts.items())
