"""The worker process: delivers advices and keeps the journal's partitions ahead of time. Several may run."""

import asyncio
import signal

import structlog

from voucherswitch.config.limits import LEG_PARTITION_DAYS, PARTITION_CHECK_S
from voucherswitch.config.settings import Settings
from voucherswitch.journal.batcher import DATABASE_TROUBLE
from voucherswitch.journal.statements import SQL
from voucherswitch.process import Parts, opened
from voucherswitch.saf.lanes import Lanes
from voucherswitch.saf.policy import Backoff
from voucherswitch.saf.sender import Sender, SenderLimits

log = structlog.get_logger(__name__)


async def work(settings: Settings, url: str) -> None:
    """Work until SIGTERM or SIGINT, then finish what is under way and return."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with opened(settings, url, application="worker") as parts:
        await _note_faults(parts)
        parts.catalogue.on_change(lambda _: _note_faults(parts))
        sender = make_sender(parts)
        sending = asyncio.create_task(sender.run(), name="sender")
        housekeeping = asyncio.create_task(_keep_partitions(parts), name="partitions")
        stopped = asyncio.create_task(stopping.wait(), name="stop signal")
        log.info("worker ready")
        await asyncio.wait({sending, stopped}, return_when=asyncio.FIRST_COMPLETED)
        housekeeping.cancel()
        sender.stop()
        async with asyncio.timeout(settings.drain_s):
            await sending


def make_sender(parts: Parts) -> Sender:
    """The sender with its limits from the settings."""
    settings = parts.settings
    limits = SenderLimits(
        parallel_max=settings.saf_parallel_max,
        poll_ms=settings.saf_poll_ms,
        backoff=Backoff.of(settings),
    )
    lanes = Lanes(parts.pool, settings.lane_lease_s)
    return Sender(parts.journal, parts.providers, parts.catalogue, lanes, limits)


async def _note_faults(parts: Parts) -> None:
    """Tell operators which providers cannot be used; the connectors of the newest settings were built just before."""
    faults = parts.providers.faults
    try:
        await parts.pool.execute(SQL["note_provider_faults"], list(faults), list(faults.values()))
    except DATABASE_TROUBLE as error:
        log.warning("provider faults not noted", reason=str(error) or type(error).__name__)


async def _keep_partitions(parts: Parts) -> None:
    """Make tomorrow's partition of the trace long before midnight."""
    while True:
        await asyncio.sleep(PARTITION_CHECK_S)
        try:
            await parts.pool.execute("SELECT make_leg_partitions($1)", LEG_PARTITION_DAYS)
        except DATABASE_TROUBLE as error:
            log.warning("partitions not made; tried again later", reason=str(error) or type(error).__name__)
