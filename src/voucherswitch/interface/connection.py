"""One originator's connection: uvicorn's, with a bound on how many there are and an end that cuts no request (0018).

HTTP gives a server no way to say "send no more on this connection" before the next request comes. So a worker that
drains serves what still comes and says it in that answer. A connection on which nothing comes is told good-bye with an
answer before its end: a request that crosses it on the way finds that instead of a reset. It is 500, unknown, though
nothing was read: of a retry, 503 would say that the first request was certainly not processed.
"""

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from voucherswitch.config.limits import GOODBYE_LINGER_S
from voucherswitch.interface.doors import Arrival
from voucherswitch.interface.endpoint import NOT_READ
from voucherswitch.security.peer import PEER, ClientCertificate, Peer, certificate_of

log = structlog.get_logger(__name__)


class Drain:
    """When the worker began to stop, and until when everything must have ended."""

    def __init__(self, drain_s: float) -> None:
        self._drain_s = drain_s
        self._until_s: float | None = None

    @property
    def begun(self) -> bool:
        """Whether the worker stops."""
        return self._until_s is not None

    @property
    def left_s(self) -> float:
        """Seconds until the deadline, never below 0."""
        return self._drain_s if self._until_s is None else max(0.0, self._until_s - time.monotonic())

    def begin(self) -> None:
        """The clock runs from now."""
        self._until_s = time.monotonic() + self._drain_s


class Connections(ServerState):
    """The open connections of a worker, and what has been decided about all of them."""

    def __init__(self, drain: Drain, connections_max: int) -> None:
        super().__init__()
        self.drain: Final = drain
        self.connections_max: Final = connections_max
        self.idle_unwanted = False

    def room(self) -> int:
        """How many more connections may be open."""
        return max(0, self.connections_max - len(self.connections))

    def dismiss_refused(self, refuses: Callable[[ClientCertificate], bool]) -> None:
        """End the connections whose client certificate is not accepted any more; a request in work is answered."""
        for connection in list(self.connections):
            assert isinstance(connection, Connection)
            connection.dismiss_if_refused(refuses)

    def dismiss_idle(self) -> None:
        """Say good-bye on every connection that has no request in work, and on the others when that is answered."""
        self.idle_unwanted = True
        for connection in list(self.connections):
            assert isinstance(connection, Connection)
            connection.dismiss_if_idle()

    def look_again(self) -> None:
        """End the connections whose source is listed no more; a request in work is answered."""
        for connection in list(self.connections):
            assert isinstance(connection, Connection)
            connection.look_again()


class Connection(HttpToolsProtocol):
    """uvicorn calls the methods; `shutdown` once, when the drain begins."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        arrival: Arrival,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        assert isinstance(server_state, Connections)
        self._all: Final = server_state
        self._dismissed = False
        self._unwanted = False
        self._arrival: Final = arrival
        self._peer = Peer(arrival.source)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Begin; a connection that stays silent is closed like one that became idle."""
        super().connection_made(transport)
        self._peer = Peer(self._peer.source, _certificate(transport))
        if self._all.idle_unwanted or len(self.connections) > self._all.connections_max:
            self._dismiss()
            return
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        """Take what the originator sent; after the good-bye it has its answer already."""
        if not self._dismissed:
            super().data_received(data)

    def on_message_begin(self) -> None:
        """Begin to read a request, and say with it who is at the other end."""
        super().on_message_begin()
        self.scope[PEER] = self._peer  # type: ignore[typeddict-unknown-key]  # ASGI leaves room for more than it names

    def on_headers_complete(self) -> None:
        """Begin a request; the drain makes it the connection's last."""
        super().on_headers_complete()
        if self._all.drain.begun or self._unwanted:
            self.cycle.keep_alive = False

    def on_response_complete(self) -> None:
        """End a request."""
        super().on_response_complete()
        if self._all.idle_unwanted or self._unwanted:
            self.dismiss_if_idle()

    def shutdown(self) -> None:
        """Make the request in work the last one. An idle connection stays: its next request may be on its way."""
        if self._in_work and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def look_again(self) -> None:
        """End, unless the source is still admitted."""
        if self._arrival.admitted:
            return
        self._dismissed = True  # nothing more is read
        if self._in_work:
            self.cycle.keep_alive = False
        else:
            self.transport.abort()

    def dismiss_if_refused(self, refuses: Callable[[ClientCertificate], bool]) -> None:
        """Say good-bye, or make the request in work the last one, if the client certificate is refused."""
        certificate = self._peer.certificate
        if self._unwanted or certificate is None or not refuses(certificate):
            return
        log.warning("client certificate refused, its connection ends", certificate=certificate.fingerprint)
        self._unwanted = True
        self.shutdown()
        self.dismiss_if_idle()

    def dismiss_if_idle(self) -> None:
        """Say good-bye, unless a request is in work."""
        if not self._in_work and not self._dismissed and not self.transport.is_closing():
            self._dismiss()

    @property
    def _in_work(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _dismiss(self) -> None:
        self._dismissed = True
        self._unset_keepalive_if_required()
        self.transport.write(GOODBYE)
        if self.transport.can_write_eof():
            # Closing at once would answer a request that comes now with a reset, which takes our answer away again.
            self.transport.write_eof()
            self.loop.call_later(GOODBYE_LINGER_S, self.transport.close)
        else:
            self.transport.close()  # TLS: tells the end, and reads and throws away what comes for GOODBYE_LINGER_S


def _certificate(transport: asyncio.Transport) -> ClientCertificate | None:
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    der = None if tls is None else tls.getpeercert(binary_form=True)
    return None if der is None else certificate_of(der)


GOODBYE: Final = b"".join(
    (
        b"HTTP/1.1 500 Internal Server Error\r\n",
        b"content-type: application/json\r\n",
        b"content-length: %d\r\n" % len(NOT_READ.body),
        b"connection: close\r\n\r\n",
        NOT_READ.body,
    )
)
