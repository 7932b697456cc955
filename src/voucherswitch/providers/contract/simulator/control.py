"""The control API of every simulator, on its own port (providers.md B.12). No part of any provider's protocol.

Tests and operators order faults, move the clock, seed vouchers and read the books here.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from voucherswitch.providers.contract.simulator.faults import KINDS, Fault
from voucherswitch.providers.contract.simulator.frame import SimulatorFrame
from voucherswitch.providers.contract.simulator.provider import ControlError, Reply
from voucherswitch.providers.contract.simulator.recon import (
    FILE_FAULTS,
    NoSuchRowError,
    business_day_of,
)
from voucherswitch.providers.contract.simulator.wire import Listener
from voucherswitch.providers.contract.simulator.wires import JSON_TYPE, Request, WireConnection

T = TypeVar("T")


class ClockMove(Struct, rename="camel", forbid_unknown_fields=True):
    """One of the two."""

    advance_ms: float | None = None
    now: datetime | None = None


class Float(Struct, forbid_unknown_fields=True):
    cents: int


class WorldEvent(Struct, forbid_unknown_fields=True):
    code: str
    event: str


class Result(Struct):
    """A control call's answer: `body` is sent as JSON unless it is bytes."""

    status: int
    body: Any = b""
    headers: bytes = b""
    content_type: bytes = JSON_TYPE


