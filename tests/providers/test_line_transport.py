"""The one-line transport against raw TCP servers: sent once, framed in every split, bounded, recorded, and honest."""

import asyncio
import ssl
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.authority import Authority
from providers.line_support import (
    OK,
    PIN,
    REQUEST,
    HeardLine,
    a_call,
    a_transport,
    answer_ok,
    hang,
    line_server,
    one,
    only_leg,
    reset,
    settings,
)
from providers.provider_support import in_uvloop, until
from providers.test_http_transport import full_backlog
from voucherswitch.message.trace import Direction, LegOutcome
from voucherswitch.providers.contract.alerts import BAD_ANSWER
from voucherswitch.providers.contract.connector import Call, ProviderSettingsError
from voucherswitch.providers.contract.transport.line_connection import AnswerReader
from voucherswitch.providers.contract.transport.lines import LineAddress, LineTransport
from voucherswitch.providers.contract.transport.results import NoAnswer, NoConnection
from voucherswitch.providers.contract.transport.xml_masking import XmlMask

TWO = b"\r\n<response><a>1\r\n</a></resp\nonse>\r\n \t<Response>\n<b/>\r</RESPONSE>\n"
TWO_READ = [b"<response><a>1</a></response>", b"<Response><b/></RESPONSE>"]


def read_all(reader: AnswerReader, pieces: Iterator[bytes] | list[bytes]) -> list[bytes]:
    return [answer for piece in pieces for answer in reader.feed(piece)]


# Framing, whatever the network does


def test_two_answers_come_out_of_every_split_in_two() -> None:
    for cut in range(len(TWO) + 1):
        reader = AnswerReader("</response>", 1_000)
        assert read_all(reader, [TWO[:cut], TWO[cut:]]) == TWO_READ
        assert not reader.unfinished


@given(st.lists(st.integers(0, len(TWO)), max_size=20))
def test_two_answers_come_out_of_any_pieces(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(TWO)]
    pieces = [TWO[start:end] for start, end in pairwise(places)]
    assert read_all(AnswerReader("</response>", 1_000), pieces) == TWO_READ


def test_single_bytes_make_the_answer_with_their_last() -> None:
    reader = AnswerReader("</response>", 1_000)
    for byte in OK[:-1]:
        assert reader.feed(bytes([byte])) == []
        assert reader.unfinished
    assert reader.feed(OK[-1:]) == [OK]


@pytest.mark.parametrize("size", [1, 7, 1_000])
@pytest.mark.parametrize("length", [1_000, 1_001])
def test_the_bound_is_exact_in_any_pieces(size: int, length: int) -> None:
    answer = OK.replace(b"ok", b"x" * (length - len(OK) + 2))
    reader = AnswerReader("</response>", 1_000)
    pieces = [answer[start : start + size] for start in range(0, length, size)]
    assert read_all(reader, pieces) == ([] if length > 1_000 else [answer])
    assert reader.too_large == (length > 1_000)


def test_what_came_before_an_answer_that_is_too_large_is_read() -> None:
    reader = AnswerReader("</response>", 1_000)
    assert reader.feed(OK + b"\n" + OK.replace(b"ok", b"x" * 1_000) + OK) == [OK]
    assert reader.too_large


@pytest.mark.parametrize("filler", [b"x", b"\n", b" "])
def test_bytes_without_an_end_are_bounded_whatever_they_are(filler: bytes) -> None:
    reader = AnswerReader("</response>", 1_000)
    assert read_all(reader, [filler] * 1_000) == []
    assert not reader.too_large
    assert reader.feed(filler) == []
    assert reader.too_large


@given(st.binary(max_size=2_000), st.integers(1, 50))
def test_any_bytes_are_read_or_refused(content: bytes, size: int) -> None:
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    answers = read_all(AnswerReader("</response>", 500), pieces)
    assert all(len(answer) <= 500 and b"\n" not in answer for answer in answers)


async def test_a_request_is_one_line_and_its_answer_is_read_byte_by_byte() -> None:
    async def behave(_heard: HeardLine, writer: asyncio.StreamWriter) -> None:
        for byte in b"<response>\r\no\nk</respo\r\nnse>\n":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)

    async with line_server(behave) as server, a_transport(server.port) as transport:
        call = a_call(advice_id="a")
        assert await one(transport, call) == OK
        assert [heard.line for heard in server.heard] == [REQUEST]
        leg = only_leg(call)
        assert (leg.direction, leg.peer, leg.operation) == (Direction.OUTBOUND, "lines", "provision")
        assert (leg.outcome, leg.status, leg.advice_id, leg.error) == (LegOutcome.ANSWERED, None, "a", None)
        assert leg.request == "<request><VoucherNumber>***</VoucherNumber></request>"
        assert leg.response == "<response>ok</response>"


