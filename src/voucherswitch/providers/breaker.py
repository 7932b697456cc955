"""Circuit breakers: providers that fail again and again are passed over, by all processes of all machines (0017).

The state is in PostgreSQL, and each process holds a copy that it reads anew twice a second: no call asks the database.
Closed: calls go through, and each process counts failures in a row by itself. Open: nobody calls until the cool-down is
over. Then one call at a time, whoever makes it, may probe: its success closes the breaker, its failure doubles the
cool-down. Nothing here needs traffic or a timer: an open breaker only ever waits for its next probe.
"""

import asyncio
import time
from collections import defaultdict
from datetime import datetime
from typing import Final, Self

import asyncpg
import structlog
from msgspec import Struct

from voucherswitch.catalogue.store import Connection
from voucherswitch.config.limits import BREAKER_REASON_CHARS_MAX
from voucherswitch.config.settings import Settings
from voucherswitch.journal.batcher import DATABASE_TROUBLE
from voucherswitch.journal.statements import SQL
from voucherswitch.providers.verdict import Health

log = structlog.get_logger(__name__)

# What monitoring alerts on (providers/contract/alerts.py has those that a connector names).
BREAKER_OPENED: Final = "breaker_opened"
BREAKER_CLOSED: Final = "breaker_closed"


class BreakerLimits(Struct, frozen=True):
    """What an operator may set: failures in a row, and the cool-down's bounds in milliseconds."""

    failures: int
    cool_down_ms: int
    cool_down_max_ms: int
    poll_ms: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The limits an operator has set."""
        return cls(
            failures=settings.breaker_failures,
            cool_down_ms=settings.breaker_cool_down_ms,
            cool_down_max_ms=settings.breaker_cool_down_max_ms,
            poll_ms=settings.catalogue_poll_ms,
        )


class Breaker(Struct, frozen=True):
    """One provider's breaker as this process last read it. Moments are of `time.monotonic()`, in seconds."""

    version: int = 0
    opened_at: datetime | None = None
    reason: str = ""
    retry_at_s: float = 0.0
    probe_until_s: float = 0.0


NEVER_OPENED: Final = Breaker()


async def read(connection: Connection) -> dict[str, Breaker]:
    """All breakers by provider, as they are now. A provider that never failed has none: `NEVER_OPENED`."""
    rows = await connection.fetch(SQL["read_breakers"])
    now_s = time.monotonic()
    return {
        row["provider_id"]: Breaker(
            version=row["version"],
            opened_at=row["opened_at"],
            reason=row["reason"] or "",
            retry_at_s=now_s + (row["retry_ms"] or 0) / 1000,
            probe_until_s=now_s + (row["probe_ms"] or 0) / 1000,
        )
        for row in rows
    }


async def close(connection: Connection, provider_id: str) -> bool:
    """An operator knows better: send to the provider again, from all processes within a poll. False: it was closed."""
    return await connection.fetchval(SQL["close_breaker"], provider_id, None) is not None


class Breakers:
    """The breakers of all providers, as this process holds them."""

    def __init__(self, pool: asyncpg.Pool, limits: BreakerLimits) -> None:
        self._pool = pool
        self._limits = limits
        self._held: dict[str, Breaker] = {}
        self._failures: defaultdict[str, int] = defaultdict(int)
        self._writing: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def of(self, provider_id: str) -> Breaker:
        """One provider's breaker; never blocks."""
        return self._held.get(provider_id, NEVER_OPENED)

    async def start(self) -> None:
        """Read them all, then keep watching them."""
        await self.refresh()
        self._task = asyncio.create_task(self._watch(), name="breaker watch")

    async def stop(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def refresh(self) -> None:
        """Read what other processes and operators have done."""
        async with self._pool.acquire() as connection:
            found = await read(connection)
        for provider_id, breaker in found.items():
            self._hold(provider_id, breaker)

    def well(self, provider_id: str, version: int) -> None:
        """A call that began under that version of the closed breaker was answered."""
        if self.of(provider_id).version == version:
            self._failures.pop(provider_id, None)

    async def failing(self, provider_id: str, version: int, reason: str) -> None:
        """A call failed that began under that version of the closed breaker; opens it with the last one too many."""
        breaker = self.of(provider_id)
        if breaker.version != version or breaker.opened_at is not None:
            return  # it began before the breaker opened or closed, and what it met is known since
        self._failures[provider_id] += 1
        if self._failures[provider_id] < self._limits.failures or provider_id in self._writing:
            return
        self._writing.add(provider_id)
        try:
            reason = reason[:BREAKER_REASON_CHARS_MAX]
            opened = await self._changed(
                "open_breaker", provider_id, reason, self._limits.cool_down_ms, self._limits.cool_down_max_ms, version
            )
        finally:
            self._writing.discard(provider_id)
        if opened:
            log.error(
                "circuit breaker opened: provider is passed over",
                provider=provider_id,
                alert=BREAKER_OPENED,
                reason=reason,
            )

    async def claim(self, provider_id: str, for_ms: int) -> int | None:
        """Take the one probe of an open breaker; returns its token. None: too early, or another has it."""
        if provider_id in self._writing:
            return None  # of many requests at once, one asks
        self._writing.add(provider_id)
        try:
            return await self._changed("claim_probe", provider_id, for_ms)
        finally:
            self._writing.discard(provider_id)

    async def settle(self, provider_id: str, token: int, health: Health, reason: str) -> None:
        """Say what became of a probe. One whose claim was lost meanwhile changes nothing."""
        match health:
            case Health.WELL:
                if await self._changed("close_breaker", provider_id, token):
                    log.warning(
                        "circuit breaker closed: provider is asked again", provider=provider_id, alert=BREAKER_CLOSED
                    )
            case Health.FAILING:
                reason, limits = reason[:BREAKER_REASON_CHARS_MAX], self._limits
                if await self._changed(
                    "reopen_breaker", provider_id, token, reason, limits.cool_down_ms, limits.cool_down_max_ms
                ):
                    log.warning("circuit breaker stays open: the probe failed", provider=provider_id, reason=reason)
            case Health.UNTOLD:
                await self._changed("release_probe", provider_id, token)

    async def _changed(self, statement: str, *arguments: object) -> int | None:
        """Make one guarded change and hold what the database says after it, whoever won; returns our new version.

        Trouble with the database changes nothing: a claim runs out, and a count goes on with the next failure.
        """
        try:
            version: int | None = await self._pool.fetchval(SQL[statement], *arguments)
            await self.refresh()
        except DATABASE_TROUBLE as error:
            log.warning("breaker not changed", change=statement, reason=str(error) or type(error).__name__)
            return None
        return version

    def _hold(self, provider_id: str, fresh: Breaker) -> None:
        held = self.of(provider_id)
        if fresh.version < held.version:
            return  # read before what we know already
        if fresh.version != held.version:
            self._failures.pop(provider_id, None)
        self._held[provider_id] = fresh

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._limits.poll_ms / 1000)
            try:
                await self.refresh()
            except DATABASE_TROUBLE as error:
                # What we hold stays valid; the next poll tries again.
                log.warning("breakers not read", reason=str(error) or type(error).__name__)
            except Exception:
                # Whatever it is, the watch must not end: a provider that is back has to be seen.
                log.exception("breakers not read")
