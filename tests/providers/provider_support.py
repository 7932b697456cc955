"""What the provider tests share: a sandbox with its connector, a raw HTTP client, and a server that misbehaves."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from voucherswitch.message.codes import ReversalReason
from voucherswitch.message.orders import AdviceOrder, LookupOrder, ProvisionOrder, RedeemOrder, RefundOrder, StatusOrder
from voucherswitch.message.outcomes import Approved, Outcome
from voucherswitch.message.parties import Store, Voucher
from voucherswitch.message.trace import Leg, Trace
from voucherswitch.providers.contract.connector import Call
from voucherswitch.providers.sandbox.connector import SandboxConnector, connect
from voucherswitch.providers.sandbox.simulator import API_KEY, SandboxSimulator

T = TypeVar("T")

R1 = "5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13"
R2 = "c2d47e08-1a6b-4f35-8e90-7b1d3a5c9f24"
R3 = "8a0e6d51-3c97-4b28-b5f4-e16a2d7c0935"
A1 = "e47b90c3-52d8-4a1f-9c06-0f8d6b3e2a71"
STORE = Store(merchant_id="merchant1234567", terminal_id="TERM0001", operator_id="C07")
FIRST_CODE = "9000000000001231"

IMPATIENT_MS = 300  # the read timeout of connectors that meet silence: short, but long for an answer on loopback


def an_id(number: int) -> str:
    """A request or advice id that a test can tell apart."""
    return f"{number:08x}-0000-4000-8000-000000000000"


async def until(condition: Callable[[], bool], within_s: float = 10) -> None:
    """Wait for a condition, not for a time."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 (what is waited for happens in other code, which sets no event)
            await asyncio.sleep(0.001)


class RawAnswer(Struct):
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


