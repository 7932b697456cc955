"""One attempt to deliver one claimed advice. Shared by the sender and by requests that cannot wait for it (A6)."""

import time
from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg
import msgspec
import structlog
from msgspec import Struct

from voucherswitch.journal.journal import Journal
from voucherswitch.journal.rows import leg_rows, refs
from voucherswitch.journal.statements import SQL
from voucherswitch.message.answers import unpack
from voucherswitch.message.codes import ReversalReason
from voucherswitch.message.orders import AdviceOrder
from voucherswitch.message.outcomes import Acknowledged, AdviceResult, Pending, Refused
from voucherswitch.message.parties import Store
from voucherswitch.message.recorded import store_of
from voucherswitch.message.states import AdviceKind, AdviceState, Kind
from voucherswitch.message.trace import Leg, Trace
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.providers.gate import Ticket
from voucherswitch.providers.pool import ProviderPool
from voucherswitch.saf.policy import Backoff
from voucherswitch.security.vault import VaultError

log = structlog.get_logger(__name__)

# One row that cannot be read must not hold up the advices that were claimed with it.
_UNREADABLE = (VaultError, msgspec.MsgspecError)


class Claimed(Struct, frozen=True, kw_only=True):
    """An advice whose attempt is counted and is ours to send."""

    request_id: UUID
    generation: int
    advice_id: UUID
    kind: AdviceKind
    request_kind: Kind
    provider_id: str
    by_switch: bool
    attempts: int
    order: AdviceOrder


class Attempt(Struct, frozen=True):
    """What came of it, as it is written."""

    claimed: Claimed
    result: AdviceResult
    consumed: bool
    legs: list[Leg]


def claimed_from(row: asyncpg.Record, journal: Journal) -> Claimed:
    """Read a row of `claim_advices`; opens what is sealed, because some providers want code and cashier again.

    Most find the request by our reference. One that needs what does not open says so, and the advice is repeated.
    """
    order = AdviceOrder(
        advice_id=str(row["advice_id"]),
        request_id=str(row["request_id"]),
        reason=None if row["reason"] is None else ReversalReason(row["reason"]),
        amount_cents=row["amount_cents"],
        voucher_code=_code(row, journal),
        serial_number=row["voucher_serial"],
        refs=refs(row["refs"]),
        sent_ms_ago=row["settled_ms"],
        product=row["provider_product"],
        store=_store(row, journal),
    )
    return Claimed(
        request_id=row["request_id"],
        generation=row["generation"],
        advice_id=row["advice_id"],
        kind=AdviceKind(row["kind"]),
        request_kind=Kind(row["request_kind"]),
        provider_id=row["provider_id"],
        by_switch=row["by_switch"],
        attempts=row["attempts"],
        order=order,
    )


def _code(row: asyncpg.Record, journal: Journal) -> str | None:
    if row["answer"] is None or Kind(row["request_kind"]) is not Kind.PROVISION:
        return None  # that of a redemption or refund names another voucher: the customer's change
    try:
        voucher = unpack(journal.open_answer(row["request_id"], row["generation"], row["answer"])).voucher
    except _UNREADABLE as error:
        log.error("voucher of an advice cannot be opened", request_id=str(row["request_id"]), reason=str(error))
        return None
    return None if voucher is None else voucher.code


def _store(row: asyncpg.Record, journal: Journal) -> Store | None:
    if row["request"] is None:
        return None
    try:
        return store_of(journal.open_sealed_request(row["request_id"], row["generation"], row["request"]))
    except _UNREADABLE as error:
        log.error("request of an advice cannot be opened", request_id=str(row["request_id"]), reason=str(error))
        return None


async def attempt(claimed: Claimed, providers: ProviderPool, deadline_s: float, ticket: Ticket) -> Attempt:
    """Send the advice once. Never raises: one advice's trouble must not hold up another."""
    trace = Trace()
    try:
        done = await _attempt(claimed, providers, deadline_s, trace)
    except Exception as error:
        log.exception("advice not delivered", advice_id=str(claimed.advice_id), provider=claimed.provider_id)
        fault = Pending(cause=f"our fault: {type(error).__name__}")
        done = Attempt(claimed, fault, consumed=False, legs=trace.take())
    await ticket.settle(done.result, done.legs, deadline_s)
    return done


async def _attempt(claimed: Claimed, providers: ProviderPool, deadline_s: float, trace: Trace) -> Attempt:
    can = providers.capabilities.get(claimed.provider_id)
    if can is not None and not can.advice(claimed.request_kind, claimed.kind).sends:
        if claimed.by_switch:
            return Attempt(claimed, Acknowledged(), consumed=True, legs=[])
        # It was accepted to be sent, and the settings have changed since: not ours to call it done.
        refused = Refused(provider_message="its settings now say that the provider takes no such advice")
        return Attempt(claimed, refused, consumed=False, legs=[])
    async with providers.use(claimed.provider_id) as connector:
        if connector is None:
            reason = providers.faults.get(claimed.provider_id, "provider is not set up")
            return Attempt(claimed, Pending(cause=reason), consumed=False, legs=[])
        call = Call(trace=trace, deadline=deadline_s, advice_id=str(claimed.advice_id))
        result = await _operation(connector, claimed)(claimed.order, call)
    return Attempt(claimed, result, consumed=False, legs=trace.take())


def _operation(connector: Connector, claimed: Claimed) -> Callable[[AdviceOrder, Call], Awaitable[AdviceResult]]:
    return {
        (Kind.PROVISION, AdviceKind.CONFIRMATION): connector.confirm,
        (Kind.PROVISION, AdviceKind.REVERSAL): connector.reverse,
        (Kind.REDEMPTION, AdviceKind.CONFIRMATION): connector.confirm_redeem,
        (Kind.REDEMPTION, AdviceKind.REVERSAL): connector.reverse_redeem,
        (Kind.REFUND, AdviceKind.CONFIRMATION): connector.confirm_refund,
        (Kind.REFUND, AdviceKind.REVERSAL): connector.reverse_refund,
    }[claimed.request_kind, claimed.kind]


async def record(journal: Journal, attempts: list[Attempt], backoff: Backoff) -> None:
    """Write what came of attempts, in one statement."""
    rows = [_row(item, backoff) for item in attempts]
    legs = [
        leg_row
        for item in attempts
        for leg_row in leg_rows(item.claimed.request_id, item.claimed.generation, item.legs)
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    leg_columns: list[list[object]] = [list(column) for column in zip(*legs, strict=True)] if legs else [[]] * 13
    await journal.pool.fetch(SQL["finish_advices"], *columns, *leg_columns)


def _row(item: Attempt, backoff: Backoff) -> tuple[object, ...]:
    claimed = item.claimed
    state, delay_ms, error = AdviceState.DELIVERED, 0, None
    if item.consumed:
        state = AdviceState.CONSUMED
    elif isinstance(item.result, Refused):
        state = AdviceState.PARKED
        error = f"refused: {item.result.provider_code or ''} {item.result.provider_message or ''}".strip()
    elif isinstance(item.result, Pending):
        state, delay_ms, error = AdviceState.QUEUED, backoff.pause_ms(claimed.attempts), item.result.cause
    return (
        claimed.advice_id, claimed.request_id, claimed.generation, claimed.attempts, int(state), delay_ms, error,
    )  # fmt: skip


def deadline_in(timeout_ms: int) -> float:
    """A moment of the monotonic clock that far ahead."""
    return time.monotonic() + timeout_ms / 1000
