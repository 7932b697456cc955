"""Flash where an answer is good for one thing and doubtful for another: a voucher's end, its date, its references."""

import re

import pytest

from providers.flash.flash_support import (
    PIN,
    PURCHASE_ANSWER,
    Flash,
    advice_order,
    coded,
    provision_order,
    purchase_answer,
    redeem_order,
    refund_order,
)
from providers.provider_support import R2, R3, SETTLED, answer, changed, is_bad_answer, voucher_of
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import Acknowledged, Approved, Declined, Outcome, OutcomeUnknown, Pending, Refused
from voucherswitch.providers.contract.answers import Rules
from voucherswitch.providers.contract.families import Family, Meaning
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.flash import translate

RULES = Rules(re.compile(r"[0-9]{16}"), {}, settle_ms=30_000)
SENT_AT = "2026-03-02T12:15:16.000Z"
CHANGE_PIN = "1111222233334445"


def resent(given_answer: HttpAnswer) -> Outcome:
    return translate.from_resent_purchase(given_answer, provision_order(), RULES, SENT_AT)


def redeemed(**change: object) -> Outcome:
    part = {"amount": 6_000, "pin": CHANGE_PIN, "serialNumber": "FS00000002"} | change
    body = {"responseCode": 0, "reference": R2, "amount": 4_000, "transactionId": "9000000002", "voucher": part}
    return translate.from_redemption(answer(body), redeem_order(amount_cents=4_000), RULES)


# What a resend tells of the voucher


@pytest.mark.parametrize(
    "word",
    ["Expired", "Lapsed", "Released", "Voided", "Refunded", "Cancelled", "Blocked", "Reversed", "EXPIRED", "void"],
)
def test_a_replay_of_a_voucher_that_is_over_is_never_approved(word: str) -> None:
    outcome = resent(purchase_answer(voucher={"status": word}))
    if word == "void":  # of no list, so it proves nothing
        assert is_bad_answer(outcome)
    else:
        assert outcome == Declined(ErrorType.TRANSACTION_DECLINED, provider_message=word)


@pytest.mark.parametrize("word", ["Active", "ACTIVE", "Used", "Redeemed", None, ..., ""])
def test_a_replay_of_a_live_voucher_is_the_sale(word: object) -> None:
    outcome = resent(purchase_answer(voucher={"status": word}))
    assert isinstance(outcome, Approved)
    assert voucher_of(outcome).code == PIN


@pytest.mark.parametrize("word", ["Pending", "Suspended", "Inactive", "active?", "Unknown"])
def test_a_replay_in_a_state_that_we_do_not_know_leaves_the_doubt(word: str) -> None:
    assert is_bad_answer(resent(purchase_answer(voucher={"status": word})))


def test_a_dead_voucher_of_another_value_declines_nothing() -> None:
    assert is_bad_answer(resent(purchase_answer(amount=9_999, voucher={"status": "Expired"})))


# A voucher that was paid for is not given up for the form of its date


@pytest.mark.parametrize(
    ("written", "expires_at"),
    [
        ("2029-03-02T23:59:59+02:00", "2029-03-02T21:59:59.000Z"),
        ("2029-03-02T23:59:59", "2029-03-02T21:59:59.000Z"),
        ("2029-03-02", "2029-03-02T21:59:59.000Z"),
        ("2029/03/02 23:59", None),
        ("soon", None),
        ("", None),
        (None, None),
        (20_290_302, None),
        ([["2029-03-02"]], None),
    ],
)
def test_any_form_of_an_expiry_leaves_the_voucher_sold(written: object, expires_at: str | None) -> None:
    sold = translate.from_purchase(purchase_answer(voucher={"expiryDate": written}), provision_order(), RULES, SENT_AT)
    assert (voucher_of(sold).code, voucher_of(sold).expires_at) == (PIN, expires_at)
    change = voucher_of(redeemed(expiryDate=written))
    assert (change.code, change.value_cents, change.expires_at) == (CHANGE_PIN, 6_000, expires_at)


# References are kept in clear


@pytest.mark.parametrize(
    "changes", [{"transactionId": PIN}, {"transactionId": f"T-{PIN}"}, {"voucher": {"serialNumber": PIN}}]
)
def test_a_reference_that_holds_the_pin_is_not_kept(changes: dict[str, object]) -> None:
    given_answer = purchase_answer(**changes)
    for outcome in (translate.from_purchase(given_answer, provision_order(), RULES, SENT_AT), resent(given_answer)):
        assert is_bad_answer(outcome)
        assert PIN not in repr(outcome)
    refund = answer(changed(given_answer.body, reference=R3))
    assert is_bad_answer(translate.from_refund(refund, refund_order(), RULES))


def test_a_redemption_keeps_neither_the_old_nor_the_new_pin() -> None:
    assert is_bad_answer(redeemed(serialNumber=CHANGE_PIN))
    body = {"responseCode": 0, "reference": R2, "amount": 10_000, "transactionId": PIN}
    outcome = translate.from_redemption(answer(body), redeem_order(), RULES)
    assert is_bad_answer(outcome)
    assert PIN not in repr(outcome)


async def test_instructions_that_hold_the_pin_are_not_recorded(flash: Flash) -> None:
    dial = PURCHASE_ANSWER.replace(b"Enter the PIN", b"Dial *130*1111222233334444#")
    assert dial != PURCHASE_ANSWER
    await flash.fault("http", op="provision", params={"status": 200, "body": dial.decode()})
    sold = await flash.provision()
    assert voucher_of(sold).instructions == ("Dial *130*1111222233334444#",)
    assert PIN not in repr(flash.legs)


# The settings' code_map


@pytest.mark.parametrize(("code", "before", "after"), [("7301", Pending, Acknowledged), ("7302", Refused, Refused)])
def test_code_map_turns_no_answer_to_a_reversal_round(code: str, before: type, after: type) -> None:
    mapped = Rules(
        RULES.pin_pattern, {code: Meaning(Family.DECLINED, ErrorType.UNABLE_TO_LOCATE_RECORD)}, RULES.settle_ms
    )
    for sent_ms_ago, expected in ((0, before), (-1, before), (SETTLED, after)):
        order = advice_order(sent_ms_ago=sent_ms_ago)
        reversal = coded(int(code), reference=order.advice_id)
        assert type(translate.from_reversal(reversal, order, mapped)) is expected


def test_code_map_settles_what_the_table_does_not_have() -> None:
    mapped = Rules(RULES.pin_pattern, {"8001": Meaning(Family.DECLINED, ErrorType.TRANSACTION_DECLINED)}, 30_000)
    order = advice_order(sent_ms_ago=0)
    assert isinstance(translate.from_reversal(coded(8001, reference=order.advice_id), order, mapped), Refused)
    assert isinstance(translate.from_reversal(coded(8001, reference=order.advice_id), order, RULES), Pending)


# Time


async def test_a_resend_is_judged_by_the_age_of_the_first_message(flash: Flash) -> None:
    """A call that ended just now does not make the first message any younger."""
    await flash.issued()
    late = provision_order(sent_ms_ago=1_740_000, settled_ms_ago=0)
    turned_back = provision_order(sent_ms_ago=-1, settled_ms_ago=SETTLED)
    for order in (late, turned_back):
        outcome = await flash.connector.retry(order, flash.call())
        assert outcome == OutcomeUnknown(ErrorType.FUNCTION_NOT_SUPPORTED)
    assert await flash.vouchers() == 1
    assert await flash.heard_ops() == ["token", "provision"] or await flash.heard_ops() == ["provision"]
