"""What one call says about its provider's health: failing, well, or nothing at all."""

from datetime import UTC, datetime

import pytest

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import (
    Acknowledged,
    AdviceResult,
    Approved,
    Declined,
    NotSent,
    Outcome,
    OutcomeUnknown,
    Pending,
    Refused,
)
from voucherswitch.message.trace import Direction, Leg, LegOutcome
from voucherswitch.providers.contract.alerts import BAD_ANSWER, CREDENTIALS_REFUSED
from voucherswitch.providers.verdict import Health, judge, reason_of

DOWN = ErrorType.UPSTREAM_UNAVAILABLE


def a_leg(outcome: LegOutcome, operation: str = "provision", *, status: int | None = None, ours: bool = False) -> Leg:
    return Leg(
        direction=Direction.OUTBOUND,
        peer="one",
        operation=operation,
        started_at=datetime.now(UTC),
        duration_us=1,
        outcome=outcome,
        request="",
        status=status,
        error=None if outcome is LegOutcome.ANSWERED else "why",
        ours=ours,
    )


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (Approved(approved_cents=1), 200),
        (Declined(ErrorType.LIMIT_EXCEEDED), 400),
        (NotSent(ErrorType.ROUTING_ERROR, alert=CREDENTIALS_REFUSED), 401),
        (NotSent(ErrorType.DO_NOT_HONOUR), 200),
        (OutcomeUnknown(ErrorType.VOUCHER_STATUS_UNKNOWN), 202),
        (OutcomeUnknown(ErrorType.DUPLICATE_RECORD), 409),
        (Acknowledged(), 200),
        (Refused(), 400),
        (Pending(cause="not found yet"), 404),
        (Approved(approved_cents=1), None),
    ],
)
def test_an_answer_is_a_sign_of_health_whatever_it_says(result: Outcome | AdviceResult, status: int | None) -> None:
    assert judge(result, [a_leg(LegOutcome.ANSWERED, status=status)], None) is Health.WELL


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (OutcomeUnknown(), 500),
        (OutcomeUnknown(), 429),
        (Pending(cause="503"), 503),
        (NotSent(DOWN), 200),  # in its own words: maintenance
        (OutcomeUnknown(alert=BAD_ANSWER), 200),
        (Pending(cause="unreadable", alert=BAD_ANSWER), 200),
        (OutcomeUnknown(), None),
    ],
)
def test_an_answer_that_serves_nobody_counts_against_the_provider(
    result: Outcome | AdviceResult, status: int | None
) -> None:
    assert judge(result, [a_leg(LegOutcome.ANSWERED, status=status)], None) is Health.FAILING


@pytest.mark.parametrize("operation", ["status", "retry", "lookup"])
def test_not_found_is_an_answer_to_a_question(operation: str) -> None:
    """A connector says UPSTREAM_UNAVAILABLE of a request that its provider does not know: that is no outage."""
    assert judge(NotSent(DOWN, "404"), [a_leg(LegOutcome.ANSWERED, operation, status=404)], None) is Health.WELL


def test_what_we_held_back_says_nothing() -> None:
    assert judge(NotSent(DOWN), [], None) is Health.UNTOLD  # bulkhead, settings, maps
    assert judge(NotSent(DOWN), [a_leg(LegOutcome.NOT_SENT, ours=True)], None) is Health.UNTOLD
    assert judge(Declined(ErrorType.INVALID_AMOUNT), [], None) is Health.UNTOLD  # declined here, never sent


def test_a_provider_that_is_not_reached_is_failing() -> None:
    assert judge(NotSent(DOWN), [a_leg(LegOutcome.NOT_SENT)], None) is Health.FAILING


def test_silence_counts_only_where_the_provider_had_time() -> None:
    """One hasty originator must not have a provider passed over for all others."""
    silence = [a_leg(LegOutcome.NO_ANSWER)]
    assert judge(OutcomeUnknown(), silence, None) is Health.FAILING
    assert judge(OutcomeUnknown(), silence, 60.0) is Health.FAILING
    assert judge(OutcomeUnknown(), silence, 2.0) is Health.UNTOLD
    assert judge(None, silence, 2.0) is Health.UNTOLD


def test_the_last_exchange_of_a_call_decides() -> None:
    """A token that came, and then silence."""
    legs = [a_leg(LegOutcome.ANSWERED, "token", status=200), a_leg(LegOutcome.NO_ANSWER)]
    assert judge(OutcomeUnknown(), legs, None) is Health.FAILING


def test_the_reason_is_the_providers_word_or_the_transports() -> None:
    answered = [a_leg(LegOutcome.ANSWERED, status=503)]
    assert reason_of(OutcomeUnknown(), [a_leg(LegOutcome.NO_ANSWER)]) == "why"
    assert reason_of(NotSent(DOWN, "E9", "closed"), answered) == "E9 closed"
    assert reason_of(OutcomeUnknown(), answered) == "answered 503"
    assert reason_of(Pending(cause="busy"), answered) == "busy"