async def http(method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> RawAnswer:
    """One request on its own connection, by a client that knows nothing of ours."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {path} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode() + (body or b""))
        answer = await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()
    head, _, content = answer.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    found = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    return RawAnswer(int(first.split()[1]), found, content)


class Sandbox:
    """The sandbox with a connector to it, and every leg that was recorded on the way."""

    def __init__(self, simulator: SandboxSimulator, connector: SandboxConnector) -> None:
        self.simulator = simulator
        self.connector = connector
        self.traces: list[Trace] = []
        self.connectors: list[SandboxConnector] = []

    @property
    def legs(self) -> list[Leg]:
        return [leg for trace in self.traces for leg in trace.legs]

    def call(self, deadline_s: float = 20, advice_id: str | None = None) -> Call:
        """What one operation may use; its legs are kept."""
        self.traces.append(Trace())
        return Call(trace=self.traces[-1], deadline=time.monotonic() + deadline_s, advice_id=advice_id)

    def with_settings(self, **settings: object) -> SandboxConnector:
        """Another connector to the same sandbox; closed when the test ends."""
        connector = connect("sandbox", settings_of(self.simulator) | settings)
        self.connectors.append(connector)
        return connector

    def impatient(self) -> SandboxConnector:
        return self.with_settings(read_timeout_ms=IMPATIENT_MS, settle_ms=30_000)

    @asynccontextmanager
    async def in_flight(self, operation: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
        """An operation that goes on while the test does something else; it has ended when the block has."""
        task = asyncio.create_task(operation)
        try:
            yield task
        finally:
            if not task.done():
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    # The control API

    async def control(self, method: str, path: str, body: object = None, **query: str) -> RawAnswer:
        url = f"{self.simulator.control_url}/__sim{path}" + (f"?{urlencode(query)}" if query else "")
        return await http(method, url, None if body is None else msgspec.json.encode(body))

    async def fault(self, kind: str, op: str = "*", **more: Any) -> None:
        """Order a fault; `params` in the API's own spelling."""
        answer = await self.control("POST", "/faults", {"op": op, "kind": kind} | more)
        assert answer.status == 201, answer.body

    async def advance(self, milliseconds: int) -> None:
        assert (await self.control("POST", "/clock", {"advanceMs": milliseconds})).status == 200

    async def journal(self, **query: str) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = (await self.control("GET", "/journal", **query)).json
        return listed

    async def totals(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.control("GET", "/state")).json
        return found

    async def state(self, **query: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.control("GET", "/state", **query)).json
        return found

    async def heard(self, op: str) -> None:
        """Wait until the sandbox has heard a call."""
        await until(lambda: any(entry["op"] == op for entry in self.simulator.frame.journal.listed(op, None)))

    # The protocol, past our connector

    async def raw(self, method: str, path: str, body: object = None, key: str = API_KEY) -> RawAnswer:
        content = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        return await http(method, f"{self.simulator.url}/sandbox/v1{path}", content, headers)

    # The connector, with the values of the samples

    async def provision(self, order: ProvisionOrder | None = None, **more: Any) -> Outcome:
        return await self.connector.provision(order or provision_order(**more), self.call())

    async def issued(self, **more: Any) -> Voucher:
        """A voucher that exists."""
        outcome = await self.provision(**more)
        assert isinstance(outcome, Approved)
        assert outcome.voucher is not None
        return outcome.voucher

    async def confirmed(self, request_id: str = R1, **more: Any) -> Voucher:
        """A voucher that can be redeemed."""
        voucher = await self.issued(request_id=request_id, **more)
        assert (await self.raw("POST", f"/vouchers/{request_id}/confirm", {"adviceId": an_id(0xC0)})).status == 202
        return voucher

    async def redeemed(self, code: str, request_id: str = R2, cents: int = 4000, *, confirm: bool = False) -> None:
        """A redemption that happened."""
        body = {"requestId": request_id, "code": code, "amountCents": cents, "store": "S001", "terminal": "TERM0001"}
        assert (await self.raw("POST", "/redemptions", body)).status == 201
        if confirm:
            path = f"/redemptions/{request_id}/confirm"
            assert (await self.raw("POST", path, {"adviceId": an_id(0xC1)})).status == 202


def settings_of(simulator: SandboxSimulator) -> dict[str, object]:
    return {"base_url": simulator.url, "api_key": API_KEY, "outlet_map": {STORE.merchant_id: "S001"}}


def provision_order(
    product: str = "SBXANY", amount_cents: int = 10_000, request_id: str = R1, voucher_code: str | None = None
) -> ProvisionOrder:
    return ProvisionOrder(
        request_id=request_id,
        amount_cents=amount_cents,
        currency="710",
        product=product,
        store=STORE,
        voucher_code=voucher_code,
    )


def redeem_order(
    code: str = FIRST_CODE, amount_cents: int = 4_000, request_id: str = R2, pin: str | None = None
) -> RedeemOrder:
    return RedeemOrder(
        request_id=request_id,
        amount_cents=amount_cents,
        currency="710",
        voucher_code=code,
        store=STORE,
        voucher_pin=pin,
    )


def refund_order(
    code: str = FIRST_CODE, amount_cents: int = 0, request_id: str = R3, redemption_id: str | None = R2
) -> RefundOrder:
    return RefundOrder(
        request_id=request_id,
        amount_cents=amount_cents,
        currency="710",
        voucher_code=code,
        store=STORE,
        redemption_id=redemption_id,
    )


def status_order(request_id: str = R1, amount_cents: int = 10_000, sent_ms_ago: int = 0) -> StatusOrder:
    return StatusOrder(request_id=request_id, amount_cents=amount_cents, sent_ms_ago=sent_ms_ago)


def advice_order(request_id: str = R1, advice_id: str = A1) -> AdviceOrder:
    return AdviceOrder(advice_id=advice_id, request_id=request_id, reason=ReversalReason.TIMEOUT)


def lookup_order(**name: Any) -> LookupOrder:
    return LookupOrder(**name)


class Heard(Struct):
    """One request that reached a server: connection and request number, head and body."""

    connection: int
    request: int
    head: bytes
    body: bytes

    @property
    def line(self) -> str:
        return self.head.split(b"\r\n")[0].decode()

    def header(self, name: str) -> str | None:
        for line in self.head.decode().split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None


Behaviour = Callable[[Heard, asyncio.StreamWriter], Awaitable[bool | None]]


class RawServer:
    """A TCP server that reads requests whole and then does as it is told. Returning False ends a connection."""

    def __init__(self) -> None:
        self.port = 0
        self.heard: list[Heard] = []
        self.connections: list[asyncio.StreamReader] = []
        self.ended: set[int] = set()

    @property
    def open_now(self) -> int:
        """Connections that neither side has closed."""
        return sum(not reader.at_eof() for n, reader in enumerate(self.connections) if n not in self.ended)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def raw_server(behave: Behaviour, **listen: Any) -> AsyncIterator[RawServer]:
    server = RawServer()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        connection = len(server.connections)
        server.connections.append(reader)
        count = 0
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                heard = Heard(connection, count, head, b"")
                heard.body = await reader.readexactly(int(heard.header("content-length") or 0))
                server.heard.append(heard)
                count += 1
                if await behave(heard, writer) is False:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            writer.close()
            server.ended.add(connection)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, **listen)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
