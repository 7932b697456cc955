"""Flash messages in and out: the samples byte for byte, every code, the checks of B.4. No socket."""

import base64
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.flash.flash_support import (
    ACCOUNT,
    CLIENT_ID,
    CLIENT_SECRET,
    DECLINE,
    KEY,
    PIN,
    PURCHASE_ANSWER,
    PURCHASE_BODY,
    VOUCHER,
    advice_order,
    coded,
    provision_order,
    purchase_answer,
    redeem_order,
    refund_order,
)
from providers.provider_support import A1, R1, R2, R3, SETTLED, answer, is_bad_answer
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
from voucherswitch.message.parties import Store
from voucherswitch.providers.contract.answers import Rules
from voucherswitch.providers.contract.capabilities import Support
from voucherswitch.providers.contract.connector import ProviderSettingsError
from voucherswitch.providers.contract.families import Family, Meaning
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.flash import translate
from voucherswitch.providers.flash.capabilities import CAPABILITIES, capabilities
from voucherswitch.providers.flash.settings import FlashSettings, flash_settings

RULES = Rules(re.compile(r"[0-9]{16}"), {}, settle_ms=30_000)
SENT_AT = "2026-03-02T12:15:16.000Z"
SETTINGS: dict[str, object] = {"base_url": "http://127.0.0.1:9109", "api_key": KEY, "account_number": ACCOUNT}

# providers.md 9.4
REQUEST_CODES: list[tuple[str, type[Outcome], ErrorType, str | None]] = [
    ("7001", NotSent, ErrorType.GENERAL_ERROR, "message_refused"),
    ("7002", Declined, ErrorType.INVALID_AMOUNT, None),
    ("7003", NotSent, ErrorType.ROUTING_ERROR, None),
    ("7004", NotSent, ErrorType.ROUTING_ERROR, None),
    ("7005", NotSent, ErrorType.DO_NOT_HONOUR, "float_exhausted"),
    ("7006", NotSent, ErrorType.DO_NOT_HONOUR, None),
    ("7101", Declined, ErrorType.INVALID_VOUCHER, None),
    ("7103", Declined, ErrorType.VOUCHER_ALREADY_REDEEMED, None),
    ("7104", Declined, ErrorType.VOUCHER_NOT_REDEEMABLE, None),
    ("7105", Declined, ErrorType.VOUCHER_NOT_REDEEMABLE, None),
    ("7106", Declined, ErrorType.INSUFFICIENT_FUNDS, None),
    ("7201", OutcomeUnknown, ErrorType.DUPLICATE_RECORD, None),
    ("7202", OutcomeUnknown, ErrorType.VOUCHER_STATUS_UNKNOWN, None),
    ("7901", NotSent, ErrorType.UPSTREAM_UNAVAILABLE, None),
    ("7999", OutcomeUnknown, ErrorType.UPSTREAM_UNAVAILABLE, None),
    # Not in the table.
    ("7102", OutcomeUnknown, ErrorType.UPSTREAM_UNAVAILABLE, None),
    ("7301", OutcomeUnknown, ErrorType.UPSTREAM_UNAVAILABLE, None),
    ("7302", OutcomeUnknown, ErrorType.UPSTREAM_UNAVAILABLE, None),
    ("1", OutcomeUnknown, ErrorType.UPSTREAM_UNAVAILABLE, None),
    ("-1", OutcomeUnknown, ErrorType.UPSTREAM_UNAVAILABLE, None),
]


def purchased(given_answer: HttpAnswer, rules: Rules = RULES) -> Outcome:
    return translate.from_purchase(given_answer, provision_order(), rules, SENT_AT)


def resent(given_answer: HttpAnswer, rules: Rules = RULES) -> Outcome:
    return translate.from_resent_purchase(given_answer, provision_order(), rules, SENT_AT)


def redeemed(given_answer: HttpAnswer, cents: int = 4_000, rules: Rules = RULES) -> Outcome:
    return translate.from_redemption(given_answer, redeem_order(amount_cents=cents), rules)


def redemption_answer(**more: object) -> HttpAnswer:
    common = {"responseCode": 0, "reference": R2, "amount": 4_000, "transactionId": "9000000002"}
    return answer({name: value for name, value in (common | more).items() if value is not ...})


