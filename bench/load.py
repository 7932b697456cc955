"""A small load generator: N connections, one request at a time on each, every answer looked at.

On each connection a till does its cycle over and over: a sale, or what its scenario says (scenarios.py). A closed loop,
in which it begins again when it is done, or with `rate` an open one: then cycles fall due by the clock, as customers
do, and the time that one waits for a connection is in the latency of its first request.

It shares the cores with what it measures, so it does as little as an honest one can: a request is constant bytes with
fresh ids put in, the answer is read by its status line and Content-Length and never parsed; what a till needs of it, a
voucher's code for instance, is found in its bytes.
It runs as a process of its own, also alone: `python -m bench.load --url http://127.0.0.1:8080 --password PW`.

A run has three parts: warm-up (sent, not counted), the measured window, and the emptying of the pipe: cycles on their
way when the window closes are done to their end, because the server does its part too and the books must agree.
"""

import argparse
import asyncio
import gc
import json
import resource
import ssl
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Final

import msgspec
import uvloop
from msgspec import Struct

from bench.errors import BenchError
from bench.histogram import Histogram
from bench.load_connection import Connection, Run, pace
from bench.measurement import Exchanges, Measurement
from bench.processes import cpu_s
from bench.provision import ORIGINATOR, REQUEST
from bench.scenarios import PROVISION, SCENARIOS, Desk, Till, till_of
from bench.wire import Address, address_of

RAMP: Final = 0.5  # share of the warm-up in which the connections are opened
DRAIN_S: Final = 20.0
CONNECT_S: Final = 5.0
PREPARE_S: Final = 60.0  # for what tills sell before their first cycle


class Window(Struct, frozen=True):
    """The measured part of a run: how long it was, the answers in it, and CPU time used in it, in seconds."""

    seconds: float
    answers: int
    own_cpu_s: float
    server_cpu_s: float | None


async def generate(
    url: str,
    *,
    user: str,
    password: str,
    connections: int,
    seconds: float,
    warmup: float,
    request: Mapping[str, object] = REQUEST,
    cpu_of: int | None = None,
    tls: ssl.SSLContext | None = None,
    token: str | None = None,
    rate: float | None = None,
    scenario: str = PROVISION,
) -> Measurement:
    """Put the load on a server for the given time and return what was measured.

    Args:
        request: the sale that is sent, each time with an id of its own.
        cpu_of: the id of a process whose CPU time in the measured window is wanted.
        tls: speak TLS at the address of `url`, which costs the generator more than all else.
        token: an OAuth2 token to send instead of user name and password.
        rate: cycles a second that fall due whatever comes back; without it, a closed loop.
        scenario: what a cycle is (bench/scenarios.py).
    """
    host, port = address_of(url)
    desk = Desk(Address(host, port, user=user, password=password, token=token), request)
    till = till_of(scenario)
    run = Run(connections, paced=rate is not None)
    opened: list[Connection] = []
    began = perf_counter()
    with _undisturbed(run, opened):
        pacer = None if rate is None else asyncio.create_task(pace(run, rate))  # ends with the run
        for number in range(connections):
            await _open(run, till(desk), opened, host, port, tls)
            # One after the other under load: workers that share a listening socket take what comes while they are
            # idle, so of 64 connections in one instant a single worker gets nearly all and the others stand by.
            await asyncio.sleep(began + warmup * RAMP * (number + 1) / connections - perf_counter())
        await _all_prepared(run)
        await _until(run, max(began + warmup, perf_counter() + warmup * (1 - RAMP)) - perf_counter())
        window = await _measured(run, seconds, cpu_of)
        await _emptied(run, opened)
        if pacer is not None:
            await pacer
    return _measurement(run, desk, window)