@pytest.mark.parametrize("break_", [b"\r", b"\n", b"\r\n"])
async def test_line_breaks_mean_nothing(break_: bytes) -> None:
    async def behave(_heard: HeardLine, writer: asyncio.StreamWriter) -> None:
        writer.write(break_ + break_.join(bytes([byte]) for byte in OK) + break_)

    async with line_server(behave) as server, a_transport(server.port) as transport:
        assert await one(transport) == OK


# A session: several exchanges on one connection


async def test_a_session_is_one_connection_and_the_next_has_its_own() -> None:
    async def behave(heard: HeardLine, writer: asyncio.StreamWriter) -> None:
        writer.write(b"<response>%b</response>" % heard.line)

    async with line_server(behave) as server, a_transport(server.port) as transport:
        for _ in range(2):
            call = a_call()
            async with transport.session(call) as session:
                assert await session.send("auth", b"1") == b"<response>1</response>"
                assert await session.send("provision", b"2") == b"<response>2</response>"
            assert [leg.operation for leg in call.trace.legs] == ["auth", "provision"]
        assert [(heard.connection, heard.line) for heard in server.heard] == [
            (0, b"1"),
            (0, b"2"),
            (1, b"1"),
            (1, b"2"),
        ]
        await until(lambda: not server.open_now)


async def test_a_session_that_sends_nothing_opens_nothing() -> None:
    async with line_server(answer_ok) as server, a_transport(server.port) as transport:
        async with transport.session(a_call()):
            pass
        assert server.connections == []


@pytest.mark.parametrize("ending", ["close", "reset"])
async def test_a_connection_that_ends_between_two_exchanges_took_no_byte_of_the_second(ending: str) -> None:
    async def behave(_heard: HeardLine, writer: asyncio.StreamWriter) -> bool:
        writer.write(OK)
        await writer.drain()
        if ending == "reset":
            await asyncio.sleep(0.01)  # a reset at once could overtake the answer
            reset(writer)
        return False

    async with line_server(behave) as server, a_transport(server.port) as transport:
        call = a_call()
        async with transport.session(call) as session:
            assert await session.send("auth", b"1") == OK
            assert session._connection is not None
            await until(lambda: session._connection is None or session._connection.closed)
            assert isinstance(await session.send("provision", b"2"), NoConnection)
        assert [leg.outcome for leg in call.trace.legs] == [LegOutcome.ANSWERED, LegOutcome.NOT_SENT]
        assert [heard.line for heard in server.heard] == [b"1"]


@pytest.mark.parametrize("extra", [OK, b"<resp"], ids=["whole", "begun"])
async def test_an_answer_that_nobody_asked_for_is_never_the_next_ones(extra: bytes) -> None:
    """Two answers in one segment: taken for the second request's, the surplus one could approve a sale never made."""

    async def behave(_heard: HeardLine, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"\n" + extra)

    async with (
        line_server(behave) as server,
        a_transport(server.port) as transport,
        transport.session(a_call()) as session,
    ):
        assert await session.send("auth", b"1") == OK
        result = await session.send("provision", b"2")
        assert result == NoConnection("an answer came that nobody asked for")
        assert len(server.heard) == 1


# Proved unsent


async def test_a_refused_connection_is_not_sent() -> None:
    async with line_server(answer_ok) as server:
        port = server.port
    async with a_transport(port) as transport:
        call = a_call()
        result = await one(transport, call)
        assert isinstance(result, NoConnection)
        leg = only_leg(call)
        assert (leg.outcome, leg.response) == (LegOutcome.NOT_SENT, None)
        assert leg.error is not None
        assert "refused" in leg.error.lower()
        assert str(port) not in leg.error


async def test_a_connection_that_is_not_accepted_in_time_is_not_sent() -> None:
    with full_backlog() as port:
        async with a_transport(port, connect_timeout_ms=100) as transport:
            assert await one(transport) == NoConnection("no connection in time")


