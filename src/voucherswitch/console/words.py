"""States and outcomes in words, and why a request is where it is. Pure: rows in, sentences out.

A number this release does not know becomes "state 9", never an error: the page must open when it is needed most.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final
from uuid import UUID

from voucherswitch.console.formats import duration_text, money, utc
from voucherswitch.console.rows import Advice, Leg, Transaction
from voucherswitch.message.states import AdviceKind, AdviceState, Kind, State, VoucherState
from voucherswitch.message.trace import Direction, LegOutcome

KINDS: Final[dict[int, str]] = {Kind.PROVISION: "Provision", Kind.REDEMPTION: "Redemption", Kind.REFUND: "Refund"}
STATES: Final[dict[int, str]] = {
    State.PENDING: "Pending",
    State.APPROVED: "Approved",
    State.DECLINED: "Declined",
    State.UNKNOWN: "Unknown",
    State.CONFIRMED: "Confirmed",
    State.REVERSED: "Reversed",
}
VOUCHER_STATES: Final[dict[int, str]] = {
    VoucherState.CONFIRMED_PROVISIONED: "Active",
    VoucherState.REDEEMED: "Redeemed, not yet confirmed",
    VoucherState.CONFIRMED_REDEEMED: "Redeemed",
    VoucherState.REFUNDED: "Refunded, not yet confirmed",
}
ADVICE_KINDS: Final[dict[int, str]] = {AdviceKind.CONFIRMATION: "Confirmation", AdviceKind.REVERSAL: "Reversal"}
ADVICE_STATES: Final[dict[int, str]] = {
    AdviceState.QUEUED: "Queued",
    AdviceState.DELIVERED: "Delivered",
    AdviceState.CONSUMED: "Kept, not sent",
    AdviceState.PARKED: "Parked",
    AdviceState.REPLACED: "Replaced",
    AdviceState.REDUNDANT: "Redundant",
    AdviceState.DISCARDED: "Discarded",
}

# What an amount does at the provider while it has not heard of a reversal.
_UNDELIVERED: Final[dict[int, str]] = {
    Kind.PROVISION: "may still be spent",
    Kind.REDEMPTION: "stays taken from the voucher",
    Kind.REFUND: "stays given back to the voucher",
}


def kind_word(kind: int) -> str:
    """ "Provision"."""
    return KINDS.get(kind, f"kind {kind}")


def state_word(state: int) -> str:
    """ "Pending"."""
    return STATES.get(state, f"state {state}")


def voucher_state_word(state: int) -> str:
    """ "Active"."""
    return VOUCHER_STATES.get(state, f"state {state}")


def advice_kind_word(kind: int) -> str:
    """ "Reversal"."""
    return ADVICE_KINDS.get(kind, f"advice {kind}")


def advice_state_word(state: int) -> str:
    """ "Queued"."""
    return ADVICE_STATES.get(state, f"state {state}")


def leg_result(leg: Leg) -> str:
    """How an exchange ended: "answered 200", "not sent", "no answer"."""
    match leg.outcome:
        case LegOutcome.ANSWERED:
            return "answered" if leg.status is None else f"answered {leg.status}"
        case LegOutcome.NOT_SENT:
            return "not sent"
        case LegOutcome.NO_ANSWER:
            return "no answer" if leg.status is None else f"no usable answer, {leg.status}"
        case _:
            return f"outcome {leg.outcome}"


def why(transaction: Transaction, advices: Sequence[Advice], legs: Sequence[Leg], now: datetime) -> list[str]:
    """Say what happened, what comes next and who may hold the money. `advices` and `legs` are this generation's."""
    sentences = [*_passed_over(legs), *_state(transaction, advices, now)]
    sentences += [advice_sentence(advice, now) for advice in advices]
    if transaction.state in (State.PENDING, State.UNKNOWN) and transaction.reversal_id is not None:
        sentences.append("A reversal is on file: it ends reversed, whatever the provider answers.")
    return sentences


def _passed_over(legs: Sequence[Leg]) -> list[str]:
    """Providers that provably processed nothing, so that another was asked."""
    # An advice that was not sent says nothing about the request.
    asked = [leg for leg in legs if leg.direction == Direction.OUTBOUND and leg.advice_id is None]
    return [
        f"{leg.peer} certainly did not process it ({leg.error or 'not sent'}), so {following.peer} was asked."
        for leg, following in pairwise(asked)
        if leg.outcome == LegOutcome.NOT_SENT and following.peer != leg.peer
    ]


