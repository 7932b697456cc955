"""A request is read in one way or refused, and a connection on which one was unclear carries no other.

Whoever stands in front of the switch may read bytes in another way than it does. What could be read in two ways is
therefore answered with a refusal, and the connection ends: bytes that follow are never taken for a request.
"""

import base64
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import pytest

from support.certificates import ClientTls
from support.client import BASE
from support.messages import a_provision
from support.originators import HOSTILE
from support.raw import Raw, connected
from support.switch import Switch

CREDENTIALS = base64.b64encode(f"{HOSTILE.id}:{HOSTILE.password}".encode())
AUTHORIZED = b"Host: switch\r\nAuthorization: Basic " + CREDENTIALS + b"\r\n"
# What an attacker hopes that somebody reads as a request of its own.
HIDDEN = b"GET " + BASE.encode() + b"/products HTTP/1.1\r\n" + AUTHORIZED + b"\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
JSON = b"Content-Type: application/json\r\n"


def post(headers: bytes, body: bytes = b"{}") -> bytes:
    """A request with headers of its own about its length."""
    return b"POST " + BASE.encode() + b"/vouchers HTTP/1.1\r\n" + AUTHORIZED + JSON + headers + b"\r\n" + body


def get(line: bytes, headers: bytes = AUTHORIZED) -> bytes:
    """A request with a request line of its own."""
    return line + b"\r\n" + headers + b"\r\n"


PRODUCTS = b"GET " + BASE.encode() + b"/products"

