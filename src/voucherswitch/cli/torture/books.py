"""The three books beside the tills': the journal's, the SAF's and every simulated provider's, read after the drain."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import asyncpg
import msgspec
from msgspec import Struct

from voucherswitch.cli.torture.stack import Stack
from voucherswitch.journal import reports
from voucherswitch.journal.invariants import Finding, check
from voucherswitch.message.states import AdviceKind, AdviceState, Kind, State

_PAGE: Final = 20_000
_LISTED_MAX: Final = 1_000_000
_READERS: Final = 4  # connections to one simulator's control port
_ANSWER_S: Final = 30


class Entry(Struct, frozen=True):
    """One record of the journal."""

    request_id: str
    kind: Kind
    state: State
    has_request: bool
    originator_id: str
    single: bool
    provider_id: str | None
    approved_cents: int | None
    fingerprint: bytes | None
    redemption_id: str | None


class Owed(Struct, frozen=True):
    """One advice of the SAF."""

    advice_id: str
    request_id: str
    kind: AdviceKind
    state: AdviceState
    by_switch: bool


class Issued(Struct, frozen=True, rename="camel"):
    """One voucher in a provider's books."""

    code: str
    value_cents: int
    balance_cents: int
    state: str
    events: list["Happened"] = []
    vouchers: int = 1


class Happened(Struct, frozen=True):
    """A change of a voucher's state at its provider."""

    event: str


class Books(Struct, kw_only=True):
    """What the switch and the providers say.

    Attributes:
        advices: by request id, oldest first.
        issued: by request id, each provider's voucher for it.
        totals: provider -> how many vouchers it has issued in all.
        listed: ids of requests that the product itself lists as open, parked or at risk, and why.
        broken: the journal's own invariants that do not hold, with the rows that break them.
    """

    journal: dict[str, Entry]
    advices: dict[str, list[Owed]]
    issued: dict[str, dict[str, Issued]]
    totals: dict[str, int]
    listed: dict[str, str]
    broken: list[Finding]
    fingerprint: Callable[[str], bytes]


async def read_books(stack: Stack, known: Iterable[str], progress: Callable[[str], None]) -> Books:
    """Read them all. `known`: ids of provisions that tills asked for; each simulator is asked about all of them."""
    connection = await stack.connect()
    try:
        progress("journal")
        journal = {row["request_id"]: _entry(row) for row in await _all(connection, _RECORDS)}
        progress("advices")
        advices: dict[str, list[Owed]] = {}
        for row in await _all(connection, _ADVICES):
            owed = _owed(row)
            advices.setdefault(owed.request_id, []).append(owed)
        listed = await _listed(connection)
        progress("invariants")
        broken = await check(connection)
    finally:
        await connection.close()
    ids = sorted({*known, *(entry.request_id for entry in journal.values() if entry.kind is Kind.PROVISION)})
    issued: dict[str, dict[str, Issued]] = {}
    totals = {}
    for name, control in stack.controls.items():
        progress(f"books of {name}")
        totals[name] = (await control.totals())["vouchers"]
        for request_id, voucher in await _issued(control.address, ids):
            issued.setdefault(request_id, {})[name] = voucher
    return Books(
        journal=journal, advices=advices, issued=issued, totals=totals, listed=listed,
        broken=broken,
        fingerprint=stack.vault.fingerprint,
    )  # fmt: skip


async def _listed(connection: asyncpg.Connection) -> dict[str, str]:
    """What `voucherswitch explain` lists by itself, before a person asks for any one of them."""
    found = await reports.unresolved(connection, _LISTED_MAX)
    listed = {str(record.request_id): record.state.name for record in found.records}
    listed |= {str(advice.request_id): "PARKED" for advice in found.parked}
    return listed | {str(risk.request_id): "AT RISK" for risk in found.at_risk}


_RECORDS: Final = """
SELECT request_id, kind, state, has_request, originator_id, single, provider_id, approved_cents, fingerprint,
       redemption_id
  FROM transaction ORDER BY request_id LIMIT $1 OFFSET $2"""
_ADVICES: Final = "SELECT advice_id, request_id, kind, state, by_switch FROM advice ORDER BY seq LIMIT $1 OFFSET $2"


async def _all(connection: asyncpg.Connection, statement: str) -> list[Mapping[str, Any]]:
    """Every row, with ids as text."""
    rows: list[Mapping[str, Any]] = []
    while True:
        page = await connection.fetch(statement, _PAGE, len(rows))
        rows += [{key: str(value) if key.endswith("_id") and value else value for key, value in row.items()}
                 for row in page]  # fmt: skip
        if len(page) < _PAGE:
            return rows


def _entry(row: Mapping[str, Any]) -> Entry:
    return Entry(**{**row, "kind": Kind(row["kind"]), "state": State(row["state"])})


def _owed(row: Mapping[str, Any]) -> Owed:
    return Owed(**{**row, "kind": AdviceKind(row["kind"]), "state": AdviceState(row["state"])})


async def _issued(address: tuple[str, int], ids: list[str]) -> list[tuple[str, Issued]]:
    """A provider's vouchers for these requests. Asked on kept connections: there are tens of thousands."""
    parts = [ids[number::_READERS] for number in range(_READERS)]
    found = await asyncio.gather(*(_issued_of(address, part) for part in parts))
    return [voucher for part in found for voucher in part]


async def _issued_of(address: tuple[str, int], ids: list[str]) -> list[tuple[str, Issued]]:
    decode = msgspec.json.Decoder(Issued).decode
    found: list[tuple[str, Issued]] = []
    reader, writer = await asyncio.open_connection(*address)
    try:
        for request_id in ids:
            writer.write(f"GET /__sim/state?reference={request_id} HTTP/1.1\r\nHost: sim\r\n\r\n".encode())
            async with asyncio.timeout(_ANSWER_S):
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
                body = await reader.readexactly(length)
            if head[9:12] == b"200":
                found.append((request_id, decode(body)))
    finally:
        writer.close()
    return found
