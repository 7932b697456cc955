"""The resolver: looks again and again for requests whose outcome nobody knows, and resolves each (switch/resolve.py).

Runs in every worker. A record is claimed before its provider is asked, so two workers, or a worker and an originator's
retry, never ask about it at once. A provider that does not answer holds up only its own.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any
from uuid import UUID

import structlog

from voucherswitch.config.limits import LAPSED_MAX, RESOLVE_NO_WAY_MS, RESOLVE_POLL_S
from voucherswitch.journal.batcher import DATABASE_TROUBLE, JournalError
from voucherswitch.journal.records import Due
from voucherswitch.message.states import State
from voucherswitch.providers.pool import ProviderBusyError
from voucherswitch.switch.deps import Deps
from voucherswitch.switch.resolve import Patience, resolve, take_back

log = structlog.get_logger(__name__)


class Resolver:
    """Resolves what is due until it is stopped."""

    def __init__(self, deps: Deps, parallel_max: int, patience: Patience) -> None:
        self._deps = deps
        self._parallel_max = parallel_max
        self._patience = patience
        self._under_way: dict[tuple[UUID, int], str] = {}  # which requests, and at which provider
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Resolve until `stopping`, then finish what is under way, each bounded by its call's deadline."""
        while not stopping.is_set():
            try:
                await self._start_due()
                await self._take_back_lapsed()
            except (*DATABASE_TROUBLE, JournalError) as error:
                log.warning("unknown outcomes not read", reason=str(error) or type(error).__name__)
            try:
                async with asyncio.timeout(RESOLVE_POLL_S):
                    await stopping.wait()
            except TimeoutError:
                pass
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _start_due(self) -> None:
        for due in await self._deps.journal.due_resolutions(self._places()):
            key = (due.request_id, due.generation)
            if key not in self._under_way:
                self._under_way[key] = due.provider_id
                self._start(self._resolve(due), f"resolving {due.request_id}")

    def _places(self) -> dict[str, int]:
        """How many more of each provider may be asked about now; of one that an operator has paused none."""
        taken = Counter(self._under_way.values())
        return {
            provider.id: self._parallel_max - taken[provider.id]
            for provider in self._deps.snapshot.providers.values()
            if not provider.saf_paused and taken[provider.id] < self._parallel_max
        }

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _resolve(self, due: Due) -> None:
        try:
            await resolve(due, self._deps, self._patience)
        except (*DATABASE_TROUBLE, JournalError, ProviderBusyError) as error:
            log.warning("outcome not resolved", request_id=str(due.request_id), reason=str(error))
        except Exception:
            # Whatever it is, the others must go on being resolved; this one is looked at again when it is due.
            log.exception("outcome not resolved", request_id=str(due.request_id))
            self._start(self._deps.journal.postpone_resolution(due, RESOLVE_NO_WAY_MS), f"postponing {due.request_id}")
        finally:
            del self._under_way[due.request_id, due.generation]

    async def _take_back_lapsed(self) -> None:
        journal = self._deps.journal
        for request_id in await journal.lapsed_approvals(LAPSED_MAX):
            record = await journal.read(request_id)
            if record is not None and record.state is State.APPROVED:
                await take_back(record, self._deps)
