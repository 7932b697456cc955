"""The worker process: what has to happen without anybody asking for it. Several may run.

Each duty runs until it is told to stop: the sender delivers advices, the chores keep the journal in order.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeAlias

import msgspec
import structlog

from voucherswitch.catalogue.token_keys import keep_token_keys
from voucherswitch.config.limits import (
    ARCHIVE_CHECK_S,
    ARCHIVE_LOOK_AT_MAX,
    AUDIT_CHECK_S,
    LATE_ANSWERS_S,
    PARTITION_CHECK_S,
    PEOPLE_CHORE_S,
    TOKEN_CHECK_S,
    VAULT_SWEEP_S,
)
from voucherswitch.config.settings import Settings
from voucherswitch.journal import partitions
from voucherswitch.journal.archive.files import ArchiveError
from voucherswitch.journal.archive.run import ArchiveBusyError, Archiver, Policy
from voucherswitch.journal.batcher import DATABASE_TROUBLE
from voucherswitch.journal.database import own_session
from voucherswitch.journal.invariant_watch import check_recent, last_check, unresolved
from voucherswitch.journal.invariants import INVARIANTS, Connection
from voucherswitch.journal.reports import saf_queues
from voucherswitch.journal.resealing import let_newest_seal, reseal
from voucherswitch.journal.statements import SQL
from voucherswitch.memory import settle_memory
from voucherswitch.monitoring.metrics import JournalMetrics, QueueDepth, new_registry, served
from voucherswitch.people import approvals
from voucherswitch.people.audit import Event, record
from voucherswitch.people.audit.watch import WORKER, walk_hourly
from voucherswitch.people.people import Policy as PeoplePolicy
from voucherswitch.people.tidy import disable_dormant, forget_old
from voucherswitch.process import Parts, opened
from voucherswitch.saf.express import Express
from voucherswitch.saf.lanes import Lanes
from voucherswitch.saf.policy import Backoff
from voucherswitch.saf.sender import Sender, SenderLimits
from voucherswitch.security.sealed import SEALED
from voucherswitch.switch.deps import Background, Deps
from voucherswitch.switch.resolve import Patience
from voucherswitch.switch.resolver import Resolver
from voucherswitch.switch.unwritten import Unwritten

log = structlog.get_logger(__name__)

Duty: TypeAlias = Callable[[Parts, asyncio.Event], Coroutine[Any, Any, None]]  # returns soon after the event is set


async def work(settings: Settings, url: str) -> None:
    """Work until SIGTERM or SIGINT, then finish what is under way and return."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with opened(settings, url, application="worker") as parts:
        await _note_faults(parts)
        parts.catalogue.on_change(lambda _: _note_faults(parts))
        duties = [asyncio.create_task(duty(parts, stopping), name=duty.__name__) for duty in DUTIES]
        stopped = asyncio.create_task(stopping.wait(), name="stop signal")
        settle_memory()
        log.info("worker ready")
        # A duty that ends by itself has failed: then all stop, and whoever started the process starts it again.
        await asyncio.wait({*duties, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopping.set()
        async with asyncio.timeout(settings.drain_s):
            await asyncio.gather(*duties)


async def deliver_advices(parts: Parts, stopping: asyncio.Event) -> None:
    """Store-and-forward, until the stop; then what is under way is finished and the lanes are given back."""
    sender = make_sender(parts)
    sending = asyncio.create_task(sender.run(), name="sender")
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait({sending, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    sender.stop()
    await sending


def make_sender(parts: Parts) -> Sender:
    """The sender with its limits from the settings."""
    settings = parts.settings
    limits = SenderLimits(
        parallel_max=settings.saf_parallel_max,
        poll_ms=settings.saf_poll_ms,
        backoff=Backoff.of(settings),
    )
    lanes = Lanes(parts.pool, parts.worker, settings.lane_lease_s)
    return Sender(parts.journal, parts.providers, parts.gate, parts.catalogue, lanes, limits)


async def resolve_unknown(parts: Parts, stopping: asyncio.Event) -> None:
    """Find out about requests whose outcome nobody knows."""
    settings = parts.settings
    unwritten = Unwritten()
    deps = Deps(
        journal=parts.journal,
        catalogue=parts.catalogue,
        providers=parts.providers,
        gate=parts.gate,
        express=Express(parts.journal, parts.providers, parts.gate, Backoff.of(settings)),
        background=Background(),
        unwritten=unwritten,
        answer_margin_s=settings.answer_margin_s,
    )
    backoff = Backoff(settings.resolve_backoff_initial_ms, settings.resolve_backoff_max_ms)
    patience = Patience(settings.resolve_first_ms, backoff)
    await Resolver(deps, settings.resolve_parallel_max, patience).run(stopping)
    await unwritten.drain(LATE_ANSWERS_S)


async def keep_partitions(parts: Parts, stopping: asyncio.Event) -> None:
    """Make tomorrow's partition of the trace long before midnight, and drop what is over its time."""

    async def make_and_drop() -> None:
        await partitions.make_days(parts.pool)
        await partitions.drop_days(parts.pool, parts.settings.trace_days)

    await every(PARTITION_CHECK_S, make_and_drop, stopping)


async def watch_journal(parts: Parts, stopping: asyncio.Event) -> None:
    """Check the invariants every minute, one worker at a time, and tell the metrics of every worker what was found."""
    settings = parts.settings
    registry = new_registry()
    metrics = JournalMetrics(registry)

    async def watch() -> None:
        async with parts.pool.acquire() as connection:
            await check_recent(connection, settings.invariant_check_s)
            await _measure(connection, metrics)

    with served(registry, settings.worker_metrics_port, "worker_metrics_port"):
        watching = asyncio.create_task(every(settings.invariant_check_s, watch, stopping), name="invariants")
        stopped = asyncio.create_task(stopping.wait())
        await asyncio.wait({watching, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if stopping.is_set():
            watching.cancel()  # a check reads only; the next one looks at the same again
        with suppress(asyncio.CancelledError):
            await watching


async def _measure(connection: Connection, metrics: JournalMetrics) -> None:
    last = await last_check(connection)
    if last.finished_at is not None:
        broken = dict.fromkeys((invariant.name for invariant in INVARIANTS), 0)
        broken |= {one.name: len(one.rows) for one in last.broken}
        metrics.checked(broken, last.finished_at.timestamp(), (last.duration_ms or 0) / 1000)
    now = await connection.fetchval("SELECT clock_timestamp()")
    metrics.queues(
        {
            queue.provider_id: QueueDepth(
                queued=queue.queued,
                held=queue.held,
                failing=queue.failing,
                parked=queue.parked,
                oldest_s=0.0 if queue.oldest_at is None else (now - queue.oldest_at).total_seconds(),
            )
            for queue in await saf_queues(connection)
        }
    )
    metrics.unresolved(*await unresolved(connection))
    vault = await connection.fetchrow(SQL["vault_progress"], [table.name for table in SEALED])
    if vault is not None and vault["seals"] is not None:
        metrics.vault(*vault)


async def seal_anew(parts: Parts, stopping: asyncio.Event) -> None:
    """After a rotation of the vault's keys seal with the newest one, and seal anew what older ones have sealed."""

    async def rotate() -> None:
        if not parts.keys.rotating:
            return
        async with parts.pool.acquire() as connection, connection.transaction():
            if (key_id := await let_newest_seal(connection)) is not None:
                event = Event(actor=WORKER, action="key.activate", object_kind="vault_key", object_id=str(key_id))
                await record(connection, event)
                log.info("every process has the new vault key: it seals", key_id=key_id)
        await reseal(parts.pool, parts.vault, stopping)

    await every(VAULT_SWEEP_S, rotate, stopping)


async def watch_audit(parts: Parts, stopping: asyncio.Event) -> None:
    """Walk the audit trail every hour, one worker at a time, and note its head in the log."""

    async def watch() -> None:
        async with own_session(parts.pool) as connection:
            await walk_hourly(connection)

    await every(AUDIT_CHECK_S, watch, stopping)


async def keep_people(parts: Parts, stopping: asyncio.Event) -> None:
    """End what is over its time: requests nobody decided, users who have not signed in for long, old sessions."""

    async def tidy() -> None:
        async with parts.pool.acquire() as connection:
            await approvals.expire(connection)
            await disable_dormant(connection, PeoplePolicy.of(parts.settings))
            await forget_old(connection)

    await every(PEOPLE_CHORE_S, tidy, stopping)


async def keep_archive(parts: Parts, stopping: asyncio.Event) -> None:
    """Once a night take out of the journal what is closed for good; one worker of all does it."""
    settings = parts.settings
    policy = Policy(closed_days=settings.closed_days, voucher_days=settings.voucher_days)

    async def archive() -> None:
        if settings.closed_days == 0 or not await _archive_due(parts):
            return
        async with own_session(parts.pool) as connection:
            archiver = Archiver(connection, settings.archive_path, policy)
            try:
                totals = await archiver.run(look_at_max=ARCHIVE_LOOK_AT_MAX, stopping=stopping)
            except ArchiveBusyError:
                return
            except ArchiveError as error:
                log.error("not archived; everything is still in the journal", reason=str(error))
                return
        log.info("archived", **msgspec.structs.asdict(totals))

    await every(ARCHIVE_CHECK_S, archive, stopping)


async def _archive_due(parts: Parts) -> bool:
    """Whether tonight's hour has come and nobody has finished tonight's run."""
    due: bool = await parts.pool.fetchval(SQL["archive_due"], parts.settings.archive_hour)
    return due


async def every(seconds: float, chore: Callable[[], Awaitable[None]], stopping: asyncio.Event) -> None:
    """Do a chore now and then again after each pause, whatever came of it: trouble waits for the next time."""
    while not stopping.is_set():
        try:
            await chore()
        except DATABASE_TROUBLE as error:
            log.warning("chore not done; tried again later", chore=chore.__qualname__, reason=_reason(error))
        except Exception:
            # Whatever it is: a chore that fails each time must not end the worker each time, which has advices to send.
            log.exception("chore failed; tried again later", chore=chore.__qualname__)
        try:
            async with asyncio.timeout(seconds):
                await stopping.wait()
        except TimeoutError:
            pass


async def _note_faults(parts: Parts) -> None:
    """Tell operators which providers cannot be used; the connectors of the newest settings were built just before."""
    faults = parts.providers.faults
    try:
        await parts.pool.execute(SQL["note_provider_faults"], list(faults), list(faults.values()))
    except DATABASE_TROUBLE as error:
        log.warning("provider faults not noted", reason=_reason(error))


async def keep_tokens(parts: Parts, stopping: asyncio.Event) -> None:
    """Replace the keys that sign tokens in their time, and forget tokens that are over."""

    async def keep() -> None:
        async with parts.pool.acquire() as connection:
            await keep_token_keys(connection, parts.vault, parts.settings.token_key_days)
            await connection.execute(SQL["forget_tokens"])

    await every(TOKEN_CHECK_S, keep, stopping)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


DUTIES: tuple[Duty, ...] = (
    deliver_advices,
    resolve_unknown,
    keep_partitions,
    watch_journal,
    watch_audit,
    keep_people,
    keep_archive,
    keep_tokens,
    seal_anew,
)
