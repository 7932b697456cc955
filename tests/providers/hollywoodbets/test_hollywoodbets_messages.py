"""Hollywoodbets' messages without a socket: samples, every line of the code table, hostile bytes, settings."""

import re
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from providers.hollywoodbets.hollywoodbets_support import (
    AUTHORIZATION,
    ISSUE_BODY,
    PIN,
    REFUSAL_BODY,
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
from voucherswitch.providers.contract.connector import ProviderSettingsError
from voucherswitch.providers.contract.families import Family, Meaning
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.hollywoodbets import translate
from voucherswitch.providers.hollywoodbets.connector import connect
from voucherswitch.providers.hollywoodbets.signing import authorization

RULES = Rules(re.compile(r"[0-9]{11}"), {}, settle_ms=30_000)
DAY_MS = 24 * 3_600_000

# The table of the specification, 4.4: code -> family, errorType, alert of a provision and of a lookup.
REQUESTS: dict[str, tuple[str, str, str | None]] = {
    "HB10": ("NotSent", "ROUTING_ERROR", None),
    "HB11": ("Declined", "INVALID_AMOUNT", None),
    "HB12": ("NotSent", "DO_NOT_HONOUR", None),
    "HB13": ("OutcomeUnknown", "DUPLICATE_RECORD", None),
    "HB16": ("NotSent", "DO_NOT_HONOUR", "float_exhausted"),
    "HB20": ("Declined", "INVALID_VOUCHER", None),
    "HB30": ("OutcomeUnknown", "VOUCHER_STATUS_UNKNOWN", None),
    "HB50": ("NotSent", "GENERAL_ERROR", "message_refused"),
    "HB90": ("NotSent", "UPSTREAM_UNAVAILABLE", None),
    "HB99": ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None),
    # Listed for blocks or for a status only, or not at all: a provision may have been processed.
    "HB14": ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None),
    "HB15": ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None),
    "HB40": ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None),
    "HB77": ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None),
    "hb11": ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None),
}
# The same for a block, asked long after the request.
BLOCKS: dict[str, tuple[str, str | None]] = {
    "HB14": ("Refused", None),
    "HB15": ("Refused", None),
    "HB30": ("Pending", None),
    "HB40": ("Acknowledged", None),
    "HB50": ("Pending", "message_refused"),
    "HB90": ("Pending", None),
    "HB99": ("Pending", None),
    "HB10": ("Pending", None),
    "HB13": ("Pending", None),
    "HB77": ("Pending", None),
}


def summary(outcome: Outcome) -> tuple[str, str, str | None]:
    assert not isinstance(outcome, Approved)
    return type(outcome).__name__, outcome.error_type, getattr(outcome, "alert", None)


# Requests


def test_the_worked_example_of_the_credentials() -> None:
    assert authorization("sim-partner", "example-hb-password") == AUTHORIZATION
    # RFC 7617 with charset UTF-8.
    assert authorization("test", "123\u00a3") == "Basic dGVzdDoxMjPCow=="


def test_a_provision_is_the_samples_bytes() -> None:
    body = translate.issue_body(provision_order(), "S001", SAMPLE_EPOCH_S)
    assert body == ISSUE_BODY
    assert len(body) == 140


@pytest.mark.parametrize(("cents", "text"), [(1, "0.01"), (1_000, "10.00"), (100_000, "1000.00"), (123_456, "1234.56")])
def test_a_face_value_is_a_rand_decimal(cents: int, text: str) -> None:
    assert f'"faceValue":"{text}"'.encode() in translate.issue_body(provision_order(amount_cents=cents), "S001", 0)


def test_a_block_and_a_pin_query() -> None:
    assert translate.block_body(advice_order()) == f'{{"adviceId":"{A1}","reason":"TIMEOUT"}}'.encode()
    assert b'"reason":"CANCELLED"' in translate.block_body(msgspec.structs.replace(advice_order(), reason=None))
    assert translate.pin_query_body(PIN) == b'{"pin":"00471203869"}'


# Answers that prove a voucher


