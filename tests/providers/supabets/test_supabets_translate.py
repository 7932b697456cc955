"""Supabets messages in and out, against the samples of providers.md 5.3, the table of 5.4 and the checks of B.4."""

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.provider_support import (
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
from providers.supabets.supabets_support import (
    EXPIRES_AT,
    FIRST_PIN,
    FIRST_REF,
    FIRST_SERIAL,
    SAMPLE_ANSWER,
    SAMPLE_BODY,
    provision_order,
)
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import ProviderProduct
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
from voucherswitch.providers.supabets import translate

RULES = Rules(re.compile(r"[0-9]{13}"), {}, settle_ms=30_000)
VOUCHER = Voucher(code=FIRST_PIN, serial_number=FIRST_SERIAL, expires_at=EXPIRES_AT)
RELEASED = '{"reservationId":"5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13","state":"RELEASED","known":true}'
CHECKED = '{"serial":"6100000001","value":10000,"expiry":"2029-03-02","state":"COMMITTED"}'

# The table of 5.4: status, type -> provision, commit, release; None is a dash.
TABLE: dict[tuple[int, str], tuple[Any, Any, Any]] = {
    (400, "amount-not-allowed"): (("Declined", "INVALID_AMOUNT"), None, None),
    (400, "bad-request"): (("NotSent", "GENERAL_ERROR"), "PENDING + alert", "PENDING + alert"),
    (401, "invalid-token"): (("NotSent", "ROUTING_ERROR"), "PENDING + alert", "PENDING + alert"),
    (401, "body-hash"): (("NotSent", "ROUTING_ERROR"), "PENDING + alert", "PENDING + alert"),
    (401, "token-expired"): (("NotSent", "ROUTING_ERROR"), "PENDING", "PENDING"),
    (401, "jti-reused"): (("OutcomeUnknown", "DUPLICATE_RECORD"), "PENDING", "PENDING"),
    (402, "credit-limit"): (("NotSent", "DO_NOT_HONOUR"), None, None),
    (404, "not-found"): (None, "REFUSED", None),
    (409, "reservation-conflict"): (("OutcomeUnknown", "DUPLICATE_RECORD"), None, None),
    (409, "reservation-released"): (("Declined", "TRANSACTION_DECLINED"), "REFUSED", None),
    (409, "voucher-spent"): (None, "ACK", "REFUSED"),
    (409, "reversal-window-closed"): (None, None, "REFUSED"),
    (410, "reservation-expired"): (("Declined", "TRANSACTION_DECLINED"), "REFUSED + alert", "ACK"),
    (422, "unknown-product"): (("NotSent", "ROUTING_ERROR"), None, None),
    (422, "unknown-site"): (("NotSent", "ROUTING_ERROR"), None, None),
    (429, "throttled"): (("NotSent", "UPSTREAM_UNAVAILABLE"), "PENDING", "PENDING"),
    (503, "unavailable"): (("NotSent", "UPSTREAM_UNAVAILABLE"), "PENDING", "PENDING"),
}
UNKNOWN = ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE")


def problem(status: int, code: str) -> HttpAnswer:
    return answer({"type": f"urn:sim:supabets:problem:{code}", "title": "No", "detail": "Not"}, status)


def provisioned(status: int, body: object, late_reveal: bool = False) -> Any:
    return translate.from_reservation(answer(body, status), provision_order(), RULES, late_reveal=late_reveal)


def asked(status: int, body: object, late_reveal: bool = False, sent_ms_ago: int = SETTLED) -> Any:
    order = status_order(sent_ms_ago=sent_ms_ago)
    return translate.from_status(answer(body, status), order, RULES, late_reveal=late_reveal)


# Orders -> bodies


def test_a_reservation_is_the_samples_bytes() -> None:
    body = translate.reservation_body(provision_order(), "S001")
    assert body.decode() == SAMPLE_BODY
    assert len(body) == 96


def test_a_pin_check_holds_the_pin() -> None:
    assert translate.pin_check_body(FIRST_PIN) == b'{"pin":"2100987654321"}'


# What a success proves


@pytest.mark.parametrize("status", [200, 201])
def test_the_samples_answer_is_an_approval(status: int) -> None:
    assert provisioned(status, SAMPLE_ANSWER) == Approved(
        approved_cents=10_000,
        balance_cents=10_000,
        voucher=VOUCHER,
        provider_ref=FIRST_REF,
        refs={"reservedUntil": "2026-03-02T12:18:16.000Z"},
    )


def test_a_committed_one_has_nothing_left_to_wait_for() -> None:
    outcome = provisioned(200, changed(SAMPLE_ANSWER, state="COMMITTED"))
    assert outcome == Approved(approved_cents=10_000, balance_cents=10_000, voucher=VOUCHER, provider_ref=FIRST_REF)


@pytest.mark.parametrize("state", ["RELEASED", "EXPIRED"])
def test_what_was_let_go_or_lapsed_is_declined(state: str) -> None:
    declined = Declined(ErrorType.TRANSACTION_DECLINED, provider_message=state)
    assert provisioned(200, changed(SAMPLE_ANSWER, state=state)) == declined
    assert asked(200, changed(SAMPLE_ANSWER, state=state)) == declined
    assert provisioned(200, changed(SAMPLE_ANSWER, state=state, voucher=...), late_reveal=True) == declined


def test_a_spent_voucher_was_sold() -> None:
    outcome = asked(200, changed(SAMPLE_ANSWER, state="SPENT"))
    assert (outcome.approved_cents, outcome.balance_cents, outcome.voucher_state) == (10_000, 0, "SPENT")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"null",
        b"\xff",
        b"<xml/>",
        b'{"reservationId":' + b"[" * 50_000,
        SAMPLE_ANSWER.encode()[:100],
        SAMPLE_ANSWER.encode()[:150] + b"\x00<<",
        changed(SAMPLE_ANSWER, reservationId=R2),
        changed(SAMPLE_ANSWER, reservationId=R1.upper()),
        changed(SAMPLE_ANSWER, reservationId=...),
        changed(SAMPLE_ANSWER, reservationId=7),
        changed(SAMPLE_ANSWER, state="SOLD"),
        changed(SAMPLE_ANSWER, state="reserved"),
        changed(SAMPLE_ANSWER, state=...),
        changed(SAMPLE_ANSWER, voucher=...),
        changed(SAMPLE_ANSWER, voucher=None),
        changed(SAMPLE_ANSWER, voucher=FIRST_PIN),
        changed(SAMPLE_ANSWER, voucher={"value": 10_001}),
        changed(SAMPLE_ANSWER, voucher={"value": 9_999}),
        changed(SAMPLE_ANSWER, voucher={"value": -10_000}),
        changed(SAMPLE_ANSWER, voucher={"value": "10000"}),
        changed(SAMPLE_ANSWER, voucher={"value": 10_000.5}),
        changed(SAMPLE_ANSWER, voucher={"value": True}),
        changed(SAMPLE_ANSWER, voucher={"value": 10**30}),
        changed(SAMPLE_ANSWER, voucher={"value": ...}),
        changed(SAMPLE_ANSWER, voucher={"pin": ...}),
        changed(SAMPLE_ANSWER, voucher={"pin": None}),
        changed(SAMPLE_ANSWER, voucher={"pin": ""}),
        changed(SAMPLE_ANSWER, voucher={"pin": 2_100_987_654_321}),
        changed(SAMPLE_ANSWER, voucher={"pin": "#100987654321"}),
        changed(SAMPLE_ANSWER, voucher={"pin": "2100987654321\n"}),
        changed(SAMPLE_ANSWER, voucher={"pin": "210098765432"}),
        changed(SAMPLE_ANSWER, voucher={"pin": "2100987654320"}),
        changed(SAMPLE_ANSWER, voucher={"pin": "\u0662100987654321"}),
        changed(SAMPLE_ANSWER, voucher={"serial": ...}),
    ],
)
def test_a_success_that_proves_nothing_is_unknown_and_alerts(body: bytes) -> None:
    for outcome in (provisioned(201, body), provisioned(200, body), asked(200, body)):
        assert is_bad_answer(outcome)
        assert FIRST_PIN not in repr(outcome)


