"""Retry: an originator asks again for a provision whose answer never reached it (T1-T9).

Answers from the record when it knows, asks the provider where its rule allows, and never makes a second voucher.
"""

import asyncio
import time
from typing import Protocol

from voucherswitch.catalogue.snapshot import Restoration
from voucherswitch.config.limits import JUDGEMENTS_MAX, WAIT_PAUSE_MIN_S
from voucherswitch.journal.records import Entry, Record
from voucherswitch.message.codes import ZAR, ErrorType
from voucherswitch.message.orders import ProvisionOrder
from voucherswitch.message.outcomes import Approved, Outcome, OutcomeUnknown
from voucherswitch.message.refusals import RecordedRefusal, Refusal, Refused
from voucherswitch.message.states import OPEN_STATES, Kind, State
from voucherswitch.message.trace import Leg
from voucherswitch.providers.contract.capabilities import Support
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.providers.pool import Place
from voucherswitch.switch.clock import left_ms
from voucherswitch.switch.deadlines import Deadlines, deadlines
from voucherswitch.switch.deps import Deps
from voucherswitch.switch.exchange import Exchange, Reply, Sent
from voucherswitch.switch.forgotten import forgotten_order, only_provider
from voucherswitch.switch.lifecycle import DUPLICATE_ELSEWHERE, Answer, Message, Move, judge
from voucherswitch.switch.positions import position, reversed_detail
from voucherswitch.switch.provision import choose, describe, opening, provision_if_new
from voucherswitch.switch.question import Question, alert_of
from voucherswitch.switch.requests import Provision
from voucherswitch.switch.routing import Plan
from voucherswitch.switch.sending import OUTCOME_OPEN, Timeout, apply, apply_late, ask, finish
from voucherswitch.switch.telling import STILL_UNKNOWN, reply_from_record, unknown
from voucherswitch.switch.waiting import wait_decided


class SameRequest(Protocol):
    """Compares a retry with the request on record; refuses when they differ (T9)."""

    def __call__(self, original: bytes) -> None: ...


async def retry(request: Provision, same: SameRequest, exchange: Exchange, deps: Deps) -> Reply:
    """Give the answer that was lost, or find out what it is.

    Raises:
        Refused: the retry is not of this request, the provision was reversed, or the provider takes no retries; 500
            when the journal fails, because 503 would say of the first request that it was certainly not processed.
        ProviderBusyError: nothing was asked; for the same reason no 503.
    """
    with OUTCOME_OPEN:
        return await _retry(request, same, exchange, deps)


async def _retry(request: Provision, same: SameRequest, exchange: Exchange, deps: Deps) -> Reply:
    # The first request may still be on its way and be written between our look and our own try: then it is looked at.
    for _ in range(JUDGEMENTS_MAX):
        reply = await _judged(request, same, exchange, deps)
        if reply is not None:
            return reply
    raise RuntimeError(f"provision {request.request_id} is neither new nor known")


async def _judged(request: Provision, same: SameRequest, exchange: Exchange, deps: Deps) -> Reply | None:
    """Answer by what the record says now; None: there was none, and there is one since."""
    limits = deadlines(exchange.originator, exchange.received_s, deps.answer_margin_s)
    record = await deps.journal.read(request.request_id)
    if record is not None:
        if record.originator_id != exchange.originator.id or record.kind is not Kind.PROVISION:
            raise Refused(DUPLICATE_ELSEWHERE)  # T8
        if record.has_request and not record.archived:
            same(deps.journal.open_request(record))

    verdict = judge(Kind.PROVISION, position(record), Message.RETRY)
    if isinstance(verdict, Refusal):
        raise Refused(verdict, None if record is None else reversed_detail(record))
    if isinstance(verdict, Move) or record is None:
        gap = deps.snapshot.restoration
        if gap is None:
            return await provision_if_new(request, exchange, deps)  # T1
        return await _ask_forgotten(request, exchange, deps, limits, gap)
    if verdict is Answer.WAIT:
        waited = await wait_decided(deps.journal, request.request_id, limits.answer, while_unknown=False)
        # Still open and nobody asks: the worker died over the call that was waited for.
        if waited is None or waited.state is not State.PENDING or waited.call_running:
            return await _repeat(deps, waited, exchange)
        return await _ask_again(request, waited, exchange, deps, limits)
    if verdict is Answer.REPEAT:
        return await _repeat(deps, record, exchange)
    return await _ask_again(request, record, exchange, deps, limits)


