"""What the tests of the XML providers share: one provider's connector and simulator as a pair."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from providers.provider_support import IMPATIENT_MS, RawAnswer, http, until
from voucherswitch.message.outcomes import Approved, Outcome
from voucherswitch.message.parties import Voucher
from voucherswitch.message.trace import Leg, Trace
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.providers.contract.simulator.running import RunningSimulator

Connect = Callable[[str, Mapping[str, object]], Connector]


class Pair:
    """A simulator with a connector to it, and every leg that was recorded on the way."""

    def __init__(
        self,
        name: str,
        simulator: RunningSimulator,
        connector: Connector,
        connect: Connect,
        settings: Mapping[str, object],
    ) -> None:
        self.name = name
        self.simulator = simulator
        self.connector = connector
        self.settings = settings
        self.traces: list[Trace] = []
        self.connectors: list[Connector] = []
        self._connect = connect

    @property
    def legs(self) -> list[Leg]:
        return [leg for trace in self.traces for leg in trace.legs]

    def call(self, deadline_s: float = 20, advice_id: str | None = None) -> Call:
        """What one operation may use; its legs are kept."""
        self.traces.append(Trace())
        return Call(trace=self.traces[-1], deadline=time.monotonic() + deadline_s, advice_id=advice_id)

    def with_settings(self, **settings: object) -> Connector:
        """Another connector to the same simulator; closed when the test ends."""
        connector = self._connect(self.name, {**self.settings, **settings})
        self.connectors.append(connector)
        return connector

    def impatient(self) -> Connector:
        return self.with_settings(read_timeout_ms=IMPATIENT_MS)

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

    async def state(self, **query: str) -> dict[str, Any]:
        answer = await self.control("GET", "/state", **query)
        found: dict[str, Any] = answer.json
        return found

    async def world(self, code: str, event: str) -> RawAnswer:
        return await self.control("POST", "/vouchers/events", {"code": code, "event": event})

    async def recon(self, day: str, **query: str) -> tuple[str, bytes]:
        """A file's name and content."""
        answer = await self.control("GET", "/recon", date=day, **query)
        assert answer.status == 200, answer.body
        return answer.headers["content-disposition"].split('"')[1], answer.body

    async def heard(self, op: str) -> None:
        """Wait until the simulator has heard a call."""
        await until(lambda: any(entry["op"] == op for entry in self.simulator.frame.journal.listed(op, None)))


def voucher_of(outcome: Outcome) -> Voucher:
    """The voucher of an approval."""
    assert isinstance(outcome, Approved), outcome
    assert outcome.voucher is not None
    return outcome.voucher


@asynccontextmanager
async def fresh(pair: Pair, secrets: tuple[str, ...], caplog: pytest.LogCaptureFixture) -> AsyncIterator[Pair]:
    """The pair after a reset; at the end no code and no credential was recorded or logged (check 19)."""
    pair.simulator.frame.reset()
    caplog.set_level(0)
    yield pair
    for other in pair.connectors:
        await other.close()
    shown = [*(repr(leg) for leg in pair.legs), *caplog.messages]
    book = pair.simulator.provider.book  # type: ignore[attr-defined]
    codes = [voucher.code for voucher in book]
    assert [secret for secret in (*codes, *secrets) if any(secret in text for text in shown)] == []
