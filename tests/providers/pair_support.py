"""A provider's simulator with a connector to it, for the tests of any provider: faults, clock, books, recorded legs."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import msgspec
import pytest

from providers.provider_support import IMPATIENT_MS, R1, RawAnswer, hang_up, http, raw_server, until, voucher_of
from voucherswitch.message.orders import ProvisionOrder
from voucherswitch.message.outcomes import Approved, Outcome
from voucherswitch.message.parties import Voucher
from voucherswitch.message.trace import Leg, Trace
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.providers.contract.provider_time import SAST
from voucherswitch.providers.contract.simulator.running import RunningSimulator

T = TypeVar("T")
P = TypeVar("P", bound="Pair")
S = TypeVar("S", bound=RunningSimulator)

Connect = Callable[[str, Mapping[str, object]], Connector]

# Loading the authorities takes a client longer than most tests do, and nothing here but `unreachable` speaks TLS.
PLAIN: Final[Mapping[str, object]] = {"tls": {"verify": False}}


class Pair:
    """A simulator, a connector, and every leg that was recorded between them.

    A provider's own class adds requests past the connector, and `sale`: its order with the values of the samples.
    """

    sale: Callable[..., ProvisionOrder]

    def __init__(
        self, simulator: RunningSimulator, connector: Connector, connect: Connect, settings: Mapping[str, object]
    ) -> None:
        self.simulator = simulator
        self.connector = connector
        self.traces: list[Trace] = []
        self._connect = connect
        self._settings = settings
        self._others: list[Connector] = []

    @property
    def legs(self) -> list[Leg]:
        return [leg for trace in self.traces for leg in trace.legs]

    @property
    def codes(self) -> list[str]:
        """The codes in the simulator's books."""
        book: Any = getattr(self.simulator.provider, "book")  # noqa: B009 (the contract has no books, simulators do)
        return [voucher.code for voucher in book]

    def call(self, deadline_s: float = 20, advice_id: str | None = None) -> Call:
        """What one operation may use; its legs are kept."""
        self.traces.append(Trace())
        return Call(trace=self.traces[-1], deadline=time.monotonic() + deadline_s, advice_id=advice_id)

    def with_settings(self, **settings: object) -> Connector:
        """Another connector to the same simulator; closed when the test ends."""
        connector = self._connect("other", {**self._settings, **settings})
        self._others.append(connector)
        return connector

    def impatient(self, **settings: object) -> Connector:
        """A connector that meets silence."""
        return self.with_settings(read_timeout_ms=IMPATIENT_MS, **settings)

    async def forget(self, name: str) -> None:
        """Take a connector that knows nothing yet: no token, no clock."""
        await self.connector.close()
        self.connector = self._connect(name, self._settings)

    async def close(self) -> None:
        """Close what `with_settings` made."""
        while self._others:
            await self._others.pop().close()

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

    async def advance(self, milliseconds: float) -> None:
        assert (await self.control("POST", "/clock", {"advanceMs": milliseconds})).status == 200

    async def at(self, moment: str) -> None:
        """Set the simulator's clock."""
        assert (await self.control("POST", "/clock", {"now": moment})).status == 200

    async def today(self) -> str:
        """The simulator's business day, which begins two hours before UTC's, as the control API takes it."""
        now: str = (await self.control("POST", "/clock", {"advanceMs": 0})).json["now"]
        return datetime.fromisoformat(now).astimezone(SAST).date().isoformat()

    async def profile(self, **wanted: object) -> None:
        answer = await self.control("POST", "/profile", wanted)
        assert answer.status == 200, answer.body

    async def world(self, code: str, event: str) -> None:
        """Let the world act on a voucher."""
        answer = await self.control("POST", "/vouchers/events", {"code": code, "event": event})
        assert answer.status == 200, answer.body

    async def seed(self, cents: int = 10_000, **more: object) -> str:
        """A voucher that was sold elsewhere; its code."""
        answer = await self.control("POST", "/vouchers", {"valueCents": cents} | more)
        assert answer.status == 201, answer.body
        code: str = answer.json["code"]
        return code

    async def journal(self, **query: str) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = (await self.control("GET", "/journal", **query)).json
        return listed

    async def heard_ops(self) -> list[str]:
        """The operations that the simulator heard, in their order."""
        return [entry["op"] for entry in await self.journal()]

    def wire_ops(self, op: str | None = None) -> list[str]:
        """What the simulator heard, by the protocol's own names."""
        entries = self.simulator.frame.journal._entries
        return [entry.wire_op for entry in entries if op in (None, entry.op, entry.wire_op)]

    async def heard(self, op: str, times: int = 1) -> None:
        """Wait until the simulator has heard a call so often."""
        await until(lambda: len(list(self.simulator.frame.journal.listed(op, None))) >= times)

    async def totals(self) -> dict[str, Any]:
        """The books as a whole."""
        return await self.state()

    async def state(self, **query: str) -> dict[str, Any]:
        """One voucher by `reference` or `code`; without either, the books as a whole."""
        found: dict[str, Any] = (await self.control("GET", "/state", **query)).json
        return found

    async def state_of(self, reference: str = R1) -> str:
        """The state of the voucher that a request brought."""
        found: str = (await self.state(reference=reference))["state"]
        return found

    async def vouchers(self, reference: str = R1) -> int:
        """How many vouchers a request brought: two are a duplicate sale."""
        answer = await self.control("GET", "/state", reference=reference)
        return 0 if answer.status == 404 else int(answer.json["vouchers"])

    async def recon(self, day: str, **query: str) -> tuple[str, bytes]:
        """A daily file's name and content."""
        answer = await self.control("GET", "/recon", date=day, **query)
        assert answer.status == 200, answer.body
        return answer.headers["content-disposition"].partition('filename="')[2].rstrip('"'), answer.body

    # The connector, with the values of the samples

    async def provision(self, order: ProvisionOrder | None = None, **more: Any) -> Outcome:
        return await self.connector.provision(order or self.sale(**more), self.call())

    async def issued(self, request_id: str = R1, **more: Any) -> Voucher:
        """A voucher that exists."""
        return voucher_of(await self.provision(request_id=request_id, **more))


