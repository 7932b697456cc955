"""Kept connections with several requests in flight: every answer reaches its own request, or none does."""

import asyncio

import pytest

from providers.line_support import (
    OK,
    HeardLine,
    a_call,
    a_pool,
    answer_ok,
    hang,
    line_server,
    only_leg,
    reset,
)
from providers.provider_support import until
from voucherswitch.message.trace import LegOutcome
from voucherswitch.providers.contract.alerts import BAD_ANSWER
from voucherswitch.providers.contract.transport.line_connection import LineResult
from voucherswitch.providers.contract.transport.line_pool import LinePool
from voucherswitch.providers.contract.transport.results import NoAnswer, NoConnection


async def echo(heard: HeardLine, writer: asyncio.StreamWriter) -> None:
    writer.write(b"<response>%b</response>\n" % heard.line)


def echoed(line: bytes) -> bytes:
    return b"<response>%b</response>" % line


async def ask(pool: LinePool, line: bytes) -> LineResult:
    return await pool.send(a_call(), "status", line, belongs=echoed(line).__eq__)


def ask_all(pool: LinePool, lines: list[bytes]) -> list[asyncio.Task[LineResult]]:
    return [asyncio.create_task(ask(pool, line)) for line in lines]


@pytest.mark.parametrize("piece", [1, 7, 4_096])
async def test_many_callers_each_get_their_own_answer(piece: int) -> None:
    """Answers leave in bursts that are cut without regard to where one ends."""
    ready: dict[int, bytearray] = {}

    async def behave(heard: HeardLine, writer: asyncio.StreamWriter) -> None:
        burst = ready.setdefault(heard.connection, bytearray())
        burst += b"\r\n<response>\r\n%b</response>\n" % heard.line
        if heard.number % 3 == 2 or heard.number > 240:
            for start in range(0, len(burst), piece):
                writer.write(bytes(burst[start : start + piece]))
                if piece < 100:
                    await writer.drain()
            burst.clear()

    lines = [b"r%04d" % number for number in range(300)]
    async with (
        line_server(behave) as server,
        a_pool(server.port, max_connections=1, pipelined_max=8, connection_wait_ms=10_000) as pool,
    ):
        results = await asyncio.gather(*ask_all(pool, lines))
        assert results == [echoed(line) for line in lines]
        assert len(server.connections) == 1


async def test_requests_go_out_without_waiting_for_answers_and_answers_are_given_in_order() -> None:
    release = asyncio.Event()

    async def behave(heard: HeardLine, writer: asyncio.StreamWriter) -> None:
        if heard.number == 2:
            writer.write(b"".join(echoed(line) for line in lines))

    lines = [b"1", b"2", b"3"]
    async with line_server(behave) as server, a_pool(server.port, max_connections=1) as pool:
        assert await asyncio.gather(*ask_all(pool, lines)) == [echoed(line) for line in lines]
        assert [heard.line for heard in server.heard] == lines
    release.set()


async def test_a_free_connection_is_used_before_a_new_one_and_a_new_one_before_a_busy_one() -> None:
    async with line_server(echo) as server, a_pool(server.port, max_connections=3) as pool:
        for _ in range(3):
            assert await ask(pool, b"x") == echoed(b"x")
        assert len(server.connections) == 1
        await asyncio.gather(*ask_all(pool, [b"%d" % number for number in range(12)]))
        assert len(server.connections) == 3


@pytest.mark.parametrize("fatal", ["another's answer", "too large", "close", "reset"])
async def test_everything_behind_a_broken_answer_is_unanswered_and_nothing_is_sent_again(fatal: str) -> None:
    async def behave(heard: HeardLine, writer: asyncio.StreamWriter) -> bool:
        if heard.number < 4:
            return True
        writer.write(echoed(b"0"))
        match fatal:
            case "another's answer":
                writer.write(echoed(b"7") + b"".join(echoed(line) for line in lines[2:]))
            case "too large":
                writer.write(b"<response>" + b"x" * 2_000)
            case "reset":
                await writer.drain()
                await asyncio.sleep(0.01)
                reset(writer)
        await writer.drain()
        return fatal not in ("close", "reset")

    lines = [b"%d" % number for number in range(5)]
    async with line_server(behave) as server, a_pool(server.port, max_connections=1, max_response_bytes=1_000) as pool:
        first, *behind = await asyncio.gather(*ask_all(pool, lines))
        assert first == echoed(b"0")
        assert [type(result) for result in behind] == [NoAnswer] * 4
        # One spoilt connection is one alert.
        alerts = sum(isinstance(result, NoAnswer) and result.alert == BAD_ANSWER for result in behind)
        assert alerts == {"another's answer": 2, "too large": 1}.get(fatal, 0)
        assert [heard.line for heard in server.heard] == lines
        await until(lambda: not pool._open)


