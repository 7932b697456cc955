"""Supabets: who commits a sale when `late_reveal` changes, what an answer does not prove, and what settings cannot make
of it.
"""

import re
from typing import Any

import pytest

from providers.provider_support import (
    R1,
    SETTLED,
    advice_order,
    answer,
    changed,
    is_bad_answer,
    lookup_order,
    status_order,
    voucher_of,
)
from providers.supabets.supabets_support import FIRST_PIN, SAMPLE_ANSWER, Supabets, provision_order
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import Acknowledged, Approved, Declined, OutcomeUnknown, Pending, Refused
from voucherswitch.providers.contract.answers import Rules
from voucherswitch.providers.contract.capabilities import Support
from voucherswitch.providers.contract.families import Family, Meaning
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.supabets import translate

RULES = Rules(re.compile(r"[0-9]{13}"), {}, 30_000)


def reserved(rules: Rules = RULES, *, late_reveal: bool = False, **changes: Any) -> Any:
    found = answer(changed(SAMPLE_ANSWER, **changes), 201)
    return translate.from_reservation(found, provision_order(), rules, late_reveal=late_reveal)


def asked(late_reveal: bool = False, **changes: Any) -> Any:
    found = answer(changed(SAMPLE_ANSWER, **changes))
    return translate.from_status(found, status_order(sent_ms_ago=SETTLED), RULES, late_reveal=late_reveal)


def problem(status: int, code: str) -> HttpAnswer:
    return answer({"type": f"urn:sim:supabets:problem:{code}", "title": "No"}, status)


def mapping(code: str) -> Rules:
    """An operator's `code_map`: this code is a decline."""
    return Rules(RULES.pin_pattern, {code: Meaning(Family.DECLINED, ErrorType.LIMIT_EXCEEDED)}, RULES.settle_ms)


# Who commits


async def approved(supabets: Supabets, *, late_reveal: bool) -> Approved:
    connector = supabets.with_settings(late_reveal=late_reveal)
    outcome = await connector.provision(provision_order(), supabets.call())
    assert isinstance(outcome, Approved)
    return outcome


async def state_of(supabets: Supabets) -> object:
    return (await supabets.state(reference=R1))["state"]


def test_confirmations_are_delivered_with_and_without_late_reveal(supabets: Supabets) -> None:
    for late_reveal in (False, True):
        assert supabets.with_settings(late_reveal=late_reveal).capabilities.confirm is Support.NATIVE


async def test_a_sale_from_before_late_reveal_was_switched_on_is_committed_by_its_confirmation(
    supabets: Supabets,
) -> None:
    sold = await approved(supabets, late_reveal=False)
    assert set(sold.refs) == {"reservedUntil"}
    after = supabets.with_settings(late_reveal=True)
    assert await after.confirm(advice_order(refs=sold.refs), supabets.call()) == Acknowledged()
    assert await state_of(supabets) == "COMMITTED"


@pytest.mark.parametrize("later", [True, False])
async def test_the_confirmation_of_a_sale_that_committed_has_no_message(supabets: Supabets, later: bool) -> None:
    await supabets.late()
    sold = await approved(supabets, late_reveal=True)
    assert sold.refs == {"committed": "yes"}
    heard = await supabets.journal()
    connector = supabets.with_settings(late_reveal=later)
    assert await connector.confirm(advice_order(refs=sold.refs), supabets.call()) == Acknowledged()
    assert await supabets.journal() == heard


async def test_a_late_revealed_sale_whose_outcome_was_unknown_is_committed_again_without_harm(
    supabets: Supabets,
) -> None:
    await supabets.late()
    await approved(supabets, late_reveal=True)
    connector = supabets.with_settings(late_reveal=True)
    assert await connector.confirm(advice_order(), supabets.call()) == Acknowledged()
    assert (await supabets.journal())[-1]["op"] == "confirm"
    assert await state_of(supabets) == "COMMITTED"


async def test_a_late_revealed_sale_whose_commit_was_lost_is_committed_by_its_confirmation(supabets: Supabets) -> None:
    await supabets.late()
    await supabets.fault("drop_before", "confirm", times=1)
    connector = supabets.with_settings(late_reveal=True)
    assert isinstance(await connector.provision(provision_order(), supabets.call()), OutcomeUnknown)
    assert await state_of(supabets) == "RESERVED"
    assert await connector.confirm(advice_order(), supabets.call()) == Acknowledged()
    assert await state_of(supabets) == "COMMITTED"


@pytest.mark.parametrize("state", ["COMMITTED", "SPENT"])
def test_a_replay_or_status_of_a_committed_sale_notes_that_with_late_reveal_only(state: str) -> None:
    for outcome in (reserved(late_reveal=True, state=state), asked(late_reveal=True, state=state)):
        assert outcome.refs == {"committed": "yes"}
    for outcome in (reserved(state=state), asked(state=state)):
        assert outcome.refs == {}


# What an answer must hold


