"""Sandbox messages in and out, against the samples of providers.md 11.4 and the checks of B.4. No socket."""

import re

import msgspec
import pytest

from providers.provider_support import (
    A1,
    R1,
    R2,
    R3,
    advice_order,
    answer,
    changed,
    is_bad_answer,
    lookup_order,
    status_order,
)
from providers.sandbox_support import FIRST_CODE, provision_order, redeem_order, refund_order
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
from voucherswitch.message.parties import Voucher
from voucherswitch.providers.contract.answers import Rules
from voucherswitch.providers.contract.families import Family, Meaning
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.sandbox import translate
from voucherswitch.providers.sandbox.errors import TABLE, ToAdvice

RULES = Rules(re.compile(r"[0-9A-Za-z-]{1,40}"), {}, settle_ms=30_000)

VOUCHER_SAMPLE = (
    '{"requestId":"5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13","providerRef":"SBXV00000001","productId":"SBXANY",'
    '"state":"PROVISIONED","voucher":{"code":"9000000000001231",\n "serial":"SX00000001","valueCents":10000,'
    '"balanceCents":10000,"expiresAt":"2029-03-02T23:59:59+02:00","instructions":["Sandbox voucher"]}}'
)
MOVEMENT_SAMPLE = (
    '{"requestId": "c2d47e08-1a6b-4f35-8e90-7b1d3a5c9f24", "providerRef": "SBXR00000001", "kind": "REDEMPTION", '
    '"state": "AUTHORISED", "approvedCents": 4000,\n '
    '"voucher": {"state": "REDEEMED", "balanceCents": 6000, "serial": "SX00000001"}}'
)
VOUCHER = Voucher(
    code=FIRST_CODE,
    serial_number="SX00000001",
    expires_at="2029-03-02T21:59:59.000Z",
    instructions=("Sandbox voucher",),
)


def refusal(status: int, code: str, message: str = "No") -> HttpAnswer:
    return answer({"error": {"code": code, "providerCode": f"SBX-{status}", "message": message}}, status)


# Orders -> bodies


def test_a_provision_is_the_samples_bytes() -> None:
    body = translate.provision_body(provision_order(), "S001")
    assert body.decode() == (
        '{"requestId":"5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13","productId":"SBXANY","amountCents":10000,'
        '"currency":"ZAR","store":"S001","terminal":"TERM0001"}'
    )
    assert len(body) == 147


def test_a_redemption_is_the_samples_bytes() -> None:
    body = translate.redeem_body(redeem_order(), "S001")
    assert body.decode() == (
        '{"requestId":"c2d47e08-1a6b-4f35-8e90-7b1d3a5c9f24","code":"9000000000001231","amountCents":4000,'
        '"store":"S001","terminal":"TERM0001"}'
    )
    assert len(body) == 134


def test_a_refund_is_the_sample() -> None:
    assert msgspec.json.decode(translate.refund_body(refund_order())) == {
        "requestId": R3,
        "code": FIRST_CODE,
        "redemptionRequestId": R2,
        "amountCents": 0,
    }
    assert b"redemptionRequestId" not in translate.refund_body(refund_order(redemption_id=None))


def test_what_is_optional_is_sent_only_when_it_is_there() -> None:
    assert b'"currency":"ZAR","voucherCode":"MY-CODE","store"' in translate.provision_body(
        provision_order(voucher_code="MY-CODE"), "S001"
    )
    assert b'"code":"9000000000001231","pin":"4711","amountCents"' in translate.redeem_body(
        redeem_order(pin="4711"), "S001"
    )


def test_a_lookup_asks_by_one_name() -> None:
    by_id = b'{"requestId":"%s"}' % R1.encode()
    assert translate.lookup_body(lookup_order(voucher_code="C", serial_number="S", provision_id=R1)) == by_id
    assert translate.lookup_body(lookup_order(voucher_code="C", serial_number="S")) == b'{"code":"C"}'
    assert translate.lookup_body(lookup_order(serial_number="S")) == b'{"serial":"S"}'


