"""Who lives: every process that calls providers says so by a lease, and knows which calls it still has to end.

A call that its worker has not ended counts as running while that worker lives, however long ago its deadline was: the
answer may be on its way into the journal. What a dead worker left open is told by its lease, by the database's clock,
and is free for others. A process whose lease ran out while it lives, frozen or cut off, does no harm when it goes on:
its late answers are guarded by the states of the records.
"""

import asyncio
import math
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import Final
from uuid import UUID

import asyncpg
import structlog
from msgspec import Struct

from voucherswitch.config.limits import CALL_END_SPARE_S, FORGOTTEN_CALLS_MAX, WORKER_FORGOTTEN_S
from voucherswitch.journal.batcher import DATABASE_TROUBLE, JournalError
from voucherswitch.journal.statements import SQL
from voucherswitch.security.vault import Vault

log = structlog.get_logger(__name__)

RENEWALS_PER_LEASE: Final = 3  # a lease survives two renewals that fail


class Worker(Struct, frozen=True):
    """One process. Its number is drawn at random, so that a restored database never gives it to another one."""

    role: str
    worker_id: int
    host: str
    pid: int

    @property
    def name(self) -> str:
        """How people recognise it."""
        return f"{self.host}:{self.pid}:{self.worker_id:016x}"


def this_process(role: str) -> Worker:
    """This process, with a number of its own."""
    return Worker(role, secrets.randbits(63), socket.gethostname(), os.getpid())


class Presence:
    """The lease of one process, renewed in the background from `register` to `release`."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        worker: Worker,
        lease_s: int,
        vault: Vault,
        when_renewed: Callable[[], Awaitable[None]],
    ) -> None:
        self._pool = pool
        self._worker = worker
        self._lease_s = lease_s
        self._vault = vault
        self._when_renewed = when_renewed
        self._renewing: asyncio.Task[None] | None = None

    async def register(self) -> None:
        """Say that this process lives, and go on saying it. Without a database the process cannot start."""
        await self._renew()
        self._renewing = asyncio.create_task(self._keep_renewing(), name="worker lease")

    async def release(self) -> None:
        """Give the lease back: every call of this process has ended."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait({self._renewing})
        try:
            await self._pool.execute(SQL["release_worker"], self._worker.worker_id)
        except DATABASE_TROUBLE as error:
            log.warning("worker lease not released; it runs out by itself", reason=_reason(error))

    async def _keep_renewing(self) -> None:
        while True:
            await asyncio.sleep(self._lease_s / RENEWALS_PER_LEASE)
            try:
                await self._renew()
                await self._when_renewed()
            except (*DATABASE_TROUBLE, JournalError) as error:
                log.warning("worker lease not renewed", reason=_reason(error))
            except Exception:
                # Whatever it is, a process that lives must go on saying so.
                log.exception("worker lease not renewed")

    async def _renew(self) -> None:
        worker = self._worker
        async with self._pool.acquire() as connection:
            await connection.execute(
                SQL["renew_worker"], worker.worker_id, worker.role, worker.host, worker.pid, self._lease_s,
                sorted(self._vault.key_ids), self._vault.current,
            )  # fmt: skip
            await connection.execute(SQL["forget_workers"], WORKER_FORGOTTEN_S)


class Calls:
    """The calls that this process has begun and not ended, with the moment at which each must be over."""

    def __init__(self, worker_id: int) -> None:
        self.worker_id = worker_id
        self._over_at_s: dict[tuple[UUID, int], float] = {}

    def began(self, request_id: UUID, generation: int, call_ms: int) -> None:
        """A call of at most `call_ms` begins."""
        self._over_at_s[request_id, generation] = time.monotonic() + call_ms / 1000

    def under_way(self, request_id: UUID, generation: int) -> bool:
        """Whether a call about this record has begun here and not ended."""
        return (request_id, generation) in self._over_at_s

    def ended(self, request_id: UUID, generation: int) -> None:
        """Its end is in the journal."""
        self._over_at_s.pop((request_id, generation), None)

    def ending(self, request_id: UUID, generation: int, *, over: bool = True) -> AbstractContextManager[None]:
        """Around the write of a call's end. When that fails the call is over all the same, and its end still owed."""
        return _Ending(self, request_id, generation) if over else nullcontext()

    def failed_to_end(self, request_id: UUID, generation: int) -> None:
        """It is over, and its end is not in the journal as far as is known here."""
        if self.under_way(request_id, generation):
            self._over_at_s[request_id, generation] = -math.inf

    def forgotten(self) -> list[tuple[UUID, int]]:
        """The calls that are over and whose end nobody wrote, because the journal failed or we did."""
        long_ago_s = time.monotonic() - CALL_END_SPARE_S
        over = (key for key, over_at_s in self._over_at_s.items() if over_at_s < long_ago_s)
        return list(islice(over, FORGOTTEN_CALLS_MAX))


class _Ending:
    """`Calls.ending`. Of a class, which costs a fifth of a generator."""

    __slots__ = ("_calls", "_generation", "_request_id")

    def __init__(self, calls: Calls, request_id: UUID, generation: int) -> None:
        self._calls, self._request_id, self._generation = calls, request_id, generation

    def __enter__(self) -> None:
        return

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        if error is None:
            self._calls.ended(self._request_id, self._generation)
        else:
            self._calls.failed_to_end(self._request_id, self._generation)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
