"""A provider, or whoever took its place, that answers with anything but an answer: in doubt, in time, in few bytes."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pytest

from providers.provider_support import Heard, Listening, RawServer, listening, raw_server, until
from providers.test_http_transport import BODY, OK, a_call, a_transport, only_leg
from voucherswitch.message.trace import LegOutcome
from voucherswitch.providers.contract.alerts import BAD_ANSWER
from voucherswitch.providers.contract.transport.http import HttpAnswer, HttpResult
from voucherswitch.providers.contract.transport.http_connection import HEAD_BYTES_MAX, INTERIM_MAX
from voucherswitch.providers.contract.transport.results import NoAnswer, NoConnection

BOUND: Final = 10_000  # of the body, in these tests
HEAD: Final = b"HTTP/1.1 200 OK\r\n"
CHUNKED: Final = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


class Hose(Listening):
    """A server that pours bytes out for as long as somebody listens, and counts them."""

    def __init__(self, start: bytes, piece: bytes) -> None:
        super().__init__()
        self.start = start
        self.piece = piece
        self.poured = 0

    async def talk(self, _number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.start)
        while not writer.transport.is_closing():
            writer.write(self.piece)
            self.poured += len(self.piece)
            await writer.drain()


@asynccontextmanager
async def a_hose(start: bytes, piece: bytes) -> AsyncIterator[Hose]:
    hose = Hose(start, piece)
    async with listening(hose, hose.talk):
        yield hose


@pytest.mark.parametrize(
    ("start", "piece", "cause"),
    [
        (HEAD, b"X-A: " + b"a" * 1_000 + b"\r\n", "the answer's head is larger than"),
        (HEAD + b"X-A: ", b"a" * 1_000, "the answer's head is larger than"),
        (b"HTTP/1.1 200 ", b"O" * 1_000, "the answer's head is larger than"),
        (HEAD + b"Content-Length: 2\r\n", b"X: 1\r\n" * 500, "the answer's head is larger than"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", "the answer is announced too often"),
        (b"", b"HTTP/1.1 103 E\r\nLink: " + b"a" * 9_000 + b"\r\n\r\n", "the answer's head is larger"),
        (
            CHUNKED + b"",
            b"3e8\r\n" + b"x" * 1_000 + b"\r\n",
            "the answer is larger than",
        ),
        (HEAD + b"\r\n", b"x" * 1_000, "the answer is larger than"),
        (CHUNKED + b"1;", b"a" * 1_000, "the answer is mostly padding"),
        (
            CHUNKED + b"0\r\n",
            b"X: " + b"a" * 1_000 + b"\r\n",
            "the answer's head is larger",
        ),
        (b"", b"\x00" * 1_000, "the answer is not HTTP"),
    ],
    ids=[
        "headers",
        "header",
        "reason",
        "small headers",
        "100s",
        "103s",
        "chunks",
        "body",
        "extension",
        "trailers",
        "NUL",
    ],
)
async def test_what_never_ends_is_cut_off_after_few_bytes(start: bytes, piece: bytes, cause: str) -> None:
    async with a_hose(start, piece) as hose, a_transport(hose.url, max_response_bytes=BOUND) as transport:
        call = a_call()
        result = await transport.send(call, "provision", "POST", "/x", body=BODY)
        assert isinstance(result, NoAnswer)
        assert result.cause.startswith(cause)
        assert result.alert == BAD_ANSWER
        assert (only_leg(call).outcome, only_leg(call).response) == (LegOutcome.NO_ANSWER, None)
        await until(lambda: not hose.open_now)
        assert hose.poured < 30_000_000  # what the sockets' buffers hold, and no more


async def test_headers_one_byte_at_a_time_end_with_the_time_of_the_exchange() -> None:
    async def behave(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"X: ")
        while not writer.transport.is_closing():
            writer.write(b"a")
            await asyncio.sleep(0.01)

    async with (
        raw_server(behave) as server,
        a_transport(server.url, read_timeout_ms=5_000, total_timeout_ms=150) as transport,
    ):
        started = time.monotonic()
        result = await transport.send(a_call(), "p", "POST", "/x", body=BODY)
        assert result == NoAnswer("no complete answer in time")
        assert time.monotonic() - started < 4


async def told(answer: bytes, *, bound: int = BOUND) -> tuple[HttpResult, RawServer]:
    """What becomes of one exchange that is answered so, and of the connection; the server closes nothing."""

    async def behave(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    async with (
        raw_server(behave) as server,
        a_transport(server.url, max_response_bytes=bound, total_timeout_ms=3_000) as transport,
    ):
        result = await transport.send(a_call(), "p", "POST", "/x", body=BODY)
        if isinstance(result, NoAnswer):
            await until(lambda: not server.open_now)
    return result, server


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: 2\r\nContent-Length: 20\r\n\r\n{}",
        HEAD + b"Content-Length: 2, 20\r\n\r\n{}",
        HEAD + b"Content-Length: -2\r\n\r\n{}",
        HEAD + b"Content-Length: +2\r\n\r\n{}",
        HEAD + b"Content-Length: 0x2\r\n\r\n{}",
        HEAD + b"Content-Length: 99999999999999999999999999\r\n\r\n{}",
        HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        CHUNKED + b"zz\r\n{}\r\n",
        CHUNKED + b"-2\r\n{}\r\n",
        CHUNKED + b"ffffffffffffffffff\r\n{}\r\n",
        CHUNKED + b"2\r\n{}garbage",
        HEAD + b"X: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
        HEAD + b"X\x00: a\r\nContent-Length: 2\r\n\r\n{}",
        HEAD + b"X: a\r\n folded: b\r\nContent-Length: 2\r\n\r\n{}",
        HEAD + b"X : a\r\nContent-Length: 2\r\n\r\n{}",
        HEAD + b"nonsense\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"ICY 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"{}",
        b"\x15\x03\x03\x00\x02\x02\x28",
    ],
)
async def test_an_answer_that_can_be_read_in_two_ways_is_none(answer: bytes) -> None:
    result, server = await told(answer)
    assert isinstance(result, NoAnswer)
    assert len(server.heard) == 1


async def test_invalid_text_and_control_characters_in_a_body_are_the_readers_to_judge() -> None:
    content = b'{"a":"\x00\xff\xfe"}'
    result, _ = await told(HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(content), content))
    assert isinstance(result, HttpAnswer)
    assert result.body == content


async def test_a_gzip_bomb_stays_packed() -> None:
    packed = gzip.compress(b" " * 8_000_000)
    assert len(packed) < BOUND
    result, server = await told(
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(packed), packed)
    )
    assert isinstance(result, HttpAnswer)
    assert result.body == packed
    assert server.heard[0].header("accept-encoding") is None


async def test_a_second_answer_is_not_taken_for_the_next_requests() -> None:
    """Answered twice, the second could be an approval of a request that was not even sent yet."""
    forged = HEAD + b"Content-Length: 6\r\n\r\nforged"

    async def behave(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + forged if heard.connection == 0 else OK)

    async with raw_server(behave) as server, a_transport(server.url) as transport:
        for _ in range(2):
            result = await transport.send(a_call(), "p", "POST", "/x", body=BODY)
            assert isinstance(result, HttpAnswer)
            assert result.body == b"{}"
        assert [heard.connection for heard in server.heard] == [0, 1]


async def test_a_late_second_answer_ends_the_kept_connection() -> None:
    later = asyncio.Event()

    async def behave(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        if heard.connection == 0:
            await writer.drain()
            await later.wait()
            writer.write(HEAD + b"Content-Length: 6\r\n\r\nforged")

    async with raw_server(behave) as server, a_transport(server.url) as transport:
        await transport.send(a_call(), "p", "POST", "/x", body=BODY)
        later.set()
        await until(lambda: not server.open_now)
        result = await transport.send(a_call(), "p", "POST", "/x", body=BODY)
        assert isinstance(result, HttpAnswer)
        assert result.body == b"{}"


@pytest.mark.parametrize("count", [INTERIM_MAX, INTERIM_MAX + 1])
async def test_some_announcements_are_passed_over(count: int) -> None:
    result, _ = await told(b"HTTP/1.1 100 Continue\r\n\r\n" * count + OK)
    assert isinstance(result, HttpAnswer) == (count <= INTERIM_MAX)


async def test_a_head_of_the_largest_size_is_read() -> None:
    filler = b"".join(b"X-%d: %b\r\n" % (n, b"a" * 900) for n in range(HEAD_BYTES_MAX // 1_000))
    result, _ = await told(HEAD + filler + b"Content-Length: 2\r\n\r\n{}")
    assert isinstance(result, HttpAnswer)


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async def behave(_heard: Heard, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n{}")
        return False

    async with raw_server(behave) as server, a_transport(server.url) as transport:
        result = await transport.send(a_call(), "p", "POST", "/x", body=BODY)
        assert isinstance(result, HttpAnswer)
        assert result.body == b"{}"


# Where a request goes, and where not


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_host_is_not_followed(status: int) -> None:
    """It would carry our credentials, and a voucher's code, to whoever the answer names."""

    async def answer_ok(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)

    async with raw_server(answer_ok) as elsewhere:

        async def behave(_heard: Heard, writer: asyncio.StreamWriter) -> None:
            place = b"http://localhost:%d/x" % elsewhere.port
            writer.write(b"HTTP/1.1 %d Gone\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % (status, place))

        async with raw_server(behave) as server, a_transport(server.url) as transport:
            result = await transport.send(a_call(), "p", "POST", "/x", body=BODY)
            assert isinstance(result, HttpAnswer)
            assert result.status == status
        assert elsewhere.connections == []


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_proxies_of_the_environment_hear_nothing(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer_ok(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)

    async with raw_server(answer_ok) as proxy, raw_server(answer_ok) as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.lower(), proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        async with a_transport(server.url.replace("http:", f"{scheme}:")) as transport:
            result = await transport.send(a_call(), "p", "POST", "/x", body=BODY)
            assert isinstance(result, HttpAnswer if scheme == "http" else NoConnection)
        assert proxy.connections == []
        assert len(server.connections) == 1


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        ({"X": "a\r\nY: b"}, "/x"),
        ({"X": "a\nb"}, "/x"),
        ({"X": "a\x00b"}, "/x"),
        ({"X\r\nY": "b"}, "/x"),
        ({"X Y": "b"}, "/x"),
        ({"": "b"}, "/x"),
        ({"X": "ä"}, "/x"),
        ({"Content-Length": "0"}, "/x"),
        ({"transfer-encoding": "chunked"}, "/x"),
        ({}, "/x HTTP/1.1\r\nHost: y\r\n\r\nGET /z"),
        ({}, "/x y"),
        ({}, "/x#y"),
        ({}, "/ä"),
        ({}, "//host\n"),
        ({}, "http://other.example/x"),
        ({}, ""),
    ],
)
async def test_nothing_in_an_order_becomes_another_request(headers: dict[str, str], path: str) -> None:
    async def answer_ok(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)

    async with raw_server(answer_ok) as server, a_transport(server.url) as transport:
        result = await transport.send(a_call(), "p", "POST", path, headers=headers, body=BODY)
        assert result == NoConnection("the request cannot be written as HTTP", ours=True)
        assert server.connections == []
