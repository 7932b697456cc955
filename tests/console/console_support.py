"""What the console's tests share: rows put into the journal by SQL, a served console, and a plain HTTP client."""

import asyncio
import http.client
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from msgspec import Struct

from voucherswitch.config.settings import Settings
from voucherswitch.console.app import server_config
from voucherswitch.console.server import Server

HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"


def ago(**duration: float) -> datetime:
    """A moment in the past: ago(minutes=5)."""
    return datetime.now(UTC) - timedelta(**duration)


class Rows:
    """Writes rows as the switch would, and takes them out again."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def insert(self, table: str, **values: Any) -> None:
        """Insert one row; JSON values are given as text."""
        columns = ", ".join(values)
        places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
        await self._pool.execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", *values.values())

    async def clear(self) -> None:
        """Empty every table that the pages read."""
        tables = "transaction leg advice lane refusal voucher originator route product voucher_provider provider"
        await self._pool.execute("; ".join(f"DELETE FROM {table}" for table in (*tables.split(), "provider_fault")))

        await self.checked("[]", None)

    async def checked(self, findings: str, finished_at: datetime | None) -> None:
        """What the last check of the invariants found, as JSON."""
        await self._pool.execute("UPDATE invariant_check SET findings = $1, finished_at = $2", findings, finished_at)

    async def reference(self, request_id: UUID) -> str:
        """Our reference of a request, as an originator is told it."""
        number: int = await self._pool.fetchval("SELECT reference FROM transaction WHERE request_id = $1", request_id)
        return f"VSW-{number:012d}"

    @asynccontextmanager
    async def locked(self, table: str) -> AsyncIterator[None]:
        """Keep everybody else from reading a table until the end of the block."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield

    async def transaction(self, **values: Any) -> UUID:
        """A confirmed provision of R150 unless told otherwise; returns its id."""
        request_id = UUID(str(values.pop("request_id", uuid4())))
        row = {
            "kind": 1,
            "state": 5,
            "originator_id": "22222222",
            "receiver_id": "44444444",
            "product_id": "MOBI110",
            "provider_id": "sandbox",
            "amount_cents": 15_000,
            "currency": "710",
        }
        await self.insert("transaction", request_id=request_id, **{**row, **values})
        return request_id

    async def advice(self, request_id: UUID, **values: Any) -> UUID:
        """A queued confirmation unless told otherwise; returns its id."""
        advice_id = UUID(str(values.pop("advice_id", uuid4())))
        row = {
            "generation": 0,
            "kind": 1,
            "request_kind": 1,
            "state": 1,
            "originator_id": "22222222",
            "provider_id": "sandbox",
            "lane": 3,
        }
        await self.insert("advice", request_id=request_id, advice_id=advice_id, **{**row, **values})
        return advice_id

    async def leg(self, request_id: UUID, **values: Any) -> None:
        """An answered exchange with the provider unless told otherwise."""
        row = {
            "generation": 0,
            "direction": 2,
            "peer": "sandbox",
            "operation": "provision",
            "started_at": ago(minutes=1),
            "duration_us": 12_345,
            "outcome": 1,
            "status": 200,
            "request": 'POST /vouchers\n\n{"amount":15000,"pin":"***"}',
            "response": '{"result":"00","code":"***"}',
        }
        await self.insert("leg", request_id=request_id, **{**row, **values})

    async def provider(self, provider_id: str = "sandbox", **values: Any) -> None:
        """An enabled provider."""
        await self.insert("provider", provider_id=provider_id, connector="sandbox", **values)


class Page(Struct):
    """An answer of the console."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def text(self) -> str:
        """The body as a person would read its text, entities resolved."""
        return unescape(self.body)

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Console:
    """A console served on a port of its own."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def get(self, path: str, *, method: str = "GET", host: str | None = None) -> Page:
        """Ask for a page; `host` is the Host header, this console's own unless told otherwise."""
        return await asyncio.to_thread(self._get, path, method, host or f"127.0.0.1:{self.port}")

    def _get(self, path: str, method: str, host: str) -> Page:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host=True)
            connection.putheader("Host", host)
            connection.endheaders()
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Page(answer.status, headers, answer.read().decode())
        finally:
            connection.close()


@asynccontextmanager
async def serving(url: str, **changed: Any) -> AsyncIterator[Console]:
    """Serve a console for that database, with some settings, until the end of the block."""
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    settings = Settings(console_port=port, **changed)
    server = Server(settings, server_config(settings, url))
    served = asyncio.create_task(server._serve([sock]))  # without its signal handlers: they are the test runner's
    try:
        while not server.started:
            assert not served.done()
            await asyncio.sleep(0.01)
        yield Console(port)
    finally:
        server.should_exit = True
        await served
        sock.close()
