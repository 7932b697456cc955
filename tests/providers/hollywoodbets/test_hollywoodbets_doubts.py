"""Hollywoodbets: ages that nobody knows, what an answer does not prove, and what settings cannot make of it."""

import re
from typing import Any

import pytest

from providers.hollywoodbets.hollywoodbets_support import (
    HOUR_MS,
    PIN,
    VOUCHER_BODY,
    WINDOW_MS,
    Hollywoodbets,
    provision_order,
    refusal,
)
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
from voucherswitch.message.outcomes import Acknowledged, Declined, NotSent, OutcomeUnknown, Pending, Refused
from voucherswitch.providers.contract.answers import Rules
from voucherswitch.providers.contract.families import Family, Meaning
from voucherswitch.providers.hollywoodbets import translate

RULES = Rules(re.compile(r"[0-9]{11}"), {}, 30_000)
SETTLE_MS = 30_000
KEPT_MS = 90 * 24 * HOUR_MS


def issued(rules: Rules = RULES, **changes: Any) -> Any:
    return translate.from_issue(answer(changed(VOUCHER_BODY, **changes)), provision_order(), rules)


def mapping(code: str) -> Rules:
    """An operator's `code_map`: this code is a decline."""
    return Rules(RULES.pin_pattern, {code: Meaning(Family.DECLINED, ErrorType.LIMIT_EXCEEDED)}, RULES.settle_ms)


# Ages


@pytest.mark.parametrize("age_ms", [-1, -25 * HOUR_MS, WINDOW_MS, 25 * HOUR_MS])
async def test_a_request_of_unknown_or_old_age_is_asked_about_and_never_posted(
    hollywoodbets: Hollywoodbets, age_ms: int
) -> None:
    """The provider has forgotten the reference, so a second post would be a second sale."""
    sold = await hollywoodbets.connector.provision(provision_order(), hollywoodbets.call())
    await hollywoodbets.advance(25 * HOUR_MS)
    again = await hollywoodbets.connector.retry(provision_order(sent_ms_ago=age_ms), hollywoodbets.call())
    assert voucher_of(again) == voucher_of(sold)
    assert [(leg.request or "").split()[0] for leg in hollywoodbets.legs] == ["POST", "GET"]
    assert await hollywoodbets.vouchers() == 1


@pytest.mark.parametrize(
    ("first_ms", "last_ms", "proved"),
    [
        (WINDOW_MS, SETTLE_MS, True),
        (KEPT_MS - 1, SETTLE_MS, True),
        (WINDOW_MS, SETTLE_MS - 1, False),  # another message may still be on its way in
        (WINDOW_MS, -1, False),
        (-1, SETTLE_MS, False),
        (-1, -1, False),
        (KEPT_MS, SETTLE_MS, False),  # forgotten is not the same as never issued
    ],
)
async def test_a_late_retry_that_finds_nothing_is_proof_only_when_both_ages_are(
    hollywoodbets: Hollywoodbets, first_ms: int, last_ms: int, proved: bool
) -> None:
    order = provision_order(sent_ms_ago=first_ms, settled_ms_ago=last_ms)
    outcome = await hollywoodbets.connector.retry(order, hollywoodbets.call())
    assert isinstance(outcome, NotSent if proved else OutcomeUnknown)
    assert await hollywoodbets.vouchers() == 0


def test_not_known_is_neither_proof_nor_done_when_the_clock_was_set_back() -> None:
    found = refusal("HB40")
    for rules in (RULES, Rules(RULES.pin_pattern, {}, 0)):
        assert isinstance(translate.from_status(found, status_order(sent_ms_ago=-1), rules), OutcomeUnknown)
        assert isinstance(translate.from_block(found, advice_order(sent_ms_ago=-1), rules), Pending)


# What an answer must hold


@pytest.mark.parametrize("last", [digit for digit in "0123456789" if digit != PIN[-1]])
def test_a_pin_with_a_wrong_check_digit_is_a_bad_answer(last: str) -> None:
    assert is_bad_answer(issued(pin=PIN[:-1] + last))