def test_a_serial_or_reference_that_is_none_is_left_out() -> None:
    body = changed(SAMPLE_ANSWER, providerRef="a b\x00", reservedUntil="soon", voucher={"serial": "x" * 41})
    outcome = provisioned(201, body)
    assert (outcome.provider_ref, outcome.voucher.serial_number, outcome.refs) == (None, None, {})


def test_the_form_of_a_pin_is_a_setting() -> None:
    rules = Rules(re.compile(r"[A-Z]{4}"), {}, 30_000)
    body = answer(changed(SAMPLE_ANSWER, voucher={"pin": "ABCD"}), 201)
    assert isinstance(translate.from_reservation(body, provision_order(), rules, late_reveal=False), Approved)
    assert is_bad_answer(
        translate.from_reservation(answer(SAMPLE_ANSWER, 201), provision_order(), rules, late_reveal=False)
    )


# Late reveal

MASKED = changed(SAMPLE_ANSWER, voucher={"pin": None, "masked": "*********4321"})


def test_a_reservation_without_its_pin_is_held_and_nothing_more() -> None:
    assert provisioned(201, MASKED, late_reveal=True) == translate.Held()
    assert provisioned(201, SAMPLE_ANSWER, late_reveal=True) == translate.Held()
    for wrong in (
        changed(SAMPLE_ANSWER, reservationId=R2),
        changed(SAMPLE_ANSWER, voucher={"value": 10_001}),
        changed(SAMPLE_ANSWER, voucher=...),
        b"{}",
    ):
        assert is_bad_answer(provisioned(201, wrong, late_reveal=True))


