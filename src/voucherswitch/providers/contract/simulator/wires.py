"""What a simulator's wire must offer the common frame, whatever is spoken over it.

`wire.py` is HTTP, `line_wire.py` one document per line over TCP.
"""

from collections.abc import Callable, Set
from typing import Protocol

from voucherswitch.providers.contract.simulator.wire import Request


class WireConnection(Protocol):
    """One client connection; its handler answers each request, now or later, by one of these."""

    busy: bool  # a request is being answered

    @property
    def gone(self) -> bool: ...
    def write(self, data: bytes) -> None: ...
    def done(self) -> None: ...
    def drop(self) -> None: ...
    def reset(self) -> None: ...
    def reply(self, status: int, body: bytes, content_type: bytes = ..., headers: bytes = ...) -> None: ...
    def rendered(self, status: int, body: bytes, content_type: bytes = ..., headers: bytes = ...) -> bytes:
        """A whole answer as it goes over the wire."""

    def padded(self, body: bytes, size: int) -> bytes:
        """A body made as large as that, which still means the same."""


class WireListener(Protocol):
    """A listening socket and its connections; like `wire.Listener`."""

    port: int

    @property
    def connections(self) -> Set[WireConnection]: ...
    @property
    def listening(self) -> bool: ...
    @property
    def url(self) -> str: ...
    async def open(self, port: int) -> None: ...
    def close(self, *, busy: bool) -> None: ...


WireHandler = Callable[[Request, WireConnection], None]
Wire = Callable[[str, WireHandler, Callable[[], bytes]], WireListener]  # of a host, a handler and the `Date` header