def test_advices_carry_their_id_and_a_reversal_its_reason() -> None:
    assert translate.confirm_body(advice_order()) == b'{"adviceId":"%s"}' % A1.encode()
    assert translate.reverse_body(advice_order()) == b'{"adviceId":"%s","reason":"TIMEOUT"}' % A1.encode()
    assert b'"reason":"CANCELLED"' in translate.reverse_body(AdviceOrder(advice_id=A1, request_id=R1))


# What a success proves


def test_the_samples_answer_is_an_approval() -> None:
    assert translate.from_provision(answer(VOUCHER_SAMPLE, 201), provision_order(), RULES) == Approved(
        approved_cents=10_000, balance_cents=10_000, voucher=VOUCHER, provider_ref="SBXV00000001"
    )


def test_a_pin_comes_with_its_voucher() -> None:
    outcome = translate.from_provision(
        answer(changed(VOUCHER_SAMPLE, voucher={"pin": "4711"}), 201), provision_order(), RULES
    )
    assert isinstance(outcome, Approved)
    assert outcome.voucher is not None
    assert outcome.voucher.pin == "4711"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"\xff",
        b"<xml/>",
        b'{"requestId":' + b"[" * 50_000,
        VOUCHER_SAMPLE.encode()[:200],
        VOUCHER_SAMPLE.encode()[:150] + b"\x00<<",
        changed(VOUCHER_SAMPLE, requestId=R2),
        changed(VOUCHER_SAMPLE, requestId=R1.upper()),
        changed(VOUCHER_SAMPLE, requestId=...),
        changed(VOUCHER_SAMPLE, state="SOLD"),
        changed(VOUCHER_SAMPLE, state=...),
        changed(VOUCHER_SAMPLE, voucher=...),
        changed(VOUCHER_SAMPLE, voucher=None),
        changed(VOUCHER_SAMPLE, voucher={"valueCents": 10_001}),
        changed(VOUCHER_SAMPLE, voucher={"valueCents": 10_001, "balanceCents": 10_001}),
        changed(VOUCHER_SAMPLE, voucher={"valueCents": 9_999, "balanceCents": 9_999}),
        changed(VOUCHER_SAMPLE, voucher={"valueCents": "10000"}),
        changed(VOUCHER_SAMPLE, voucher={"valueCents": 10_000.0}),
        changed(VOUCHER_SAMPLE, voucher={"valueCents": True}),
        changed(VOUCHER_SAMPLE, voucher={"valueCents": ...}),
        changed(VOUCHER_SAMPLE, voucher={"balanceCents": 10_001}),
        changed(VOUCHER_SAMPLE, voucher={"balanceCents": -1}),
        changed(VOUCHER_SAMPLE, voucher={"code": ...}),
        changed(VOUCHER_SAMPLE, voucher={"code": ""}),
        changed(VOUCHER_SAMPLE, voucher={"code": "#000000000001231"}),
        changed(VOUCHER_SAMPLE, voucher={"code": "9000000000001231\n"}),
        changed(VOUCHER_SAMPLE, voucher={"code": "9" * 41}),
        changed(VOUCHER_SAMPLE, voucher={"serial": ...}),
        changed(VOUCHER_SAMPLE, voucher={"expiresAt": "soon"}),
        changed(VOUCHER_SAMPLE, voucher={"expiresAt": "2029-03-02T23:59:59"}),
    ],
)
def test_a_success_that_proves_nothing_is_unknown_and_alerts(body: bytes) -> None:
    outcome = translate.from_provision(answer(body, 201), provision_order(), RULES)
    assert is_bad_answer(outcome)
    assert FIRST_CODE not in repr(outcome)


def test_the_pattern_of_a_code_is_a_setting() -> None:
    rules = Rules(re.compile(r"\d{12}"), {}, 30_000)
    assert is_bad_answer(translate.from_provision(answer(VOUCHER_SAMPLE, 201), provision_order(), rules))


def test_a_chosen_code_must_come_back() -> None:
    body = changed(VOUCHER_SAMPLE, voucher={"code": "MY-CODE"})
    assert isinstance(
        translate.from_provision(answer(body, 201), provision_order(voucher_code="MY-CODE"), RULES), Approved
    )
    assert is_bad_answer(
        translate.from_provision(answer(VOUCHER_SAMPLE, 201), provision_order(voucher_code="MY-CODE"), RULES)
    )


