"""The journal in words: what a record's state means, what is still owed, what happened in which order. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never
from uuid import UUID

from voucherswitch.cli.amounts import rand
from voucherswitch.cli.output import lasting, when
from voucherswitch.journal.reports import AdviceReport, LegReport, OpenRecord, RecordReport, RefusalReport, Story
from voucherswitch.message.refusals import RecordedRefusal
from voucherswitch.message.states import AdviceKind, AdviceState, Kind, State, VoucherState
from voucherswitch.message.trace import Direction, LegOutcome

DID: Final = {Kind.PROVISION: "issued", Kind.REDEMPTION: "redeemed", Kind.REFUND: "refunded"}
_VOUCHER: Final = {
    VoucherState.CONFIRMED_PROVISIONED: "The voucher can be redeemed.",
    VoucherState.REDEEMED: "The voucher is redeemed; the redemption awaits its confirmation or reversal.",
    VoucherState.CONFIRMED_REDEEMED: "The voucher has been used up; the redemption can be refunded.",
    VoucherState.REFUNDED: "The voucher is refunded; the refund awaits its confirmation or reversal.",
}
_ORIGINATOR_MAY: Final = {
    Kind.PROVISION: "retry or reverse it",
    Kind.REDEMPTION: "look it up or reverse it",
    Kind.REFUND: "reverse it",
}


@dataclass(frozen=True)
class Meaning:
    """What a record's state means. `unresolved`: somebody has to act, and `next` says who."""

    text: str
    unresolved: bool = False
    next: str | None = None


@dataclass(frozen=True)
class Event:
    """One line of a timeline. `leg` is the message exchange behind it, where it is one."""

    at: datetime
    where: str
    text: str
    leg: LegReport | None = None


def meaning(record: RecordReport) -> Meaning:
    """Say what is known of a request, and what will or must happen."""
    value = rand(record.approved_cents) if record.approved_cents is not None else asked(record)
    match record.state:
        case State.PENDING | State.UNKNOWN:
            return open_meaning(record)
        case State.APPROVED:
            if record.answered_status == 201:
                told = "the originator was told so"
            else:
                told = f"but late: the originator was answered {record.answered_status or 'nothing'}"
            text = f"Approved: {record.provider_id} {DID[record.kind]} {value}, {told}."
            return Meaning(text, next="The originator still has to confirm it or reverse it.")
        case State.DECLINED:
            return Meaning(f"Declined: {refusal_text(record.error)}. Nothing was {DID[record.kind]}.")
        case State.CONFIRMED:
            by = "by the switch for its single-message originator" if record.single else "by the originator"
            return Meaning(f"Confirmed {by}: {value} is {DID[record.kind]} and stands.{_voucher(record)}")
        case State.REVERSED if not record.has_request:
            return Meaning(
                f"A reversal came for a {record.kind.name.lower()} that was never received. It is kept: should the "
                "request still come, it is refused."
            )
        case State.REVERSED:
            return Meaning(f"Reversed: the {record.kind.name.lower()} does not stand.{_voucher(record)}")
        case _:
            assert_never(record.state)


def open_meaning(record: RecordReport | OpenRecord) -> Meaning:
    """Say where a request without a known outcome stands."""
    provider, kind = record.provider_id or "the provider", record.kind
    answered = f"was answered {record.answered_status}" if record.answered_status else "has had no answer"
    if record.call_running and record.call_until is not None:
        text = f"In work: {provider} is being asked, its answer may come until {when(record.call_until)}"
        after = "The process that asks lives, and writes what comes of it; if it dies, the record is free for others."
        return Meaning(f"{text}; the originator {answered}. Unresolved so far.", unresolved=True, next=after)
    if record.state is State.PENDING:
        why = f"{provider} was about to be asked and no answer is on record: the process that asked has ended"
    else:
        why = f"{provider} was asked and gave no usable answer"
    text = f"Unresolved: {why}; the originator {answered}. {asked(record)} may be {DID[kind]} or not."
    return Meaning(
        text,
        unresolved=True,
        next=f"The originator is expected to {_ORIGINATOR_MAY[kind]}; {provider} knows it as {record.request_id}.",
    )


