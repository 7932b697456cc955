"""How the console reads the journal: read-only snapshots from a small pool, every statement bounded in time.

The pool opens no connection before the first page needs one, so the console starts, and says what is wrong, while the
database is away.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeAlias, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy

T = TypeVar("T")
Connection: TypeAlias = asyncpg.Connection | PoolConnectionProxy

# Pages are read one after the other by a handful of people; the sale's connections are not ours to take.
CONNECTIONS_MAX: Final = 4

# A page waits this long for a free or new connection, and this long for its statements in all.
ACQUIRE_S_MAX: Final = 4.0
PAGE_S_MAX: Final = 8.0

# One statement. Less than a page may take, so that the server gives up before the page does.
STATEMENT_MS_MAX: Final = 4_000

# What asyncpg itself waits for an answer when everything else failed: a server that is frozen, a network that is gone.
_COMMAND_S_MAX: Final = 6.0


class UnreadableError(Exception):
    """The journal cannot be read now. `title` and the text are for the page; `reason` is for the log."""

    title: str
    text: str

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class DatabaseAwayError(UnreadableError):
    """No connection, or it was lost."""

    title = "The database cannot be reached"
    text = (
        "The console has no data to show. Check that PostgreSQL runs and that DATABASE_URL is right; "
        "the console's log holds the reason."
    )


class TooSlowError(UnreadableError):
    """A statement, or the page as a whole, took longer than it may."""

    title = "This takes too long"
    text = f"The database did not finish within {PAGE_S_MAX:.0f} s. Narrow the search to a day, or search by an id."


class OtherSchemaError(UnreadableError):
    """The tables are not those of this release."""

    title = "The database has another schema"
    text = "It lacks this release's migrations, or is ahead of it. Run: voucherswitch db migrate"


_AWAY: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # it takes no connections
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
)
_OTHER_SCHEMA: Final = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
)


# What counts over all transactions of an hour or a day may take, each: the rest of the page is worth more than they.
COUNTS_MS_MAX: Final = 1_500


class Reader:
    """Gives pages a snapshot of the journal, or says why there is none."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: asyncpg.Pool | None = None

    async def open(self) -> None:
        """Make the pool; connects to nothing yet."""
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=CONNECTIONS_MAX,
            timeout=ACQUIRE_S_MAX,
            command_timeout=_COMMAND_S_MAX,
            server_settings={"application_name": "voucherswitch console", "timezone": "UTC"},
        )

    async def close(self) -> None:
        """Close the connections. What still runs has had its time: it is cut off."""
        if self._pool is not None:
            self._pool.terminate()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """A connection in a read-only transaction: all statements of a page see one moment, `now()` included.

        Raises:
            UnreadableError: there is no database, it is too slow, or its schema is not ours.
        """
        try:
            async with (
                asyncio.timeout(PAGE_S_MAX) as budget,
                self._connection() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                await connection.execute(f"SET LOCAL statement_timeout = {STATEMENT_MS_MAX}")
                yield connection
        except (asyncpg.QueryCanceledError, asyncpg.SerializationError) as error:  # the latter on a standby
            raise TooSlowError(_reason(error)) from error
        except _OTHER_SCHEMA as error:
            raise OtherSchemaError(_reason(error)) from error
        except _AWAY as error:
            if isinstance(error, ValueError):
                raise  # asyncpg refused a parameter: a mistake of ours
            raise (TooSlowError if budget.expired() else DatabaseAwayError)(_reason(error)) from error

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[PoolConnectionProxy]:
        assert self._pool is not None
        try:
            connection = await self._pool.acquire(timeout=ACQUIRE_S_MAX)
        except ValueError as error:  # the URL is none that asyncpg can read
            raise DatabaseAwayError(type(error).__name__) from error  # its text may quote the password
        try:
            yield connection
        finally:
            await self._pool.release(connection)


async def if_quick(connection: Connection, read: Callable[[], Awaitable[T]]) -> T | None:
    """Read what a page can do without: None when it takes longer than COUNTS_MS_MAX. Last of a page's reads."""
    await connection.execute(f"SET LOCAL statement_timeout = {COUNTS_MS_MAX}")
    try:
        async with connection.transaction():  # a savepoint, so that giving up does not end the page's transaction
            return await read()
    except asyncpg.QueryCanceledError:
        return None


def _reason(error: BaseException) -> str:
    text = str(error).splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
