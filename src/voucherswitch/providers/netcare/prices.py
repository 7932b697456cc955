"""Netcare's price list as the connector keeps it: for 15 minutes, and asked for once however many sales wait for it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import Declined, NotSent, OutcomeUnknown
from voucherswitch.providers.contract.connector import Call
from voucherswitch.providers.netcare.translate import Catalogue

KEPT_S: Final = 15 * 60  # providers.md 2.5

Asked: TypeAlias = Catalogue | Declined | NotSent | OutcomeUnknown


class PriceList:
    """The catalogue, as old as the protocol allows.

    Args:
        ask: asks Netcare; its legs go to the trace of the call that happens to ask.
        ticks: seconds that only go forward.
    """

    def __init__(self, ask: Callable[[Call], Awaitable[Asked]], ticks: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._ticks = ticks
        self._one_at_a_time = asyncio.Lock()
        self._asked = 0
        self._kept: Catalogue | None = None
        self._kept_until = 0.0
        self._failure: NotSent | None = None

    def forget(self) -> None:
        """The next sale asks again: Netcare has just said something else than its catalogue."""
        self._kept = None

    async def current(self, call: Call) -> Catalogue | NotSent:
        """The catalogue; NotSent when there is none: a sale that waits for its price was not sent."""
        if (kept := self._fresh()) is not None:
            return kept
        asked = self._asked
        try:
            async with asyncio.timeout(max(0.0, call.deadline - time.monotonic())):
                await self._one_at_a_time.acquire()
        except TimeoutError:
            return NotSent(ErrorType.UPSTREAM_UNAVAILABLE, provider_message="the catalogue did not come in time")
        try:
            if (kept := self._fresh()) is not None:
                return kept
            if self._asked != asked and self._failure is not None:
                return self._failure  # somebody has just asked, and one failure is enough for all who waited
            found = await self.ask(call)
        finally:
            self._one_at_a_time.release()
        return _unsent(found) if isinstance(found, Declined | NotSent | OutcomeUnknown) else found

    async def ask(self, call: Call) -> Asked:
        """Ask Netcare now, and keep what it says."""
        found = await self._ask(call)
        self._asked += 1
        if isinstance(found, Declined | NotSent | OutcomeUnknown):
            self._failure = _unsent(found)
        else:
            self._kept, self._kept_until = found, self._ticks() + KEPT_S
        return found

    def _fresh(self) -> Catalogue | None:
        return self._kept if self._ticks() < self._kept_until else None


def _unsent(failure: Declined | NotSent | OutcomeUnknown) -> NotSent:
    """What a question without an answer makes of the sale that asked it."""
    if isinstance(failure, NotSent):
        return failure
    alert = failure.alert if isinstance(failure, OutcomeUnknown) else None
    return NotSent(ErrorType.UPSTREAM_UNAVAILABLE, failure.provider_code, failure.provider_message, alert)
