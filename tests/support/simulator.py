"""The sandbox simulator's control API: order faults, read its journal and its books (providers.md B.12)."""

import json
from datetime import timedelta
from typing import Any

from pyreqwest.client import ClientBuilder

from support.messages import Json
from support.waiting import eventually


class SimulatorControl:
    """What a test does to the provider, and what it sees of it."""

    def __init__(self, url: str, control_url: str) -> None:
        self.url = url
        self.control_url = control_url
        self._client = ClientBuilder().http1_only().no_proxy().timeout(timedelta(seconds=20)).build()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def fault(self, kind: str, op: str, reference: str, *, times: int = 1, skip: int = 0, **params: Any) -> None:
        """Order a fault for the calls about one request, so that no other test meets it. `times` 0: for ever."""
        body = {"op": op, "kind": kind, "times": times, "skip": skip, "match": {"reference": reference}}
        await self._call("POST", "faults", body | {"params": params})

    async def order(self, kind: str, op: str, **params: Any) -> None:
        """Order a fault for the next call of an operation, whatever it is about: of a provider of one's own."""
        await self._call("POST", "faults", {"op": op, "kind": kind, "times": 1, "params": params})

    async def clear_faults(self) -> None:
        """Take back every fault that was ordered and has not happened."""
        await self._call("DELETE", "faults")

    async def calls(self, reference: str, op: str | None = None) -> list[Json]:
        """What it heard about a request, oldest first."""
        query = {"reference": reference} | ({} if op is None else {"op": op})
        heard: list[Json] = await self._call("GET", "journal", query=query)
        return heard

    async def ops(self, reference: str) -> list[str]:
        """The operations it heard about a request, oldest first."""
        return [call["op"] for call in await self.calls(reference)]

    async def taken(self, reference: str, op: str) -> list[Json]:
        """The calls of an operation about a request that took effect."""
        return [call for call in await self.calls(reference, op) if call["processed"]]

    async def hears(self, reference: str, op: str, *, times: int = 1, within_s: float = 10.0) -> list[Json]:
        """Wait until it heard an operation about a request so many times."""

        async def heard() -> list[Json]:
            calls = await self.calls(reference, op)
            return calls if len(calls) >= times else []

        return await eventually(heard, f"{op} of {reference} at the provider", within_s=within_s)

    async def takes(self, reference: str, op: str, *, within_s: float = 10.0) -> list[Json]:
        """Wait until an operation about a request took effect."""
        return await eventually(lambda: self.taken(reference, op), f"{op} of {reference}", within_s=within_s)

    async def voucher(self, *, reference: str | None = None, code: str | None = None) -> Json | None:
        """A voucher in its books, by the request of its provision or by its code; None: there is none."""
        query = {"reference": reference} if reference is not None else {"code": code or ""}
        found: Json | None = await self._call("GET", "state", query=query)
        return found

    async def voucher_state(self, reference: str) -> str | None:
        """The state of the voucher of a provision, None when there is none."""
        found = await self.voucher(reference=reference)
        return None if found is None else str(found["state"])

    async def totals(self) -> Json:
        """How much is in its books."""
        found: Json = await self._call("GET", "state")
        return found

    async def refuse_connections(self, milliseconds: int) -> None:
        """Close the listener for a while, and every idle connection."""
        await self._call("POST", "faults", {"op": "*", "kind": "refuse_connect", "params": {"ms": milliseconds}})

    async def event(self, code: str, name: str) -> None:
        """The world acts on a voucher: REDEEM, BLOCK or EXPIRE."""
        await self._call("POST", "vouchers/events", {"code": code, "event": name})

    async def advance(self, milliseconds: int) -> None:
        """Move its clock: what it holds back for so long happens now."""
        await self._call("POST", "clock", {"advanceMs": milliseconds})

    async def seed(self, **wanted: Any) -> Json:
        """Put a voucher into its books that was sold elsewhere."""
        seeded: Json = await self._call("POST", "vouchers", wanted)
        return seeded

    async def _call(self, method: str, name: str, body: Json | None = None, query: dict[str, str] | None = None) -> Any:
        builder = self._client.request(method, f"{self.control_url}/__sim/{name}")
        if query:
            builder = builder.query(list(query.items()))
        if body is not None:
            builder = builder.body_bytes(json.dumps(body).encode())
        response = await builder.build().send()
        raw = bytes(await response.bytes())
        if response.status == 404 and method == "GET":
            return None
        assert response.status < 300, (name, response.status, raw)
        return json.loads(raw) if raw else None
