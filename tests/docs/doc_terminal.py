"""A reader at a terminal: starts the sandbox with `make run`, and types what a page says into a shell beside it."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from docs.doc_pages import ROOT, Page, Step
from support.ports import sandbox_ports

READY: Final = "voucherswitch is ready"
_READY_S_MAX: Final = 90
_STOP_S_MAX: Final = 30
_PAGE_S_MAX: Final = 100
_POLL_S: Final = 0.05

# The files that a reader's commands need; everything else of the folder is the reader's own.
_CHECKOUT: Final = (".venv", "Makefile", "pyproject.toml", "uv.lock")

_CONTROL_ABOVE: Final = 100
_SIMULATOR_ABOVE: Final = 11

# Two things of the same kind count as equal, whatever they are.
_KINDS: Final = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<id>"),
        (r"\d{4}-\d\d-\d\d", "<date>"),
        (r"\d\d:\d\d:\d\d(\.\d+)?", "<time>"),
        (r"\b\d{4} ?\d{4} ?\d{4} ?\d{4}\b", "<code>"),
        (r"\b(SX|SBX[VRF])\d{8}\b", "<reference>"),
        (r"\bVSW-?\d{12}\b", "<reference>"),
        (r"\b\d+(\.\d+)? ?(µs|us|ms|s)\b", "<duration>"),
    )
)
_STARTED: Final = re.compile(r"^@@ step (\d+)$", re.MULTILINE)
_FAILED: Final = re.compile(r"^@@ failed with (\d+): (.*)$", re.MULTILINE)


class Sandbox:
    """A running `make run`, in a folder of its own and on ports of its own."""

    def __init__(self, folder: Path, ports: dict[int, int]) -> None:
        self.folder: Final = folder
        self.log: Final = folder / "make-run.log"
        self._ports: Final = ports  # the documented one -> ours
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Type `make run` and wait until it says that it is ready. `-o`: what runs the tests is installed already."""
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                ["make", "--old-file=.venv/.synced", "run"],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + _READY_S_MAX
        while READY not in self.shown():
            ended = self._process.poll()
            assert ended is None, f"make run ended with {ended}:\n{self.shown()}"
            assert time.monotonic() < deadline, f"make run is not ready after {_READY_S_MAX} s:\n{self.shown()}"
            time.sleep(_POLL_S)  # another process: there is nothing else to wait on

    def stop(self) -> int:
        """Press Ctrl-C: the whole foreground group hears it, as in a terminal. Returns make's exit code."""
        process = self._process
        if process is None:
            return 0
        self._process = None
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        try:
            return process.wait(_STOP_S_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise AssertionError(f"make run did not stop in {_STOP_S_MAX} s:\n{self.shown()}") from None

    def shown(self) -> str:
        """What it has printed, with the documented ports."""
        return self._documented(self.log.read_text(encoding="utf-8", errors="replace"))

    def environment(self) -> dict[str, str]:
        """A reader's environment: nothing of ours but the ports, so that tests may run beside each other."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("VOUCHERSWITCH_", "PYTEST_")) and name not in ("DATABASE_URL", "VIRTUAL_ENV")
        }
        return kept | {
            "VOUCHERSWITCH_INTERFACE_PORT": str(self._ports[8080]),
            "VOUCHERSWITCH_CONSOLE_PORT": str(self._ports[8081]),
            "VOUCHERSWITCH_TLS_PORT": str(self._ports[8443]),
            "VOUCHERSWITCH_SIMULATOR_PORT_BASE": str(self._ports[9111] - _SIMULATOR_ABOVE),
            "VOUCHERSWITCH_WORKERS": "1",
            "COLUMNS": "120",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }

    def database_url(self) -> str:
        """Where its journal is."""
        answer = subprocess.run(
            [".venv/bin/voucherswitch", "db", "url"],
            cwd=self.folder,
            env=self.environment(),
            check=True,
            capture_output=True,
            text=True,
        )
        return answer.stdout.strip()

    def walk(self, page: Page) -> list[str]:
        """Type what a page says, block by block; returns what does not hold."""
        steps = [step for step in page.steps() if not step.commands.startswith("make ")]
        with tempfile.TemporaryFile() as output:
            self._type(steps, output)
            output.seek(0)
            typed = self._documented(output.read().decode("utf-8", errors="replace"))
        return [
            f"{page.name} line {step.line}: {complaint}"
            for step, printed in _by_step(steps, typed)
            for complaint in _complaints(step, printed)
        ]

    def _type(self, steps: list[Step], output: IO[bytes]) -> None:
        # One shell for the whole page: later blocks use variables and functions of earlier ones.
        script = ["set -E", "trap 'echo \"@@ failed with $?: $BASH_COMMAND\"' ERR"]
        for number, step in enumerate(steps):
            script += [f"printf '\\n@@ step {number}\\n'", self._ours(step.commands)]
        subprocess.run(
            ["bash", "-s"],
            input="\n".join(script).encode(),
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            env=self.environment(),
            timeout=_PAGE_S_MAX,
            check=False,
        )

    def _ours(self, text: str) -> str:
        for documented, port in self._ports.items():
            text = text.replace(f"127.0.0.1:{documented}", f"127.0.0.1:{port}")
        return text

    def _documented(self, text: str) -> str:
        for documented, port in self._ports.items():
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{documented}")
        return text


@contextmanager
def sandbox() -> Iterator[Sandbox]:
    """A running sandbox that is gone afterwards."""
    # PostgreSQL does not run as root: its account must be able to enter.
    folder = Path(tempfile.mkdtemp(prefix="vs-docs-", dir="/tmp"))
    folder.chmod(0o711)
    for name in _CHECKOUT:
        (folder / name).symlink_to(ROOT / name)
    running = Sandbox(folder, _free_ports())
    try:
        running.start()
        yield running
    finally:
        try:
            running.stop()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def missing_lines(shown: tuple[str, ...], printed: str) -> list[str]:
    """The first of the documented lines that did not come, in their order; empty: all came."""
    waiting = iter(_lines(printed))
    for line in shown:
        pattern = re.compile(".*".join(re.escape(part) for part in _kinds(_squeezed(line)).split("…")))
        if not any(pattern.fullmatch(candidate) for candidate in waiting):
            return [line]
    return []


def _complaints(step: Step, printed: str) -> Iterator[str]:
    for code, command in _FAILED.findall(printed):
        yield f"`{command}` failed with {code}:\n{printed}"
    for line in missing_lines(step.shown, printed):
        yield f"no line {line!r} in:\n{printed}"


def _by_step(steps: list[Step], typed: str) -> Iterator[tuple[Step, str]]:
    parts = _STARTED.split(typed)
    printed = {int(number): text for number, text in zip(parts[1::2], parts[2::2], strict=True)}
    for number, step in enumerate(steps):
        yield step, printed.get(number, "@@ failed with 1: the shell ended before this block")


def _lines(printed: str) -> list[str]:
    return [_kinds(_squeezed(line)) for line in printed.splitlines() if line.strip()]


def _squeezed(line: str) -> str:
    """Blanks and rules are as wide as a terminal makes them."""
    return re.sub(r"─+", "─", " ".join(line.split()))


def _kinds(line: str) -> str:
    for pattern, name in _KINDS:
        line = pattern.sub(name, line)
    return line


def _free_ports() -> dict[int, int]:
    """Ports of ours for the documented ones."""
    ports = sandbox_ports()
    simulator = ports.simulator_base + _SIMULATOR_ABOVE
    return {
        8080: ports.interface,
        8081: ports.console,
        8443: ports.tls,
        9111: simulator,
        9111 + _CONTROL_ABOVE: simulator + _CONTROL_ABOVE,
    }
