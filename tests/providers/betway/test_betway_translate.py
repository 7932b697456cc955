"""Betway messages in and out, against the samples of providers.md 10.3, the table of 10.4 and the checks of B.4."""

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.betway.betway_support import (
    CASH,
    EXPIRES_AT,
    FIRST_ORDER,
    FIRST_PIN,
    FIRST_SERIAL,
    SAMPLE_BODY,
    SAMPLE_FULFILLED,
    SAMPLE_NOW_S,
    SAMPLE_PENDING,
    provision_order,
)
from providers.provider_support import (
    A1,
    R1,
    R2,
    SETTLED,
    advice_order,
    answer,
    changed,
    is_bad_answer,
    lookup_order,
    status_order,
)
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import AdviceOrder, ProviderProduct
from voucherswitch.message.outcomes import (
    Acknowledged,
    Approved,
    Declined,
    NotSent,
    OutcomeUnknown,
    Pending,
    Refused,
)
from voucherswitch.message.parties import Tender, Voucher
from voucherswitch.providers.betway import translate
from voucherswitch.providers.betway.messages import TenderPart
from voucherswitch.providers.contract.answers import Rules
from voucherswitch.providers.contract.families import Family, Meaning
from voucherswitch.providers.contract.transport.http import HttpAnswer

RULES = Rules(re.compile(r"[0-9]{10}"), {}, settle_ms=30_000)
VOUCHER = Voucher(code=FIRST_PIN, serial_number=FIRST_SERIAL, expires_at=EXPIRES_AT)
APPROVED = Approved(
    approved_cents=10_000,
    balance_cents=10_000,
    voucher=VOUCHER,
    provider_ref=FIRST_ORDER,
    refs={"orderId": FIRST_ORDER, "serial": FIRST_SERIAL},
)
UNDECIDED = OutcomeUnknown(ErrorType.VOUCHER_STATUS_UNKNOWN, provider_message="PENDING")
CANCELLED = '{"externalId":"5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13","state":"CANCELLED","known":true}'
VALIDATED = (
    '{"serial":"BWS000000001","amount":{"currency":"ZAR","minor":10000},"expiresOn":"2029-03-02","state":"ACTIVE"}'
)

# The table of 10.4, HTTP + code -> order, acknowledge, cancel; None is a dash.
TABLE: dict[tuple[int, str], tuple[Any, Any, Any]] = {
    (400, "BAD_REQUEST"): (("NotSent", "GENERAL_ERROR"), "PENDING + alert", "PENDING + alert"),
    (401, "TOKEN_INVALID"): (("NotSent", "ROUTING_ERROR"), "PENDING + alert", "PENDING + alert"),
    (403, "IP_NOT_ALLOWED"): (("NotSent", "ROUTING_ERROR"), "PENDING + alert", "PENDING + alert"),
    (404, "ORDER_UNKNOWN"): (None, "REFUSED", None),
    (404, "VOUCHER_UNKNOWN"): (None, None, None),
    (409, "EXTERNAL_ID_CONFLICT"): (("OutcomeUnknown", "DUPLICATE_RECORD"), None, None),
    (409, "EXTERNAL_ID_CANCELLED"): (("Declined", "TRANSACTION_DECLINED"), "REFUSED", None),
    (409, "NOT_FULFILLED"): (None, "PENDING", None),
    (409, "VOUCHER_USED"): (None, None, "REFUSED"),
    (409, "REVERSAL_WINDOW_CLOSED"): (None, None, "REFUSED"),
    (409, "ALREADY_ACKNOWLEDGED"): (None, None, "REFUSED"),
    (422, "TENDER_MISSING"): (("Declined", "TRANSACTION_DECLINED"), None, None),
    (429, "THROTTLED"): (("NotSent", "UPSTREAM_UNAVAILABLE"), "PENDING", "PENDING"),
    (503, "SERVICE_CLOSED"): (("NotSent", "UPSTREAM_UNAVAILABLE"), "PENDING", "PENDING"),
}
REASONS = {
    "SKU_UNKNOWN": ("NotSent", "ROUTING_ERROR"),
    "OUTLET_BLOCKED": ("NotSent", "ROUTING_ERROR"),
    "AMOUNT_RANGE": ("Declined", "INVALID_AMOUNT"),
    "CREDIT_EXHAUSTED": ("NotSent", "DO_NOT_HONOUR"),
    "UPSTREAM_DOWN": ("NotSent", "UPSTREAM_UNAVAILABLE"),
    "ANYTHING_ELSE": ("Declined", "TRANSACTION_DECLINED"),
}
UNKNOWN = ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE")
ALERTS = dict.fromkeys(("TOKEN_INVALID", "IP_NOT_ALLOWED"), "credentials_refused") | {"BAD_REQUEST": "message_refused"}
CARD = Tender("DEBIT_CARD", 6_000, "710", "CARD-1")


