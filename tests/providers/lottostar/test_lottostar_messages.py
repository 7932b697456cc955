"""Lottostar's messages without a socket: signatures, samples, every line of the code table, hostile bytes."""

import re
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from providers.lottostar.lottostar_support import (
    CODE,
    ERROR_BODY,
    ISSUE_BODY,
    SAMPLE_EPOCH_S,
    VOUCHER,
    VOUCHER_BODY,
    lookup_order,
    provision_order,
    refusal,
)
from providers.provider_support import A1, R1, R2, SETTLED, advice_order, answer, changed, is_bad_answer, status_order
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import ProviderProduct
from voucherswitch.message.outcomes import (
    Acknowledged,
    Approved,
    Declined,
    NotSent,
    Outcome,
    OutcomeUnknown,
    Pending,
    Refused,
)
from voucherswitch.providers.contract.answers import Rules
from voucherswitch.providers.contract.families import Family, Meaning
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.lottostar import translate
from voucherswitch.providers.lottostar.signing import canonical, signature, signed_headers

RULES = Rules(re.compile(r"[0-9]{14}"), {}, settle_ms=30_000)
SECRET = "example-lottostar-secret"

# The table of the specification, 3.4: status, code -> family, errorType, alert of a provision and of a lookup.
REQUESTS: dict[tuple[int, str], tuple[str, str, str | None]] = {
    (400, "INVALID_AMOUNT"): ("Declined", "INVALID_AMOUNT", None),
    (400, "INVALID_REQUEST"): ("NotSent", "GENERAL_ERROR", "message_refused"),
    (401, "BAD_SIGNATURE"): ("NotSent", "ROUTING_ERROR", "credentials_refused"),
    (401, "UNKNOWN_KEY"): ("NotSent", "ROUTING_ERROR", "credentials_refused"),
    (401, "STALE_TIMESTAMP"): ("NotSent", "ROUTING_ERROR", "credentials_refused"),
    (401, "NONCE_REUSED"): ("OutcomeUnknown", "DUPLICATE_RECORD", None),
    (402, "FLOAT_EXHAUSTED"): ("NotSent", "DO_NOT_HONOUR", "float_exhausted"),
    (404, "STORE_UNKNOWN"): ("NotSent", "ROUTING_ERROR", None),
    (409, "IDEMPOTENCY_MISMATCH"): ("OutcomeUnknown", "DUPLICATE_RECORD", None),
    (409, "REFERENCE_VOIDED"): ("Declined", "TRANSACTION_DECLINED", None),
    (429, "RATE_LIMITED"): ("NotSent", "UPSTREAM_UNAVAILABLE", None),
    (503, "MAINTENANCE"): ("NotSent", "UPSTREAM_UNAVAILABLE", None),
    # Listed for voids or lookups only, or not at all: a provision may have been processed.
    (404, "NOT_FOUND"): ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None),
    (409, "ALREADY_REDEEMED"): ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None),
    (409, "VOID_WINDOW_CLOSED"): ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None),
    (422, "NEW_CODE"): ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None),
    # The right code with another status is not in the table.
    (500, "INVALID_AMOUNT"): ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None),
    (503, "RATE_LIMITED"): ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None),
}
# The same for a void: acknowledged never, refused, or queued with an alert.
VOIDS: dict[tuple[int, str], tuple[str, str | None]] = {
    (400, "INVALID_REQUEST"): ("Pending", "message_refused"),
    (401, "BAD_SIGNATURE"): ("Pending", "credentials_refused"),
    (401, "UNKNOWN_KEY"): ("Pending", "credentials_refused"),
    (401, "STALE_TIMESTAMP"): ("Pending", "credentials_refused"),
    (401, "NONCE_REUSED"): ("Pending", None),
    (409, "ALREADY_REDEEMED"): ("Refused", None),
    (409, "VOID_WINDOW_CLOSED"): ("Refused", None),
    (429, "RATE_LIMITED"): ("Pending", None),
    (503, "MAINTENANCE"): ("Pending", None),
    (404, "NOT_FOUND"): ("Pending", None),
    (409, "REFERENCE_VOIDED"): ("Pending", None),
    (500, "NEW_CODE"): ("Pending", None),
}