def test_a_pending_voucher_is_unknown() -> None:
    body = {"requestId": R1, "providerRef": "SBXV00000001", "productId": "SBXPENDING9", "state": "PENDING"}
    expected = OutcomeUnknown(ErrorType.VOUCHER_STATUS_UNKNOWN, provider_message="PENDING")
    assert translate.from_provision(answer(body, 202), provision_order(), RULES) == expected
    assert translate.from_retry(answer(body, 202), provision_order(), RULES) == expected
    assert translate.from_status(answer(body), status_order(), RULES) == expected


@pytest.mark.parametrize("status", [200, 204, 206, 301, 302, 307, 308, 402, 403, 405, 418, 500, 501, 502, 504, 599])
def test_an_unlisted_status_is_unknown(status: int) -> None:
    """200 too: a sandbox that answers a first provision with it does something that nobody described."""
    for body in (VOUCHER_SAMPLE, "", {"error": {"code": "DO_NOT_HONOUR"}}):
        assert isinstance(translate.from_provision(answer(body, status), provision_order(), RULES), OutcomeUnknown)


def test_a_503_without_the_providers_own_word_proves_nothing() -> None:
    assert isinstance(translate.from_provision(answer("busy", 503), provision_order(), RULES), OutcomeUnknown)
    assert isinstance(translate.from_provision(refusal(503, "GENERAL_ERROR"), provision_order(), RULES), OutcomeUnknown)
    assert translate.from_provision(refusal(503, "UPSTREAM_UNAVAILABLE"), provision_order(), RULES) == NotSent(
        ErrorType.UPSTREAM_UNAVAILABLE, "UPSTREAM_UNAVAILABLE", "No"
    )


# Refusals: the table


@pytest.mark.parametrize(("status", "code"), list(TABLE))
def test_every_line_of_the_table_for_a_request(status: int, code: str) -> None:
    outcome = translate.from_provision(refusal(status, code), provision_order(), RULES)
    line = TABLE[status, code]
    assert type(outcome).__name__ == line.request.family.value
    assert isinstance(outcome, Declined | NotSent | OutcomeUnknown)
    assert (outcome.error_type, outcome.provider_code, outcome.provider_message) == (
        line.request.error_type,
        code,
        "No",
    )


def test_the_table_says_what_the_specification_says() -> None:
    expected = {
        (400, "FORMAT_ERROR"): (Family.NOT_SENT, ErrorType.GENERAL_ERROR),
        (401, "AUTHENTICATION_ERROR"): (Family.NOT_SENT, ErrorType.ROUTING_ERROR),
        (404, "UNABLE_TO_LOCATE_RECORD"): (Family.UNKNOWN, ErrorType.UPSTREAM_UNAVAILABLE),
        (404, "INVALID_VOUCHER"): (Family.DECLINED, ErrorType.INVALID_VOUCHER),
        (404, "INVALID_MERCHANT"): (Family.DECLINED, ErrorType.INVALID_MERCHANT),
        (404, "ROUTING_ERROR"): (Family.NOT_SENT, ErrorType.ROUTING_ERROR),
        (409, "DUPLICATE_RECORD"): (Family.UNKNOWN, ErrorType.DUPLICATE_RECORD),
        (422, "VOUCHER_STATUS_UNKNOWN"): (Family.UNKNOWN, ErrorType.VOUCHER_STATUS_UNKNOWN),
        (429, "UPSTREAM_UNAVAILABLE"): (Family.NOT_SENT, ErrorType.UPSTREAM_UNAVAILABLE),
        (503, "UPSTREAM_UNAVAILABLE"): (Family.NOT_SENT, ErrorType.UPSTREAM_UNAVAILABLE),
    }
    for key, line in TABLE.items():
        family, error_type = expected.pop(key, (Family.DECLINED, ErrorType(key[1])))
        assert (line.request.family, line.request.error_type) == (family, error_type), key
        assert key[0] in (409, 422) or key[0] < 409 or family is Family.NOT_SENT
    assert expected == {}
    assert sum(status == 409 for status, _ in TABLE) == 14
    assert sum(status == 422 for status, _ in TABLE) == 11


