"""(b) the conventional stack, served by uvicorn."""

import asyncio
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher

from bench.books import Books
from bench.children import Child, require_free
from bench.conventional.tables import create_tables
from bench.costs import Groups, metered
from bench.database import Database
from bench.generator import ROOT, Load, put_load
from bench.measurement import Measurement
from bench.provision import ORIGINATOR
from bench.sandbox import API_KEY, Sandbox

READY_S: Final = 60.0
APPROVED: Final = "SELECT count(*) FROM conventional.transaction WHERE state = 2"
PENDING: Final = "SELECT count(*) FROM conventional.transaction WHERE state IN (1, 4)"


class ConventionalStack:
    """FastAPI, pydantic, SQLAlchemy's ORM, httpx: the same work with what most teams would take."""

    key = "b"
    title = "conventional stack"

    def __init__(
        self, folder: Path, database: Database, sandbox: Sandbox, shared: Groups, *, port: int, workers: int
    ) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._port = port
        self._workers = workers
        self._folder = folder
        self._database = database
        self._sandbox = sandbox
        self._shared = shared
        self.password = secrets.token_hex(16)
        self._child: Child | None = None

    def start(self) -> None:
        """Make its tables and start its server."""
        require_free(self._port, "the conventional stack", "--conventional-port")
        asyncio.run(create_tables(self._database.url))
        command = [sys.executable, "-m", "uvicorn", "bench.conventional.app:app", "--port", str(self._port)]
        command += ["--workers", str(self._workers), "--loop", "uvloop", "--http", "httptools"]
        command += ["--no-access-log", "--log-level", "warning"]
        self._child = Child(
            "the conventional stack",
            command,
            env=os.environ
            | {
                "CONVENTIONAL_DATABASE_URL": self._database.url,
                "CONVENTIONAL_PROVIDER_URL": self._sandbox.url,
                "CONVENTIONAL_PROVIDER_KEY": API_KEY,
                "CONVENTIONAL_USER": ORIGINATOR,
                "CONVENTIONAL_PASSWORD_HASH": PasswordHasher().hash(self.password),
                "CONVENTIONAL_VAULT_KEY": secrets.token_hex(32),
            },
            cwd=ROOT,
            log=self._folder / "conventional.log",
        )
        self._child.wait_until_ready(f"{self.url}/openapi.json", READY_S)

    def measure(self, load: Load, tick: Callable[[], None]) -> Measurement:
        """Run one round, with the same comparison afterwards as for the switch."""
        assert self._child is not None
        books = Books(self._database, approved=APPROVED, pending=PENDING, sandbox=self._sandbox)
        books.open()
        groups = Groups({"server": [self._child.pid], **self._shared.pids})
        measured = metered(groups, lambda: put_load(load, self.url, password=self.password, tick=tick))
        self._child.must_run()
        if not measured.errors:
            books.close(measured, tick)
        return measured

    def stop(self) -> None:
        """Stop its server."""
        if self._child is not None:
            self._child.stop()