@pytest.mark.parametrize("reference", [FIRST_PIN, f"SB{FIRST_PIN}"])
@pytest.mark.parametrize("late_reveal", [True, False])
def test_a_reference_that_holds_the_pin_is_a_bad_answer(reference: str, late_reveal: bool) -> None:
    changes: list[dict[str, Any]] = [{"providerRef": reference}, {"voucher": {"serial": reference}}]
    for change in changes:
        outcome = reserved(late_reveal=late_reveal, state="COMMITTED", **change)
        assert is_bad_answer(outcome)
        assert FIRST_PIN not in repr(outcome)


def test_a_lookup_whose_serial_is_the_pin_is_a_bad_answer() -> None:
    found = answer({"serial": FIRST_PIN, "value": 10_000, "state": "COMMITTED"})
    assert is_bad_answer(translate.from_lookup(found, lookup_order(voucher_code=FIRST_PIN), RULES))


@pytest.mark.parametrize("expiry", ["soon", "", None, ..., 20290302, ["2029-03-02"], "2029-02-30"])
def test_an_expiry_that_cannot_be_read_costs_nobody_a_pin(expiry: object) -> None:
    voucher = voucher_of(reserved(voucher={"expiry": expiry}))
    assert (voucher.code, voucher.expires_at) == (FIRST_PIN, None)


@pytest.mark.parametrize("expiry", ["2029-03-02", "2029-03-02T23:59:59", "2029-03-02T23:59:59+02:00"])
def test_an_expiry_is_understood_in_every_usual_form(expiry: str) -> None:
    assert voucher_of(reserved(voucher={"expiry": expiry})).expires_at == "2029-03-02T21:59:59.000Z"


@pytest.mark.parametrize("until", ["2026-03-02", "2026-03-02T14:18:16", "soon", 180, None, ...])
def test_the_end_of_a_reservation_is_not_guessed(until: object) -> None:
    assert reserved(reservedUntil=until).refs == {}


@pytest.mark.parametrize("state", ["RELEASED", "EXPIRED"])
@pytest.mark.parametrize("late_reveal", [True, False])
def test_a_dead_reservation_is_never_approved(state: str, late_reveal: bool) -> None:
    declined = Declined(ErrorType.TRANSACTION_DECLINED, provider_message=state)
    assert reserved(late_reveal=late_reveal, state=state) == declined
    assert asked(late_reveal=late_reveal, state=state) == declined
    committed = answer(changed(SAMPLE_ANSWER, state=state))
    assert translate.from_commit(committed, provision_order(), RULES) == declined


@pytest.mark.parametrize("state", ["REJECTED", "VOIDED", "released", ""])
def test_a_state_that_is_none_of_the_protocol_is_never_approved(state: str) -> None:
    for late_reveal in (True, False):
        assert is_bad_answer(reserved(late_reveal=late_reveal, state=state))
        assert is_bad_answer(asked(late_reveal=late_reveal, state=state))


async def test_a_problem_that_quotes_a_pin_does_not_show_it(supabets: Supabets) -> None:
    body = {"type": "urn:x:reservation-conflict", "title": f"Conflict {FIRST_PIN}", "detail": f"has {FIRST_PIN}"}
    await supabets.fault("http", "provision", params={"status": 409, "body": body, "processed": True})
    outcome = await supabets.connector.provision(provision_order(), supabets.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert FIRST_PIN not in repr(outcome)
    assert FIRST_PIN not in repr(supabets.legs)


# What settings cannot change


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "bad-request"), (401, "invalid-token"), (401, "body-hash"), (401, "token-expired"), (401, "jti-reused"),
     (429, "throttled"), (503, "unavailable")],
)  # fmt: skip
def test_code_map_does_not_park_an_advice_that_the_table_keeps_queued(status: int, code: str) -> None:
    found, rules = problem(status, code), mapping(code)
    assert isinstance(translate.from_confirm(found, advice_order(), rules), Pending)
    assert isinstance(translate.from_release(found, advice_order(), rules), Pending)


def test_code_map_does_not_undo_what_the_table_says_of_an_advice() -> None:
    spent, lapsed = problem(409, "voucher-spent"), problem(410, "reservation-expired")
    assert translate.from_confirm(spent, advice_order(), mapping("voucher-spent")) == Acknowledged()
    assert translate.from_release(lapsed, advice_order(), mapping("reservation-expired")) == Acknowledged()


def test_code_map_tells_of_an_advice_where_the_table_says_nothing() -> None:
    found, rules = problem(409, "new-rule"), mapping("new-rule")
    assert isinstance(translate.from_confirm(found, advice_order(), rules), Refused)
    assert isinstance(translate.from_release(found, advice_order(), rules), Refused)


def test_what_code_map_says_of_not_found_is_said_of_lookups_only() -> None:
    found, rules = problem(404, "not-found"), mapping("not-found")
    assert isinstance(translate.from_commit(found, provision_order(), rules), OutcomeUnknown)
    looked_up = translate.from_lookup(found, lookup_order(voucher_code=FIRST_PIN), rules)
    assert looked_up == Declined(ErrorType.LIMIT_EXCEEDED, "not-found", "No")


def test_not_found_is_no_proof_when_the_clock_was_set_back() -> None:
    order = status_order(sent_ms_ago=-1)
    outcome = translate.from_status(problem(404, "not-found"), order, RULES, late_reveal=False)
    assert isinstance(outcome, OutcomeUnknown)
