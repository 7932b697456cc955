"""Processes that the benchmark starts, and the ports they need."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

from bench.errors import BenchError

STOP_S: Final = 30.0
TICK_S: Final = 0.1
FREE_FIRST: Final = 20_000
FREE_LAST: Final = 30_000
FREE_TRIES: Final = 50


class Child:
    """One server process in a process group of its own, with its output in a file."""

    def __init__(self, name: str, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path) -> None:
        self.name = name
        self._log = log
        with log.open("wb") as output:
            try:
                self._process = subprocess.Popen(
                    command,
                    env=dict(env),
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C reaches us alone, and we stop it in order
                )
            except OSError as error:
                raise BenchError(f"{name} cannot be started: {error}") from None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait_until_ready(self, url: str, seconds: float) -> None:
        """Wait until a URL answers, and well."""
        until = time.monotonic() + seconds
        while not _answers(url):
            self.must_run()
            if time.monotonic() > until:
                raise BenchError(f"{self.name} did not answer {url} within {seconds:.0f} s; {self.last_words()}")
            time.sleep(TICK_S)

    def wait_until_said(self, words: str, seconds: float) -> None:
        """Wait until its output holds some words."""
        until = time.monotonic() + seconds
        while words not in self._log.read_text(errors="replace"):
            self.must_run()
            if time.monotonic() > until:
                raise BenchError(f"{self.name} did not say {words!r} within {seconds:.0f} s; {self.last_words()}")
            time.sleep(TICK_S)

    def must_run(self) -> None:
        """Raise if the process has ended."""
        if self._process.poll() is not None:
            raise BenchError(f"{self.name} ended with code {self._process.returncode}; {self.last_words()}")

    def last_words(self) -> str:
        """Return the last line of its output, to put into an error."""
        lines = [line.strip() for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        return f"its last line: {lines[-1][:300]}" if lines else "it printed nothing"

    def stop(self) -> None:
        """End it as Ctrl-C would; kill the whole group if it does not end."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()


def run(
    command: Sequence[str],
    *,
    what: str,
    seconds: float,
    tick: Callable[[], None],
    accept: Sequence[int] = (0,),
    cwd: Path | None = None,
) -> str:
    """Run a command to its end and return what it printed; `tick` is called all the time, for the progress bar."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            text=True,
            start_new_session=True,
        )
    except OSError as error:
        raise BenchError(f"{what} cannot be started: {error}") from None
    until = time.monotonic() + seconds
    try:
        while True:
            try:
                output, errors = process.communicate(timeout=TICK_S)
                break
            except subprocess.TimeoutExpired:
                tick()
                if time.monotonic() > until:
                    raise BenchError(f"{what} did not end within {seconds:.0f} s") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode not in accept:
        said = (errors.strip() or output.strip() or "it printed nothing").splitlines()[-1]
        raise BenchError(f"{what} ended with code {process.returncode}: {said[:300]}")
    return output


def require_free(port: int, who: str, option: str) -> None:
    """Raise if somebody listens on a port of this machine."""
    if not _is_free(port):
        raise BenchError(
            f"port {port} is in use and {who} needs it: stop what listens there or choose another with {option}"
        )


def free_ports(size: int) -> int:
    """Return the first of so many ports in a row that nobody listens on, below those that systems give away."""
    for _ in range(FREE_TRIES):
        first = random.randrange(FREE_FIRST, FREE_LAST - size)
        if all(_is_free(port) for port in range(first, first + size)):
            return first
    raise BenchError(f"no {size} free ports in a row were found between {FREE_FIRST} and {FREE_LAST}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as answer:
            return bool(200 <= answer.status < 300)
    except (URLError, OSError):
        return False