def test_the_samples_voucher_is_an_approval_with_its_leading_zeros() -> None:
    expected = Approved(approved_cents=10_000, balance_cents=10_000, voucher=VOUCHER, provider_ref="51000001")
    assert translate.from_issue(answer(VOUCHER_BODY), provision_order(), RULES) == expected
    assert translate.from_resend(answer(VOUCHER_BODY), provision_order(), RULES) == expected
    assert VOUCHER.code == "00471203869"


def test_a_replay_shows_what_became_of_the_voucher() -> None:
    for state, balance in (("UNUSED", 10_000), ("USED", 0)):
        body = answer(changed(VOUCHER_BODY, state=state))
        outcome = translate.from_resend(body, provision_order(), RULES)
        assert isinstance(outcome, Approved)
        assert (outcome.voucher, outcome.balance_cents) == (VOUCHER, balance)
        status = translate.from_status(body, status_order(), RULES)
        assert isinstance(status, Approved)
        assert (status.voucher, status.voucher_state) == (VOUCHER, state)


@pytest.mark.parametrize("state", ["BLOCKED", "LAPSED"])
def test_a_voucher_that_can_no_longer_be_used_is_a_decline(state: str) -> None:
    body = answer(changed(VOUCHER_BODY, state=state))
    expected = Declined(ErrorType.TRANSACTION_DECLINED, provider_message=state)
    assert translate.from_resend(body, provision_order(), RULES) == expected
    assert translate.from_status(body, status_order(), RULES) == expected


@pytest.mark.parametrize("value", ["100.00", "100.0", "100", "100.0000"])
def test_a_face_value_may_be_written_in_every_way_of_the_common_rule(value: str) -> None:
    assert isinstance(
        translate.from_issue(answer(changed(VOUCHER_BODY, faceValue=value)), provision_order(), RULES), Approved
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"partnerRef": R2},
        {"partnerRef": R1.upper()},
        {"partnerRef": ...},
        {"faceValue": "100.01"},
        {"faceValue": "1000.00"},
        {"faceValue": "100.001"},
        {"faceValue": "R100"},
        {"faceValue": ""},
        {"faceValue": 100},
        {"faceValue": 100.0},
        {"faceValue": ...},
        {"pin": ...},
        {"pin": None},
        {"pin": ""},
        {"pin": 471203869},
        {"pin": 47120386900},
        {"pin": "471203869"},
        {"pin": "004712038690"},
        {"pin": "0047120386\u0000"},
        {"pin": "٠٠٤٧١٢٠٣٨٦٩"},
        {"state": "PENDING"},
        {"state": "unused"},
        {"state": ...},
        {"voucherId": "51000001"},
        {"voucherId": -1},
        {"voucherId": 2**63},
        {"resultCode": 0},
        {"resultCode": None},
        {"resultCode": ...},
    ],
)
def test_a_success_that_fails_a_check_is_unknown_and_alerts(changes: dict[str, Any]) -> None:
    body = answer(changed(VOUCHER_BODY, **changes))
    assert is_bad_answer(translate.from_issue(body, provision_order(), RULES))
    assert is_bad_answer(translate.from_resend(body, provision_order(), RULES))
    assert is_bad_answer(translate.from_status(body, status_order(sent_ms_ago=SETTLED), RULES))


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"<html>", b"[" * 100_000, b'{"a":' * 50_000, b"\xff"])
def test_http_200_without_a_result_is_unknown_and_alerts(body: bytes) -> None:
    found = HttpAnswer(200, body)
    assert is_bad_answer(translate.from_issue(found, provision_order(), RULES))
    assert is_bad_answer(translate.from_resend(found, provision_order(), RULES))
    assert is_bad_answer(translate.from_status(found, status_order(sent_ms_ago=SETTLED), RULES))
    assert is_bad_answer(translate.from_pin_query(found, lookup_order(), PIN, RULES))
    products = translate.from_denominations(found, RULES)
    assert isinstance(products, OutcomeUnknown)
    assert products.alert == "bad_answer"
    result = translate.from_block(found, advice_order(sent_ms_ago=SETTLED), RULES)
    assert isinstance(result, Pending)
    assert result.alert == "bad_answer"


