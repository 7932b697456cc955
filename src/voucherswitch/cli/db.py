"""`voucherswitch db`: where the database is, this release's schema, backups, and what a restored journal forgot."""

import asyncio
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from voucherswitch.cli.actor import changing
from voucherswitch.cli.context import (
    COMMAND,
    administered,
    connect,
    directory_lock,
    load_settings,
    make_data_dir,
    own_server,
    running_database,
    with_database,
)
from voucherswitch.cli.errors import CommandError, say
from voucherswitch.cli.output import JsonFlag, print_json

if TYPE_CHECKING:
    from voucherswitch.config.settings import Settings

_MEASURE_S: Final = 0.5
_YOUR_OWN: Final = "DATABASE_URL is set, and that server has its own ways to {}: see docs/operations/backup.md"

app = typer.Typer(help="The journal's database.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def url() -> None:
    """Print the connection string of the database, and nothing else.

    \b
    Example:
      psql "$(voucherswitch db url)"
    """
    print(running_database(load_settings()))


@app.command()
def migrate() -> None:
    """Bring the database to the schema of this release. Safe while the previous release is running.

    `voucherswitch up` does this by itself; the single processes only check.
    """
    settings = load_settings()
    if settings.database_url is not None:
        asyncio.run(migrated(settings.database_url))
    else:
        with own_server(settings) as own_url:
            asyncio.run(migrated(own_url))
    print("The database has the schema of this release.")


@app.command(name="grant-console")
def grant_console(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="A role of the database, made for the console alone.")],
) -> None:
    """Give a database role what the console needs and no more: it may append audit events, not change or delete any.

    Say it again after each `db migrate`. The console then runs with a DATABASE_URL that names this role.

    \b
    Example:
      voucherswitch db grant-console vs_console
    """

    async def work(connection: Any, _: "Settings") -> None:
        from voucherswitch.journal.grants import grant_console as grant

        async with changing(connection, "database.grant", "database_role", role) as change:
            change.after = {"rights": "the console's"}
            await grant(connection, role)

    with_database(work)
    print(f"Role {role} may do what the console does.")


async def migrated(database_url: str) -> None:
    """Apply what is missing, once the database is known to answer.

    Raises:
        DatabaseError: it does not.
    """
    from voucherswitch.journal.migrate import migrate as apply
    from voucherswitch.journal.migrate import newest_revision, pending

    connection = await connect(database_url)
    await connection.close()
    if await pending(database_url):
        await apply(database_url)
        connection = await connect(database_url)
        try:
            async with changing(connection, "migration.run", "database", None) as change:
                change.after = {"revision": newest_revision()}
        finally:
            await connection.close()


@app.command()
def backup(
    directory: Annotated[Path, typer.Argument(help="A new directory; nothing is overwritten.", metavar="DIR")],
) -> None:
    """Back up the embedded database while it serves, and check every byte of the copy.

    The vault key is not in the backup: keep a copy of it somewhere else. Without it a backup opens no voucher.

    \b
    Example:
      voucherswitch db backup /var/backups/voucherswitch/2026-11-23
    """
    from voucherswitch.journal.embedded import EmbeddedPostgres

    settings = load_settings()
    if settings.database_url is not None:
        raise CommandError(_YOUR_OWN.format("be backed up"))
    with administered(settings) as own_url:
        expected = asyncio.run(_size(own_url))
        with _growing("Backing up", directory, expected):
            EmbeddedPostgres(settings.data_dir).back_up(directory)
    print(f"Backed up and checked: {directory}")
    say(f"the vault key {settings.vault_key_path} is not in it: keep a copy of the key apart from the backup")


@app.command()
def restore(
    directory: Annotated[Path, typer.Argument(help="A directory that `db backup` made.", metavar="DIR")],
    log: Annotated[Path | None, typer.Option(help="Archived log segments, to go on from the backup.")] = None,
    to: Annotated[
        str | None, typer.Option(help="Stop at this moment, 2026-11-23T10:00:00+02:00; without a zone it is UTC.")
    ] = None,
) -> None:
    """Restore the embedded database from a backup, into a data directory that has none.

    The journal has then forgotten everything that came later. It is marked so, see `voucherswitch db restored`.

    \b
    Example:
      voucherswitch db restore /var/backups/voucherswitch/2026-11-23 --log /var/backups/wal --to 2026-11-23T10:00:00Z
    """
    from voucherswitch.journal.embedded import EmbeddedPostgres
    from voucherswitch.journal.embedded.backup import DATA, taken_at

    settings = load_settings()
    if settings.database_url is not None:
        raise CommandError(_YOUR_OWN.format("be restored"))
    until = None if to is None else _moment(to)
    if until is not None and log is None:
        raise CommandError("--to needs --log: a backup alone has one moment, that at which it was taken")
    taken = taken_at(directory)
    if until is not None and until < taken:
        raise CommandError(f"the backup was taken at {taken:%Y-%m-%d %H:%M:%S} UTC, later than --to: use an older one")
    make_data_dir(settings.data_dir)
    with directory_lock(settings.data_dir, COMMAND) as holder:
        if holder is not None:
            raise CommandError(f"{holder} holds {settings.data_dir}: stop it, or name another --data-dir")
        server = EmbeddedPostgres(settings.data_dir)
        with _counting("Restoring", directory / DATA) as copied:
            server.restore(directory, log, until, copied)
        with server:
            restored_to = asyncio.run(_recovered(settings, server.url, taken))
    print(f"Restored as of {restored_to:%Y-%m-%d %H:%M:%S} UTC into {settings.data_dir}")
    say("what came later is forgotten: read docs/operations/backup.md before you sell again")