def refusal(status: int, code: str, message: str = "No") -> HttpAnswer:
    return answer({"error": {"code": code, "message": message}}, status)


def accepted(status: int, body: object) -> Any:
    return translate.from_accepted(answer(body, status), provision_order(), RULES)


def polled(status: int, body: object) -> Any:
    return translate.from_poll(answer(body, status), provision_order(), RULES)


def asked(status: int, body: object, sent_ms_ago: int = SETTLED) -> Any:
    return translate.from_status(answer(body, status), status_order(sent_ms_ago=sent_ms_ago), RULES)


# Orders -> bodies


def test_an_order_is_the_samples_bytes() -> None:
    order = provision_order()
    tender = translate.tender_of(order)
    assert tender is not None
    body = translate.order_body(order, tender, "S001", SAMPLE_NOW_S)
    assert body.decode() == SAMPLE_BODY
    assert len(body) == 254


def test_a_resend_tells_the_time_of_the_first_message() -> None:
    order = provision_order(sent_ms_ago=90_000)
    tender = translate.tender_of(order)
    assert tender is not None
    assert translate.order_body(order, tender, "S001", SAMPLE_NOW_S + 90).decode() == SAMPLE_BODY


def test_the_line_break_is_never_put_into_a_value() -> None:
    order = provision_order(tenders=(Tender("CASH", 10_000, "710", 'a","tender":"b'),))
    tender = translate.tender_of(order)
    assert tender is not None
    body = msgspec.json.decode(translate.order_body(order, tender, 'x","tender":', 0))
    assert (body["outlet"], body["tender"]["reference"]) == ('x","tender":', 'a","tender":"b')


@pytest.mark.parametrize(
    ("tenders", "expected"),
    [
        ((CASH,), TenderPart("SLIP-000123", "CASH", 10_000)),
        ((CARD, Tender("CASH", 4_500, "710", "S")), TenderPart("CARD-1", "DEBIT_CARD", 10_500)),
        ((Tender("CASH", 10_002, "710", "S"), Tender("ROUNDING", -2, "710")), TenderPart("S", "CASH", 10_000)),
        ((Tender("CASH", 10_000, "710"),), TenderPart(R1, "CASH", 10_000)),
        ((Tender("CASH", 10_000, "710", ""),), TenderPart(R1, "CASH", 10_000)),
        ((Tender("CARD", 9_000, "840", "USD"), CASH), TenderPart("SLIP-000123", "CASH", 10_000)),
        ((), None),
        ((Tender("CASH", 9_999, "710", "S"),), None),
        ((Tender("CASH", 10_000, "840", "S"),), None),
        ((Tender("CASH", 5_000, "710", "S"), Tender("CASH", 5_000, "840", "S")), None),
    ],
)  # fmt: skip
def test_the_first_tender_names_the_payment_and_the_sum_is_of_all(
    tenders: tuple[Tender, ...], expected: TenderPart | None
) -> None:
    assert translate.tender_of(provision_order(tenders=tenders)) == expected


def test_advices_carry_their_id_and_a_reversal_its_reason() -> None:
    assert translate.acknowledge_body(advice_order()) == b'{"adviceId":"%s"}' % A1.encode()
    assert translate.cancel_body(advice_order()) == b'{"adviceId":"%s","reason":"TIMEOUT"}' % A1.encode()
    assert b'"reason":"CANCELLED"' in translate.cancel_body(AdviceOrder(advice_id=A1, request_id=R1))
    assert translate.validate_body(FIRST_PIN) == b'{"pin":"5550001001"}'


