"""What one run of a load generator measured: the words that generators, rounds and report share."""

from msgspec import Struct


class Memory(Struct):
    """Memory of a group of processes in MiB.

    Attributes:
        rss: what is resident, summed up; what processes share counts once for each.
        pss: the same with what is shared divided among those that share it, so that sums are true. None: may not be
            read here.
    """

    rss: float
    pss: float | None


class Measurement(Struct):
    """One contender in one round.

    Attributes:
        seconds: length of the measured window; warm-up and the emptying of the pipe afterwards are outside.
        done: provisions finished inside the window.
        rate: `done` per second.
        done_in_all: provisions known to be finished since the generator started, warm-up included: what the
            database must hold afterwards.
        cut_off: requests at most that were sent and whose answers the generator did not wait for.
        errors: everything that was not success, warm-up included, by what it was: "status 503", "connection lost".
        first_error: the first of them in full, to print.
        generator_cpu_us: CPU that the generator itself took per request; it shares the cores with what it measures.
        server_cpu_us: CPU that a process of the server took per provision of the window, where that was asked for.
        cpu_us: CPU per provision of everybody who took part, by what they are; over all of `done_in_all`.
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
    cut_off: int = 0
    errors: dict[str, int] = {}
    first_error: str | None = None
    generator_cpu_us: float | None = None
    server_cpu_us: float | None = None
    cpu_us: dict[str, float] = {}
    memory: dict[str, Memory] = {}