def test_a_held_reservation_is_undecided_when_asked_about() -> None:
    unknown = OutcomeUnknown(ErrorType.VOUCHER_STATUS_UNKNOWN, provider_message="RESERVED")
    assert asked(200, MASKED, late_reveal=True) == unknown
    assert is_bad_answer(asked(200, changed(SAMPLE_ANSWER, reservationId=R2), late_reveal=True))


def test_a_pin_that_is_kept_back_unexpectedly_is_a_bad_answer() -> None:
    assert is_bad_answer(provisioned(201, MASKED))
    assert is_bad_answer(asked(200, MASKED))


def test_a_commit_brings_the_voucher_or_leaves_a_doubt() -> None:
    def committed(status: int, body: object) -> Any:
        return translate.from_commit(answer(body, status), provision_order(), RULES)

    assert committed(200, changed(SAMPLE_ANSWER, state="COMMITTED")).voucher == VOUCHER
    for bad in (SAMPLE_ANSWER, MASKED, changed(SAMPLE_ANSWER, state="COMMITTED", voucher={"pin": None}), RELEASED[:40]):
        assert is_bad_answer(committed(200, bad))
    assert isinstance(committed(201, changed(SAMPLE_ANSWER, state="COMMITTED")), OutcomeUnknown)


# Refusals: the table


@pytest.mark.parametrize(("status", "code"), list(TABLE))
def test_every_line_of_the_table_for_a_provision(status: int, code: str) -> None:
    outcome = provisioned(status, problem(status, code).body)
    assert (type(outcome).__name__, outcome.error_type.value) == (TABLE[status, code][0] or UNKNOWN)
    assert (outcome.provider_code, outcome.provider_message) == (code, "No: Not")
    alerts = {"bad-request": "message_refused", "credit-limit": "float_exhausted"}
    if status == 401 and code != "jti-reused":
        alerts[code] = "credentials_refused"
    assert getattr(outcome, "alert", None) == alerts.get(code)


@pytest.mark.parametrize(("status", "code"), list(TABLE))
def test_every_line_of_the_table_for_a_lookup(status: int, code: str) -> None:
    outcome = translate.from_lookup(problem(status, code), lookup_order(voucher_code=FIRST_PIN), RULES)
    assert not isinstance(outcome, Approved)
    expected = ("Declined", "INVALID_VOUCHER") if code == "not-found" else TABLE[status, code][0] or UNKNOWN
    assert (type(outcome).__name__, outcome.error_type.value) == expected