def test_a_strange_serial_is_left_out() -> None:
    outcome = translate.from_issue(answer(changed(VOUCHER_BODY, serialNumber="41\u00000")), provision_order(), RULES)
    assert isinstance(outcome, Approved)
    assert outcome.voucher is not None
    assert outcome.voucher.serial_number is None


# Refusals


@pytest.mark.parametrize(("code", "expected"), REQUESTS.items())
def test_every_code_of_the_table_for_a_provision(code: str, expected: tuple[str, str, str | None]) -> None:
    outcome = translate.from_issue(refusal(code, partnerRef=R1), provision_order(), RULES)
    assert summary(outcome) == expected
    assert not isinstance(outcome, Approved)
    assert (outcome.provider_code, outcome.provider_message) == (code, "No")


@pytest.mark.parametrize(("code", "expected"), REQUESTS.items())
def test_every_code_of_the_table_for_a_lookup(code: str, expected: tuple[str, str, str | None]) -> None:
    assert summary(translate.from_pin_query(refusal(code), lookup_order(), PIN, RULES)) == expected


@pytest.mark.parametrize(("code", "expected"), REQUESTS.items())
def test_a_resend_that_was_not_processed_leaves_the_doubt(code: str, expected: tuple[str, str, str | None]) -> None:
    family = "OutcomeUnknown" if expected[0] == "NotSent" else expected[0]
    assert summary(translate.from_resend(refusal(code), provision_order(), RULES)) == (family, *expected[1:])


@pytest.mark.parametrize(("code", "expected"), REQUESTS.items())
def test_a_refused_question_says_nothing_about_the_request(code: str, expected: tuple[str, str, str | None]) -> None:
    if code == "HB40":
        return
    outcome = translate.from_status(refusal(code), status_order(sent_ms_ago=SETTLED), RULES)
    error_type = expected[1] if expected[0] == "OutcomeUnknown" else "UPSTREAM_UNAVAILABLE"
    assert summary(outcome) == ("OutcomeUnknown", error_type, expected[2])
    assert isinstance(translate.from_denominations(refusal(code), RULES), OutcomeUnknown)


def test_a_refusal_about_another_reference_is_no_refusal_of_ours() -> None:
    other = refusal("HB11", partnerRef=R2)
    assert is_bad_answer(translate.from_issue(other, provision_order(), RULES))
    unknown = refusal("HB40", partnerRef=R2)
    assert is_bad_answer(translate.from_status(unknown, status_order(sent_ms_ago=SETTLED), RULES))
    assert isinstance(translate.from_block(unknown, advice_order(sent_ms_ago=SETTLED), RULES), Pending)


@pytest.mark.parametrize(
    ("sent_ms_ago", "proved"),
    [(0, False), (29_999, False), (30_000, True), (90 * DAY_MS - 1, True), (90 * DAY_MS, False)],
)
def test_not_known_is_proof_from_the_settle_time_until_the_provider_forgets(sent_ms_ago: int, proved: bool) -> None:
    outcome = translate.from_status(refusal("HB40"), status_order(sent_ms_ago=sent_ms_ago), RULES)
    assert isinstance(outcome, NotSent if proved else OutcomeUnknown)
    assert (outcome.error_type, outcome.provider_code) == (ErrorType.UPSTREAM_UNAVAILABLE, "HB40")


@pytest.mark.parametrize("status", [201, 204, 302, 400, 404, 429, 500, 502, 503, 504])
def test_an_answer_that_is_not_http_200_proves_nothing(status: int) -> None:
    for body in (b"", b"<html>", b'{"resultCode":"HB11"}', b'{"resultCode":"HB40"}', VOUCHER_BODY):
        found = HttpAnswer(status, body)
        unknown = OutcomeUnknown(provider_message=f"HTTP {status}")
        assert translate.from_issue(found, provision_order(), RULES) == unknown
        assert translate.from_resend(found, provision_order(), RULES) == unknown
        assert translate.from_status(found, status_order(sent_ms_ago=SETTLED), RULES) == unknown
        assert translate.from_pin_query(found, lookup_order(), PIN, RULES) == unknown
        assert translate.from_denominations(found, RULES) == unknown
        assert translate.from_block(found, advice_order(sent_ms_ago=SETTLED), RULES) == Pending(f"HTTP {status}")


