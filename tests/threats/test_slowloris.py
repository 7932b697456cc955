"""Whoever sends slowly, takes slowly or says nothing keeps nobody else out, and not for long."""

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from support.addresses import own_address
from support.client import BASE
from support.listener import Listener, Place, connections_at
from support.originators import HOSTILE
from support.raw import Raw, connected, hello
from support.switch import SETTINGS, Switch
from support.waiting import eventually
from voucherswitch.config.limits import (
    BODY_DISCARDED_S,
    BODY_READ_S,
    HEAD_BYTES_MAX,
    HEAD_READ_S,
    HEADERS_MAX,
    TLS_HANDSHAKE_S,
    URL_BYTES_MAX,
)

SPARE_S = 15.0  # for a machine that does other things
KEEP_ALIVE_S = float(SETTINGS["KEEP_ALIVE_S"])
HANDSHAKE = b"\x16"  # how a record of a handshake begins
PRODUCTS = b"GET " + BASE.encode() + b"/products HTTP/1.1\r\nHost: switch\r\n"
VOUCHERS = b"POST " + BASE.encode() + b"/vouchers HTTP/1.1\r\nHost: switch\r\nContent-Type: application/json\r\n"


async def drip(raw: Raw, piece: bytes) -> None:
    """Send a piece every half second, as long as it is taken."""
    while not raw.reset:
        await raw.send(piece)
        await asyncio.sleep(0.5)


@dataclass(frozen=True)
class Slow:
    """A way to be slow: how it begins and goes on, within what it ends, and what it hears by then."""

    name: str
    start: bytes
    piece: bytes
    bound_s: float
    heard: bytes = b""


UNREAD = VOUCHERS.replace(b"application/json", b"text/plain") + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = VOUCHERS + b"Transfer-Encoding: chunked\r\n\r\n"
TIMED_OUT = b"HTTP/1.1 408"
REQUESTS: Sequence[Slow] = [
    Slow("nothing but an empty line", b"\r\n", b"\r\n", KEEP_ALIVE_S),
    Slow("a silent start", b"GET", b"", HEAD_READ_S, TIMED_OUT),
    Slow("a target", b"GET /", b"a", HEAD_READ_S, TIMED_OUT),
    Slow("headers", PRODUCTS, b"X-a: b\r\n", HEAD_READ_S, TIMED_OUT),
    Slow("one header", PRODUCTS + b"X: ", b"a", HEAD_READ_S, TIMED_OUT),
    Slow("a body", VOUCHERS + b"Content-Length: 9999\r\n\r\n", b"a", BODY_READ_S, TIMED_OUT),
    Slow("chunks", CHUNKS, b"1\r\na\r\n", BODY_READ_S, TIMED_OUT),
    Slow("a chunk's extension", CHUNKS + b"1;", b"a", BODY_READ_S, TIMED_OUT),
    Slow("a body that was refused", UNREAD, b"1\r\na\r\n", BODY_DISCARDED_S, b"HTTP/1.1 415"),
]


async def ends(raw: Raw, slow: Slow) -> tuple[bytes, float]:
    """What is answered, and when the connection has ended."""
    began_s = time.monotonic()
    await raw.send(slow.start)
    dripping = asyncio.create_task(drip(raw, slow.piece)) if slow.piece else None
    try:
        answered = await raw.rest(within_s=slow.bound_s + SPARE_S)
    finally:
        if dripping is not None:
            dripping.cancel()
    return answered, time.monotonic() - began_s


async def tried(listener: Listener, slow: Slow) -> None:
    """Be slow at a listener."""
    async with listener.connected() as raw:
        answered, taken_s = await ends(raw, slow)
    assert answered.startswith(slow.heard), (str(listener), slow.name, answered)
    assert answered.count(b"HTTP/1.1") == (1 if slow.heard else 0), (str(listener), slow.name, answered)
    assert slow.bound_s * 0.8 < taken_s < slow.bound_s + SPARE_S, (str(listener), slow.name, taken_s)


async def shaken(switch: Switch, slow: Slow) -> None:
    """Be slow in a handshake."""
    async with connected(switch.tls_address) as raw:
        answered, taken_s = await ends(raw, slow)
    assert answered[:1] == slow.heard, (slow.name, answered)
    assert TLS_HANDSHAKE_S * 0.8 < taken_s < TLS_HANDSHAKE_S + SPARE_S, (slow.name, taken_s)