async def test_a_cancelled_callers_answer_is_dropped_and_the_others_get_theirs() -> None:
    release = asyncio.Event()

    async def behave(heard: HeardLine, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        await echo(heard, writer)

    async with line_server(behave) as server, a_pool(server.port, max_connections=1) as pool:
        call = a_call()
        warm = asyncio.create_task(ask(pool, b"0"))
        await until(lambda: len(server.heard) == 1)
        gone = asyncio.create_task(pool.send(call, "status", b"1"))
        stays = asyncio.create_task(ask(pool, b"2"))
        await until(lambda: sum(one.in_flight for one in pool._open) == 3)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        release.set()
        assert await warm == echoed(b"0")
        assert await stays == echoed(b"2")
        assert (only_leg(call).outcome, only_leg(call).response) == (LegOutcome.NO_ANSWER, None)
        assert len(server.connections) == 1


async def test_after_a_silence_nothing_new_is_sent_on_that_connection_but_what_is_behind_may_still_come() -> None:
    release = asyncio.Event()

    async def behave(heard: HeardLine, writer: asyncio.StreamWriter) -> None:
        if heard.connection == 0:
            await release.wait()
        await echo(heard, writer)

    async with line_server(behave) as server, a_pool(server.port, max_connections=2, pipelined_max=2) as pool:
        other = asyncio.create_task(pool.send(a_call(deadline_s=0.1), "status", b"0"))
        await until(lambda: len(server.heard) == 1)
        connection = pool._open[0]
        behind = asyncio.create_task(connection.exchange(b"1\n", asyncio.get_running_loop().time() + 10))
        assert await other == NoAnswer("no complete answer in time")
        assert await ask(pool, b"2") == echoed(b"2")
        assert server.heard[-1].connection == 1
        release.set()
        # The late answer is dropped, and the next one's is its own.
        assert await behind == echoed(b"1")
        await until(lambda: connection.closed)


async def test_a_silent_connection_is_closed_when_nobody_waits_on_it() -> None:
    async with line_server(hang) as server, a_pool(server.port, read_timeout_ms=50) as pool:
        assert await ask(pool, b"0") == NoAnswer("no complete answer in time")
        await until(lambda: not pool._open)
        await until(lambda: all(reader.at_eof() for reader in server.connections))


async def test_an_idle_connection_is_closed_after_its_time_and_not_before() -> None:
    async with line_server(answer_ok) as server, a_pool(server.port, keep_alive_ms=100) as pool:
        for _ in range(3):
            assert await ask_plain(pool) == OK
        assert len(server.connections) == 1
        await until(lambda: not server.open_now)
        assert await ask_plain(pool) == OK
        assert len(server.connections) == 2


async def ask_plain(pool: LinePool) -> LineResult:
    return await pool.send(a_call(), "status", b"x")


async def test_a_kept_connection_that_the_provider_closed_is_not_used() -> None:
    async def once(heard: HeardLine, writer: asyncio.StreamWriter) -> bool:
        await answer_ok(heard, writer)
        return False

    async with line_server(once) as server, a_pool(server.port) as pool:
        for number in range(3):
            assert await ask_plain(pool) == OK
            await until(lambda: not pool._open)
            assert len(server.heard) == number + 1


async def test_a_kept_connection_on_which_the_provider_speaks_unasked_is_not_used() -> None:
    async def twice(heard: HeardLine, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await writer.drain()
        if heard.connection == 0:
            await asyncio.sleep(0.01)
            writer.write(OK)

    async with line_server(twice) as server, a_pool(server.port) as pool:
        assert await ask_plain(pool) == OK
        await until(lambda: not pool._open)
        assert await ask_plain(pool) == OK
        assert [heard.connection for heard in server.heard] == [0, 1]


async def test_beyond_the_bounds_nothing_is_sent_and_room_is_waited_for() -> None:
    release = asyncio.Event()

    async def behave(heard: HeardLine, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        await echo(heard, writer)

    async with (
        line_server(behave) as server,
        a_pool(server.port, max_connections=1, pipelined_max=2, connection_wait_ms=50) as pool,
    ):
        two = ask_all(pool, [b"0", b"1"])
        await until(lambda: sum(one.in_flight for one in pool._open) == 2)
        call = a_call()
        assert await pool.send(call, "status", b"x") == NoConnection("all 1 connections are busy", ours=True)
        assert only_leg(call).outcome is LegOutcome.NOT_SENT
        waits = asyncio.create_task(ask(pool, b"2"))
        await until(lambda: bool(pool._queue))
        release.set()
        assert await waits == echoed(b"2")
        assert await asyncio.gather(*two) == [echoed(b"0"), echoed(b"1")]


async def test_a_caller_that_stops_waiting_for_room_leaves_it_to_the_next() -> None:
    release = asyncio.Event()

    async def behave(heard: HeardLine, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        await echo(heard, writer)

    async with (
        line_server(behave) as server,
        a_pool(server.port, max_connections=1, pipelined_max=1, connection_wait_ms=5_000) as pool,
    ):
        first = asyncio.create_task(ask(pool, b"0"))
        await until(lambda: len(server.heard) == 1)
        gone, stays = ask_all(pool, [b"1", b"2"])
        await until(lambda: len(pool._queue) == 2)
        # The room is given to the one that goes away in the same moment.
        pool._queue[0].set_result(None)
        gone.cancel()
        release.set()
        assert await first == echoed(b"0")
        assert await stays == echoed(b"2")
        assert isinstance((await asyncio.gather(gone, return_exceptions=True))[0], asyncio.CancelledError)


async def test_a_refused_connection_is_not_sent_by_any_of_many_callers() -> None:
    async with line_server(answer_ok) as server:
        port = server.port
    async with a_pool(port, max_connections=2) as pool:
        results = await asyncio.gather(*ask_all(pool, [b"%d" % number for number in range(10)]))
        assert all(isinstance(result, NoConnection) for result in results)


async def test_closing_ends_what_is_in_flight_and_takes_nothing_more() -> None:
    async with line_server(hang) as server, a_pool(server.port) as pool:
        tasks = ask_all(pool, [b"0", b"1"])
        await until(lambda: len(server.heard) == 2)
        await pool.close()
        assert {type(result) for result in await asyncio.gather(*tasks)} == {NoAnswer}
        assert await ask(pool, b"2") == NoConnection("the provider's connections are closed", ours=True)
