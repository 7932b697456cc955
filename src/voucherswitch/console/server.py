"""The console's server: uvicorn behind our own acceptor, so that sources are looked at first, and TLS is ours."""

import asyncio
import socket
from typing import Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from voucherswitch.config.settings import Settings
from voucherswitch.interface.accept import Acceptor, Listener
from voucherswitch.interface.doors import Arrival, Door
from voucherswitch.security.live_tls import LiveTls
from voucherswitch.security.networks import Networks
from voucherswitch.security.peer import certificate_of
from voucherswitch.security.tls import OPERATORS

# Requests at once; the database's connections are fewer, so most of these wait. More than a handful is a fault.
REQUESTS_MAX: Final = 64


class Server(uvicorn.Server):
    """Serves loopback and `console_sources`; over TLS once operators have an authority.

    Raises:
        SettingsError: a certificate or a key cannot be used.
    """

    def __init__(self, settings: Settings, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._door: Final = Door(Networks(settings.console_sources), Networks(), announced=False, tls=False)
        self._tls: Final = None if settings.console_client_ca_file is None else LiveTls(settings, OPERATORS)
        self._watch: asyncio.Task[None] | None = None

    @property
    def over_tls(self) -> bool:
        """Whether it speaks TLS."""
        return self._tls is not None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept by our own acceptor."""
        await super().startup([])
        tls = self._tls
        if tls is not None:
            self._watch = asyncio.create_task(tls.watch(self._end_refused), name="TLS files")
        context = None if tls is None else tls.context
        listeners = [Listener(sock, self._door, context) for sock in sockets or ()]
        self.servers = [Acceptor(each, self._connection) for each in listeners]  # type: ignore[misc]  # as far as uvicorn uses them

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop looking at files with the rest."""
        try:
            await super().shutdown(sockets)
        finally:
            if self._watch is not None:
                self._watch.cancel()

    def _connection(self, _: Arrival) -> HttpToolsProtocol:
        return HttpToolsProtocol(self.config, self.server_state, self.lifespan.state)

    def _end_refused(self) -> None:
        """End what was opened with a certificate that is not accepted any more. Pages can be asked for again."""
        assert self._tls is not None
        for connection in list(self.server_state.connections):
            shown = connection.transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
            if self._tls.refuses(certificate_of(shown)):
                connection.transport.abort()
