"""`python -m bench.stages`: where the CPU time of one provision goes in the switch's worker, stage by stage.

A sampling profiler (py-spy) looks at the worker under load, and each sample counts for the innermost function that
belongs to a stage: what a stage calls in libraries is its own. Beside it stands what the barest known way of doing the
same takes by itself, in a tight loop with warm caches: a bound, not a goal.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Annotated, Any, Final

import httptools
import msgspec
import typer
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from bench import machine
from bench.contenders import COMMAND
from bench.database import require_durable
from bench.errors import BenchError
from bench.generator import put_own_load
from bench.progress import Bar
from bench.provision import MASKED_ANSWER, ORIGINATOR, PATH, REQUEST, compact
from bench.results import publish, told_in_one_line
from bench.rounds import temporary_folder
from bench.switch import switch_apart
from voucherswitch.interface.models import ProvisionRequest

SAMPLES_PER_S: Final = 500
LOOP: Final = "Runner.run"  # every sample of the event loop's thread has it, and what the loop calls follows
SPARE_S: Final = 20.0
FLOOR_ROUNDS: Final = 5
FLOOR_TIMES: Final = 2_000

# By the innermost frame that names one of them. Frames are "function (file:line)".
STAGES: Final = (
    ("authenticate", ("interface/gatekeeper.py", "security/basic.py", "security/oauth/", "interface/identity.py")),
    ("decode the request", ("interface/decode.py", "interface/models/")),
    ("route", ("switch/routing.py", "switch/admitting.py", "providers/gate.py", "providers/breaker.py")),
    ("seal", ("security/vault.py", "security/sealed.py")),
    ("mask", ("security/masking.py", "message/marks.py", "transport/masking.py")),
    ("journal", ("voucherswitch/journal/", "asyncpg/")),
    ("translate", ("interface/translate.py", "interface/slip.py", "providers/sandbox/", "switch/telling.py")),
    ("send to the provider", ("contract/transport/", "providers/pool.py")),
    ("answer", ("interface/turn.py", "interface/rendering.py", "starlette/responses.py")),
    ("read HTTP", ("interface/http.py", "interface/connection.py", "uvicorn/protocols/")),
    (
        "flow",
        ("voucherswitch/switch/", "voucherswitch/interface/", "voucherswitch/message/", "voucherswitch/catalogue/"),
    ),
    ("event loop", ("",)),
)


class StageReport(Struct, frozen=True):
    """One stage: its share of the samples, its CPU per provision, and what the barest way takes; None: not known."""

    share: float
    us: float
    floor_us: float | None


class StagesReport(Struct, frozen=True):
    """The stages, the dearest first."""

    stages: dict[str, StageReport]
    cpu_us: float
    samples: int
    machine: dict[str, object]
    settings: dict[str, object]
    notes: list[str]


def main(
    seconds: Annotated[float, typer.Option(min=3, help="Seconds of load that are looked at.")] = 15.0,
    warmup: Annotated[float, typer.Option(min=0, help="Seconds of load before them.")] = 5.0,
    connections: Annotated[int, typer.Option(min=1, help="Connections of the load generator.")] = 64,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of the table.")] = False,
) -> None:
    """Where the CPU time of a provision goes in the switch's worker."""
    console = Console(stderr=as_json)
    with told_in_one_line():
        report = measure(seconds, warmup, connections, console)
        publish(report, console, _table(report), as_json=as_json, prefix="stages-")