@asynccontextmanager
async def running(
    kind: type[P],
    name: str,
    start: Callable[[], AbstractAsyncContextManager[S]],
    connect: Connect,
    settings_of: Callable[[S], Mapping[str, object]],
) -> AsyncIterator[P]:
    """One simulator and one connector for all tests of a folder."""
    async with start() as simulator:
        settings = {**settings_of(simulator), **PLAIN}
        pair = kind(simulator, connect(name, settings), connect, settings)
        yield pair
        await pair.connector.close()


@asynccontextmanager
async def fresh(pair: P, caplog: pytest.LogCaptureFixture, secrets: Sequence[str]) -> AsyncIterator[P]:
    """The pair after a reset. At the end no code and no credential was recorded or logged (check 19).

    Args:
        secrets: credentials, or what they begin with.
    """
    pair.simulator.frame.reset()
    pair.traces = []
    caplog.set_level(0)
    yield pair
    await pair.close()
    shown = [*(repr(leg) for leg in pair.legs), *caplog.messages]
    assert [secret for secret in (*pair.codes, *secrets) if any(secret in text for text in shown)] == []


async def unreachable(pair: Pair, **settings: object) -> AsyncIterator[Connector]:
    """Connectors whose requests never leave: nobody listens, no such host, no TLS where they expect it."""
    no_tls = pair.simulator.url.replace("http:", "https:")
    for address in (await a_stopped_server(), "https://no-such-host.invalid", no_tls):
        yield pair.with_settings(base_url=address, connect_timeout_ms=500, tls={}, **settings)


async def a_stopped_server() -> str:
    """An address at which nobody listens any more."""
    async with raw_server(hang_up) as server:
        return server.url


async def left_behind(pair: Pair, outcomes: Sequence[object], capfd: pytest.CaptureFixture[str]) -> list[str]:
    """Every text in which a code must not be: outcomes without their vouchers, legs, journal, today's file, prints."""
    told = [
        repr(msgspec.structs.replace(outcome, voucher=None) if isinstance(outcome, Approved) else outcome)
        for outcome in outcomes
    ]
    _, file = await pair.recon(await pair.today())
    journal, printed = str(await pair.journal()), capfd.readouterr()
    return [*told, *(repr(leg) for leg in pair.legs), journal, file.decode(), printed.out, printed.err]
