"""What operators ask the journal: the story of a request, what is unresolved, what waits to be delivered.

Read by the command line and the console. Never on the path of a request, never opens what is sealed, changes nothing.
Every list has a bound, because some requests are asked for thousands of times.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy
from msgspec import Struct

from voucherswitch.journal.statements import SQL
from voucherswitch.message.refusals import RecordedRefusal
from voucherswitch.message.states import AdviceKind, AdviceState, Kind, State, VoucherState
from voucherswitch.message.trace import Direction, LegOutcome

Connection: TypeAlias = asyncpg.Connection | PoolConnectionProxy

REQUESTS_MAX: Final = 200
LEGS_MAX: Final = 2_000
REFUSALS_MAX: Final = 200

_decode_refusal = msgspec.json.Decoder(RecordedRefusal).decode


class RecordReport(Struct, frozen=True, kw_only=True):
    """One record. `reference` is the one we tell; a tombstone has none that was told.

    `archived_in`: the batch of the archive that holds the rest of it (journal/archive/find.py).
    """

    request_id: UUID
    generation: int
    reference: str
    kind: Kind
    state: State
    has_request: bool
    originator_id: str
    single: bool
    receiver_id: str | None
    product_id: str | None
    provider_id: str | None
    provider_product: str | None
    amount_cents: int | None
    currency: str | None
    approved_cents: int | None
    balance_cents: int | None
    voucher_serial: str | None
    provider_ref: str | None
    error: RecordedRefusal | None
    alert: str | None
    answered_status: int | None
    redemption_id: UUID | None
    confirmation_id: UUID | None
    reversal_id: UUID | None
    opened_at: datetime
    changed_at: datetime
    call_until: datetime | None
    call_running: bool
    voucher_state: VoucherState | None
    archived_in: int | None


class AdviceReport(Struct, frozen=True, kw_only=True):
    """One accepted advice and how far its delivery is. `shut`: why its provider is told nothing now."""

    request_id: UUID
    generation: int
    advice_id: UUID
    kind: AdviceKind
    request_kind: Kind
    state: AdviceState
    by_switch: bool
    originator_id: str
    provider_id: str | None
    lane: int
    reason: str | None
    amount_cents: int | None
    attempts: int
    next_attempt_at: datetime
    not_before: datetime | None
    last_error: str | None
    created_at: datetime
    finished_at: datetime | None
    held_by_call: bool
    being_sent: bool
    paused: bool
    shut: str | None


class LegReport(Struct, frozen=True, kw_only=True):
    """One message exchange, masked as it was stored."""

    request_id: UUID
    generation: int
    advice_id: UUID | None
    direction: Direction
    peer: str
    operation: str
    started_at: datetime
    duration_us: int
    outcome: LegOutcome
    status: int | None
    request: str
    response: str | None
    error: str | None


class RefusalReport(Struct, frozen=True, kw_only=True):
    """One refusal that made no record."""

    request_id: UUID
    originator_id: str
    kind: Kind
    operation: str
    refused_at: datetime
    error: RecordedRefusal


class OpenRecord(Struct, frozen=True, kw_only=True):
    """A request whose outcome nobody knows; `call_running` while the provider's answer may still come."""

    request_id: UUID
    generation: int
    reference: str
    kind: Kind
    state: State
    originator_id: str
    provider_id: str | None
    provider_product: str | None
    amount_cents: int | None
    answered_status: int | None
    alert: str | None
    opened_at: datetime
    call_until: datetime | None
    call_running: bool


class QueueReport(Struct, frozen=True, kw_only=True):
    """One provider's queue of advices. `shut`: why it is told nothing now, or one advice at a time."""

    provider_id: str
    enabled: bool
    paused: bool
    queued: int
    held: int
    failing: int
    parked: int
    oldest_at: datetime | None
    newest_error: str | None
    shut: str | None


class ResolutionReport(Struct, frozen=True, kw_only=True):
    """An unknown outcome that an operator settled by hand."""

    request_id: UUID
    generation: int
    resolved_at: datetime
    resolved_by: str
    from_state: State
    to_state: State
    reason: str
    evidence: str


class Story(Struct, frozen=True, kw_only=True):
    """All that the journal holds about some requests. `cut`: there are more messages than are told."""

    records: Sequence[RecordReport]
    advices: Sequence[AdviceReport]
    legs: Sequence[LegReport]
    refusals: Sequence[RefusalReport]
    cut: bool
    resolutions: Sequence[ResolutionReport] = ()


class AtRisk(Struct, frozen=True, kw_only=True):
    """A request that was reversed here and cannot be reversed at its provider."""

    request_id: UUID
    advice_id: UUID
    reference: str
    kind: Kind
    provider_id: str | None
    voucher_serial: str | None
    amount_cents: int | None
    since: datetime


class Unresolved(Struct, frozen=True, kw_only=True):
    """What somebody or something still has to settle."""

    records: Sequence[OpenRecord]
    parked: Sequence[AdviceReport]
    at_risk: Sequence[AtRisk]


def refusal(text: str) -> RecordedRefusal:
    """A refusal as it was told."""
    return _decode_refusal(text)


def reference_text(number: int) -> str:
    """Our own reference as originators know it."""
    return f"VSW-{number:012d}"