def test_http_401_is_about_our_credentials_whatever_its_body() -> None:
    for body in (b"", b"<html>", VOUCHER_BODY):
        found = HttpAnswer(401, body)
        refused = NotSent(ErrorType.ROUTING_ERROR, "401", "credentials refused", "credentials_refused")
        assert translate.from_issue(found, provision_order(), RULES) == refused
        assert translate.from_pin_query(found, lookup_order(), PIN, RULES) == refused
        in_doubt = ("OutcomeUnknown", "ROUTING_ERROR", "credentials_refused")
        assert summary(translate.from_resend(found, provision_order(), RULES)) == in_doubt
        status = translate.from_status(found, status_order(sent_ms_ago=SETTLED), RULES)
        assert summary(status) == ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", "credentials_refused")
        assert translate.from_block(found, advice_order(), RULES) == Pending(
            "401 credentials refused", "credentials_refused"
        )


def test_the_settings_map_wins_over_the_table() -> None:
    mapped = {
        "HB11": Meaning(Family.UNKNOWN, ErrorType.GENERAL_ERROR),
        "HB77": Meaning(Family.DECLINED, ErrorType.LIMIT_EXCEEDED),
    }
    rules = Rules(RULES.pin_pattern, mapped, 30_000)
    assert summary(translate.from_issue(refusal("HB11"), provision_order(), rules))[:2] == (
        "OutcomeUnknown",
        "GENERAL_ERROR",
    )
    assert isinstance(translate.from_block(refusal("HB77"), advice_order(), rules), Refused)
    assert isinstance(translate.from_block(refusal("HB11"), advice_order(), rules), Pending)


# Blocks


def test_a_block_is_acknowledged() -> None:
    body = {"resultCode": "HB00", "resultText": "OK", "partnerRef": R1, "state": "BLOCKED"}
    assert translate.from_block(answer(body), advice_order(), RULES) == Acknowledged()


@pytest.mark.parametrize(
    "changes",
    [{"partnerRef": R2}, {"partnerRef": ...}, {"state": "UNUSED"}, {"state": ...}, {"state": 1}],
)
def test_a_block_that_is_not_confirmed_stays_queued(changes: dict[str, Any]) -> None:
    body = changed(b'{"resultCode":"HB00","partnerRef":"%b","state":"BLOCKED"}' % R1.encode(), **changes)
    result = translate.from_block(answer(body), advice_order(sent_ms_ago=SETTLED), RULES)
    assert isinstance(result, Pending)
    assert result.alert == "bad_answer"


@pytest.mark.parametrize(("code", "expected"), BLOCKS.items())
def test_every_code_of_the_table_for_a_block(code: str, expected: tuple[str, str | None]) -> None:
    result = translate.from_block(refusal(code, partnerRef=R1), advice_order(sent_ms_ago=SETTLED), RULES)
    assert (type(result).__name__, getattr(result, "alert", None)) == expected


@pytest.mark.parametrize(
    ("sent_ms_ago", "expected"),
    [(0, Pending), (29_999, Pending), (30_000, Acknowledged), (90 * DAY_MS - 1, Acknowledged), (90 * DAY_MS, Refused)],
)
def test_nothing_to_block_is_success_only_after_the_settle_time(
    sent_ms_ago: int, expected: type[Pending | Acknowledged | Refused]
) -> None:
    """No tombstone: the request may still come. And after 90 days nobody remembers whether it came."""
    result = translate.from_block(refusal("HB40"), advice_order(sent_ms_ago=sent_ms_ago), RULES)
    assert isinstance(result, expected)


def test_the_samples_refusal_of_a_block() -> None:
    result = translate.from_block(HttpAnswer(200, REFUSAL_BODY), advice_order(), RULES)
    assert result == Refused("HB14", "Voucher was used, block refused")


def test_a_refusal_that_quotes_the_pin_is_kept_without_it() -> None:
    result = translate.from_block(refusal("HB14", f"PIN {PIN} used"), advice_order(voucher_code=PIN), RULES)
    assert PIN not in repr(result)
    assert PIN not in repr(translate.from_pin_query(refusal("HB20", f"No {PIN}"), lookup_order(), PIN, RULES))
    assert "471203869" not in repr(translate.from_issue(refusal("HB13", "PIN 471203869"), provision_order(), RULES))


