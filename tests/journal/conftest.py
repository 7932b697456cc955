"""A real PostgreSQL for the tests of this folder."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from voucherswitch.journal.embedded import EmbeddedPostgres
from voucherswitch.journal.migrate import migrate


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """The URL of an empty database on a server of its own."""
    with tempfile.TemporaryDirectory(prefix="vsw-") as directory:
        Path(directory).chmod(0o711)  # the server's own account must reach it when tests run as root
        with EmbeddedPostgres(Path(directory) / "data") as server:
            yield server.url


@pytest.fixture(scope="session")
async def template(database_url: str) -> str:
    """The name of a database with this release's schema, to be copied."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE DATABASE journal_template")
    await connection.close()
    await migrate(_named(database_url, "journal_template"))
    return "journal_template"


@pytest.fixture
async def journal_url(database_url: str, template: str) -> AsyncIterator[str]:
    """The URL of an empty journal of one test's own."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(f"CREATE DATABASE journal_test TEMPLATE {template}")
    yield _named(database_url, "journal_test")
    await connection.execute("DROP DATABASE journal_test WITH (FORCE)")
    await connection.close()


@pytest.fixture
async def journal_pool(journal_url: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool on an empty journal of one test's own."""
    async with asyncpg.create_pool(
        journal_url, min_size=1, max_size=6, max_inactive_connection_lifetime=0, server_settings={"timezone": "UTC"}
    ) as pool:
        yield pool


def _named(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))