async def _open(
    run: Run, till: Till, opened: list[Connection], host: str, port: int, tls: ssl.SSLContext | None
) -> None:
    """Open a connection and let its till begin."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_S):
            _, connection = await loop.create_connection(lambda: Connection(run, till), host, port, ssl=tls)
    except OSError as error:  # TimeoutError is one too
        raise BenchError(f"cannot connect to {host}:{port}, {len(opened)} connections are open: {error}") from None
    opened.append(connection)
    connection.open()


async def _all_prepared(run: Run) -> None:
    """Wait until every till has what its cycles need."""
    try:
        async with asyncio.timeout(PREPARE_S):
            await run.all_prepared.wait()
    except TimeoutError:
        raise BenchError(f"{run.unprepared} connections were not prepared within {PREPARE_S:.0f} s") from None


async def _measured(run: Run, seconds: float, cpu_of: int | None) -> Window:
    """Let the measured time pass."""
    own_before_s, answers_before, started = _own_cpu_s(), run.answers, perf_counter()
    server_before_s = cpu_s(cpu_of) if cpu_of is not None else 0.0
    run.measuring = True
    await _until(run, seconds)
    run.measuring = False
    return Window(
        seconds=perf_counter() - started,
        answers=run.answers - answers_before,
        own_cpu_s=_own_cpu_s() - own_before_s,
        server_cpu_s=cpu_s(cpu_of) - server_before_s if cpu_of is not None else None,
    )


async def _emptied(run: Run, opened: list[Connection]) -> None:
    """Begin nothing more, and wait until what was begun is done."""
    run.stopping = True
    run.due.clear()
    for connection in opened:
        connection.stop_if_idle()
    try:
        async with asyncio.timeout(DRAIN_S):
            await run.all_closed.wait()
    except TimeoutError:
        run.failed("no answer", f"{run.open_connections} requests had no answer {DRAIN_S:.0f} s after the end")


def _measurement(run: Run, desk: Desk, window: Window) -> Measurement:
    latencies = Histogram()
    for operation in desk.operations:
        latencies.add(operation.latencies)
    done = run.cycles_measured
    return Measurement(
        seconds=window.seconds,
        done=done,
        rate=done / window.seconds,
        p50_ms=latencies.percentile_ms(50),
        p95_ms=latencies.percentile_ms(95),
        p99_ms=latencies.percentile_ms(99),
        max_ms=latencies.maximum_us / 1000,
        done_in_all=run.cycles,
        messages=latencies.count,
        messages_in_all=run.answers,
        operations={one.name: Exchanges.of(one.answers, one.latencies) for one in desk.operations},
        errors=run.errors,
        first_error=run.first_error,
        generator_cpu_us=window.own_cpu_s * 1e6 / window.answers if window.answers else None,
        server_cpu_us=window.server_cpu_s * 1e6 / done if window.server_cpu_s is not None and done else None,
    )


@contextmanager
def _undisturbed(run: Run, opened: list[Connection]) -> Iterator[None]:
    """No garbage collection during a run, and nobody who goes on sending after it, however it ends."""
    gc.collect()
    gc.disable()  # a run makes no cycles, and a collection would show up as latency of the server
    try:
        yield
    finally:
        gc.enable()
        run.stopping = True
        for connection in opened:
            connection.abandon()


async def _until(run: Run, seconds: float) -> None:
    """Let the time pass, but not longer than there is anybody left to send."""
    try:
        async with asyncio.timeout(seconds):
            await run.all_closed.wait()
    except TimeoutError:
        return


def _own_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description="Provisions per second of one server.")
    parser.add_argument("--url", required=True, help="base URL of the interface, like http://127.0.0.1:8080")
    parser.add_argument(
        "--user", default=ORIGINATOR, help="originator, default %(default)s (also the message's client.id)"
    )
    parser.add_argument("--password", required=True, help="the originator's password")
    parser.add_argument("--connections", type=int, default=64, help="default %(default)s")
    parser.add_argument("--seconds", type=float, default=10.0, help="measured time, default %(default)s")
    parser.add_argument("--warmup", type=float, default=3.0, help="seconds before it, default %(default)s")
    parser.add_argument("--request", type=Path, help="file with another request to send, as JSON; its id is replaced")
    parser.add_argument("--cpu-of", type=int, metavar="PID", help="tell the CPU that this process takes per provision")
    parser.add_argument("--rate", type=float, help="requests a second by the clock, instead of a closed loop")
    parser.add_argument("--scenario", choices=SCENARIOS, default=PROVISION, help="default %(default)s")
    parser.add_argument("--json", action="store_true", help="print the measurement as JSON")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Run the generator alone and print what it measured; 1 when an answer was not as expected."""
    arguments = _arguments(argv)
    try:
        request = REQUEST if arguments.request is None else read_request(arguments.request)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            measured = runner.run(
                generate(
                    arguments.url,
                    user=arguments.user,
                    password=arguments.password,
                    connections=arguments.connections,
                    seconds=arguments.seconds,
                    warmup=arguments.warmup,
                    request=request,
                    cpu_of=arguments.cpu_of,
                    rate=arguments.rate,
                    scenario=arguments.scenario,
                )
            )
    except BenchError as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.json:
        print(msgspec.json.encode(measured).decode())
    else:
        print(in_words(measured))
    return 1 if measured.errors else 0


def read_request(path: Path) -> dict[str, object]:
    """Read the message to send."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, object])
    except (OSError, msgspec.DecodeError) as error:
        raise BenchError(f"{path} holds no request: {error}") from None


def in_words(measured: Measurement) -> str:
    """Say a measurement in a few lines."""
    lines = [
        f"{measured.rate:,.0f} cycles per second ({measured.done:,} in {measured.seconds:.1f} s)",
        f"latency  p50 {measured.p50_ms:.2f} ms  p95 {measured.p95_ms:.2f} ms  p99 {measured.p99_ms:.2f} ms  "
        f"max {measured.max_ms:.2f} ms",
    ]
    if measured.generator_cpu_us is not None:
        lines.append(f"the generator itself took {measured.generator_cpu_us:.0f} µs of CPU per request")
    if measured.server_cpu_us is not None:
        lines.append(f"the process measured took {measured.server_cpu_us:.0f} µs of CPU per provision")
    if measured.errors:
        lines += [f"errors: {json.dumps(measured.errors)}", f"first: {measured.first_error}"]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
