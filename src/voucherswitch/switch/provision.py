"""Provision: turn one accepted request into at most one voucher.

Called by interface/vouchers.py; calls routing, the journal and the providers. It never sends a request twice to a
provider, and asks another one only after the last provably heard nothing.
"""

from collections.abc import Iterator

from voucherswitch.journal.batcher import JournalError
from voucherswitch.journal.records import Entry, Opening
from voucherswitch.message.codes import ZAR
from voucherswitch.message.orders import ProvisionOrder
from voucherswitch.message.outcomes import NotSent, Outcome
from voucherswitch.message.refusals import Refusal, Refused
from voucherswitch.message.states import Kind
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.providers.gate import Shut, Shutting
from voucherswitch.switch.admitting import Way, next_way, not_asked
from voucherswitch.switch.clock import left_ms
from voucherswitch.switch.deadlines import Deadlines, deadlines
from voucherswitch.switch.deps import Deps
from voucherswitch.switch.duplicates import check_id
from voucherswitch.switch.exchange import Exchange, Reply, Sent
from voucherswitch.switch.requests import Provision
from voucherswitch.switch.routing import NEGATIVE_TENDER, Candidate, Plan, Wish, nobody_shut, plan
from voucherswitch.switch.sending import OUTCOME_OPEN, Timeout, apply_late, ask, finish, keep, lose, overtaken
from voucherswitch.switch.telling import STILL_UNKNOWN


async def provision(request: Provision, exchange: Exchange, deps: Deps) -> Reply:
    """Issue the voucher asked for; return the answer once it is durable.

    Raises:
        Refused: a rule of §4.3 or step 7 says no; nothing was recorded.
        JournalFullError, JournalUnavailableError, ProviderBusyError: certainly not processed.
    """
    reply = await provision_if_new(request, exchange, deps)
    if reply is not None:
        return reply
    record = await deps.journal.read(request.request_id)
    check_id(deps, Kind.PROVISION, record, exchange.originator.id, reuse=False)
    raise RuntimeError(f"provision {request.request_id} was not opened, yet its id is free")


async def provision_if_new(request: Provision, exchange: Exchange, deps: Deps) -> Reply | None:
    """The same for one whose id may be known: None, and nothing was recorded or sent, when it has a record already."""
    limits = deadlines(exchange.originator, exchange.received_s, deps.answer_margin_s)
    chosen = choose(request, exchange, deps, deps.gate.shut_to)
    if not isinstance(chosen, Plan):
        # Step 6 comes before step 7: a known id is a duplicate, however badly this copy is routed.
        if await deps.journal.read(request.request_id) is not None:
            return None
        raise Refused(chosen) if isinstance(chosen, Refusal) else not_asked(chosen)

    candidates = iter(chosen.candidates)
    first = await next_way(candidates, deps, limits.call)
    if isinstance(first, Refused) and await deps.journal.read(request.request_id) is not None:
        return None
    if isinstance(first, Exception):
        raise first
    entry = None
    try:
        # Durable, with the provider's name, before a byte leaves: after a crash there is somebody to ask.
        entry = await deps.journal.open(opening(request, exchange, chosen, first.candidate, limits))
    finally:
        if entry is None:
            await first.give_back()
    if entry is None:
        return None

    sent = describe(entry, request, exchange, chosen, first.candidate)
    with OUTCOME_OPEN:
        try:
            outcome = await _try_routes(request, sent, first, candidates, deps, limits)
        except Timeout as timeout:
            try:
                return await lose(deps, sent, STILL_UNKNOWN, call_ended=False)
            finally:
                deps.background.start(apply_late(deps, sent, timeout.call), f"late answer of {request.request_id}")
        if outcome is None:
            return await overtaken(deps, sent)
        return await finish(deps, sent, outcome)


async def _try_routes(
    request: Provision, sent: Sent, way: Way, rest: Iterator[Candidate], deps: Deps, limits: Deadlines
) -> Outcome | None:
    """Ask one provider after the other while each provably heard nothing. None: the record was closed meanwhile."""
    while True:
        order = make_order(request, way.candidate)

        async def send(connector: Connector, call: Call, order: ProvisionOrder = order) -> Outcome:
            return await connector.provision(order, call)

        outcome = await ask(deps, way.place, send, sent.exchange.trace, limits, way.ticket)
        if not isinstance(outcome, NotSent):
            return outcome
        following = await next_way(rest, deps, limits.call)
        if not isinstance(following, Way):
            return outcome
        try:
            if not await _reroute(sent, following, deps):
                return None
        except JournalError as error:
            keep(deps, sent, outcome, sent.exchange.trace.take(), error)  # nobody was asked, nobody will be
            raise
        way = following


async def _reroute(sent: Sent, way: Way, deps: Deps) -> bool:
    """Name the next provider, durably, before it hears anything. False: the record was closed meanwhile."""
    route, amount_cents = way.candidate.route, way.candidate.amount_cents
    named = False
    try:
        named = await deps.journal.reroute(sent.entry, route.provider_id, route.provider_product, amount_cents)
    finally:
        if not named:
            await way.give_back()
    sent.provider_id = route.provider_id
    sent.amount_cents = amount_cents
    return named


def choose(
    request: Provision, exchange: Exchange, deps: Deps, shutting: Shutting = nobody_shut
) -> Plan | Refusal | Shut:
    """Step 7 of the checks: a plan, the refusal, or why nobody is asked now."""
    if any(tender.amount_cents < 0 and tender.type != "ROUNDING" for tender in request.tenders):
        return NEGATIVE_TENDER
    wish = Wish(
        receiver_id=None if request.receiver is None else request.receiver.id,
        product_id=request.product_id,
        amount_cents=request.amount_cents,
        currency=request.currency,
        names_code=request.voucher_code is not None,
        tenders=request.tenders,
    )
    chosen, _ = plan(wish, exchange.originator, deps.snapshot, deps.providers.capabilities, shutting)
    return chosen


def opening(request: Provision, exchange: Exchange, chosen: Plan, candidate: Candidate, limits: Deadlines) -> Opening:
    """The record's first state: PENDING, with everything a resolver needs if we die now."""
    return Opening(
        request_id=request.request_id,
        kind=Kind.PROVISION,
        originator_id=exchange.originator.id,
        single=exchange.originator.single,
        receiver_id=chosen.brand.receiver.id,
        product_id=request.product_id,
        provider_id=candidate.route.provider_id,
        provider_product=candidate.route.provider_product,
        amount_cents=candidate.amount_cents,
        currency=ZAR,
        store=request.store,
        request=request.body,
        call_ms=left_ms(limits.call),
    )


def describe(entry: Entry, request: Provision, exchange: Exchange, chosen: Plan, candidate: Candidate) -> Sent:
    """Everything that closing this entry needs."""
    return Sent(
        entry=entry,
        originator=exchange.originator,
        exchange=exchange,
        provider_id=candidate.route.provider_id,
        receiver=request.receiver or chosen.brand.receiver,
        settlement=request.settlement or chosen.brand.settlement,
        amount_cents=candidate.amount_cents,
        currency=ZAR,
        product_name=chosen.product.name if chosen.product is not None else chosen.brand.receiver.name,
    )


def make_order(request: Provision, candidate: Candidate) -> ProvisionOrder:
    """The request in the words a connector takes."""
    return ProvisionOrder(
        request_id=str(request.request_id),
        amount_cents=candidate.amount_cents,
        currency=ZAR,
        product=candidate.route.provider_product,
        store=request.store,
        tenders=request.tenders,
        msisdn=request.msisdn,
        voucher_code=request.voucher_code,
    )