# Lookup and products


@pytest.mark.parametrize(("state", "worth"), [("UNUSED", 10_000), ("USED", 0), ("BLOCKED", 0), ("LAPSED", 0)])
def test_a_lookup_tells_what_the_voucher_is_worth_now(state: str, worth: int) -> None:
    body = {
        "resultCode": "HB00",
        "resultText": "OK",
        "serialNumber": "4100000001",
        "faceValue": "100.00",
        "expiryDate": "02/03/2029",
        "state": state,
    }
    assert translate.from_pin_query(answer(body), lookup_order(), PIN, RULES) == Approved(
        approved_cents=worth, balance_cents=worth, voucher=VOUCHER, voucher_state=state
    )
    for wrong in ({"state": "SOLD"}, {"faceValue": "-1.00"}, {"faceValue": "x"}):
        assert is_bad_answer(translate.from_pin_query(answer(body | wrong), lookup_order(), PIN, RULES))


def test_products_are_the_face_values() -> None:
    body = {"resultCode": "HB00", "resultText": "OK", "denominations": ["10.00", "1000.00"]}
    assert translate.from_denominations(answer(body), RULES) == (
        ProviderProduct(product="10.00", name="HollyTopUp R10.00", fixed=True, amount_cents=1_000),
        ProviderProduct(product="1000.00", name="HollyTopUp R1000.00", fixed=True, amount_cents=100_000),
    )
    for wrong in (["0.00"], ["-10.00"], ["ten"], [10], "10.00"):
        found = translate.from_denominations(answer(body | {"denominations": wrong}), RULES)
        assert isinstance(found, OutcomeUnknown)
        assert found.alert == "bad_answer"


# Hostile bytes

_names = st.sampled_from(["resultCode", "partnerRef", "state", "pin", "faceValue", "expiryDate", "denominations"])
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["HB00", R1, "BLOCKED"]),
    lambda inner: st.lists(inner) | st.dictionaries(_names | st.text(), inner),
    max_leaves=12,
)


@given(
    status=st.sampled_from([200, 401, 404, 500, 503]),
    body=st.binary() | _json.map(lambda value: msgspec.json.encode(value)),
)
@example(status=200, body=b'{"resultCode":"\\ud800"}')
@example(status=200, body=b'{"resultCode":"HB00","partnerRef":"%b","faceValue":"9999999999999999"}' % R1.encode())
@example(status=200, body=b'{"resultCode":"HB11","resultText":"\\u0000","partnerRef":1e999}')
def test_no_answer_makes_a_reader_raise(status: int, body: bytes) -> None:
    found = HttpAnswer(status, body)
    for outcome in (
        translate.from_issue(found, provision_order(), RULES),
        translate.from_resend(found, provision_order(), RULES),
        translate.from_status(found, status_order(), RULES),
        translate.from_pin_query(found, lookup_order(), PIN, RULES),
        translate.from_denominations(found, RULES),
    ):
        assert not isinstance(outcome, Approved) or outcome.voucher is not None
    translate.from_block(found, advice_order(), RULES)


# Settings


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"stock_mode": True}, "providers.hwb.stock_mode is not offered"),
        ({"replay_window_s": 86_400}, "providers.hwb.replay_window_s"),
        ({"replay_window_s": -1}, "providers.hwb.replay_window_s"),
        ({"partner": "a:b"}, "providers.hwb.partner"),
        ({"partner": ""}, "providers.hwb.partner"),
        ({"password": ""}, "providers.hwb.password"),
        ({"api_key": "x"}, "providers.hwb.api_key is not a setting"),
        ({"base_url": "http://10.0.0.1"}, "providers.hwb.base_url is a private address"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_one_line(changes: dict[str, object], text: str) -> None:
    settings = {"base_url": "http://127.0.0.1:9104", "partner": "p", "password": "secret-password"} | changes
    with pytest.raises(ProviderSettingsError) as refused:
        connect("hwb", settings)
    assert str(refused.value).startswith(text)
    assert "\n" not in str(refused.value)
    assert "secret-password" not in str(refused.value)