# Where an order is


@pytest.mark.parametrize("status", [200, 201, 202])
def test_the_samples_voucher_is_an_approval(status: int) -> None:
    assert accepted(status, SAMPLE_FULFILLED) == APPROVED
    assert polled(200, SAMPLE_FULFILLED) == APPROVED
    assert asked(200, SAMPLE_FULFILLED) == msgspec.structs.replace(APPROVED, voucher_state="FULFILLED")


def test_the_samples_pending_order_is_waited_for() -> None:
    waiting = translate.Waiting(FIRST_ORDER, 500)
    assert accepted(202, SAMPLE_PENDING) == waiting == polled(200, SAMPLE_PENDING)
    assert asked(200, SAMPLE_PENDING) == UNDECIDED
    for poll_after_ms in (0, 60_000, -5, None, 10**30):
        found = accepted(202, changed(SAMPLE_PENDING, pollAfterMs=poll_after_ms))
        assert found == translate.Waiting(FIRST_ORDER, poll_after_ms or 0)
    assert is_bad_answer(accepted(202, changed(SAMPLE_PENDING, pollAfterMs="soon")))


@pytest.mark.parametrize("order_id", [..., None, "", "a b", "../../x y", "x" * 41, "\x00"])
def test_a_pending_order_without_a_usable_id_is_a_bad_answer(order_id: object) -> None:
    assert is_bad_answer(accepted(202, changed(SAMPLE_PENDING, orderId=order_id)))


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_of_a_rejected_order(reason: str) -> None:
    """Also for a question and a resend: it is the stored outcome of that order, not of the message that asked."""
    body = changed(SAMPLE_PENDING, state="REJECTED", reason=reason)
    for outcome in (accepted(202, body), polled(200, body), asked(200, body)):
        assert (type(outcome).__name__, outcome.error_type.value) == REASONS[reason]
        assert (outcome.provider_code, outcome.provider_message) == (reason, "REJECTED")
        assert getattr(outcome, "alert", None) == ("float_exhausted" if reason == "CREDIT_EXHAUSTED" else None)


def test_a_rejection_without_a_reason_is_still_one() -> None:
    for reason in (..., None, "", FIRST_PIN):
        outcome = accepted(202, changed(SAMPLE_PENDING, state="REJECTED", reason=reason))
        assert isinstance(outcome, Declined)
        assert FIRST_PIN not in repr(outcome)


def test_a_cancelled_order_is_declined() -> None:
    declined = Declined(ErrorType.TRANSACTION_DECLINED, provider_message="CANCELLED")
    body = changed(SAMPLE_FULFILLED, state="CANCELLED")
    assert accepted(200, body) == polled(200, body) == asked(200, body) == declined