CHANGE = {"amount": 6_000, "expiryDate": "2029-03-02T23:59:59+02:00", "pin": "1111222233334445"}


# Settings and record


def test_the_worked_example_of_the_key_is_sent_as_it_is() -> None:
    encoded = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    assert encoded == KEY == "c2ltLWNsaWVudC1pZDpleGFtcGxlLWZsYXNoLXNlY3JldA=="


def test_the_defaults_are_the_sections() -> None:
    settings = flash_settings("flash", SETTINGS)
    assert (settings.api_path, settings.replay_window_s) == ("/aggregation/4.0", 1_740)
    assert (settings.connect_timeout_ms, settings.read_timeout_ms, settings.total_timeout_ms) == (3_000, 30_000, 32_000)
    assert (settings.refund_enabled, settings.reverse_enabled, settings.renew_once) == (False, False, True)
    assert settings.pin_pattern == "[0-9]{16}"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"account_number": "0000000000000001"}, "account_number"),
        ({"account_number": "0000-0000-0000-00011"}, "account_number"),
        ({"replay_window_s": 1_741}, "replay_window_s"),
        ({"replay_window_s": -1}, "replay_window_s"),
        ({"api_key": "with space"}, "api_key"),
        ({"outlet_map": {"m": "S-001"}}, "outlet_map.m"),
        ({"outlet_map": {"m": "S" * 21}}, "outlet_map.m"),
        ({"default_outlet": "S 1"}, "default_outlet"),
        ({"refund_enabled": "yes"}, "refund_enabled"),
        ({"refunds_enabled": True}, "refunds_enabled"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ProviderSettingsError) as refused:
        flash_settings("flash", SETTINGS | changes)
    assert f"providers.flash.{problem}" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert KEY not in str(refused.value)


def test_the_record_follows_the_flags() -> None:
    off = FlashSettings(**SETTINGS)  # type: ignore[arg-type]
    assert capabilities(off) == CAPABILITIES
    assert (CAPABILITIES.refund, CAPABILITIES.reverse) == (Support.NONE, Support.CONSUME)
    assert (CAPABILITIES.status, CAPABILITIES.lookup, CAPABILITIES.redeem_status) == (Support.NONE,) * 3
    assert CAPABILITIES.partial_redeem
    on = capabilities(FlashSettings(**SETTINGS, refund_enabled=True, reverse_enabled=True))  # type: ignore[arg-type]
    assert (on.refund, on.reverse) == (Support.NATIVE, Support.NATIVE)
    assert msgspec.structs.replace(on, refund=Support.NONE, reverse=Support.CONSUME) == CAPABILITIES


# Orders -> messages


def test_a_purchase_is_the_samples_bytes() -> None:
    message = translate.purchase(provision_order(), ACCOUNT, "S001")
    assert message == translate.Message("/1voucher/purchase", PURCHASE_BODY)
    assert len(PURCHASE_BODY) == 133


def test_a_gift_purchase_says_product_store_and_till() -> None:
    message = translate.purchase(provision_order(product="gift:301", amount_cents=5_000), ACCOUNT, "S001")
    assert message is not None
    assert message.path == "/gift-vouchers/purchase"
    assert message.body == (
        b'{"reference":"5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13","accountNumber":"0000-0000-0000-0001","amount":5000,'
        b'"metadata":{"store":"S001"},"productCode":301,"storeId":"S001","terminalId":"TERM0001"}'
    )


@pytest.mark.parametrize("product", ["", "1Voucher", "1voucher ", "gift:", "gift:x", "gift:-1", "gift:1234567890", "2"])
def test_another_product_reference_is_none_of_flashs(product: str) -> None:
    assert translate.purchase(provision_order(product=product), ACCOUNT, "S001") is None


def test_a_redemption_says_pin_amount_and_place() -> None:
    message = translate.redemption(redeem_order(amount_cents=4_000, msisdn="27821234567"), ACCOUNT, "S001")
    assert message == translate.Message(
        "/1voucher/redeem",
        b'{"reference":"c2d47e08-1a6b-4f35-8e90-7b1d3a5c9f24","accountNumber":"0000-0000-0000-0001",'
        b'"pin":"1111222233334444","amount":4000,"mobileNumber":"27821234567","storeId":"S001","terminalId":"TERM0001"}',
    )


