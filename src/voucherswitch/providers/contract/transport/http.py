"""One HTTP exchange with a provider: send once, bound it, record it, and tell what is proved about it.

Every connector that speaks HTTP sends through here, so that no connector can resend, wait too long, read too much or
forget to record. It never retries, never follows a redirect, and knows nothing of what a message means: it returns what
came back, or whether a byte of the request may have left.
"""

import asyncio
import ssl
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

from msgspec import Struct
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import BuilderError, DecodeError, DetailedPyreqwestError, PyreqwestError, ReadError
from pyreqwest.exceptions import RequestTimeoutError as PyreqwestTimeoutError
from pyreqwest.response import Response

from voucherswitch import __version__
from voucherswitch.message.trace import Direction, Leg, LegOutcome
from voucherswitch.providers.contract.alerts import BAD_ANSWER
from voucherswitch.providers.contract.connector import Call
from voucherswitch.providers.contract.settings import ProviderSettings, refuse, secrets_of_settings
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

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class HttpAnswer(Struct, frozen=True):
    """A complete answer, whatever its status."""

    status: int
    body: bytes
    headers: Mapping[str, str] = NO_HEADERS

    def header(self, name: str) -> str | None:
        """A header's value, by its name in lower case; None also for one that is not text."""
        return _header(self.headers, name)


