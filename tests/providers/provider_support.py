"""What the provider tests share: ids, orders, an HTTP client, samples, answers, a bad server, the event loop in use."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import uvloop
from msgspec import Struct

from voucherswitch.message.codes import ReversalReason
from voucherswitch.message.orders import AdviceOrder, LookupOrder, StatusOrder
from voucherswitch.message.outcomes import Approved, OutcomeUnknown, Pending
from voucherswitch.message.parties import Store, Voucher
from voucherswitch.providers.contract.alerts import BAD_ANSWER
from voucherswitch.providers.contract.transport.http import NO_HEADERS, HttpAnswer

R1 = "5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13"
R2 = "c2d47e08-1a6b-4f35-8e90-7b1d3a5c9f24"
R3 = "8a0e6d51-3c97-4b28-b5f4-e16a2d7c0935"
A1 = "e47b90c3-52d8-4a1f-9c06-0f8d6b3e2a71"
STORE = Store(merchant_id="merchant1234567", terminal_id="TERM0001", operator_id="C07")
SAMPLE_TIME = "2026-03-02T14:15:16+02:00"
SETTLED = 10**9  # ms since a request was sent: later than any settle time or replay window

IMPATIENT_MS = 300  # the read timeout of connectors that meet silence: short, but long for an answer on loopback

# Faults. Kind -> whether the provider has processed the request when its client gives up; `http` where it is told to:
CUTS: Final[Mapping[str, bool]] = MappingProxyType(
    {
        "drop_before": False,
        "rst_before": False,
        "hang_before": False,
        "late_processing": False,
        "drop_after": True,
        "rst_after": True,
        "hang_after": True,
        "malformed": True,
        "truncate": True,
        "http": True,
    }
)
LOST_REQUESTS: Final = ("drop_before", "rst_before", "hang_before", "late_processing")
LOST_ANSWERS: Final = ("drop_after", "rst_after", "hang_after", "malformed", "truncate", "oversize")
SPOILT: Final = ("malformed", "truncate", "oversize", "wrong_amount", "wrong_reference", "no_pin", "bad_pin")


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


# Orders that every provider takes as they are


def status_order(request_id: str = R1, amount_cents: int = 10_000, sent_ms_ago: int = 0) -> StatusOrder:
    return StatusOrder(request_id=request_id, amount_cents=amount_cents, sent_ms_ago=sent_ms_ago)


def advice_order(request_id: str = R1, advice_id: str = A1, **more: Any) -> AdviceOrder:
    return AdviceOrder(advice_id=advice_id, request_id=request_id, reason=ReversalReason.TIMEOUT, **more)


def lookup_order(**name: Any) -> LookupOrder:
    return LookupOrder(**name)


# Answers, as the transport gives them, and outcomes


def answer(body: object, status: int = 200, headers: Mapping[str, str] = NO_HEADERS) -> HttpAnswer:
    """An answer; what is neither bytes nor text becomes JSON."""
    content = body.encode() if isinstance(body, str) else body
    return HttpAnswer(status, content if isinstance(content, bytes) else msgspec.json.encode(content), headers)


def changed(sample: bytes | str, **changes: Any) -> bytes:
    """A JSON sample with values replaced; objects merge; ... removes one."""
    return msgspec.json.encode(_merged(msgspec.json.decode(sample), changes))


def _merged(into: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    found = dict(into)
    for name, value in changes.items():
        nested = isinstance(value, dict) and isinstance(found.get(name), dict)
        found[name] = _merged(found[name], value) if nested else value
    return {name: value for name, value in found.items() if value is not ...}


def is_bad_answer(outcome: object) -> bool:
    """The doubt that an answer leaves that nobody can read, with its alert."""
    if isinstance(outcome, OutcomeUnknown):
        told = OutcomeUnknown(provider_message=outcome.provider_message, alert=BAD_ANSWER, refs=outcome.refs)
        return outcome == told
    return isinstance(outcome, Pending) and outcome.alert == BAD_ANSWER


def voucher_of(outcome: object) -> Voucher:
    """The voucher of an approval."""
    assert isinstance(outcome, Approved), outcome
    assert outcome.voucher is not None
    return outcome.voucher


# A server that does as it is told


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


class Listening:
    """A TCP server with what became of its connections."""

    def __init__(self) -> None:
        self.port = 0
        self.connections: list[asyncio.StreamReader] = []
        self.ended: set[int] = set()

    @property
    def open_now(self) -> int:
        """Connections that neither side has closed."""
        return sum(not reader.at_eof() for n, reader in enumerate(self.connections) if n not in self.ended)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


Talk = Callable[[int, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(server: Listening, talk: Talk, **listen: Any) -> AsyncIterator[None]:
    """Serve until the block ends: `talk` has a connection, by its number, until it returns."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        connection = len(server.connections)
        server.connections.append(reader)
        try:
            await talk(connection, reader, writer)
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
        yield
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


class RawServer(Listening):
    """A server that reads requests whole and then does as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Heard] = []


@asynccontextmanager
async def raw_server(behave: Behaviour, **listen: Any) -> AsyncIterator[RawServer]:
    """Serve until the block ends. A `behave` that returns False ends its connection."""
    server = RawServer()

    async def talk(connection: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        count = 0
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            heard = Heard(connection, count, head, b"")
            heard.body = await reader.readexactly(int(heard.header("content-length") or 0))
            server.heard.append(heard)
            count += 1
            if await behave(heard, writer) is False:
                break

    async with listening(server, talk, **listen):
        yield server


async def hang_up(_heard: Heard, _writer: asyncio.StreamWriter) -> bool:
    """Read a request whole and end the connection."""
    return False


def in_uvloop(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine function under the event loop that production uses, past this process's own."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            uvloop.run(work())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    if failures:
        raise failures[0]