def measure(seconds: float, warmup: float, connections: int, console: Console) -> StagesReport:
    """Put load on one worker, and look at it."""
    profiler = shutil.which("py-spy", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if profiler is None:
        raise BenchError("py-spy is not installed: run make .venv/.synced-bench")
    facts = machine.describe(Path(tempfile.gettempdir()))
    with Bar(console, seconds + warmup) as bar, temporary_folder(None, keep=False) as folder:
        bar.say("starting voucherswitch")
        switch = switch_apart(COMMAND, folder)
        try:
            switch.start()
            require_durable(switch.database.settings())
            worker = switch.worker_pid()
            load = {"password": switch.password, "connections": connections, "tick": bar.tick}
            bar.say("warming up")
            put_own_load(switch.url, seconds=max(warmup, 1), warmup=0, **load)  # type: ignore[arg-type]  # of three kinds
            bar.say("looking at a worker under load")
            raw = folder / "samples"
            command = [profiler, "record", "--pid", str(worker), "--rate", str(SAMPLES_PER_S), "--format", "raw"]
            command += ["--duration", str(max(int(seconds) - 1, 1)), "--output", str(raw)]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as looking:
                measured = put_own_load(switch.url, seconds=seconds, warmup=0, cpu_of=worker, **load)  # type: ignore[arg-type]
                _, said = looking.communicate(timeout=SPARE_S)
            if looking.returncode != 0:
                raise BenchError(f"py-spy cannot look at the worker: {said.strip()[-300:]}")
            if measured.errors:
                raise BenchError(f"{measured.errors}, the first: {measured.first_error}")
            bar.say("measuring the barest ways")
            floors = {name: _us(way) for name, way in barest_ways().items()}
            counted = count(raw.read_text())
        finally:
            switch.stop()
    samples, cpu_us = sum(counted.values()), measured.server_cpu_us or 0.0
    stages = {
        name: StageReport(share=number / samples, us=cpu_us * number / samples, floor_us=floors.get(name))
        for name, number in counted.most_common()
    }
    return StagesReport(
        stages=stages,
        cpu_us=cpu_us,
        samples=samples,
        machine=facts,
        settings={"seconds": seconds, "warmup": warmup, "connections": connections},
        notes=machine.warnings(facts),
    )


def count(raw: str) -> Counter[str]:
    """Count the samples of each stage, of those in the event loop's thread.

    Raises:
        BenchError: there is none.
    """
    counted: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, number = line.rpartition(" ")
        _, loop, inner = stack.rpartition(LOOP)
        if loop:
            counted[stage_of(inner.split(";")[1:])] += int(number)
    if not counted:
        raise BenchError("py-spy has seen nothing of the event loop")
    return counted


def stage_of(stack: list[str]) -> str:
    """The stage of the innermost frame that belongs to one; frames from the loop's own inwards."""
    for frame in reversed(stack):
        for name, places in STAGES[:-1]:
            if any(place in frame for place in places):
                return name
    return STAGES[-1][0]


def barest_ways() -> dict[str, Callable[[], object]]:
    """What each stage cannot do without, done with nothing around it."""
    body = compact({**REQUEST, "id": "0b9c1f3e-6f6e-4ac5-9b86-2b2f0a3c1a10"}).encode()
    answer = compact(MASKED_ANSWER).encode()
    credentials = b64encode(f"{ORIGINATOR}:{'x' * 32}".encode())
    head = f"POST {PATH} HTTP/1.1\r\nHost: h\r\nAuthorization: Basic {credentials.decode()}\r\n"
    request = f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    cipher, key = AESGCM(os.urandom(32)), os.urandom(32)
    decode = msgspec.json.Decoder(ProvisionRequest).decode
    encode = msgspec.json.Encoder().encode
    message: Any = decode(body)

    class Nothing:
        def on_header(self, name: bytes, value: bytes) -> None: ...

        def on_body(self, body: bytes) -> None: ...

    def seal() -> None:
        for text in (body, answer[:400]):
            cipher.encrypt(os.urandom(12), text, b"\x01\x01transaction.request")

    return {
        "read HTTP": lambda: httptools.HttpRequestParser(Nothing()).feed_data(request),
        "authenticate": lambda: hashlib.blake2b(credentials, key=key, digest_size=32).digest(),
        "decode the request": lambda: decode(body),
        "seal": seal,
        "mask": lambda: (encode(message), encode(message)),
    }


def _us(way: Callable[[], object]) -> float:
    """CPU microseconds of one call: the best of some rounds."""
    rounds: list[float] = []
    for _ in range(FLOOR_ROUNDS):
        since = process_time()
        for _ in range(FLOOR_TIMES):
            way()
        rounds.append((process_time() - since) / FLOOR_TIMES * 1e6)
    return min(rounds)


def _table(report: StagesReport) -> Table:
    table = Table("stage", "share", "CPU µs per provision", "the barest way, µs", box=None, pad_edge=True)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, stage in report.stages.items():
        floor = "" if stage.floor_us is None else f"{stage.floor_us:.1f}"
        table.add_row(name, f"{stage.share:.1%}", f"{stage.us:.0f}", floor)
    table.add_row("all of it", "", f"{report.cpu_us:.0f}", "")
    return table


if __name__ == "__main__":
    typer.run(main)
