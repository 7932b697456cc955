"""The run of `bench.scaling`: a sandbox for each number of workers, all at once, under the same loads in turns."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from msgspec import Struct

from bench import machine
from bench.contenders import COMMAND
from bench.database import require_durable
from bench.errors import BenchError
from bench.generator import Load
from bench.processes import tree_cpu_s
from bench.progress import Display
from bench.rounds import temporary_folder
from bench.scaling_report import CASES, Case, Figures, Round, ScalingReport, figures_of
from bench.switch import Switch, switch_apart

DEFAULT: Final = (1, 2, 4)


class ScalingPlan(Struct, frozen=True, kw_only=True):
    """How many workers are compared, how often and how long. One worker is always among them: the others' measure."""

    workers: tuple[int, ...] = DEFAULT
    rounds: int = 5
    seconds: float = 5.0
    warmup: float = 3.0
    folder: Path | None = None
    keep: bool = False

    @property
    def measured_s(self) -> float:
        """Seconds of load that the plan asks for."""
        return len(CASES) * self.rounds * len(self.workers) * (self.warmup + self.seconds)


def measure_scaling(plan: ScalingPlan, display: Display) -> ScalingReport:
    """Carry a plan out."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder(plan.folder, keep=plan.keep))
        facts = machine.describe(folder)
        notes = machine.warnings(facts)
        switches: dict[int, Switch] = {}
        for workers in plan.workers:
            display.say(f"starting voucherswitch, {workers} {'worker' if workers == 1 else 'workers'}")
            own = folder / str(workers)
            own.mkdir(mode=0o711)
            switches[workers] = switch_apart(COMMAND, own, workers=workers)
            stack.callback(switches[workers].stop)
            switches[workers].start()
        postgres = next(iter(switches.values())).database.settings()
        require_durable(postgres)
        figures = {}
        for case in CASES:
            with ExitStack() as late:
                for switch in switches.values():
                    late.enter_context(switch.sandbox.delayed(case.provider_ms))
                figures[case.key] = _figures(switches, case, plan, display)
        display.say("stopping")
    return ScalingReport(
        figures=figures,
        cores=machine.cores(),
        machine=facts,
        settings={
            "workers": list(plan.workers),
            "cases": list(CASES),
            "rounds": plan.rounds,
            "seconds": plan.seconds,
            "warmup": plan.warmup,
            "postgres": postgres,
        },
        notes=notes,
    )


def _figures(switches: Mapping[int, Switch], case: Case, plan: ScalingPlan, display: Display) -> dict[str, Figures]:
    """Measure one kind of load with all numbers of workers, in turns."""
    measured: dict[int, list[Round]] = {workers: [] for workers in switches}
    for number in range(1, plan.rounds + 1):
        for workers, switch in switches.items():
            display.say(f"{case.key}, round {number} of {plan.rounds}: {workers}")
            measured[workers].append(_round(switch, case, workers, plan, display))
            display.finished(plan.warmup + plan.seconds)
    return {str(workers): figures_of(rounds, measured[1]) for workers, rounds in measured.items()}


def _round(switch: Switch, case: Case, workers: int, plan: ScalingPlan, display: Display) -> Round:
    switch.database.checkpoint()
    pids = switch.worker_pids()
    before = [tree_cpu_s(pid) for pid in pids]
    load = Load(connections=case.connections_of(workers), seconds=plan.seconds, warmup=plan.warmup)
    one = switch.measure(load, display.tick)
    used = [tree_cpu_s(pid) - start_s for pid, start_s in zip(pids, before, strict=True)]
    if one.errors or not one.done:
        what = f"{one.errors}, the first: {one.first_error}" if one.errors else "no provision was finished"
        raise BenchError(f"{case.key} with {workers} workers: {what}")
    return Round(one, max(used) / sum(used))
