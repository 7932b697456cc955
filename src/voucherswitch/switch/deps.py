"""What the flows work with. Built once per process, passed to every flow."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog
from msgspec import Struct

from voucherswitch.catalogue.reload import LiveCatalogue
from voucherswitch.catalogue.snapshot import Catalogue
from voucherswitch.journal.journal import Journal
from voucherswitch.providers.gate import Gate
from voucherswitch.providers.pool import ProviderPool
from voucherswitch.saf.express import Express
from voucherswitch.switch.unwritten import Unwritten

log = structlog.get_logger(__name__)


class Background:
    """Work that goes on after its answer was sent: late answers. Drained before the process ends."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run `work`; a failure is logged with its name, because nobody waits for it."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("work after the answer failed", work=task.get_name(), exc_info=error)

    async def drain(self, within_s: float) -> None:
        """Wait for all of it; what is not done in time is given up, and its record stays as open as it is."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_s)
        for task in list(self._tasks):
            log.warning("work after the answer given up at the stop", work=task.get_name())
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Deps(Struct, frozen=True):
    """The parts that every flow may use."""

    journal: Journal
    catalogue: LiveCatalogue
    providers: ProviderPool
    gate: Gate
    express: Express
    background: Background
    unwritten: Unwritten
    answer_margin_s: float

    @property
    def snapshot(self) -> Catalogue:
        """The catalogue to decide by; take it once per request, so that one request sees one version."""
        return self.catalogue.current
