"""Hostile requests: whatever the bytes, a proper answer, and nothing in the journal (interface.md §3.5, §4.2)."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from support.client import BASE, Answer
from support.messages import AN_ID, a_provision, a_redemption
from support.originators import HOSTILE
from support.switch import Switch

LIMIT = 64 * 1024
PATHS = ["/vouchers", "/vouchers/confirmations", "/redemptions", "/refunds/reversals"]


@pytest.fixture(autouse=True)
async def nothing_is_written(switch: Switch) -> AsyncIterator[None]:
    """No test of this module leaves a row, and the worker still serves."""
    before = await switch.written_for(HOSTILE.id)
    yield
    assert await switch.written_for(HOSTILE.id) == before
    assert (await switch.client.get("/products", by=HOSTILE)).status == 200


async def post(switch: Switch, path: str, body: bytes) -> Answer:
    """POST raw bytes as JSON."""
    return await switch.client.post(path, body, by=HOSTILE)


def nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    """A field so many levels deep."""
    return b'{"a":' + opening * depth + closing * depth + b"}"


BODIES = {
    "nothing": b"",
    "a brace": b"{",
    "garbage": b"\x00\x01\x02",
    "half a message": json.dumps(a_provision(HOSTILE)).encode()[:400],
    "two messages": json.dumps(a_provision(HOSTILE)).encode() * 2,
    "trailing comma": b'{"id": 1,}',
    "comment": b'{/* */ "id": 1}',
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(a_provision(HOSTILE)).encode(),
    "UTF-16": json.dumps(a_provision(HOSTILE)).encode("utf-16"),
    "latin-1": json.dumps(a_provision(HOSTILE, basketRef="é"), ensure_ascii=False).encode("latin-1"),
    "17 levels of lists": nested(17),
    "30000 levels of lists": nested(30_000),
    "10000 levels of objects": nested(10_000, b'{"a":', b"}"),
    "unclosed lists": b'{"a":' + b"[" * 60_000,
    "infinity": b'{"id": Infinity}',
    "huge number": b'{"time": ' + b"9" * 60_000 + b"}",
    "huge exponent": b'{"amounts": {"requestAmount": {"amount": 1e999999999, "currency": "710"}}}',
    "many fields": b"{" + b",".join(b'"f%d":1' % i for i in range(5_000)) + b"}",
    "the same field": b"{" + b",".join([b'"id":1'] * 5_000) + b"}",
    "NUL in a value": json.dumps(a_provision(HOSTILE, basketRef="a\0b")).encode(),
    "NUL in a name": json.dumps(a_provision(HOSTILE) | {"a\0b": 1}).encode(),
    "lone surrogate": json.dumps(a_provision(HOSTILE, basketRef="\ud800")).encode(),
    "surrogate in a name": json.dumps(a_provision(HOSTILE) | {"\udc00": 1}).encode(),
    "surrogate in the id": json.dumps(a_provision(HOSTILE, id="\ud83d")).encode(),
    "id of another type": json.dumps(a_provision(HOSTILE, id={"a": 1})).encode(),
    "wrong everywhere": json.dumps({name: [] for name in a_provision(HOSTILE)}).encode(),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_body_that_is_no_message_is_a_format_error(switch: Switch, path: str, body: bytes) -> None:
    answer = await post(switch, path, body)

    assert (answer.status, answer.error_type) == (400, "FORMAT_ERROR")
    assert 1 <= len(answer.violations) <= 100
    assert len(answer.raw) < 100_000


@pytest.mark.parametrize("size", [LIMIT + 1, 10 * LIMIT, 100 * LIMIT])
@pytest.mark.parametrize("path", PATHS)
async def test_a_body_over_the_limit_is_413(switch: Switch, path: str, size: int) -> None:
    body = json.dumps(a_provision(HOSTILE)).encode().ljust(size)

    answer = await post(switch, path, body)

    assert (answer.status, answer.error_type, "id" in answer.body) == (413, "FORMAT_ERROR", False)


@pytest.mark.parametrize("size", [LIMIT + 1, 3 * LIMIT])
async def test_a_body_over_the_limit_without_content_length_is_413(switch: Switch, size: int) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        sent = 0
        while sent < size:
            piece = b" " * min(4_096, size - sent)
            sent += len(piece)
            yield piece

    answer = await switch.client.send("POST", f"{BASE}/vouchers", by=HOSTILE, stream=pieces())

    assert (answer.status, answer.error_type) == (413, "FORMAT_ERROR")


async def test_a_body_of_exactly_the_limit_is_read(switch: Switch) -> None:
    answer = await post(switch, "/vouchers", b" " * (LIMIT - 2) + b"{}")

    assert (answer.status, answer.error_type) == (400, "FORMAT_ERROR")


async def test_a_body_in_pieces_is_read(switch: Switch) -> None:
    body = json.dumps(a_redemption(HOSTILE, code="x" * 41)).encode()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 100):
            yield body[start : start + 100]

    answer = await switch.client.send("POST", f"{BASE}/redemptions", by=HOSTILE, stream=pieces())

    assert [found["field"] for found in answer.violations] == ["voucher.code"]


async def test_wrong_content_types_and_charsets_leave_nothing(switch: Switch) -> None:
    for content_type in ("text/plain", "application/json; charset=utf-16", "multipart/form-data; boundary=x", "json"):
        answer = await switch.client.send(
            "POST",
            f"{BASE}/vouchers",
            by=HOSTILE,
            body=a_provision(HOSTILE),
            headers={"content-type": content_type},
        )
        assert answer.status == 415


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/vouchers", "/redemptions", f"/redemptions/{AN_ID}", "/products"])
async def test_other_methods_leave_nothing(switch: Switch, method: str, path: str) -> None:
    answer = await switch.client.send(method, BASE + path, by=HOSTILE)

    assert answer.status == 405


HEADS = {
    "no HTTP": b"EHLO example.com\r\n\r\n",
    "no version": b"GET /suv/v1/products\r\n\r\n",
    "bad header": b"GET /suv/v1/products HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n",
    "bad length": b"POST /suv/v1/vouchers HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n{}",
    "two lengths": b"POST /suv/v1/vouchers HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "length and chunks": (
        b"POST /suv/v1/vouchers HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\n{}\r\n0\r\n\r\n"
    ),
    "bad chunk": b"POST /suv/v1/vouchers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
}


@pytest.mark.parametrize("data", HEADS.values(), ids=HEADS)
async def test_what_is_no_http_is_refused_or_closed(switch: Switch, data: bytes) -> None:
    """Never a 5xx, and never a connection that waits; more of it in tests/threats/test_smuggling.py."""
    answered = await switch.raw(data)

    assert answered.startswith(b"HTTP/1.1 400"), answered


async def test_an_originator_that_hangs_up_in_the_middle_of_its_request_leaves_nothing(switch: Switch) -> None:
    head = switch.request_head("POST", f"{BASE}/vouchers", by=HOSTILE, length=5_000)

    _, writer = await asyncio.open_connection(*switch.address)
    writer.write(head + b'{"id": "')
    await writer.drain()
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    "query",
    [
        "voucherCode=%00",
        "voucherCode=a&voucherCode=b",
        "voucherCode=" + "x" * 5_000,
        "provisionRequestId='; DROP TABLE transaction; --",
    ],
)
async def test_hostile_queries_are_format_errors_or_find_nothing(switch: Switch, query: str) -> None:
    answer = await switch.client.send("GET", f"{BASE}/vouchers?{query.replace(' ', '%20')}", by=HOSTILE)

    assert (answer.status, answer.error_type) == (400, "FORMAT_ERROR")
