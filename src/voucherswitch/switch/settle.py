"""Settle: what an operator found out about a request whose outcome nobody knows, from the provider's file or people.

Called by cli/resolve.py. Guarded like every other change, with a record of who did it and on what grounds. A provision
cannot be settled as approved: nobody here has the voucher's code, so it can only be undone, or asked for by a retry.
"""

from enum import Enum
from typing import Final
from uuid import UUID

from voucherswitch.config.limits import RESOLVE_CALL_MS
from voucherswitch.journal.records import Closing, Record, Resolution
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import Approved
from voucherswitch.message.refusals import Detail, RecordedRefusal, Refusal
from voucherswitch.message.states import OPEN_STATES, Kind, State
from voucherswitch.people.approvals.carried import Consent
from voucherswitch.people.audit import Event
from voucherswitch.switch.approvals import approval, undone
from voucherswitch.switch.deps import Deps
from voucherswitch.switch.exchange import Asked
from voucherswitch.switch.resolve import asked_of
from voucherswitch.switch.sending import OPEN
from voucherswitch.switch.telling import make_answer
from voucherswitch.switch.vouchers import change_on_reversal


class Found(Enum):
    """What the operator found out."""

    DECLINED = "declined"  # the provider did nothing, and will not
    APPROVED = "approved"  # a redemption or refund was done, and stands
    REVERSED = "reversed"  # it was done or may have been, and is to be undone


_ENDED_AS: Final[dict[State, tuple[Found, ...]]] = {
    State.PENDING: (),
    State.UNKNOWN: (),
    State.DECLINED: (Found.DECLINED,),
    State.APPROVED: (Found.APPROVED,),
    State.CONFIRMED: (Found.APPROVED,),  # single messaging
    State.REVERSED: (Found.REVERSED,),
}


class SettleError(Exception):
    """It cannot be settled so. The text is one line: why, and what can be done."""


async def settle(request_id: UUID, found: Found, consent: Consent, reason: str, evidence: str, deps: Deps) -> State:
    """Settle the record and return its state.

    Args:
        consent: of whom it is done, and whether somebody else must agree.

    Raises:
        SettleError, PeopleError: nothing was changed.
    """
    record = await deps.journal.read(request_id)
    if record is None or not record.has_request:
        raise SettleError(f"{request_id}: no such request")
    if record.state not in OPEN_STATES:
        if found in _ENDED_AS[record.state] and await deps.journal.settled_as(record) is record.state:
            return record.state
        raise SettleError(f"{request_id} is {record.state.name}: only an unknown outcome is settled by hand")
    asked = asked_of(record, deps)
    if asked is None:
        raise SettleError(f"{request_id}: originator {record.originator_id} or its brand is gone from the catalogue")
    closing = _closing(record, asked, found, deps)
    who = consent.maker.actor
    resolution = Resolution(resolved_by=who.id, from_state=record.state, reason=reason, evidence=evidence)
    event = Event(
        actor=who,
        action="voucher.settle_unknown",
        object_kind="transaction",
        object_id=f"{record.request_id}/{record.generation}",
        reason=reason,
        before={"state": record.state},
        after={"state": closing.to, "evidence": evidence},
    )
    async with deps.journal.pool.acquire() as connection:
        await consent.seen(connection, event)
    if not await deps.journal.claim_call(record, RESOLVE_CALL_MS, asks_only=True):
        raise SettleError(f"{request_id}: the provider is being asked about it now; look again in a minute")
    if not await deps.journal.settle(closing, resolution, lambda connection: consent.record(connection, event)):
        raise SettleError(f"{request_id} was decided meanwhile; see voucherswitch explain {request_id}")
    return closing.to


def _closing(record: Record, asked: Asked, found: Found, deps: Deps) -> Closing:
    match found:
        case Found.REVERSED:
            return undone(deps, Closing(entry=asked.entry, from_states=OPEN, to=State.REVERSED), asked.provider_id)
        case Found.DECLINED:
            status = asked.originator.provision_decline_status if record.kind is Kind.PROVISION else 400
            refusal = Refusal("by hand", status, ErrorType.TRANSACTION_DECLINED, "Declined by provider.")
            return Closing(
                entry=asked.entry,
                from_states=OPEN,
                to=State.DECLINED,
                error=RecordedRefusal(refusal, Detail()),
                voucher=change_on_reversal(record.kind, State.UNKNOWN),
            )
        case Found.APPROVED:
            if record.kind is Kind.PROVISION:
                raise SettleError(
                    f"{record.request_id} is a provision, and nobody here has its voucher's code: let the originator "
                    "retry it, or settle it as reversed"
                )
            if not record.amount_cents:
                raise SettleError(
                    f"{record.request_id} asked for all there was, and nobody knows how much: settle it as reversed"
                )
            outcome = Approved(approved_cents=record.amount_cents)
            return approval(deps, asked, outcome, make_answer(asked, outcome), from_states=OPEN)
