"""The run: start everything, measure in turns, stop everything.

Turns, not one contender after the other, so that a slow minute of the machine falls on all of them.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from bench import machine
from bench.contenders import Site, running
from bench.database import require_durable
from bench.errors import BenchError
from bench.generator import Generator, Load, require_installed
from bench.measurement import Measurement
from bench.progress import Display
from bench.report import Report, figures_of, ratios_of
from bench.turns import CONTENDERS, Turn, turns_of
from bench.two_commits import CLIENTS

DISK: Final = Path("/var/tmp")
START_S: Final = 30.0  # until the contenders run, roughly
BETWEEN_S: Final = 2.5  # of a turn, roughly: checkpoint, starting the generator, what is on its way, books


class Plan(Struct, frozen=True):
    """What is measured, how often and how long, and where."""

    turns: tuple[Turn, ...] = turns_of(CONTENDERS, 64)
    rounds: int = 5
    seconds: float = 7.0
    warmup: float = 3.0
    generator: Generator = Generator.OWN
    site: Site = Site()
    folder: Path | None = None
    keep: bool = False

    @property
    def measured_s(self) -> float:
        """Seconds of load that the plan asks for."""
        return self.rounds * len(self.turns) * (self.warmup + self.seconds)

    @property
    def expected_s(self) -> float:
        """Seconds that it will take roughly: the load, and what goes before and after it."""
        return START_S + self.measured_s + self.rounds * len(self.turns) * BETWEEN_S


def measure(plan: Plan, display: Display) -> tuple[Report, Mapping[str, Sequence[Measurement]]]:
    """Carry a plan out; return its report, and the rounds of every turn."""
    require_installed(plan.generator)
    with temporary_folder(plan.folder, keep=plan.keep) as folder:
        facts = machine.describe(folder)
        notes = machine.warnings(facts)
        wanted = {turn.contender for turn in plan.turns}
        with running(wanted, plan.site, folder, display) as stage:
            notes += stage.notes
            postgres = stage.database.settings()
            require_durable(postgres)
            measured: dict[str, list[Measurement]] = {turn.key: [] for turn in plan.turns}
            for number in range(1, plan.rounds + 1):
                for turn in plan.turns:
                    title = turn.title(stage.contenders[turn.contender].title)
                    display.say(f"round {number} of {plan.rounds}: ({turn.key}) {title}")
                    stage.database.checkpoint()
                    load = Load(
                        generator=plan.generator,
                        connections=turn.connections,
                        seconds=plan.seconds,
                        warmup=plan.warmup,
                        rate=None if turn.half_of is None else measured[turn.half_of][-1].rate / 2,
                        scenario=turn.scenario,
                    )
                    with stage.sandbox.delayed(turn.delay_ms):
                        one = stage.contenders[turn.contender].measure(load, display.tick)
                    if one.errors or not one.done:
                        what = f"{one.errors}, the first: {one.first_error}" if one.errors else "nothing was finished"
                        raise BenchError(f"({turn.key}) {title}, round {number}: {what}")
                    measured[turn.key].append(one)
                    display.finished(plan.warmup + plan.seconds)
            figures = {
                turn.key: figures_of(turn.title(stage.contenders[turn.contender].title), measured[turn.key])
                for turn in plan.turns
            }
    ratios, by_round = ratios_of(figures)
    report = Report(
        ratios=ratios,
        ratios_by_round=by_round,
        figures=figures,
        machine=facts,
        settings={
            "rounds": plan.rounds,
            "seconds": plan.seconds,
            "warmup": plan.warmup,
            "connections": {turn.key: turn.connections for turn in plan.turns},
            "scenarios": {turn.key: turn.scenario for turn in plan.turns},
            "provider_delay_ms": {turn.key: turn.delay_ms for turn in plan.turns},
            "workers": plan.site.workers,
            "generator": str(plan.generator),
            "pgbench_clients": CLIENTS,
            "postgres": postgres,
        },
        notes=notes,
    )
    return report, measured


@contextmanager
def temporary_folder(parent: Path | None, *, keep: bool) -> Iterator[Path]:
    """Make the temporary directory; not in /tmp, which is memory on many machines and makes every commit free."""
    parent = parent or (DISK if DISK.is_dir() else None)
    folder = Path(tempfile.mkdtemp(prefix="vsw-bench-", dir=parent))
    folder.chmod(0o711)  # as root, the embedded server runs under another account and has to pass through
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
