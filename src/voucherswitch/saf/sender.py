"""The sender: reads what is due in its lanes, sends it, writes what came of it (design §7).

Runs in the worker. Lanes keep one request's advices in order; different requests are sent in parallel, and each place
that becomes free is filled at once, so that an advice that hangs holds up nobody. One that fails waits out its own
backoff. A provider in maintenance is left alone; one whose circuit breaker is open is probed by one advice at a time,
which is a probe like any request's: its success lets requests through too.
"""

import asyncio
import time
from collections.abc import Sequence

import asyncpg
import structlog
from msgspec import Struct

from voucherswitch.catalogue.reload import LiveCatalogue
from voucherswitch.config.limits import (
    SAF_ATTEMPT_MS,
    SAF_CLAIM_SPARE_MS,
    SAF_IDLE_POLL_MAX_MS,
    SAF_LAST_WRITE_S,
)
from voucherswitch.journal.batcher import DATABASE_TROUBLE
from voucherswitch.journal.journal import Journal
from voucherswitch.journal.statements import SQL
from voucherswitch.message.outcomes import Pending, Refused
from voucherswitch.providers.gate import Gate, Ticket
from voucherswitch.providers.pool import ProviderPool
from voucherswitch.saf.delivery import Attempt, Claimed, attempt, claimed_from, deadline_in, record
from voucherswitch.saf.lanes import Lanes
from voucherswitch.saf.policy import Backoff

log = structlog.get_logger(__name__)


class SenderLimits(Struct, frozen=True):
    """What an operator may set."""

    parallel_max: int
    poll_ms: int
    backoff: Backoff


