"""(d) a bare echo: the HTTP server that the switch stands on, with an application that does nothing (echo_app.py).

The same uvicorn, httptools and uvloop, as many processes, answers of the same bytes. What is between it and (a) is what
the switch does.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from bench.answers import Answer
from bench.children import Child, free_ports
from bench.costs import Groups, metered
from bench.echo_app import ANSWER_FILE, Fixed
from bench.generator import ROOT, Load, put_load
from bench.measurement import Measurement

READY_S: Final = 30.0
PASSWORD: Final = "nobody asks for it"  # but it travels, as to the others
OF_THE_CONNECTION: Final = frozenset({"connection", "keep-alive", "transfer-encoding"})


class Echo:
    """Answers what the switch answered once."""

    key = "d"
    title = "bare echo"

    def __init__(self, folder: Path, answer: Answer, *, workers: int) -> None:
        self._folder = folder
        self._answer = answer
        self._workers = workers
        self._port = free_ports(1)
        self._child: Child | None = None

    def start(self) -> None:
        """Start its server."""
        file = self._folder / "echo.json"
        headers = [(name, value) for name, value in self._answer.headers if name.lower() not in OF_THE_CONNECTION]
        file.write_bytes(msgspec.json.encode(Fixed(headers, self._answer.body.decode())))
        command = [sys.executable, "-m", "uvicorn", "--factory", "bench.echo_app:build", "--port", str(self._port)]
        command += ["--workers", str(self._workers), "--loop", "uvloop", "--http", "httptools", "--lifespan", "off"]
        command += ["--no-access-log", "--log-level", "warning", "--no-server-header", "--no-date-header"]
        self._child = Child(
            "the bare echo",
            command,
            env=os.environ | {ANSWER_FILE: str(file)},
            cwd=ROOT,
            log=self._folder / "echo.log",
        )
        self._child.wait_until_ready(self.url, READY_S)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    def measure(self, load: Load, tick: Callable[[], None]) -> Measurement:
        """Run one round; there are no books to compare."""
        assert self._child is not None
        groups = Groups({"server": [self._child.pid]})
        measured = metered(groups, lambda: put_load(load, self.url, password=PASSWORD, tick=tick))
        self._child.must_run()
        return measured

    def stop(self) -> None:
        """Stop its server."""
        if self._child is not None:
            self._child.stop()