@pytest.mark.parametrize("column", [1, 2], ids=["commit", "release"])
@pytest.mark.parametrize(("status", "code"), list(TABLE))
def test_every_line_of_the_table_for_an_advice(status: int, code: str, column: int) -> None:
    read = translate.from_confirm if column == 1 else translate.from_release
    result = read(problem(status, code), advice_order(), RULES)
    alert = {"bad-request": "message_refused", "reservation-expired": "dead_voucher"}.get(code, "credentials_refused")
    match TABLE[status, code][column]:
        case "ACK":
            assert result == Acknowledged()
        case "REFUSED":
            assert result == Refused(code, "No: Not")
        case "REFUSED + alert":
            assert result == Refused(code, "No: Not", alert)
        case "PENDING + alert":
            assert result == Pending(f"{code} No: Not", alert)
        case _:
            assert result == Pending(f"{code} No: Not")


@pytest.mark.parametrize(("status", "code"), list(TABLE))
def test_a_refused_question_proves_nothing(status: int, code: str) -> None:
    outcome = asked(status, problem(status, code).body)
    if code == "not-found":
        assert outcome == NotSent(ErrorType.UPSTREAM_UNAVAILABLE, code, "No: Not")
    else:
        assert isinstance(outcome, OutcomeUnknown)
        assert outcome.error_type is ErrorType.UPSTREAM_UNAVAILABLE


@pytest.mark.parametrize(("sent_ms_ago", "kind"), [(0, OutcomeUnknown), (29_999, OutcomeUnknown), (30_000, NotSent)])
def test_not_found_is_proof_once_it_is_settled(sent_ms_ago: int, kind: type) -> None:
    assert isinstance(asked(404, problem(404, "not-found").body, sent_ms_ago=sent_ms_ago), kind)


@pytest.mark.parametrize(
    "status", [202, 204, 301, 302, 307, 400, 402, 403, 404, 405, 409, 418, 500, 502, 503, 504, 599]
)
def test_an_unlisted_answer_is_unknown_and_keeps_an_advice(status: int) -> None:
    for body in ("", "<html>", {}, {"type": "urn:x:else"}, {"type": 7}, SAMPLE_ANSWER, RELEASED):
        assert isinstance(provisioned(status, body), OutcomeUnknown)
        assert isinstance(asked(status, body), OutcomeUnknown)
        assert isinstance(translate.from_confirm(answer(body, status), advice_order(), RULES), Pending)
        assert isinstance(translate.from_release(answer(body, status), advice_order(), RULES), Pending)


def test_a_503_proves_something_only_with_its_type_and_a_429_always() -> None:
    assert isinstance(provisioned(503, "busy"), OutcomeUnknown)
    assert isinstance(provisioned(503, problem(503, "throttled").body), OutcomeUnknown)
    assert isinstance(provisioned(429, "busy"), NotSent)


def test_a_type_may_be_an_address() -> None:
    body = {"type": "https://errors.example/problems/amount-not-allowed"}
    assert provisioned(400, body) == Declined(ErrorType.INVALID_AMOUNT, "amount-not-allowed")


def test_the_settings_code_map_wins() -> None:
    rules = Rules(RULES.pin_pattern, {"voucher-spent": Meaning(Family.DECLINED, ErrorType.LIMIT_EXCEEDED)}, 30_000)
    refused = problem(409, "voucher-spent")
    outcome = translate.from_reservation(refused, provision_order(), rules, late_reveal=False)
    assert outcome == Declined(ErrorType.LIMIT_EXCEEDED, "voucher-spent", "No: Not")
    assert translate.from_confirm(refused, advice_order(), rules) == Acknowledged()  # what the table says of an advice


# Advices


def test_an_accepted_advice_is_acknowledged() -> None:
    assert (
        translate.from_confirm(answer(changed(SAMPLE_ANSWER, state="COMMITTED")), advice_order(), RULES)
        == Acknowledged()
    )
    assert translate.from_release(answer(RELEASED), advice_order(), RULES) == Acknowledged()
    unknown = RELEASED.replace("true", "false")
    assert translate.from_release(answer(unknown), advice_order(), RULES) == Acknowledged()