async def test_a_deadline_in_the_past_sends_nothing() -> None:
    async with line_server(answer_ok) as server, a_transport(server.port) as transport:
        call = a_call(deadline_s=-0.001)
        assert await one(transport, call) == NoConnection("the deadline is past", ours=True)
        assert only_leg(call).outcome is LegOutcome.NOT_SENT
        assert server.connections == []


@pytest.mark.parametrize("body", [b"a\nb", b"a\rb", b"x" * 65_536], ids=["LF", "CR", "too long"])
async def test_a_request_that_is_not_one_line_is_not_sent(body: bytes) -> None:
    async with line_server(answer_ok) as server, a_transport(server.port) as transport:
        assert isinstance(await one(transport, body=body), NoConnection)
        assert server.connections == []


async def test_beyond_the_bound_nothing_is_sent_and_a_free_connection_is_waited_for() -> None:
    release = asyncio.Event()

    async def behave(heard: HeardLine, writer: asyncio.StreamWriter) -> None:
        if heard.line == b"slow":
            await release.wait()
        await answer_ok(heard, writer)

    async with (
        line_server(behave) as server,
        a_transport(server.port, max_connections=1, connection_wait_ms=50) as transport,
    ):
        slow = asyncio.create_task(one(transport, body=b"slow"))
        await until(lambda: len(server.heard) == 1)
        call = a_call()
        assert await one(transport, call) == NoConnection("all 1 connections are busy", ours=True)
        assert only_leg(call).outcome is LegOutcome.NOT_SENT
        release.set()
        assert await slow == OK
        assert await asyncio.gather(*(one(transport) for _ in range(3))) == [OK] * 3


# In doubt


@pytest.mark.parametrize("ending", ["close", "reset"])
@pytest.mark.parametrize("said", [b"", b"<response>o", OK[:-1]], ids=["nothing", "a part", "all but a byte"])
async def test_an_end_after_the_request_is_a_doubt_and_is_not_sent_again(said: bytes, ending: str) -> None:
    """The provider read it and may have issued."""

    async def behave(_heard: HeardLine, writer: asyncio.StreamWriter) -> bool:
        writer.write(said)
        await writer.drain()
        if ending == "reset":
            await asyncio.sleep(0.01)
            reset(writer)
        return False

    async with line_server(behave) as server, a_transport(server.port) as transport:
        call = a_call()
        result = await one(transport, call)
        assert isinstance(result, NoAnswer)
        assert result.alert == (BAD_ANSWER if said else None)
        leg = only_leg(call)
        assert (leg.outcome, leg.response, leg.error) == (LegOutcome.NO_ANSWER, None, result.cause)
        assert len(server.heard) == 1


@pytest.mark.parametrize("ending", ["close", "reset"])
async def test_a_connection_that_ends_before_it_reads_leaves_no_answer(ending: str) -> None:
    """Whether the request's bytes were on the wire by then, nobody can say."""

    async def greet(_heard: HeardLine, writer: asyncio.StreamWriter) -> bool:
        if ending == "reset":
            reset(writer)
        return False

    async with line_server(answer_ok, greet) as server, a_transport(server.port) as transport:
        call = a_call()
        assert isinstance(await one(transport, call), NoAnswer | NoConnection)
        assert only_leg(call).outcome is not LegOutcome.ANSWERED
        assert server.heard == []


async def test_silence_ends_at_the_read_timeout() -> None:
    async with line_server(hang) as server, a_transport(server.port, read_timeout_ms=100) as transport:
        call = a_call()
        assert await one(transport, call) == NoAnswer("no complete answer in time")
        assert 90_000 <= only_leg(call).duration_us < 5_000_000
        await until(lambda: all(reader.at_eof() for reader in server.connections))


async def test_a_server_that_never_reads_is_a_silence() -> None:
    """Half open: it accepts, and reads nothing."""
    listener = await asyncio.start_server(_never_read, "127.0.0.1", 0, limit=1)
    port = listener.sockets[0].getsockname()[1]
    async with a_transport(port, read_timeout_ms=100) as transport:
        result = await one(transport, body=b"x" * 65_000)
        assert result == NoAnswer("no complete answer in time")
    listener.close()


