"""What commands stand on: the settings, the database they speak to, and the lock on the data directory.

A command finds the database by DATABASE_URL or by the data directory. Where no server runs on the directory, an
administration command starts one for its own duration; processes and `up` have rules of their own.
"""

import asyncio
import fcntl
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from voucherswitch.cli.errors import CommandError

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.config.settings import Settings

Result = TypeVar("Result")

LOCK_FILE: Final = "voucherswitch.lock"
UP: Final = "voucherswitch up"
UP_ELSEWHERE: Final = "voucherswitch up with a DATABASE_URL"
COMMAND: Final = "another command"

# How long a command waits for another one that is just starting or stopping the database of its directory.
_OTHERS_S_MAX: Final = 60
_POLL_S: Final = 0.05


def load_settings(**arguments: Any) -> "Settings":
    """Read the settings; an argument that is None was not given.

    Raises:
        SettingsError: one is wrong.
    """
    from voucherswitch.config.settings import Settings

    return Settings(**{name: value for name, value in arguments.items() if value is not None})


@contextmanager
def administered(settings: "Settings") -> Iterator[str]:
    """The URL of the database for an administration command.

    Raises:
        CommandError: there is none.
        EmbeddedPostgresError: there is one, and it cannot be started.
    """
    if settings.database_url is not None:
        yield settings.database_url
        return
    if not (settings.data_dir / "postgres" / "data").is_dir():
        raise CommandError(
            f"there is no database in {settings.data_dir}: run voucherswitch up first, name another --data-dir, or set "
            "DATABASE_URL"
        )
    with own_server(settings) as url:
        yield url


@contextmanager
def own_server(settings: "Settings") -> Iterator[str]:
    """The embedded server: the running one, or one for as long as this lasts."""
    from voucherswitch.journal.embedded import EmbeddedPostgres

    server = EmbeddedPostgres(settings.data_dir)
    make_data_dir(settings.data_dir)
    deadline = time.monotonic() + _OTHERS_S_MAX
    while True:
        with directory_lock(settings.data_dir, COMMAND) as holder:
            if holder is None:
                with server:
                    yield server.url
                return
        if holder == UP and server.running:
            yield server.url
            return
        if holder == UP_ELSEWHERE:
            raise CommandError(f"{holder} holds {settings.data_dir}: set the same DATABASE_URL for this command")
        # Another command's server ends with that command, and one of `up` may be just starting or stopping.
        if time.monotonic() > deadline:
            raise CommandError(
                f"the database in {settings.data_dir} is held by {holder} and does not become free; end that first"
            )
        time.sleep(_POLL_S)


def running_database(settings: "Settings") -> str:
    """The URL of the database for a process of its own, which never starts a server.

    Raises:
        CommandError: no server runs.
    """
    if settings.database_url is not None:
        return settings.database_url
    from voucherswitch.journal.embedded import EmbeddedPostgres

    server = EmbeddedPostgres(settings.data_dir)
    if not server.running:
        raise CommandError(f"no database: set DATABASE_URL, or let voucherswitch up run the one in {settings.data_dir}")
    return server.url


def make_data_dir(data_dir: Path) -> None:
    """Make the data directory, for its owner only.

    Raises:
        CommandError: something else is there, or it cannot be made.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise CommandError(f"{data_dir} is not a directory: move it away, or name another --data-dir") from None
    except OSError as error:
        raise CommandError(f"{data_dir} cannot be made: {error.strerror}; name another --data-dir") from None


@contextmanager
def directory_lock(data_dir: Path, holder: str) -> Iterator[str | None]:
    """Hold the data directory; gives None, or who holds it already.

    The kernel releases the lock when its holder dies, however it dies.
    """
    with (data_dir / LOCK_FILE).open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            yield file.read().strip() or COMMAND
            return
        file.truncate(0)
        file.write(f"{holder}\n")
        file.flush()
        try:
            yield None
        finally:
            with suppress(OSError):
                file.truncate(0)


def with_database(work: "Callable[[asyncpg.Connection, Settings], Awaitable[Result]]") -> Result:
    """Run one command's work on a connection of its own; how every administration command reaches the database."""
    settings = load_settings()
    with administered(settings) as url:
        return asyncio.run(_connected(url, lambda connection: work(connection, settings)))


async def _connected(url: str, work: "Callable[[asyncpg.Connection], Awaitable[Result]]") -> Result:
    connection = await connect(url)
    try:
        return await work(connection)
    finally:
        await connection.close()


async def connect(url: str) -> "asyncpg.Connection":
    """Open one connection.

    Raises:
        DatabaseError: not reachable, refused, or not a PostgreSQL URL.
    """
    import asyncpg

    from voucherswitch.config.limits import DATABASE_CONNECT_S
    from voucherswitch.journal.database import DatabaseError, Hosts

    try:
        return await Hosts(url)(
            timeout=DATABASE_CONNECT_S,
            command_timeout=_OTHERS_S_MAX,
            server_settings={"application_name": "voucherswitch command", "timezone": "UTC"},
        )
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatabaseError(
            f"database cannot be reached: {reason}; check DATABASE_URL and that PostgreSQL is running"
        ) from error


async def check_database(url: str) -> None:
    """See that the database answers and has our migrations.

    Raises:
        DatabaseError: one line that says what is wrong.
    """
    from voucherswitch.journal.database import DatabaseError
    from voucherswitch.journal.migrate import pending

    connection = await connect(url)
    await connection.close()
    if await pending(url):
        raise DatabaseError("the database lacks this release's migrations; run: voucherswitch db migrate")