def _state(t: Transaction, advices: Sequence[Advice], now: datetime) -> list[str]:
    provider = t.provider_id or "the provider"
    asker = t.originator_name or t.originator_id
    match t.state:
        case State.PENDING if t.call_until is not None and t.call_until > now:
            left = duration_text(t.call_until - now)
            return [f"{provider} was asked and has {left} left to answer, until {utc(t.call_until)}."]
        case State.PENDING if t.call_until is not None and t.worker_lives:
            return [
                f"{provider} was asked and its time is over; the process that asked lives and has not written yet what "
                "came of it."
            ]
        case State.PENDING:
            return [
                f"{provider} was asked, the call is over, and nobody recorded an outcome: the process that made it has "
                "probably stopped. It may have been processed.",
                _settles(asker),
            ]
        case State.APPROVED:
            return [
                f"{provider} approved it. {asker} has neither confirmed nor reversed it, so whether the customer has "
                "left with it is not known here. Nothing expires by itself."
            ]
        case State.DECLINED:
            return [f"Declined: nothing was processed and no money moved. {asker} was told so."]
        case State.UNKNOWN:
            running = t.call_until is not None and t.call_until > now
            asking = (
                f" A call to it may still be running, until {utc(t.call_until)}." if running and t.call_until else ""
            )
            return [
                f"{provider} was asked and gave no usable answer. It may have been processed, so it is not sent to "
                f"anybody else.{asking}",
                _settles(asker),
            ]
        case State.CONFIRMED:
            return [f"{provider} processed it and it stands{_advised(t, advices, t.confirmation_id, 'confirmed')}."]
        case State.REVERSED if not t.has_request:
            return [f"{asker} sent a reversal before the request it undoes. If that request comes late, it is refused."]
        case State.REVERSED:
            return [f"It is undone{_advised(t, advices, t.reversal_id, 'reversed')}."]
        case _:
            return [f"This release does not know state {t.state}."]


def _advised(t: Transaction, advices: Sequence[Advice], advice_id: UUID | None, verb: str) -> str:
    """Who ended it and when, from the advice that the record names: ", Till 7 reversed it at … (TIMEOUT)"."""
    for advice in advices:
        if advice.advice_id == advice_id:
            who = "the switch" if advice.by_switch else t.originator_name or t.originator_id
            reason = f" ({advice.reason})" if advice.reason else ""
            return f": {who} {verb} it at {utc(advice.created_at)}{reason}"
    return ""


def _settles(asker: str) -> str:
    return f"A retry, a lookup or a reversal from {asker} settles it; else the provider's file does."


def advice_sentence(advice: Advice, now: datetime) -> str:
    """What became of one confirmation or reversal, and what comes next."""
    provider = advice.provider_id or "no provider"
    what = f"The {advice_kind_word(advice.kind).lower()}" + (" made by the switch" if advice.by_switch else "")
    attempts = f"{advice.attempts} attempt{'' if advice.attempts == 1 else 's'}"
    finished = "" if advice.finished_at is None else f" at {utc(advice.finished_at)}"
    last = f", last: {advice.last_error}" if advice.last_error else ""
    reversal = advice.kind == AdviceKind.REVERSAL
    amount = money(advice.worth_cents, advice.currency)
    risk = f" Until {provider} takes it, {amount} {_UNDELIVERED.get(advice.request_kind, 'stays')}." if reversal else ""
    match advice.state:
        case AdviceState.QUEUED if advice.attempts == 0 and advice.next_attempt_at > now + timedelta(seconds=1):
            return f"{what} is held until {utc(advice.next_attempt_at)}, then it goes to {provider}.{risk}"
        case AdviceState.QUEUED:
            due = "now" if advice.next_attempt_at <= now else f"at {utc(advice.next_attempt_at)}"
            return f"{what} is not yet acknowledged by {provider}: {attempts}{last}. The next is due {due}.{risk}"
        case AdviceState.DELIVERED:
            return f"{what} was acknowledged by {provider}{finished}, after {attempts}."
        case AdviceState.CONSUMED:
            left = f" There it was not undone: {amount} goes to reconciliation." if reversal else ""
            return f"{what} was kept and not sent, because {provider} takes none.{left}"
        case AdviceState.PARKED:
            return f"{what} was parked{finished} after {attempts}{last}. A person must decide.{risk}"
        case AdviceState.REPLACED:
            return f"{what} was replaced by a reversal before it was sent."
        case AdviceState.REDUNDANT:
            return f"{what} was acknowledged and changed nothing."
        case AdviceState.DISCARDED:
            return f"{what} was discarded by an operator{finished}.{risk}"
        case _:
            return f"{what} is in state {advice.state}, which this release does not know."