def test_the_code_map_wins_over_the_table() -> None:
    rules = Rules(
        RULES.pin_pattern,
        {
            "SBX_UNLISTED": Meaning(Family.DECLINED, ErrorType.LIMIT_EXCEEDED),
            "DO_NOT_HONOUR": Meaning(Family.NOT_SENT, ErrorType.DO_NOT_HONOUR),
        },
        30_000,
    )
    assert translate.from_provision(refusal(422, "SBX_UNLISTED"), provision_order(), rules) == Declined(
        ErrorType.LIMIT_EXCEEDED, "SBX_UNLISTED", "No"
    )
    assert translate.from_provision(refusal(422, "DO_NOT_HONOUR"), provision_order(), rules) == NotSent(
        ErrorType.DO_NOT_HONOUR, "DO_NOT_HONOUR", "No"
    )
    assert isinstance(
        translate.from_advice(refusal(422, "SBX_UNLISTED"), advice_order(), rules, reversal=True), Refused
    )
    assert isinstance(
        translate.from_advice(refusal(422, "DO_NOT_HONOUR"), advice_order(), rules, reversal=True), Pending
    )


def test_a_provider_text_that_quotes_the_voucher_is_masked() -> None:
    outcome = translate.from_provision(refusal(422, "DO_NOT_HONOUR", f"No {FIRST_CODE}"), provision_order(), RULES)
    assert isinstance(outcome, Declined)
    assert outcome.provider_message == "No ***"


# Retry and status


def test_a_resend_finds_the_voucher_or_makes_it() -> None:
    for status in (200, 201):
        assert isinstance(translate.from_retry(answer(VOUCHER_SAMPLE, status), provision_order(), RULES), Approved)


def test_a_resend_that_was_not_processed_leaves_the_doubt() -> None:
    assert translate.from_retry(refusal(503, "UPSTREAM_UNAVAILABLE"), provision_order(), RULES) == OutcomeUnknown(
        ErrorType.UPSTREAM_UNAVAILABLE, "UPSTREAM_UNAVAILABLE", "No"
    )
    outcome = translate.from_retry(refusal(401, "AUTHENTICATION_ERROR"), provision_order(), RULES)
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "credentials_refused"


def test_a_resend_that_is_declined_is_final() -> None:
    assert isinstance(
        translate.from_retry(refusal(409, "VOUCHER_ALREADY_REVERSED"), provision_order(), RULES), Declined
    )


@pytest.mark.parametrize("state", ["PROVISIONED", "CONFIRMED", "REDEEMED", "REDEEM_CONFIRMED", "REFUNDED", "EXPIRED"])
def test_a_voucher_that_exists_resolves_to_an_approval(state: str) -> None:
    outcome = translate.from_status(answer(changed(VOUCHER_SAMPLE, state=state)), status_order(), RULES)
    assert isinstance(outcome, Approved)
    assert (outcome.voucher, outcome.voucher_state) == (VOUCHER, state)


@pytest.mark.parametrize("state", ["REVERSED", "BLOCKED"])
def test_a_voucher_that_can_no_longer_be_used_resolves_to_a_decline(state: str) -> None:
    body = changed(VOUCHER_SAMPLE, state=state)
    for outcome in (
        translate.from_status(answer(body), status_order(), RULES),
        translate.from_retry(answer(body), provision_order(), RULES),
    ):
        assert outcome == Declined(ErrorType.TRANSACTION_DECLINED, provider_message=state)


@pytest.mark.parametrize(("sent_ms_ago", "proved"), [(0, False), (29_999, False), (30_000, True), (10**9, True)])
def test_not_found_is_proof_only_after_the_settle_time(sent_ms_ago: int, proved: bool) -> None:
    order = status_order(sent_ms_ago=sent_ms_ago)
    for outcome in (
        translate.from_status(refusal(404, "UNABLE_TO_LOCATE_RECORD"), order, RULES),
        translate.from_movement_status(refusal(404, "UNABLE_TO_LOCATE_RECORD"), order, translate.REDEMPTION, RULES),
        translate.from_movement_status(refusal(404, "UNABLE_TO_LOCATE_RECORD"), order, translate.REFUND, RULES),
    ):
        assert isinstance(outcome, NotSent if proved else OutcomeUnknown)
        assert outcome.error_type is ErrorType.UPSTREAM_UNAVAILABLE
        assert outcome.provider_code == "UNABLE_TO_LOCATE_RECORD"