class ControlApi:
    """Serves the control port of one simulator."""

    def __init__(self, frame: SimulatorFrame, host: str) -> None:
        self._frame = frame
        self.listener = Listener(host, self._handle, lambda: frame.clock.http_date(frame.clock.now()))
        self._calls: dict[tuple[str, str], Callable[[bytes, dict[str, str]], Result]] = {
            ("POST", "/__sim/reset"): self._reset,
            ("POST", "/__sim/clock"): self._clock,
            ("POST", "/__sim/faults"): self._add_fault,
            ("GET", "/__sim/faults"): self._list_faults,
            ("DELETE", "/__sim/faults"): self._clear_faults,
            ("GET", "/__sim/journal"): self._journal,
            ("GET", "/__sim/state"): self._state,
            ("POST", "/__sim/vouchers"): self._seed,
            ("POST", "/__sim/vouchers/events"): self._world_event,
            ("POST", "/__sim/float"): self._float,
            ("GET", "/__sim/recon"): self._recon,
            ("POST", "/__sim/profile"): self._profile,
        }

    def _handle(self, request: Request, connection: WireConnection) -> None:
        path, _, query = request.target.partition("?")
        call = self._calls.get((request.method, path))
        try:
            if call is None:
                result = self._own_call(request, path, dict(parse_qsl(query)))
            else:
                result = call(request.body, dict(parse_qsl(query)))
        except ControlError as error:
            result = Result(error.status, {"error": str(error)})
        except (msgspec.MsgspecError, ValueError) as error:
            result = Result(400, {"error": str(error)})
        body = result.body if isinstance(result.body, bytes) else msgspec.json.encode(result.body)
        connection.reply(result.status, body, result.content_type, result.headers)

    def _own_call(self, request: Request, path: str, query: dict[str, str]) -> Result:
        """A call that only this provider has: `/__sim/keys`, `/__sim/tokens/expire`, `/__sim/stock`."""
        wanted: dict[str, Any] = _decoded(request.body or b"{}", dict[str, Any]) if request.method == "POST" else query
        frame = self._frame
        found = frame.provider.control(request.method, path, wanted, frame.clock.now())
        if isinstance(found, Reply):
            return Result(found.status, found.body, found.headers, found.content_type)
        return Result(200, found)

    def _reset(self, _body: bytes, _query: dict[str, str]) -> Result:
        self._frame.reset()
        return Result(204)

    def _clock(self, body: bytes, _query: dict[str, str]) -> Result:
        move = _decoded(body, ClockMove)
        clock = self._frame.clock
        if (move.advance_ms is None) == (move.now is None):
            raise ControlError(400, "set advanceMs or now")
        if move.advance_ms is not None:
            clock.advance(move.advance_ms)
        elif move.now is not None:
            if move.now.tzinfo is None:
                raise ControlError(400, "now needs an offset, like 2026-03-02T14:15:16+02:00")
            clock.set_now(move.now)
        self._frame.clock_moved()
        return Result(200, {"now": datetime.fromtimestamp(clock.now(), UTC).isoformat(timespec="milliseconds")})

    def _add_fault(self, body: bytes, _query: dict[str, str]) -> Result:
        fault = _decoded(body, Fault)
        if fault.kind not in KINDS | self._frame.provider.own_faults:
            own = ", ".join(sorted(KINDS | self._frame.provider.own_faults))
            raise ControlError(400, f"kind must be one of {own}")
        known = self._frame.provider.operations
        if fault.op not in known and fault.op not in ("*", "auth"):
            raise ControlError(400, f"op must be one of *, auth, {', '.join(sorted(known))}")
        try:
            return Result(201, {"faultId": self._frame.order(fault)})
        except OverflowError as error:
            raise ControlError(409, str(error)) from error

    def _list_faults(self, _body: bytes, _query: dict[str, str]) -> Result:
        return Result(
            200,
            [
                {"faultId": armed.fault_id, "skipLeft": armed.skip_left, "timesLeft": max(armed.times_left, 0)}
                | msgspec.to_builtins(armed.fault)
                for armed in self._frame.faults
            ],
        )

    def _clear_faults(self, _body: bytes, _query: dict[str, str]) -> Result:
        self._frame.faults.clear()
        return Result(204)

    def _journal(self, _body: bytes, query: dict[str, str]) -> Result:
        return Result(200, list(self._frame.journal.listed(query.get("op"), query.get("reference"))))

    def _state(self, _body: bytes, query: dict[str, str]) -> Result:
        reference, code = query.get("reference"), query.get("code")
        if reference is None and code is None:
            return Result(200, self._frame.provider.totals())
        found = self._frame.provider.state(reference, code)
        if found is None:
            raise ControlError(404, "no such voucher")
        return Result(200, found)

    def _seed(self, body: bytes, _query: dict[str, str]) -> Result:
        return Result(201, self._frame.provider.seed(_decoded(body, dict[str, Any]), self._frame.clock.now()))

    def _world_event(self, body: bytes, _query: dict[str, str]) -> Result:
        event = _decoded(body, WorldEvent)
        return Result(200, self._frame.provider.world_event(event.code, event.event, self._frame.clock.now()))

    def _float(self, body: bytes, _query: dict[str, str]) -> Result:
        cents = _decoded(body, Float).cents
        self._frame.provider.set_float(cents)
        return Result(200, {"cents": cents})

    def _profile(self, body: bytes, _query: dict[str, str]) -> Result:
        return Result(200, self._frame.provider.set_profile(_decoded(body, dict[str, Any])))

    def _recon(self, _body: bytes, query: dict[str, str]) -> Result:
        fault = query.get("fault")
        if fault is not None and fault not in FILE_FAULTS:
            raise ControlError(400, f"fault must be one of {', '.join(FILE_FAULTS)}")
        if "date" not in query:
            raise ControlError(400, "set date, like 2026-03-02")
        day = business_day_of(query["date"])
        if fault == "late":
            raise ControlError(404, "the file is late")
        try:
            name, text = self._frame.recon_file(day, fault, query.get("reference"))
        except NoSuchRowError as error:
            raise ControlError(409, str(error)) from error
        disposition = f'Content-Disposition: attachment; filename="{name}"\r\n'.encode()
        return Result(200, text.encode(), disposition, b"text/csv; charset=utf-8")


def _decoded(body: bytes, kind: type[T]) -> T:
    return msgspec.json.decode(body, type=kind)
