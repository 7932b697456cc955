"""The run: start everything, measure in turns, stop everything.

Turns, not one contender after the other, so that a slow minute of the machine falls on all of them.
"""

import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Protocol

from msgspec import Struct

from bench import machine
from bench.answers import answer_of, differences
from bench.database import Database, require_durable
from bench.errors import BenchError
from bench.generator import Generator, require_installed
from bench.measurement import Measurement
from bench.report import Report, figures_of, ratios_of
from bench.sandbox import Sandbox
from bench.stack import ConventionalStack
from bench.switch import Switch
from bench.two_commits import CLIENTS, TwoCommits

DISK: Final = Path("/var/tmp")
COMMAND: Final = Path(sys.executable).with_name("voucherswitch")


class Plan(Struct, frozen=True):
    """What is measured, how often and how long.

    With `database_url` and `provider_url`, (b) and (c) are measured on a server and a simulator that already run, and
    no switch is started.
    """

    only: tuple[str, ...] = ("a", "b", "c")
    rounds: int = 5
    seconds: float = 7.0
    warmup: float = 3.0
    connections: int = 64
    workers: int = 2
    generator: Generator = Generator.OWN
    interface_port: int = 8080
    console_port: int = 8081
    simulator_port_base: int = 9100
    conventional_port: int = 8090
    folder: Path | None = None
    keep: bool = False
    database_url: str | None = None
    provider_url: str | None = None
    command: Path = COMMAND

    @property
    def measured_s(self) -> float:
        """Seconds of load that the plan asks for."""
        return self.rounds * len(self.only) * (self.warmup + self.seconds)


class Contender(Protocol):
    """What takes part."""

    key: str
    title: str

    def start(self) -> None: ...

    def measure(
        self, generator: Generator, *, connections: int, seconds: float, warmup: float, tick: Callable[[], None]
    ) -> Measurement: ...

    def stop(self) -> None: ...


class Display(Protocol):
    """Where a run tells how far it is."""

    def say(self, doing: str) -> None: ...

    def tick(self) -> None: ...

    def finished(self, seconds: float) -> None: ...


def measure(plan: Plan, display: Display) -> Report:
    """Carry a plan out."""
    require_installed(plan.generator)
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder(plan.folder, keep=plan.keep))
        facts = machine.describe(folder)
        notes = machine.warnings(facts)

        contenders: list[Contender] = []
        switch, database, sandbox = None, None, None
        if plan.database_url is None:
            display.say("starting voucherswitch")
            switch = Switch(
                plan.command,
                folder,
                password=secrets.token_hex(16),
                port=plan.interface_port,
                console_port=plan.console_port,
                simulator_port_base=plan.simulator_port_base,
                workers=plan.workers,
            )
            stack.callback(switch.stop)
            switch.start()
            database, sandbox = switch.database, switch.sandbox
            if "a" in plan.only:
                contenders.append(switch)
        else:
            database = Database(plan.database_url)
            sandbox = Sandbox(plan.provider_url) if plan.provider_url is not None else None
        postgres = database.settings()
        require_durable(postgres)

        own = database.make_own()
        if switch is None:
            stack.callback(database.drop_own)  # a server of somebody else: leave it as it was
        conventional = None
        if "b" in plan.only:
            assert sandbox is not None
            conventional = ConventionalStack(folder, own, sandbox, port=plan.conventional_port, workers=plan.workers)
            contenders.append(conventional)
        if "c" in plan.only:
            contenders.append(TwoCommits(folder, own))
        for contender in contenders:
            if contender is not switch:
                display.say(f"starting ({contender.key}) {contender.title}")
                stack.callback(contender.stop)
                contender.start()
        if switch is not None and conventional is not None and "a" in plan.only:
            notes += _compared(switch, conventional)

        measured: dict[str, list[Measurement]] = {contender.key: [] for contender in contenders}
        for number in range(1, plan.rounds + 1):
            for contender in contenders:
                display.say(f"round {number} of {plan.rounds}: ({contender.key}) {contender.title}")
                database.checkpoint()
                one = contender.measure(
                    plan.generator,
                    connections=plan.connections,
                    seconds=plan.seconds,
                    warmup=plan.warmup,
                    tick=display.tick,
                )
                if one.errors or not one.done:
                    what = f"{one.errors}, the first: {one.first_error}" if one.errors else "no provision was finished"
                    raise BenchError(f"({contender.key}) {contender.title}, round {number}: {what}")
                measured[contender.key].append(one)
                display.finished(plan.warmup + plan.seconds)
        display.say("stopping")

    figures = {contender.key: figures_of(contender.title, measured[contender.key]) for contender in contenders}
    ratios, by_round = ratios_of(figures)
    return Report(
        ratios=ratios,
        ratios_by_round=by_round,
        figures=figures,
        machine=facts,
        settings={
            "rounds": plan.rounds,
            "seconds": plan.seconds,
            "warmup": plan.warmup,
            "connections": plan.connections,
            "workers": plan.workers,
            "generator": str(plan.generator),
            "pgbench_clients": CLIENTS,
            "postgres": postgres,
        },
        notes=notes,
    )


def _compared(switch: Switch, conventional: ConventionalStack) -> list[str]:
    found = differences(
        answer_of(switch.url, switch.password, "voucherswitch"),
        answer_of(conventional.url, conventional.password, "the conventional stack"),
    )
    return [f"the answers of a and b differ: {'; '.join(found)}"] if found else []


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
