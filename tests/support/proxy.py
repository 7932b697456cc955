"""The database behind a door that a test can shut: the network, or the server, is gone for whoever goes through it."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.parse import quote


class DatabaseDoor:
    """A Unix socket that leads to the embedded server's while it is open.

    Args:
        folder: where the socket is made; it must be empty and its path short.
        socket: the embedded server's own socket.
    """

    def __init__(self, folder: Path, socket: Path) -> None:
        self._folder = folder
        self._socket = socket
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """The database's URL through this door."""
        return f"postgresql://postgres@/voucherswitch?host={quote(str(self._folder))}&port=5432"

    async def __aenter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.shut()

    async def open(self) -> None:
        """Let connections through."""
        path = self._folder / self._socket.name
        path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._connected, path)

    async def shut(self) -> None:
        """Break every connection and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._open:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(self._socket)
        both = {writer, inner_writer}
        self._open |= both
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
        self._open -= both


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass everything on until one side ends, then end the other."""
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()
