"""The PostgreSQL server that all of them write to: its settings, the benchmark's own databases, counts."""

import asyncio
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from bench.errors import BenchError

SETTINGS: Final = (
    "server_version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_sync_method",
    "wal_compression",
    "commit_delay",
    "shared_buffers",
    "max_wal_size",
    "max_connections",
)


class Database:
    """One database by its URL. Every call opens a connection of its own: they are few, and none is in measured time."""

    def __init__(self, url: str) -> None:
        self.url = url

    def run(self, *statements: str) -> None:
        """Execute statements, each by itself."""
        asyncio.run(self._run(statements))

    def number(self, query: str) -> int:
        """Return the one number that a query gives."""
        value = asyncio.run(self._value(query))
        assert isinstance(value, int), query
        return value

    def rows(self, query: str) -> list[tuple[int, ...]]:
        """Return the rows of numbers that a query gives."""
        return asyncio.run(self._rows(query))

    def settings(self) -> dict[str, str]:
        """Return the settings that decide what a commit costs."""
        return {name: str(asyncio.run(self._value(f"SHOW {name}"))) for name in SETTINGS}

    def make(self, name: str) -> "Database":
        """Create a database on the same server, empty; one of that name is dropped."""
        self.drop(name)
        self.run(f"CREATE DATABASE {name}")
        return Database(with_database(self.url, name))

    def checkpoint(self) -> None:
        """Write everything out, so that no contender pays for the pages of the one before it.

        A role that may not is let off: then a checkpoint falls where it falls.
        """
        with suppress(asyncpg.InsufficientPrivilegeError):
            asyncio.run(self._checkpoint())

    def drop(self, name: str) -> None:
        """Remove a database of the same server, whoever is connected to it."""
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    async def _checkpoint(self) -> None:
        connection = await self._connect()
        try:
            await connection.execute("CHECKPOINT")
        finally:
            await connection.close()

    async def _run(self, statements: tuple[str, ...]) -> None:
        connection = await self._connect()
        try:
            for statement in statements:
                await connection.execute(statement)
        except asyncpg.PostgresError as error:
            raise BenchError(f"the database refused a statement of the benchmark: {error}") from None
        finally:
            await connection.close()

    async def _value(self, query: str) -> object:
        connection = await self._connect()
        try:
            value: object = await connection.fetchval(query)
        except asyncpg.PostgresError as error:
            raise BenchError(f"the database refused a query of the benchmark: {error}") from None
        finally:
            await connection.close()
        return value

    async def _rows(self, query: str) -> list[tuple[int, ...]]:
        connection = await self._connect()
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        except asyncpg.PostgresError as error:
            raise BenchError(f"the database refused a query of the benchmark: {error}") from None
        finally:
            await connection.close()

    async def _connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        try:
            return await asyncpg.connect(self.url, timeout=10)
        except (OSError, asyncpg.PostgresError, ValueError) as error:
            raise BenchError(f"cannot connect to the database: {error}") from None


def with_database(url: str, name: str) -> str:
    """Return the URL of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def require_durable(settings: dict[str, str]) -> None:
    """Refuse a server that says "committed" before the disk has it: durable provisions are what is counted."""
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        if settings[name] == "off":
            raise BenchError(f"the database has {name} = off, so nothing measured on it would be durable")