def summary(outcome: Outcome) -> tuple[str, str, str | None]:
    assert not isinstance(outcome, Approved)
    return type(outcome).__name__, outcome.error_type, getattr(outcome, "alert", None)


# Signatures


def test_the_worked_example_of_a_post_byte_for_byte() -> None:
    message = canonical(
        "POST", "/partner/v1/vouchers", "1772453716000", "3d9f5b70-64c1-4e8a-b0d2-91a7c45e6f08", ISSUE_BODY
    )
    assert message == (
        b"POST\n/partner/v1/vouchers\n1772453716000\n3d9f5b70-64c1-4e8a-b0d2-91a7c45e6f08\n"
        b"36d16bf9e8720aa2b63e29f49098f2b9c8040fc5cf62f23a58e7b3b517ea8459"
    )
    assert len(message) == 141
    assert signature(SECRET, message) == "4a1996ba84875d3ec8ccd493583a9ae0ac5dc7d583231499c7b444e99932cae7"


def test_the_worked_example_of_a_get_byte_for_byte() -> None:
    target = "/partner/v1/vouchers/by-client-ref/5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13"
    nonce = "a7c0e5b2-0f19-4d63-8b74-5e2d1c9a3f60"
    assert signed_headers("LSK-EXAMPLE", SECRET, "GET", target, SAMPLE_EPOCH_S * 1000, nonce, None) == {
        "X-LS-Key": "LSK-EXAMPLE",
        "X-LS-Timestamp": "1772453716000",
        "X-LS-Nonce": nonce,
        "X-LS-Signature": "38d12bf2a9c121be10a94e7505c3fc887be351c92871ce2c78874a1a29526700",
    }
    assert canonical("GET", target, "1772453716000", nonce, b"").endswith(
        b"\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )


@pytest.mark.parametrize("place", range(5))
def test_every_part_of_the_canonical_string_is_signed(place: int) -> None:
    parts = ["POST", "/partner/v1/vouchers?a=1", "1772453716000", "3d9f5b70-64c1-4e8a-b0d2-91a7c45e6f08", "body"]
    other = [part + "x" if n == place else part for n, part in enumerate(parts)]
    signatures = [signature(SECRET, canonical(a, b, c, d, e.encode())) for a, b, c, d, e in (parts, other)]
    assert signatures[0] != signatures[1]


def test_a_secret_is_signed_with_as_utf_8() -> None:
    assert signature("sécret", b"x") == signature("s\u00e9cret", b"x") != signature("secret", b"x")


# Orders -> bodies


def test_a_provision_is_the_samples_bytes() -> None:
    body = translate.issue_body(provision_order(), "S001")
    assert body == ISSUE_BODY
    assert len(body) == 123


def test_a_void_and_a_lookup() -> None:
    assert translate.void_body(advice_order()) == f'{{"adviceId":"{A1}","reason":"TIMEOUT"}}'.encode()
    assert b'"reason":"CANCELLED"' in translate.void_body(msgspec.structs.replace(advice_order(), reason=None))
    assert translate.lookup_body(CODE) == b'{"code":"73100246891352"}'


# Answers that prove a voucher


@pytest.mark.parametrize("status", [200, 201])
def test_the_samples_voucher_is_an_approval(status: int) -> None:
    expected = Approved(approved_cents=10_000, balance_cents=10_000, voucher=VOUCHER, provider_ref="LSV000000000001")
    assert translate.from_issue(answer(VOUCHER_BODY, status), provision_order(), RULES) == expected
    assert translate.from_resend(answer(VOUCHER_BODY, status), provision_order(), RULES) == expected


def test_a_replay_shows_what_became_of_the_voucher() -> None:
    for state, balance in (("ACTIVE", 10_000), ("REDEEMED", 0)):
        body = changed(VOUCHER_BODY, status=state)
        outcome = translate.from_resend(answer(body), provision_order(), RULES)
        assert isinstance(outcome, Approved)
        assert (outcome.voucher, outcome.balance_cents) == (VOUCHER, balance)
        status = translate.from_status(answer(body), status_order(), RULES)
        assert isinstance(status, Approved)
        assert (status.voucher, status.voucher_state) == (VOUCHER, state)


@pytest.mark.parametrize("state", ["VOIDED", "EXPIRED"])
def test_a_voucher_that_can_no_longer_be_used_is_a_decline(state: str) -> None:
    body = answer(changed(VOUCHER_BODY, status=state))
    expected = Declined(ErrorType.TRANSACTION_DECLINED, provider_message=state)
    assert translate.from_resend(body, provision_order(), RULES) == expected
    assert translate.from_issue(body, provision_order(), RULES) == expected
    assert translate.from_status(body, status_order(), RULES) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"clientTxnId": R2},
        {"clientTxnId": R1.upper()},
        {"clientTxnId": ...},
        {"valueCents": 9_999},
        {"valueCents": "10000"},
        {"valueCents": -10_000},
        {"valueCents": 10**30},
        {"code": ...},
        {"code": None},
        {"code": ""},
        {"code": 73100246891352},
        {"code": "7310024689135"},
        {"code": "731002468913520"},
        {"code": "7310024689135\u0000"},
        {"code": "٧٣١٠٠٢٤٦٨٩١٣٥٢"},
        {"status": "PENDING"},
        {"status": "active"},
        {"status": ...},
        {"status": 1},
    ],
)
def test_a_success_that_fails_a_check_is_unknown_and_alerts(changes: dict[str, Any]) -> None:
    body = answer(changed(VOUCHER_BODY, **changes), 201)
    assert is_bad_answer(translate.from_issue(body, provision_order(), RULES))
    assert is_bad_answer(translate.from_resend(body, provision_order(), RULES))
    found = msgspec.structs.replace(body, status=200)
    assert is_bad_answer(translate.from_status(found, status_order(sent_ms_ago=SETTLED), RULES))


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", b"<html>", b"[" * 100_000, b'{"a":' * 50_000, b"\xff\x00"]
)
def test_a_success_that_cannot_be_read_is_unknown_and_alerts(body: bytes) -> None:
    assert is_bad_answer(translate.from_issue(HttpAnswer(201, body), provision_order(), RULES))
    assert is_bad_answer(translate.from_lookup(HttpAnswer(200, body), lookup_order(), CODE, RULES))
    assert isinstance(translate.from_denominations(HttpAnswer(200, body)), OutcomeUnknown)
    result = translate.from_void(HttpAnswer(200, body), advice_order(), RULES)
    assert isinstance(result, Pending)
    assert result.alert == "bad_answer"


