"""Certificates, keys and revocation lists while they are served: read anew when they change.

A new connection gets what was read last; open ones go on. A file that cannot be used changes nothing and is logged.
"""

import asyncio
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from voucherswitch.config.limits import CLIENT_CERTS_KEPT_MAX, TLS_ENDS_SOON_DAYS, TLS_ENDS_SOON_LOG_S, TLS_FILES_POLL_S
from voucherswitch.config.settings import Settings, SettingsError
from voucherswitch.security.peer import ClientCertificate
from voucherswitch.security.tls import Clients, Tls, files_of, read_tls

log = structlog.get_logger(__name__)


class LiveTls:
    """The TLS that a server speaks, and what it asks of `clients`.

    Raises:
        SettingsError: a file cannot be used.
    """

    def __init__(self, settings: Settings, clients: Clients | None) -> None:
        self._settings: Final = settings
        self._clients: Final = clients
        self._stamps = self._stamped()
        self._tls: Tls = read_tls(settings, clients)
        self._refused = ""  # why the files of now are not those in use
        self._said = (False, False, False)
        self._said_s = time.monotonic()
        self._verified: Final[OrderedDict[bytes, tuple[Tls, ClientCertificate]]] = OrderedDict()

    def context(self) -> ssl.SSLContext:
        """The context for a connection that begins now."""
        return self._tls.context

    def refuses(self, certificate: ClientCertificate) -> bool:
        """Whether a client certificate is not accepted any more: revoked, or its time is over."""
        return self._tls.refuses(certificate, datetime.now(UTC))

    def verified(self, der: bytes) -> ClientCertificate:
        """Read a client certificate that an edge has seen, if we would accept it too. What was verified is remembered.

        Raises:
            ValueError: it is not accepted.
        """
        tls, now = self._tls, datetime.now(UTC)
        known = self._verified.get(der)
        if known is not None and known[0] is tls and not tls.refuses(known[1], now) and not tls.lists_are_old(now):
            return known[1]
        certificate = tls.verified(der, now)
        self._verified.pop(der, None)
        self._verified[der] = tls, certificate
        if len(self._verified) > CLIENT_CERTS_KEPT_MAX:
            self._verified.popitem(last=False)
        return certificate

    async def watch(self, each_time: Callable[[], None] = lambda: None) -> None:
        """Look for changes until cancelled; `each_time` is called after each look."""
        while True:
            try:
                # Off the event loop: a list of a hundred thousand revoked certificates takes a while to read.
                await asyncio.to_thread(self.refresh)
                self._log_ends()
                each_time()
            except Exception:
                # Whatever it is, the watch must not end: the next revocation has to be seen.
                log.exception("TLS files not looked at")
            await asyncio.sleep(TLS_FILES_POLL_S)

    def refresh(self) -> None:
        """Read the files if one of them has changed since they were read, or if they could not be used."""
        stamps = self._stamped()
        if stamps == self._stamps and not self._refused:
            return
        self._stamps = stamps  # taken before the files are read, so that a change in between is seen at the next look
        try:
            self._tls = read_tls(self._settings, self._clients)
        except SettingsError as error:
            if str(error) != self._refused:
                self._refused = str(error)
                log.error("TLS files not read anew, those from before stay in use", reason=self._refused)
            return
        self._refused = ""
        self._said = (False, False, False)
        log.info("TLS files read anew", certificate_ends=self._tls.ends.isoformat())

    def _stamped(self) -> tuple[tuple[int, ...], ...]:
        return tuple(_stamp(path) for path in files_of(self._settings, self._clients))

    def _log_ends(self) -> None:
        """Say what has ended or ends soon: at once when that changes, then every TLS_ENDS_SOON_LOG_S."""
        now = datetime.now(UTC)
        lists_end = self._tls.revocations_end or datetime.max.replace(tzinfo=UTC)
        ending = (
            lists_end <= now,
            lists_end <= now + timedelta(seconds=TLS_ENDS_SOON_LOG_S),
            self._tls.ends <= now + timedelta(days=TLS_ENDS_SOON_DAYS),
        )
        now_s = time.monotonic()
        if ending == self._said and now_s - self._said_s < TLS_ENDS_SOON_LOG_S:
            return
        self._said, self._said_s = ending, now_s
        over, lists_soon, own_soon = ending
        setting = None if self._clients is None else self._clients.revocations
        if over:
            log.error(
                "revocation list out of date: no client certificate is accepted",
                ended=lists_end.isoformat(),
                setting=setting,
            )
        elif lists_soon:
            log.warning("revocation list ends soon", ends=lists_end.isoformat(), setting=setting)
        if own_soon:
            log.warning("our certificate ends soon", ends=self._tls.ends.isoformat())


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes when a file is written, replaced or given to others, or the link to it is moved."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size
