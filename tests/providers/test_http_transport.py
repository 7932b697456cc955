"""The HTTP transport against raw TCP servers: sent once, bounded, recorded, and honest about what is proved."""

import asyncio
import gzip
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from providers.authority import Authority
from providers.provider_support import Heard, RawServer, in_uvloop, raw_server, until
from voucherswitch import __version__
from voucherswitch.message.trace import Direction, Leg, LegOutcome, Trace
from voucherswitch.providers.contract.alerts import BAD_ANSWER
from voucherswitch.providers.contract.connector import Call, ProviderSettingsError
from voucherswitch.providers.contract.settings import read_settings
from voucherswitch.providers.contract.transport.http import HttpAnswer, HttpTransport
from voucherswitch.providers.contract.transport.masking import JsonMask
from voucherswitch.providers.contract.transport.results import NoAnswer, NoConnection
from voucherswitch.providers.contract.transport.tls import pin_of
from voucherswitch.providers.sandbox.settings import SandboxSettings

PIN = "4820193746551928"
BODY = b'{"requestId":"r1","code":"%s"}' % PIN.encode()
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def a_call(deadline_s: float = 20, advice_id: str | None = None) -> Call:
    return Call(trace=Trace(), deadline=time.monotonic() + deadline_s, advice_id=advice_id)


@asynccontextmanager
async def a_transport(url: str, *, reuse: bool = True, **settings: object) -> AsyncIterator[HttpTransport]:
    typed = read_settings(SandboxSettings, "sandbox", {"base_url": url, "api_key": "k"} | settings)
    transport = HttpTransport("sandbox", typed, JsonMask(), {"Authorization": "Bearer secret-key"}, reuse=reuse)
    try:
        yield transport
    finally:
        await transport.close()


async def answer_ok(_heard: Heard, writer: asyncio.StreamWriter) -> None:
    writer.write(OK)
    await writer.drain()


def reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def only_leg(call: Call) -> Leg:
    assert len(call.trace.legs) == 1
    return call.trace.legs[0]


# Sent once


