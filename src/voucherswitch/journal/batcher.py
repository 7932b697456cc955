"""Group commit: concurrent rows of one statement share one round trip and one commit (design §4).

A flush starts at once when none is in flight; rows that arrive meanwhile form the next batch. There is no timer, so an
idle switch adds no latency. When a batch fails, its rows are tried one by one, so that one bad row never fails its
neighbours; when the connection fails, the batch is sent again for a bounded time, which every statement allows: its
guards make the second run harmless, and its rows are then read back.
"""

import asyncio
from collections import deque
from collections.abc import Hashable, Sequence
from typing import Any, Final

import asyncpg
from msgspec import Struct

from voucherswitch.config.limits import JOURNAL_RECONNECT_S, JOURNAL_RETRY_PAUSE_S
from voucherswitch.journal.statements import Statement

# A connection, or the server itself, is gone or not yet there: nothing is wrong with the rows.
CONNECTION_ERRORS: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,
)


# The server answered that it cannot work: full disk, no memory, cancelled, I/O. Nothing is wrong with the rows either.
_SERVER_TROUBLE: Final = (
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
)

# What a loop that must go on waits out.
DATABASE_TROUBLE: Final = (*CONNECTION_ERRORS, *_SERVER_TROUBLE)


class JournalError(Exception):
    """A row was not written, as far as is known here."""


class JournalUnavailableError(JournalError):
    """The database cannot be reached, or its answer was lost: whether the row is durable is not known here."""


class JournalFullError(JournalError):
    """More rows wait than the queue may hold: the caller refuses while refusing is still free."""


class Row(Struct):
    """One row on its way: what its statement takes, and who waits for it."""

    key: Hashable
    values: tuple[Any, ...]
    groups: tuple[list[tuple[Any, ...]], ...]
    done: asyncio.Future[Sequence[asyncpg.Record]]


class Batcher:
    """Sends the rows of one statement in batches over connections of one pool."""

    def __init__(
        self, pool: asyncpg.Pool, statement: Statement, *, batch_max: int, queue_max: int, flushes_max: int = 1
    ) -> None:
        self._pool = pool
        self._statement = statement
        self._batch_max = batch_max
        self._queue_max = queue_max
        self._flushes_max = flushes_max
        self._waiting: deque[Row] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flushing = 0

    @property
    def waiting(self) -> int:
        """Rows that are not in a batch yet."""
        return len(self._waiting)

    def send(
        self, key: Hashable, values: tuple[Any, ...], groups: tuple[list[tuple[Any, ...]], ...] = ()
    ) -> asyncio.Future[Sequence[asyncpg.Record]]:
        """Queue one row; the future brings the records that carry its key, once they are durable.

        Raises:
            JournalFullError: the queue is at its bound; nothing was queued.
        """
        if len(self._waiting) >= self._queue_max:
            raise JournalFullError(f"{self._statement.name}: {self._queue_max} rows wait for the database")
        done: asyncio.Future[Sequence[asyncpg.Record]] = asyncio.get_running_loop().create_future()
        self._waiting.append(Row(key, values, groups, done))
        if self._flushing < self._flushes_max:
            self._start_flush()
        return done

    async def drain(self) -> None:
        """Wait until no row is waiting or in flight."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _start_flush(self) -> None:
        self._flushing += 1
        task = asyncio.create_task(self._flush_until_empty(), name=f"journal {self._statement.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _flush_until_empty(self) -> None:
        try:
            while self._waiting:
                await self._flush(self._take())
        finally:
            # In the same step as the last look at the queue: a row that comes later starts a flush of its own.
            self._flushing -= 1

    def _take(self) -> list[Row]:
        """Take the next batch: at most one row of a key, because one statement sees a key only once."""
        batch: list[Row] = []
        keys: set[Hashable] = set()
        put_back: list[Row] = []
        while self._waiting and len(batch) < self._batch_max:
            row = self._waiting.popleft()
            if row.key in keys:
                put_back.append(row)
            else:
                keys.add(row.key)
                batch.append(row)
        self._waiting.extendleft(reversed(put_back))
        return batch

    async def _flush(self, batch: list[Row]) -> None:
        try:
            records = await self._execute(batch)
        except JournalUnavailableError as error:
            for row in batch:
                _fail(row, JournalUnavailableError(str(error)))
        except Exception as error:
            if len(batch) == 1:
                trouble = isinstance(error, _SERVER_TROUBLE)
                _fail(batch[0], JournalUnavailableError(f"{type(error).__name__}: {error}") if trouble else error)
                return
            for row in batch:
                await self._flush([row])
        else:
            _resolve(batch, records)

    async def _execute(self, batch: list[Row]) -> list[asyncpg.Record]:
        """Run the statement for a batch, again after a lost connection, for at most JOURNAL_RECONNECT_S."""
        arguments = _arguments(self._statement, batch)
        loop = asyncio.get_running_loop()
        give_up = loop.time() + JOURNAL_RECONNECT_S
        while True:
            try:
                async with self._pool.acquire(timeout=JOURNAL_RECONNECT_S) as connection:
                    return await connection.fetch(self._statement.sql, *arguments)
            except CONNECTION_ERRORS as error:
                if loop.time() >= give_up:
                    raise JournalUnavailableError(f"{type(error).__name__}: {error}") from error
                await asyncio.sleep(JOURNAL_RETRY_PAUSE_S)


def _arguments(statement: Statement, batch: list[Row]) -> list[list[Any]]:
    """Turn rows into the array parameters of their statement: the columns, then each group's columns."""
    arguments: list[list[Any]] = [list(column) for column in zip(*(row.values for row in batch), strict=True)]
    for number, width in enumerate(statement.groups):
        children = [child for row in batch if row.groups for child in row.groups[number]]
        arguments.extend([list(column) for column in zip(*children, strict=True)] if children else [[]] * width)
    return arguments


def _resolve(batch: list[Row], records: list[asyncpg.Record]) -> None:
    by_key: dict[Hashable, list[asyncpg.Record]] = {}
    for record in records:
        by_key.setdefault(record[0], []).append(record)
    for row in batch:
        if not row.done.done():
            row.done.set_result(by_key.get(row.key, ()))


def _fail(row: Row, error: Exception) -> None:
    if not row.done.done():
        row.done.set_exception(error)
