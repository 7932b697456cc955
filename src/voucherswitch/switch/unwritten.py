"""Outcomes that this process knows and the database could not take (interface.md §5.4).

The originator was told 500: its outcome is unknown to it. Ours is known, and is written as a late answer as soon as the
database is back. A record that somebody else decided meanwhile stays as it is: the journal's guards see to that, so it
does no harm either if the first write was durable and only its answer was lost.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any

import structlog
from msgspec import Struct

from voucherswitch.config.limits import UNWRITTEN_BATCH_MAX, UNWRITTEN_OUTCOMES_MAX, UNWRITTEN_PAUSE_S
from voucherswitch.journal.batcher import JournalError

log = structlog.get_logger(__name__)


class Kept(Struct, frozen=True):
    """One outcome. `write` may run more than once; `facts` is all that an operator needs to settle it, never a PIN."""

    write: Callable[[], Awaitable[None]]
    facts: dict[str, Any]


class Unwritten:
    """The outcomes of one process that are not durable yet, oldest first."""

    def __init__(self, *, kept_max: int = UNWRITTEN_OUTCOMES_MAX) -> None:
        self._kept_max = kept_max
        self._kept: deque[Kept] = deque()
        self._writing: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, kept: Kept, reason: str) -> None:
        """Keep an outcome and write it later. Logged at once: whatever becomes of this process, its log has it."""
        if len(self._kept) >= self._kept_max:
            log.error("outcome lost: too many wait for the database", reason=reason, **kept.facts)
            return
        log.error("outcome not written; kept until the database is back", reason=reason, **kept.facts)
        self._kept.append(kept)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="unwritten outcomes")

    async def drain(self, within_s: float) -> None:
        """Wait until all is written, for so long at most; what is left then is for the resolver and for operators."""
        if self._writing is None:
            return
        await asyncio.wait({self._writing}, timeout=within_s)
        self._writing.cancel()
        for kept in self._kept:
            log.error("outcome lost: the database did not come back before the stop", **kept.facts)

    async def _write(self) -> None:
        """Write the oldest, and again those that fail, until none is left."""
        while self._kept:
            batch = list(islice(self._kept, UNWRITTEN_BATCH_MAX))
            results = await asyncio.gather(*(kept.write() for kept in batch), return_exceptions=True)
            left = [kept for kept, result in zip(batch, results, strict=True) if _again(kept, result)]
            for _ in batch:
                self._kept.popleft()
            self._kept.extendleft(reversed(left))
            if left:
                await asyncio.sleep(UNWRITTEN_PAUSE_S)


def _again(kept: Kept, result: BaseException | None) -> bool:
    """Whether it has to be tried again. What fails for another reason than the database would fail for ever."""
    if isinstance(result, JournalError):
        return True
    if result is None:
        log.info("kept outcome written", **kept.facts)
    else:
        log.error("outcome lost: it cannot be written", **kept.facts, exc_info=result)
    return False
