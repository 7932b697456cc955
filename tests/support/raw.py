"""Bytes on a connection, as an attacker sends them: nothing is mended, and every way it can end is told."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

WAIT_S: Final = 20.0


class Raw:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.reset = False  # whether the other end reset it

    async def send(self, data: bytes) -> None:
        """Send bytes; what the other end no longer takes is lost."""
        with contextlib.suppress(ConnectionError):
            self._writer.write(data)
            await self._writer.drain()

    def stop_reading(self) -> None:
        """Take nothing of what the other end sends."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # it is a reading transport too

    async def send_some(self, data: bytes) -> None:
        """Send bytes, and do not wait until they are taken."""
        self._writer.write(data)

    async def until(self, end: bytes) -> bytes:
        """Everything up to some bytes.

        Raises:
            asyncio.IncompleteReadError: they do not come.
        """
        async with asyncio.timeout(WAIT_S):
            return await self._reader.readuntil(end)

    async def rest(self, within_s: float = WAIT_S) -> bytes:
        """Everything that still comes until the other end closes.

        Raises:
            TimeoutError: it does not close.
        """
        data = b""
        async with asyncio.timeout(within_s):
            try:
                while piece := await self._reader.read(65_536):
                    data += piece
            except ConnectionError:
                self.reset = True
        return data

    async def answer(self) -> tuple[int, bytes, bytes]:
        """The next answer: status, head in lower case, body."""
        head = await self.until(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        async with asyncio.timeout(WAIT_S):
            body = await self._reader.readexactly(length)
        return int(head.split()[1]), head.lower(), body

    def end(self) -> None:
        """Say that nothing more comes."""
        self._writer.write_eof()


@asynccontextmanager
async def connected(
    address: tuple[str, int],
    *,
    source: str | None = None,
    tls: ssl.SSLContext | None = None,
    opening: bytes = b"",
) -> AsyncIterator[Raw]:
    """A connection to an address, from a source address of this machine; with `tls` over TLS, `opening` before it."""
    local = None if source is None else (source, 0)
    at_once = None if opening else tls  # `start_tls` does not see that a connection was reset before it
    reader, writer = await asyncio.open_connection(*address, local_addr=local, ssl=at_once)
    try:
        if opening:
            writer.write(opening)
            if tls is not None:
                await writer.start_tls(tls, server_hostname=address[0], ssl_handshake_timeout=WAIT_S)
        yield Raw(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):  # what was not read is in the way of a TLS good-bye
            await writer.wait_closed()


async def is_shut_out(address: tuple[str, int], data: bytes, *, source: str | None = None) -> bool:
    """Whether a connection is reset without a byte, whatever is sent."""
    try:
        async with connected(address, source=source) as raw:
            await raw.send(data)
            return await raw.rest() == b"" and raw.reset
    except ConnectionResetError:  # before we knew that it was open
        return True


def hello() -> bytes:
    """The first message of a handshake, as a client of today sends it."""
    sent = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return sent.read()
