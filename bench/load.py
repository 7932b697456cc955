"""A small load generator: N connections, one request at a time on each, every answer looked at.

A closed loop, in which each connection sends again when it has its answer, or with `rate` an open one: then requests
fall due by the clock, as customers do, and the time that one waits for a connection is in its latency.

It shares the cores with what it measures, so it does as little as an honest one can: the request is two constant byte
strings around a fresh id, the answer is read by its status line and Content-Length and never parsed further.
It runs as a process of its own, also alone: `python -m bench.load --url http://127.0.0.1:8080 --password PW`.

A run has three parts: warm-up (sent, not counted), the measured window, and the emptying of the pipe: what is on its
way when the window closes is waited for, because the server makes those provisions too and the books must agree.
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

from bench.errors import BenchError
from bench.load_connection import Connection, Run, pace
from bench.measurement import Measurement
from bench.processes import cpu_s
from bench.provision import ORIGINATOR, REQUEST
from bench.wire import address_of, wire_request

RAMP: Final = 0.5  # share of the warm-up in which the connections are opened
DRAIN_S: Final = 20.0
CONNECT_S: Final = 5.0


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
) -> Measurement:
    """Put the load on a server for the given time and return what was measured.

    Args:
        request: the message that is sent, each time with an id of its own.
        cpu_of: the id of a process whose CPU time in the measured window is wanted.
        tls: speak TLS at the address of `url`, which costs the generator more than all else.
        token: an OAuth2 token to send instead of user name and password.
        rate: requests a second that fall due whatever comes back; without it, a closed loop.
    """
    host, port = address_of(url)
    before_id, after_id = wire_request(host, port, user=user, password=password, request=request, token=token)
    run = Run(before_id, after_id, paced=rate is not None)
    loop = asyncio.get_running_loop()
    opened: list[Connection] = []
    warm_at = perf_counter() + warmup
    with _undisturbed(run, opened):
        pacer = None if rate is None else asyncio.create_task(pace(run, rate))  # ends with the run
        # Opened one after the other under load: workers that share a listening socket take what comes while they are
        # idle, so of 64 connections in one instant a single worker gets nearly all and the others stand by.
        gap_s = warmup * RAMP / connections
        try:
            for _ in range(connections):
                async with asyncio.timeout(CONNECT_S):
                    _, connection = await loop.create_connection(lambda: Connection(run), host, port, ssl=tls)
                opened.append(connection)
                connection.begin()
                await asyncio.sleep(gap_s)
        except OSError as error:  # TimeoutError is one too
            raise BenchError(f"cannot connect to {host}:{port}, {len(opened)} connections are open: {error}") from None
        await _until(run, warm_at - perf_counter())
        cpu_before, answers_before, started = _own_cpu_s(), run.answers, perf_counter()
        server_before_s = cpu_s(cpu_of) if cpu_of is not None else 0.0
        run.measuring = True
        await _until(run, seconds)
        run.measuring = False
        server_s = cpu_s(cpu_of) - server_before_s if cpu_of is not None else None
        measured_s, answers = perf_counter() - started, run.answers - answers_before
        own_s = _own_cpu_s() - cpu_before

        run.stopping = True
        run.due.clear()
        for connection in opened:
            connection.stop_if_idle()
        try:
            async with asyncio.timeout(DRAIN_S):
                await run.all_closed.wait()
        except TimeoutError:
            run.failed("no answer", f"{run.open_connections} requests had no answer {DRAIN_S:.0f} s after the end")
        if pacer is not None:
            await pacer

    latencies = run.latencies
    return Measurement(
        seconds=measured_s,
        done=latencies.count,
        rate=latencies.count / measured_s,
        p50_ms=latencies.percentile_ms(50),
        p95_ms=latencies.percentile_ms(95),
        p99_ms=latencies.percentile_ms(99),
        max_ms=latencies.maximum_us / 1000,
        done_in_all=run.created,
        errors=run.errors,
        first_error=run.first_error,
        generator_cpu_us=own_s * 1e6 / answers if answers else None,
        server_cpu_us=server_s * 1e6 / latencies.count if server_s is not None and latencies.count else None,
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
    parser.add_argument("--json", action="store_true", help="print the measurement as JSON")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Run the generator alone and print what it measured; 1 when anything was not a 201."""
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
        f"{measured.rate:,.0f} provisions per second ({measured.done:,} in {measured.seconds:.1f} s)",
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
