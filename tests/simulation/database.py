"""The database port: the journal's own SQL on a real PostgreSQL, at a virtual time, each statement at a seeded moment.

Statements run one by one on one connection, so each is atomic; what is drawn is when a statement takes effect between
its call and its answer, whether the answer is lost, and whether the connection is lost before. `clock_timestamp()` is
a function of our own, found before PostgreSQL's, that reads the virtual clock.
"""

import asyncio
import os
import tempfile
from asyncio import events
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import asyncpg

from voucherswitch.journal.embedded import EmbeddedPostgres
from voucherswitch.journal.migrate import migrate
from voucherswitch.journal.statements import SQL

T = TypeVar("T")

BROKEN: Final = "VS999"  # SQLSTATE of a guard of guards.sql
_EPOCH: Final = 1_767_225_600  # 2026-01-01 UTC, when the virtual clock would show 0
_VOLATILE: Final = ("transaction", "voucher", "voucher_lookup", "advice", "leg", "refusal", "lane", "worker")
# The catalogue is the same in every world: what reads it is read once.
_CONSTANT: Final = frozenset(
    {text for name, text in SQL.items() if name.startswith("load_")}
    | {
        SQL["catalogue_version"],
        SQL["open_restoration"],
        "SELECT make_leg_partitions($1)",
        SQL["vault_keys"],
    }
)


