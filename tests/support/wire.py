"""A till on a bare connection: what a client library would mend by itself, it reports."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from support.certificates import ClientTls
from support.client import Answer, read
from support.originators import Originator
from support.switch import Switch


class Wire:
    """One connection at a time, kept as long as the answers allow; nothing is sent twice.

    It goes to the worker at `root`, "http://host:port", or to the switch; with `tls` over TLS.
    """

    def __init__(self, switch: Switch, by: Originator, root: str | None = None, tls: ClientTls | None = None) -> None:
        url = urlsplit(root or switch.root)
        self._address = url.hostname, url.port
        self._context = None if tls is None else tls.context()
        self._switch = switch
        self._by = by
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    @property
    def open(self) -> bool:
        """Whether the last answer left the connection open."""
        return self._streams is not None

    async def post(self, path: str, body: Mapping[str, Any], *, keep: bool = True) -> Answer:
        """POST a message below the base path and read the answer; without `keep` on a connection of its own.

        Raises:
            OSError, EOFError: refused, reset, or the answer was cut.
        """
        data = json.dumps(body).encode()
        head = self._switch.request_head("POST", f"/suv/v1{path}", by=self._by, length=len(data))
        if not keep:
            head = head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        reader, writer = await self.connect()
        try:
            writer.write(head + data)
            answer = await self.answer(path)
        except (OSError, EOFError):
            self.close()
            raise
        if answer.headers.get("connection") == "close":
            assert await reader.read() == b"", "bytes after the last answer"
            self.close()
        return answer

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect, if it is not."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address, ssl=self._context)
        return self._streams

    async def answer(self, path: str = "") -> Answer:
        """Read the next answer of the connection."""
        assert self._streams is not None
        reader, _ = self._streams
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[:-1]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        raw = await reader.readexactly(int(headers["content-length"]))
        return read("POST", f"/suv/v1{path}", int(first.split()[1]), headers, raw)

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None
