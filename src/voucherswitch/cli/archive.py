"""`voucherswitch archive`: what left the journal for files, by hand and at a glance. The worker does it every night."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from voucherswitch.cli.actor import changing
from voucherswitch.cli.amounts import rand
from voucherswitch.cli.context import with_database
from voucherswitch.cli.errors import FAILED, CommandError
from voucherswitch.cli.output import JsonFlag, plain, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Callable

    import asyncpg

    from voucherswitch.config.settings import Settings
    from voucherswitch.journal.archive.find import ArchiveFile, Checked
    from voucherswitch.journal.archive.run import Totals

app = typer.Typer(help="Closed requests that left the journal for files.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def run(
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after looking at about so many requests.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Archive what is closed for good now, while everything goes on. The worker does the same every night.

    What goes is said by the settings closed_days and voucher_days. It may be interrupted at any time and goes on where
    it stopped.

    \b
    Examples:
      voucherswitch archive run
      voucherswitch archive run --limit 100000 --json
    """

    async def work(connection: "asyncpg.Connection", settings: "Settings") -> "Totals":
        from msgspec import structs

        from voucherswitch.journal.archive.run import ArchiveBusyError, Archiver, Policy

        if settings.closed_days == 0:
            raise CommandError("closed_days is 0: nothing is archived; set after how many days")
        policy = Policy(closed_days=settings.closed_days, voucher_days=settings.voucher_days)
        archiver = Archiver(connection, settings.archive_path, policy)
        total = await archiver.to_look_at()
        with _progress("Archiving", total) as advance:
            try:
                totals = await archiver.run(look_at_max=limit, progress=lambda totals: advance(totals.looked_at))
            except ArchiveBusyError as error:
                raise CommandError(f"{error}: a worker's nightly run, or another command; try again later") from None
        async with changing(connection, "job.run", "job", "archive") as change:
            change.after = structs.asdict(totals)
        return totals

    totals = with_database(work)
    if as_json:
        print_json(totals)
        return
    print(
        f"{totals.transactions} requests, {totals.advices} advices and {totals.vouchers} vouchers archived in "
        f"{totals.files} files; {totals.looked_at} requests looked at."
    )


@app.command(name="list")
def show(as_json: JsonFlag = False) -> None:
    """List the files of the archive.

    \b
    Example:
      voucherswitch archive list
    """

    async def work(connection: "asyncpg.Connection", settings: "Settings") -> "tuple[str, list[ArchiveFile]]":
        from voucherswitch.journal.archive import find

        return str(settings.archive_path), await find.manifest(connection)

    root, found = with_database(work)
    if as_json:
        print_json(
            {"directory": root, "files": [plain(file) | {"sha256": file.sha256.hex()} for file in found]},
        )
        return
    rows = [(file.archived_at, file.holds, file.rows, rand(file.cents), file.size, file.path) for file in found]
    print_table(("Archived", "Holds", ">Rows", ">Amounts", ">Bytes", "File"), rows, empty="Nothing is archived.")
    if found:
        print(f"Below {root}")


@app.command()
def verify(as_json: JsonFlag = False) -> None:
    """Read every file of the archive: is it there, unchanged, and complete? Exit code 1: one is not.

    \b
    Example:
      voucherswitch archive verify
    """

    async def work(connection: "asyncpg.Connection", settings: "Settings") -> "list[Checked]":
        from voucherswitch.journal.archive import find

        with _progress("Reading", None) as advance:
            return await find.verify(connection, settings.archive_path, advance)

    checked = with_database(work)
    wrong = [item for item in checked if item.wrong is not None]
    if as_json:
        print_json({"files": len(checked), "wrong": wrong})
    else:
        print_table(("File", "What is wrong"), [(item.path, item.wrong) for item in wrong], empty="")
        print(f"{len(checked) - len(wrong)} of {len(checked)} files are as they were written.")
    if wrong:
        raise typer.Exit(FAILED)


@contextmanager
def _progress(title: str, total: int | None) -> "Iterator[Callable[..., None]]":
    """A bar on standard error, where that is a terminal; gives what moves it: how much is done, of how much."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(title, total=total)
        yield lambda done, of=total: progress.update(task, completed=done, total=of)
