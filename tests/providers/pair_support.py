"""A provider's simulator with a connector to it, for the tests of any provider: faults, clock, books, recorded legs."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from providers.provider_support import IMPATIENT_MS, RawAnswer, http, until
from voucherswitch.message.trace import Leg, Trace
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.providers.contract.simulator.running import RunningSimulator

T = TypeVar("T")

Connect = Callable[[str, Mapping[str, object]], Connector]


class Pair:
    """A simulator, a connector, and every leg that was recorded between them."""

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

    def call(self, deadline_s: float = 20, advice_id: str | None = None) -> Call:
        """What one operation may use; its legs are kept."""
        self.traces.append(Trace())
        return Call(trace=self.traces[-1], deadline=time.monotonic() + deadline_s, advice_id=advice_id)

    def with_settings(self, **settings: object) -> Connector:
        """Another connector to the same simulator."""
        connector = self._connect("other", dict(self._settings) | settings)
        self._others.append(connector)
        return connector

    def impatient(self, **settings: object) -> Connector:
        """A connector that meets silence."""
        return self.with_settings(read_timeout_ms=IMPATIENT_MS, **settings)

    async def close(self) -> None:
        for connector in self._others:
            await connector.close()

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

    async def at(self, moment: str) -> None:
        """Set the simulator's clock."""
        assert (await self.control("POST", "/clock", {"now": moment})).status == 200

    async def journal(self, **query: str) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = (await self.control("GET", "/journal", **query)).json
        return listed

    async def heard_ops(self) -> list[str]:
        """The operations that the simulator heard, in their order."""
        return [entry["op"] for entry in await self.journal()]

    async def state(self, **query: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.control("GET", "/state", **query)).json
        return found

    async def vouchers(self, reference: str) -> int:
        """How many vouchers a request brought: two are a duplicate sale."""
        found: int = (await self.state(reference=reference)).get("vouchers", 0)
        return found

    async def world(self, code: str, event: str) -> None:
        answer = await self.control("POST", "/vouchers/events", {"code": code, "event": event})
        assert answer.status == 200, answer.body

    async def heard(self, op: str, times: int = 1) -> None:
        """Wait until the simulator has heard a call so often."""
        await until(lambda: len(list(self.simulator.frame.journal.listed(op, None))) >= times)
