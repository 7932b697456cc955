"""Lookups: what became of a redemption, and what a voucher is worth. Information only, no financial effect.

Called by interface/vouchers.py and interface/redemptions.py.
"""

from uuid import UUID

from msgspec import Struct

from voucherswitch.journal.records import Record
from voucherswitch.message.codes import ZAR, ErrorType
from voucherswitch.message.orders import LookupOrder
from voucherswitch.message.outcomes import Approved, Declined, NotSent, Outcome, OutcomeUnknown
from voucherswitch.message.parties import Institution, Voucher
from voucherswitch.message.refusals import Detail, RecordedRefusal, Refusal, Refused
from voucherswitch.message.states import Kind, State
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.switch.admitting import refuse_shut
from voucherswitch.switch.deadlines import Deadlines, deadlines
from voucherswitch.switch.deps import Deps
from voucherswitch.switch.exchange import Exchange, Reply
from voucherswitch.switch.movements import NOT_ENABLED, brand_of
from voucherswitch.switch.routing import refuse
from voucherswitch.switch.sending import Timeout, ask
from voucherswitch.switch.telling import REVERSED_MEANWHILE, recorded_answer, reply_from_record
from voucherswitch.switch.vouchers import SEVERAL_RECEIVERS
from voucherswitch.switch.waiting import wait_decided

NOT_FOUND = Refusal("L2", 404, ErrorType.UNABLE_TO_LOCATE_RECORD, "No such voucher.", "It is not known.")
FORBIDDEN = Refusal("K4", 403, ErrorType.AUTHENTICATION_ERROR, "Not yours.")
NEVER_RECEIVED = Refusal("K5", 404, ErrorType.UNABLE_TO_LOCATE_RECORD, "Never received.")


async def lookup_redemption(request_id: UUID, exchange: Exchange, deps: Deps) -> Reply:
    """K1-K5: the redemption's own answer again, or what keeps it from having one.

    Raises:
        Refused: never received, another's, or still open when the answer is due.
    """
    if not exchange.originator.redemption:
        raise Refused(NOT_ENABLED)
    limits = deadlines(exchange.originator, exchange.received_s, deps.answer_margin_s)
    record = await deps.journal.read(request_id)
    if record is not None and record.originator_id == exchange.originator.id and record.kind is Kind.REDEMPTION:
        record = await wait_decided(deps.journal, request_id, limits.answer, while_unknown=True)
    if record is None or record.kind is not Kind.REDEMPTION or not record.has_request:
        refused = await deps.journal.last_refusal(request_id, exchange.originator.id, Kind.REDEMPTION)
        if refused is not None:
            return await _reply(deps, exchange, request_id, 0, exchange.renderer.refusal(refused))
        if record is not None and record.originator_id != exchange.originator.id:
            raise Refused(FORBIDDEN)
        if record is None and deps.snapshot.restoration is not None:
            raise Refused(_still_open(exchange))  # it may be one that the restored journal has forgotten
        raise Refused(NEVER_RECEIVED)
    if record.originator_id != exchange.originator.id:
        raise Refused(FORBIDDEN)
    return await _reply(deps, exchange, request_id, record.generation, await _decided(record, exchange, deps))


def _still_open(exchange: Exchange) -> Refusal:
    return Refusal(
        rule="K3",
        status=exchange.originator.lookup_pending_status,
        error_type=ErrorType.VOUCHER_STATUS_UNKNOWN,
        message="Outcome not known yet.",
        explanation="Ask again or reverse it.",
    )


async def _decided(record: Record, exchange: Exchange, deps: Deps) -> Reply:
    if record.archived:
        raise Refused(NEVER_RECEIVED)  # what was answered then is not kept any more
    if record.state in (State.PENDING, State.UNKNOWN):
        raise Refused(_still_open(exchange))
    if record.state is State.REVERSED:
        if record.answered_status == 201 and record.sealed_answer is not None:
            return exchange.renderer.recorded(deps.journal.open_request(record), recorded_answer(deps, record))
        reversal_id = None if record.reversal_id is None else str(record.reversal_id)
        detail = Detail(original_id=reversal_id, reversal_id=reversal_id)
        return exchange.renderer.refusal(RecordedRefusal(REVERSED_MEANWHILE[Kind.REDEMPTION], detail))
    return reply_from_record(deps, record, exchange)