def test_a_strange_serial_or_reference_is_left_out() -> None:
    body = changed(VOUCHER_BODY, serial="88\u00000000", voucherId="x" * 41)
    outcome = translate.from_issue(answer(body, 201), provision_order(), RULES)
    assert isinstance(outcome, Approved)
    assert outcome.provider_ref is None
    assert outcome.voucher is not None
    assert outcome.voucher.serial_number is None


def test_what_we_do_not_know_is_ignored() -> None:
    outcome = translate.from_issue(answer(changed(VOUCHER_BODY, more={"a": [1]}), 201), provision_order(), RULES)
    assert isinstance(outcome, Approved)


# Refusals


@pytest.mark.parametrize(("key", "expected"), REQUESTS.items())
def test_every_code_of_the_table_for_a_provision(key: tuple[int, str], expected: tuple[str, str, str | None]) -> None:
    outcome = translate.from_issue(refusal(*key), provision_order(), RULES)
    assert summary(outcome) == expected
    assert not isinstance(outcome, Approved)
    assert (outcome.provider_code, outcome.provider_message) == (key[1], "No")


@pytest.mark.parametrize(("key", "expected"), REQUESTS.items())
def test_every_code_of_the_table_for_a_lookup(key: tuple[int, str], expected: tuple[str, str, str | None]) -> None:
    if key == (404, "NOT_FOUND"):
        expected = ("Declined", "INVALID_VOUCHER", None)
    assert summary(translate.from_lookup(refusal(*key), lookup_order(), CODE, RULES)) == expected


@pytest.mark.parametrize(("key", "expected"), REQUESTS.items())
def test_a_resend_that_was_not_processed_leaves_the_doubt(
    key: tuple[int, str], expected: tuple[str, str, str | None]
) -> None:
    family = "OutcomeUnknown" if expected[0] == "NotSent" else expected[0]
    assert summary(translate.from_resend(refusal(*key), provision_order(), RULES)) == (family, *expected[1:])