async def _repeat(deps: Deps, record: Record | None, exchange: Exchange) -> Reply:
    if record is None:
        raise RuntimeError("a record that was waited for is gone")
    reply = reply_from_record(deps, record, exchange)
    await deps.journal.record_legs(record.request_id, record.generation, exchange.legs(reply))
    return reply


async def _ask_again(request: Provision, record: Record, exchange: Exchange, deps: Deps, limits: Deadlines) -> Reply:
    """T3 and T4: only the provider can know. Two retries at once: one asks, the other waits for it."""
    provider_id = record.provider_id or ""
    can = deps.providers.capabilities.get(provider_id)
    if can is not None and not can.retry.sends:
        raise Refused(_no_retries(exchange.originator.provision_decline_status))
    sent = _describe(request, record, exchange, deps)
    if deps.gate.shut(provider_id) is not None:
        # Nobody can say now what became of the first message, and 503 would say that nothing did.
        reply = exchange.renderer.refusal(STILL_UNKNOWN)
        await deps.journal.record_legs(record.request_id, record.generation, exchange.legs(reply))
        return reply
    # An emulated retry is a question (B.7): it creates nothing, so "not found" goes on counting from the first call.
    asks_only = can is not None and can.retry is Support.EMULATED
    while True:
        with deps.providers.reserve(provider_id) as place:
            if await deps.journal.claim_call(record, left_ms(limits.call), asks_only=asks_only):
                return await _answer_of(_asking(_order(request, record)), place, sent, deps, limits)
        # Another retry or the resolver is asking. Should that decide nothing, it is our turn.
        waited = await wait_decided(
            deps.journal, request.request_id, limits.answer, while_unknown=True, while_running=True
        )
        if waited is None or waited.state not in OPEN_STATES or time.monotonic() >= limits.answer:
            return await _repeat(deps, waited, exchange)
        record = waited
        await asyncio.sleep(WAIT_PAUSE_MIN_S)


async def _ask_forgotten(
    request: Provision, exchange: Exchange, deps: Deps, limits: Deadlines, gap: Restoration
) -> Reply | None:
    """T1 with a restored journal: the first message may be among what it has forgotten, so the provider is asked (T3).

    It issues now only if it never heard of the first one. None: another retry was faster.
    """
    # Whoever is passed over now may be the one who was asked then: every route counts.
    chosen = choose(request, exchange, deps)
    if isinstance(chosen, Refusal):
        raise Refused(chosen)
    assert isinstance(chosen, Plan)
    candidate = only_provider(chosen, deps)
    if deps.gate.shut(candidate.route.provider_id) is not None:
        raise Refused(STILL_UNKNOWN.refusal)
    with deps.providers.reserve(candidate.route.provider_id) as place:
        entry = await deps.journal.open(opening(request, exchange, chosen, candidate, limits))
        if entry is None:
            return None
        sent = describe(entry, request, exchange, chosen, candidate)
        return await _answer_of(_asking(forgotten_order(request, candidate, gap)), place, sent, deps, limits)