@pytest.mark.parametrize("ending", ["close", "reset"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("reused", [False, True])
async def test_a_request_whose_bytes_left_is_never_sent_again(reused: bool, method: str, ending: str) -> None:
    """A provider that read it may have issued; a second copy could make a second voucher."""

    async def behave(heard: Heard, writer: asyncio.StreamWriter) -> bool | None:
        if "/fatal" not in heard.line:
            await answer_ok(heard, writer)
            return True
        if ending == "reset":
            reset(writer)
        return False

    async with raw_server(behave) as server, a_transport(server.url) as transport:
        if reused:
            await transport.send(a_call(), "warm", "GET", "/warm")
        call = a_call()
        body = BODY if method == "POST" else None
        result = await transport.send(call, "provision", method, "/fatal", body=body)
        assert isinstance(result, NoAnswer)
        assert only_leg(call).outcome is LegOutcome.NO_ANSWER
        # A copy would have been sent before the client took up the next request.
        assert isinstance(await transport.send(a_call(), "after", "GET", "/after"), HttpAnswer)
        fatal = [heard for heard in server.heard if "/fatal" in heard.line]
        assert len(fatal) == 1
        assert fatal[0].request == (1 if reused else 0)


async def test_a_keep_alive_connection_that_closes_under_a_request_never_doubles_it() -> None:
    """The server closes right after answering, so that some requests meet the closing connection."""

    async def behave(_heard: Heard, writer: asyncio.StreamWriter) -> bool:
        writer.write(OK)
        return False

    async with raw_server(behave) as server, a_transport(server.url) as transport:
        results = [await transport.send(a_call(), "provision", "POST", f"/{n}", body=BODY) for n in range(200)]
        lines = [heard.line for heard in server.heard]
        assert len(lines) == len(set(lines))
        for n, result in enumerate(results):
            arrived = f"POST /{n} HTTP/1.1" in lines
            assert arrived or not isinstance(result, HttpAnswer)
            assert not (arrived and isinstance(result, NoConnection))


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async def behave(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 307 T\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")

    async with raw_server(behave) as server, a_transport(server.url) as transport:
        result = await transport.send(a_call(), "provision", "POST", "/x", body=BODY)
        assert isinstance(result, HttpAnswer)
        assert (result.status, result.header("location")) == (307, "/elsewhere")
        assert len(server.heard) == 1


# Proved unsent


async def test_a_refused_connection_is_not_sent() -> None:
    async with raw_server(answer_ok) as server:
        url = server.url
    async with a_transport(url) as transport:
        call = a_call()
        assert isinstance(await transport.send(call, "provision", "POST", "/x", body=BODY), NoConnection)
        leg = only_leg(call)
        assert (leg.outcome, leg.status, leg.response) == (LegOutcome.NOT_SENT, None, None)
        assert leg.error is not None
        assert "refused" in leg.error


async def test_an_unresolvable_host_is_not_sent() -> None:
    async with a_transport("https://no-such-host.invalid") as transport:
        assert isinstance(await transport.send(a_call(), "provision", "POST", "/x", body=BODY), NoConnection)


async def test_a_connection_that_is_not_accepted_in_time_is_not_sent() -> None:
    with full_backlog() as port:
        async with a_transport(f"http://127.0.0.1:{port}", connect_timeout_ms=100) as transport:
            result = await transport.send(a_call(), "provision", "POST", "/x", body=BODY)
            assert isinstance(result, NoConnection)


@contextmanager
def full_backlog() -> Iterator[int]:
    """A listening port where connecting takes for ever."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = [socket.socket() for _ in range(4)]
    try:
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
    finally:
        for one in (*fillers, listener):
            one.close()


async def test_tls_on_a_plain_port_is_not_sent() -> None:
    async def behave(heard: Heard, writer: asyncio.StreamWriter) -> bool:
        return False

    async def not_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(not_tls, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with a_transport(f"https://127.0.0.1:{port}") as transport:
        assert isinstance(await transport.send(a_call(), "provision", "POST", "/x", body=BODY), NoConnection)
    server.close()


async def test_a_deadline_in_the_past_sends_nothing() -> None:
    async with raw_server(answer_ok) as server, a_transport(server.url) as transport:
        call = a_call(deadline_s=-0.001)
        result = await transport.send(call, "provision", "POST", "/x", body=BODY)
        assert result == NoConnection("the deadline is past", ours=True)
        assert only_leg(call).outcome is LegOutcome.NOT_SENT
        assert server.connections == []


async def test_beyond_the_bound_nothing_is_sent_and_a_free_connection_is_waited_for() -> None:
    release = asyncio.Event()

    async def behave(heard: Heard, writer: asyncio.StreamWriter) -> None:
        if "/slow" in heard.line:
            await release.wait()
        await answer_ok(heard, writer)

    async with (
        raw_server(behave) as server,
        a_transport(server.url, max_connections=1, connection_wait_ms=50) as transport,
    ):
        slow = asyncio.create_task(transport.send(a_call(), "provision", "POST", "/slow", body=BODY))
        await until(lambda: len(server.heard) == 1)
        call = a_call()
        result = await transport.send(call, "provision", "POST", "/x", body=BODY)
        assert result == NoConnection("all 1 connections are busy", ours=True)
        assert only_leg(call).outcome is LegOutcome.NOT_SENT
        release.set()
        assert isinstance(await slow, HttpAnswer)
        both = await asyncio.gather(*(transport.send(a_call(), "p", "POST", "/y", body=BODY) for _ in range(2)))
        assert all(isinstance(one, HttpAnswer) for one in both)
        assert len(server.connections) == 1


async def test_a_request_that_cannot_be_written_is_not_sent() -> None:
    async with raw_server(answer_ok) as server, a_transport(server.url) as transport:
        call = a_call()
        result = await transport.send(call, "p", "POST", "/x", headers={"X": "a\r\nsecret"}, body=BODY)
        assert isinstance(result, NoConnection)
        assert "secret" not in repr(only_leg(call))
        assert server.heard == []


# In doubt


async def test_silence_ends_at_the_read_timeout() -> None:
    async with raw_server(hang) as server, a_transport(server.url, read_timeout_ms=100) as transport:
        call = a_call()
        assert await transport.send(call, "p", "POST", "/x", body=BODY) == NoAnswer("no complete answer in time")
        assert 90_000 <= only_leg(call).duration_us < 5_000_000
        await until(lambda: not server.open_now)  # the connection is not kept: its answer may still come


async def hang(_heard: Heard, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def test_the_deadline_of_the_call_is_kept_when_it_is_nearest() -> None:
    async with raw_server(hang) as server, a_transport(server.url) as transport:
        call = a_call(deadline_s=0.1)
        assert isinstance(await transport.send(call, "p", "POST", "/x", body=BODY), NoAnswer)
        assert only_leg(call).duration_us < 5_000_000


def test_no_silence_ends_before_its_time() -> None:
    """Whose deadline ended it decides whose fault it was, and the service's event loop rings early by half a tick."""

    async def work() -> None:
        async with raw_server(hang) as server, a_transport(server.url) as transport:
            calls = [a_call(deadline_s=0.0501 + number / 10_000) for number in range(20)]
            assert all(await asyncio.gather(*(_ends_in_time(transport, call) for call in calls)))

    in_uvloop(work)


async def _ends_in_time(transport: HttpTransport, call: Call) -> bool:
    assert isinstance(await transport.send(call, "p", "POST", "/x", body=BODY), NoAnswer)
    return time.monotonic() >= call.deadline


async def test_an_answer_that_trickles_ends_at_the_total_timeout() -> None:
    """Each byte is inside the read timeout; together they are not an answer in time."""

    async def behave(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with (
        raw_server(behave) as server,
        a_transport(server.url, read_timeout_ms=5_000, total_timeout_ms=150, max_response_bytes=200_000) as transport,
    ):
        started = time.monotonic()
        assert isinstance(await transport.send(a_call(), "p", "POST", "/x", body=BODY), NoAnswer)
        assert time.monotonic() - started < 4


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"\x00\x01 garbage\r\n\r\n",
    ],
    ids=["short of its length", "chunks without an end", "not HTTP"],
)
async def test_an_answer_that_is_cut_or_garbled_is_no_answer(answer: bytes) -> None:
    async def behave(_heard: Heard, writer: asyncio.StreamWriter) -> bool:
        writer.write(answer)
        return False

    async with raw_server(behave) as server, a_transport(server.url) as transport:
        call = a_call()
        result = await transport.send(call, "p", "POST", "/x", body=BODY)
        assert isinstance(result, NoAnswer)
        assert result.alert == BAD_ANSWER
        assert only_leg(call).response is None


@pytest.mark.parametrize("chunked", [False, True])
async def test_an_answer_beyond_the_bound_is_not_read_on(chunked: bool) -> None:
    async def behave(_heard: Heard, writer: asyncio.StreamWriter) -> bool:
        length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 1000000000"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%b\r\n\r\n" % length)
        piece = b" " * 65_536
        for _ in range(1_000_000_000 // len(piece)):
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            await writer.drain()
        return False

    async with raw_server(behave) as server, a_transport(server.url, max_response_bytes=1_000) as transport:
        call = a_call()
        result = await transport.send(call, "p", "POST", "/x", body=BODY)
        assert result == NoAnswer("the answer is larger than 1000 bytes", BAD_ANSWER, 200)
        assert (only_leg(call).status, only_leg(call).outcome) == (200, LegOutcome.NO_ANSWER)
        await until(lambda: not server.open_now)  # closed, so the rest is never taken in
    assert len(server.heard) == 1


@pytest.mark.parametrize("size", [999, 1_000, 1_001])
async def test_the_bound_is_exact(size: int) -> None:
    async def behave(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (size, b"x" * size))

    async with raw_server(behave) as server, a_transport(server.url, max_response_bytes=1_000) as transport:
        result = await transport.send(a_call(), "p", "GET", "/x")
        if size > 1_000:
            assert isinstance(result, NoAnswer)
        else:
            assert isinstance(result, HttpAnswer)
            assert result.body == b"x" * size


# What the client adds, and what it must not


async def test_headers_are_ours_and_the_connection_is_kept() -> None:
    async with raw_server(answer_ok) as server, a_transport(server.url) as transport:
        for _ in range(3):
            await transport.send(a_call(), "p", "POST", "/x?a=b", headers={"Content-Type": "text/x"}, body=BODY)
        heard = server.heard[0]
        assert heard.line == "POST /x?a=b HTTP/1.1"
        assert heard.body == BODY
        assert heard.header("user-agent") == f"voucherswitch/{__version__}"
        assert heard.header("authorization") == "Bearer secret-key"
        assert heard.header("content-type") == "text/x"
        assert heard.header("content-length") == str(len(BODY))
        assert heard.header("accept-encoding") is None
        assert heard.header("transfer-encoding") is None
        assert len(server.connections) == 1


async def test_a_compressed_answer_stays_compressed() -> None:
    """Unpacked it could be any size, and the bound would hold the wrong number."""
    packed = gzip.compress(b"x" * 100_000)

    async def behave(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed)

    async with raw_server(behave) as server, a_transport(server.url) as transport:
        result = await transport.send(a_call(), "p", "GET", "/x")
        assert isinstance(result, HttpAnswer)
        assert result.body == packed


async def test_cookies_are_not_kept() -> None:
    async def behave(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")

    async with raw_server(behave) as server, a_transport(server.url) as transport:
        await transport.send(a_call(), "p", "GET", "/x")
        await transport.send(a_call(), "p", "GET", "/x")
        assert server.heard[1].header("cookie") is None


async def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_server(answer_ok) as proxy, raw_server(answer_ok) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        async with a_transport(server.url) as transport:
            await transport.send(a_call(), "p", "GET", "/x")
        assert (len(server.heard), len(proxy.heard)) == (1, 0)


async def test_an_idle_connection_is_given_up_after_its_time() -> None:
    async with raw_server(answer_ok) as server, a_transport(server.url, keep_alive_ms=20) as transport:
        await transport.send(a_call(), "p", "GET", "/x")
        await until(lambda: not server.open_now)
        await transport.send(a_call(), "p", "GET", "/x")
        assert len(server.connections) == 2


async def test_without_reuse_every_exchange_has_a_connection_of_its_own() -> None:
    """A provider whose answers are one behind, on a connection that it keeps, is then never a request behind."""
    said: list[bytes] = []

    async def behave(heard: Heard, writer: asyncio.StreamWriter) -> bool:
        said.append(heard.body)
        body = said[-2] if heard.request else said[-1]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        return True

    for reuse, answers, connections in ((True, [b"1", b"1"], 1), (False, [b"1", b"2"], 2)):
        said.clear()
        async with raw_server(behave) as server, a_transport(server.url, reuse=reuse) as transport:
            results = [await transport.send(a_call(), "p", "POST", "/x", body=body) for body in (b"1", b"2")]
            assert [result.body for result in results if isinstance(result, HttpAnswer)] == answers
            assert len(server.connections) == connections
            if not reuse:
                await until(lambda: not server.open_now)


# Recorded


async def test_a_leg_tells_what_went_over_the_wire_without_its_secrets() -> None:
    async def behave(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        body = b'{"voucher":{"code":"%s","serial":"SX1"},"amount":10.10}' % PIN.encode()
        writer.write(
            b"HTTP/1.1 201 C\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )

    async with raw_server(behave) as server, a_transport(server.url) as transport:
        call = a_call(advice_id="a1")
        before = datetime.now(UTC)
        await transport.send(call, "confirm", "POST", "/x", body=BODY)
        leg = only_leg(call)
        assert leg.direction is Direction.OUTBOUND
        assert (leg.peer, leg.operation, leg.advice_id) == ("sandbox", "confirm", "a1")
        assert (leg.outcome, leg.status, leg.error) == (LegOutcome.ANSWERED, 201, None)
        assert leg.request == 'POST /x\n\n{"requestId":"r1","code":"***"}'
        assert leg.response == '{"voucher":{"code":"***","serial":"SX1"},"amount":10.10}'
        assert before <= leg.started_at <= datetime.now(UTC)
        assert 0 < leg.duration_us < 20_000_000
        assert PIN not in repr(leg)
        assert "secret-key" not in repr(leg)


async def test_a_secret_in_a_path_is_shown_as_the_connector_says() -> None:
    async with raw_server(answer_ok) as server, a_transport(server.url) as transport:
        call = a_call()
        await transport.send(call, "lookup", "GET", f"/vouchers/{PIN}", shown_path="/vouchers/***")
        assert only_leg(call).request == "GET /vouchers/***"
        assert PIN in server.heard[0].line


async def test_a_body_that_cannot_be_parsed_is_recorded_by_size_and_type_only() -> None:
    async def behave(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        body = b'{"code":"' + PIN.encode()
        writer.write(
            b"HTTP/1.1 201 C\r\nContent-Type: text/json; a=b\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )

    async with raw_server(behave) as server, a_transport(server.url) as transport:
        call = a_call()
        await transport.send(call, "p", "POST", "/x", headers={"Content-Type": "x"}, body=b"not json " + PIN.encode())
        leg = only_leg(call)
        assert leg.request == "POST /x\n\n<25 bytes, x, not shown>"
        assert leg.response == "<25 bytes, text/json, not shown>"


async def test_a_header_that_is_not_text_is_as_good_as_none() -> None:
    async def behave(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: \xff\xfe\r\nContent-Length: 1\r\n\r\n{")

    async with raw_server(behave) as server, a_transport(server.url) as transport:
        call = a_call()
        result = await transport.send(call, "p", "POST", "/x", body=BODY)
        assert isinstance(result, HttpAnswer)
        assert result.header("content-type") is None
        assert only_leg(call).response == "<1 bytes, no content type, not shown>"


async def test_a_mask_that_fails_costs_the_text_and_not_the_outcome() -> None:
    class Broken(JsonMask):
        def __call__(self, body: bytes, content_type: str | None) -> str:
            raise KeyError(PIN)

    settings = read_settings(SandboxSettings, "sandbox", {"base_url": "http://127.0.0.1:1", "api_key": "k"})
    async with raw_server(answer_ok) as server:
        transport = HttpTransport("sandbox", replace(settings, base_url=server.url), Broken())
        call = a_call()
        assert isinstance(await transport.send(call, "p", "POST", "/x", body=BODY), HttpAnswer)
        assert only_leg(call).response == "<2 bytes, application/json, not shown>"
        assert PIN not in repr(only_leg(call))
        await transport.close()


async def test_the_requests_own_secrets_are_masked_under_any_name() -> None:
    async def behave(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        body = b'{"message":"no %s"}' % PIN.encode()
        writer.write(b"HTTP/1.1 404 N\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with raw_server(behave) as server, a_transport(server.url) as transport:
        call = a_call()
        await transport.send(call, "p", "POST", "/x", body=b'{"note":"%s"}' % PIN.encode(), secrets=[PIN])
        leg = only_leg(call)
        assert (leg.request, leg.response) == ('POST /x\n\n{"note":"***"}', '{"message":"no ***"}')


async def test_a_cancelled_exchange_is_recorded_once() -> None:
    async with (
        raw_server(hang) as server,
        a_transport(server.url, max_connections=1, total_timeout_ms=500, connection_wait_ms=100) as transport,
    ):
        sent, queued = a_call(), a_call()
        tasks = [asyncio.create_task(transport.send(sent, "p", "POST", "/x", body=BODY))]
        await until(lambda: len(server.heard) == 1)
        tasks.append(asyncio.create_task(transport.send(queued, "p", "POST", "/y", body=BODY)))
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(end) for end in ends] == [asyncio.CancelledError, asyncio.CancelledError]
        assert only_leg(sent).outcome is LegOutcome.NO_ANSWER
        assert only_leg(queued).outcome is LegOutcome.NOT_SENT
        # The abandoned exchange has given its place back, and its connection is not used for another.
        assert isinstance(await transport.send(a_call(), "p", "POST", "/z", body=BODY), NoAnswer)
        assert [heard.line for heard in server.heard] == ["POST /x HTTP/1.1", "POST /z HTTP/1.1"]
        await until(lambda: not server.open_now)


async def test_closing_ends_exchanges_in_flight_as_unanswered() -> None:
    async with raw_server(hang) as server, a_transport(server.url) as transport:
        call = a_call()
        task = asyncio.create_task(transport.send(call, "p", "POST", "/x", body=BODY))
        await until(lambda: len(server.heard) == 1)
        await transport.close()
        assert isinstance(await task, NoAnswer)
        assert only_leg(call).outcome is LegOutcome.NO_ANSWER


# TLS


@asynccontextmanager
async def tls_server(folder: Path, authority: Authority, *, ask_client: bool = False) -> AsyncIterator[RawServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.write(folder, "server"))
    if ask_client:
        context.load_verify_locations(authority.write_ca(folder))
        context.verify_mode = ssl.CERT_REQUIRED
    async with raw_server(answer_ok, ssl=context) as server:
        yield server


async def test_tls_trusts_the_given_authority_and_no_other(tmp_path: Path) -> None:
    authority = Authority()
    ca_file = str(authority.write_ca(tmp_path))
    async with tls_server(tmp_path, authority) as server:
        url = f"https://127.0.0.1:{server.port}"
        async with a_transport(url, tls={"ca_file": ca_file}) as transport:
            assert isinstance(await transport.send(a_call(), "p", "POST", "/x", body=BODY), HttpAnswer)
        async with a_transport(url) as transport:
            result = await transport.send(a_call(), "p", "POST", "/x", body=BODY)
            assert isinstance(result, NoConnection)
            assert "certificate" in result.cause
        async with a_transport(url, tls={"verify": False}) as transport:
            assert isinstance(await transport.send(a_call(), "p", "POST", "/x", body=BODY), HttpAnswer)


async def test_our_client_certificate_is_shown(tmp_path: Path) -> None:
    authority = Authority()
    ca_file, ours = str(authority.write_ca(tmp_path)), str(authority.write(tmp_path, "client"))
    async with tls_server(tmp_path, authority, ask_client=True) as server:
        url = f"https://127.0.0.1:{server.port}"
        async with a_transport(url, tls={"ca_file": ca_file, "client_cert": ours}) as transport:
            assert isinstance(await transport.send(a_call(), "p", "POST", "/x", body=BODY), HttpAnswer)
        async with a_transport(url, tls={"ca_file": ca_file}) as transport:
            assert not isinstance(await transport.send(a_call(), "p", "POST", "/x", body=BODY), HttpAnswer)


@pytest.mark.parametrize("key", ["ca_file", "client_cert"])
@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
async def test_a_certificate_file_that_cannot_be_used_is_named(tmp_path: Path, key: str, content: bytes | None) -> None:
    path = tmp_path / "x.pem"
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)
    with pytest.raises(ProviderSettingsError, match=rf"providers\.sandbox\.tls\.{key} .*; set it to a PEM file"):
        async with a_transport("https://127.0.0.1:1", tls={key: str(path)}):
            pass


async def test_an_https_provider_must_have_a_pinned_key(tmp_path: Path) -> None:
    authority = Authority()
    ca_file = str(authority.write_ca(tmp_path))
    async with tls_server(tmp_path, authority) as server:
        certificate = (tmp_path / "server.pem").read_text().partition("-----BEGIN PRIVATE KEY-----")[0]
        good = pin_of(ssl.PEM_cert_to_DER_cert(certificate))
        for pin, accepted in ((good, True), ("sha256/" + "A" * 43 + "=", False)):
            async with a_transport(
                f"https://127.0.0.1:{server.port}", tls={"ca_file": ca_file, "pins": [pin]}
            ) as transport:
                call = a_call()
                result = await transport.send(call, "p", "POST", "/x", body=BODY)
                assert isinstance(result, HttpAnswer if accepted else NoConnection)
                assert only_leg(call).outcome is (LegOutcome.ANSWERED if accepted else LegOutcome.NOT_SENT)
        assert len(server.heard) == 1


async def test_credentials_that_come_back_are_masked_wherever_they_stand() -> None:
    """Something on the way may echo a request with its headers; an answer's own headers are not recorded at all."""

    async def behave(heard: Heard, writer: asyncio.StreamWriter) -> None:
        echo = b'{"echo":"Authorization: %s; X-Token: one-time-token","serial":"secret-key"}' % (
            (heard.header("authorization") or "").encode()
        )
        head = b"HTTP/1.1 500 N\r\nSet-Cookie: session=header-secret\r\nContent-Length: %d\r\n\r\n%b"
        writer.write(head % (len(echo), echo))

    async with raw_server(behave) as server, a_transport(server.url) as transport:
        call = a_call()
        path = "/x?token=one-time-token&page=2"
        await transport.send(call, "p", "POST", path, headers={"X-Token": "one-time-token"}, body=b"{}")
        leg = only_leg(call)

    assert [secret for secret in ("secret-key", "one-time-token", "header-secret") if secret in repr(leg)] == []
    assert leg.request.startswith("POST /x?token=***&page=2")
