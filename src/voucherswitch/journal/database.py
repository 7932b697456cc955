"""Connections to PostgreSQL: one pool per process, and one-line reasons when there is none.

`DATABASE_URL` may name several hosts, a primary and its standbys: the one that may be written to is used, and found
again after a failover.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg

from voucherswitch.config.limits import (
    DATABASE_CONNECT_S,
    DATABASE_HOST_CONNECT_S,
    LOCK_TIMEOUT_S,
    POOL_CLOSE_S,
    POOL_QUERIES_MAX,
    POOL_STATEMENT_BYTES_MAX,
    POOL_STATEMENTS_MAX,
    STATEMENT_TIMEOUT_S,
)

# What keeps a connection from being made: the server, the network, or what the URL says.
_UNUSABLE: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class DatabaseError(Exception):
    """The database cannot be used. The text says why and what to do, in one line."""


class _PooledConnection(asyncpg.Connection):
    """A connection whose server has become read-only, a primary that was demoted, is not used again.

    Nothing is asked of the server when one is given back: an open transaction is rolled back as ever, and what else
    would live in a session belongs into one of its own (`own_session`). A commit shares its connection with nobody's
    settings, and a round trip after each would cost as much as the commit.
    """

    def get_reset_query(self) -> str:
        return ""

    async def reset(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncpg's own signature
        settings = self.get_settings()
        if "on" in (
            getattr(settings, "in_hot_standby", "off"),
            getattr(settings, "default_transaction_read_only", "off"),
        ):
            self.terminate()
            return
        await super().reset(timeout=timeout)


class Hosts:
    """Opens connections to the host that may be written to; tries first where the last connection was made.

    asyncpg itself knows several hosts too, but bounds the time of all together: a first host that is switched off
    would use it up, and the standby that took over would never be asked.
    """

    def __init__(self, url: str) -> None:
        self._urls = host_urls(url)

    async def __call__(self, *_: object, **options: Any) -> asyncpg.Connection:
        """Open one connection.

        Raises:
            OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError: of the last host.
        """
        if len(self._urls) == 1:
            return await _opened(self._urls[0], options)
        options |= {"timeout": DATABASE_HOST_CONNECT_S, "target_session_attrs": "read-write"}
        failure: Exception = OSError("DATABASE_URL names no host")
        for url in self._urls:
            try:
                connection = await _opened(url, options)
            except _UNUSABLE as error:
                failure = error
                continue
            self._urls = [url, *(other for other in self._urls if other != url)]
            return connection
        raise failure


async def _opened(url: str, options: dict[str, Any]) -> asyncpg.Connection:
    connection: asyncpg.Connection = await asyncpg.connect(url, **options)
    return connection


def host_urls(url: str) -> list[str]:
    """One URL for each host that a `postgresql://` URL names, in the place of a host or as `?host=`."""
    parts = urlsplit(url)
    account, at, hosts = parts.netloc.rpartition("@")
    query = dict(parse_qsl(parts.query))
    if "," in hosts:
        return [parts._replace(netloc=f"{account}{at}{host}").geturl() for host in hosts.split(",")]
    names, ports = query.get("host", "").split(","), query.get("port", "").split(",")
    if len(names) == 1:
        return [url]
    if len(ports) == 1:
        ports *= len(names)
    if len(ports) != len(names):
        raise ValueError("it names as many ports as hosts, or one for all")
    return [
        parts._replace(query=urlencode(query | {"host": host, "port": port})).geturl()
        for host, port in zip(names, ports, strict=True)
    ]


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
            connect=Hosts(url),
            connection_class=_PooledConnection,
            timeout=DATABASE_CONNECT_S,
            command_timeout=STATEMENT_TIMEOUT_S,
            max_inactive_connection_lifetime=0,
            max_queries=POOL_QUERIES_MAX,
            statement_cache_size=POOL_STATEMENTS_MAX,
            max_cacheable_statement_size=POOL_STATEMENT_BYTES_MAX,
            max_cached_statement_lifetime=0,  # else each is planned anew every five minutes
            server_settings={
                "application_name": f"voucherswitch {application}",
                "timezone": "UTC",
                # The server gives up no later than we do: what nobody waits for must not be committed much later.
                "statement_timeout": _milliseconds(STATEMENT_TIMEOUT_S),
                "lock_timeout": _milliseconds(LOCK_TIMEOUT_S),
            },
        )
        await pool
    except (*_UNUSABLE, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatabaseError(
            f"database cannot be reached: {reason}; check DATABASE_URL and that PostgreSQL is running"
        ) from error
    return pool


@asynccontextmanager
async def own_session(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
    """A connection for what lives in a session: advisory locks, settings, temporary tables. It ends with the block."""
    async with pool.acquire() as connection:
        try:
            yield connection
        finally:
            await connection.close(timeout=POOL_CLOSE_S)


async def close(pool: asyncpg.Pool) -> None:
    """Close a pool; connections that do not end by themselves are cut."""
    try:
        async with asyncio.timeout(POOL_CLOSE_S):
            await pool.close()
    except _UNUSABLE:
        pool.terminate()


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))
