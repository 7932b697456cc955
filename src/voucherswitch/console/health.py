"""`/health`: what a monitor asks. 200: the console can do its work. 503: it cannot.

Lanes, ages and providers that cannot be used are only told: the others serve on.
"""

import asyncio
import time
from typing import Final

import asyncpg
import msgspec
import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response

from voucherswitch.console import queries
from voucherswitch.console.reader import OtherSchemaError, Reader, UnreadableError
from voucherswitch.journal.migrate import pending

log = structlog.get_logger(__name__)

_MIGRATIONS_S_MAX: Final = 5.0

# A schema that was right stays right until a release; a probe every second need not read the revisions each time.
_MIGRATIONS_KEPT_S: Final = 30.0


class Migrations:
    """Whether the database has this release's schema. Only a good answer is remembered, and not for long."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._good_until_s = 0.0

    async def current(self) -> bool:
        """Ask the database, unless it answered yes a moment ago."""
        if time.monotonic() < self._good_until_s:
            return True
        async with asyncio.timeout(_MIGRATIONS_S_MAX):
            current = not await pending(self._url)
        if current:
            self._good_until_s = time.monotonic() + _MIGRATIONS_KEPT_S
        return current


async def health(request: Request) -> Response:
    """Tell whether the database is reachable and current, how many lanes are leased, how old the oldest queued advice
    is, which providers cannot be used and why, and which invariants the last check found broken."""
    reader: Reader = request.app.state.reader
    migrations: Migrations = request.app.state.migrations
    found: dict[str, object] = {
        "status": "failing",
        "database": "away",
        "migrations": "unknown",
        "lanes": None,
        "lanes_leased": None,
        "oldest_queued_advice_s": None,
        "provider_faults": None,
        "providers_not_asked": None,
        "invariants_checked_s_ago": None,
        "invariants_broken": None,
    }
    try:
        current = await migrations.current()
        found.update(database="reachable", migrations="current" if current else "pending")
        if current:
            async with reader.snapshot() as connection:
                row = await queries.health(connection)
            found.update(
                status="ok",
                lanes=row["lanes"],
                lanes_leased=row["lanes_leased"],
                oldest_queued_advice_s=row["oldest_queued_s"] and round(row["oldest_queued_s"], 3),
                provider_faults=msgspec.json.decode(row["faults"]),
                providers_not_asked=msgspec.json.decode(row["shut"]),
                invariants_checked_s_ago=row["invariants_checked_s"] and round(row["invariants_checked_s"], 3),
                invariants_broken=msgspec.json.decode(row["invariants_broken"]),
            )
    except OtherSchemaError:
        found["migrations"] = "pending"
    except (
        UnreadableError,
        SQLAlchemyError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        OSError,
        TimeoutError,
    ) as error:
        found["database"] = "away"
        log.warning("health: the database cannot be read", reason=type(error).__name__)
    status = 200 if found["status"] == "ok" else 503
    return Response(
        msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n", status, media_type="application/json"
    )
