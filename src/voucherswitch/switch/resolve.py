"""Resolve: find out about one request whose outcome nobody knows, without its originator (providers.md B.7, §5.4).

Called by switch/resolver.py in the worker. It asks the provider what became of the request and applies the answer like
any late answer. Where nothing can be asked, or the answer does not tell, a single-message originator's request is
reversed; a dual-message originator retries or reverses itself. It never sends a request again, because that may issue,
and it never guesses: what no message can settle stays open and is listed as money at risk.
"""

import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from voucherswitch.config.limits import RESOLVE_CALL_MS, RESOLVE_NO_WAY_MS, RESOLVE_PENDING_MS
from voucherswitch.journal.records import Closing, Due, Entry, Record
from voucherswitch.message.codes import ZAR
from voucherswitch.message.msisdn import msisdn
from voucherswitch.message.orders import StatusOrder
from voucherswitch.message.outcomes import Outcome, OutcomeUnknown
from voucherswitch.message.parties import Institution
from voucherswitch.message.recorded import Origin
from voucherswitch.message.states import AdviceKind, Kind, State, mask
from voucherswitch.message.trace import Leg, Trace
from voucherswitch.providers.contract.capabilities import Capabilities, Support
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.providers.pool import Place
from voucherswitch.saf.policy import Backoff
from voucherswitch.switch.approvals import undone
from voucherswitch.switch.deadlines import Deadlines
from voucherswitch.switch.deps import Deps
from voucherswitch.switch.exchange import Asked
from voucherswitch.switch.lifecycle import Position
from voucherswitch.switch.movements import believable
from voucherswitch.switch.positions import position
from voucherswitch.switch.question import Question, alert_of
from voucherswitch.switch.sending import OPEN, apply, ask, refs_of

log = structlog.get_logger(__name__)

StatusCall: TypeAlias = Callable[[StatusOrder, Call], Awaitable[Outcome]]


class Patience(Struct, frozen=True):
    """What an operator may set: when a provider is asked first after the last call, and when again."""

    first_ms: int
    backoff: Backoff


class _Named(Struct):
    id: str
    name: str


class _Reached(Struct):
    msisdn: str | None = None


class _Code(Struct):
    code: str | None = None


class _Recorded(Struct, rename="camel"):
    """The part of a recorded request that a question and its answer need."""

    originator: Origin
    receiver: _Named | None = None
    settlement_entity: _Named | None = None
    recipient: _Reached | None = None
    customer: _Reached | None = None
    voucher: _Code | None = None


_decode = msgspec.json.Decoder(_Recorded).decode


async def resolve(due: Due, deps: Deps, patience: Patience) -> None:
    """Take one look at an open request: ask, undo, or leave it for later."""
    record = await deps.journal.read(due.request_id)
    if record is None or record.generation != due.generation:
        return
    place = position(record)
    if place is Position.PENDING or (place is Position.UNKNOWN and record.call_running):
        # Its worker lives, or another one is asking: what comes of that is theirs to write.
        await deps.journal.postpone_resolution(due, RESOLVE_PENDING_MS)
        return
    if place is not Position.UNKNOWN:
        return
    can = deps.providers.capabilities.get(due.provider_id)
    request = _decode(deps.journal.open_request(record))
    asked = _asked(record, request, deps)
    if can is None or asked is None:
        await deps.journal.postpone_resolution(due, patience.backoff.pause_ms(due.attempts + 1))
        return
    early_ms = max(patience.first_ms - record.settled_ms, _originators_turn_ms(record, asked, can))
    if early_ms > 0:
        await deps.journal.postpone_resolution(due, early_ms)
    elif _status_of(can, record.kind).sends:
        await _ask_status(due, record, request, asked, can, deps, patience)
    elif _may_reverse(can, record):
        if await deps.journal.claim_call(record, RESOLVE_CALL_MS, asks_only=True):
            await _reverse(asked, [], deps)
    else:
        # Only its originator or the provider's file can tell: it is listed until then (B.7, step 4).
        await deps.journal.postpone_resolution(due, RESOLVE_NO_WAY_MS)


def _originators_turn_ms(record: Record, asked: Asked, can: Capabilities) -> int:
    """How long nothing may be done yet, so that a single-message originator can still get its voucher by a retry.

    What is found approved is reversed at once (§5.4), and a retry after that is refused (T6). So it gets the time that
    a reversal of a lost answer has (A10): its deadline and 15 s unless it agreed on another.
    """
    if record.kind is not Kind.PROVISION or not record.single or not can.retry.sends:
        return 0
    return asked.originator.confirm_delay_s * 1000 - record.settled_ms


async def _ask_status(
    due: Due, record: Record, request: _Recorded, asked: Asked, can: Capabilities, deps: Deps, patience: Patience
) -> None:
    with deps.providers.reserve(asked.provider_id) as place:
        if await deps.journal.claim_call(record, RESOLVE_CALL_MS, asks_only=True):
            await _apply_status(due, record, request, asked, can, place, deps, patience)


