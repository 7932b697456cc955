"""Connections to PostgreSQL: one pool per process, and one-line reasons when there is none."""

import asyncpg

from voucherswitch.config.limits import DATABASE_CONNECT_S, STATEMENT_TIMEOUT_S


class DatabaseError(Exception):
    """The database cannot be used. The text says why and what to do, in one line."""


async def connect(url: str, *, size_max: int, application: str) -> asyncpg.Pool:
    """Open a pool of up to `size_max` connections.

    Raises:
        DatabaseError: not reachable, refused, or not a PostgreSQL URL.
    """
    try:
        pool = asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size_max,
            timeout=DATABASE_CONNECT_S,
            command_timeout=STATEMENT_TIMEOUT_S,
            max_inactive_connection_lifetime=0,
            server_settings={"application_name": f"voucherswitch {application}", "timezone": "UTC"},
        )
        await pool
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatabaseError(
            f"database cannot be reached: {reason}; check DATABASE_URL and that PostgreSQL is running"
        ) from error
    return pool