@pytest.mark.parametrize(("status", "code"), [*(key for key in TABLE if key[0] != 404), (404, "INVALID_VOUCHER")])
def test_a_question_that_is_refused_says_nothing_about_the_request(status: int, code: str) -> None:
    order = status_order(sent_ms_ago=10**9)
    assert isinstance(translate.from_status(refusal(status, code), order, RULES), OutcomeUnknown)


def test_a_status_is_checked_like_a_provision() -> None:
    for body in (
        changed(VOUCHER_SAMPLE, requestId=R2),
        changed(VOUCHER_SAMPLE, voucher={"valueCents": 9_999, "balanceCents": 9_999}),
        changed(VOUCHER_SAMPLE, voucher={"code": ...}),
    ):
        assert is_bad_answer(translate.from_status(answer(body), status_order(sent_ms_ago=10**9), RULES))


# Redemptions and refunds


def test_the_samples_redemption_is_an_approval() -> None:
    expected = Approved(approved_cents=4_000, balance_cents=6_000, provider_ref="SBXR00000001")
    for status in (200, 201):
        assert (
            translate.from_movement(answer(MOVEMENT_SAMPLE, status), redeem_order(), translate.REDEMPTION, RULES)
            == expected
        )
    status_of_it = translate.from_movement_status(
        answer(MOVEMENT_SAMPLE), status_order(R2, 4_000), translate.REDEMPTION, RULES
    )
    assert status_of_it == expected


def test_the_whole_balance_is_what_the_answer_says() -> None:
    order = redeem_order(amount_cents=0)
    whole = translate.from_movement(answer(MOVEMENT_SAMPLE, 201), order, translate.REDEMPTION, RULES)
    assert isinstance(whole, Approved)
    assert whole.approved_cents == 4_000
    nothing = answer(changed(MOVEMENT_SAMPLE, approvedCents=0), 201)
    assert is_bad_answer(translate.from_movement(nothing, order, translate.REDEMPTION, RULES))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        changed(MOVEMENT_SAMPLE, requestId=R1),
        changed(MOVEMENT_SAMPLE, kind="REFUND"),
        changed(MOVEMENT_SAMPLE, state="PENDING"),
        changed(MOVEMENT_SAMPLE, approvedCents=4_001),
        changed(MOVEMENT_SAMPLE, approvedCents=3_999),
        changed(MOVEMENT_SAMPLE, approvedCents=-4_000),
        changed(MOVEMENT_SAMPLE, voucher=...),
        changed(MOVEMENT_SAMPLE, voucher={"balanceCents": -1}),
    ],
)
def test_a_movement_that_proves_nothing_is_unknown_and_alerts(body: bytes) -> None:
    assert is_bad_answer(translate.from_movement(answer(body, 201), redeem_order(), translate.REDEMPTION, RULES))
    status = status_order(R2, 4_000, sent_ms_ago=10**9)
    assert is_bad_answer(translate.from_movement_status(answer(body), status, translate.REDEMPTION, RULES))


def test_a_movement_that_was_reversed_is_declined() -> None:
    body = changed(MOVEMENT_SAMPLE, state="REVERSED")
    assert translate.from_movement(answer(body), redeem_order(), translate.REDEMPTION, RULES) == Declined(
        ErrorType.TRANSACTION_DECLINED, provider_message="REVERSED"
    )


# Lookup and products


@pytest.mark.parametrize(
    ("state", "worth"), [("CONFIRMED", 10_000), ("PROVISIONED", 0), ("BLOCKED", 0), ("REVERSED", 0)]
)
def test_a_lookup_tells_what_the_voucher_is_worth_now(state: str, worth: int) -> None:
    body = changed(VOUCHER_SAMPLE, state=state)
    outcome = translate.from_lookup(answer(body), lookup_order(voucher_code=FIRST_CODE), RULES)
    assert outcome == Approved(
        approved_cents=worth,
        balance_cents=10_000,
        voucher=VOUCHER,
        provider_ref="SBXV00000001",
        voucher_state=state,
    )


