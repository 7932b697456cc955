"""What the tests of people share."""

from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg

TABLES: Final = ("audit_event", "audit_anchor")


def named(url: str, database: str) -> str:
    """The same server's other database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


async def emptied(pool: asyncpg.Pool) -> None:
    """Forget everybody and everything they did: what only the owner of a database can do, past its guards."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(f"TRUNCATE {', '.join(TABLES)} RESTART IDENTITY")
