"""The load generator: what it counts, what it refuses to count, and that it waits for what is on its way."""

import asyncio
import gc
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the benchmark is not part of the installed package

from bench.errors import BenchError
from bench.histogram import Histogram
from bench.load import generate, read_request
from bench.load_connection import Connection, Run
from bench.measurement import Measurement
from bench.provision import ID_PLACE, REQUEST, body_around_id
from bench.scenarios import Desk, Till
from bench.wire import Address, address_of, fresh_id

Answer = Callable[[int, dict[str, object]], list[bytes]]  # number of the request, its body -> pieces of the answer


def http(status: int, body: bytes = b"{}", length_name: str = "content-length") -> bytes:
    return f"HTTP/1.1 {status} Said\r\nserver: test\r\n{length_name}: {len(body)}\r\n\r\n".encode() + body


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[tuple[str, list[dict[str, object]]]]:
    """An HTTP server that answers as told; yields its URL and the bodies that it received."""
    received: list[dict[str, object]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                received.append(body)
                pieces = answer(len(received), body)
                if not pieces:
                    break
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", received


async def run(answer: Answer, *, warmup: float = 0.0) -> tuple[Measurement, list[dict[str, object]]]:
    async with server(answer) as (url, received):
        measured = await generate(url, user="u", password="p", connections=4, seconds=0.2, warmup=warmup)
        return measured, received


async def test_every_request_is_the_published_one_with_an_id_of_its_own() -> None:
    measured, received = await run(lambda *_: [http(201)])

    ids = [str(body["id"]) for body in received]
    assert len(set(ids)) == len(ids) > 4
    assert all(str(UUID(text)) == text for text in ids)
    assert received[0] | {"id": ID_PLACE} == REQUEST
    assert measured.errors == {}


async def test_another_request_is_sent_with_ids_of_its_own() -> None:
    other = {"id": "any", "product": {"productId": "BLU100"}, "tenders": [{"tenderType": "CASH"}]}
    async with server(lambda *_: [http(201)]) as (url, received):
        await generate(url, user="u", password="p", connections=2, seconds=0.1, warmup=0.0, request=other)

    assert len({str(body["id"]) for body in received}) == len(received) > 2
    assert all(body | {"id": "any"} == other for body in received)


async def test_the_cpu_of_a_process_is_told_per_provision_of_the_window() -> None:
    """The server of this test is this process, and so is the generator: together they use a core and no more."""
    async with server(lambda *_: [http(201)]) as (url, _):
        measured = await generate(
            url, user="u", password="p", connections=4, seconds=0.3, warmup=0.0, cpu_of=os.getpid()
        )

    assert measured.server_cpu_us is not None
    assert 0 < measured.server_cpu_us * measured.done <= 1.2e6 * measured.seconds


async def test_a_measured_process_that_has_ended_is_one_clear_line_and_ends_the_load() -> None:
    async with server(lambda *_: [http(201)]) as (url, received):
        with pytest.raises(BenchError, match="process 0, whose CPU is measured, has ended"):
            await generate(url, user="u", password="p", connections=1, seconds=0.1, warmup=0.0, cpu_of=0)
        assert gc.isenabled()
        sent = len(received) + 1  # one may be on its way
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(received) <= sent


def test_a_file_that_is_no_request_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[1, 2]")

    for name in ("list.json", "missing.json"):
        with pytest.raises(BenchError, match="holds no request"):
            read_request(tmp_path / name)


async def test_what_is_on_its_way_at_the_end_is_waited_for() -> None:
    """The server makes those provisions, so an answer that nobody reads would be missing in the books."""
    measured, received = await run(lambda *_: [http(201)], warmup=0.1)

    assert measured.done_in_all == len(received)
    assert 0 < measured.done < measured.done_in_all
    assert measured.cut_off == 0


async def test_a_pace_is_kept_and_no_more_is_sent() -> None:
    """An open loop sends by the clock, so that a stall is in the latency of those who had to wait for it."""
    async with server(lambda *_: [http(201)]) as (url, received):
        measured = await generate(url, user="u", password="p", connections=4, seconds=0.5, warmup=0.1, rate=200)

    assert measured.errors == {}
    assert measured.done_in_all == len(received) <= 0.7 * 200
    assert measured.rate <= 250


async def test_who_falls_due_while_nobody_is_idle_waits_and_the_wait_counts() -> None:
    """The latency of a request counts from the moment when it fell due, not from when a connection was free for it."""

    class Sender(Connection):
        def send(self, since: float) -> None:
            sent.append(since)

    sent: list[float] = []
    run = Run(1, paced=True)
    connection = Sender(run, Till(Desk(Address("h", 1, user="u", password="p"))))
    run.fall_due(1.0)
    run.fall_due(2.0)

    for _ in range(3):
        connection.begin(9.0)
    run.fall_due(3.0)

    assert sent == [1.0, 2.0, 3.0]


async def test_anything_but_201_is_an_error_with_its_body() -> None:
    def refuse_third(number: int, _: dict[str, object]) -> list[bytes]:
        return [http(503, b'{"errorType":"UPSTREAM_UNAVAILABLE"}')] if number == 3 else [http(201)]

    measured, received = await run(refuse_third)

    assert measured.errors == {"provision: status 503": 1}
    assert measured.first_error == 'provision: status 503: {"errorType":"UPSTREAM_UNAVAILABLE"}'
    assert measured.done_in_all == len(received) - 1


async def test_200_is_not_201() -> None:
    measured, _ = await run(lambda *_: [http(200)])

    assert measured.done == measured.done_in_all == 0
    assert set(measured.errors) == {"provision: status 200"}


async def test_answers_in_pieces_are_put_together() -> None:
    whole = http(201, b"x" * 100, length_name="Content-Length")

    measured, received = await run(lambda *_: [whole[:5], whole[5:60], whole[60:]])

    assert measured.errors == {}
    assert measured.done_in_all == len(received) > 0


async def test_a_connection_that_is_closed_instead_of_an_answer_is_an_error() -> None:
    measured, received = await run(lambda number, _: [http(201)] if number <= 8 else [])

    assert measured.done_in_all == 8
    assert measured.errors == {"connection lost": 4}
    assert len(received) == 12


async def test_an_answer_without_a_length_is_not_guessed_at() -> None:
    measured, _ = await run(lambda *_: [b"HTTP/1.1 201 Created\r\n\r\n{}"])

    assert measured.done_in_all == 0
    assert set(measured.errors) == {"unreadable answer"}


async def test_bytes_that_nobody_asked_for_are_an_error() -> None:
    measured, _ = await run(lambda *_: [http(201) + http(201)])

    assert measured.done_in_all == 0
    assert set(measured.errors) == {"unasked bytes"}


async def test_no_server_is_one_clear_line() -> None:
    async with server(lambda *_: [http(201)]) as (url, _):
        gone = url
    with pytest.raises(BenchError, match=r"cannot connect to 127\.0\.0\.1:\d+, 0 connections are open"):
        await generate(gone, user="u", password="p", connections=2, seconds=0.1, warmup=0.0)


@pytest.mark.parametrize("url", ["https://127.0.0.1:8443", "127.0.0.1:8080", "http://127.0.0.1:8080/suv/v1"])
def test_only_a_plain_base_url_is_taken(url: str) -> None:
    with pytest.raises(BenchError, match="is not a base URL"):
        address_of(url)


def test_ids_have_the_form_of_version_4() -> None:
    ids = {fresh_id().decode() for _ in range(1000)}

    assert len(ids) == 1000
    assert all(UUID(text).version == 4 and str(UUID(text)) == text for text in ids)


def test_the_request_is_around_the_id() -> None:
    before, after = body_around_id()

    assert json.loads(before + ID_PLACE + after) == REQUEST


@given(st.lists(st.integers(0, 60_000_000), min_size=1, max_size=200), st.sampled_from([1, 50, 95, 99, 100]))
def test_a_percentile_is_never_too_low_and_at_most_half_a_percent_too_high(values: list[int], percent: int) -> None:
    histogram = Histogram()
    for value in values:
        histogram.record(value)

    exact = sorted(values)[max(-(-len(values) * percent // 100), 1) - 1]
    assert exact <= histogram.percentile_us(percent) <= exact * 1.005
    assert histogram.maximum_us == max(values)


def test_a_histogram_takes_any_value() -> None:
    histogram = Histogram()
    for value in (-5, 10**15):
        histogram.record(value)

    assert histogram.count == 2
    assert histogram.percentile_us(50) == 0
    assert Histogram().percentile_us(99) == 0