def test_half_a_code_is_no_voucher() -> None:
    body = changed(VOUCHER_SAMPLE, voucher={"code": "************1231"})
    for order in (lookup_order(serial_number="SX00000001"), lookup_order(provision_id=R1)):
        outcome = translate.from_lookup(answer(body), order, RULES)
        assert isinstance(outcome, Approved)
        assert outcome.voucher is None


def test_a_lookup_that_finds_another_voucher_is_a_bad_answer() -> None:
    for order in (
        lookup_order(voucher_code="OTHER"),
        lookup_order(serial_number="SX00000002"),
        lookup_order(provision_id=R2),
    ):
        assert is_bad_answer(translate.from_lookup(answer(VOUCHER_SAMPLE), order, RULES))
    assert is_bad_answer(
        translate.from_lookup(answer(changed(VOUCHER_SAMPLE, voucher=...)), lookup_order(provision_id=R1), RULES)
    )


def test_a_voucher_that_nobody_knows_is_declined() -> None:
    assert translate.from_lookup(refusal(404, "INVALID_VOUCHER"), lookup_order(voucher_code="X"), RULES) == Declined(
        ErrorType.INVALID_VOUCHER, "INVALID_VOUCHER", "No"
    )


def test_products_are_read_as_they_are_sold() -> None:
    body = {
        "products": [
            {"productId": "SBXFIX100", "name": "Fixed", "fixed": True, "amountCents": 10_000},
            {"productId": "SBXANY", "name": "Any", "fixed": False, "minCents": 100, "maxCents": 1_000_000},
        ]
    }
    assert translate.from_products(answer(body)) == (
        ProviderProduct(product="SBXFIX100", name="Fixed", fixed=True, amount_cents=10_000),
        ProviderProduct(product="SBXANY", name="Any", fixed=False, min_cents=100, max_cents=1_000_000),
    )
    bad = translate.from_products(answer(b"{}"))
    assert isinstance(bad, OutcomeUnknown)
    assert bad.alert == "bad_answer"
    assert translate.from_products(refusal(503, "UPSTREAM_UNAVAILABLE")) == OutcomeUnknown(
        provider_code="UPSTREAM_UNAVAILABLE", provider_message="No"
    )


# Advices


def test_an_accepted_advice_is_acknowledged() -> None:
    body = {"requestId": R1, "adviceId": A1, "state": "CONFIRMED"}
    assert translate.from_advice(answer(body, 202), advice_order(), RULES, reversal=False) == Acknowledged()


@pytest.mark.parametrize(
    "body", [b"", {"requestId": R2, "adviceId": A1}, {"requestId": R1, "adviceId": R2}, {"requestId": R1}]
)
def test_an_acceptance_of_something_else_is_not_one(body: object) -> None:
    result = translate.from_advice(answer(body, 202), advice_order(), RULES, reversal=True)
    assert isinstance(result, Pending)
    assert result.alert == "bad_answer"


@pytest.mark.parametrize("reversal", [False, True])
@pytest.mark.parametrize(("status", "code"), list(TABLE))
def test_every_line_of_the_table_for_an_advice(status: int, code: str, reversal: bool) -> None:
    result = translate.from_advice(refusal(status, code), advice_order(), RULES, reversal=reversal)
    match TABLE[status, code].advice:
        case ToAdvice.WAIT:
            alerts = {400: "message_refused", 401: "credentials_refused"}
            assert result == Pending(cause=f"HTTP {status} {code}", alert=alerts.get(status))
            assert status in (400, 401, 404, 429, 503) or code == "VOUCHER_STATUS_UNKNOWN"
        case ToAdvice.REFUSED:
            assert result == Refused(provider_code=code, provider_message="No")
            assert status in (409, 422)
        case ToAdvice.REFUSED_UNLESS_REVERSAL:
            assert code == "UNABLE_TO_LOCATE_RECORD"
            assert result == (Acknowledged() if reversal else Refused(provider_code=code, provider_message="No"))


@pytest.mark.parametrize("status", [200, 201, 204, 302, 404, 409, 422, 500, 503])
def test_an_advice_answered_by_anything_else_stays_queued(status: int) -> None:
    for body in ("", {"error": {"code": "WHATEVER"}}, {"requestId": R1, "adviceId": A1}):
        assert isinstance(translate.from_advice(answer(body, status), advice_order(), RULES, reversal=True), Pending)