def test_an_acceptance_of_something_else_is_not_one() -> None:
    wrong_commits: list[object] = [
        SAMPLE_ANSWER,
        changed(SAMPLE_ANSWER, state="COMMITTED", reservationId=R2),
        b"",
        {},
        RELEASED,
    ]
    for body in wrong_commits:
        result = translate.from_confirm(answer(body), advice_order(), RULES)
        assert isinstance(result, Pending)
        assert result.alert == "bad_answer"
    wrong_releases: list[object] = [
        RELEASED.replace("RELEASED", "RESERVED"),
        RELEASED.replace(R1, R2),
        b"",
        SAMPLE_ANSWER,
    ]
    for body in wrong_releases:
        result = translate.from_release(answer(body), advice_order(), RULES)
        assert isinstance(result, Pending)
        assert result.alert == "bad_answer"


# Lookup and products


@pytest.mark.parametrize(
    ("state", "worth"), [("COMMITTED", 10_000), ("RESERVED", 0), ("SPENT", 0), ("RELEASED", 0), ("EXPIRED", 0)]
)
def test_a_pin_is_worth_something_once_it_is_committed(state: str, worth: int) -> None:
    body = changed(CHECKED, state=state)
    outcome = translate.from_lookup(answer(body), lookup_order(voucher_code=FIRST_PIN), RULES)
    assert outcome == Approved(approved_cents=worth, balance_cents=worth, voucher=VOUCHER, voucher_state=state)


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", changed(CHECKED, value="1"), changed(CHECKED, value=0), changed(CHECKED, value=10**16),
     changed(CHECKED, serial=...), changed(CHECKED, state=7)],
)  # fmt: skip
def test_a_lookup_that_proves_nothing_alerts(body: bytes) -> None:
    assert is_bad_answer(translate.from_lookup(answer(body), lookup_order(voucher_code=FIRST_PIN), RULES))


def test_products_are_read_as_they_are_sold() -> None:
    body = {
        "products": [
            {"productId": "SB-ANY", "name": "Any", "minCents": 1_000, "maxCents": 500_000, "fixed": False},
            {"productId": "SB-50", "name": "Fifty", "minCents": 5_000, "maxCents": 5_000, "fixed": True},
        ]
    }
    assert translate.from_products(answer(body)) == (
        ProviderProduct(product="SB-ANY", name="Any", fixed=False, min_cents=1_000, max_cents=500_000),
        ProviderProduct(product="SB-50", name="Fifty", fixed=True, amount_cents=5_000),
    )
    bad = translate.from_products(answer({"products": [{}]}))
    assert isinstance(bad, OutcomeUnknown)
    assert bad.alert == "bad_answer"
    assert isinstance(translate.from_products(problem(503, "unavailable")), OutcomeUnknown)


# Secrets and hostile answers


def test_a_quoted_pin_is_shown_nowhere() -> None:
    body = {"type": f"urn:x:{FIRST_PIN}", "title": f"Voucher {FIRST_PIN}", "detail": "2100 9876 54321"}
    outcomes = [
        provisioned(409, body),
        asked(409, body),
        translate.from_lookup(answer(body, 409), lookup_order(voucher_code=FIRST_PIN), RULES),
        translate.from_confirm(answer(body, 409), advice_order(voucher_code=FIRST_PIN), RULES),
        translate.from_release(answer(body, 409), advice_order(), RULES),
    ]
    assert not any(FIRST_PIN in repr(outcome) or "54321" in repr(outcome) for outcome in outcomes)


HOSTILE = st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["reservationId", "state", "voucher", "pin", "value", "expiry", "serial", "type", "products"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(st.integers(100, 599), HOSTILE, st.booleans(), st.text(max_size=30))
def test_no_answer_raises(status: int, body: object, late_reveal: bool, date: str) -> None:
    try:
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    except (msgspec.MsgspecError, UnicodeError):
        return
    found = HttpAnswer(status, content, {"date": date})
    translate.from_reservation(found, provision_order(), RULES, late_reveal=late_reveal)
    translate.from_commit(found, provision_order(), RULES)
    translate.from_status(found, status_order(), RULES, late_reveal=late_reveal)
    translate.from_lookup(found, lookup_order(voucher_code=FIRST_PIN), RULES)
    translate.from_confirm(found, advice_order(), RULES)
    translate.from_release(found, advice_order(), RULES)
    translate.from_products(found)
    translate.is_token_expired(found)
    translate.provider_clock_s(found)