UNREADABLE = [
    b"",
    b"{",
    b"[]",
    b"{}",
    b"null",
    b"\xff",
    b"<xml/>",
    b'{"externalId":' + b"[" * 50_000,
    SAMPLE_FULFILLED.encode()[:100],
    SAMPLE_FULFILLED.encode()[:150] + b"\x00<<",
    changed(SAMPLE_FULFILLED, externalId=...),
    changed(SAMPLE_FULFILLED, externalId=7),
    changed(SAMPLE_FULFILLED, state=...),
    changed(SAMPLE_FULFILLED, voucher=FIRST_PIN),
    changed(SAMPLE_FULFILLED, acknowledged="no"),
    changed(SAMPLE_FULFILLED, voucher={"amount": {"minor": "10000"}}),
    changed(SAMPLE_FULFILLED, voucher={"amount": {"minor": 10_000.5}}),
    changed(SAMPLE_FULFILLED, voucher={"amount": {"minor": True}}),
    changed(SAMPLE_FULFILLED, voucher={"amount": {"minor": ...}}),
    changed(SAMPLE_FULFILLED, voucher={"amount": ...}),
    changed(SAMPLE_FULFILLED, voucher={"pin": 5_550_001_001}),
    changed(SAMPLE_FULFILLED, voucher={"serial": ...}),
]
WRONG = [
    changed(SAMPLE_FULFILLED, externalId=R2),
    changed(SAMPLE_FULFILLED, externalId=R1.upper()),
    changed(SAMPLE_FULFILLED, state="SOLD"),
    changed(SAMPLE_FULFILLED, state="fulfilled"),
    changed(SAMPLE_FULFILLED, voucher=...),
    changed(SAMPLE_FULFILLED, voucher=None),
    changed(SAMPLE_FULFILLED, voucher={"amount": {"minor": 10_001}}),
    changed(SAMPLE_FULFILLED, voucher={"amount": {"minor": 9_999}}),
    changed(SAMPLE_FULFILLED, voucher={"amount": {"minor": 10**30}}),
    changed(SAMPLE_FULFILLED, voucher={"amount": {"currency": "USD"}}),
    changed(SAMPLE_FULFILLED, voucher={"pin": ...}),
    changed(SAMPLE_FULFILLED, voucher={"pin": None}),
    changed(SAMPLE_FULFILLED, voucher={"pin": ""}),
    changed(SAMPLE_FULFILLED, voucher={"pin": "#550001001"}),
    changed(SAMPLE_FULFILLED, voucher={"pin": "5550001001\n"}),
    changed(SAMPLE_FULFILLED, voucher={"pin": "555000100"}),
]


@pytest.mark.parametrize("body", UNREADABLE + WRONG)
def test_a_success_that_proves_nothing_is_unknown_and_alerts(body: bytes) -> None:
    for outcome in (accepted(201, body), accepted(200, body), asked(200, body)):
        assert is_bad_answer(outcome)
        assert FIRST_PIN not in repr(outcome)


def test_a_poll_that_cannot_be_read_is_asked_again_and_a_wrong_order_is_not() -> None:
    for body in UNREADABLE:
        found = polled(200, body)
        assert isinstance(found, translate.NoWord)
        assert is_bad_answer(found.outcome)
    for body in WRONG:
        assert is_bad_answer(polled(200, body))


@pytest.mark.parametrize(("status", "code"), [*TABLE, (500, ""), (302, ""), (404, "ORDER_UNKNOWN")])
def test_no_refusal_of_a_poll_says_anything_of_the_order(status: int, code: str) -> None:
    found = polled(status, refusal(status, code).body)
    assert isinstance(found, translate.NoWord)
    assert found.outcome.error_type is ErrorType.UPSTREAM_UNAVAILABLE
    assert found.outcome.alert == ALERTS.get(code)


# Refusals: the table


@pytest.mark.parametrize(("status", "code"), list(TABLE))
def test_every_line_of_the_table_for_an_order(status: int, code: str) -> None:
    outcome = translate.from_refused(refusal(status, code), provision_order(), RULES)
    assert (type(outcome).__name__, outcome.error_type.value) == (TABLE[status, code][0] or UNKNOWN)
    assert (outcome.provider_code, outcome.provider_message) == (code, "No")
    assert getattr(outcome, "alert", None) == ALERTS.get(code)


@pytest.mark.parametrize(("status", "code"), list(TABLE))
def test_every_line_of_the_table_for_a_lookup(status: int, code: str) -> None:
    outcome = translate.from_lookup(refusal(status, code), lookup_order(voucher_code=FIRST_PIN), RULES)
    assert isinstance(outcome, Declined | NotSent | OutcomeUnknown)
    expected = TABLE[status, code][0] or UNKNOWN
    if code == "VOUCHER_UNKNOWN":
        expected = ("Declined", "INVALID_VOUCHER")
    elif status in (429, 503):
        expected = UNKNOWN  # "not processed" is said of an order only
    assert (type(outcome).__name__, outcome.error_type.value) == expected


@pytest.mark.parametrize("column", [1, 2], ids=["acknowledge", "cancel"])
@pytest.mark.parametrize(("status", "code"), list(TABLE))
def test_every_line_of_the_table_for_an_advice(status: int, code: str, column: int) -> None:
    read = translate.from_acknowledge if column == 1 else translate.from_cancel
    result = read(refusal(status, code), advice_order(), RULES)
    match TABLE[status, code][column]:
        case "REFUSED":
            assert result == Refused(code, "No")
        case "PENDING + alert":
            assert result == Pending(f"{code} No", ALERTS[code])
        case _:
            assert result == Pending(f"{code} No")