@pytest.mark.parametrize("msisdn", [None, "", "0821234567", "+27821234567", "2782123456", "278212345678"])
def test_a_number_of_another_shape_is_left_out(msisdn: str | None) -> None:
    assert b"mobileNumber" not in translate.redemption(redeem_order(msisdn=msisdn), ACCOUNT, "S001").body


def test_a_tills_id_goes_in_the_characters_that_flash_takes() -> None:
    odd = Store(merchant_id="m", terminal_id="A-1 é/9x")
    assert b'"terminalId":"A19x"' in translate.redemption(redeem_order(store=odd), ACCOUNT, "S001").body
    none = Store(merchant_id="m", terminal_id="--------")
    assert b"terminalId" not in translate.redemption(redeem_order(store=none), ACCOUNT, "S001").body
    assert translate.purchase(provision_order(product="gift:301", store=none), ACCOUNT, "S001") is None


def test_a_refund_and_a_reversal() -> None:
    assert translate.refund(refund_order(amount_cents=4_000), ACCOUNT, "S001") == translate.Message(
        "/1voucher/refund",
        b'{"reference":"8a0e6d51-3c97-4b28-b5f4-e16a2d7c0935","accountNumber":"0000-0000-0000-0001","amount":4000,'
        b'"metadata":{"store":"S001"}}',
    )
    reversal = translate.Message(
        "/1voucher/reverse",
        b'{"reference":"e47b90c3-52d8-4a1f-9c06-0f8d6b3e2a71",'
        b'"originalReference":"5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13"}',
    )
    assert translate.reversal(advice_order()) == reversal
    assert translate.reversal(advice_order(product=None)) == reversal
    assert translate.reversal(advice_order(product="gift:301")) is None


# Answers -> outcomes


def test_the_sample_is_approved() -> None:
    assert purchased(answer(PURCHASE_ANSWER)) == Approved(
        approved_cents=10_000,
        voucher=VOUCHER,
        provider_ref="9000000001",
        refs={"transactionId": "9000000001", "firstSentAt": SENT_AT},
    )
    # As printed, over three lines.
    printed = PURCHASE_ANSWER.replace(b',"transactionDate"', b',\n "transactionDate"')
    assert purchased(answer(printed)) == purchased(answer(PURCHASE_ANSWER))
    assert purchased(answer(PURCHASE_ANSWER, status=201)) == purchased(answer(PURCHASE_ANSWER))


def test_the_samples_decline() -> None:
    order = redeem_order(request_id="c2d47e08-1a6b-4f35-8e90-7b1d3a5c9f24")
    assert translate.from_redemption(answer(DECLINE), order, RULES) == Declined(
        ErrorType.VOUCHER_ALREADY_REDEEMED, "7103", "Voucher already used"
    )


@pytest.mark.parametrize(("code", "family", "error_type", "alert"), REQUEST_CODES)
def test_every_code_of_a_request(code: str, family: type[Outcome], error_type: ErrorType, alert: str | None) -> None:
    refund = translate.from_refund(coded(int(code)), refund_order(), RULES)
    for outcome in (purchased(coded(int(code))), redeemed(coded(int(code))), refund):
        assert isinstance(outcome, Declined | NotSent | OutcomeUnknown)
        assert type(outcome) is family
        assert (outcome.error_type, outcome.provider_code, outcome.provider_message) == (error_type, code, "No")
        assert getattr(outcome, "alert", None) == alert


@pytest.mark.parametrize(("code", "family", "error_type", "alert"), REQUEST_CODES)
def test_a_resend_that_was_not_processed_proves_nothing(
    code: str, family: type[Outcome], error_type: ErrorType, alert: str | None
) -> None:
    outcome = resent(coded(int(code)))
    assert isinstance(outcome, Declined | OutcomeUnknown)
    assert type(outcome) is (OutcomeUnknown if family is NotSent else family)
    assert outcome.error_type is error_type


@pytest.mark.parametrize(
    ("code", "before", "after"),
    [
        ("7301", Pending, Acknowledged),
        ("7302", Refused, Refused),
        ("7001", Pending, Pending),
        ("7004", Pending, Pending),
        ("7103", Pending, Pending),
        ("7901", Pending, Pending),
        ("7999", Pending, Pending),
        ("7888", Pending, Pending),
    ],
)
def test_every_code_of_a_reversal(code: str, before: type, after: type) -> None:
    for sent_ms_ago, kind in ((29_999, before), (30_000, after)):
        result = translate.from_reversal(coded(int(code)), advice_order(sent_ms_ago=sent_ms_ago), RULES)
        assert type(result) is kind
    assert translate.from_reversal(coded(7001), advice_order(), RULES) == Pending("7001 No", "message_refused")


