"""The control API of a simulator as the kit speaks it (providers.md B.12): faults, clock, books, over a real socket."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

_ANSWER_S: Final = 10


class ControlError(Exception):
    """A control call was refused. `status` is the answer's."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class ControlAnswer(Struct):
    """An answer of the control API."""

    status: int
    headers: dict[str, str]
    body: bytes


class SimulatorControl:
    """One running simulator."""

    def __init__(self, control_url: str) -> None:
        self._at = urlsplit(control_url)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the control API."""
        return self._at.hostname or "", self._at.port or 80

    async def call(self, method: str, path: str, body: object = None, **query: str) -> ControlAnswer:
        """Make one call, whatever it answers; `path` is what follows `/__sim`."""
        target = f"/__sim{path}" + (f"?{urlencode(query)}" if query else "")
        content = b"" if body is None else msgspec.json.encode(body)
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._at.netloc}", "Connection: close"]
        lines += [f"Content-Length: {len(content)}", "", ""]
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_connection(self._at.hostname, self._at.port)
            try:
                writer.write("\r\n".join(lines).encode() + content)
                answer = await reader.read()
            finally:
                writer.close()
                await writer.wait_closed()
        head, _, found = answer.partition(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        return ControlAnswer(int(first.split()[1]), headers, found)

    async def _json(self, method: str, path: str, body: object = None, **query: str) -> Any:
        answer = await self.call(method, path, body, **query)
        if answer.status >= 300:
            raise ControlError(
                f"{method} /__sim{path}: {answer.status} {answer.body[:200].decode(errors='replace')}", answer.status
            )
        return msgspec.json.decode(answer.body) if answer.body else None

    async def reset(self) -> None:
        """Forget everything."""
        await self._json("POST", "/reset")

    async def profile(self, wanted: Mapping[str, Any]) -> None:
        """Set switches that only this provider has."""
        await self._json("POST", "/profile", dict(wanted))

    async def fault(self, kind: str, op: str, *, times: int = 1, skip: int = 0, **params: Any) -> None:
        """Order a fault for a capability; for every message where the simulator has no message of that name."""
        wanted = {"kind": kind, "op": op, "times": times, "skip": skip, "params": params}
        try:
            await self._json("POST", "/faults", wanted)
        except ControlError as error:
            if error.status != 400 or "op must be" not in str(error):
                raise
            await self._json("POST", "/faults", wanted | {"op": "*"})

    async def order(self, fault: Mapping[str, Any]) -> None:
        """Order a fault in the control API's own words."""
        await self._json("POST", "/faults", dict(fault))

    async def faults(self) -> list[dict[str, Any]]:
        """The faults that are armed, with `timesLeft` of each."""
        armed: list[dict[str, Any]] = await self._json("GET", "/faults")
        return armed

    async def clear_faults(self) -> None:
        """Disarm all faults."""
        await self._json("DELETE", "/faults")

    async def advance(self, milliseconds: int) -> str:
        """Move the simulator's clock; returns its new time, RFC 3339."""
        moved: dict[str, str] = await self._json("POST", "/clock", {"advanceMs": milliseconds})
        return moved["now"]

    async def journal(self, op: str | None = None) -> list[dict[str, Any]]:
        """What the simulator heard."""
        heard: list[dict[str, Any]] = await self._json("GET", "/journal", **({} if op is None else {"op": op}))
        return heard

    async def totals(self) -> dict[str, Any]:
        """How much is in the books: `vouchers`, `floatCents` and what else this provider counts."""
        found: dict[str, Any] = await self._json("GET", "/state")
        return found

    async def state(self, reference: str) -> dict[str, Any] | None:
        """The voucher that a request brought, as the books have it; None: it brought none."""
        try:
            found: dict[str, Any] = await self._json("GET", "/state", reference=reference)
        except ControlError as error:
            if error.status == 404:
                return None
            raise
        return found

    async def world_event(self, code: str, event: str) -> None:
        """Let the world act on a voucher: REDEEM, BLOCK or EXPIRE.

        Raises:
            ControlError: 409, a voucher in this state does not take it.
        """
        await self._json("POST", "/vouchers/events", {"code": code, "event": event})

    async def recon(self, day: str, fault: str | None = None) -> tuple[str, bytes]:
        """The daily file: its name and its content.

        Raises:
            ControlError: 404, it is late; 409, it has no row to spoil.
        """
        answer = await self.call("GET", "/recon", date=day, **({} if fault is None else {"fault": fault}))
        if answer.status != 200:
            raise ControlError(answer.body[:200].decode(errors="replace"), answer.status)
        return answer.headers["content-disposition"].partition('filename="')[2].rstrip('"'), answer.body
