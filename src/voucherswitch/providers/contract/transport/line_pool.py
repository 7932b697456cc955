"""Kept connections to a provider that takes one-line requests, several in flight on each.

For providers whose answers come in the order of the requests and whose connections belong to no session. A silence, an
answer that belongs to nobody or a broken one ends its connection: everything in flight on it is unanswered, and none of
it is ever sent again.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

from voucherswitch.providers.contract.connector import Call
from voucherswitch.providers.contract.settings import CommonSettings
from voucherswitch.providers.contract.transport.line_connection import Belongs, LineConnection, LineResult
from voucherswitch.providers.contract.transport.lines import LineAddress, LineTransport
from voucherswitch.providers.contract.transport.masking import Mask
from voucherswitch.providers.contract.transport.results import NoConnection

PIPELINED_MAX: Final = 16  # requests in flight on one connection: behind a slow one the others wait


class LinePool(LineTransport):
    """A transport whose connections are shared and kept for `keep_alive_ms` after their last use.

    A request goes to a connection with nothing in flight, else to a new one, else, when all `max_connections` are open,
    behind the fewest others; `connection_wait_ms` bounds how long it waits for room there.

    Args:
        pipelined_max: requests in flight on one connection.

    The others are those of `LineTransport`.
    """

    def __init__(
        self,
        provider_id: str,
        settings: CommonSettings,
        address: LineAddress,
        closing_tag: str,
        mask: Mask,
        *,
        pipelined_max: int = PIPELINED_MAX,
    ) -> None:
        super().__init__(provider_id, settings, address, closing_tag, mask)
        self._keep_s = settings.keep_alive_ms / 1000
        self._pipelined_max = pipelined_max
        self._open: list[LineConnection] = []
        self._opening = 0
        self._queue: deque[asyncio.Future[None]] = deque()  # who waits for room

    async def send(
        self, call: Call, operation: str, body: bytes, *, secrets: Sequence[str] = (), belongs: Belongs | None = None
    ) -> LineResult:
        """Make one exchange and record it in `call.trace` exactly once, also when the caller is cancelled.

        Args:
            operation: the capability that the exchange serves, for the leg.
            body: a document without line breaks.
            secrets: codes and PINs of the request: masked wherever they turn up in either document.
            belongs: whether an answer is this request's, by what it echoes. One that is not ends the connection, for
                the answers after it are as doubtful.

        Returns:
            The answer without line breaks, or what is proved without one.
        """
        return await self._send(call, operation, body, secrets, self._room, self._ends_at(call), belongs)

    async def close(self) -> None:
        """Close all connections. An exchange still in flight ends as unanswered."""
        await super().close()
        for connection in list(self._open):
            connection.close()

    async def _room(self, ends_at: float) -> LineConnection | NoConnection:
        """A connection that takes one more request now."""
        wait_until = min(ends_at, time.monotonic() + self._wait_s)
        while not self._closed:
            usable = [one for one in self._open if one.ended is None and one.in_flight < self._pipelined_max]
            best = min(usable, key=lambda one: one.in_flight, default=None)
            if best is not None and best.in_flight == 0:
                return best
            if len(self._open) + self._opening < self._max_connections:
                return await self._one_more(ends_at)
            if best is not None:
                return best
            if not await self._changed_until(wait_until):
                return self._busy()
        return NoConnection("the provider's connections are closed", ours=True)

    async def _one_more(self, ends_at: float) -> LineConnection | NoConnection:
        self._opening += 1
        try:
            opened = await self._connect(ends_at, self._changed)
        finally:
            self._opening -= 1
            self._wake(self._pipelined_max)
        if isinstance(opened, LineConnection) and not opened.closed:
            self._open.append(opened)
            self._watch(opened)
        return opened

    async def _changed_until(self, wait_until: float) -> bool:
        """Wait for room somewhere, in turn. False: the time is up."""
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            async with asyncio.timeout(wait_until - time.monotonic()):
                await turn
        except TimeoutError:
            return False
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._wake(1)  # the room that was meant for this one
            raise
        return True

    def _wake(self, count: int) -> None:
        while self._queue and count > 0:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                count -= 1

    def _changed(self, connection: LineConnection) -> None:
        """A connection has answered, or is gone."""
        if connection.closed and connection in self._open:
            self._open.remove(connection)
        self._wake(self._pipelined_max if connection.closed else self._pipelined_max - connection.in_flight)

    def _watch(self, connection: LineConnection) -> None:
        """Close a connection that was not used for long enough; one timer goes with it through its life."""
        if connection.closed:
            return
        left_s = connection.used_at + self._keep_s - time.monotonic()
        if left_s <= 0 and connection.in_flight == 0:
            connection.close()
            return
        asyncio.get_running_loop().call_later(left_s if left_s > 0 else self._keep_s, self._watch, connection)