async def _answer_of(question: Question, place: Place, sent: Sent, deps: Deps, limits: Deadlines) -> Reply:
    """Ask, and close the record with what decides it."""
    exchange, entry = sent.exchange, sent.entry
    try:
        outcome = await ask(deps, place, question.send, exchange.trace, limits)
    except Timeout as timeout:
        reply = exchange.renderer.refusal(STILL_UNKNOWN)
        await deps.journal.record_legs(entry.request_id, entry.generation, exchange.legs(reply))
        late = apply_late_retry(deps, sent, question, timeout.call)
        deps.background.start(late, f"late answer of {entry.request_id}")
        return reply
    decided = question.decided(outcome)
    if decided is not None:
        return await finish(deps, sent, decided)
    if not isinstance(outcome, Approved) and outcome.error_type is ErrorType.FUNCTION_NOT_SUPPORTED:
        # Retries are not taken any more, such as after a replay window: nothing was sent, nothing is proved.
        await _undecided(deps, sent, outcome, exchange.trace.take())
        raise Refused(_no_retries(exchange.originator.provision_decline_status))
    return await _still_unknown(deps, sent, outcome)


def _asking(order: ProvisionOrder) -> Question:
    async def send(connector: Connector, call: Call) -> Outcome:
        return await connector.retry(order, call)

    return Question(send)


async def apply_late_retry(deps: Deps, sent: Sent, question: Question, call: asyncio.Task[Outcome]) -> None:
    """As after a provision, except that a retry which never reached the provider decides nothing."""
    outcome = await call
    if question.decided(outcome) is not None:
        await apply_late(deps, sent, call)
        return
    await _undecided(deps, sent, outcome, sent.exchange.trace.take())


async def _still_unknown(deps: Deps, sent: Sent, outcome: Outcome) -> Reply:
    error = unknown(outcome) if isinstance(outcome, OutcomeUnknown) else STILL_UNKNOWN
    reply = sent.exchange.renderer.refusal(RecordedRefusal(error.refusal, error.detail))
    await _undecided(deps, sent, outcome, sent.exchange.legs(reply))
    return reply


async def _undecided(deps: Deps, sent: Sent, outcome: Outcome, legs: list[Leg]) -> None:
    """Give back the right to ask: what came of the question says nothing about the first message."""
    unknown = outcome if isinstance(outcome, OutcomeUnknown) else OutcomeUnknown(alert=alert_of(outcome))
    await apply(deps, sent, unknown, legs)


def _no_retries(status: int) -> Refusal:
    return Refusal(
        rule="T4",
        status=status,
        error_type=ErrorType.FUNCTION_NOT_SUPPORTED,
        message="Provider takes no retries.",
        explanation="The outcome stays unknown and is settled by reconciliation; give the customer the money back.",
    )


def _describe(request: Provision, record: Record, exchange: Exchange, deps: Deps) -> Sent:
    brand = deps.snapshot.voucher_providers.get(record.receiver_id or "")
    product = deps.snapshot.products.get(record.product_id or "")
    if brand is None:
        raise Refused(_no_retries(exchange.originator.provision_decline_status))
    return Sent(
        entry=Entry(
            request_id=record.request_id,
            generation=record.generation,
            reference=record.reference,
            kind=record.kind,
            receiver_id=brand.receiver.id,
        ),
        originator=exchange.originator,
        exchange=exchange,
        provider_id=record.provider_id or "",
        receiver=request.receiver or brand.receiver,
        settlement=request.settlement or brand.settlement,
        amount_cents=record.amount_cents or 0,
        currency=record.currency or ZAR,
        product_name=product.name if product is not None else brand.receiver.name,
    )


def _order(request: Provision, record: Record) -> ProvisionOrder:
    """The request again. How long its last call has been over was read before this one claimed the record."""
    return ProvisionOrder(
        request_id=str(record.request_id),
        amount_cents=record.amount_cents or 0,
        currency=record.currency or ZAR,
        product=record.provider_product or "",
        store=request.store,
        tenders=request.tenders,
        msisdn=request.msisdn,
        voucher_code=request.voucher_code,
        sent_ms_ago=record.age_ms,
        settled_ms_ago=record.settled_ms,
    )
