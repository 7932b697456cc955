"""The simulators' wire for one document per line: what it reads, how it answers, how it misbehaves when told to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from providers.provider_support import until
from voucherswitch.providers.contract.simulator.line_wire import LineListener, LineRequest
from voucherswitch.providers.contract.simulator.wires import Request, WireConnection

CLOSING = b"</response>"


class Heard:
    """A listener that notes what it is given, and answers as told."""

    def __init__(self, answer: Callable[[LineRequest, WireConnection], None]) -> None:
        self.requests: list[LineRequest] = []
        self._answer = answer

    def handle(self, request: Request, connection: WireConnection) -> None:
        assert isinstance(request, LineRequest)
        self.requests.append(request)
        self._answer(request, connection)


def echo(request: LineRequest, connection: WireConnection) -> None:
    connection.reply(200, b"<response>%b</response>" % request.body)


@asynccontextmanager
async def listening(
    answer: Callable[[LineRequest, WireConnection], None] = echo, **more: Any
) -> AsyncIterator[tuple[LineListener, Heard]]:
    heard = Heard(answer)
    listener = LineListener("127.0.0.1", heard.handle, lambda: b"", closing_tag=CLOSING, **more)
    await listener.open(0)
    try:
        yield listener, heard
    finally:
        listener.close(busy=True)
        await asyncio.sleep(0)


@asynccontextmanager
async def connected(listener: LineListener) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    try:
        yield reader, writer
    finally:
        writer.close()


@pytest.mark.parametrize("size", [1, 3, 1_000])
async def test_lines_are_read_in_any_pieces_and_empty_ones_are_nothing(size: int) -> None:
    sent = b"\n\r\nfirst\r\rsecond\r\n\nthird\n"
    async with listening() as (listener, heard), connected(listener) as (reader, writer):
        for start in range(0, len(sent), size):
            writer.write(sent[start : start + size])
            await writer.drain()
        answers = [await reader.readuntil(b"\n") for _ in range(3)]
        assert answers == [b"<response>%b</response>\n" % word for word in (b"first", b"second", b"third")]
        assert [request.body for request in heard.requests] == [b"first", b"second", b"third"]


async def test_one_request_at_a_time_and_in_order() -> None:
    waiting: list[WireConnection] = []

    def later(_request: LineRequest, connection: WireConnection) -> None:
        waiting.append(connection)

    async with listening(later) as (listener, heard), connected(listener) as (reader, writer):
        writer.write(b"a\nb\n")
        await until(lambda: bool(waiting))
        await asyncio.sleep(0)
        assert [request.body for request in heard.requests] == [b"a"]
        for answer in (b"1", b"2"):
            await until(lambda: bool(waiting))
            waiting.pop().reply(200, b"<response>%b</response>" % answer)
            assert await reader.readuntil(b"\n") == b"<response>%b</response>\n" % answer
        assert [request.body for request in heard.requests] == [b"a", b"b"]


async def test_a_connection_has_a_memory_of_its_own() -> None:
    def count(request: LineRequest, connection: WireConnection) -> None:
        request.memory["n"] = request.memory.get("n", 0) + 1
        connection.reply(200, b"<response>%d</response>" % request.memory["n"])

    async with listening(count) as (listener, _):
        for _ in range(2):
            async with connected(listener) as (reader, writer):
                writer.write(b"x\nx\n")
                assert await reader.readuntil(b"2</response>\n") == b"<response>1</response>\n<response>2</response>\n"


@pytest.mark.parametrize("sent", [b"x" * 65_537, b"x" * 65_537 + b"\n", b"x\n" * 18])
async def test_too_much_ends_the_connection(sent: bytes) -> None:
    def never(_request: LineRequest, _connection: WireConnection) -> None: ...

    async with listening(never) as (listener, _), connected(listener) as (reader, writer):
        writer.write(sent)
        assert await reader.read() == b""
        await until(lambda: not listener.connections)


async def test_an_idle_connection_is_closed_and_a_busy_one_is_not() -> None:
    async with listening(idle_s=0.05) as (listener, _), connected(listener) as (reader, writer):
        writer.write(b"x\n")
        await reader.readuntil(b"\n")
        assert await reader.read() == b""


async def test_a_connection_that_waits_for_its_answer_is_not_idle() -> None:
    waiting: list[WireConnection] = []

    def later(_request: LineRequest, connection: WireConnection) -> None:
        waiting.append(connection)

    async with listening(later, idle_s=0.02) as (listener, _), connected(listener) as (reader, writer):
        writer.write(b"x\n")
        await until(lambda: bool(waiting))
        rung = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.08, rung.set_result, None)  # several times the bound
        await rung
        waiting[0].reply(200, b"<response/></response>")
        assert await reader.readuntil(b"\n") == b"<response/></response>\n"


async def test_half_open_it_accepts_and_never_reads() -> None:
    async with listening(reads=lambda: False) as (listener, heard), connected(listener) as (reader, writer):
        writer.write(b"x\n")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await reader.read(1)
        assert heard.requests == []


async def test_it_drops_and_resets() -> None:
    async with listening(lambda _, one: one.drop()) as (listener, _), connected(listener) as (reader, writer):
        writer.write(b"x\n")
        assert await reader.read() == b""
    async with listening(lambda _, one: one.reset()) as (listener, _), connected(listener) as (reader, writer):
        writer.write(b"x\n")
        with pytest.raises(ConnectionResetError):
            await reader.read()


async def test_what_has_no_end_gets_one_and_padding_stays_inside() -> None:
    async with listening() as (listener, _), connected(listener) as (_, writer):
        writer.write(b"x\n")
        await until(lambda: bool(listener.connections))
        connection = next(iter(listener.connections))
        assert connection.rendered(500, b"") == b"</response>\n"
        assert connection.rendered(200, b"<a/>\x00<<") == b"<a/>\x00<<</response>\n"
        assert connection.rendered(200, b"<response></res\nponse>") == b"<response></res\nponse>\n"
        assert connection.padded(b"<response></response>", 30) == b"<response>         </response>"
        assert len(connection.padded(b"<html>", 30)) == 30


async def test_it_listens_on_loopback_only() -> None:
    with pytest.raises(ValueError, match="loopback only"):
        LineListener("0.0.0.0", Heard(echo).handle, lambda: b"", closing_tag=CLOSING)
    async with listening() as (listener, heard):
        assert listener.url == f"tcp://127.0.0.1:{listener.port}"
        other = LineListener("127.0.0.1", heard.handle, lambda: b"", closing_tag=CLOSING)
        with pytest.raises(OSError, match="cannot listen on"):
            await other.open(listener.port)