async def _never_read(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(0.3)
    writer.transport.abort()


async def test_the_deadline_of_the_call_is_kept_when_it_is_nearest() -> None:
    async with line_server(hang) as server, a_transport(server.port) as transport:
        call = a_call(deadline_s=0.1)
        assert isinstance(await one(transport, call), NoAnswer)
        assert only_leg(call).duration_us < 4_000_000


def test_no_silence_ends_before_its_time() -> None:
    """Whose deadline ended it decides whose fault it was, and the service's event loop rings early by half a tick."""

    async def work() -> None:
        async with line_server(hang) as server, a_transport(server.port) as transport:
            calls = [a_call(deadline_s=0.0501 + number / 10_000) for number in range(20)]
            assert all(await asyncio.gather(*(_ends_in_time(transport, call) for call in calls)))

    in_uvloop(work)


async def _ends_in_time(transport: LineTransport, call: Call) -> bool:
    assert isinstance(await one(transport, call), NoAnswer)
    return time.monotonic() >= call.deadline


async def test_an_answer_that_trickles_is_read_but_not_beyond_the_total_time() -> None:
    """Each byte is inside the read timeout; together they are no answer in time."""

    async def behave(_heard: HeardLine, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async def slowly(_heard: HeardLine, writer: asyncio.StreamWriter) -> None:
        for piece in (OK[:5], OK[5:9], OK[9:]):
            await asyncio.sleep(0.06)
            writer.write(piece)

    async with line_server(behave) as server, a_transport(server.port, total_timeout_ms=150) as transport:
        started = time.monotonic()
        assert await one(transport) == NoAnswer("no complete answer in time")
        assert time.monotonic() - started < 4
    async with line_server(slowly) as server, a_transport(server.port, read_timeout_ms=100) as transport:
        assert await one(transport) == OK


async def test_an_answer_beyond_the_bound_is_not_read_on() -> None:
    async def behave(_heard: HeardLine, writer: asyncio.StreamWriter) -> None:
        for _ in range(10_000):
            writer.write(b"x" * 65_536)
            await writer.drain()

    async with line_server(behave) as server, a_transport(server.port, max_response_bytes=1_000) as transport:
        assert await one(transport) == NoAnswer("the answer is larger than the bound", BAD_ANSWER)
        await until(lambda: not server.open_now)
        assert len(server.heard) == 1


# Callers that go away


async def test_a_cancelled_caller_is_recorded_once_and_frees_its_connection() -> None:
    async with line_server(hang) as server, a_transport(server.port, max_connections=1) as transport:
        call = a_call()
        task = asyncio.create_task(one(transport, call))
        await until(lambda: len(server.heard) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        leg = only_leg(call)
        assert (leg.outcome, leg.error) == (LegOutcome.NO_ANSWER, "cancelled while waiting for the answer")
        await until(lambda: all(reader.at_eof() for reader in server.connections))
        assert not transport._slots.locked()


async def test_a_caller_cancelled_while_it_waits_or_connects_has_sent_nothing() -> None:
    with full_backlog() as port:
        async with a_transport(port, max_connections=1, connection_wait_ms=5_000) as transport:
            calls = [a_call(), a_call()]
            tasks = [asyncio.create_task(one(transport, call)) for call in calls]
            await until(lambda: transport._slots.locked() and bool(transport._slots._waiters))
            for task in reversed(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for call in calls:
                assert (only_leg(call).outcome, only_leg(call).error) == (
                    LegOutcome.NOT_SENT,
                    "cancelled before it was sent",
                )
            assert not transport._slots.locked()


async def test_closing_ends_an_exchange_in_flight() -> None:
    async with line_server(hang) as server, a_transport(server.port) as transport:
        task = asyncio.create_task(one(transport))
        await until(lambda: len(server.heard) == 1)
        await transport.close()
        assert await task == NoAnswer("the connection was closed here")
        assert isinstance(await one(transport), NoConnection)


# What is kept


async def test_nothing_secret_is_recorded_and_what_cannot_be_read_is_only_measured() -> None:
    async def behave(_heard: HeardLine, writer: asyncio.StreamWriter) -> None:
        writer.write(b"<response><ErrorText>voucher %b spent</ErrorText></response>" % PIN.encode())

    async def garbled(_heard: HeardLine, writer: asyncio.StreamWriter) -> None:
        writer.write(b"<Pin>%b</response>" % PIN.encode())

    async with line_server(behave) as server, a_transport(server.port) as transport:
        call = a_call()
        async with transport.session(call) as session:
            await session.send("redeem", REQUEST, secrets=(PIN,))
        assert PIN not in repr(only_leg(call))
        assert only_leg(call).response == "<response><ErrorText>voucher *** spent</ErrorText></response>"
    async with line_server(garbled) as server, a_transport(server.port) as transport:
        call = a_call()
        assert await one(transport, call) == b"<Pin>%b</response>" % PIN.encode()
        assert only_leg(call).response == "<32 bytes, text/xml, not shown>"


# TLS


def tls_of_server(folder: Path, authority: Authority, *, ask_client: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.write(folder, "server"))
    if ask_client:
        context.load_verify_locations(authority.write_ca(folder))
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def test_tls_trusts_the_given_authority_and_no_other(tmp_path: Path) -> None:
    authority = Authority()
    ca_file = str(authority.write_ca(tmp_path))
    async with line_server(answer_ok, ssl=tls_of_server(tmp_path, authority)) as server:
        async with a_transport(server.port, tls=True, tls_settings={"ca_file": ca_file}) as transport:
            assert await one(transport) == OK
        async with a_transport(server.port, tls=True) as transport:
            result = await one(transport)
            assert isinstance(result, NoConnection)
            assert "issuer" in result.cause
        async with a_transport(server.port, tls=True, tls_settings={"verify": False}) as transport:
            assert await one(transport) == OK
        assert [heard.line for heard in server.heard] == [REQUEST, REQUEST]


async def test_our_client_certificate_is_shown(tmp_path: Path) -> None:
    authority = Authority()
    ca_file, ours = str(authority.write_ca(tmp_path)), str(authority.write(tmp_path, "client"))
    context = tls_of_server(tmp_path, authority, ask_client=True)
    async with line_server(answer_ok, ssl=context) as server:
        shown = {"ca_file": ca_file, "client_cert": ours}
        async with a_transport(server.port, tls=True, tls_settings=shown) as transport:
            assert await one(transport) == OK
        async with a_transport(server.port, tls=True, tls_settings={"ca_file": ca_file}) as transport:
            assert not isinstance(await one(transport), bytes)


async def test_tls_on_a_plain_port_is_not_sent() -> None:
    async def not_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(OK)
        writer.close()

    listener = await asyncio.start_server(not_tls, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with a_transport(port, tls=True) as transport:
        assert isinstance(await one(transport), NoConnection)
    listener.close()


async def test_a_server_that_never_greets_is_not_sent() -> None:
    async with line_server(hang) as server, a_transport(server.port, tls=True, connect_timeout_ms=100) as transport:
        assert await one(transport) == NoConnection("no connection in time")


@pytest.mark.parametrize("key", ["ca_file", "client_cert"])
@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
async def test_a_certificate_file_that_cannot_be_used_is_named(tmp_path: Path, key: str, content: bytes | None) -> None:
    path = tmp_path / "x.pem"
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)
    with pytest.raises(ProviderSettingsError, match=rf"providers\.lines\.tls\.{key} .*; set it to a PEM file"):
        async with a_transport(1, tls=True, tls_settings={key: str(path)}):
            pass


async def test_an_unresolvable_host_is_not_sent() -> None:
    for host in ("no-such-host.invalid", "x" * 64 + ".invalid"):
        transport = LineTransport("lines", settings(), LineAddress(host, 1), "</response>", XmlMask())
        assert isinstance(await one(transport), NoConnection)
        await transport.close()


async def test_a_mask_that_fails_costs_the_text_and_not_the_outcome() -> None:
    class Broken(XmlMask):
        def __call__(self, body: bytes, content_type: str | None) -> str:
            raise KeyError(PIN)

    async with line_server(answer_ok) as server:
        transport = LineTransport("lines", settings(), LineAddress("127.0.0.1", server.port), "</response>", Broken())
        call = a_call()
        assert await one(transport, call) == OK
        assert only_leg(call).response == f"<{len(OK)} bytes, text/xml, not shown>"
        await transport.close()


@pytest.mark.parametrize("piece", [b"x" * 10_000, b"\n" * 10_000, b"\x00" * 10_000, b"<a>" * 3_000])
async def test_a_line_that_never_ends_is_cut_off_after_few_bytes(piece: bytes) -> None:
    poured = 0

    async def behave(_heard: HeardLine, writer: asyncio.StreamWriter) -> bool:
        nonlocal poured
        while not writer.transport.is_closing():
            writer.write(piece)
            poured += len(piece)
            await writer.drain()
        return False

    async with line_server(behave) as server, a_transport(server.port) as transport:
        result = await one(transport)
        assert result == NoAnswer("the answer is larger than the bound", BAD_ANSWER)
        await until(lambda: not server.open_now)
    assert poured < 30_000_000  # what the sockets' buffers hold, and no more
