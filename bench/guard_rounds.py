"""The run of `make bench-quick`: one worker under a load of a few seconds, a few times, and nothing beside it.

Processor time of one and the same provision differs by a third on a machine that others use too: they take its caches,
and its cores from under it. What steals from the switch steals from the load generator in the same moments, and that
does the same work for every provision; so its processor time is the measure.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from bench import machine
from bench.contenders import COMMAND
from bench.database import require_durable
from bench.errors import BenchError
from bench.generator import Load
from bench.guard_report import Baseline, GuardReport, changes_of, gains_of, try_of
from bench.measurement import Measurement
from bench.progress import Display
from bench.rounds import temporary_folder
from bench.switch import Switch, switch_apart

LOADED_S: Final = 2.0  # before the first round: the first thousand provisions fill caches that no later one has to


class GuardPlan(Struct, frozen=True, kw_only=True):
    """How long a try is, and how many there are at most."""

    tries: int = 3
    rounds: int = 4
    seconds: float = 3.0
    warmup: float = 0.5
    connections: int = 32
    folder: Path | None = None
    keep: bool = False

    @property
    def try_s(self) -> float:
        """Seconds of load in one try."""
        return self.rounds * (self.warmup + self.seconds)


class Stand:
    """The running switch, to be measured."""

    def __init__(self, switch: Switch, plan: GuardPlan, display: Display) -> None:
        self._switch = switch
        self._plan = plan
        self._display = display
        self.postgres = switch.database.settings()
        require_durable(self.postgres)
        self._measure(LOADED_S)

    def rounds(self, what: str) -> list[Measurement]:
        """Measure one try."""
        plan = self._plan
        measured = []
        for number in range(1, plan.rounds + 1):
            self._display.say(f"{what}, round {number} of {plan.rounds}")
            measured.append(self._measure(plan.seconds))
            self._display.finished(plan.warmup + plan.seconds)
        return measured

    def _measure(self, seconds: float) -> Measurement:
        plan = self._plan
        self._switch.database.checkpoint()
        load = Load(connections=plan.connections, seconds=seconds, warmup=plan.warmup)
        one = self._switch.measure(load, self._display.tick)
        if one.errors or not one.done:
            what = f"{one.errors}, the first: {one.first_error}" if one.errors else "no provision was finished"
            raise BenchError(f"under load: {what}")
        return one


def guard(plan: GuardPlan, baseline: Baseline, display: Display) -> GuardReport:
    """Try until what is seen holds against the baseline, or no try is left."""
    with _stand(plan, display) as (stand, facts):
        tries, figures = [], []
        for number in range(1, plan.tries + 1):
            figures = stand.rounds(f"try {number}")
            tries.append(try_of(figures))
            report = GuardReport(
                changes=changes_of(tries[-1], baseline),
                baseline=baseline,
                tries=tries,
                figures=figures,
                machine=facts,
                settings=_settings(plan, stand),
                notes=gains_of(changes_of(tries[-1], baseline)),
            )
            if not report.lost:
                break
        return report


def measure_baseline(plan: GuardPlan, day: str, display: Display) -> Baseline:
    """Measure as long as all tries together take, and make that the baseline."""
    with _stand(plan, display) as (stand, facts):
        figures = [one for number in range(1, plan.tries + 1) for one in stand.rounds(f"part {number} of {plan.tries}")]
    seen = {name: facts[name] for name in ("cpu", "cores", "python", "load_average_before")}
    return Baseline(ratios=try_of(figures).ratios, seen={"day": day, **seen, "rounds": len(figures)})


@contextmanager
def _stand(plan: GuardPlan, display: Display) -> Iterator[tuple[Stand, dict[str, object]]]:
    with temporary_folder(plan.folder, keep=plan.keep) as folder:
        facts = machine.describe(folder)
        display.say("starting voucherswitch")
        switch = switch_apart(COMMAND, folder)
        with _stopping(switch.stop, display):
            switch.start()
            yield Stand(switch, plan, display), facts


@contextmanager
def _stopping(stop: Callable[[], None], display: Display) -> Iterator[None]:
    try:
        yield
    finally:
        display.say("stopping")
        stop()


def _settings(plan: GuardPlan, stand: Stand) -> dict[str, object]:
    return {
        "tries": plan.tries,
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "warmup": plan.warmup,
        "connections": plan.connections,
        "workers": 1,
        "postgres": stand.postgres,
    }
