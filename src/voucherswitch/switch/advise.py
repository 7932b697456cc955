"""Advise: confirmations and reversals of provisions, redemptions and refunds (V7-V14, R7-R13, F7-F13, I6-I10, X3-X8).

Acknowledged at once, after the durable write and without waiting for the provider; delivered later by the
store-and-forward sender. Judged by this request's own record, never by what later requests did to the voucher.
"""

from uuid import UUID

from msgspec import Struct

from voucherswitch.config.limits import JUDGEMENTS_MAX
from voucherswitch.journal.records import NO_CHANGE, Advising, Record, VoucherChange
from voucherswitch.message.codes import ErrorType, ReversalReason
from voucherswitch.message.refusals import Detail, Refusal, Refused
from voucherswitch.message.states import AdviceKind, AdviceState, Kind, State, mask
from voucherswitch.providers.contract.capabilities import Capabilities, Support
from voucherswitch.switch.approvals import advice_support
from voucherswitch.switch.deps import Deps
from voucherswitch.switch.exchange import Exchange, Reply
from voucherswitch.switch.lifecycle import (
    DUPLICATE_ADVICE,
    NOTHING_TO_REVERSE,
    STATUS_OPEN,
    Answer,
    Message,
    Move,
    Position,
    judge,
    states_moved_by,
)
from voucherswitch.switch.positions import position
from voucherswitch.switch.vouchers import change_on_confirmation, change_on_reversal

_MESSAGES = {AdviceKind.CONFIRMATION: Message.CONFIRM, AdviceKind.REVERSAL: Message.REVERSE}


class Advice(Struct, frozen=True, kw_only=True):
    """A valid advice as the interface hands it over. `amount_cents` is its final amount; None: the whole."""

    advice_id: UUID
    request_id: UUID
    kind: AdviceKind
    request_kind: Kind
    reason: ReversalReason | None = None
    amount_cents: int | None = None
    currency: str | None = None


async def advise(advice: Advice, exchange: Exchange, deps: Deps) -> Reply:
    """Accept the advice; return the acknowledgement once it is durable.

    Raises:
        Refused: the rule that answers it otherwise, 404 to a reversal of an unknown request included.
        JournalFullError, JournalUnavailableError: nothing was done as far as is known; the originator repeats.
    """
    for _ in range(JUDGEMENTS_MAX):
        if await _accepted_before(advice, exchange, deps):
            return await _acknowledge(exchange, deps, advice.request_id)
        record = await _own_record(advice, exchange, deps)
        place = position(record)
        verdict = judge(advice.request_kind, place, _MESSAGES[advice.kind])
        if isinstance(verdict, Refusal):
            # What made it refusable may be this very advice, accepted between the two looks (I6).
            if await _accepted_before(advice, exchange, deps):
                return await _acknowledge(exchange, deps, advice.request_id)
            if record is None and deps.snapshot.restoration is not None:
                verdict = STATUS_OPEN  # it may be one that the restored journal has forgotten
            raise Refused(verdict, _detail(advice, record))
        if verdict is Answer.KEEP_REVERSAL:
            await _keep_reversal(advice, record, exchange, deps)
        elif record is None:
            raise RuntimeError(f"{verdict} for a request that has no record")
        elif isinstance(verdict, Move):
            _check_amount(advice, record, deps)
            reply = exchange.renderer.echo()
            if await deps.journal.advise(_advising(advice, record, place, verdict, deps), exchange.legs(reply)):
                return reply
        elif verdict is Answer.ACKNOWLEDGE:
            reply = exchange.renderer.echo()
            await deps.journal.note_advice(record, advice.advice_id, advice.kind, exchange.legs(reply))
            return reply
    # Every look found another state: somebody else writes to this record as fast as we read it.
    raise Refused(STATUS_OPEN, Detail(original_id=str(advice.request_id)))


async def _accepted_before(advice: Advice, exchange: Exchange, deps: Deps) -> bool:
    """I6 and I7: the same advice again is acknowledged again; its id for anything else is a duplicate."""
    accepted = await deps.journal.read_advice(advice.advice_id)
    if accepted is None:
        return False
    same = (
        accepted.request_id == advice.request_id
        and accepted.kind is advice.kind
        and accepted.request_kind is advice.request_kind
        and accepted.originator_id == exchange.originator.id
    )
    if not same:
        raise Refused(DUPLICATE_ADVICE, Detail(original_id=str(advice.request_id)))
    return True


async def _acknowledge(exchange: Exchange, deps: Deps, request_id: UUID) -> Reply:
    reply = exchange.renderer.echo()
    await deps.journal.record_legs(request_id, 0, exchange.legs(reply))
    return reply


