"""What a till does about each answer and about silence (interface.md §5.1, §6), against a scripted line."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from voucherswitch.cli import till_messages
from voucherswitch.cli.till_client import Answer, NoAnswer, NotReached, Result
from voucherswitch.cli.till_flows import (
    ADVICES_MAX,
    PROVISION,
    REDEMPTION,
    REFUND,
    TRIES_MAX,
    Approved,
    Declined,
    NotProcessed,
    Operation,
    Outcome,
    Till,
    Undone,
    Unresolved,
)

SILENCE = NoAnswer("no answer within 60 s")
NOBODY = NotReached("Connection refused")


@dataclass
class ScriptedLine:
    """Answers in the order of the script; keeps what was asked."""

    script: list[Result]
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def post(self, path: str, message: dict[str, Any]) -> Result:
        self.asked.append((path, message))
        return self.script.pop(0)

    def get(self, path: str, query: dict[str, str] | None = None) -> Result:
        self.asked.append((path, query or {}))
        return self.script.pop(0)


def answer(status: int, error_type: str = "") -> Answer:
    return Answer(status, json.dumps({"errorType": error_type}).encode() if error_type else b"{}")


def request(operation: Operation, *script: Result) -> tuple[Outcome, ScriptedLine]:
    """Send a request over a scripted line; every answer of the script must be asked for."""
    line = ScriptedLine(list(script))
    outcome = Till(line, lambda _: None, lambda _: None).request(operation, a_provision())
    assert line.script == []
    return outcome, line


def a_provision() -> till_messages.Message:
    return till_messages.provision("22222222", product="MOBI29", receiver=None, amount_cents=None, code=None)


def paths(line: ScriptedLine) -> list[str]:
    return [path for path, _ in line.asked]


def test_201_is_done_with_one_call() -> None:
    outcome, line = request(PROVISION, answer(201))
    assert isinstance(outcome, Approved)
    assert paths(line) == ["/vouchers"]


@pytest.mark.parametrize("status", [400, 401, 404, 405, 413, 415])
def test_a_no_is_final(status: int) -> None:
    """Nothing is repeated and nothing reversed: the switch has said that nothing was done."""
    outcome, line = request(PROVISION, answer(status, "DO_NOT_HONOUR"))
    assert isinstance(outcome, Declined)
    assert len(line.asked) == 1


@pytest.mark.parametrize("nothing", [answer(503, "UPSTREAM_UNAVAILABLE"), NOBODY])
def test_what_was_not_processed_is_tried_again_with_a_new_id(nothing: Result) -> None:
    outcome, line = request(PROVISION, nothing, answer(201))
    assert isinstance(outcome, Approved)
    first, second = (message["id"] for _, message in line.asked)
    assert first != second
    assert outcome.message["id"] == second


def test_what_is_never_processed_is_given_up_without_a_reversal() -> None:
    outcome, line = request(PROVISION, *[NOBODY] * TRIES_MAX)
    assert isinstance(outcome, NotProcessed)
    assert paths(line) == ["/vouchers"] * TRIES_MAX


@pytest.mark.parametrize("unknown", [SILENCE, answer(500, "GENERAL_ERROR"), answer(504, "UPSTREAM_UNAVAILABLE")])
def test_an_unknown_provision_is_retried_with_its_own_id(unknown: Result) -> None:
    """A new id could make a second voucher."""
    outcome, line = request(PROVISION, unknown, answer(201))
    assert isinstance(outcome, Approved)
    (_, sent), (path, again) = line.asked
    assert path == f"/vouchers/{sent['id']}/retry"
    assert again == sent


def test_a_provision_that_stays_unknown_is_reversed() -> None:
    outcome, line = request(PROVISION, SILENCE, answer(504), answer(503), answer(202))
    assert isinstance(outcome, Undone)
    path, reversal = line.asked[-1]
    assert path == "/vouchers/reversals"
    assert (reversal["requestId"], reversal["reversalReason"]) == (outcome.request_id, "TIMEOUT")


def test_a_retry_that_is_declined_ends_it() -> None:
    outcome, _ = request(PROVISION, answer(504), answer(400, "DO_NOT_HONOUR"))
    assert isinstance(outcome, Declined)


def test_where_the_provider_takes_no_retries_it_is_reversed_at_once() -> None:
    """T4 decides nothing about the first message."""
    outcome, line = request(PROVISION, answer(504), answer(400, "FUNCTION_NOT_SUPPORTED"), answer(202))
    assert isinstance(outcome, Undone)
    assert len(line.asked) == 3


def test_404_to_a_reversal_is_success() -> None:
    outcome, _ = request(PROVISION, SILENCE, NOBODY, NOBODY, answer(404, "UNABLE_TO_LOCATE_RECORD"))
    assert isinstance(outcome, Undone)


def test_a_reversal_is_repeated_with_the_same_id_until_it_is_taken() -> None:
    outcome, line = request(REFUND, SILENCE, answer(503), SILENCE, answer(202))
    assert isinstance(outcome, Undone)
    assert len({message["id"] for path, message in line.asked if path == "/refunds/reversals"}) == 1


def test_a_reversal_that_is_never_taken_is_told() -> None:
    outcome, _ = request(REFUND, SILENCE, *[NOBODY] * ADVICES_MAX)
    assert isinstance(outcome, Unresolved)


def test_an_unknown_redemption_is_looked_up() -> None:
    outcome, line = request(REDEMPTION, SILENCE, answer(200))
    assert isinstance(outcome, Approved)
    assert line.asked[1][0] == f"/redemptions/{outcome.message['id']}"


def test_a_redemption_that_had_not_arrived_is_reversed() -> None:
    """After a broken line it may still arrive; the reversal sees to it that it is refused then (R10, R2)."""
    outcome, line = request(REDEMPTION, SILENCE, answer(404), answer(404))
    assert isinstance(outcome, Undone)
    assert line.asked[-1][0] == "/redemptions/reversals"


def test_a_redemption_that_stays_open_is_reversed() -> None:
    outcome, line = request(REDEMPTION, answer(504), answer(504), answer(504), answer(202))
    assert isinstance(outcome, Undone)
    assert line.asked[-1][0] == "/redemptions/reversals"


def test_a_confirmation_is_repeated_until_the_answer_is_no_5xx() -> None:
    line = ScriptedLine([NOBODY, answer(503), SILENCE, answer(202)])
    result = Till(line, lambda _: None, lambda _: None).confirm(PROVISION, "an id", cash_cents=2_900)
    assert isinstance(result, Answer)
    assert result.status == 202
    assert len({message["id"] for _, message in line.asked}) == 1
    assert line.asked[0][1]["tenders"] == [{"amount": {"amount": 2_900, "currency": "710"}, "tenderType": "CASH"}]


def test_a_refused_confirmation_is_not_repeated() -> None:
    line = ScriptedLine([answer(400, "VOUCHER_ALREADY_REVERSED")])
    result = Till(line, lambda _: None, lambda _: None).confirm(REDEMPTION, "an id")
    assert isinstance(result, Answer)
    assert result.status == 400


def test_the_till_waits_as_long_as_the_switch_asks() -> None:
    waited: list[float] = []
    line = ScriptedLine([Answer(503, b"", retry_after_s=2), Answer(201, b"{}")])
    Till(line, lambda _: None, waited.append).request(PROVISION, a_provision())
    assert waited == [2]


def test_an_error_is_told_with_every_violation() -> None:
    body = {
        "errorType": "FORMAT_ERROR",
        "errorMessage": "Bad formatting.",
        "detailMessage": {
            "formatErrors": [{"field": "a", "msg": "a may not be null"}, {"field": "b", "msg": "b is bad"}]
        },
    }
    assert answer_of(body).error == "FORMAT_ERROR: Bad formatting: a may not be null: b is bad"
    assert Answer(502, b"<html>").error == "HTTP 502"


def answer_of(body: dict[str, Any]) -> Answer:
    return Answer(400, json.dumps(body).encode())