@pytest.mark.parametrize(("status", "code"), list(TABLE))
def test_a_refused_question_proves_nothing(status: int, code: str) -> None:
    outcome = asked(status, refusal(status, code).body)
    if code == "ORDER_UNKNOWN":
        assert outcome == NotSent(ErrorType.UPSTREAM_UNAVAILABLE, code, "No")
    else:
        assert isinstance(outcome, OutcomeUnknown)
        assert outcome.error_type is ErrorType.UPSTREAM_UNAVAILABLE


@pytest.mark.parametrize(("sent_ms_ago", "kind"), [(0, OutcomeUnknown), (29_999, OutcomeUnknown), (30_000, NotSent)])
def test_not_found_is_proof_once_it_is_settled(sent_ms_ago: int, kind: type) -> None:
    assert isinstance(asked(404, refusal(404, "ORDER_UNKNOWN").body, sent_ms_ago), kind)


@pytest.mark.parametrize("status", [204, 301, 302, 307, 400, 402, 404, 405, 409, 418, 422, 500, 502, 503, 504, 599])
def test_an_unlisted_answer_is_unknown_and_keeps_an_advice(status: int) -> None:
    for body in ("", "<html>", {}, {"error": 7}, {"error": {"code": 7}}, {"error": {"code": "ELSE"}}, SAMPLE_FULFILLED):
        found = answer(body, status)
        assert isinstance(translate.from_refused(found, provision_order(), RULES), OutcomeUnknown)
        assert isinstance(asked(status, body), OutcomeUnknown)
        assert isinstance(translate.from_acknowledge(found, advice_order(), RULES), Pending)
        assert isinstance(translate.from_cancel(found, advice_order(), RULES), Pending)


def test_a_503_proves_something_only_with_its_code_and_a_429_always() -> None:
    def refused(status: int, body: object) -> Any:
        return translate.from_refused(answer(body, status), provision_order(), RULES)

    assert isinstance(refused(503, "busy"), OutcomeUnknown)
    assert isinstance(refused(503, refusal(503, "THROTTLED").body), OutcomeUnknown)
    for status in (401, 403, 429):
        assert isinstance(refused(status, "<html>"), NotSent)


def test_the_settings_code_map_wins_for_codes_and_reasons() -> None:
    limited = Meaning(Family.DECLINED, ErrorType.LIMIT_EXCEEDED)
    rules = Rules(RULES.pin_pattern, {"VOUCHER_USED": limited, "RISK": limited}, 30_000)
    refused = refusal(409, "VOUCHER_USED")
    assert translate.from_refused(refused, provision_order(), rules) == Declined(
        ErrorType.LIMIT_EXCEEDED, "VOUCHER_USED", "No"
    )
    assert translate.from_acknowledge(refused, advice_order(), rules) == Refused("VOUCHER_USED", "No")
    rejected = answer(changed(SAMPLE_PENDING, state="REJECTED", reason="RISK"), 202)
    assert translate.from_accepted(rejected, provision_order(), rules) == Declined(
        ErrorType.LIMIT_EXCEEDED, "RISK", "REJECTED"
    )


# Advices


def test_an_accepted_advice_is_acknowledged() -> None:
    acknowledged = changed(SAMPLE_FULFILLED, acknowledged=True)
    assert translate.from_acknowledge(answer(acknowledged), advice_order(), RULES) == Acknowledged()
    assert translate.from_cancel(answer(CANCELLED), advice_order(), RULES) == Acknowledged()
    unknown = CANCELLED.replace("true", "false")
    assert translate.from_cancel(answer(unknown), advice_order(), RULES) == Acknowledged()


