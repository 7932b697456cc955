"""Commands of ours as child processes, and a running `voucherswitch up` beside them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from support.ports import sandbox_ports

T = TypeVar("T")

READY: Final = "voucherswitch is ready"
COMMAND_S_MAX: Final = 60
_PAUSE_S: Final = 0.02


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)

    @property
    def line(self) -> str:
        """The one line that it said on standard error."""
        lines = self.err.splitlines()
        assert len(lines) == 1, f"one line was expected:\n{self.err}"
        return lines[0]


def command(*arguments: str) -> list[str]:
    """The command line of a command of ours."""
    return [sys.executable, "-m", "voucherswitch", *arguments]


def environment(**variables: str) -> dict[str, str]:
    """An environment with nothing of ours in it but `variables`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("VOUCHERSWITCH_") and name not in ("DATABASE_URL", "COLUMNS")
    }
    return kept | {"PYTHONIOENCODING": "utf-8"} | variables


class Terminal:
    """Somebody who types commands, one after the other (`cli_typist.py`)."""

    def __init__(self) -> None:
        self._files: Final = Path(tempfile.mkdtemp(prefix="vs-typed-"))
        self._typist: Final = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("cli_typist.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def run(self, *arguments: str, folder: Path, env: Mapping[str, str], stdin: str = "") -> Done:
        """Type a command and wait for its end."""
        files = {name: self._files / name for name in ("stdin", "out", "err")}
        for file in files.values():
            file.write_text("", encoding="utf-8")
        files["stdin"].write_text(stdin, encoding="utf-8")
        order = {"argv": arguments, "cwd": str(folder), "env": dict(env), **{k: str(v) for k, v in files.items()}}
        assert self._typist.stdin is not None
        assert self._typist.stdout is not None
        self._typist.stdin.write(json.dumps(order) + "\n")
        self._typist.stdin.flush()
        code = int(self._typist.stdout.readline())
        return Done(code, files["out"].read_text(encoding="utf-8"), files["err"].read_text(encoding="utf-8"))

    def close(self) -> None:
        """Type no more."""
        for stream in (self._typist.stdin, self._typist.stdout):
            assert stream is not None
            stream.close()
        self._typist.wait(COMMAND_S_MAX)
        shutil.rmtree(self._files)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's own account may pass through: root's temporary folders are closed to it."""
    folder = Path(tempfile.mkdtemp(prefix="vs-cli-", dir="/tmp"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def free_ports() -> dict[str, str]:
    """Settings that name ports nobody uses."""
    ports = sandbox_ports()
    return {
        "VOUCHERSWITCH_INTERFACE_PORT": str(ports.interface),
        "VOUCHERSWITCH_TLS_PORT": str(ports.tls),
        "VOUCHERSWITCH_CONSOLE_PORT": str(ports.console),
        "VOUCHERSWITCH_SIMULATOR_PORT_BASE": str(ports.simulator_base),
    }


def eventually(ask: Callable[[], T | None], what: str, *, within_s: float = 30) -> T:
    """Ask until the answer is true; return it."""
    until = time.monotonic() + within_s
    while not (answer := ask()):
        assert time.monotonic() < until, f"{what}: not within {within_s:g} s; last answer: {answer!r}"
        time.sleep(_PAUSE_S)  # another process: there is nothing else to wait on
    return answer


class Sandbox:
    """A running `voucherswitch up`."""

    def __init__(self, folder: Path, terminal: Terminal) -> None:
        self.folder: Final = folder
        self._terminal: Final = terminal
        self.data_dir: Final = folder / "data"
        self.env: Final = environment(
            **free_ports(), VOUCHERSWITCH_DATA_DIR=str(self.data_dir), VOUCHERSWITCH_WORKERS="1"
        )
        self.log: Final = folder / "up.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the interface is."""
        return f"http://127.0.0.1:{self.env['VOUCHERSWITCH_INTERFACE_PORT']}"

    @property
    def tls_url(self) -> str:
        """Where the interface is, over TLS."""
        return f"https://127.0.0.1:{self.env['VOUCHERSWITCH_TLS_PORT']}"

    @property
    def console_url(self) -> str:
        """Where the console is."""
        return f"http://127.0.0.1:{self.env['VOUCHERSWITCH_CONSOLE_PORT']}"

    @property
    def shown(self) -> str:
        """What it has printed."""
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""

    def start(self, *arguments: str) -> None:
        """Start it and wait until it says that it is ready."""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command("up", *arguments),
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process = self.process
        eventually(lambda: READY in self.shown or process.poll() is not None, "ready", within_s=90)
        assert process.poll() is None, self.shown

    def stop(self) -> int:
        """Press Ctrl-C and wait for the end; returns the exit code."""
        process = self.process
        if process is None:
            return 0
        self.process = None
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            return process.wait(COMMAND_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"it did not stop:\n{self.shown}") from None

    def run(self, *arguments: str, stdin: str = "") -> Done:
        """Type a command beside it."""
        return self._terminal.run(*arguments, folder=self.folder, env=self.env, stdin=stdin)

    def ok(self, *arguments: str) -> Done:
        """Type a command that must succeed."""
        done = self.run(*arguments)
        assert done.code == 0, f"{arguments}: {done.code}\n{done.out}{done.err}"
        return done


def processes_with(text: str) -> list[int]:
    """The processes whose command line or environment names `text`, but for this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                known = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if text.encode() in known:
                found.append(int(entry.name))
    return found
