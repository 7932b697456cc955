"""A migrated journal in a real PostgreSQL, and a console that reads it."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from console.console_support import Console, Rows, serving
from voucherswitch.journal.embedded import EmbeddedPostgres
from voucherswitch.journal.migrate import migrate


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedPostgres]:
    """A server of this tier's own."""
    with tempfile.TemporaryDirectory(prefix="vs-console-", dir="/tmp") as directory:
        Path(directory).chmod(0o711)  # the server's own account must reach it when tests run as root
        with EmbeddedPostgres(Path(directory) / "data") as server:
            yield server


@pytest.fixture(scope="session")
async def database_url(server: EmbeddedPostgres) -> str:
    """The URL of its migrated database."""
    await migrate(server.url)
    return server.url


@pytest.fixture(scope="session")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections for writing what the pages shall show."""
    async with asyncpg.create_pool(database_url, min_size=1, max_size=2) as pool:
        yield pool


@pytest.fixture(scope="session")
async def console(database_url: str) -> AsyncIterator[Console]:
    """A console on that database."""
    async with serving(database_url) as console:
        yield console


@pytest.fixture
async def rows(pool: asyncpg.Pool) -> Rows:
    """The journal, empty."""
    rows = Rows(pool)
    await rows.clear()
    return rows