def test_an_acceptance_of_something_else_is_not_one() -> None:
    wrong: list[object] = [
        SAMPLE_FULFILLED,
        changed(SAMPLE_FULFILLED, acknowledged=True, externalId=R2),
        b"",
        {},
        CANCELLED,
    ]
    for body in wrong:
        result = translate.from_acknowledge(answer(body), advice_order(), RULES)
        assert isinstance(result, Pending)
        assert result.alert == "bad_answer"
    for body in (CANCELLED.replace("CANCELLED", "PENDING"), CANCELLED.replace(R1, R2), b"", SAMPLE_FULFILLED):
        result = translate.from_cancel(answer(body), advice_order(), RULES)
        assert isinstance(result, Pending)
        assert result.alert == "bad_answer"


# Lookup and products


@pytest.mark.parametrize(("state", "worth"), [("ACTIVE", 10_000), ("USED", 0), ("CANCELLED", 0), ("EXPIRED", 0)])
def test_a_pin_is_worth_something_while_it_is_active(state: str, worth: int) -> None:
    body = changed(VALIDATED, state=state)
    outcome = translate.from_lookup(answer(body), lookup_order(voucher_code=FIRST_PIN), RULES)
    assert outcome == Approved(approved_cents=worth, balance_cents=worth, voucher=VOUCHER, voucher_state=state)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": ...},
        {"amount": {"minor": 0}},
        {"amount": {"minor": 10**16}},
        {"amount": {"currency": "USD"}},
        {"serial": ...},
        {"state": 7},
    ],
)
def test_a_lookup_that_proves_nothing_alerts(changes: dict[str, Any]) -> None:
    found = answer(changed(VALIDATED, **changes))
    assert is_bad_answer(translate.from_lookup(found, lookup_order(voucher_code=FIRST_PIN), RULES))


def test_products_are_read_as_they_are_sold() -> None:
    body = {
        "skus": [
            {"skuId": "BW-ANY", "name": "Any", "fixed": False, "minMinor": 1_000, "maxMinor": 500_000},
            {"skuId": "BW-50", "name": "Fifty", "fixed": True, "minMinor": 5_000, "maxMinor": 5_000},
        ]
    }
    assert translate.from_products(answer(body)) == (
        ProviderProduct(product="BW-ANY", name="Any", fixed=False, min_cents=1_000, max_cents=500_000),
        ProviderProduct(product="BW-50", name="Fifty", fixed=True, amount_cents=5_000),
    )
    bad = translate.from_products(answer({"skus": [{}]}))
    assert isinstance(bad, OutcomeUnknown)
    assert bad.alert == "bad_answer"
    assert isinstance(translate.from_products(refusal(503, "SERVICE_CLOSED")), OutcomeUnknown)


# Secrets and hostile answers


def test_a_quoted_pin_is_shown_nowhere() -> None:
    body = refusal(409, FIRST_PIN, f"Voucher {FIRST_PIN}, 555 000 1001").body
    outcomes = [
        translate.from_refused(answer(body, 409), provision_order(), RULES),
        polled(409, body),
        asked(409, body),
        translate.from_lookup(answer(body, 409), lookup_order(voucher_code=FIRST_PIN), RULES),
        translate.from_acknowledge(answer(body, 409), advice_order(voucher_code=FIRST_PIN), RULES),
        translate.from_cancel(answer(body, 409), advice_order(), RULES),
    ]
    assert not any(FIRST_PIN in repr(outcome) or "1001" in repr(outcome) for outcome in outcomes)


HOSTILE = st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["externalId", "state", "voucher", "pin", "amount", "minor", "orderId", "error", "code"]),
        inner,
        max_size=5,
    ),
    max_leaves=15,
)  # fmt: skip


@given(st.integers(100, 599), HOSTILE)
def test_no_answer_raises(status: int, body: object) -> None:
    try:
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    except (msgspec.MsgspecError, UnicodeError):
        return
    found = HttpAnswer(status, content)
    translate.from_accepted(found, provision_order(), RULES)
    translate.from_refused(found, provision_order(), RULES)
    translate.from_poll(found, provision_order(), RULES)
    translate.from_status(found, status_order(), RULES)
    translate.from_lookup(found, lookup_order(voucher_code=FIRST_PIN), RULES)
    translate.from_acknowledge(found, advice_order(), RULES)
    translate.from_cancel(found, advice_order(), RULES)
    translate.from_products(found)