HttpResult: TypeAlias = HttpAnswer | NoConnection | NoAnswer


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
        self._base_url = base_url or settings.base_url
        self._mask = mask
        # A proxy on the way may echo a request with its headers.
        self._credentials = forms_of_all((*secrets_of_settings(settings), *secret_headers(default_headers)))
        self._total_s = settings.total_timeout_ms / 1000
        self._wait_s = settings.connection_wait_ms / 1000
        self._max_bytes = settings.max_response_bytes
        self._max_connections = settings.max_connections
        self._slots = asyncio.Semaphore(settings.max_connections)
        self._client = _client(provider_id, settings, default_headers, settings.max_connections if reuse else 0)

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

        Cancelling takes no request back: the client finishes an abandoned exchange by itself, inside its time.

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
            _stop_if_cancelled()
            left_s = call.deadline - time.monotonic()
            if left_s <= 0:
                result = NoConnection("the deadline is past", ours=True)
                return result
            if not await self._slot(left_s):
                result = NoConnection(f"all {self._max_connections} connections are busy", ours=True)
                return result
            result = NoAnswer("cancelled while waiting for the answer")
            result = await self._exchange(call, method, path, headers, body)
            return result
        finally:
            duration_us = int((time.perf_counter() - started) * 1_000_000)
            shown = f"{method} {shown_path or self._mask.path(path)}"
            if body is not None:
                shown = f"{shown}\n\n{self._shown(body, headers.get('Content-Type'), secrets)}"
            leg = self._leg(call, operation, started_at, duration_us, shown, result, secrets)
            hidden = (*secrets, *secret_headers(headers))
            leg.request = without(without_secrets(leg.request, hidden), self._credentials)
            if leg.response is not None:
                leg.response = without(without_secrets(leg.response, hidden), self._credentials)
            call.trace.add(leg)

    async def close(self) -> None:
        """Close all connections. An exchange still in flight ends as unanswered."""
        await self._client.close()

    async def _slot(self, left_s: float) -> bool:
        """Take one of the bounded connections. False: none came free in time."""
        if not self._slots.locked():
            return await self._slots.acquire()
        try:
            async with asyncio.timeout(min(self._wait_s, left_s)):
                return await self._slots.acquire()
        except TimeoutError:
            return False

    async def _exchange(
        self, call: Call, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> HttpResult:
        """Use the slot that was taken, and give it back when its connection is free again."""
        left_s = min(self._total_s, call.deadline - time.monotonic())
        free_in_s = 0.0
        try:
            return await self._send_and_read(left_s, method, path, headers, body)
        except asyncio.CancelledError:
            free_in_s = left_s  # the abandoned exchange has its connection until its time is up
            raise
        finally:
            if free_in_s > 0:
                asyncio.get_running_loop().call_later(free_in_s, self._slots.release)
            else:
                self._slots.release()

    async def _send_and_read(
        self, left_s: float, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> HttpResult:
        if left_s <= 0:
            return NoConnection("the deadline is past", ours=True)
        try:
            builder = self._client.request(method, self._base_url + path)
            builder = builder.timeout(timedelta(seconds=left_s)).streamed_read_buffer_limit(self._max_bytes + 1)
            if headers:
                builder = builder.headers(headers)
            if body is not None:
                builder = builder.body_bytes(body)
            request = builder.build_streamed()
        except (BuilderError, ValueError):
            # The client's own text may quote a header, so it stays out of the leg.
            return NoConnection("the request cannot be written as HTTP", ours=True)
        try:
            async with request as response:
                return await self._read(response)
        except PyreqwestError as error:
            return _what_is_proved(error)

    async def _read(self, response: Response) -> HttpAnswer | NoAnswer:
        """Read the body up to its bound; leaving early closes the connection, so the rest is never read."""
        status, headers = response.status, response.headers
        pieces: list[bytes] = []
        size = 0
        declared = _header(headers, "content-length") or ""
        if not (declared.isdecimal() and len(declared) < 19 and int(declared) > self._max_bytes):
            reader = response.body_reader
            try:
                while size <= self._max_bytes and (piece := await reader.read(self._max_bytes + 1 - size)) is not None:
                    size += len(piece)
                    pieces.append(bytes(piece))
            except PyreqwestError as error:
                failure = _what_is_proved(error)
                alert = None if isinstance(error, PyreqwestTimeoutError) else BAD_ANSWER
                return NoAnswer(failure.cause, alert, status)
            if size <= self._max_bytes:
                return HttpAnswer(status, b"".join(pieces), headers)
        return NoAnswer(f"the answer is larger than {self._max_bytes} bytes", BAD_ANSWER, status)

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


# How the client says that a failure came before the request: while resolving, connecting or greeting (TLS). Nothing
# else proves it. Its exception classes do not: a connection lost after the request raises ConnectError too, and a
# silent server ConnectTimeoutError. Tests hold this text against the pinned version.
_BEFORE_THE_REQUEST: Final = "client error (Connect)"


def _stop_if_cancelled() -> None:
    """Keep a connector that was cancelled from going on to its next exchange: a poll, a commit, a repeat.

    The client loses a cancellation that meets the end of an exchange, and gives its answer instead.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _header(headers: Mapping[str, str], name: str) -> str | None:
    try:
        return headers.get(name)
    except ValueError:  # the client gives bytes that are not text no other way
        return None


def _what_is_proved(error: PyreqwestError) -> NoConnection | NoAnswer:
    """Read a failed exchange: unsent only where that is certain."""
    causes = (error.details["causes"] or []) if isinstance(error, DetailedPyreqwestError) else []
    # The last cause is the most exact and, unlike the first, does not repeat the URL.
    cause = causes[-1]["message"][:200] if len(causes) > 1 else error.message[:200]
    if len(causes) > 1 and causes[1]["message"] == _BEFORE_THE_REQUEST:
        return NoConnection(cause)
    if isinstance(error, PyreqwestTimeoutError):
        return NoAnswer("no complete answer in time")
    return NoAnswer(cause, BAD_ANSWER if isinstance(error, DecodeError | ReadError) else None)


def _client(
    provider_id: str, settings: ProviderSettings, default_headers: Mapping[str, str], idle_connections: int
) -> Client:
    builder = (
        ClientBuilder()
        .http1_only()
        .no_proxy()
        .follow_redirects(False)
        .default_cookie_store(False)
        .referer(False)
        # An answer is bounded and checked as it comes off the wire, so it must not grow after that.
        .gzip(False)
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .user_agent(f"voucherswitch/{__version__}")
        .default_headers(default_headers)
        .connect_timeout(timedelta(milliseconds=settings.connect_timeout_ms))
        .read_timeout(timedelta(milliseconds=settings.read_timeout_ms))
        .pool_idle_timeout(timedelta(milliseconds=settings.keep_alive_ms))
        .pool_max_idle_per_host(idle_connections)
        .min_tls_version("TLSv1.2")
    )
    tls = settings.tls
    if not tls.verify:
        builder = builder.danger_accept_invalid_certs(True)
    if tls.ca_file is not None:
        certificates = _read_file(provider_id, "tls.ca_file", tls.ca_file)
        try:  # the client takes a file without certificates, and would then trust nobody new
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=tls.ca_file)
            builder = builder.add_root_certificate_pem(certificates)
        except (PyreqwestError, ssl.SSLError, ValueError):
            refuse(provider_id, "tls.ca_file", "holds no certificate", "a PEM file of the provider's authority")
    if tls.client_cert is not None:
        try:
            builder = builder.identity_pem(_read_file(provider_id, "tls.client_cert", tls.client_cert))
        except (PyreqwestError, ValueError):
            refuse(provider_id, "tls.client_cert", "is not a certificate with its key", "a PEM file with both")
    return builder.build()


def _read_file(provider_id: str, key: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        refuse(provider_id, key, f"cannot be read ({error.strerror})", "a PEM file that this process may read")