def advice_text(advice: AdviceReport, now: datetime) -> str:
    """Say how far the delivery of an advice is."""
    name = f"{advice.kind.name.lower()} {advice.advice_id}"
    provider = advice.provider_id or "no provider"
    match advice.state:
        case AdviceState.QUEUED:
            return f"{name} to {provider}: {_queued(advice, now)}"
        case AdviceState.DELIVERED:
            taken = lasting((advice.finished_at - advice.created_at).total_seconds()) if advice.finished_at else "?"
            return f"{name}: delivered to {provider} after {taken}, {_times(advice.attempts)}"
        case AdviceState.CONSUMED:
            risk = "; money at risk until the provider's file settles it" if at_risk(advice) else ""
            return f"{name}: {provider} takes no such advice, so it is kept and never sent{risk}"
        case AdviceState.PARKED:
            return (
                f"{name}: parked, {provider} {advice.last_error or 'refused it'}; somebody must decide "
                f"(voucherswitch saf show {advice.advice_id})"
            )
        case AdviceState.REPLACED:
            return f"{name}: never sent, a reversal overtook it"
        case AdviceState.REDUNDANT:
            return f"{name}: acknowledged, it changed nothing"
        case AdviceState.DISCARDED:
            return f"{name}: ended by an operator"
        case _:
            assert_never(advice.state)


def at_risk(advice: AdviceReport) -> bool:
    """Whether a provider may hold sold or redeemed what was reversed here, because it takes no reversals."""
    return advice.state is AdviceState.CONSUMED and advice.kind is AdviceKind.REVERSAL


def owed(advices: Sequence[AdviceReport]) -> list[AdviceReport]:
    """What a provider has still to be told."""
    return [advice for advice in advices if advice.state in (AdviceState.QUEUED, AdviceState.PARKED)]


def timeline(story: Story, request_id: UUID) -> list[Event]:
    """Everything that happened to one request, in order."""
    return sorted(_events(story, request_id), key=lambda event: event.at)


def refusal_text(error: RecordedRefusal | None) -> str:
    """A refusal as it was told, with the rule that spoke and the provider's own words."""
    if error is None:
        return "no reason on record"
    refusal, detail = error.refusal, error.detail
    parts = [f"{refusal.error_type} ({refusal.rule}, {refusal.status}): {refusal.message}", refusal.explanation]
    if detail.provider_code or detail.provider_message:
        parts.append(f"provider: {detail.provider_code or ''} {detail.provider_message or ''}".strip())
    return " ".join(part for part in parts if part).rstrip(".")


def asked(record: RecordReport | OpenRecord) -> str:
    """The amount that was asked for; redemptions and refunds may ask for whatever there is."""
    if record.amount_cents == 0 and record.kind is not Kind.PROVISION:
        return "all of it"
    return rand(record.amount_cents)


def summary(record: RecordReport) -> str:
    """Who asked whom for what."""
    product = " of ".join(part for part in (record.product_id, record.receiver_id) if part)
    parts = [
        f"originator {record.originator_id}",
        product,
        asked(record) if record.amount_cents is not None else "",
        f"to {record.provider_id} as {record.provider_product}" if record.provider_id else "",
        f"its reference {record.provider_ref}" if record.provider_ref else "",
        f"serial {record.voucher_serial}" if record.voucher_serial else "",
    ]
    return ", ".join(part for part in parts if part)


