"""What TLS takes of the processor for each request on a connection that is kept: both of the size of a sale.

A server and a client in one process, with the product's own TLS settings, once plain and once over TLS, in turns. Both
ends are in the figure, so half of the difference is the server's.
"""

import asyncio
import ssl
import time
from statistics import median
from typing import Final, cast

import uvloop

from bench.provision import MASKED_ANSWER, REQUEST, compact

ROUNDS: Final = 15
EXCHANGES: Final = 2_000
HEAD: Final = b"x" * 250  # of a request or an answer
ASKED: Final = HEAD + compact(REQUEST).encode()
ANSWERED: Final = HEAD + compact(MASKED_ANSWER).encode()


class Answering(asyncio.Protocol):
    """Answers each whole request."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._had = 0

    def data_received(self, data: bytes) -> None:
        self._had += len(data)
        if self._had >= len(ASKED):
            self._had -= len(ASKED)
            self._transport.write(ANSWERED)


class Asking(asyncio.Protocol):
    """Asks so many times, one after the other."""

    def __init__(self) -> None:
        self.done = asyncio.get_running_loop().create_future()
        self._left = EXCHANGES
        self._had = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def begin(self) -> None:
        """Send the first."""
        self._transport.write(ASKED)

    def data_received(self, data: bytes) -> None:
        self._had += len(data)
        if self._had < len(ANSWERED):
            return
        self._had -= len(ANSWERED)
        self._left -= 1
        if self._left:
            self._transport.write(ASKED)
        else:
            self._transport.close()
            self.done.set_result(None)


async def _exchange_us(server_tls: ssl.SSLContext | None, client_tls: ssl.SSLContext | None) -> float:
    """Processor time of one exchange, both ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", 0, ssl=server_tls)
    port = server.sockets[0].getsockname()[1]
    _, asking = await loop.create_connection(Asking, "127.0.0.1", port, ssl=client_tls)
    before = time.process_time()
    asking.begin()
    await asking.done
    taken_s = time.process_time() - before
    server.close()
    return taken_s * 1e6 / EXCHANGES


def tls_us(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> float:
    """What TLS takes of the server's processor for one request, in microseconds: the median of the rounds."""

    async def rounds() -> float:
        more = []
        for _ in range(ROUNDS):
            plain = await _exchange_us(None, None)
            more.append((await _exchange_us(server_tls, client_tls) - plain) / 2)
        return median(more)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(rounds())