async def _own_record(advice: Advice, exchange: Exchange, deps: Deps) -> Record | None:
    """I10: a record of another originator or kind is answered like none, and nothing is kept for it."""
    record = await deps.journal.read(advice.request_id)
    if record is None or (record.originator_id == exchange.originator.id and record.kind is advice.request_kind):
        return record
    verdict = judge(advice.request_kind, Position.ABSENT, _MESSAGES[advice.kind])
    refusal = verdict if isinstance(verdict, Refusal) else NOTHING_TO_REVERSE[advice.request_kind]
    raise Refused(refusal, _detail(advice, None))


async def _keep_reversal(advice: Advice, record: Record | None, exchange: Exchange, deps: Deps) -> None:
    """V7, R10, F10, X7: 404 is success for a reversal, and the request is refused if it still comes.

    Returns only when the record changed under us: then the advice is judged again.
    """
    refusal = NOTHING_TO_REVERSE[advice.request_kind]
    generation = 0 if record is None else record.generation
    kept = await deps.journal.keep_reversal(
        advice.request_id, generation, advice.request_kind, exchange.originator.id, advice.advice_id, []
    )
    if kept:
        raise Refused(refusal, _detail(advice, record))


def _advising(advice: Advice, record: Record, place: Position, move: Move, deps: Deps) -> Advising:
    """Everything the acceptance changes, guarded by the states in which the life cycle allows it."""
    can = deps.providers.capabilities.get(record.provider_id or "")
    consumed = advice_support(can, record.kind, advice.kind) is Support.CONSUME
    return Advising(
        request_id=record.request_id,
        generation=record.generation,
        request_kind=record.kind,
        originator_id=record.originator_id,
        advice_id=advice.advice_id,
        kind=advice.kind,
        # Guarded by the very state that was judged: the voucher's change belongs to it.
        from_states=mask(states_moved_by(record.kind, _MESSAGES[advice.kind], move.to) & {record.state}),
        to=move.to,
        state=AdviceState.CONSUMED if consumed else AdviceState.QUEUED,
        provider_id=record.provider_id or "",
        reason=advice.reason,
        amount_cents=advice.amount_cents,
        replaces_own=place is Position.CONFIRMED_UNSENT,
        voucher=_voucher_change(advice, record, can),
    )


def _voucher_change(advice: Advice, record: Record, can: Capabilities | None) -> VoucherChange:
    if advice.kind is AdviceKind.REVERSAL:
        return change_on_reversal(record.kind, record.state)
    if record.fingerprint is None:
        return NO_CHANGE
    # A balance that the provider did not tell is not nothing: it will say no when there is nothing.
    partial = can is not None and can.partial_redeem and record.balance_cents != 0
    return change_on_confirmation(record.kind, balance_left=partial)


def _check_amount(advice: Advice, record: Record, deps: Deps) -> None:
    """X8: a final amount is at most the authorised one, and a part only where the provider has partial advices."""
    if advice.amount_cents is None:
        return
    authorised = record.approved_cents if record.approved_cents is not None else (record.amount_cents or 0)
    whole = advice.amount_cents == (authorised if advice.kind is AdviceKind.CONFIRMATION else 0)
    can = deps.providers.capabilities.get(record.provider_id or "")
    part = can is not None and can.partial_advices and 0 <= advice.amount_cents <= authorised
    same_currency = advice.currency == record.currency
    # A reversal's final amount is what remains: naming the whole authorised amount undoes nothing.
    if not same_currency or not (whole or part):
        raise Refused(AMOUNT_REFUSED, Detail(original_id=str(advice.request_id)))


AMOUNT_REFUSED = Refusal(
    "X8",
    400,
    ErrorType.INVALID_AMOUNT,
    "Invalid amount.",
    "The final amount must be the whole authorised amount; this provider takes no partial advices.",
)


def _detail(advice: Advice, record: Record | None) -> Detail:
    """The ids that the rules of §4.3-4.5 list for refused advices."""
    reversal_id = record.reversal_id if record is not None else None
    if advice.kind is AdviceKind.REVERSAL:
        reversal_id = advice.advice_id if advice.request_kind is not Kind.PROVISION else None
    confirmation_id = record.confirmation_id if record is not None else None
    if record is None or record.state is not State.CONFIRMED:
        confirmation_id = None
    names_voucher = advice.request_kind is Kind.PROVISION or confirmation_id is not None
    return Detail(
        original_id=str(advice.request_id),
        voucher_id=str(advice.request_id) if names_voucher else None,
        reversal_id=None if reversal_id is None else str(reversal_id),
        confirmation_id=None if confirmation_id is None else str(confirmation_id),
    )