def _events(story: Story, request_id: UUID) -> Iterator[Event]:
    for record in story.records:
        if record.request_id == request_id:
            again = f" again, generation {record.generation}" if record.generation else ""
            what = "recorded" if record.has_request else "reversal kept without its request"
            yield Event(record.opened_at, "journal", f"{record.kind.name.lower()} {what}{again}")
            if record.state is not State.PENDING and record.has_request:
                yield Event(record.changed_at, "journal", f"record is {record.state.name}{again}")
    for leg in story.legs:
        if leg.request_id == request_id:
            yield _leg_event(leg)
    for advice in story.advices:
        if advice.request_id == request_id:
            yield from _advice_events(advice)
    for settled in story.resolutions:
        if settled.request_id == request_id:
            what = f"settled as {settled.to_state.name} by {settled.resolved_by}: {settled.reason}"
            yield Event(settled.resolved_at, "operator", f"{what} (evidence: {settled.evidence})")
    for refusal in story.refusals:
        if refusal.request_id == request_id:
            yield Event(refusal.refused_at, "journal", _refused(refusal))


def _leg_event(leg: LegReport) -> Event:
    where = f"{leg.peer} → us" if leg.direction is Direction.INBOUND else f"us → {leg.peer}"
    taken = lasting(leg.duration_us / 1_000_000)
    match leg.outcome:
        case LegOutcome.ANSWERED:
            ending = f"answered {leg.status if leg.status is not None else ''} after {taken}".replace("  ", " ")
        case LegOutcome.NOT_SENT:
            ending = f"not sent, no byte left ({leg.error or 'no reason given'}, {taken})"
        case LegOutcome.NO_ANSWER:
            ending = f"sent, no usable answer ({leg.error or 'no reason given'}, {taken})"
        case _:
            assert_never(leg.outcome)
    about = f" {_short(leg.advice_id)}" if leg.advice_id else ""
    return Event(leg.started_at, where, f"{leg.operation}{about}: {ending}", leg)


def _advice_events(advice: AdviceReport) -> Iterator[Event]:
    name = f"{advice.kind.name.lower()} {_short(advice.advice_id)}"
    match advice.state:
        case AdviceState.REDUNDANT:
            what = "acknowledged, it changes nothing"
        case AdviceState.CONSUMED:
            what = f"accepted and kept, {advice.provider_id} takes no such advice"
        case _:
            by = "by the switch itself" if advice.by_switch else "and acknowledged"
            what = f"accepted {by}, to be delivered to {advice.provider_id}"
    yield Event(advice.created_at, "journal", f"{name} {what}")
    if advice.finished_at is not None and advice.finished_at > advice.created_at:
        yield Event(advice.finished_at, "journal", f"{name} is {advice.state.name} after {_times(advice.attempts)}")


def _refused(refusal: RefusalReport) -> str:
    return f"{refusal.operation} refused, no record was made: {refusal_text(refusal.error)}"


def _queued(advice: AdviceReport, now: datetime) -> str:
    if advice.paused:
        return f"queued; its delivery is paused (voucherswitch saf resume {advice.provider_id})"
    if advice.shut and not advice.being_sent:
        return f"queued; held: {advice.shut}"
    if advice.being_sent:
        return f"is being sent now, {_times(advice.attempts)} so far"
    if advice.held_by_call and advice.not_before is not None:
        return f"waits for the request's own call to end, until {when(advice.not_before)} at most"
    if advice.by_switch and not advice.attempts and advice.next_attempt_at > now:
        return f"held until {when(advice.next_attempt_at)}, so that a reversal can still overtake it"
    if advice.attempts:
        failed = f"not delivered in {_times(advice.attempts)} (last: {advice.last_error or 'no reason given'})"
        return f"{failed}; next attempt {_soon(advice.next_attempt_at, now)}, repeated until it is taken"
    return f"queued, first attempt {_soon(advice.next_attempt_at, now)}"


def _soon(moment: datetime, now: datetime) -> str:
    left_s = (moment - now).total_seconds()
    return f"in {lasting(left_s)}" if left_s > 0 else "due now"


def _short(advice_id: UUID) -> str:
    """Enough to tell the advices of one request apart; the whole id is told beside the timeline."""
    return f"{str(advice_id)[:8]}…"


def _times(count: int) -> str:
    return "1 attempt" if count == 1 else f"{count} attempts"


def _voucher(record: RecordReport) -> str:
    if record.voucher_state is None:
        return ""
    return f" {_VOUCHER[record.voucher_state]}"
