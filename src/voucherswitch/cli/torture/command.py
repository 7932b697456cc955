"""The command: options, what is shown while it runs, what is said at the end, the exit code."""

import asyncio
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from voucherswitch.cli.errors import FAILED, say
from voucherswitch.cli.output import JsonFlag, plain, print_json

if TYPE_CHECKING:
    from voucherswitch.cli.torture.run import Order, Progress, Report

_SEEDS: Final = 1_000_000


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(torture)


def torture(
    minutes: Annotated[
        float, typer.Option(min=0.1, max=24 * 60, help="How long faults are injected; the drain comes on top.")
    ] = 3.0,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Repeats the faults and what every till decides.  [default: drawn, and shown]"),
    ] = None,
    tills: Annotated[int, typer.Option(min=1, max=1_000, help="Tills that sell at once.")] = 40,
    think_ms: Annotated[int, typer.Option(min=0, max=60_000, help="Longest pause of a till between customers.")] = 300,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the directory with database, logs and the tills' book.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Try by force whether anything is ever lost.

    Starts a whole switch of its own (database, ten simulated providers and the sandbox, two switch workers, two
    workers) and lets tills sell, retry, reverse, confirm, redeem and refund through it while it is mistreated:
    connections to providers, database and tills are delayed, cut and black-holed; processes are killed and frozen;
    the database is restarted and killed; providers answer late, wrongly or not at all, and their clocks jump.

    Then the faults end, everything drains, and four books must agree to the cent: what the tills were told, the
    journal, the store-and-forward queue, and every provider's. A difference that the switch lists by itself (open,
    parked, money at risk) is none. Exit code 1: the books disagree; seed and story of a request are printed.

    It touches nothing that exists: directory and ports are its own. It needs about two cores and 1 GB of memory.

    \b
    Examples:
      voucherswitch torture
      voucherswitch torture --minutes 10 --seed 1
      voucherswitch torture --minutes 60 --json > report.json
    """
    from voucherswitch.cli.torture.run import Order, Progress

    chosen = random.SystemRandom().randrange(_SEEDS) if seed is None else seed
    order = Order(seed=chosen, minutes=minutes, tills=tills, think_s=think_ms / 1_000)
    # A short path, because the database's socket lies in it; its account, another one under root, passes through.
    folder = Path(tempfile.mkdtemp(prefix="vs-torture-", dir="/tmp"))
    folder.chmod(0o711)
    try:
        report = _run(order, folder, Progress())
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    except BaseException:
        say(f"the harness itself failed; what it left is in {folder}")
        raise
    kept = keep or not report.agreed
    if not kept:
        shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        print_json(plain(report) | {"agreed": report.agreed})
    else:
        from voucherswitch.cli.torture.display import show_report

        show_report(report, order, kept=kept)
    if not report.agreed:
        raise typer.Exit(FAILED)


def _run(order: "Order", folder: Path, progress: "Progress") -> "Report":
    import uvloop

    from voucherswitch.cli.torture.display import shown
    from voucherswitch.cli.torture.run import torture as run

    async def main() -> "Report":
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        async with shown(order, progress):
            return await run(order, folder, progress)

    try:
        return uvloop.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        sys.stdout.flush()
