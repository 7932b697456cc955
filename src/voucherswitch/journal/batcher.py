"""Group commit: concurrent rows of one statement share one round trip and one commit (design §4).

A flush starts at once when none is in flight; rows that arrive meanwhile form the next batch. There is no timer, so an
idle switch adds no latency. When a batch fails, its rows are tried one by one, so that one bad row never fails its
neighbours. When the database fails, the batch is sent again, which every statement allows: its guards make the second
run harmless, and its rows are then read back. A row waits for all of this JOURNAL_WAIT_S at most.
"""

import asyncio
from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import asyncpg
from msgspec import Struct

from voucherswitch.config.limits import JOURNAL_RETRY_PAUSE_S, JOURNAL_WAIT_S
from voucherswitch.journal.statements import LEGS_EACH, Statement, batch_size

# A connection, or the server itself, is gone or not yet there: nothing is wrong with the rows.
CONNECTION_ERRORS: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,
)

# Somebody else holds what the statement needs, or it lost a deadlock: alone, and a moment later, it may get it.
CONTENTION_ERRORS: Final = (
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
)

# The server answered that it cannot work: full disk, no memory, I/O. Nothing is wrong with the rows either.
_SERVER_TROUBLE: Final = (
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
)

# What a loop that must go on waits out.
DATABASE_TROUBLE: Final = (*CONNECTION_ERRORS, *CONTENTION_ERRORS, *_SERVER_TROUBLE)


class JournalError(Exception):
    """A row was not written, as far as is known here."""


class JournalUnavailableError(JournalError):
    """The database cannot be reached, or its answer was lost: whether the row is durable is not known here."""


class JournalFullError(JournalError):
    """More rows wait than the queue may hold: the caller refuses while refusing is still free."""


@contextmanager
def unbatched() -> Iterator[None]:
    """Around a statement that shares no commit: trouble of the database is the same error as for one that does."""
    try:
        yield
    except DATABASE_TROUBLE as error:
        raise JournalUnavailableError(_told(error)) from error