def test_the_settings_code_map_wins() -> None:
    mapped = Rules(
        RULES.pin_pattern,
        {
            "7002": Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR),
            "2401": Meaning(Family.DECLINED, ErrorType.LIMIT_EXCEEDED),
        },
        30_000,
    )
    assert purchased(coded(7002), mapped) == NotSent(ErrorType.ROUTING_ERROR, "7002", "No")
    for status in (200, 400, 422):
        assert purchased(answer({"responseCode": 2401}, status), mapped) == Declined(
            ErrorType.LIMIT_EXCEEDED, "2401", f"HTTP {status}"
        )
    reversal = translate.from_reversal(coded(2401), advice_order(), mapped)
    assert isinstance(reversal, Refused)
    # What a machine on the way may have said proves nothing.
    for status in (302, 500, 502, 503, 504):
        assert isinstance(purchased(answer({"responseCode": 2401}, status), mapped), OutcomeUnknown)
        assert isinstance(
            translate.from_reversal(answer({"responseCode": 2401}, status), advice_order(), mapped), Pending
        )


def test_a_code_counts_only_in_a_success_of_http() -> None:
    for status in (302, 400, 404, 409, 418, 422, 429, 500, 502, 503, 504):
        for code in (0, 7002, 7901):
            outcome = purchased(answer({"responseCode": code, "reference": R1}, status))
            assert outcome == OutcomeUnknown(ErrorType.UPSTREAM_UNAVAILABLE, str(code), f"HTTP {status}")
        assert purchased(answer(b"<html>", status)) == OutcomeUnknown(provider_message=f"HTTP {status}")
        assert isinstance(translate.from_reversal(answer(DECLINE, status), advice_order(), RULES), Pending)


def test_refused_credentials_are_not_sent_and_a_routing_error() -> None:
    for status in (401, 403):
        assert purchased(answer(b"", status)) == NotSent(
            ErrorType.ROUTING_ERROR, None, f"HTTP {status}", alert="credentials_refused"
        )
        assert resent(answer(b"", status)) == OutcomeUnknown(
            ErrorType.ROUTING_ERROR, None, f"HTTP {status}", alert="credentials_refused"
        )
        result = translate.from_reversal(answer(b"", status), advice_order(sent_ms_ago=SETTLED), RULES)
        assert result == Pending(f"HTTP {status}", "credentials_refused")


@pytest.mark.parametrize(
    "changes",
    [
        {"reference": R2},
        {"reference": R1.upper()},
        {"reference": ...},
        {"reference": None},
        {"amount": 10_001},
        {"amount": ...},
        {"amount": "10000"},
        {"amount": 10_000.5},
        {"responseCode": ...},
        {"responseCode": "0"},
        {"responseCode": False},
        {"responseCode": 10**9},
        {"voucher": None},
        {"voucher": ...},
        {"voucher": "1111222233334444"},
        {"voucher": []},
        {"voucher": {"amount": 9_999}},
        {"voucher": {"amount": ...}},
        {"voucher": {"pin": ...}},
        {"voucher": {"pin": None}},
        {"voucher": {"pin": 1111222233334444}},
        {"voucher": {"pin": "111122223333444"}},
        {"voucher": {"pin": "11112222333344445"}},
        {"voucher": {"pin": "1111222233334444\n"}},
        {"voucher": {"pin": "#111222233334444"}},
        {"voucher": {"status": "Cancelled"}},
        {"voucher": {"status": "REVERSED"}},
        {"transactionId": 9000000001},
    ],
)
def test_a_success_that_fails_a_check_proves_nothing(changes: dict[str, Any]) -> None:
    assert is_bad_answer(purchased(purchase_answer(**changes)))


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"7", b'"x"', b"{", b"[" * 10_000, b'{"a":' * 10_000, b"\x00", b"\xff\xfe", b"<html></html>"],
)
def test_a_success_that_cannot_be_read_proves_nothing(body: bytes) -> None:
    assert is_bad_answer(purchased(answer(body)))
    assert is_bad_answer(resent(answer(body)))
    assert is_bad_answer(redeemed(answer(body)))
    assert is_bad_answer(translate.from_reversal(answer(body), advice_order(), RULES))
    assert is_bad_answer(translate.from_products(answer(body)))