@pytest.mark.parametrize(("key", "expected"), REQUESTS.items())
def test_a_refused_question_says_nothing_about_the_request(
    key: tuple[int, str], expected: tuple[str, str, str | None]
) -> None:
    if key == (404, "NOT_FOUND"):
        return
    outcome = translate.from_status(refusal(*key), status_order(sent_ms_ago=SETTLED), RULES)
    assert summary(outcome) == ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", expected[2])


@pytest.mark.parametrize(("sent_ms_ago", "proved"), [(0, False), (29_999, False), (30_000, True), (10**9, True)])
def test_not_found_is_proof_only_after_the_settle_time(sent_ms_ago: int, proved: bool) -> None:
    outcome = translate.from_status(refusal(404, "NOT_FOUND"), status_order(sent_ms_ago=sent_ms_ago), RULES)
    assert isinstance(outcome, NotSent if proved else OutcomeUnknown)
    assert (outcome.error_type, outcome.provider_code) == (ErrorType.UPSTREAM_UNAVAILABLE, "NOT_FOUND")


@pytest.mark.parametrize("status", [404, 410, 503, 500, 302])
def test_a_404_or_503_of_somebody_else_proves_nothing(status: int) -> None:
    for body in (b"", b"<html>Not found</html>", b'{"error":"NOT_FOUND"}', b'{"code":"MAINTENANCE"}'):
        found = HttpAnswer(status, body)
        unknown = ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None)
        assert summary(translate.from_status(found, status_order(sent_ms_ago=SETTLED), RULES)) == unknown
        assert summary(translate.from_issue(found, provision_order(), RULES)) == unknown
        assert summary(translate.from_lookup(found, lookup_order(), CODE, RULES)) == unknown
        assert isinstance(translate.from_void(found, advice_order(sent_ms_ago=SETTLED), RULES), Pending)


def test_the_settings_map_wins_over_the_table() -> None:
    mapped = Rules(RULES.pin_pattern, {"INVALID_AMOUNT": Meaning(Family.UNKNOWN, ErrorType.GENERAL_ERROR)}, 30_000)
    assert summary(translate.from_issue(refusal(400, "INVALID_AMOUNT"), provision_order(), mapped))[:2] == (
        "OutcomeUnknown",
        "GENERAL_ERROR",
    )
    final = Rules(RULES.pin_pattern, {"NEW_CODE": Meaning(Family.DECLINED, ErrorType.LIMIT_EXCEEDED)}, 30_000)
    assert isinstance(translate.from_void(refusal(409, "NEW_CODE"), advice_order(), final), Refused)


# Voids


def test_a_void_or_a_tombstone_is_acknowledged() -> None:
    for status, word in ((200, "VOIDED"), (202, "TOMBSTONED")):
        body = {"clientTxnId": R1, "status": word}
        assert translate.from_void(answer(body, status), advice_order(), RULES) == Acknowledged()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"clientTxnId": R2, "status": "VOIDED"}),
        (200, {"clientTxnId": R1, "status": "ACTIVE"}),
        (200, {"clientTxnId": R1, "status": "TOMBSTONED"}),
        (202, {"clientTxnId": R1, "status": "VOIDED"}),
        (202, {"clientTxnId": R1}),
        (200, VOUCHER_BODY),
    ],
)
def test_a_void_that_is_not_confirmed_stays_queued(status: int, body: object) -> None:
    result = translate.from_void(answer(body, status), advice_order(sent_ms_ago=SETTLED), RULES)
    assert isinstance(result, Pending)
    assert result.alert == "bad_answer"


@pytest.mark.parametrize(("key", "expected"), VOIDS.items())
def test_every_code_of_the_table_for_a_void(key: tuple[int, str], expected: tuple[str, str | None]) -> None:
    result = translate.from_void(refusal(*key), advice_order(sent_ms_ago=SETTLED), RULES)
    assert isinstance(result, Pending | Refused)
    assert (type(result).__name__, result.alert) == expected
    assert key[1] in (result.cause if isinstance(result, Pending) else result.provider_code or "")


def test_the_samples_refusal_of_a_void() -> None:
    assert translate.from_void(HttpAnswer(409, ERROR_BODY), advice_order(), RULES) == Refused(
        "ALREADY_REDEEMED", "Voucher was spent"
    )