class Row(Struct):
    """One row on its way: what its statement takes, who waits for it, and until when by the loop's clock."""

    key: Hashable
    values: tuple[Any, ...]
    groups: tuple[list[tuple[Any, ...]], ...]
    done: asyncio.Future[Sequence[asyncpg.Record]]
    give_up_s: float


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
        self._held_up: deque[Row] = deque()  # rows that waited for a lock: one at a time, beside all others
        self._tasks: set[asyncio.Task[None]] = set()
        self._flushing = 0
        self._following_up = False

    @property
    def waiting(self) -> int:
        """Rows that are not in a batch yet."""
        return len(self._waiting) + len(self._held_up)

    def send(
        self, key: Hashable, values: tuple[Any, ...], groups: tuple[list[tuple[Any, ...]], ...] = ()
    ) -> asyncio.Future[Sequence[asyncpg.Record]]:
        """Queue one row; the future brings the records that carry its key, once they are durable.

        Raises:
            JournalFullError: the queue is at its bound; nothing was queued.
        """
        if self.waiting >= self._queue_max:
            raise JournalFullError(f"{self._statement.name}: {self._queue_max} rows wait for the database")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Sequence[asyncpg.Record]] = loop.create_future()
        self._waiting.append(Row(key, values, groups, done, loop.time() + JOURNAL_WAIT_S))
        if self._flushing < self._flushes_max:
            self._flushing += 1
            self._start(self._flush_until_empty())
        return done

    async def drain(self) -> None:
        """Wait until no row is waiting or in flight."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work, name=f"journal {self._statement.name}")
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
        most = batch_size(self._statement, min(len(self._waiting), self._batch_max))
        while self._waiting and len(batch) < most:
            row = self._waiting.popleft()
            if row.key in keys:
                put_back.append(row)
            else:
                keys.add(row.key)
                batch.append(row)
        self._waiting.extendleft(reversed(put_back))
        return batch

    async def _flush(self, batch: list[Row]) -> None:
        """Write a batch, again while the database fails, until none of its rows may wait any longer."""
        reason = "the rows before it took too long"
        while batch := _in_time(batch, reason):
            try:
                _resolve(batch, await self._attempt(batch))
                return
            except CONTENTION_ERRORS as error:
                if len(batch) == 1:
                    self._hold_up(batch[0])
                    return
                reason = _told(error)
                break
            except DATABASE_TROUBLE as error:
                reason = _told(error)
                await asyncio.sleep(JOURNAL_RETRY_PAUSE_S)
            except Exception as error:
                if len(batch) == 1:
                    _fail(batch[0], error)
                    return
                break
        for row in batch:
            await self._flush([row])

    def _hold_up(self, row: Row) -> None:
        """Put a row aside that somebody else's lock holds up, so that it holds up nobody."""
        self._held_up.append(row)
        if not self._following_up:
            self._following_up = True
            self._start(self._follow_up())

    async def _follow_up(self) -> None:
        """Try the rows that were held up, in turn, until each is written or out of time."""
        try:
            while self._held_up:
                row = self._held_up.popleft()
                reason = "somebody else holds its lock"
                if not _in_time([row], reason):
                    continue
                try:
                    _resolve([row], await self._attempt([row]))
                except DATABASE_TROUBLE as error:
                    if _in_time([row], _told(error)):
                        self._held_up.append(row)
                        await asyncio.sleep(JOURNAL_RETRY_PAUSE_S)
                except Exception as error:
                    _fail(row, error)
        finally:
            self._following_up = False

    async def _attempt(self, batch: list[Row]) -> list[asyncpg.Record]:
        """Run the statement once, no longer than the batch may wait. A connection that failed is not used again."""
        sql, arguments = form_of(self._statement, [(row.values, row.groups) for row in batch])
        give_up_s = min(row.give_up_s for row in batch)
        async with asyncio.timeout_at(give_up_s):
            connection = await self._pool.acquire()
        try:
            async with asyncio.timeout_at(give_up_s):
                records: list[asyncpg.Record] = await connection.fetch(sql, *arguments)
        except TimeoutError:
            # Often the network is gone without a word: what is idle in the pool would hang as well.
            await self._pool.expire_connections()
            connection.terminate()
            raise
        except CONNECTION_ERRORS:
            connection.terminate()
            raise
        finally:
            await self._pool.release(connection, timeout=JOURNAL_WAIT_S)
        return records


def _in_time(batch: list[Row], reason: str) -> list[Row]:
    """The rows that may still wait; the others are told that nobody knows."""
    now_s = asyncio.get_running_loop().time()
    for row in batch:
        if row.give_up_s <= now_s:
            _fail(row, JournalUnavailableError(f"not written within {JOURNAL_WAIT_S:g} s: {reason}"))
    return [row for row in batch if row.give_up_s > now_s]


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


_Batch: TypeAlias = Sequence[tuple[tuple[Any, ...], tuple[list[tuple[Any, ...]], ...]]]


def form_of(statement: Statement, batch: _Batch) -> tuple[str, list[Any]]:
    """Choose the cheapest text of a statement that writes these rows, with its arguments."""
    several = statement.several.get(len(batch))
    if several is not None and all(len(children) == LEGS_EACH for _, groups in batch for children in groups):
        arguments = [value for values, _ in batch for value in values]
        for number in range(len(statement.groups)):
            arguments += [value for _, groups in batch for child in groups[number] for value in child]
        return several, arguments
    if statement.alone is not None and len(batch) == 1:
        return statement.alone, [*batch[0][0], *children_of(statement, batch)]
    return statement.sql, arguments_of(statement, batch)


def arguments_of(statement: Statement, batch: _Batch) -> list[Any]:
    """Turn rows into the array parameters of their statement: the columns, then each group's columns."""
    columns = zip(*(values for values, _ in batch), strict=True)
    return [*map(list, columns), *children_of(statement, batch)]


def children_of(statement: Statement, batch: _Batch) -> list[list[Any]]:
    """Turn the groups of rows into array parameters, one for each of a group's columns."""
    arguments: list[list[Any]] = []
    for number, width in enumerate(statement.groups):
        children = [child for _, groups in batch if groups for child in groups[number]]
        arguments.extend(map(list, zip(*children, strict=True)) if children else ([] for _ in range(width)))
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
