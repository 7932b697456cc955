"""The database, or a provider, behind a door that a test can shut: it is gone for whoever goes through the door."""

import asyncio
import socket
from collections.abc import Callable, Iterable
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
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._cut: _Cut | None = None

    @property
    def url(self) -> str:
        """The database's URL through this door."""
        return f"postgresql://postgres@/voucherswitch?host={quote(str(self._folder))}&port=5432"

    async def __aenter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.flow()
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
        await _broken(self._open)

    def hang(self) -> None:
        """Swallow everything without a word, new connections included: a network that is gone."""
        self._flowing.clear()

    def flow(self) -> None:
        """Let everything pass again; what was sent meanwhile arrives now."""
        self._flowing.set()

    def cut_at(self, marker: bytes, *, skip: int = 0, answered: bool) -> Callable[[], bool]:
        """Break the connection once, at the statement that carries `marker`, after so many others that did.

        Args:
            answered: true: the server has done it, and only its answer is lost; false: the server never hears of it.

        Returns:
            Tells whether it has happened.
        """
        cut = self._cut = _Cut(marker, skip, answered)
        return lambda: cut.done

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        both = {writer}
        self._open.add(writer)
        try:
            await self._flowing.wait()
            if not writer.is_closing():
                inner_reader, inner_writer = await asyncio.open_unix_connection(self._socket)
                both.add(inner_writer)
                self._open |= both
                mute = asyncio.Event()  # the server's next answer is lost, and the connection with it
                await asyncio.gather(self._ask(reader, inner_writer, mute), self._answer(inner_reader, writer, mute))
        finally:
            self._open -= both
            for one in both:
                one.transport.abort()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, mute: asyncio.Event) -> None:
        """Pass on what the client says until one side ends, then end the other."""
        with suppress(OSError):
            while data := await reader.read(65_536):
                await self._flowing.wait()
                cut = self._cut
                if cut is not None and cut.meets(data):
                    self._cut = None
                    if not cut.answered:
                        break
                    mute.set()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, mute: asyncio.Event) -> None:
        """Pass on what the server says."""
        with suppress(OSError):
            while (data := await reader.read(65_536)) and not mute.is_set():
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


class _Cut:
    """Where a connection is to break."""

    def __init__(self, marker: bytes, skip: int, answered: bool) -> None:
        self.answered = answered
        self.done = False
        self._marker = marker
        self._left = skip

    def meets(self, data: bytes) -> bool:
        """Whether these bytes are the place."""
        if self._marker not in data:
            return False
        self._left -= 1
        self.done = self._left < 0
        return self.done


class ProviderDoor:
    """An address of the simulator's own that a test can shut, and where it can keep callers waiting.

    Open, it passes calls on. Shut, it refuses connections. Held, it takes them in and lets nothing through.

    Args:
        port: where calls are passed on, on this machine.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._server: asyncio.Server | None = None
        self._let_through = asyncio.Event()
        self._let_through.set()
        self._callers: set[asyncio.StreamWriter] = set()
        self.entered = 0  # connections that were taken
        self._kept = socket.socket()  # keeps the port ours while nobody listens there
        self._kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._kept.bind(("127.0.0.1", 0))

    @property
    def url(self) -> str:
        """The provider's address."""
        return f"http://127.0.0.1:{self._kept.getsockname()[1]}"

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.shut()
        self._let_through.set()
        self._kept.close()

    async def open(self) -> None:
        """Pass calls on, those that are held too."""
        self._let_through.set()
        if self._server is None:
            port = self._kept.getsockname()[1]
            self._server = await asyncio.start_server(self._called, "127.0.0.1", port, reuse_port=True)

    async def hold(self) -> None:
        """Take connections and let nothing through."""
        await self.shut()
        await self.open()
        self._let_through.clear()

    async def shut(self) -> None:
        """Break every connection and refuse new ones."""
        self._let_through.clear()
        if self._server is not None:
            self._server.close()
            self._server = None
        await _broken(self._callers)

    async def _called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.entered += 1
        self._callers.add(writer)
        try:
            await self._let_through.wait()
            if not writer.is_closing():
                onward_reader, onward_writer = await asyncio.open_connection("127.0.0.1", self._to)
                await asyncio.gather(_copy(reader, onward_writer), _copy(onward_reader, writer))
        finally:
            self._callers.discard(writer)
            writer.close()


async def _broken(writers: Iterable[asyncio.StreamWriter]) -> None:
    """Break connections, and return once the other end has been told: a request that is sent next finds them broken."""
    broken = list(writers)
    for writer in broken:
        writer.transport.abort()
    await asyncio.gather(*(writer.wait_closed() for writer in broken), return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass everything on until one side ends, then end the other."""
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()