UNCLEAR = {
    "length and chunks": post(b"Content-Length: 2\r\n" + CHUNKED, b"2\r\n{}\r\n0\r\n\r\n"),
    "chunks and length": post(CHUNKED + b"Content-Length: 2\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
    "two lengths": post(b"Content-Length: 2\r\nContent-Length: 3\r\n"),
    "the same length twice": post(b"Content-Length: 2\r\nContent-Length: 2\r\n"),
    "a list of lengths": post(b"Content-Length: 2, 2\r\n"),
    "a length with a sign": post(b"Content-Length: +2\r\n"),
    "a negative length": post(b"Content-Length: -2\r\n"),
    "a hexadecimal length": post(b"Content-Length: 0x2\r\n"),
    "a length with a space": post(b"Content-Length: 1 2\r\n"),
    "a length that is empty": post(b"Content-Length: \r\n"),
    "a length beyond all bounds": post(b"Content-Length: 99999999999999999999999\r\n"),
    "a space before the colon": post(b"Content-Length : 2\r\n"),
    "a coding with a space before the colon": post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"),
    "a folded header": post(b"Content-Length:\r\n 2\r\n"),
    "a space before the first header": get(PRODUCTS + b" HTTP/1.1", b" " + AUTHORIZED),
    "a bare LF": get(PRODUCTS + b" HTTP/1.1\nX: y"),
    "a bare LF in the headers": post(b"Content-Length: 2\nX: y\r\n"),
    "a bare CR in the headers": post(b"Content-Length: 2\rX: y\r\n"),
    "NUL in a header": post(b"Content-Length: 2\r\nX: \0\r\n"),
    "a header without a name": post(b"Content-Length: 2\r\n: y\r\n"),
    "a header without a colon": post(b"Content-Length: 2\r\nX\r\n"),
    "another coding": post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
    "no coding": post(b"Transfer-Encoding: identity\r\n"),
    "two codings": post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"),
    "chunked twice": post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n"),
    "chunked in two headers": post(CHUNKED + CHUNKED, b"0\r\n\r\n"),
    "chunked, then something": post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"),
    "chunked behind a control": post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n"),
    "chunks in HTTP/1.0": post(CHUNKED, b"0\r\n\r\n").replace(b"HTTP/1.1", b"HTTP/1.0"),
    "a negative chunk": post(CHUNKED, b"-2\r\n{}\r\n0\r\n\r\n"),
    "a chunk beyond all bounds": post(CHUNKED, b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
    "a chunk with 0x": post(CHUNKED, b"0x2\r\n{}\r\n0\r\n\r\n"),
    "a chunk with a space": post(CHUNKED, b"2 \r\n{}\r\n0\r\n\r\n"),
    "a chunk that ends in LF": post(CHUNKED, b"2\n{}\r\n0\r\n\r\n"),
    "an extension that ends in LF": post(CHUNKED, b"2;a\n{}\r\n0\r\n\r\n"),
    "a chunk longer than it says": post(CHUNKED, b"1\r\n{}\r\n0\r\n\r\n"),
    "two hosts": get(PRODUCTS + b" HTTP/1.1", b"Host: a\r\n" + AUTHORIZED),
    "no host": get(PRODUCTS + b" HTTP/1.1", AUTHORIZED.partition(b"\r\n")[2]),
    "two credentials": get(PRODUCTS + b" HTTP/1.1", AUTHORIZED + b"Authorization: Basic eDp5\r\n"),
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/0.9 by name": get(PRODUCTS + b" HTTP/0.9"),
    "HTTP/2 by name": get(PRODUCTS + b" HTTP/2.0"),
    "HTTP/1.2": get(PRODUCTS + b" HTTP/1.2"),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "CONNECT": get(b"CONNECT switch:443 HTTP/1.1"),
    "a target without a path": get(b"GET http://switch HTTP/1.1"),
    "a target that is no ASCII": get(b"GET /\xff HTTP/1.1"),
    "a method in lower case": get(b"get / HTTP/1.1"),
    "a tab": get(b"GET\t/ HTTP/1.1"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


Connect: TypeAlias = Callable[[], AbstractAsyncContextManager[Raw]]


@pytest.fixture(params=["plain", "TLS"])
def connect(request: pytest.FixtureRequest, switch: Switch) -> Connect:
    """Opens a connection to the switch."""
    if request.param == "plain":
        return lambda: connected(switch.address)
    context = ClientTls(switch.authority.path).context()
    return lambda: connected(switch.tls_address, tls=context)


@pytest.mark.parametrize("data", UNCLEAR.values(), ids=UNCLEAR)
async def test_what_could_be_read_in_two_ways_is_refused_and_the_connection_ends(connect: Connect, data: bytes) -> None:
    async with connect() as raw:
        await raw.send(data)
        await raw.send(HIDDEN)
        status, head, body = await raw.answer()

        assert status == 400, head
        assert b"connection: close" in head
        assert json.loads(body)["errorType"] == "FORMAT_ERROR", body
        assert await raw.rest() == b"", "nothing else was read"


async def test_the_same_byte_by_byte(connect: Connect) -> None:
    """Where a packet ends changes nothing."""
    for data in (UNCLEAR["length and chunks"], UNCLEAR["two codings"], UNCLEAR["a chunk that ends in LF"]):
        async with connect() as raw:
            for start in range(len(data)):
                await raw.send(data[start : start + 1])
            assert (await raw.answer())[0] == 400
            assert await raw.rest() == b""


READ_ONCE = {
    "a target with a host": (get(b"GET http://elsewhere" + BASE.encode() + b"/products HTTP/1.1"), 200),
    "lines before the request": (b"\r\n\r\n" + get(PRODUCTS + b" HTTP/1.1"), 200),
    "a body where none is asked for": (
        get(PRODUCTS + b" HTTP/1.1", AUTHORIZED + b"Content-Length: 2\r\n") + b"{}",
        200,
    ),
    "a length with underscores": (get(PRODUCTS + b" HTTP/1.1", AUTHORIZED + b"Content_Length: 9\r\n"), 200),
    "chunks with extensions": (post(CHUNKED, b'2;a="b"\r\n{}\r\n0\r\n\r\n'), 400),
    "TRACE": (get(b"TRACE " + BASE.encode() + b"/products HTTP/1.1"), 405),
    "an unknown expectation": (get(PRODUCTS + b" HTTP/1.1", AUTHORIZED + b"Expect: something\r\n"), 200),
}


@pytest.mark.parametrize(("data", "status"), READ_ONCE.values(), ids=READ_ONCE)
async def test_what_can_be_read_in_one_way_is_and_the_next_request_begins_behind_it(
    connect: Connect, data: bytes, status: int
) -> None:
    async with connect() as raw:
        await raw.send(data + HIDDEN)
        assert (await raw.answer())[0] == status
        assert (await raw.answer())[0] == 200


async def test_a_request_that_offers_another_protocol_is_read_whole_and_is_the_last(connect: Connect) -> None:
    """The body of an upgrade, as clients that would rather speak HTTP/2 send it, is no other protocol's."""
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    body = json.dumps(a_provision(HOSTILE, basketRef="x" * 5_000)).encode()
    length = b"Content-Length: %d\r\n" % len(body)
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    for data in (post(offer + length, body), post(offer + CHUNKED, chunks)):
        for cut in (data.index(b"\r\n\r\n") + 4, len(data) - 5, len(data)):
            async with connect() as raw:
                await raw.send(data[:cut])
                await raw.send(data[cut:] + HIDDEN)
                status, head, answer = await raw.answer()
                violations = json.loads(answer)["detailMessage"]["formatErrors"]
                assert (status, [found["field"] for found in violations]) == (400, ["basketRef"])
                assert b"connection: close" in head
                assert await raw.rest() == b""
    async with connect() as raw:
        await raw.send(get(PRODUCTS + b" HTTP/1.1", AUTHORIZED + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"))
        assert (await raw.answer())[0] == 200
        assert await raw.rest() == b""


async def test_nothing_is_read_behind_a_request_that_closes(connect: Connect) -> None:
    async with connect() as raw:
        await raw.send(get(PRODUCTS + b" HTTP/1.1", AUTHORIZED + b"Connection: close\r\n") + HIDDEN)
        assert (await raw.answer())[0] == 200
        assert await raw.rest() == b""


async def test_a_request_is_answered_although_garbage_follows_it(switch: Switch) -> None:
    """An originator that heard "bad request" would take a sale for not made."""
    for garbage in (b"garbage\r\n\r\n", UNCLEAR["two lengths"], b"GET / HTTP/9"):
        async with connected(switch.address) as raw:
            await raw.send(HIDDEN + HIDDEN + garbage)
            assert [(await raw.answer())[0], (await raw.answer())[0]] == [200, 200]
            raw.end()
            assert await raw.rest(within_s=15) == b""


async def test_a_trailer_is_no_header(connect: Connect) -> None:
    """What follows a body was not there when the request was judged."""
    request = post(CHUNKED, b"2\r\n{}\r\n0\r\n").replace(AUTHORIZED, b"Host: switch\r\n")
    async with connect() as raw:
        await raw.send(request + b"Authorization: Basic " + CREDENTIALS + b"\r\n\r\n")
        assert (await raw.answer())[0] == 401


async def test_a_body_that_was_refused_unread_is_not_read_as_a_request(switch: Switch) -> None:
    async with connected(switch.address) as raw:
        wrong_type = post(b"Content-Length: %d\r\n" % len(HIDDEN), b"").replace(b"application/json", b"text/plain")
        await raw.send(wrong_type)
        assert (await raw.answer())[0] == 415
        await raw.send(HIDDEN + HIDDEN)
        assert (await raw.answer())[0] == 200
        raw.end()
        assert await raw.rest() == b""
