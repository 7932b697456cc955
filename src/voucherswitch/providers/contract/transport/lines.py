"""Messages of one line over TCP or TLS: the transport of providers whose answers end with a closing tag.

A request is a document on one line, ended by a line feed. An answer is read until its closing tag; line breaks in it
mean nothing, and what follows it belongs to the next answer. Nothing is ever sent twice. What came back, or whether a
byte of the request may have left, is all this module says; every exchange is recorded once, masked.

A transport is used in one of two ways: `session` opens a connection for one operation, with as many exchanges as that
needs, one after the other; `LinePool` (line_pool.py) keeps connections and sends on them without waiting.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

from msgspec import Struct
from msgspec.structs import replace

from voucherswitch.message.trace import Direction, Leg, LegOutcome
from voucherswitch.providers.contract.connector import Call
from voucherswitch.providers.contract.settings import CommonSettings, secrets_of_settings
from voucherswitch.providers.contract.transport.dial import Dialer
from voucherswitch.providers.contract.transport.line_connection import (
    LINE_BYTES_MAX,
    AnswerReader,
    Belongs,
    LineConnection,
    LineResult,
)
from voucherswitch.providers.contract.transport.masking import (
    Mask,
    forms_of_all,
    unreadable,
    without,
    without_secrets,
)
from voucherswitch.providers.contract.transport.results import NoAnswer, NoConnection

CONTENT_TYPE: Final = "text/xml"

Acquire = Callable[[float], Awaitable[LineConnection | NoConnection]]


class LineAddress(Struct, frozen=True):
    """Where a provider listens. `tls`: it speaks TLS; how it is checked is in the settings."""

    host: str
    port: int
    tls: bool = False


class LineTransport:
    """The connections to one provider.

    Args:
        provider_id: names the peer in every leg.
        settings: bounds and certificates. `read_timeout_ms` counts from when the request was written.
        address: where the messages go.
        closing_tag: what every answer ends with, like `</response>`.
        mask: makes documents safe to keep.

    Raises:
        ProviderSettingsError: a certificate file cannot be read or used.
    """

    def __init__(
        self, provider_id: str, settings: CommonSettings, address: LineAddress, closing_tag: str, mask: Mask
    ) -> None:
        self._peer = provider_id
        self._closing_tag = closing_tag
        self._mask = mask
        self._credentials = forms_of_all(secrets_of_settings(settings))
        self._dialer = Dialer(provider_id, settings, address.host, address.port, tls=address.tls)
        self._read_s = settings.read_timeout_ms / 1000
        self._total_s = settings.total_timeout_ms / 1000
        self._wait_s = settings.connection_wait_ms / 1000
        self._max_bytes = settings.max_response_bytes
        self._max_connections = settings.max_connections
        self._slots = asyncio.Semaphore(settings.max_connections)
        self._sessions: set[LineSession] = set()
        self._closed = False

    def session(self, call: Call) -> "LineSession":
        """A connection for one operation: `async with transport.session(call) as session: await session.send(…)`.

        It is opened by the first exchange and closed with the block.
        """
        return LineSession(self, call)

    async def close(self) -> None:
        """Close all connections. An exchange still in flight ends as unanswered."""
        self._closed = True
        for session in list(self._sessions):
            session.close()

    async def _send(
        self,
        call: Call,
        operation: str,
        body: bytes,
        secrets: Sequence[str],
        acquire: Acquire,
        ends_at: float,
        belongs: Belongs | None = None,
        shown: str | None = None,
    ) -> LineResult:
        """Make one exchange on the connection that `acquire` gives, and record it exactly once."""
        started_at, started = datetime.now(UTC), time.perf_counter()
        # What stands if the caller is cancelled while this waits.
        result: LineResult = NoConnection("cancelled before it was sent", ours=True)
        try:
            _stop_if_cancelled()
            if refusal := _refusal(body, ends_at):
                result = refusal
                return result
            connection = await acquire(ends_at)
            if isinstance(connection, NoConnection):
                result = connection
                return result
            _stop_if_cancelled()
            result = NoAnswer("cancelled while waiting for the answer")
            result = await connection.exchange(body + b"\n", ends_at, belongs)
            return result
        finally:
            duration_us = int((time.perf_counter() - started) * 1_000_000)
            leg = self._leg(call, operation, started_at, duration_us, shown or self.masked(body), result)
            if secrets:
                leg.request = without_secrets(leg.request, secrets)
                leg.response = None if leg.response is None else without_secrets(leg.response, secrets)
            call.trace.add(leg)

    def bounded(self, call: Call) -> Call:
        """The call of an operation that starts now, with its end: several sessions of one operation share its time."""
        return replace(call, deadline=self._ends_at(call))

    def _ends_at(self, call: Call) -> float:
        """When an operation that starts now has to end."""
        return min(call.deadline, time.monotonic() + self._total_s)

    async def _slot(self, ends_at: float) -> NoConnection | None:
        """Take one of the bounded connections, or say that none came free in time."""
        if not self._slots.locked():
            await self._slots.acquire()
            return None
        try:
            async with asyncio.timeout(min(self._wait_s, ends_at - time.monotonic())):
                await self._slots.acquire()
                return None
        except TimeoutError:
            return self._busy()

    def _busy(self) -> NoConnection:
        return NoConnection(f"all {self._max_connections} connections are busy", ours=True)

    async def _connect(
        self, ends_at: float, changed: Callable[[LineConnection], None] | None = None
    ) -> LineConnection | NoConnection:
        """Open a connection, greeting included."""
        reader = AnswerReader(self._closing_tag, self._max_bytes)
        connection = await self._dialer.dial(lambda: LineConnection(reader, self._read_s, changed), ends_at)
        if isinstance(connection, NoConnection):
            return connection
        if self._closed:
            connection.close()
        return connection

    def masked(self, body: bytes) -> str:
        """A document as it is recorded."""
        try:
            return without(self._mask(body, CONTENT_TYPE), self._credentials)
        except Exception:  # whatever a mask trips over, the outcome of a sale must not be lost for it
            return unreadable(len(body), CONTENT_TYPE)

    def _leg(
        self, call: Call, operation: str, started_at: datetime, duration_us: int, shown: str, result: LineResult
    ) -> Leg:
        leg = Leg(
            direction=Direction.OUTBOUND,
            peer=self._peer,
            operation=operation,
            started_at=started_at,
            duration_us=duration_us,
            outcome=LegOutcome.ANSWERED,
            request=shown,
            advice_id=call.advice_id,
        )
        match result:
            case bytes():
                leg.response = self.masked(result)
            case NoConnection():
                leg.outcome, leg.error, leg.ours = LegOutcome.NOT_SENT, result.cause, result.ours
            case NoAnswer():
                leg.outcome, leg.error = LegOutcome.NO_ANSWER, result.cause
        return leg


class LineSession:
    """One connection for one operation. Not for use by two tasks at once."""

    def __init__(self, transport: LineTransport, call: Call) -> None:
        self._transport = transport
        self._call = call
        self._ends_at = transport._ends_at(call)
        self._connection: LineConnection | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def send(
        self, operation: str, body: bytes, *, secrets: Sequence[str] = (), shown: str | None = None
    ) -> LineResult:
        """Make one exchange and record it in the call's trace exactly once, also when the caller is cancelled.

        The session ends with a failed exchange: what is sent after it is `NoConnection`.

        Args:
            operation: the capability that the exchange serves, for the leg.
            body: a document without line breaks.
            secrets: codes and PINs of the request: masked wherever they turn up in either document.
            shown: recorded as the request, for one that is always the same and was masked before (see `masked`).

        Returns:
            The answer without line breaks, or what is proved without one.
        """
        return await self._transport._send(
            self._call, operation, body, secrets, self._acquire, self._ends_at, shown=shown
        )

    async def _acquire(self, ends_at: float) -> LineConnection | NoConnection:
        if self._connection is not None:
            return self._connection
        transport = self._transport
        if busy := await transport._slot(ends_at):
            return busy
        try:
            opened = await transport._connect(ends_at)
        except BaseException:
            transport._slots.release()
            raise
        if isinstance(opened, NoConnection):
            transport._slots.release()
            return opened
        transport._sessions.add(self)
        self._connection = opened
        return opened

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
        if self in self._transport._sessions:
            self._transport._sessions.remove(self)
            self._transport._slots.release()


def _stop_if_cancelled() -> None:
    """Keep an operation that was cancelled from going on to its next exchange.

    A cancellation that meets the end of an exchange, or of opening a connection, can be lost on the way here.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _refusal(body: bytes, ends_at: float) -> NoConnection | None:
    """Why a request is not sent at all."""
    if time.monotonic() >= ends_at:
        return NoConnection("the deadline is past", ours=True)
    if b"\n" in body or b"\r" in body or len(body) >= LINE_BYTES_MAX:
        return NoConnection("the request cannot be written as one line", ours=True)
    return None