def test_a_decline_of_another_request_declines_nothing() -> None:
    assert is_bad_answer(purchased(coded(7002, reference=R2)))
    assert isinstance(purchased(coded(7002, reference=R1)), Declined)


def test_what_is_unknown_or_missing_besides_does_not_matter() -> None:
    outcome = purchased(
        purchase_answer(newField={"x": [1]}, transactionId=..., voucher={"status": ..., "content": ...})
    )
    assert isinstance(outcome, Approved)
    assert outcome.refs == {"firstSentAt": SENT_AT}
    assert outcome.provider_ref is None
    assert outcome.voucher == msgspec.structs.replace(VOUCHER, instructions=())
    odd = purchased(purchase_answer(voucher={"serialNumber": "a\x00b", "expiryDate": None}))
    assert isinstance(odd, Approved)
    assert odd.voucher == msgspec.structs.replace(VOUCHER, serial_number=None, expires_at=None)


@pytest.mark.parametrize("status", ["Cancelled", "CANCELLED", "Reversed", "Blocked"])
def test_a_replay_of_a_voucher_that_is_gone_is_declined(status: str) -> None:
    outcome = resent(purchase_answer(voucher={"status": status}))
    assert outcome == Declined(ErrorType.TRANSACTION_DECLINED, provider_message=status)
    assert isinstance(resent(answer(PURCHASE_ANSWER)), Approved)


def test_a_whole_redemption_has_no_voucher() -> None:
    expected = Approved(approved_cents=4_000, balance_cents=0, provider_ref="9000000002")
    for part in (..., None, {}, {"amount": 0}):
        assert redeemed(redemption_answer(voucher=part)) == expected


def test_the_change_of_a_partial_redemption_is_its_voucher() -> None:
    outcome = redeemed(redemption_answer(voucher=CHANGE))
    assert isinstance(outcome, Approved)
    # The old voucher is used up: the rest of its value is in the new one.
    assert (outcome.approved_cents, outcome.balance_cents) == (4_000, 0)
    assert outcome.voucher is not None
    assert (outcome.voucher.code, outcome.voucher.value_cents) == ("1111222233334445", 6_000)
    assert "1111222233334445" not in repr(outcome.refs)


@pytest.mark.parametrize(
    "part",
    [
        CHANGE | {"pin": None},
        CHANGE | {"pin": "#111222233334445"},
        CHANGE | {"amount": 0},
        CHANGE | {"amount": None},
        CHANGE | {"amount": -1},
    ],
)
def test_change_that_cannot_be_spent_proves_nothing(part: dict[str, Any]) -> None:
    assert is_bad_answer(redeemed(redemption_answer(voucher=part)))


def test_a_redemption_of_another_amount_or_request_proves_nothing() -> None:
    assert is_bad_answer(redeemed(redemption_answer(amount=4_001)))
    assert is_bad_answer(redeemed(redemption_answer(reference=R1)))
    assert is_bad_answer(redeemed(redemption_answer(reference=...)))


def test_a_refund_brings_a_fresh_voucher() -> None:
    fresh = purchase_answer(reference=R3)
    assert translate.from_refund(fresh, refund_order(), RULES) == Approved(
        approved_cents=10_000, voucher=VOUCHER, provider_ref="9000000001"
    )
    for wrong in (
        purchase_answer(reference=R2),
        purchase_answer(reference=R3, amount=1),
        purchase_answer(reference=R3, voucher=None),
    ):
        assert is_bad_answer(translate.from_refund(wrong, refund_order(), RULES))


def test_a_reversal_is_acknowledged_only_as_itself() -> None:
    assert translate.from_reversal(coded(0, reference=A1), advice_order(), RULES) == Acknowledged()
    assert is_bad_answer(translate.from_reversal(coded(0, reference=R1), advice_order(), RULES))
    assert is_bad_answer(translate.from_reversal(coded(0), advice_order(), RULES))


