"""What a load costs besides time: the CPU of everybody who takes part in it, and the memory that they hold afterwards.

CPU is taken over the whole load, warm-up included, and divided by all messages answered in it. A group is one or more
processes with everything below them, those that have ended meanwhile too (a connection's backend, for instance).
"""

import resource
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from bench.measurement import Measurement, Memory
from bench.processes import memory_mib, tree_cpu_s, with_descendants

DATABASE: Final = "database"  # the server: every backend and writer
GENERATOR: Final = "generator"  # of the load; a process that we start for it and wait for


class Groups(Struct, frozen=True):
    """Who works for a contender: process ids by what they are, in the order of a table's columns."""

    pids: Mapping[str, Sequence[int]]

    def cpu_s(self) -> dict[str, float]:
        """CPU time of each since its start, in seconds."""
        return {name: sum(map(tree_cpu_s, pids)) for name, pids in self.pids.items()}

    def memory(self) -> dict[str, Memory]:
        """Memory of each now."""
        return {
            name: memory_mib([one for pid in pids for one in with_descendants(pid)]) for name, pids in self.pids.items()
        }


def metered(groups: Groups, load: Callable[[], Measurement]) -> Measurement:
    """Put a load on and note what it cost."""
    before, own_before = groups.cpu_s(), _waited_for_s()
    measured = load()
    used = {name: after - before[name] for name, after in groups.cpu_s().items()}
    measured.memory = groups.memory()
    done = measured.messages_in_all or measured.done_in_all
    if not done:
        return measured
    if measured.generator_cpu_us is None:
        measured.generator_cpu_us = (_waited_for_s() - own_before) * 1e6 / done
    measured.cpu_us = {name: seconds * 1e6 / done for name, seconds in used.items()}
    measured.cpu_us[GENERATOR] = measured.generator_cpu_us
    return measured


def _waited_for_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