@app.command()
def restored(
    to: Annotated[
        str | None, typer.Option(help="Mark that the journal was restored to this moment, with tools of your own.")
    ] = None,
    settled: Annotated[
        bool, typer.Option("--settled", help="What was forgotten is settled: unknown ids are unknown again.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """List what originators speak of and a restored journal has forgotten.

    While a restore is marked, no unknown id is told that it never was: confirmations and lookups of one hear "not known
    yet", a retry asks the provider instead of selling, a reversal is kept. All of them are listed here.

    \b
    Examples:
      voucherswitch db restored --to 2026-11-23T10:00:00Z
      voucherswitch db restored
      voucherswitch db restored --settled
    """
    from voucherswitch.journal import restoration

    if to is not None and settled:
        raise CommandError("--to begins what --settled ends: give one of them")

    async def work(connection: Any, _: "Settings") -> Any:
        if to is not None:
            async with changing(connection, "restoration.mark", "journal", None) as change:
                change.after = {"restored_to": _moment(to)}
                await restoration.mark(connection, _moment(to))
        ended = None
        if settled:
            async with changing(connection, "restoration.close", "journal", None) as change:
                gap = await restoration.open_gap(connection)
                ended = await restoration.close(connection)
                change.nothing = not ended
                change.before = None if gap is None else {"restored_to": gap.restored_to}
                change.after = {"settled": True}
        return ended, await restoration.open_gap(connection), await restoration.forgotten(connection)

    ended, gap, found = with_database(work)
    if ended is False:
        raise CommandError("no restore is marked: there is nothing to settle")
    if json:
        print_json({"gap": gap, "forgotten": found})
        return
    if gap is None:
        print("No restore is marked." if ended is None else "Settled: unknown ids are unknown again.")
        return
    print(f"The journal was restored to {gap.restored_to:%Y-%m-%d %H:%M:%S} UTC. Spoken of since, and not known:")
    for item in found:
        print(
            f"  {item.request_id}  {item.originator_id}  {item.operation}  {item.times}x  {item.last_at:%m-%d %H:%M:%S}"
        )
    if not found:
        print("  nothing")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is no moment: write it as 2026-11-23T10:00:00Z") from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if moment > datetime.now(UTC):
        raise CommandError(f"{text} is in the future")
    return moment


async def _size(url: str) -> int:
    connection = await connect(url)
    try:
        return int(await connection.fetchval("SELECT sum(pg_database_size(oid)) FROM pg_database"))
    finally:
        await connection.close()


async def _recovered(settings: "Settings", url: str, taken: datetime) -> datetime:
    """Wait until the server is through with its log, mark what it has forgotten, and try the vault key."""
    from voucherswitch.config.limits import EMBEDDED_START_S_MAX
    from voucherswitch.journal import restoration
    from voucherswitch.process import open_vault
    from voucherswitch.security.vault import VaultError

    connection = await connect(url)
    try:
        async with asyncio.timeout(EMBEDDED_START_S_MAX):
            while await connection.fetchval("SELECT pg_is_in_recovery()"):  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(_MEASURE_S)
        last = await connection.fetchval("SELECT pg_last_xact_replay_timestamp()")
        for name in ("restore_command", "recovery_target_action", "recovery_target_time"):
            await connection.execute(f"ALTER SYSTEM RESET {name}")
        restored_to: datetime = max(taken, last or taken)
        await migrated(url)  # a backup may be older than this release
        async with changing(connection, "restoration.mark", "journal", None) as change:
            change.after = {"restored_to": restored_to}
            await restoration.mark(connection, restored_to)
        try:
            await open_vault(settings, connection)
        except VaultError as error:
            say(f"{error}")
        return restored_to
    finally:
        await connection.close()


@contextmanager
def _bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar in bytes on standard error, where somebody looks at it; gives what moves it."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(title), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(title, total=max(total, 1))
        yield lambda done: progress.update(task, completed=min(done, total))


@contextmanager
def _growing(title: str, directory: Path, expected: int) -> Iterator[None]:
    """Show how far a directory has grown towards its expected size."""
    ended = threading.Event()

    def measure(moved: Callable[[int], None]) -> None:
        while not ended.wait(_MEASURE_S):
            moved(_bytes_in(directory))

    with _bar(title, expected) as moved:
        measuring = threading.Thread(target=measure, args=(moved,), daemon=True)
        measuring.start()
        try:
            yield
        finally:
            ended.set()
            measuring.join()


@contextmanager
def _counting(title: str, source: Path) -> Iterator[Callable[[str, str], object]]:
    """Show how much of a directory is copied; gives what copies one file."""
    done = 0

    with _bar(title, _bytes_in(source)) as moved:

        def copied(file: str, target: str) -> object:
            nonlocal done
            result = shutil.copy2(file, target)
            done += Path(file).stat().st_size
            moved(done)
            return result

        yield copied


def _bytes_in(directory: Path) -> int:
    """How much a directory holds; files that come and go meanwhile do not matter."""
    total = 0
    for path in directory.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total
