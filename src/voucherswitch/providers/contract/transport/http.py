"""One HTTP exchange with a provider: send once, bound it, record it, and tell what is proved about it.

Every connector that speaks HTTP sends through here, so that no connector can resend, wait too long, read too much or
forget to record. It never retries, never follows a redirect, and knows nothing of what a message means: it returns what
came back, or whether a byte of the request may have left.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from voucherswitch import __version__
from voucherswitch.message.trace import Direction, Leg, LegOutcome
from voucherswitch.providers.contract.connector import Call
from voucherswitch.providers.contract.settings import ProviderSettings, secrets_of_settings, split_url
from voucherswitch.providers.contract.transport.dial import Dialer
from voucherswitch.providers.contract.transport.http_connection import (
    NO_HEADERS,
    HttpAnswer,
    HttpConnection,
    HttpResult,
    UnwritableRequest,
    header_lines,
    request_bytes,
)
from voucherswitch.providers.contract.transport.masking import (
    MASK,
    SECRET_CHARS_MIN,
    Mask,
    forms_of_all,
    secret_headers,
    unreadable,
    without,
    without_secrets,
)
from voucherswitch.providers.contract.transport.results import NoAnswer, NoConnection

__all__ = ["NO_HEADERS", "HttpAnswer", "HttpResult", "HttpTransport"]

_UNWRITABLE: Final = NoConnection("the request cannot be written as HTTP", ours=True)


class HttpTransport:
    """The connections to one provider.

    Args:
        provider_id: names the peer in every leg.
        settings: addresses, bounds and certificates.
        mask: makes bodies safe to keep.
        default_headers: sent with every request. They are never recorded, so credentials belong here. So are those of
            one exchange (`headers` of `send`), where signatures belong.
        base_url: where the messages go; None: to the settings' own. For providers with more than one address.
        reuse: False gives every exchange a connection of its own. For answers that repeat nothing of their request: on
            a kept connection a late or doubled answer to the one before would be taken for theirs.

    Raises:
        ProviderSettingsError: a certificate file cannot be read or used.
    """

    def __init__(
        self,
        provider_id: str,
        settings: ProviderSettings,
        mask: Mask,
        default_headers: Mapping[str, str] = NO_HEADERS,
        base_url: str | None = None,
        *,
        reuse: bool = True,
    ) -> None:
        self._peer = provider_id
        url = base_url or settings.base_url
        scheme, host, port = split_url(url)
        self._dialer = Dialer(provider_id, settings, host, port, tls=scheme == "https")
        own = {"Host": urlsplit(url).netloc, "User-Agent": f"voucherswitch/{__version__}", "Accept": "*/*"}
        self._lines: dict[str, str] | None = None  # None: they cannot be written
        try:
            self._lines = header_lines(own) | header_lines(default_headers)
        except UnwritableRequest:
            self._lines = None
        self._mask = mask
        # A proxy on the way may echo a request with its headers.
        self._credentials = forms_of_all((*secrets_of_settings(settings), *secret_headers(default_headers)))
        self._read_s = settings.read_timeout_ms / 1000
        self._total_s = settings.total_timeout_ms / 1000
        self._wait_s = settings.connection_wait_ms / 1000
        self._keep_s = settings.keep_alive_ms / 1000
        self._max_bytes = settings.max_response_bytes
        self._max_connections = settings.max_connections
        self._slots = asyncio.Semaphore(settings.max_connections)
        self._reuse = reuse
        self._open: set[HttpConnection] = set()
        self._idle: list[HttpConnection] = []  # the last one used is the first one used again
        self._closed = False

    async def send(
        self,
        call: Call,
        operation: str,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        body: bytes | None = None,
        shown_path: str | None = None,
        secrets: Sequence[str] = (),
    ) -> HttpResult:
        """Make one exchange and record it in `call.trace` exactly once, also when the caller is cancelled.

        Cancelling takes no request back: what has left may be processed.

        Args:
            operation: the capability that the exchange serves, for the leg.
            path: what follows `base_url`, with its query.
            shown_path: recorded instead of `path` when that holds a secret.
            secrets: codes and PINs of the request: masked wherever they turn up in either body, as are the credentials.
        """
        started_at, started = datetime.now(UTC), time.perf_counter()
        # What stands if the caller is cancelled while this waits.
        result: HttpResult = NoConnection("cancelled before it was sent", ours=True)
        try:
            ends_at = min(call.deadline, time.monotonic() + self._total_s)
            request = self._request(method, path, headers, body)
            if isinstance(request, NoConnection):
                result = request
            elif time.monotonic() >= ends_at:
                result = NoConnection("the deadline is past", ours=True)
            elif not await self._slot(ends_at):
                result = NoConnection(f"all {self._max_connections} connections are busy", ours=True)
            else:
                try:
                    connection = await self._connection(ends_at)
                    if isinstance(connection, NoConnection):
                        result = connection
                    else:
                        _stop_if_cancelled()
                        result = NoAnswer("cancelled while waiting for the answer")
                        result = await connection.exchange(request, ends_at)
                        self._keep(connection)
                finally:
                    self._slots.release()
            return result
        finally:
            duration_us = int((time.perf_counter() - started) * 1_000_000)
            shown = f"{method} {shown_path or self._mask.path(path)}"
            if body:
                shown = f"{shown}\n\n{self._shown(body, headers.get('Content-Type'), secrets)}"
            leg = self._leg(call, operation, started_at, duration_us, shown, result, secrets)
            hidden = (*secrets, *secret_headers(headers))
            leg.request = without(without_secrets(leg.request, hidden), self._credentials)
            if leg.response is not None:
                leg.response = without(without_secrets(leg.response, hidden), self._credentials)
            call.trace.add(leg)

    async def close(self) -> None:
        """Close all connections. An exchange still in flight ends as unanswered."""
        self._closed = True
        for connection in list(self._open):
            connection.close()

    def _request(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> bytes | NoConnection:
        if self._lines is None:
            return _UNWRITABLE
        try:
            return request_bytes(method, path, self._lines | header_lines(headers), body)
        except UnwritableRequest:
            return _UNWRITABLE

    async def _slot(self, ends_at: float) -> bool:
        """Take one of the bounded connections. False: none came free in time."""
        if not self._slots.locked():
            return await self._slots.acquire()
        try:
            async with asyncio.timeout(min(self._wait_s, ends_at - time.monotonic())):
                return await self._slots.acquire()
        except TimeoutError:
            return False

    async def _connection(self, ends_at: float) -> HttpConnection | NoConnection:
        """A connection that nobody uses: one that was kept, or a new one."""
        while self._idle:
            kept = self._idle.pop()
            if kept.wake():
                return kept
        opened = await self._dialer.dial(lambda: HttpConnection(self._max_bytes, self._read_s, self._gone), ends_at)
        if isinstance(opened, NoConnection):
            return opened
        if self._closed:
            opened.close()
            return NoConnection("the provider's connections are closed", ours=True)
        self._open.add(opened)
        return opened

    def _gone(self, connection: HttpConnection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def _keep(self, connection: HttpConnection) -> None:
        if not connection.usable:
            return
        if not self._reuse or self._closed:
            connection.close()
            return
        connection.stay(self._keep_s)
        self._idle.append(connection)

    def _shown(self, body: bytes, content_type: str | None, secrets: Sequence[str]) -> str:
        # Before anything else changes the text: half of a secret would no longer be found in it.
        for secret in secrets:
            if len(secret) >= SECRET_CHARS_MIN:
                body = body.replace(secret.encode(), MASK.encode())
        try:
            return self._mask(body, content_type)
        except Exception:  # whatever a mask trips over, the outcome of a sale must not be lost for it
            return unreadable(len(body), content_type)

    def _leg(
        self,
        call: Call,
        operation: str,
        started_at: datetime,
        duration_us: int,
        shown: str,
        result: HttpResult,
        secrets: Sequence[str],
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
            case HttpAnswer():
                leg.status = result.status
                leg.response = self._shown(result.body, result.header("content-type"), secrets)
            case NoConnection():
                leg.outcome, leg.error, leg.ours = LegOutcome.NOT_SENT, result.cause, result.ours
            case NoAnswer():
                leg.outcome, leg.error, leg.status = LegOutcome.NO_ANSWER, result.cause, result.status
        return leg


def _stop_if_cancelled() -> None:
    """Keep a connector that was cancelled from going on to its next exchange: a poll, a commit, a repeat.

    A cancellation that meets the end of an exchange, or of opening a connection, can be lost on the way here.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