def test_a_refusal_that_quotes_the_voucher_is_kept_without_it() -> None:
    order = advice_order(voucher_code=CODE)
    result = translate.from_void(refusal(409, "ALREADY_REDEEMED", f"Voucher {CODE} was spent"), order, RULES)
    assert CODE not in repr(result)
    lookup = translate.from_lookup(refusal(404, "NOT_FOUND", f"No {CODE}"), lookup_order(), CODE, RULES)
    assert CODE not in repr(lookup)


# Lookup, products, clock


@pytest.mark.parametrize(("state", "worth"), [("ACTIVE", 10_000), ("REDEEMED", 0), ("VOIDED", 0), ("EXPIRED", 0)])
def test_a_lookup_tells_what_the_voucher_is_worth_now(state: str, worth: int) -> None:
    body = {"serial": "880000000001", "valueCents": 10_000, "status": state, "expiresAt": "2029-03-02T23:59:59+02:00"}
    assert translate.from_lookup(answer(body), lookup_order(), CODE, RULES) == Approved(
        approved_cents=worth, balance_cents=worth, voucher=VOUCHER, voucher_state=state
    )


def test_products_are_fixed_denominations() -> None:
    body = {"denominations": [{"cents": 1_000, "productRef": "LS10"}, {"cents": 100_000, "productRef": "LS1000"}]}
    assert translate.from_denominations(answer(body)) == (
        ProviderProduct(product="LS10", name="Lottostar voucher R10.00", fixed=True, amount_cents=1_000),
        ProviderProduct(product="LS1000", name="Lottostar voucher R1000.00", fixed=True, amount_cents=100_000),
    )
    refused = translate.from_denominations(refusal(401, "BAD_SIGNATURE"))
    assert refused == OutcomeUnknown(ErrorType.UPSTREAM_UNAVAILABLE, "BAD_SIGNATURE", "No", alert="credentials_refused")


@pytest.mark.parametrize(
    ("date", "offset_ms"),
    [
        ("Mon, 02 Mar 2026 12:15:16 GMT", 0),
        ("Mon, 02 Mar 2026 12:25:16 GMT", 600_000),
        ("Mon, 02 Mar 2026 12:05:16 GMT", -600_000),
        ("", None),
        ("yesterday", None),
        ("Mon, 99 Mar 2026 12:15:16 GMT", None),
        ("Mon, 02 Mar 99999999999 12:15:16 GMT", None),
        ("\u0000", None),
    ],
)
def test_the_clock_is_set_by_the_date_of_the_refusal(date: str, offset_ms: int | None) -> None:
    stale = HttpAnswer(401, refusal(401, "STALE_TIMESTAMP").body, {"date": date})
    assert translate.is_stale(stale)
    assert translate.clock_offset_ms(stale, SAMPLE_EPOCH_S * 1000) == offset_ms


def test_only_that_refusal_is_about_the_clock() -> None:
    for other in (refusal(400, "STALE_TIMESTAMP"), refusal(401, "BAD_SIGNATURE"), HttpAnswer(401, b"")):
        assert not translate.is_stale(other)
    assert translate.clock_offset_ms(HttpAnswer(401, b""), 0) is None


# Hostile bytes

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["clientTxnId", "status", "code", "valueCents", "error", "denominations"]) | st.text(),
            inner,
        )
    ),
    max_leaves=10,
)


@given(
    status=st.sampled_from([200, 201, 202, 400, 401, 404, 409, 429, 500, 503]),
    body=st.binary() | _json.map(lambda value: msgspec.json.encode(value)),
)
@example(status=201, body=b'{"clientTxnId":"\\ud800"}')
@example(status=404, body=b'{"error":{"code":"\\u0000","message":"\\u0000"}}')
def test_no_answer_makes_a_reader_raise(status: int, body: bytes) -> None:
    found = HttpAnswer(status, body)
    for outcome in (
        translate.from_issue(found, provision_order(), RULES),
        translate.from_resend(found, provision_order(), RULES),
        translate.from_status(found, status_order(), RULES),
        translate.from_lookup(found, lookup_order(), CODE, RULES),
        translate.from_denominations(found),
    ):
        assert not isinstance(outcome, Approved) or outcome.voucher is not None
    translate.from_void(found, advice_order(), RULES)
    translate.is_stale(found)