class Sender:
    """Delivers the advices of the lanes it holds until it is stopped."""

    def __init__(
        self,
        journal: Journal,
        providers: ProviderPool,
        gate: Gate,
        catalogue: LiveCatalogue,
        lanes: Lanes,
        limits: SenderLimits,
    ) -> None:
        self._journal = journal
        self._providers = providers
        self._gate = gate
        self._catalogue = catalogue
        self._lanes = lanes
        self._limits = limits
        self._stopping = asyncio.Event()
        self._services: dict[str, Service] = {}

    async def run(self) -> None:
        """Deliver until `stop`, then finish what is under way and give the lanes back."""
        serving: dict[str, asyncio.Task[None]] = {}
        while not self._stopping.is_set():
            await self._lanes.renew(len(self._catalogue.current.providers))
            for provider_id in self._lanes.providers:
                if provider_id not in serving or serving[provider_id].done():
                    serving[provider_id] = asyncio.create_task(
                        self._serve(provider_id), name=f"advices to {provider_id}"
                    )
            await self._pause(self._lanes.renew_every_s)
            # Lanes that were lost while the database was away may never be ours again; what was heard is still ours.
            idle = [service for provider_id, service in self._services.items() if serving[provider_id].done()]
            await asyncio.gather(*(service.finish() for service in idle))
        await asyncio.gather(*serving.values())
        await asyncio.gather(*(service.last() for service in self._services.values()))
        await self._lanes.release()

    def stop(self) -> None:
        """Ask `run` to end."""
        self._stopping.set()

    async def _pause(self, seconds: float) -> None:
        """Wait, but not past a stop."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    async def _serve(self, provider_id: str) -> None:
        """Deliver to one provider while we hold lanes of it. One that is down or slow keeps no other waiting."""
        service = self._services.setdefault(
            provider_id, Service(provider_id, self._journal, self._providers, self._gate, self._limits)
        )
        pause_ms = self._limits.poll_ms
        while self._lanes.of(provider_id) and not self._stopping.is_set():
            provider = self._catalogue.current.providers.get(provider_id)
            paused = provider is None or provider.saf_paused
            try:
                busy = await service.round({} if paused else self._lanes.of(provider_id), pause_ms / 1000)
                pause_ms = self._limits.poll_ms if busy else min(pause_ms * 2, SAF_IDLE_POLL_MAX_MS)
            except DATABASE_TROUBLE as error:
                reason = str(error) or type(error).__name__
                log.warning("advices not read or written", provider=provider_id, reason=reason)
                await self._pause(SAF_IDLE_POLL_MAX_MS / 1000)
            except Exception:
                # Whatever it is, this provider's advices must go on being tried.
                log.exception("advices not delivered", provider=provider_id)
                await self._pause(SAF_IDLE_POLL_MAX_MS / 1000)
        await service.finish()


class Service:
    """What is under way to one provider."""

    def __init__(
        self, provider_id: str, journal: Journal, providers: ProviderPool, gate: Gate, limits: SenderLimits
    ) -> None:
        self._provider_id = provider_id
        self._journal = journal
        self._providers = providers
        self._gate = gate
        self._limits = limits
        self._under_way: set[asyncio.Task[Attempt]] = set()
        self._unwritten: list[Attempt] = []

    async def round(self, lanes: dict[int, int], wait_s: float) -> bool:
        """Fill the free places with what is due in `lanes` (lane -> token), then wait for an end or `wait_s`.

        Returns whether anything was started or ended.
        """
        ended = await self._collect()  # first, else what is written late would be sent once more
        started = await self._start(lanes) if lanes else 0
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        elif not started:
            await asyncio.sleep(wait_s)
        return bool(ended + await self._collect()) or bool(started)

    async def finish(self) -> None:
        """Wait for what is under way, each bounded by its attempt's deadline, and write it."""
        if self._under_way:
            await asyncio.wait(self._under_way)
        try:
            await self._collect()
        except DATABASE_TROUBLE as error:
            log.warning("attempts not written", provider=self._provider_id, reason=str(error) or type(error).__name__)

    async def last(self) -> None:
        """Write what is left before the process ends, while the database may still come back."""
        give_up_s = time.monotonic() + SAF_LAST_WRITE_S
        while self._unwritten:
            await self.finish()
            if not self._unwritten or time.monotonic() >= give_up_s:
                break
            await asyncio.sleep(SAF_IDLE_POLL_MAX_MS / 1000)
        for item in self._unwritten:
            # Sent once more by the next holder, which does no harm.
            log.error(
                "result of an advice lost: the database did not come back before the stop",
                advice_id=str(item.claimed.advice_id),
                request_id=str(item.claimed.request_id),
                provider=self._provider_id,
                result=type(item.result).__name__,
            )

    async def _start(self, lanes: dict[int, int]) -> int:
        """Claim and send what is due; `claim_advices` lets through only the oldest advice of a request."""
        if self._gate.shut(self._provider_id) is not None:
            return 0
        parallel_max = 1 if self._gate.on_trial(self._provider_id) else self._limits.parallel_max
        # What cannot be written takes up places too: without the database nothing more is sent.
        places = parallel_max - len(self._under_way) - len(self._unwritten)
        if places <= 0:
            return 0
        due = await self._journal.pool.fetch(SQL["due_advices"], self._provider_id, list(lanes), places)
        deadline_s = deadline_in(SAF_ATTEMPT_MS)
        tickets = await self._enter(len(due), deadline_s)
        try:
            claimed = await self._claim(due[: len(tickets)], lanes)
            for one in claimed:
                sent = attempt(one, self._providers, deadline_s, tickets.pop())
                self._under_way.add(asyncio.create_task(sent))
        finally:
            for unused in tickets:
                await unused.give_back()
        return len(claimed)

    async def _enter(self, wanted: int, until_s: float) -> list[Ticket]:
        """Leave to send so many advices, or fewer."""
        tickets: list[Ticket] = []
        while len(tickets) < wanted and isinstance(
            ticket := await self._gate.enter(self._provider_id, until_s), Ticket
        ):
            tickets.append(ticket)
        return tickets

    async def _claim(self, due: Sequence[asyncpg.Record], lanes: dict[int, int]) -> list[Claimed]:
        """Count the attempts of what is ours to send now."""
        if not due:
            return []
        keys = [(row["request_id"], row["generation"], row["advice_id"], lanes[row["lane"]]) for row in due]
        columns = [list(column) for column in zip(*keys, strict=True)]
        rows = await self._journal.pool.fetch(SQL["claim_advices"], *columns, SAF_ATTEMPT_MS + SAF_CLAIM_SPARE_MS)
        return [claimed_from(row, self._journal) for row in rows]

    async def _collect(self) -> int:
        """Write all that has ended, in one statement."""
        ended = {task for task in self._under_way if task.done()}
        self._under_way -= ended
        attempts = [task.result() for task in ended]
        self._tell(attempts)
        self._unwritten.extend(attempts)
        if self._unwritten:
            await record(self._journal, self._unwritten, self._limits.backoff)
            self._unwritten = []
        return len(attempts)

    def _tell(self, attempts: list[Attempt]) -> None:
        """Log what operators must hear of."""
        for item in attempts:
            if isinstance(item.result, Refused):
                log.error(
                    "advice parked: the provider refused it",
                    advice_id=str(item.claimed.advice_id),
                    request_id=str(item.claimed.request_id),
                    provider=self._provider_id,
                    provider_code=item.result.provider_code,
                    alert=item.result.alert,
                )
            elif isinstance(item.result, Pending) and item.result.alert is not None:
                log.error(
                    "provider needs attention",
                    provider=self._provider_id,
                    alert=item.result.alert,
                    advice_id=str(item.claimed.advice_id),
                    reason=item.result.cause,
                )