async def _reply(deps: Deps, exchange: Exchange, request_id: UUID, generation: int, reply: Reply) -> Reply:
    await deps.journal.record_legs(request_id, generation, exchange.legs(reply))
    return reply


class VoucherQuery(Struct, frozen=True, kw_only=True):
    """By which of its three names a voucher is looked up, and whose it may be."""

    voucher_code: str | None = None
    provision_id: UUID | None = None
    serial_number: str | None = None
    receiver_id: str | None = None


class FoundVoucher(Struct, frozen=True, kw_only=True):
    """What a lookup tells. `code` only if the originator sent it."""

    voucher: Voucher | None
    code: str | None
    receiver: Institution
    settlement: Institution
    value_cents: int | None
    currency: str
    product_id: str | None
    product_name: str | None
    provider_ref: str | None


class _Target(Struct, kw_only=True):
    """Where to ask: the provider, and what our own record knows."""

    provider_id: str
    receiver_id: str
    record: Record | None = None
    fingerprint: bytes | None = None


async def lookup_voucher(query: VoucherQuery, exchange: Exchange, deps: Deps) -> FoundVoucher:
    """L1-L4: ask the provider, or answer from the record where the provider has no lookup.

    Raises:
        Refused: not found, not the originator's to see, or the provider does not answer.
        ProviderBusyError: the provider was not asked.
    """
    if not exchange.originator.redemption:
        raise Refused(NOT_ENABLED)
    limits = deadlines(exchange.originator, exchange.received_s, deps.answer_margin_s)
    target = await _target(query, exchange, deps)
    if not exchange.originator.entitled(target.receiver_id):
        raise Refused(NOT_FOUND)
    can = deps.providers.capabilities.get(target.provider_id)
    if can is None or not can.lookup.sends:
        found = _from_record(query, target, deps)
    else:
        refuse_shut(deps, target.provider_id)
        if target.fingerprint is not None:
            # So that the provider knows what we acknowledged; a lookup does not fail if it cannot be told.
            await deps.express.deliver(target.fingerprint, limits.answer)
        found = await _from_provider(query, target, exchange, deps, limits)
    if exchange.originator.lookup_before_redemption and target.fingerprint is not None:
        await deps.journal.note_lookup(target.fingerprint, target.receiver_id, exchange.originator.id)
    return found


async def _target(query: VoucherQuery, exchange: Exchange, deps: Deps) -> _Target:
    if query.provision_id is not None:
        record = await deps.journal.read(query.provision_id)
        if record is None or record.kind is not Kind.PROVISION or record.originator_id != exchange.originator.id:
            raise Refused(NOT_FOUND)
        if record.provider_id is None or record.receiver_id is None or record.fingerprint is None:
            raise Refused(NOT_FOUND)
        if not _names(query, record, deps):
            raise Refused(NOT_FOUND)  # the keys are of different vouchers: no voucher has them all
        return _Target(
            provider_id=record.provider_id,
            receiver_id=record.receiver_id,
            record=record,
            fingerprint=record.fingerprint,
        )
    if query.voucher_code is not None:
        records = await deps.journal.provisions_of_code(query.voucher_code)
    else:
        records = await deps.journal.provisions_of_serial(query.serial_number or "")
    known = [
        record
        for record in records
        if (query.receiver_id is None or record.receiver_id == query.receiver_id)
        and _names(query, record, deps)
        and exchange.originator.entitled(record.receiver_id or "")
    ]
    if len({record.receiver_id for record in known}) > 1:
        raise Refused(SEVERAL_RECEIVERS)
    if known:
        record = known[-1]  # the newest provision of a code that was issued again
        return _Target(
            provider_id=record.provider_id or "",
            receiver_id=record.receiver_id or "",
            record=record,
            fingerprint=record.fingerprint,
        )
    return _routed(query, deps)


def _names(query: VoucherQuery, record: Record, deps: Deps) -> bool:
    """Whether every key that was given is this voucher's."""
    by_code = query.voucher_code is None or record.fingerprint == deps.journal.vault.fingerprint(query.voucher_code)
    return by_code and query.serial_number in (None, record.voucher_serial)


