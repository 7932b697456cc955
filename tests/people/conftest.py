"""A real PostgreSQL with this release's schema: one for all tests of this folder, emptied before each."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from journal.conftest import database_url, template
from people.people_support import PRODUCTION, SANDBOX, Office, emptied, named

__all__ = ("database_url", "template")


@pytest.fixture(scope="session")
async def people_url(database_url: str, template: str) -> AsyncIterator[str]:
    """A database of this folder's own."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(f"CREATE DATABASE people_test TEMPLATE {template}")
    yield named(database_url, "people_test")
    await connection.execute("DROP DATABASE people_test WITH (FORCE)")
    await connection.close()


@pytest.fixture
async def pool(people_url: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool on it, with nobody and no event in it."""
    async with asyncpg.create_pool(
        people_url, min_size=1, max_size=6, max_inactive_connection_lifetime=0, server_settings={"timezone": "UTC"}
    ) as opened:
        await emptied(opened)
        yield opened


@pytest.fixture
async def connection(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """A connection to it."""
    async with pool.acquire() as acquired:
        yield acquired  # type: ignore[misc]  # a proxy of one


@pytest.fixture
def office(pool: asyncpg.Pool) -> Office:
    """An installation whose users need no second factor."""
    return Office(pool, SANDBOX)


@pytest.fixture
def strict(pool: asyncpg.Pool) -> Office:
    """One whose users need it, and that keeps two admins."""
    return Office(pool, PRODUCTION)
