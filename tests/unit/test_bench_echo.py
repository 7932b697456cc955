"""The bare echo is a server like the switch's, with its answer; and what a load costs is told by who paid it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the benchmark is not part of the installed package

from bench.answers import Answer, answer_of
from bench.costs import Groups, metered
from bench.echo import Echo
from bench.generator import Load
from bench.measurement import Measurement
from bench.processes import memory_mib

BODY = b'{"voucher":{"code":"9000000000001231"}}'
ANSWER = Answer(
    uuid4(),
    [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(BODY))),
        ("Location", "/x"),
        ("Connection", "close"),
    ],
    BODY,
)


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Echo]:
    contender = Echo(tmp_path_factory.mktemp("echo"), ANSWER, workers=1)
    try:
        contender.start()
        yield contender
    finally:
        contender.stop()


def test_the_echo_says_what_the_switch_said(echo: Echo) -> None:
    said = answer_of(echo.url, "any", "the echo")

    assert said.body == BODY
    assert sorted((name.lower(), value) for name, value in said.headers if name != "connection") == [
        ("content-length", str(len(BODY))),
        ("content-type", "application/json"),
        ("location", "/x"),
    ]


def test_a_round_of_it_tells_rate_cost_and_memory(echo: Echo) -> None:
    measured = echo.measure(Load(connections=2, seconds=1.0, warmup=0.2), lambda: None)

    assert measured.errors == {}
    assert measured.done > 0
    assert measured.cpu_us.keys() == {"server", "generator"}
    assert 0 < measured.cpu_us["server"] < 1e6
    assert measured.memory["server"].rss > 10


def a_measurement() -> Measurement:
    return Measurement(seconds=1.0, done=5, rate=5.0, p50_ms=1, p95_ms=1, p99_ms=1, max_ms=1, done_in_all=10)


def test_a_generator_that_tells_nothing_is_measured_by_what_we_waited_for() -> None:
    def load() -> Measurement:
        subprocess.run([sys.executable, "-c", "sum(range(10_000_000))"], check=True)
        return a_measurement()

    measured = metered(Groups({}), load)

    assert measured.generator_cpu_us is not None
    assert measured.generator_cpu_us * 10 > 50_000  # of CPU, whole microseconds for all ten
    assert measured.cpu_us == {"generator": measured.generator_cpu_us}


def test_memory_of_a_process_that_has_ended_is_none() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass

    own = memory_mib([os.getpid(), ended.pid])

    assert own.pss is not None
    assert 10 < own.pss <= own.rss
