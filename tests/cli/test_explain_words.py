"""The journal in words: what each state means, what is still owed, and what is called unresolved."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from voucherswitch.cli.explain_words import advice_text, meaning, owed, refusal_text, summary, timeline
from voucherswitch.journal.reports import AdviceReport, LegReport, RecordReport, RefusalReport, Story
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.refusals import Detail, RecordedRefusal, Refusal
from voucherswitch.message.states import AdviceKind, AdviceState, Kind, State, VoucherState
from voucherswitch.message.trace import Direction, LegOutcome

REQUEST_ID = UUID("04c6284a-930e-444f-982e-37e931b8daf3")
ADVICE_ID = UUID("261ed2d5-d206-4eef-aa20-97b78acc7a7a")
NOON = datetime(2026, 3, 12, 12, 0, 0, tzinfo=UTC)
DECLINE = RecordedRefusal(
    refusal=Refusal("X6", 400, ErrorType.DO_NOT_HONOUR, "Declined by provider."),
    detail=Detail(provider_code="E117", provider_message="Not today"),
)


def a_record(**changes: Any) -> RecordReport:
    values: dict[str, Any] = {
        "request_id": REQUEST_ID, "generation": 0, "reference": "VSW-000000000007", "kind": Kind.PROVISION,
        "state": State.APPROVED, "has_request": True, "originator_id": "22222222", "single": False,
        "receiver_id": "44444444", "product_id": "MOBI29", "provider_id": "sandbox", "provider_product": "SBXANY",
        "amount_cents": 2_900, "currency": "710", "approved_cents": None, "balance_cents": None,
        "voucher_serial": None, "provider_ref": None, "error": None, "alert": None, "answered_status": None,
        "redemption_id": None, "confirmation_id": None, "reversal_id": None, "opened_at": NOON, "changed_at": NOON,
        "call_until": None, "call_running": False, "voucher_state": None, "archived_in": None,
    }  # fmt: skip
    return RecordReport(**(values | changes))


def an_advice(**changes: Any) -> AdviceReport:
    values: dict[str, Any] = {
        "request_id": REQUEST_ID, "generation": 0, "advice_id": ADVICE_ID, "kind": AdviceKind.CONFIRMATION,
        "request_kind": Kind.PROVISION, "state": AdviceState.QUEUED, "by_switch": False, "originator_id": "22222222",
        "provider_id": "sandbox", "lane": 3, "reason": None, "amount_cents": None, "attempts": 0,
        "next_attempt_at": NOON, "not_before": None, "last_error": None, "created_at": NOON, "finished_at": None,
        "held_by_call": False, "being_sent": False, "paused": False, "shut": None,
    }  # fmt: skip
    return AdviceReport(**(values | changes))


def a_leg(**changes: Any) -> LegReport:
    values: dict[str, Any] = {
        "request_id": REQUEST_ID, "generation": 0, "advice_id": None, "direction": Direction.INBOUND,
        "peer": "22222222", "operation": "provisionVoucher", "started_at": NOON, "duration_us": 5_200,
        "outcome": LegOutcome.ANSWERED, "status": 201, "request": "{}", "response": "{}", "error": None,
    }  # fmt: skip
    return LegReport(**(values | changes))


@pytest.mark.parametrize("state", [State.PENDING, State.UNKNOWN])
def test_an_open_request_whose_call_is_over_is_unresolved(state: State) -> None:
    """Somebody must act, so it is said who: the originator, and whom to ask at the provider."""
    told = meaning(a_record(state=state))
    assert told.unresolved
    assert told.text.startswith("Unresolved: sandbox was")
    assert "R29.00 may be issued or not" in told.text
    assert told.next is not None
    assert "retry or reverse" in told.next
    assert str(REQUEST_ID) in told.next


@pytest.mark.parametrize("state", [State.PENDING, State.UNKNOWN])
def test_while_its_call_may_run_it_is_in_work(state: State) -> None:
    told = meaning(a_record(state=state, call_running=True, call_until=NOON + timedelta(seconds=55)))
    assert told.unresolved, "nobody knows its outcome yet, so it is listed"
    assert told.text.startswith("In work: ")
    assert "2026-03-12 12:00:55.000 UTC" in told.text


@pytest.mark.parametrize(
    ("kind", "may"),
    [
        (Kind.PROVISION, "retry or reverse it"),
        (Kind.REDEMPTION, "look it up or reverse it"),
        (Kind.REFUND, "reverse it"),
    ],
)
def test_what_an_originator_can_do_about_an_unknown_outcome_depends_on_its_kind(kind: Kind, may: str) -> None:
    told = meaning(a_record(kind=kind, state=State.UNKNOWN))
    assert told.next is not None
    assert may in told.next


def test_an_approval_still_needs_its_advice() -> None:
    told = meaning(a_record(approved_cents=2_900, answered_status=201))
    assert told.text == "Approved: sandbox issued R29.00, the originator was told so."
    assert told.next == "The originator still has to confirm it or reverse it."


def test_a_late_approval_says_what_the_originator_knows() -> None:
    assert "but late: the originator was answered 504" in meaning(a_record(answered_status=504)).text


def test_the_end_states() -> None:
    voucher = VoucherState.CONFIRMED_PROVISIONED
    confirmed = meaning(a_record(state=State.CONFIRMED, approved_cents=2_900, voucher_state=voucher)).text
    assert confirmed == "Confirmed by the originator: R29.00 is issued and stands. The voucher can be redeemed."
    assert "by the switch for its single-message" in meaning(a_record(state=State.CONFIRMED, single=True)).text
    assert meaning(a_record(state=State.REVERSED)).text == "Reversed: the provision does not stand."
    assert "should the request still come" in meaning(a_record(state=State.REVERSED, has_request=False)).text
    declined = meaning(a_record(state=State.DECLINED, error=DECLINE)).text
    assert declined == (
        "Declined: DO_NOT_HONOUR (X6, 400): Declined by provider. provider: E117 Not today. Nothing was issued."
    )


def test_every_state_has_words() -> None:
    assert all(meaning(a_record(state=state, kind=kind)).text for state in State for kind in Kind)
    assert all(advice_text(an_advice(state=state), NOON) for state in AdviceState)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "queued, first attempt due now"),
        ({"next_attempt_at": NOON + timedelta(seconds=4)}, "queued, first attempt in 4.0 s"),
        ({"paused": True}, "its delivery is paused (voucherswitch saf resume sandbox)"),
        ({"being_sent": True, "attempts": 2}, "is being sent now, 2 attempts so far"),
        ({"held_by_call": True, "not_before": NOON}, "waits for the request's own call to end"),
        ({"by_switch": True, "next_attempt_at": NOON + timedelta(seconds=75)}, "so that a reversal can still overtake"),
        (
            {"attempts": 3, "last_error": "HTTP 500"},
            "not delivered in 3 attempts (last: HTTP 500); next attempt due now",
        ),
        (
            {"state": AdviceState.PARKED, "last_error": "refused: SBX-409"},
            "somebody must decide (voucherswitch saf show",
        ),
        (
            {"state": AdviceState.DELIVERED, "attempts": 1, "finished_at": NOON + timedelta(seconds=3)},
            "after 3.0 s, 1 att",
        ),
        ({"state": AdviceState.CONSUMED}, "takes no such advice"),
        ({"state": AdviceState.REPLACED}, "a reversal overtook it"),
    ],
)
def test_an_advice_says_how_far_it_is(changes: dict[str, Any], words: str) -> None:
    assert words in advice_text(an_advice(**changes), NOON)


def test_only_what_is_queued_or_parked_is_still_owed() -> None:
    advices = [an_advice(state=state) for state in AdviceState]
    assert [advice.state for advice in owed(advices)] == [AdviceState.QUEUED, AdviceState.PARKED]


def test_a_timeline_is_in_order_and_tells_both_legs() -> None:
    inbound = a_leg(started_at=NOON - timedelta(milliseconds=1))
    outbound = a_leg(
        direction=Direction.OUTBOUND, peer="sandbox", operation="provision",
        started_at=NOON + timedelta(milliseconds=1),
        outcome=LegOutcome.NO_ANSWER, status=None, error="no complete answer in time", duration_us=2_000_000,
    )  # fmt: skip
    advice = an_advice(created_at=NOON + timedelta(seconds=1))
    story = Story(records=[a_record()], advices=[advice], legs=[outbound, inbound], refusals=[], cut=False)
    assert [(event.where, event.text) for event in timeline(story, REQUEST_ID)] == [
        ("22222222 → us", "provisionVoucher: answered 201 after 5.2 ms"),
        ("journal", "provision recorded"),
        ("journal", "record is APPROVED"),
        ("us → sandbox", "provision: sent, no usable answer (no complete answer in time, 2.0 s)"),
        ("journal", "confirmation 261ed2d5… accepted and acknowledged, to be delivered to sandbox"),
    ]


def test_a_refusal_that_made_no_record_is_part_of_the_story() -> None:
    refusal = RefusalReport(
        request_id=REQUEST_ID,
        originator_id="22222222",
        kind=Kind.REDEMPTION,
        operation="redeemVoucher",
        refused_at=NOON,
        error=RecordedRefusal(
            Refusal("R1", 400, ErrorType.VOUCHER_NOT_REDEEMABLE, "Voucher not confirmed.", "Confirm it."), Detail()
        ),
    )
    story = Story(records=[], advices=[], legs=[], refusals=[refusal], cut=False)
    [event] = timeline(story, REQUEST_ID)
    assert event.text == (
        "redeemVoucher refused, no record was made: VOUCHER_NOT_REDEEMABLE (R1, 400): Voucher not confirmed. Confirm it"
    )


def test_a_movement_without_an_amount_asks_for_all() -> None:
    assert "all of it" in summary(a_record(kind=Kind.REDEMPTION, product_id=None, amount_cents=0))
    assert refusal_text(None) == "no reason on record"


def test_an_advice_that_waits_for_its_provider_says_what_for() -> None:
    told = advice_text(an_advice(shut="maintenance until 2026-03-15 23:30:00 UTC: their release"), NOON)
    assert told.endswith("queued; held: maintenance until 2026-03-15 23:30:00 UTC: their release")
