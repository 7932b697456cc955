"""What the tests of the one-line transport share: a server that misbehaves line by line, and transports to it."""

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from msgspec import Struct

from providers.provider_support import Listening, listening
from voucherswitch.message.trace import Leg, Trace
from voucherswitch.providers.contract.connector import Call
from voucherswitch.providers.contract.settings import CommonSettings, read_settings
from voucherswitch.providers.contract.transport.line_connection import LineResult
from voucherswitch.providers.contract.transport.line_pool import LinePool
from voucherswitch.providers.contract.transport.lines import LineAddress, LineTransport
from voucherswitch.providers.contract.transport.xml_masking import XmlMask

CLOSING_TAG = "</response>"
PIN = "4820193746551928"
REQUEST = b"<request><VoucherNumber>%b</VoucherNumber></request>" % PIN.encode()
OK = b"<response>ok</response>"


class HeardLine(Struct):
    """One line that reached a server: connection and number on it."""

    connection: int
    number: int
    line: bytes


Behave = Callable[[HeardLine, asyncio.StreamWriter], Awaitable[bool | None]]


class LineServer(Listening):
    """A server that reads lines and does as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[HeardLine] = []


@asynccontextmanager
async def line_server(behave: Behave, greet: Behave | None = None, **listen: Any) -> AsyncIterator[LineServer]:
    """Serve until the block ends; a `behave` that returns False ends its connection.

    `greet` is called for each new connection, before anything is read.
    """
    server = LineServer()

    async def talk(connection: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = 0
        if greet is not None and await greet(HeardLine(connection, -1, b""), writer) is False:
            return
        while True:
            heard = HeardLine(connection, number, (await reader.readuntil(b"\n"))[:-1])
            server.heard.append(heard)
            number += 1
            if await behave(heard, writer) is False:
                break

    async with listening(server, talk, **listen):
        yield server


def settings(**more: object) -> CommonSettings:
    given: dict[str, object] = {"read_timeout_ms": 5_000, "total_timeout_ms": 10_000, "pin_pattern": "[0-9]{16}"}
    return read_settings(CommonSettings, "lines", given | more)


@asynccontextmanager
async def a_transport(
    port: int, *, tls: bool = False, tls_settings: Mapping[str, object] | None = None, **more: object
) -> AsyncIterator[LineTransport]:
    address = LineAddress("127.0.0.1", port, tls)
    typed = settings(**more) if tls_settings is None else settings(tls=tls_settings, **more)
    transport = LineTransport("lines", typed, address, CLOSING_TAG, XmlMask())
    try:
        yield transport
    finally:
        await transport.close()
        await asyncio.sleep(0)


@asynccontextmanager
async def a_pool(port: int, *, pipelined_max: int = 16, **more: object) -> AsyncIterator[LinePool]:
    address = LineAddress("127.0.0.1", port)
    pool = LinePool("lines", settings(**more), address, CLOSING_TAG, XmlMask(), pipelined_max=pipelined_max)
    try:
        yield pool
    finally:
        await pool.close()
        await asyncio.sleep(0)


def a_call(deadline_s: float = 20, advice_id: str | None = None) -> Call:
    return Call(trace=Trace(), deadline=time.monotonic() + deadline_s, advice_id=advice_id)


def only_leg(call: Call) -> Leg:
    assert len(call.trace.legs) == 1
    return call.trace.legs[0]


async def one(transport: LineTransport, call: Call | None = None, body: bytes = REQUEST) -> LineResult:
    """One exchange on its own connection."""
    async with transport.session(call or a_call()) as session:
        return await session.send("provision", body)


async def answer_ok(_heard: HeardLine, writer: asyncio.StreamWriter) -> None:
    writer.write(OK + b"\n")
    await writer.drain()


async def hang(_heard: HeardLine, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


def reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
