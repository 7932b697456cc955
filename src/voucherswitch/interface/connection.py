"""One originator's connection: uvicorn's, with a bound on how many there are and an end that cuts no request (0018).

HTTP gives a server no way to say "send no more on this connection" before the next request comes. So a worker that
drains serves what still comes and says it in that answer. A connection on which nothing comes is told good-bye with an
answer before its end: a request that crosses it on the way finds that instead of a reset. It is 500, unknown, though
nothing was read: of a retry, 503 would say that the first request was certainly not processed.
"""

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import structlog
import uvicorn
from uvicorn.server import ServerState

from voucherswitch.interface.doors import Arrival
from voucherswitch.interface.edges import Edges
from voucherswitch.interface.endpoint import NOT_READ
from voucherswitch.interface.http import StrictHttp, as_bytes
from voucherswitch.security.peer import PEER, Address, ClientCertificate, Peer, certificate_of

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

    def __init__(self, drain: Drain, edges: Edges, connections_max: int, per_source_max: int) -> None:
        super().__init__()
        self.drain: Final = drain
        self.edges: Final = edges
        self.connections_max: Final = connections_max
        self._per_source_max: Final = per_source_max
        self._by_source: Final[Counter[Address]] = Counter()
        self.idle_unwanted = False

    def dismiss_refused(self, refuses: Callable[[ClientCertificate], bool]) -> None:
        """End the connections whose client certificate is not accepted any more; a request in work is answered."""
        for connection in self._own():
            connection.dismiss_if_refused(refuses)

    def has_room(self, newcomer: "Connection") -> bool:
        """Whether a connection, which is counted already, may stay. A full house sends away whose source has most.

        Idle connections of one source can then keep out nobody else's: the newcomer stays, and of the source with the
        most connections the one that has been idle longest goes.
        """
        if self.idle_unwanted or (
            not newcomer.arrival.from_edge and self._by_source[newcomer.source] > self._per_source_max
        ):
            return False
        if len(self.connections) <= self.connections_max:
            return True
        most, _ = self._by_source.most_common(1)[0]
        if self._by_source[newcomer.source] == self._by_source[most]:
            return False
        idle = [found for found in self._own() if found.source == most and not found.in_work and not found.ended]
        if not idle:
            return False
        min(idle, key=lambda found: found.idle_since_s).dismiss_if_idle()
        return True

    def count(self, source: Address) -> None:
        """A connection from here is open."""
        self._by_source[source] += 1

    def forget(self, source: Address) -> None:
        """A connection from here has ended."""
        self._by_source[source] -= 1
        if not self._by_source[source]:
            del self._by_source[source]

    def _own(self) -> "list[Connection]":
        return [found for found in self.connections if isinstance(found, Connection)]

    def dismiss_idle(self) -> None:
        """Say good-bye on every connection that has no request in work, and on the others when that is answered."""
        self.idle_unwanted = True
        for connection in self._own():
            connection.dismiss_if_idle()

    def look_again(self) -> None:
        """End the connections whose source is listed no more; a request in work is answered."""
        for connection in self._own():
            connection.look_again()


class Connection(StrictHttp):
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
        self._unwanted = False
        self.arrival: Final = arrival
        self.idle_since_s = time.monotonic()
        self._peer = Peer(arrival.source)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Begin; a connection that stays silent is closed like one that became idle."""
        super().connection_made(transport)
        self._all.count(self.source)
        self._peer = Peer(self._peer.source, _certificate(transport))
        if not self._all.has_room(self):
            self.say_last(GOODBYE)
            return
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no more."""
        super().connection_lost(exc)
        self._all.forget(self.source)

    @property
    def source(self) -> Address:
        """Where it comes from."""
        return self.arrival.source

    def wrong_sender(self) -> bytes:
        """Learn from an edge who sent a request."""
        if not self.arrival.from_edge:
            return b""
        found = self._all.edges.peer(self.arrival, self.headers, self._peer)
        if isinstance(found, bytes):
            return found
        self.scope[PEER] = found  # type: ignore[typeddict-unknown-key]  # as below
        return b""

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
        self.idle_since_s = time.monotonic()
        if self._all.idle_unwanted or self._unwanted:
            self.dismiss_if_idle()

    def shutdown(self) -> None:
        """Make the request in work the last one. An idle connection stays: its next request may be on its way."""
        if self.in_work and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def look_again(self) -> None:
        """End, unless the source is still admitted."""
        if self.arrival.admitted:
            return
        self.ended = True
        if self.in_work:
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
        if not self.in_work and not self.ended and not self.transport.is_closing():
            self.say_last(GOODBYE)


def _certificate(transport: asyncio.Transport) -> ClientCertificate | None:
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    der = None if tls is None else tls.getpeercert(binary_form=True)
    return None if der is None else certificate_of(der)


GOODBYE: Final = as_bytes(NOT_READ)
