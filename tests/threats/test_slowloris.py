"""Whoever sends slowly, takes slowly or says nothing keeps nobody else out, and not for long."""

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest

from support.addresses import own_address
from support.client import BASE
from support.originators import HOSTILE
from support.raw import Raw, connected
from support.switch import Switch
from support.waiting import eventually
from voucherswitch.config.limits import (
    BODY_DISCARDED_S,
    BODY_READ_S,
    HEAD_BYTES_MAX,
    HEAD_READ_S,
    HEADERS_MAX,
    URL_BYTES_MAX,
)

SPARE_S = 15.0  # for a machine that does other things
PRODUCTS = b"GET " + BASE.encode() + b"/products HTTP/1.1\r\nHost: switch\r\n"
VOUCHERS = b"POST " + BASE.encode() + b"/vouchers HTTP/1.1\r\nHost: switch\r\nContent-Type: application/json\r\n"


async def drip(raw: Raw, piece: bytes) -> None:
    """Send a piece every half second, as long as it is taken."""
    while not raw.reset:
        await raw.send(piece)
        await asyncio.sleep(0.5)


async def ends_within(switch: Switch, start: bytes, piece: bytes, bound_s: float) -> tuple[bytes, float]:
    """Begin like this, go on piece by piece; what was answered, and when the connection had ended."""
    began_s = time.monotonic()
    async with connected(switch.address) as raw:
        await raw.send(start)
        dripping = asyncio.create_task(drip(raw, piece)) if piece else None
        try:
            answered = await raw.rest(within_s=bound_s + SPARE_S)
        finally:
            if dripping is not None:
                dripping.cancel()
    return answered, time.monotonic() - began_s


async def test_whatever_comes_slowly_ends_within_its_bound(switch: Switch) -> None:
    """All at once: each takes as long as its bound."""
    unread = VOUCHERS.replace(b"application/json", b"text/plain") + b"Transfer-Encoding: chunked\r\n\r\n"
    cases: Sequence[tuple[str, bytes, bytes, float, bytes]] = [
        ("nothing but an empty line", b"\r\n", b"\r\n", 5.0, b""),
        ("a silent start", b"GET", b"", HEAD_READ_S, b"HTTP/1.1 408"),
        ("a target", b"GET /", b"a", HEAD_READ_S, b"HTTP/1.1 408"),
        ("headers", PRODUCTS, b"X-a: b\r\n", HEAD_READ_S, b"HTTP/1.1 408"),
        ("one header", PRODUCTS + b"X: ", b"a", HEAD_READ_S, b"HTTP/1.1 408"),
        ("a body", VOUCHERS + b"Content-Length: 9999\r\n\r\n", b"a", BODY_READ_S, b"HTTP/1.1 408"),
        ("chunks", VOUCHERS + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n", BODY_READ_S, b"HTTP/1.1 408"),
        (
            "a chunk's extension",
            VOUCHERS + b"Transfer-Encoding: chunked\r\n\r\n1;",
            b"a",
            BODY_READ_S,
            b"HTTP/1.1 408",
        ),
        ("a body that was refused", unread, b"1\r\na\r\n", BODY_DISCARDED_S, b"HTTP/1.1 415"),
    ]
    ended = await asyncio.gather(*(ends_within(switch, start, piece, bound) for _, start, piece, bound, _ in cases))

    for (name, _, _, bound_s, expected), (answered, taken_s) in zip(cases, ended, strict=True):
        assert answered.startswith(expected), (name, answered)
        assert answered.count(b"HTTP/1.1") == (1 if expected else 0), (name, answered)
        assert bound_s * 0.8 < taken_s < bound_s + SPARE_S, (name, taken_s)


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
    switch: Switch, head: bytes, status: int
) -> None:
    async with connected(switch.address) as raw:
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
async def test_a_header_without_an_end_is_refused(switch: Switch, beginning: bytes) -> None:
    """Also behind the body, where nobody looks at it: the parser keeps it until it ends."""
    async with connected(switch.address) as raw:
        await raw.send(beginning)

        async def endless() -> None:
            for _ in range(100):
                await raw.send(b"y" * HEAD_BYTES_MAX)

        sending = asyncio.create_task(endless())
        try:
            assert (await raw.answer())[0] == 431
        finally:
            sending.cancel()


async def test_an_originator_that_does_not_take_its_answers_loses_its_connection(switch: Switch) -> None:
    """It asks for more than the system keeps, and reads nothing."""
    ask = b"GET /openapi.json HTTP/1.1\r\nHost: switch\r\n\r\n"
    async with switch.lone_worker() as (client, process), AsyncExitStack() as held:
        before = _descriptors(process.pid)
        host, port = client.root.removeprefix("http://").split(":")
        raw = await held.enter_async_context(connected((host, int(port))))
        raw.stop_reading()
        await raw.send_some(ask * 400)
        await eventually(lambda: _more(process.pid, before), "a connection that is served")

        await eventually(lambda: _no_more(process.pid, before), "its end", within_s=75)


def _descriptors(pid: int) -> int:
    from pathlib import Path

    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def _more(pid: int, than: int) -> bool:
    return _descriptors(pid) > than


async def _no_more(pid: int, than: int) -> bool:
    return _descriptors(pid) <= than


async def test_idle_connections_of_one_source_keep_out_nobody_elses(switch: Switch) -> None:
    """The house is full: who has most connections loses the one that has been idle longest."""
    stranger = own_address()
    async with switch.extra_worker(
        CONNECTIONS_MAX="8", CONNECTIONS_PER_SOURCE_MAX="6", INTERFACE_SOURCES=stranger, KEEP_ALIVE_S="60"
    ) as client:
        await client.close()
        host, port = client.root.removeprefix("http://").split(":")
        address = host, int(port)
        async with AsyncExitStack() as held:
            idle = [await held.enter_async_context(connected(address, source=stranger)) for _ in range(6)]
            seventh = await held.enter_async_context(connected(address, source=stranger))
            assert (await seventh.answer())[0] == 500, "a source has a bound of its own"
            assert await seventh.rest() == b""

            tills = [await held.enter_async_context(connected(address)) for _ in range(4)]
            for till in tills:
                await till.send(PRODUCTS + b"\r\n")
                assert (await till.answer())[0] == 401, "it is served"
            for gone in idle[:1]:
                assert (await gone.answer())[0] == 500
            await idle[-1].send(PRODUCTS + b"\r\n")
            assert (await idle[-1].answer())[0] == 401, "not more than needed"


async def test_a_source_cannot_hold_a_worker_with_requests_that_it_does_not_finish(switch: Switch) -> None:
    """Others are served while hundreds of slow requests wait for their end."""
    async with AsyncExitStack() as held:
        for _ in range(200):
            raw = await held.enter_async_context(connected(switch.address))
            await raw.send(VOUCHERS + b"Content-Length: 100\r\n\r\n{")
        assert (await switch.client.get("/products", by=HOSTILE)).status == 200