class Database:
    """A real PostgreSQL, driven from inside the virtual loop."""

    def __init__(self, url: str, clock: Path) -> None:
        self._loop = asyncio.new_event_loop()
        clock.write_text(_seconds(0))
        clock.chmod(0o644)
        self._clock = os.open(clock, os.O_WRONLY)
        self._told_s = -1.0
        self._constants: dict[str, Any] = {}
        self.statements = 0
        self.changes: dict[str, str] = {}  # statement -> what is run instead: how a test takes a guard away
        self.run(self._prepare(url, clock))
        self._connection: asyncpg.Connection = self.run(asyncpg.connect(url))
        self.run(self._connection.execute("SET synchronous_commit = off; SET plan_cache_mode = force_generic_plan"))

    @staticmethod
    async def _prepare(url: str, clock: Path) -> None:
        connection = await asyncpg.connect(url)
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute((files(__package__) / "clock.sql").read_text("utf-8").replace("{file}", str(clock)))
        await connection.execute(f'ALTER DATABASE "{name}" SET search_path = simulated, pg_catalog')
        await migrate(url)
        await connection.close()
        connection = await asyncpg.connect(url)
        await connection.execute((files(__package__) / "guards.sql").read_text(encoding="utf-8"))
        await connection.close()

    def run(self, work: Awaitable[T]) -> T:
        """Run something real to its end while virtual time stands still."""
        outer = events._get_running_loop()
        events._set_running_loop(None)
        try:
            return self._loop.run_until_complete(work)
        finally:
            events._set_running_loop(outer)

    def clear(self) -> None:
        """Forget the last world."""
        self._told_s = -1.0
        self.run(self._connection.execute("; ".join(f"DELETE FROM {table}" for table in _VOLATILE)))

    def statement(self, now_s: float, method: str, text: str, *arguments: Any) -> Any:
        """Run one statement at a virtual moment: `method` is fetch, fetchrow, fetchval or execute."""
        if text in _CONSTANT and text in self._constants:
            return self._constants[text]
        self.statements += 1
        if now_s != self._told_s:
            os.pwrite(self._clock, _seconds(now_s).encode(), 0)
            self._told_s = now_s
        result = self.run(getattr(self._connection, method)(self.changes.get(text, text), *arguments))
        if text in _CONSTANT:
            self._constants[text] = result
        return result

    def look(self, text: str, *arguments: Any) -> list[asyncpg.Record]:
        """Read for a check, at no time at all."""
        return list(self.run(self._connection.fetch(text, *arguments)))

    def with_connection(self, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        """Give the connection to a check of the product's own."""
        return self.run(work(self._connection))

    def close(self) -> None:
        """Close the connection."""
        self.run(self._connection.close())
        self._loop.close()
        os.close(self._clock)


def _seconds(now_s: float) -> str:
    """A moment as `clock.sql` reads it: always 17 characters."""
    return f"{_EPOCH + now_s:.6f}"


@contextmanager
def a_database() -> Iterator[Database]:
    """A database on an embedded server of its own."""
    with tempfile.TemporaryDirectory(prefix="vsw-") as directory:
        Path(directory).chmod(0o711)  # the server's own account must reach it when tests run as root
        with EmbeddedPostgres(Path(directory) / "data") as server:
            database = Database(server.url, Path(directory) / "clock")
            try:
                yield database
            finally:
                database.close()


class Wire(Protocol):
    """What becomes of one statement; the world draws it."""

    async def carry(self, method: str, text: str, arguments: Sequence[Any]) -> Any:
        """Return the statement's result, or raise what asyncpg would."""
        ...

    def at_once(self, method: str, text: str, arguments: Sequence[Any]) -> Any:
        """Run a statement of a transaction, at no time and without trouble."""
        ...


class Connection:
    """What the product uses of an asyncpg connection."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._in_transaction = False

    async def _carry(self, method: str, text: str, arguments: Sequence[Any]) -> Any:
        if self._in_transaction:
            return self._wire.at_once(method, text, arguments)
        return await self._wire.carry(method, text, arguments)

    async def fetch(self, text: str, *arguments: Any, **_: object) -> list[asyncpg.Record]:
        """All rows."""
        rows: list[asyncpg.Record] = await self._carry("fetch", text, arguments)
        return rows

    async def fetchrow(self, text: str, *arguments: Any, **_: object) -> asyncpg.Record | None:
        """The first row."""
        row: asyncpg.Record | None = await self._carry("fetchrow", text, arguments)
        return row

    async def fetchval(self, text: str, *arguments: Any, **_: object) -> Any:
        """The first column of the first row."""
        return await self._carry("fetchval", text, arguments)

    async def execute(self, text: str, *arguments: Any, **_: object) -> str:
        """The command's tag."""
        tag: str = await self._carry("execute", text, arguments)
        return tag

    async def close(self, **_: object) -> None:
        """The one real session goes on; who takes a lock of it gives it back himself."""

    @asynccontextmanager
    async def transaction(self, *, isolation: str = "", readonly: bool = False) -> AsyncIterator[None]:
        """Several reads of what does not change here, or chores: one moment, between whose statements nobody else runs.

        The one real connection serves all processes, so a transaction must not wait for anything but its statements.
        """
        if readonly:
            yield
            return
        self._in_transaction = True
        self._wire.at_once("execute", "BEGIN", ())
        try:
            yield
        except BaseException:
            self._wire.at_once("execute", "ROLLBACK", ())
            raise
        else:
            self._wire.at_once("execute", "COMMIT", ())
        finally:
            self._in_transaction = False

    def terminate(self) -> None:
        """Drop the connection; what it was given may take effect all the same."""


class _Lease:
    """A connection on its way, which is waited for in either of asyncpg's two manners."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __await__(self) -> Generator[None, None, Connection]:
        yield from asyncio.sleep(0).__await__()
        return self._connection

    async def __aenter__(self) -> Connection:
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        pass


class Pool(Connection):
    """What the product uses of an asyncpg pool."""

    def acquire(self, **_: object) -> _Lease:
        """Lend a connection; a lost one shows with its statement."""
        return _Lease(Connection(self._wire))

    async def release(self, connection: Connection, **_: object) -> None:
        """Take it back."""

    async def expire_connections(self) -> None:
        """There is none to expire: each statement's connection is drawn anew."""

    async def close(self, **_: object) -> None:
        """Nothing to close: the one real connection serves all worlds."""
