"""Which load generator puts the load on: our own, or wrk to check it, each in a process of its own.

Ours is the rule, also where wrk is installed. It costs the cores no more (both make 80,000 requests a second against a
server that only answers), it waits for every answer, so that the books can be compared to the last provision, and it
opens its connections one by one: opened in one instant, as wrk does, nearly all of them end up with one of the workers
that share uvicorn's socket, and the conventional stack would be measured on half of its processes.
"""

import shutil
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bench import wrk
from bench.children import run
from bench.errors import BenchError
from bench.load import DRAIN_S, PREPARE_S
from bench.measurement import Measurement
from bench.provision import ORIGINATOR
from bench.scenarios import PROVISION

ROOT: Final = Path(__file__).resolve().parents[1]
SPARE_S: Final = PREPARE_S + DRAIN_S + 30.0


class Generator(StrEnum):
    """What makes the requests."""

    OWN = "own"
    WRK = "wrk"


def require_installed(generator: Generator) -> None:
    """Raise if the generator cannot be used here."""
    if generator is Generator.WRK and shutil.which("wrk") is None:
        raise BenchError("wrk is not installed: install it, or use --generator own")


class Load(Struct, frozen=True, kw_only=True):
    """What is put on a contender.

    Attributes:
        seconds: measured; `warmup` seconds of the same go before.
        scenario: what a cycle is (scenarios.py); only our own generator knows any but provisions.
        rate: cycles a second by the clock, whatever comes back; None: a closed loop, as many as it can.
    """

    generator: Generator = Generator.OWN
    connections: int
    seconds: float
    warmup: float
    rate: float | None = None
    scenario: str = PROVISION


def put_load(load: Load, url: str, *, password: str, tick: Callable[[], None]) -> Measurement:
    """Measure one server."""
    if load.generator is Generator.OWN or load.rate is not None or load.scenario != PROVISION:  # wrk knows no clock
        return put_own_load(
            url,
            password=password,
            connections=load.connections,
            seconds=load.seconds,
            warmup=load.warmup,
            rate=load.rate,
            scenario=load.scenario,
            tick=tick,
        )
    return wrk.generate(
        url,
        user=ORIGINATOR,
        password=password,
        connections=load.connections,
        seconds=load.seconds,
        warmup=load.warmup,
        tick=tick,
    )


def put_own_load(
    url: str,
    *,
    password: str,
    connections: int,
    seconds: float,
    warmup: float,
    tick: Callable[[], None],
    request: Path | None = None,
    cpu_of: int | None = None,
    rate: float | None = None,
    scenario: str = PROVISION,
) -> Measurement:
    """Measure one server with our own generator.

    Args:
        request: a file with another request to send.
        cpu_of: the id of a process whose CPU per provision is wanted.
        rate, scenario: as in `Load`.
    """
    command = [sys.executable, "-m", "bench.load", "--json", "--url", url, "--password", password]
    command += ["--connections", str(connections), "--seconds", str(seconds), "--warmup", str(warmup)]
    if request is not None:
        command += ["--request", str(request)]
    if cpu_of is not None:
        command += ["--cpu-of", str(cpu_of)]
    if rate is not None:
        command += ["--rate", str(rate)]
    if scenario != PROVISION:
        command += ["--scenario", scenario]
    output = run(
        command,
        what="the load generator",
        seconds=seconds + warmup + SPARE_S,
        tick=tick,
        accept=(0, 1),  # 1: there were answers that nobody expected; the measurement tells which
        cwd=ROOT,
    )
    return msgspec.json.decode(output, type=Measurement)