def _routed(query: VoucherQuery, deps: Deps) -> _Target:
    """A voucher that was not sold here: only its receiver's route can tell whom to ask."""
    if query.receiver_id is None:
        raise Refused(NOT_FOUND)
    for (receiver_id, _), routes in deps.snapshot.routes.items():
        if receiver_id == query.receiver_id:
            for route in routes:
                if route.enabled and route.provider_id in deps.providers.capabilities:
                    code = query.voucher_code
                    fingerprint = None if code is None else deps.journal.vault.fingerprint(code)
                    return _Target(provider_id=route.provider_id, receiver_id=receiver_id, fingerprint=fingerprint)
    raise Refused(NOT_FOUND)


async def _from_provider(
    query: VoucherQuery, target: _Target, exchange: Exchange, deps: Deps, limits: Deadlines
) -> FoundVoucher:
    order = LookupOrder(
        voucher_code=query.voucher_code or _code_sold(target.record, deps),
        serial_number=query.serial_number,
        provision_id=None if query.provision_id is None else str(query.provision_id),
        refs=target.record.refs if target.record is not None else {},
    )

    async def send(connector: Connector, call: Call) -> Outcome:
        return await connector.lookup(order, call)

    try:
        with deps.providers.reserve(target.provider_id) as place:
            outcome = await ask(deps, place, send, exchange.trace, limits)
    except Timeout as timeout:
        timeout.call.cancel()
        raise Refused(NO_ANSWER) from None
    match outcome:
        case Approved():
            shown = outcome.voucher.serial_number if outcome.voucher is not None else None
            if query.serial_number is not None and shown not in (None, query.serial_number):
                raise Refused(NOT_FOUND)
            return _found(query, target, deps, outcome.voucher, outcome.approved_cents, outcome.provider_ref)
        case Declined(error_type=ErrorType.INVALID_VOUCHER | ErrorType.UNABLE_TO_LOCATE_RECORD):
            raise Refused(NOT_FOUND, _provider_detail(outcome))
        case Declined():
            raise Refused(Refusal("L4", 400, outcome.error_type, "Declined by provider."), _provider_detail(outcome))
        case NotSent():
            raise Refused(
                Refusal("L4", 503, ErrorType.UPSTREAM_UNAVAILABLE, "Provider not reached."), _provider_detail(outcome)
            )
        case OutcomeUnknown():
            raise Refused(NO_ANSWER, _provider_detail(outcome))


def _code_sold(record: Record | None, deps: Deps) -> str | None:
    """The code of a voucher that we sold: most providers find a voucher by nothing else. It is never told on."""
    if record is None or record.sealed_answer is None:
        return None
    voucher = recorded_answer(deps, record).voucher
    return None if voucher is None else voucher.code


NO_ANSWER = Refusal("L4", 504, ErrorType.UPSTREAM_UNAVAILABLE, "No answer from provider in time.")


def _provider_detail(outcome: Declined | NotSent | OutcomeUnknown) -> Detail:
    return Detail(provider_code=outcome.provider_code, provider_message=outcome.provider_message)


def _from_record(query: VoucherQuery, target: _Target, deps: Deps) -> FoundVoucher:
    """L3: what we sold, as we sold it; the present value only the provider would know."""
    record = target.record
    if record is None or record.sealed_answer is None:
        raise Refused(
            refuse(400, ErrorType.FUNCTION_NOT_SUPPORTED, "Not supported.", "The provider has no voucher lookup.")
        )
    return _found(query, target, deps, None, None, record.provider_ref)


def _found(
    query: VoucherQuery,
    target: _Target,
    deps: Deps,
    voucher: Voucher | None,
    value_cents: int | None,
    provider_ref: str | None,
) -> FoundVoucher:
    brand = brand_of(deps, target.receiver_id)
    if voucher is None and target.record is not None and target.record.sealed_answer is not None:
        # The provider shows no code to who did not send one; serial number and expiry we know ourselves.
        voucher = recorded_answer(deps, target.record).voucher
    product = deps.snapshot.products.get(target.record.product_id or "") if target.record is not None else None
    return FoundVoucher(
        voucher=voucher,
        code=query.voucher_code,
        receiver=brand.receiver,
        settlement=brand.settlement,
        value_cents=value_cents,
        currency=ZAR,
        product_id=None if product is None else product.id,
        product_name=None if product is None else product.name,
        provider_ref=provider_ref,
    )
