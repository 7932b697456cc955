"""Keeps the catalogue of a process current: it asks for the version, and reads everything only when that changed."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import structlog

from voucherswitch.catalogue.snapshot import EMPTY, Catalogue
from voucherswitch.catalogue.store import load
from voucherswitch.journal.batcher import DATABASE_TROUBLE
from voucherswitch.journal.statements import SQL

log = structlog.get_logger(__name__)

OnChange = Callable[[Catalogue], Awaitable[None]]


class LiveCatalogue:
    """The newest catalogue this process has read. `current` never blocks and never changes under a reader."""

    def __init__(self, pool: asyncpg.Pool, poll_ms: int) -> None:
        self._pool = pool
        self._poll_s = poll_ms / 1000
        self._listeners: list[OnChange] = []
        self._task: asyncio.Task[None] | None = None
        self.current: Catalogue = EMPTY

    def on_change(self, listener: OnChange) -> None:
        """Call `listener` with every new catalogue before it becomes `current`."""
        self._listeners.append(listener)

    async def start(self) -> None:
        """Read the catalogue, then keep watching it."""
        await self.refresh()
        self._task = asyncio.create_task(self._watch(), name="catalogue watch")

    async def stop(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def refresh(self) -> None:
        """Read the catalogue if its version changed."""
        async with self._pool.acquire() as connection:
            version = await connection.fetchval(SQL["catalogue_version"])
            if version == self.current.version:
                return
            fresh = await load(connection)
        for listener in self._listeners:
            await listener(fresh)
        self.current = fresh
        log.info("catalogue loaded", version=fresh.version, products=len(fresh.products))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._poll_s)
            try:
                await self.refresh()
            except DATABASE_TROUBLE as error:
                # What we hold stays valid; the next poll tries again.
                log.warning("catalogue not refreshed", reason=str(error) or type(error).__name__)
            except Exception:
                # Whatever it is, the watch must not end: an operator's next change has to be seen.
                log.exception("catalogue not refreshed")
