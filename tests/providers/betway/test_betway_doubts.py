"""Betway: what an answer does not prove, and what settings cannot make of it."""

import re
from typing import Any

import pytest

from providers.betway.betway_support import FIRST_PIN, SAMPLE_FULFILLED, Betway, provision_order
from providers.provider_support import (
    SAMPLE_TIME,
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
from voucherswitch.message.outcomes import Declined, NotSent, OutcomeUnknown, Pending, Refused
from voucherswitch.providers.betway import translate
from voucherswitch.providers.contract.answers import Rules
from voucherswitch.providers.contract.families import Family, Meaning
from voucherswitch.providers.contract.transport.http import HttpAnswer

NOW_S = 1_772_453_716  # SAMPLE_TIME
RULES = Rules(re.compile(r"[0-9]{10}"), {}, 30_000)


def accepted(sample: str = SAMPLE_FULFILLED, **changes: Any) -> Any:
    return translate.from_accepted(answer(changed(sample, **changes)), provision_order(), RULES)


def polled(sample: str = SAMPLE_FULFILLED, **changes: Any) -> Any:
    return translate.from_poll(answer(changed(sample, **changes)), provision_order(), RULES)


def asked(sample: str = SAMPLE_FULFILLED, **changes: Any) -> Any:
    return translate.from_status(answer(changed(sample, **changes)), status_order(sent_ms_ago=SETTLED), RULES)


def refusal(status: int, code: str) -> HttpAnswer:
    return answer({"error": {"code": code, "message": "No"}}, status)


def mapping(code: str) -> Rules:
    """An operator's `code_map`: this code is a decline."""
    return Rules(RULES.pin_pattern, {code: Meaning(Family.DECLINED, ErrorType.LIMIT_EXCEEDED)}, RULES.settle_ms)


# What an answer must hold


@pytest.mark.parametrize("reference", [FIRST_PIN, f"BW-{FIRST_PIN}"])
def test_a_reference_that_holds_the_pin_is_a_bad_answer(reference: str) -> None:
    changes: list[dict[str, Any]] = [{"orderId": reference}, {"voucher": {"serial": reference}}]
    for change in changes:
        for read in (accepted, polled, asked):
            outcome = read(**change)
            assert is_bad_answer(outcome)
            assert FIRST_PIN not in repr(outcome)


def test_a_lookup_whose_serial_is_the_pin_is_a_bad_answer() -> None:
    found = answer({"serial": FIRST_PIN, "amount": {"currency": "ZAR", "minor": 10_000}, "state": "ACTIVE"})
    assert is_bad_answer(translate.from_lookup(found, lookup_order(voucher_code=FIRST_PIN), RULES))


@pytest.mark.parametrize("expiry", ["soon", "", None, ..., 20290302, ["2029-03-02"], "2029-02-30"])
def test_an_expiry_that_cannot_be_read_costs_nobody_a_pin(expiry: object) -> None:
    for read in (accepted, polled, asked):
        voucher = voucher_of(read(voucher={"expiresOn": expiry}))
        assert (voucher.code, voucher.expires_at) == (FIRST_PIN, None)


@pytest.mark.parametrize("expiry", ["2029-03-02", "2029-03-02T23:59:59", "2029-03-02T23:59:59+02:00"])
def test_an_expiry_is_understood_in_every_usual_form(expiry: str) -> None:
    assert voucher_of(accepted(voucher={"expiresOn": expiry})).expires_at == "2029-03-02T21:59:59.000Z"


def test_a_cancelled_order_is_never_approved() -> None:
    declined = Declined(ErrorType.TRANSACTION_DECLINED, provider_message="CANCELLED")
    for read in (accepted, polled, asked):
        assert read(state="CANCELLED") == declined


@pytest.mark.parametrize("reason", ["RISK_REVIEW", "UPSTREAM_DOWN", "FULFILLED", None, ...])
def test_a_rejected_order_is_never_approved_whatever_else_it_holds(reason: object) -> None:
    for read in (accepted, polled, asked):
        assert isinstance(read(state="REJECTED", reason=reason), Declined | NotSent)


@pytest.mark.parametrize("state", ["RELEASED", "EXPIRED", "USED", "cancelled", "fulfilled", ""])
def test_a_state_that_is_none_of_the_protocol_is_never_approved(state: str) -> None:
    for read in (accepted, polled, asked):
        assert is_bad_answer(read(state=state))


async def test_an_error_that_quotes_a_pin_does_not_show_it(betway: Betway) -> None:
    body = {"error": {"code": "EXTERNAL_ID_CONFLICT", "message": f"has {FIRST_PIN}"}}
    await betway.fault("http", "provision", params={"status": 409, "body": body, "processed": True})
    outcome = await betway.connector.provision(provision_order(), betway.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert FIRST_PIN not in repr(outcome)
    assert FIRST_PIN not in repr(betway.legs)


# What settings cannot change


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "BAD_REQUEST"), (401, "TOKEN_INVALID"), (403, "IP_NOT_ALLOWED"), (429, "THROTTLED"),
     (503, "SERVICE_CLOSED")],
)  # fmt: skip
def test_code_map_does_not_park_an_advice_that_the_table_keeps_queued(status: int, code: str) -> None:
    found, rules = refusal(status, code), mapping(code)
    assert isinstance(translate.from_acknowledge(found, advice_order(), rules), Pending)
    assert isinstance(translate.from_cancel(found, advice_order(), rules), Pending)


def test_code_map_does_not_undo_what_the_table_says_of_an_advice() -> None:
    early = refusal(409, "NOT_FULFILLED")
    assert isinstance(translate.from_acknowledge(early, advice_order(), mapping("NOT_FULFILLED")), Pending)
    waits = Rules(RULES.pin_pattern, {"VOUCHER_USED": Meaning(Family.UNKNOWN, ErrorType.GENERAL_ERROR)}, 30_000)
    assert isinstance(translate.from_cancel(refusal(409, "VOUCHER_USED"), advice_order(), waits), Refused)


def test_code_map_tells_of_an_advice_where_the_table_says_nothing() -> None:
    found, rules = refusal(409, "NEW_RULE"), mapping("NEW_RULE")
    assert isinstance(translate.from_acknowledge(found, advice_order(), rules), Refused)
    assert isinstance(translate.from_cancel(found, advice_order(), rules), Refused)


@pytest.mark.parametrize("code", ["ORDER_UNKNOWN", "VOUCHER_UNKNOWN"])
def test_what_code_map_says_of_not_found_is_said_of_lookups_only(code: str) -> None:
    found, rules = refusal(404, code), mapping(code)
    assert isinstance(translate.from_refused(found, provision_order(), rules), OutcomeUnknown)
    looked_up = translate.from_lookup(found, lookup_order(voucher_code=FIRST_PIN), rules)
    assert looked_up == Declined(ErrorType.LIMIT_EXCEEDED, code, "No")


# Ages


def test_an_order_is_never_from_the_future() -> None:
    """The clock was set back: nobody knows when the first message left."""
    tender = translate.tender_of(provision_order())
    assert tender is not None
    body = translate.order_body(provision_order(sent_ms_ago=-3_600_000), tender, "S001", NOW_S)
    assert SAMPLE_TIME.encode() in body


def test_not_found_is_no_proof_when_the_clock_was_set_back() -> None:
    found = refusal(404, "ORDER_UNKNOWN")
    assert isinstance(translate.from_status(found, status_order(sent_ms_ago=-1), RULES), OutcomeUnknown)