def test_only_active_products_are_sold() -> None:
    def product(code: int, low: int, high: int, status: str = "Active") -> dict[str, object]:
        name = f"P{code}"
        return {"productCode": code, "productName": name, "minimumAmount": low, "maximumAmount": high, "status": status}

    listed = [product(1, 100, 400_000), product(301, 5_000, 5_000), product(9, 1, 2, "Suspended")]
    assert translate.from_products(answer({"responseCode": 0, "products": listed})) == (
        ProviderProduct(product="1voucher", name="P1", fixed=False, min_cents=100, max_cents=400_000),
        ProviderProduct(product="gift:301", name="P301", fixed=True, amount_cents=5_000),
    )
    assert translate.from_products(answer({"responseCode": 0})) == ()
    assert is_bad_answer(translate.from_products(answer({"responseCode": 0, "products": [product(2, 9, 1)]})))
    assert is_bad_answer(translate.from_products(answer({"responseCode": 0, "products": [product(2, -9, 1)]})))
    assert translate.from_products(coded(7004)) == OutcomeUnknown(provider_code="7004", provider_message="No")
    assert translate.from_products(answer(b"", 503)) == OutcomeUnknown(provider_message="HTTP 503")
    assert translate.from_products(answer(b"", 403)) == OutcomeUnknown(
        provider_message="HTTP 403", alert="credentials_refused"
    )


def test_a_quoted_pin_does_not_travel_on_in_an_error() -> None:
    for text in (f"PIN {PIN} is odd", "PIN 1111 2222 3333 4444 is odd"):
        outcome = redeemed(answer({"responseCode": 7103, "responseMessage": text}))
        assert isinstance(outcome, Declined)
        assert outcome.provider_message == "PIN *** is odd"


# Hostile answers

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = st.sampled_from(
    ["responseCode", "responseMessage", "reference", "amount", "transactionId", "voucher", "products", "accountNumber"]
)
_STATUSES = st.sampled_from([200, 201, 204, 302, 400, 401, 403, 404, 500, 503])


def _read_all(given_answer: HttpAnswer) -> None:
    outcomes: list[object] = [
        purchased(given_answer),
        resent(given_answer),
        redeemed(given_answer),
        translate.from_refund(given_answer, refund_order(), RULES),
        translate.from_reversal(given_answer, advice_order(), RULES),
        translate.from_products(given_answer),
    ]
    for outcome in outcomes:
        repr(outcome)
        if isinstance(outcome, Approved):
            assert given_answer.status in (200, 201, 204)
            assert outcome.approved_cents in (10_000, 4_000)


@given(_STATUSES, st.binary(max_size=200))
def test_no_bytes_raise(status: int, body: bytes) -> None:
    _read_all(HttpAnswer(status, body))


@given(_STATUSES, st.dictionaries(_FIELDS, _JSON, max_size=6), st.booleans())
def test_no_json_raises(status: int, changes: dict[str, Any], over_sample: bool) -> None:
    sample = msgspec.json.decode(PURCHASE_ANSWER) if over_sample else {}
    _read_all(HttpAnswer(status, msgspec.json.encode(sample | changes)))


@given(st.dictionaries(st.sampled_from(["amount", "expiryDate", "pin", "serialNumber", "status", "content"]), _JSON))
def test_no_voucher_raises(part: dict[str, Any]) -> None:
    body = msgspec.json.decode(PURCHASE_ANSWER)
    body["voucher"] |= part
    _read_all(HttpAnswer(200, msgspec.json.encode(body)))
    _read_all(HttpAnswer(200, msgspec.json.encode(body | {"reference": R2, "amount": 4_000})))


@given(st.integers(min_value=0, max_value=len(PURCHASE_ANSWER) - 1))
def test_an_answer_cut_anywhere_proves_nothing(size: int) -> None:
    assert is_bad_answer(purchased(answer(PURCHASE_ANSWER[:size])))
    digits = PURCHASE_ANSWER.replace(b":10000,", b":" + b"9" * (size * 20 + 1) + b",", 1)
    assert is_bad_answer(purchased(answer(digits)))


def test_an_infinite_or_nested_answer_does_not_raise() -> None:
    for body in (
        b'{"responseCode":1e400}',
        b'{"responseCode":0,"voucher":' * 3_000,
        b'{"responseCode":0,"amount":-0.0}',
    ):
        _read_all(HttpAnswer(200, body))
