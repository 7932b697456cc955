"""Lanes: which of them this worker holds, and until when (design §7).

A lease is renewed long before it runs out. Its token grows with every take-over and guards each claim, so that a worker
whose lease has run out can start nothing more, whatever it believes.
"""

import time
from collections import defaultdict

import asyncpg
import structlog

from voucherswitch.config.limits import LANES_PER_PROVIDER
from voucherswitch.journal.batcher import DATABASE_TROUBLE
from voucherswitch.journal.presence import Worker
from voucherswitch.journal.statements import SQL

log = structlog.get_logger(__name__)


class Lanes:
    """The lanes of one worker."""

    def __init__(self, pool: asyncpg.Pool, worker: Worker, lease_s: int) -> None:
        self._pool = pool
        self._worker = worker
        self._lease_s = lease_s
        self._holder = worker.name
        self._tokens: dict[str, dict[int, int]] = {}  # provider -> lane -> token
        self._valid_until_s = 0.0

    @property
    def renew_every_s(self) -> float:
        """Often enough that a lease survives two renewals that fail."""
        return self._lease_s / 3

    @property
    def providers(self) -> list[str]:
        """The providers of which we hold lanes."""
        return list(self._tokens)

    def of(self, provider_id: str) -> dict[int, int]:
        """The tokens of the lanes we may work on now; none when our lease may have run out."""
        return self._tokens.get(provider_id, {}) if time.monotonic() < self._valid_until_s else {}

    async def renew(self, providers: int) -> None:
        """Renew what we hold and take our fair share of what is free, for so many providers."""
        asked_s = time.monotonic()
        try:
            async with self._pool.acquire() as connection:
                await connection.execute(SQL["make_lanes"], LANES_PER_PROVIDER)
                workers = await connection.fetchval(SQL["count_workers"], self._worker.worker_id)
                share = -(-LANES_PER_PROVIDER * max(1, providers) // workers)
                rows = await connection.fetch(SQL["lease_lanes"], self._holder, self._lease_s, share)
        except DATABASE_TROUBLE as error:
            log.warning("lanes not leased", reason=str(error) or type(error).__name__)
            return
        tokens: defaultdict[str, dict[int, int]] = defaultdict(dict)
        for row in rows:
            tokens[row["provider_id"]][row["lane"]] = row["token"]
        self._tokens = dict(tokens)
        self._valid_until_s = asked_s + self._lease_s

    async def release(self) -> None:
        """Give all lanes back, so that nobody waits for the lease to run out."""
        self._tokens = {}
        try:
            await self._pool.execute(SQL["release_lanes"], self._holder)
        except DATABASE_TROUBLE as error:
            log.warning("lanes not released; they run out by themselves", reason=str(error) or type(error).__name__)
