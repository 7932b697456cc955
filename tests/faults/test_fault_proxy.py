"""The fault proxy of `voucherswitch torture` does to a connection what it is told to, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest

from support.waiting import eventually
from voucherswitch.cli.torture.proxy import HOST, Proxy, ProxyFault, Target

ANSWER_S = 5


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    """A proxy in front of a server that says everything back."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1_024):
                writer.write(data)
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(echo, HOST, 0)
    proxy = Proxy({"echo": (HOST, server.sockets[0].getsockname()[1])})
    await proxy.open()
    yield proxy.targets["echo"]
    proxy.close()
    server.close()


class Client:
    """One connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def says(self, text: bytes) -> bytes:
        """Send a text; return what comes back before as much has come or the connection has ended."""
        self.writer.write(text)
        answer = b""
        async with asyncio.timeout(ANSWER_S):
            while len(answer) < len(text) and (data := await self.reader.read(1_024)):
                answer += data
        return answer


Dial = Callable[[], Awaitable[Client]]


@pytest.fixture
async def dial(target: Target) -> AsyncIterator[Dial]:
    """Connects through the proxy; hangs up at the end."""
    clients = []

    async def connect() -> Client:
        client = Client(*await asyncio.open_connection(HOST, target.port))
        clients.append(client)
        return client

    yield connect
    for client in clients:
        client.writer.close()
        with suppress(OSError):
            await client.writer.wait_closed()


async def test_without_a_fault_everything_passes(dial: Dial) -> None:
    client = await dial()
    assert await client.says(b"hello") == b"hello"


@pytest.mark.parametrize("after", [0, 3])
async def test_a_cut_lets_so_many_bytes_of_the_answer_through_and_ends_the_connection(
    target: Target, dial: Dial, after: int
) -> None:
    client = await dial()
    assert await client.says(b"before") == b"before"
    await target.arm(ProxyFault(kind="cut", side="down", after_bytes=after))
    assert await client.says(b"hello") == b"hello"[:after]
    assert await target.disarm() == 1


async def test_a_cut_on_the_way_up_keeps_the_request_from_its_receiver(target: Target, dial: Dial) -> None:
    client = await dial()
    await target.arm(ProxyFault(kind="cut", side="up", after_bytes=0))
    assert await client.says(b"hello") == b""


async def test_a_reset_is_a_reset_and_later_connections_pass(target: Target, dial: Dial) -> None:
    client = await dial()
    assert await client.says(b"hello") == b"hello"
    await target.arm(ProxyFault(kind="reset"))
    with pytest.raises(ConnectionResetError):
        await client.says(b"hello")
    assert await target.disarm() == 1
    later = await dial()
    assert await later.says(b"hello") == b"hello"


async def test_a_black_hole_swallows_and_the_connection_ends_with_it(target: Target, dial: Dial) -> None:
    client = await dial()
    assert await client.says(b"hello") == b"hello"
    await target.arm(ProxyFault(kind="black_hole", side="up"))
    saying = asyncio.create_task(client.says(b"hello"))

    async def swallowed() -> bool:
        return target.hits > 0

    await eventually(swallowed, "bytes in the black hole")
    assert not saying.done()
    assert await target.disarm() == 1
    with pytest.raises(ConnectionResetError):
        await saying


async def test_a_delay_holds_bytes_back_and_loses_none(target: Target, dial: Dial) -> None:
    client = await dial()
    await target.arm(ProxyFault(kind="delay", side="up", ms=100))
    began = asyncio.get_running_loop().time()
    assert await client.says(b"hello") == b"hello"
    assert asyncio.get_running_loop().time() - began >= 0.1


async def test_a_throttle_loses_none(target: Target, dial: Dial) -> None:
    client = await dial()
    await target.arm(ProxyFault(kind="throttle", bytes_per_s=1_000))
    assert await client.says(b"x" * 200) == b"x" * 200


async def test_a_half_close_towards_the_server_still_brings_its_answers(target: Target, dial: Dial) -> None:
    client = await dial()
    assert await client.says(b"hello") == b"hello"
    await target.arm(ProxyFault(kind="half_close", side="up"))
    assert await client.says(b"hello") == b"", "the server has heard the end and closes"


async def test_a_refusal_is_over_when_it_is_taken_back(target: Target, dial: Dial) -> None:
    await target.arm(ProxyFault(kind="refuse"))
    with pytest.raises(ConnectionRefusedError):
        await dial()
    await target.disarm()
    client = await dial()
    assert await client.says(b"hello") == b"hello"