async def test_whatever_comes_slowly_ends_within_its_bound(
    switch: Switch, listeners: tuple[Listener, Listener]
) -> None:
    """All at once, at both listeners: each takes as long as its bound."""
    greeting = hello()
    handshakes = [
        Slow("a silent handshake", b"", b"", TLS_HANDSHAKE_S),
        Slow("half a hello", greeting[: len(greeting) // 2], b"", TLS_HANDSHAKE_S),
        Slow("a hello byte by byte", greeting[:6], b"\0", TLS_HANDSHAKE_S),
        Slow("a handshake that is not finished", greeting, b"", TLS_HANDSHAKE_S, HANDSHAKE),
    ]

    await asyncio.gather(
        *(tried(listener, slow) for listener in listeners for slow in REQUESTS),
        *(shaken(switch, slow) for slow in handshakes),
    )


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /" + b"a" * URL_BYTES_MAX + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /" + b"a" * 10 * URL_BYTES_MAX, 414),
        (PRODUCTS + b"".join(b"X-%d: y\r\n" % number for number in range(HEADERS_MAX)) + b"\r\n", 431),
        (PRODUCTS + b"X: " + b"y" * HEAD_BYTES_MAX + b"\r\n\r\n", 431),
        (PRODUCTS + b"x" * HEAD_BYTES_MAX + b": y\r\n\r\n", 431),
        (PRODUCTS + (b"X: " + b"y" * 1_000 + b"\r\n") * 50 + b"\r\n", 431),
    ],
    ids=["target", "endless target", "many", "long value", "long name", "together"],
)
async def test_a_head_over_its_bound_is_refused_and_the_connection_ends(
    listener: Listener, head: bytes, status: int
) -> None:
    async with listener.connected() as raw:
        await raw.send(head)
        answer = await raw.answer()
        assert answer[0] == status
        assert json.loads(answer[2])["errorType"] == "FORMAT_ERROR"
        assert await raw.rest() == b""


@pytest.mark.parametrize(
    "beginning",
    [
        PRODUCTS + b"X: ",
        VOUCHERS + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ",
        VOUCHERS + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX",
        VOUCHERS + b"Transfer-Encoding: chunked\r\n\r\n1;",
    ],
    ids=["header", "trailer", "name of a trailer", "extension of a chunk"],
)
async def test_a_header_without_an_end_is_refused(listener: Listener, beginning: bytes) -> None:
    """Also behind the body, where nobody looks at it: the parser keeps it until it ends."""
    async with listener.connected() as raw:
        await raw.send(beginning)

        async def endless() -> None:
            for _ in range(100):
                await raw.send(b"y" * HEAD_BYTES_MAX)

        sending = asyncio.create_task(endless())
        try:
            assert (await raw.answer())[0] == 431
        finally:
            sending.cancel()


async def test_an_originator_that_does_not_take_its_answers_loses_its_connection(
    listeners: tuple[Listener, Listener],
) -> None:
    """It asks for more than the system keeps, and reads nothing."""
    await asyncio.gather(*(takes_nothing(listener) for listener in listeners))


async def takes_nothing(listener: Listener) -> None:
    ask = b"GET /openapi.json HTTP/1.1\r\nHost: switch\r\n\r\n"
    async with listener.worker() as (address, _), listener.connected(address) as raw:
        raw.stop_reading()
        await raw.send_some(ask * 400)
        await eventually(lambda: are_served(address, 1), f"a connection that is served: {listener}")

        await eventually(lambda: are_served(address, 0), f"its end: {listener}", within_s=75)


async def are_served(address: Place, count: int) -> bool:
    """Whether a worker holds so many connections at an address."""
    return connections_at(address) == count


async def test_idle_connections_of_one_source_keep_out_nobody_elses(listener: Listener) -> None:
    """The house is full: who has most connections loses the one that has been idle longest."""
    stranger = own_address()
    bounds = {"CONNECTIONS_MAX": "8", "CONNECTIONS_PER_SOURCE_MAX": "6", "KEEP_ALIVE_S": "60"}
    async with listener.worker(**bounds, **{listener.sources: stranger}) as (address, _), AsyncExitStack() as held:
        idle = [await held.enter_async_context(listener.connected(address, source=stranger)) for _ in range(6)]
        seventh = await held.enter_async_context(listener.connected(address, source=stranger))
        assert (await seventh.answer())[0] == 500, "a source has a bound of its own"
        assert await seventh.rest() == b""

        coming = [held.enter_async_context(listener.connected(address)) for _ in range(4)]
        for till in await asyncio.gather(*coming):
            await till.send(PRODUCTS + b"\r\n")
            assert (await till.answer())[0] == 401, "it is served"
        for gone in idle[:1]:
            assert (await gone.answer())[0] == 500
        await idle[-1].send(PRODUCTS + b"\r\n")
        assert (await idle[-1].answer())[0] == 401, "not more than needed"


async def test_a_source_cannot_hold_a_worker_with_requests_that_it_does_not_finish(
    switch: Switch, listener: Listener
) -> None:
    """Others are served while hundreds of slow requests wait for their end."""
    async with AsyncExitStack() as held:
        for _ in range(200):
            raw = await held.enter_async_context(listener.connected())
            await raw.send(VOUCHERS + b"Content-Length: 100\r\n\r\n{")
        assert (await switch.client.get("/products", by=HOSTILE)).status == 200