async def requests_of_id(connection: Connection, identifier: UUID) -> list[UUID]:
    """The requests that an id of a request or advice means."""
    return await _ids(connection, "report_requests_of_id", identifier)


async def requests_of_reference(connection: Connection, number: int) -> list[UUID]:
    """The request with our reference; see `reference_text`."""
    return await _ids(connection, "report_requests_of_reference", number)


async def requests_of_voucher(connection: Connection, serial: str | None, fingerprint: bytes | None) -> list[UUID]:
    """Every request about a voucher that is named by its serial number, by its code's fingerprint, or by both."""
    return await _ids(connection, "report_requests_of_voucher", serial, fingerprint, REQUESTS_MAX)


async def story(connection: Connection, request_ids: Sequence[UUID]) -> Story:
    """All that the journal holds about some requests, as of one moment."""
    ids = list(request_ids)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        records = [_record(row) for row in await connection.fetch(SQL["report_records"], ids)]
        advices = [_advice(row) for row in await connection.fetch(SQL["report_advices_of"], ids)]
        legs = [_leg(row) for row in await connection.fetch(SQL["report_legs"], ids, LEGS_MAX)]
        refusals = [_refusal(row) for row in await connection.fetch(SQL["report_refusals"], ids, REFUSALS_MAX)]
        settled = [_resolution(row) for row in await connection.fetch(SQL["report_resolutions"], ids)]
    cut = len(legs) == LEGS_MAX or len(refusals) == REFUSALS_MAX
    return Story(records=records, advices=advices, legs=legs, refusals=refusals, cut=cut, resolutions=settled)


async def unresolved(connection: Connection, limit: int) -> Unresolved:
    """Requests without a known outcome, parked advices and money at risk, the oldest first, at most `limit` of each."""
    rows = await connection.fetch(SQL["report_open_records"], limit)
    return Unresolved(
        records=[_open_record(row) for row in rows],
        parked=await saf_advices(connection, None, AdviceState.PARKED, limit),
        at_risk=[_at_risk(row) for row in await connection.fetch(SQL["report_at_risk"], limit)],
    )


async def saf_queues(connection: Connection) -> list[QueueReport]:
    """The queue of every provider."""
    return [QueueReport(**dict(row)) for row in await connection.fetch(SQL["report_saf_queues"])]


async def saf_advices(
    connection: Connection, provider_id: str | None, state: AdviceState, limit: int
) -> list[AdviceReport]:
    """Advices in one state, the oldest first; of all providers when none is named."""
    rows = await connection.fetch(SQL["report_saf_advices"], provider_id, int(state), limit)
    return [_advice(row) for row in rows]


async def saf_advice(connection: Connection, advice_id: UUID) -> AdviceReport | None:
    """One advice, None when no accepted advice has this id."""
    row = await connection.fetchrow(SQL["report_saf_advice"], advice_id)
    return None if row is None else _advice(row)


async def attempts(connection: Connection, advice: AdviceReport) -> list[LegReport]:
    """The messages by which an advice was delivered, or was not."""
    rows = await connection.fetch(SQL["report_attempts"], advice.request_id, advice.advice_id, LEGS_MAX)
    return [_leg(row) for row in rows]


async def _ids(connection: Connection, statement: str, *arguments: object) -> list[UUID]:
    return [row["request_id"] for row in await connection.fetch(SQL[statement], *arguments)]


def _at_risk(row: asyncpg.Record) -> AtRisk:
    values = dict(row)
    return AtRisk(**values | {"kind": Kind(values["kind"]), "reference": reference_text(values["reference"])})


def _record(row: asyncpg.Record) -> RecordReport:
    values = dict(row)
    values["reference"] = reference_text(values["reference"])
    values["kind"] = Kind(values["kind"])
    values["state"] = State(values["state"])
    values["error"] = None if values["error"] is None else _decode_refusal(values["error"])
    values["call_running"] = bool(values["call_running"])
    values["voucher_state"] = None if values["voucher_state"] is None else VoucherState(values["voucher_state"])
    return RecordReport(**values)


def _resolution(row: asyncpg.Record) -> ResolutionReport:
    values = dict(row)
    states = {name: State(values[name]) for name in ("from_state", "to_state")}
    return ResolutionReport(**values | states)


def _open_record(row: asyncpg.Record) -> OpenRecord:
    values = dict(row)
    values["reference"] = reference_text(values["reference"])
    values["kind"] = Kind(values["kind"])
    values["state"] = State(values["state"])
    return OpenRecord(**values)


def _advice(row: asyncpg.Record) -> AdviceReport:
    values = {name: row[name] for name in AdviceReport.__struct_fields__}
    values["kind"] = AdviceKind(values["kind"])
    values["request_kind"] = Kind(values["request_kind"])
    values["state"] = AdviceState(values["state"])
    for name in ("held_by_call", "being_sent", "paused"):
        values[name] = bool(values[name])
    return AdviceReport(**values)


def _leg(row: asyncpg.Record) -> LegReport:
    values = dict(row)
    values["direction"] = Direction(values["direction"])
    values["outcome"] = LegOutcome(values["outcome"])
    return LegReport(**values)


def _refusal(row: asyncpg.Record) -> RefusalReport:
    values = dict(row)
    values["kind"] = Kind(values["kind"])
    values["error"] = _decode_refusal(values["error"])
    return RefusalReport(**values)
