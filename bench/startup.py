"""`python -m bench.startup`: how long from starting a process until it serves, and what it takes of the processor.

A switch's worker, from its spawn to its first answer, beside a sandbox that runs; and `voucherswitch up` in a directory
that was used before, from its spawn to saying that it is ready.
"""

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Annotated, Final
from urllib.error import URLError
from urllib.request import urlopen

import typer
from msgspec import Struct
from rich.console import Console

from bench import machine
from bench.children import Child, free_ports
from bench.contenders import COMMAND
from bench.errors import BenchError
from bench.processes import tree_cpu_s
from bench.progress import Bar, Display
from bench.results import publish, told_in_one_line
from bench.rounds import temporary_folder
from bench.switch import Switch, environment, switch_apart
from voucherswitch.cli.serving import serving_command

WORKER_MAX_S: Final = 1.5
UP_MAX_S: Final = 10.0
READY_S: Final = 60.0
LOOK_S: Final = 0.01
ROUND_S: Final = 8.0  # roughly, for the progress bar


class Starts(Struct, frozen=True):
    """Seconds of each start, in order, and the processor time of one in seconds."""

    median_s: float
    all_s: list[float]
    cpu_s: float


class StartReport(Struct, frozen=True):
    """The whole run."""

    worker: Starts
    up: Starts
    machine: dict[str, object]
    settings: dict[str, object]
    notes: list[str]


def measure_starts(rounds: int, display: Display) -> StartReport:
    """Start both so many times."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder(None, keep=False))
        facts = machine.describe(folder)
        display.say("the first start of the directory")
        switch = switch_apart(COMMAND, folder, workers=machine.cores())
        stack.callback(switch.stop)
        switch.start()
        workers, ups = [], []
        for number in range(1, rounds + 1):
            display.say(f"round {number} of {rounds}: a worker")
            workers.append(_worker(switch, folder, free_ports(1)))
            display.say(f"round {number} of {rounds}: voucherswitch up")
            switch.stop()
            began = time.monotonic()
            switch.start()
            ups.append((time.monotonic() - began, switch.cpu_s()))
            display.finished(ROUND_S)
        display.say("stopping")
    return StartReport(
        worker=_starts(workers),
        up=_starts(ups),
        machine=facts,
        settings={"rounds": rounds, "workers": machine.cores()},
        notes=machine.warnings(facts),
    )


def _worker(switch: Switch, folder: Path, port: int) -> tuple[float, float]:
    env = environment(interface_port=port) | {
        "DATABASE_URL": switch.database.url,
        "VOUCHERSWITCH_DATA_DIR": str(folder / "data"),
    }
    command = serving_command("switch-worker")
    began = time.monotonic()
    worker = Child("switch-worker", command, env=env, cwd=folder, log=folder / "worker.log")
    try:
        while not _answers(f"http://127.0.0.1:{port}/openapi.json"):
            worker.must_run()
            if time.monotonic() - began > READY_S:
                raise BenchError(f"the worker did not answer within {READY_S:.0f} s; {worker.last_words()}")
            time.sleep(LOOK_S)
        return time.monotonic() - began, tree_cpu_s(worker.pid)
    finally:
        worker.stop()


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def _starts(measured: list[tuple[float, float]]) -> Starts:
    seconds = [one for one, _ in measured]
    return Starts(median_s=median(seconds), all_s=seconds, cpu_s=median(cpu for _, cpu in measured))


def main(
    rounds: Annotated[int, typer.Option(min=1, max=50, help="Starts of each.")] = 5,
    check: Annotated[bool, typer.Option("--check", help="End with code 1 when a limit is not kept.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of the lines.")] = False,
) -> None:
    """Seconds until a switch's worker answers, and until `voucherswitch up` is ready in a directory it knows."""
    console = Console(stderr=as_json)
    with told_in_one_line(), Bar(console, rounds * ROUND_S) as bar:
        report = measure_starts(rounds, bar)
    lines = [
        f"{name:6} {starts.median_s:.2f} s, {min(starts.all_s):.2f}-{max(starts.all_s):.2f}; "
        f"{starts.cpu_s:.2f} s of processor time"
        for name, starts in (("worker", report.worker), ("up", report.up))
    ]
    publish(report, console, *lines, as_json=as_json, prefix="startup-")
    if check and (report.worker.median_s >= WORKER_MAX_S or report.up.median_s >= UP_MAX_S):
        limits = f"a worker is to answer within {WORKER_MAX_S} s, `up` to be ready within {UP_MAX_S} s"
        print(f"bench: {limits}", file=sys.stderr)
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