async def _apply_status(
    due: Due,
    record: Record,
    request: _Recorded,
    asked: Asked,
    can: Capabilities,
    place: Place,
    deps: Deps,
    patience: Patience,
) -> None:
    order = _order(record, request)
    worth_cents = await _worth_cents(record, order.voucher_code, deps)

    async def send(connector: Connector, call: Call) -> Outcome:
        return believable(await _status_call(connector, record.kind)(order, call), worth_cents)

    question, trace = Question(send), Trace()
    deadline_s = time.monotonic() + RESOLVE_CALL_MS / 1000
    # Nobody waits for an answer here, so the call alone sets the time.
    limits = Deadlines(answer=deadline_s + 1, call=deadline_s)
    outcome = await ask(deps, place, question.send, trace, limits)
    decided = question.decided(outcome)
    if decided is not None:
        await apply(deps, asked, decided, trace.take())
        log.info("outcome found", request_id=str(record.request_id), outcome=type(decided).__name__)
        return
    pending_s = outcome.cancel_after_s if isinstance(outcome, OutcomeUnknown) else None
    cancel = pending_s is not None and record.settled_ms >= pending_s * 1000 and can.reverse.sends
    if cancel or _may_reverse(can, record):
        await _reverse(asked, trace.take(), deps)
        return
    again_ms = patience.backoff.pause_ms(due.attempts + 1) if pending_s is None else RESOLVE_PENDING_MS
    await deps.journal.end_call(
        asked.entry, alert_of(outcome), trace.take(), refs_of(outcome), resolve_in_ms=again_ms, asked=True
    )


def _may_reverse(can: Capabilities, record: Record) -> bool:
    """B.7, step 3: only for who does not do it himself, and only where the provider hears of it."""
    return record.single and can.advice(record.kind, AdviceKind.REVERSAL).sends


async def _reverse(asked: Asked, legs: list[Leg], deps: Deps) -> None:
    """Undo what may have been done: the provider is told until it has answered, also that there was nothing."""
    closing = undone(deps, Closing(entry=asked.entry, from_states=OPEN, to=State.REVERSED), asked.provider_id)
    if await deps.journal.close(closing, legs):
        log.info("unknown outcome reversed", request_id=str(asked.entry.request_id), provider=asked.provider_id)


async def take_back(record: Record, deps: Deps) -> None:
    """Reverse an approval that its provider held for a confirmation until a moment that is past.

    A confirmation after that would be acknowledged here and refused there: the customer would keep a dead voucher.
    """
    closing = Closing(entry=_entry(record), from_states=mask((State.APPROVED,)), to=State.REVERSED)
    if await deps.journal.close(undone(deps, closing, record.provider_id or ""), []):
        log.info("approval lapsed unconfirmed", request_id=str(record.request_id), provider=record.provider_id)


async def _worth_cents(record: Record, code: str | None, deps: Deps) -> int | None:
    """What the voucher of a redemption was sold for. None: no redemption, or nobody knows."""
    if record.kind is not Kind.REDEMPTION or code is None:
        return None
    vouchers = await deps.journal.read_vouchers(code)
    return next((one.approved_cents for one in vouchers if one.receiver_id == record.receiver_id), None)


def _status_of(can: Capabilities, kind: Kind) -> Support:
    return {Kind.PROVISION: can.status, Kind.REDEMPTION: can.redeem_status, Kind.REFUND: can.refund_status}[kind]


def _status_call(connector: Connector, kind: Kind) -> StatusCall:
    return {
        Kind.PROVISION: connector.status,
        Kind.REDEMPTION: connector.redeem_status,
        Kind.REFUND: connector.refund_status,
    }[kind]


def _order(record: Record, request: _Recorded) -> StatusOrder:
    """The question. How long the last call that could create something has been over was read before this one."""
    reached = request.recipient if record.kind is Kind.PROVISION else request.customer
    return StatusOrder(
        request_id=str(record.request_id),
        amount_cents=record.amount_cents or 0,
        refs=record.refs,
        sent_ms_ago=record.settled_ms,
        product=record.provider_product,
        store=request.originator.store,
        msisdn=None if reached is None else msisdn(reached.msisdn),
        voucher_code=None if request.voucher is None else request.voucher.code or None,
    )


def asked_of(record: Record, deps: Deps) -> Asked | None:
    """Everything that closing this record needs. None: its originator or its brand is gone from the catalogue."""
    return _asked(record, _decode(deps.journal.open_request(record)), deps)


def _asked(record: Record, request: _Recorded, deps: Deps) -> Asked | None:
    originator = deps.snapshot.originators.get(record.originator_id)
    brand = deps.snapshot.voucher_providers.get(record.receiver_id or "")
    if originator is None or brand is None:
        return None
    product = deps.snapshot.products.get(record.product_id or "")
    named = record.kind is not Kind.PROVISION and request.voucher is not None
    return Asked(
        entry=_entry(record),
        originator=replace(originator, single=record.single),  # by the mode in which it asked
        provider_id=record.provider_id or "",
        receiver=_institution(request.receiver) or brand.receiver,
        settlement=_institution(request.settlement_entity) or brand.settlement,
        amount_cents=record.amount_cents or 0,
        currency=record.currency or ZAR,
        voucher_code=request.voucher.code if named and request.voucher is not None else None,
        product_name=product.name if product is not None else brand.receiver.name,
    )


def _entry(record: Record) -> Entry:
    return Entry(
        request_id=record.request_id,
        generation=record.generation,
        reference=record.reference,
        kind=record.kind,
        receiver_id=record.receiver_id or "",
    )


def _institution(named: _Named | None) -> Institution | None:
    return None if named is None else Institution(id=named.id, name=named.name)