def test_a_pin_of_another_form_is_held_against_the_pattern_alone() -> None:
    rules = Rules(re.compile(r"[0-9]{12}"), {}, 30_000)
    assert voucher_of(issued(rules, pin="123456789012")).code == "123456789012"


@pytest.mark.parametrize(
    "changes",
    [{"voucherId": int(PIN)}, {"voucherId": 10**11 + int(PIN)}, {"serialNumber": PIN}, {"serialNumber": f"S{PIN}"}],
)
def test_a_reference_that_holds_the_pin_is_a_bad_answer(changes: dict[str, Any]) -> None:
    """Also without its leading zeros, which a number does not have."""
    outcome = issued(**changes)
    assert is_bad_answer(outcome)
    assert PIN.lstrip("0") not in repr(outcome)


def test_a_lookup_whose_serial_is_the_pin_is_a_bad_answer() -> None:
    body = {"resultCode": "HB00", "serialNumber": PIN, "faceValue": "100.00", "state": "UNUSED"}
    assert is_bad_answer(translate.from_pin_query(answer(body), lookup_order(voucher_code=PIN), PIN, RULES))


@pytest.mark.parametrize("expiry", ["soon", "", None, ..., 20290302, ["02/03/2029"], "30/02/2029", "2/3/29"])
def test_an_expiry_that_cannot_be_read_costs_nobody_a_pin(expiry: object) -> None:
    voucher = voucher_of(issued(expiryDate=expiry))
    assert (voucher.code, voucher.expires_at) == (PIN, None)


@pytest.mark.parametrize("expiry", ["02/03/2029", "2029-03-02", "2029-03-02T23:59:59", "2029-03-02T21:59:59Z"])
def test_an_expiry_is_understood_in_every_usual_form(expiry: str) -> None:
    assert voucher_of(issued(expiryDate=expiry)).expires_at == "2029-03-02T21:59:59.000Z"


@pytest.mark.parametrize("state", ["BLOCKED", "LAPSED"])
def test_a_dead_voucher_is_never_approved(state: str) -> None:
    found = answer(changed(VOUCHER_BODY, state=state))
    declined = Declined(ErrorType.TRANSACTION_DECLINED, provider_message=state)
    assert translate.from_issue(found, provision_order(), RULES) == declined
    assert translate.from_resend(found, provision_order(), RULES) == declined
    assert translate.from_status(found, status_order(sent_ms_ago=SETTLED), RULES) == declined


@pytest.mark.parametrize("state", ["RELEASED", "REJECTED", "VOIDED", "blocked", ""])
def test_a_state_that_is_none_of_the_protocol_is_never_approved(state: str) -> None:
    found = answer(changed(VOUCHER_BODY, state=state))
    assert is_bad_answer(translate.from_resend(found, provision_order(), RULES))
    assert is_bad_answer(translate.from_status(found, status_order(sent_ms_ago=SETTLED), RULES))


# What settings cannot change


@pytest.mark.parametrize("code", ["HB30", "HB40", "HB50", "HB90", "HB99"])
def test_code_map_does_not_park_a_block_that_the_table_keeps_queued(code: str) -> None:
    assert isinstance(translate.from_block(refusal(code), advice_order(), mapping(code)), Pending)


def test_code_map_does_not_undo_what_the_table_says_of_a_block() -> None:
    settled = advice_order(sent_ms_ago=SETTLE_MS)
    assert translate.from_block(refusal("HB40"), settled, mapping("HB40")) == Acknowledged()
    unknown = Rules(RULES.pin_pattern, {"HB14": Meaning(Family.UNKNOWN, ErrorType.GENERAL_ERROR)}, SETTLE_MS)
    assert isinstance(translate.from_block(refusal("HB14"), settled, unknown), Refused)


def test_code_map_tells_of_a_block_where_the_table_says_nothing() -> None:
    assert isinstance(translate.from_block(refusal("HB77"), advice_order(), mapping("HB77")), Refused)
