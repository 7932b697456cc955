"""Why a request is where it is: each situation an operator meets, in one sentence."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from voucherswitch.console.rows import Advice, Leg, Transaction
from voucherswitch.console.words import why
from voucherswitch.message.states import AdviceKind, AdviceState, State

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
REQUEST = UUID("0b0c4a5e-6d1f-4a7b-9a53-1d2f3c4b5a69")
ADVICE = UUID("e47b90c3-52d8-4a1f-9c06-0f8d6b3e2a71")


def a_transaction(state: int, **values: Any) -> Transaction:
    """A provision of R150 at the provider karoo."""
    row: dict[str, Any] = dict.fromkeys(Transaction.__struct_fields__)
    row |= {
        "request_id": REQUEST, "generation": 0, "reference": 7, "kind": 1, "state": state, "has_request": True,
        "originator_id": "22222222", "originator_name": "Corner Shop", "single": False, "provider_id": "karoo",
        "amount_cents": 15_000, "currency": "710", "opened_at": NOW, "changed_at": NOW,
    }  # fmt: skip
    return Transaction(**{**row, **values})


def an_advice(state: int, **values: Any) -> Advice:
    """A reversal of the whole, an hour old."""
    row: dict[str, Any] = dict.fromkeys(Advice.__struct_fields__)
    row |= {
        "request_id": REQUEST, "generation": 0, "advice_id": ADVICE, "kind": AdviceKind.REVERSAL, "request_kind": 1,
        "state": state, "by_switch": False, "provider_id": "karoo", "lane": 0, "worth_cents": 15_000,
        "currency": "710", "attempts": 2, "next_attempt_at": NOW, "created_at": NOW - timedelta(hours=1),
    }  # fmt: skip
    return Advice(**{**row, **values})


def said(transaction: Transaction, *advices: Advice, legs: tuple[Leg, ...] = ()) -> str:
    """The explanation on one line."""
    return " ".join(why(transaction, advices, legs, NOW)).replace("\xa0", " ")


@pytest.mark.parametrize(
    ("transaction", "words"),
    [
        (
            a_transaction(State.PENDING, call_until=NOW + timedelta(seconds=40)),
            "karoo was asked and has 40 s left to answer, until 2026-11-23 12:00:40.000 UTC.",
        ),
        (a_transaction(State.PENDING, call_until=NOW), "nobody recorded an outcome"),
        (a_transaction(State.PENDING, call_until=NOW, worker_lives=True), "the process that asked lives"),
        (a_transaction(State.PENDING), "It may have been processed."),
        (a_transaction(State.APPROVED), "Corner Shop has neither confirmed nor reversed it"),
        (a_transaction(State.DECLINED), "nothing was processed and no money moved"),
        (a_transaction(State.UNKNOWN), "karoo was asked and gave no usable answer. It may have been processed"),
        (
            a_transaction(State.UNKNOWN, call_until=NOW + timedelta(seconds=1)),
            "A call to it may still be running, until 2026-11-23 12:00:01.000 UTC.",
        ),
        (a_transaction(State.UNKNOWN, reversal_id=ADVICE), "A reversal is on file"),
        (a_transaction(State.CONFIRMED), "karoo processed it and it stands."),
        (a_transaction(State.REVERSED), "It is undone."),
        (
            a_transaction(State.REVERSED, has_request=False, provider_id=None),
            "Corner Shop sent a reversal before the request it undoes.",
        ),
        (a_transaction(9), "This release does not know state 9."),
    ],
)
def test_each_state_is_explained(transaction: Transaction, words: str) -> None:
    assert words in said(transaction)


@pytest.mark.parametrize(
    ("advice", "words"),
    [
        (
            an_advice(
                AdviceState.QUEUED, attempts=0, kind=1, by_switch=True, next_attempt_at=NOW + timedelta(minutes=1)
            ),
            "The confirmation made by the switch is held until 2026-11-23 12:01:00.000 UTC, then it goes to karoo.",
        ),
        (
            an_advice(AdviceState.QUEUED, attempts=1, last_error="HTTP 503"),
            "not yet acknowledged by karoo: 1 attempt, last: HTTP 503. The next is due now. "
            "Until karoo takes it, R 150.00 may still be spent.",
        ),
        (
            an_advice(AdviceState.DELIVERED, finished_at=NOW),
            "was acknowledged by karoo at 2026-11-23 12:00:00.000 UTC, after 2 attempts.",
        ),
        (
            an_advice(AdviceState.CONSUMED),
            "karoo takes none. There it was not undone: R 150.00 goes to reconciliation.",
        ),
        (
            an_advice(AdviceState.PARKED, request_kind=2),
            "A person must decide. Until karoo takes it, R 150.00 stays taken from the voucher.",
        ),
        (an_advice(AdviceState.CONSUMED, kind=1), "was kept and not sent, because karoo takes none."),
        (an_advice(AdviceState.PARKED, last_error="E404"), "after 2 attempts, last: E404. A person must decide."),
        (an_advice(AdviceState.REPLACED), "was replaced by a reversal before it was sent."),
        (an_advice(AdviceState.REDUNDANT), "was acknowledged and changed nothing."),
        (an_advice(AdviceState.DISCARDED), "was discarded by an operator."),
        (an_advice(42), "is in state 42"),
    ],
)
def test_each_state_of_an_advice_is_explained(advice: Advice, words: str) -> None:
    assert words in said(a_transaction(State.REVERSED), advice)


def test_who_ended_it_and_why_comes_from_the_advice_the_record_names() -> None:
    advice = an_advice(AdviceState.DELIVERED, reason="TIMEOUT")
    other = an_advice(AdviceState.REDUNDANT, advice_id=UUID(int=1))
    words = said(a_transaction(State.REVERSED, reversal_id=ADVICE), other, advice)
    assert "It is undone: Corner Shop reversed it at 2026-11-23 11:00:00.000 UTC (TIMEOUT)." in words
    advice.by_switch = True
    assert "the switch confirmed it" in said(a_transaction(State.CONFIRMED, confirmation_id=ADVICE), advice)


def test_a_provider_that_was_passed_over_is_named_with_the_proof() -> None:
    def a_leg(peer: str, outcome: int, **values: Any) -> Leg:
        row: dict[str, Any] = dict.fromkeys(Leg.__struct_fields__)
        return Leg(**{**row, "peer": peer, "outcome": outcome, "direction": 2, **values})

    legs = (
        a_leg("protea", 2, error="connection refused"),
        a_leg("karoo", 2, advice_id=ADVICE),
        a_leg("karoo", 1),
    )
    words = said(a_transaction(State.CONFIRMED), legs=legs)
    assert words.startswith("protea certainly did not process it (connection refused), so karoo was asked.")
    assert words.count("certainly") == 1, "an advice that was not sent proves nothing about the request"
