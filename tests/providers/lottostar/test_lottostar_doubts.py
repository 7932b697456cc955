"""Lottostar: what an answer does not prove, and what settings cannot make of it."""

import re
from typing import Any

import pytest

from providers.lottostar.lottostar_support import CODE, VOUCHER_BODY, provision_order, refusal
from providers.provider_support import (
    SETTLED,
    advice_order,
    answer,
    changed,
    is_bad_answer,
    lookup_order,
    status_order,
    voucher_of,
)
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import Approved, Declined, OutcomeUnknown, Pending, Refused
from voucherswitch.providers.contract.answers import Rules
from voucherswitch.providers.contract.families import Family, Meaning
from voucherswitch.providers.lottostar import translate

RULES = Rules(re.compile(r"[0-9]{14}"), {}, 30_000)


def issued(rules: Rules = RULES, **changes: Any) -> Any:
    return translate.from_issue(answer(changed(VOUCHER_BODY, **changes), 201), provision_order(), rules)


def mapping(code: str) -> Rules:
    """An operator's `code_map`: this code is a decline."""
    return Rules(RULES.pin_pattern, {code: Meaning(Family.DECLINED, ErrorType.LIMIT_EXCEEDED)}, RULES.settle_ms)


@pytest.mark.parametrize("last", [digit for digit in "0123456789" if digit != CODE[-1]])
def test_a_code_with_a_wrong_check_digit_is_a_bad_answer(last: str) -> None:
    assert is_bad_answer(issued(code=CODE[:-1] + last))


def test_a_code_of_another_form_is_held_against_the_pattern_alone() -> None:
    rules = Rules(re.compile(r"[0-9]{10}"), {}, 30_000)
    assert voucher_of(issued(rules, code="1234567890")).code == "1234567890"


@pytest.mark.parametrize("reference", [CODE, f"LSV-{CODE}"])
@pytest.mark.parametrize("name", ["voucherId", "serial"])
def test_a_reference_that_holds_the_code_is_a_bad_answer(name: str, reference: str) -> None:
    changes: dict[str, Any] = {name: reference}
    outcome = issued(**changes)
    assert is_bad_answer(outcome)
    assert CODE not in repr(outcome)


def test_a_lookup_whose_serial_is_the_code_is_a_bad_answer() -> None:
    found = answer({"serial": CODE, "valueCents": 10_000, "status": "ACTIVE"})
    assert is_bad_answer(translate.from_lookup(found, lookup_order(voucher_code=CODE), CODE, RULES))


@pytest.mark.parametrize("expiry", ["soon", "", None, ..., 20290302, ["2029-03-02"], {"day": 2}, "2029-02-30"])
def test_an_expiry_that_cannot_be_read_costs_nobody_a_code(expiry: object) -> None:
    assert (voucher_of(issued(expiresAt=expiry)).code, voucher_of(issued(expiresAt=expiry)).expires_at) == (CODE, None)


@pytest.mark.parametrize("expiry", ["2029-03-02", "2029-03-02T23:59:59", "2029-03-02T23:59:59+02:00"])
def test_an_expiry_is_understood_in_every_usual_form(expiry: str) -> None:
    assert voucher_of(issued(expiresAt=expiry)).expires_at == "2029-03-02T21:59:59.000Z"


@pytest.mark.parametrize("state", ["VOIDED", "EXPIRED"])
def test_a_dead_voucher_is_never_approved(state: str) -> None:
    body = changed(VOUCHER_BODY, status=state)
    declined = Declined(ErrorType.TRANSACTION_DECLINED, provider_message=state)
    for status in (200, 201):
        assert translate.from_issue(answer(body, status), provision_order(), RULES) == declined
        assert translate.from_resend(answer(body, status), provision_order(), RULES) == declined
    assert translate.from_status(answer(body), status_order(sent_ms_ago=SETTLED), RULES) == declined


@pytest.mark.parametrize("state", ["RELEASED", "REJECTED", "BLOCKED", "voided", ""])
def test_a_state_that_is_none_of_the_protocol_is_never_approved(state: str) -> None:
    body = changed(VOUCHER_BODY, status=state)
    assert is_bad_answer(translate.from_resend(answer(body), provision_order(), RULES))
    assert is_bad_answer(translate.from_status(answer(body), status_order(sent_ms_ago=SETTLED), RULES))


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "NONCE_REUSED"), (401, "STALE_TIMESTAMP"), (401, "BAD_SIGNATURE"), (400, "INVALID_REQUEST"),
     (429, "RATE_LIMITED"), (503, "MAINTENANCE")],
)  # fmt: skip
def test_code_map_does_not_park_a_void_that_the_table_keeps_queued(status: int, code: str) -> None:
    assert isinstance(translate.from_void(refusal(status, code), advice_order(), mapping(code)), Pending)


def test_code_map_tells_of_a_void_where_the_table_says_nothing() -> None:
    assert isinstance(translate.from_void(refusal(409, "NEW_RULE"), advice_order(), mapping("NEW_RULE")), Refused)


def test_what_code_map_says_of_not_found_is_said_of_lookups_only() -> None:
    found, rules = refusal(404, "NOT_FOUND"), mapping("NOT_FOUND")
    assert isinstance(translate.from_resend(found, provision_order(), rules), OutcomeUnknown)
    looked_up = translate.from_lookup(found, lookup_order(voucher_code=CODE), CODE, rules)
    assert looked_up == Declined(ErrorType.LIMIT_EXCEEDED, "NOT_FOUND", "No")


def test_not_found_is_no_proof_when_the_clock_was_set_back() -> None:
    found = refusal(404, "NOT_FOUND")
    assert isinstance(translate.from_status(found, status_order(sent_ms_ago=-1), RULES), OutcomeUnknown)


def test_a_redeemed_voucher_was_sold_and_is_worth_nothing_now() -> None:
    outcome = issued(status="REDEEMED")
    assert isinstance(outcome, Approved)
    assert outcome.balance_cents == 0
