"""The sender: reads what is due in its lanes, sends it, writes what came of it (design §7).

Runs in the worker. Lanes keep one request's advices in order; different requests are sent in parallel, and each place
that becomes free is filled at once, so that an advice that hangs holds up nobody. One that fails waits out its own
backoff. A provider in maintenance is left alone; one whose circuit breaker is open is probed by one advice at a time,
which is a probe like any request's: its success lets requests through too.
"""

import asyncio
import time

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
        self._unwritten: list[Attempt] = []  # until they are durable
        self._writing: asyncio.Task[None] | None = None
        self._failure: Exception | None = None  # of a write, until somebody hears of it
        self._late = False  # a write has failed, and what it held is not written yet
        self._woken = asyncio.Event()

    async def round(self, lanes: dict[int, int], wait_s: float) -> bool:
        """Fill the free places with what is due in `lanes` (lane -> token), then wait for an end or `wait_s`.

        Returns whether anything was started or ended.
        """
        self._woken.clear()
        await self._catch_up()
        started = await self._start(lanes) if lanes else 0
        try:
            async with asyncio.timeout(wait_s):
                await self._woken.wait()
        except TimeoutError:
            return started > 0
        return True

    async def finish(self) -> None:
        """Wait for what is under way, each bounded by its attempt's deadline, and write it."""
        if self._under_way:
            await asyncio.wait(self._under_way)
        try:
            await self._catch_up()
            while self._unwritten:
                await self._written()
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
        if self._provider_id in self._providers.faults:
            return 0  # no connector: operators are told so, and thousands of attempts at nothing would help nobody
        places = self._limits.parallel_max - len(self._under_way)
        if self._gate.on_trial(self._provider_id):
            # Whoever probes claims the probe: only for something to send.
            places = 0 if self._under_way or not await self._due(lanes) else 1
        # Results are written while others are sent; as many as may be sent may wait for it, so that without the
        # database nothing more is sent.
        if places <= 0 or len(self._unwritten) >= self._limits.parallel_max:
            return 0
        deadline_s = deadline_in(SAF_ATTEMPT_MS)
        tickets = await self._enter(places, deadline_s)
        claimed: list[Claimed] = []
        try:
            if tickets:
                claimed = await self._claim(lanes, len(tickets))
            for one in claimed:
                sent = asyncio.create_task(attempt(one, self._providers, deadline_s, tickets.pop()))
                self._under_way.add(sent)
                sent.add_done_callback(self._ended)
        finally:
            for unused in tickets:
                await unused.give_back()
        return len(claimed)

    async def _due(self, lanes: dict[int, int]) -> bool:
        due: bool = await self._journal.pool.fetchval(SQL["advice_due"], self._provider_id, list(lanes))
        return due

    async def _enter(self, wanted: int, until_s: float) -> list[Ticket]:
        """Leave to send so many advices, or fewer."""
        tickets: list[Ticket] = []
        while len(tickets) < wanted and isinstance(
            ticket := await self._gate.enter(self._provider_id, until_s), Ticket
        ):
            tickets.append(ticket)
        return tickets

    async def _claim(self, lanes: dict[int, int], number: int) -> list[Claimed]:
        """Take what is ours to send now, and count its attempts."""
        rows = await self._journal.pool.fetch(
            SQL["claim_advices"],
            self._provider_id,
            list(lanes),
            list(lanes.values()),
            number,
            SAF_ATTEMPT_MS + SAF_CLAIM_SPARE_MS,
        )
        return [claimed_from(row, self._journal) for row in rows]

    def _ended(self, sent: asyncio.Task[Attempt]) -> None:
        """Have it written; what ends meanwhile is the next batch."""
        self._under_way.discard(sent)
        if sent.cancelled():  # the process is being ended by force: the claim runs out
            return
        done = sent.result()
        self._tell(done)
        self._unwritten.append(done)
        self._woken.set()
        self._begin_writing()

    def _begin_writing(self) -> "asyncio.Task[None]":
        if self._writing is None:
            self._writing = asyncio.create_task(self._write(), name=f"results of {self._provider_id}")
        return self._writing

    async def _write(self) -> None:
        """Write all that has ended, each time all of it in one statement."""
        full = False
        try:
            while self._unwritten:
                ended = self._unwritten[:]
                full = full or len(ended) >= self._limits.parallel_max
                await record(self._journal, ended, self._limits.backoff)
                del self._unwritten[: len(ended)]
            self._late = False
        except Exception as error:
            # Whatever it is, it is raised where this provider's advices are waited for.
            self._late, self._failure = True, error
        finally:
            self._writing = None
            if full or self._late:
                self._woken.set()

    async def _written(self) -> None:
        """Wait for the present write.

        Raises:
            Exception: what became of it.
        """
        await asyncio.wait({self._begin_writing()})
        self._raise_failure()

    async def _catch_up(self) -> None:
        """See that nothing is left of a write that failed: what is written too late would be sent once more.

        Raises:
            Exception: of that write, or of its repeat.
        """
        self._raise_failure()
        if self._late:
            await self._written()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _tell(self, item: Attempt) -> None:
        """Log what operators must hear of."""
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
