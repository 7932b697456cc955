"""What one run of a load generator measured: the words that generators, rounds and report share."""

from typing import Self

from msgspec import Struct

from bench.histogram import Histogram


class Memory(Struct):
    """Memory of a group of processes in MiB.

    Attributes:
        rss: what is resident, summed up; what processes share counts once for each.
        pss: the same with what is shared divided among those that share it, so that sums are true. None: may not be
            read here.
    """

    rss: float
    pss: float | None


class Exchanges(Struct):
    """One kind of exchange in one round: answers in all, those in the measured window, and how long these took."""

    in_all: int
    measured: int
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @classmethod
    def of(cls, in_all: int, latencies: Histogram) -> Self:
        """Sum them up."""
        p50_ms, p95_ms, p99_ms = (latencies.percentile_ms(percent) for percent in (50, 95, 99))
        return cls(in_all, latencies.count, p50_ms, p95_ms, p99_ms)


class Measurement(Struct):
    """One contender in one round.

    What is done over and over is a cycle: a provision, or what a scenario says. Latencies are those of its messages.

    Attributes:
        seconds: length of the measured window; warm-up and the emptying of the pipe afterwards are outside.
        done: cycles finished inside the window.
        rate: `done` per second.
        done_in_all: cycles known to be finished since the generator started, warm-up included: what the
            database must hold afterwards.
        messages: answers inside the window, and `messages_in_all` since the generator started; 0: one of a cycle.
        operations: the same by what was asked.
        cut_off: requests at most that were sent and whose answers the generator did not wait for.
        errors: everything that was not as expected, warm-up included, by what it was: "provision: status 503".
        first_error: the first of them in full, to print.
        generator_cpu_us: CPU that the generator itself took per request; it shares the cores with what it measures.
        server_cpu_us: CPU that a process of the server took per cycle of the window, where that was asked for.
        cpu_us: CPU per message of everybody who took part, by what they are; over all messages.
        memory: what they hold right after it.
    """

    seconds: float
    done: int
    rate: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    done_in_all: int
    messages: int = 0
    messages_in_all: int = 0
    operations: dict[str, Exchanges] = {}
    cut_off: int = 0
    errors: dict[str, int] = {}
    first_error: str | None = None
    generator_cpu_us: float | None = None
    server_cpu_us: float | None = None
    cpu_us: dict[str, float] = {}
    memory: dict[str, Memory] = {}
