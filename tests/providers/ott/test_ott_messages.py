"""OTT's messages and answers, without a socket: the samples byte for byte, every code, and what proves nothing."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.ott.ott_support import (
    FAILED,
    FOUND,
    GET_VOUCHER,
    ISSUED,
    KEY,
    MOBILE,
    PIN,
    REDEEMED,
    REFS,
    REMIT_VOUCHER,
    REMITTED,
    SAMPLE_AUTHORIZATION,
    SERIAL,
    SOLD,
    failure,
    issued_with,
    lookup_order,
    provision_order,
    redeem_order,
)
from providers.provider_support import R1, R2, SETTLED, STORE, advice_order, answer, changed, status_order
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import (
    Acknowledged,
    Approved,
    Declined,
    NotSent,
    OutcomeUnknown,
    Pending,
    Refused,
)
from voucherswitch.message.parties import Store
from voucherswitch.providers.contract.answers import BadAnswer, rules_of
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.ott import translate
from voucherswitch.providers.ott.settings import OttSettings
from voucherswitch.providers.ott.signing import basic, hash_of, signed_form

SETTINGS: dict[str, Any] = {
    "base_url": "http://127.0.0.1:1",
    "api_user": "u",
    "api_password": "p",
    "api_key": "k",
    "vendor_code": "11",
    "vendor_id": "22",
}


def rules(**more: Any) -> Any:
    return rules_of(msgspec.convert(SETTINGS | more, OttSettings))


RULES = rules()


# The hash and the form


def test_the_worked_examples_hash_to_the_printed_values() -> None:
    get_voucher = {
        "vendorCode": "11",
        "value": "100.00",
        "uniqueReference": R1,
        "till": "TERM0001",
        "cashier": "C07",
        "branch": "S001",
    }
    remit = {"vendorID": "22", "uniqueReference": R2, "pin": PIN, "mobile": MOBILE, "amount": "100.00"}
    assert hash_of(get_voucher, KEY) == "05c9f53ef5e6063d76ea2c77a0c9992b158ab9821474391189acf17d74e1c355"
    assert hash_of(remit, KEY) == "a4b30b52113d77308c032a95cde7c8f3cbd7cc681390e5ba124fbef6b0918497"
    for key in ("EXAMPLE-KEY-0002", "example-key-0001", ""):
        assert hash_of(remit, key) != hash_of(remit, KEY)


def test_the_hash_is_over_values_by_the_ascii_order_of_names_not_of_arrival_or_value() -> None:
    assert hash_of({"b": "1", "a": "2", "B": "3"}, "K") == hash_of({"x": "K321"}, "")
    assert hash_of({"voucherPIN": "9", "vendorID": "1"}, "K") == hash_of({"x": "K19"}, "")


def test_the_samples_bodies_byte_for_byte() -> None:
    sale = signed_form(translate.get_voucher(provision_order(), "S001", "11", send_sms=False), KEY)
    assert (sale, len(sale)) == (GET_VOUCHER, 187)
    remit = signed_form(translate.remit_voucher(redeem_order(), "22", MOBILE), KEY)
    assert (remit, len(remit)) == (REMIT_VOUCHER, 184)
    assert basic("sim-api-user", "example-ott-password") == f"Basic {SAMPLE_AUTHORIZATION}"


def test_the_hash_is_over_the_raw_values_before_form_encoding() -> None:
    body = signed_form({"cashier": "Zoë & Co", "branch": "S 1"}, "K")
    assert body == b"branch=S+1&cashier=Zo%C3%AB+%26+Co&hash=" + hash_of({"x": "KS 1Zoë & Co"}, "").encode()


def test_an_optional_parameter_without_value_is_neither_sent_nor_hashed() -> None:
    assert signed_form({"a": "1", "b": ""}, "K") == signed_form({"a": "1"}, "K")
    without = translate.remit_voucher(redeem_order(), "22", "")
    assert b"mobile" not in signed_form(without, KEY)


def test_the_hash_parameter_can_have_another_name() -> None:
    assert signed_form({"z": "1"}, "K", "checksum") == b"z=1&checksum=" + hash_of({"z": "1"}, "K").encode()


def test_a_cashier_without_name_is_c00_and_an_sms_goes_only_to_the_customers_own_mobile() -> None:
    order = provision_order(store=Store("m", "TERM0001"), msisdn=MOBILE)
    assert translate.get_voucher(order, "S001", "11", send_sms=True) == {
        "branch": "S001",
        "cashier": "C00",
        "till": "TERM0001",
        "uniqueReference": R1,
        "value": "100.00",
        "vendorCode": "11",
        "mobileForSMS": MOBILE,
    }
    assert translate.get_voucher(order, "S001", "11", send_sms=False)["mobileForSMS"] == ""
    assert translate.get_voucher(provision_order(store=STORE), "S001", "11", send_sms=True)["mobileForSMS"] == ""


# Success


def test_the_samples_answers() -> None:
    assert translate.from_provision(answer(ISSUED), provision_order(), RULES) == SOLD
    assert translate.from_status(answer(ISSUED), status_order(), RULES) == SOLD
    assert translate.from_redeem(answer(REMITTED), redeem_order(), RULES) == REDEEMED
    assert translate.from_redeem_status(answer(REMITTED), status_order(R2), RULES) == REDEEMED
    found = translate.from_lookup(answer(FOUND), lookup_order(), RULES)
    assert isinstance(found, Approved)
    assert (found.approved_cents, found.balance_cents, found.provider_ref) == (10_000, 10_000, "7000001")
    assert found.voucher is not None
    assert (found.voucher.code, found.voucher.serial_number) == (PIN, SERIAL)
    assert translate.from_provision(answer(FAILED, 201), provision_order(), RULES) == Declined(
        ErrorType.INVALID_AMOUNT, "3", "No product for value"
    )


@pytest.mark.parametrize(
    ("written", "cents"),
    [
        (b"100.0000", 10_000),
        (b"100", 10_000),
        (b"100.5", 10_050),
        (b"0.0000", 0),
        (b'"100.00"', 10_000),
        (b'"1,234.50"', 123_450),
        (b'"1,234,567.8900"', 123_456_789),
        (b'"-0.50"', -50),
    ],
)
def test_amounts_come_as_numbers_and_as_grouped_text(written: bytes, cents: int) -> None:
    assert translate.written_cents(msgspec.Raw(written)) == cents


@pytest.mark.parametrize(
    "written",
    [
        *(
            b"100.001",
            b"100.00001",
            b'"100.001"',
            b"1e2",
            b"1E+2",
            b'"1e2"',
            b'"1,00.00"',
            b'"12,34.00"',
            b'""',
            b'" 1"',
        ),
        *(
            b"null",
            b"true",
            b"{}",
            b"[]",
            b'"NaN"',
            b'"Infinity"',
            b'"R100.00"',
            b"9" * 400,
            b'"\\ud800"',
            b'"1\\u0000"',
        ),
    ],
)
def test_what_is_no_amount_is_a_bad_answer(written: bytes) -> None:
    with pytest.raises(BadAnswer):
        translate.written_cents(msgspec.Raw(written))


def test_an_expiry_that_is_a_date_lasts_to_the_end_of_that_day() -> None:
    outcome = translate.from_provision(answer(issued_with(expiryDate="2029-03-02")), provision_order(), RULES)
    assert isinstance(outcome, Approved)
    assert outcome.voucher is not None
    assert outcome.voucher.expires_at == "2029-03-02T21:59:59.000Z"


def test_ids_may_be_text_and_one_that_cannot_be_kept_is_left_out() -> None:
    body = issued_with(voucherID="V-1", saleID="\x00\u2028", serialNumber="9" * 41, instructions="")
    outcome = translate.from_provision(answer(body), provision_order(), RULES)
    assert isinstance(outcome, Approved)
    assert (outcome.provider_ref, outcome.refs) == ("V-1", {"voucherID": "V-1"})
    assert outcome.voucher is not None
    assert (outcome.voucher.serial_number, outcome.voucher.instructions) == (None, ())


def test_a_redemption_of_all_there_is_takes_what_the_answer_says() -> None:
    assert translate.remit_voucher(redeem_order(amount_cents=0), "22", "")["amount"] == "0.00"
    body = changed(REMITTED, voucherAmount="1,250.00", voucherBalance=...)
    outcome = translate.from_redeem(answer(body), redeem_order(amount_cents=0), RULES)
    assert isinstance(outcome, Approved)
    assert (outcome.approved_cents, outcome.balance_cents) == (125_000, 0)
    nothing = translate.from_redeem(
        answer(changed(REMITTED, voucherAmount="0.00")), redeem_order(amount_cents=0), RULES
    )
    assert isinstance(nothing, OutcomeUnknown)


# Success that proves nothing


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"[]", b'"true"', b"{", b"\xff\xfe", b"[" * 100_000, b'{"success":"true"}'),
        changed(ISSUED, success=True),
        changed(ISSUED, success="True"),
        changed(ISSUED, success="false"),
        changed(ISSUED, success=1),
        changed(ISSUED, voucher=None),
        changed(ISSUED, voucher=""),
        changed(ISSUED, voucher="{"),
        changed(ISSUED, voucher="[]"),
        changed(ISSUED, voucher=msgspec.json.decode(msgspec.json.decode(ISSUED)["voucher"])),
        changed(ISSUED, voucher=msgspec.json.encode(msgspec.json.decode(ISSUED)["voucher"]).decode()),
        changed(ISSUED, voucher="[" * 10_000),
        issued_with(amount=...),
        issued_with(amount=100.01),
        issued_with(amount="1,000.00"),
        issued_with(amount=None),
        issued_with(amount=10**30),
        issued_with(pin=...),
        issued_with(pin=None),
        issued_with(pin=int(PIN)),
        issued_with(pin=PIN[:-1]),
        issued_with(pin=PIN + "0"),
        issued_with(pin=PIN + "\n"),
        issued_with(pin="1002003004\u0660\u0660"),
        issued_with(serialNumber=...),
        issued_with(serialNumber=PIN),
        issued_with(voucherID=int(PIN)),
        issued_with(voucherID=...),
        issued_with(saleID=[]),
        issued_with(saleID=1.5),
        issued_with(instructions=5),
    ],
)
def test_a_sale_that_cannot_be_proved_is_unknown_with_an_alert(body: bytes) -> None:
    for outcome in (
        translate.from_provision(answer(body), provision_order(), RULES),
        translate.from_status(answer(body), status_order(sent_ms_ago=SETTLED), RULES),
    ):
        assert isinstance(outcome, OutcomeUnknown)
        assert outcome.alert == "bad_answer"
        assert PIN not in repr(outcome)


@pytest.mark.parametrize(
    "body",
    [
        changed(REMITTED, success=True),
        changed(REMITTED, voucherAmount="100.01"),
        changed(REMITTED, voucherAmount=...),
        changed(REMITTED, voucherAmount=True),
        changed(REMITTED, voucherBalance="-1.00"),
        changed(REMITTED, voucherBalance=None),
        changed(REMITTED, voucherID=...),
        changed(REMITTED, voucherID=int(PIN)),
        b"{}",
    ],
)
def test_a_redemption_that_cannot_be_proved_is_unknown_with_an_alert(body: bytes) -> None:
    outcome = translate.from_redeem(answer(body), redeem_order(), RULES)
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"


@pytest.mark.parametrize(
    "body",
    [
        changed(FOUND, value=...),
        changed(FOUND, value="-1.00"),
        changed(FOUND, serial=PIN),
        changed(FOUND, success=True),
    ],
)
def test_a_lookup_that_cannot_be_proved_is_unknown(body: bytes) -> None:
    assert isinstance(translate.from_lookup(answer(body), lookup_order(), RULES), OutcomeUnknown)


# Refusals: the table of providers.md 6.4

REQUESTS = [
    ("provision", "1", OutcomeUnknown, "UPSTREAM_UNAVAILABLE", None),
    ("provision", "8", OutcomeUnknown, "UPSTREAM_UNAVAILABLE", None),
    ("provision", "9", OutcomeUnknown, "UPSTREAM_UNAVAILABLE", None),
    ("provision", "7", OutcomeUnknown, "UPSTREAM_UNAVAILABLE", None),
    ("provision", "2", NotSent, "UPSTREAM_UNAVAILABLE", None),
    ("provision", "3", Declined, "INVALID_AMOUNT", None),
    ("provision", "4", NotSent, "GENERAL_ERROR", None),
    ("provision", "5", NotSent, "GENERAL_ERROR", None),
    ("provision", "6", NotSent, "DO_NOT_HONOUR", "float_exhausted"),
    ("provision", "941", NotSent, "ROUTING_ERROR", None),
    *(
        (operation, code, Declined, error_type, None)
        for operation in ("lookup", "redeem")
        for code, error_type in (
            ("901", "INVALID_VOUCHER"),
            ("902", "VOUCHER_ALREADY_REDEEMED"),
            ("904", "VOUCHER_NOT_REDEEMABLE"),
            ("905", "VOUCHER_NOT_REDEEMABLE"),
        )
    ),
    ("redeem", "903", Declined, "INSUFFICIENT_FUNDS", None),
    ("redeem", "906", NotSent, "ROUTING_ERROR", None),
    ("redeem", "907", OutcomeUnknown, "DUPLICATE_RECORD", None),
    # Codes of other operations, and of none.
    ("provision", "901", OutcomeUnknown, "UPSTREAM_UNAVAILABLE", None),
    ("lookup", "903", OutcomeUnknown, "UPSTREAM_UNAVAILABLE", None),
    ("lookup", "906", OutcomeUnknown, "UPSTREAM_UNAVAILABLE", None),
    ("lookup", "1", OutcomeUnknown, "UPSTREAM_UNAVAILABLE", None),
    ("redeem", "3", OutcomeUnknown, "UPSTREAM_UNAVAILABLE", None),
    ("redeem", "999", OutcomeUnknown, "UPSTREAM_UNAVAILABLE", None),
]


def read(operation: str, heard: HttpAnswer, its: Any = RULES) -> Any:
    match operation:
        case "provision":
            return translate.from_provision(heard, provision_order(), its)
        case "lookup":
            return translate.from_lookup(heard, lookup_order(), its)
        case _:
            return translate.from_redeem(heard, redeem_order(), its)


@pytest.mark.parametrize(("operation", "code", "kind", "error_type", "alert"), REQUESTS)
def test_every_code_of_a_request(operation: str, code: str, kind: type, error_type: str, alert: str | None) -> None:
    outcome = read(operation, failure(code))
    assert (type(outcome), outcome.error_type, outcome.provider_code) == (kind, error_type, code)
    assert getattr(outcome, "alert", None) == alert
    assert outcome.provider_message == "No"


ADVICES = [
    ("confirm", "1", Refused),
    ("confirm", "921", Refused),
    ("confirm", "922", Pending),
    ("confirm", "999", Pending),
    ("reverse", "922", Refused),
    ("reverse", "923", Refused),
    ("reverse", "921", Pending),
    ("reverse", "3", Pending),
]


@pytest.mark.parametrize(("operation", "code", "kind"), ADVICES)
@pytest.mark.parametrize("sent_ms_ago", [0, SETTLED])
def test_every_code_of_an_advice(operation: str, code: str, kind: type, sent_ms_ago: int) -> None:
    result = translate.from_advice(failure(code), operation, advice_order(sent_ms_ago=sent_ms_ago), RULES)
    assert type(result) is kind


def test_nothing_to_reject_is_success_only_once_the_sale_cannot_still_come() -> None:
    for sent_ms_ago, kind in ((0, Pending), (29_999, Pending), (30_000, Acknowledged)):
        order = advice_order(sent_ms_ago=sent_ms_ago)
        assert type(translate.from_advice(failure("1"), "reverse", order, RULES)) is kind
        assert type(translate.from_reversal_question(failure("908"), order, RULES)) is kind


def test_a_remit_that_there_is_cannot_be_reversed() -> None:
    result = translate.from_reversal_question(answer(REMITTED), advice_order(R2, sent_ms_ago=SETTLED), RULES)
    assert result == Refused(provider_message="redeemed, and OTT takes no reversal of it")
    for heard in (failure("1"), failure("999"), answer(b"", 401), answer(b"", 500), answer(b"{}")):
        assert isinstance(
            translate.from_reversal_question(heard, advice_order(R2, sent_ms_ago=SETTLED), RULES), Pending
        )


def test_the_settings_code_map_wins_over_the_table_but_never_answers_a_question() -> None:
    mapped = rules(
        code_map={
            "GetVoucher:912": ["Declined", "LIMIT_EXCEEDED"],
            "GetVoucher:3": ["NotSent", "ROUTING_ERROR"],
            "902": ["Declined", "VOUCHER_NOT_REDEEMABLE"],
            "1": ["Declined", "GENERAL_ERROR"],
            "CheckVoucher:1": ["Declined", "GENERAL_ERROR"],
        }
    )
    assert read("provision", failure("912"), mapped) == Declined(ErrorType.LIMIT_EXCEEDED, "912", "No")
    assert read("provision", failure("3"), mapped) == NotSent(ErrorType.ROUTING_ERROR, "3", "No")
    assert read("redeem", failure("902"), mapped) == Declined(ErrorType.VOUCHER_NOT_REDEEMABLE, "902", "No")
    assert isinstance(translate.from_status(failure("912"), status_order(sent_ms_ago=SETTLED), mapped), OutcomeUnknown)
    assert isinstance(translate.from_status(failure("1"), status_order(sent_ms_ago=SETTLED), mapped), NotSent)
    redeemed = translate.from_redeem_status(failure("1"), status_order(sent_ms_ago=SETTLED), mapped)
    assert isinstance(redeemed, OutcomeUnknown)


@pytest.mark.parametrize(("operation", "code", "other"), [("status", "1", "908"), ("redeemStatus", "908", "1")])
def test_not_found_is_proof_only_after_the_settle_time(operation: str, code: str, other: str) -> None:
    ask = translate.from_status if operation == "status" else translate.from_redeem_status
    early = ask(failure(code), status_order(sent_ms_ago=29_999), RULES)
    assert (type(early), early) == (OutcomeUnknown, OutcomeUnknown(ErrorType.UPSTREAM_UNAVAILABLE, code, "No"))
    assert isinstance(ask(failure(code), status_order(sent_ms_ago=30_000), RULES), NotSent)
    for heard in (failure(other), failure("999"), failure(int(code)), answer(b"", 401), answer(b"", 500)):
        assert isinstance(ask(heard, status_order(sent_ms_ago=SETTLED), RULES), OutcomeUnknown)


# Statuses


@pytest.mark.parametrize("body", [b"", b"Unauthorised", FAILED, b"\xff" * 50, changed(FAILED, errorCode="907")])
def test_401_is_our_fault_whatever_its_body_says(body: bytes) -> None:
    expected = NotSent(ErrorType.ROUTING_ERROR, None, "HTTP 401", "credentials_refused")
    for operation in ("provision", "lookup", "redeem"):
        assert read(operation, answer(body, 401)) == expected
    for operation in ("confirm", "reverse"):
        result = translate.from_advice(answer(body, 401), operation, advice_order(sent_ms_ago=SETTLED), RULES)
        assert result == Pending("HTTP 401", "credentials_refused")
    asked = translate.from_status(answer(body, 401), status_order(sent_ms_ago=SETTLED), RULES)
    assert asked == OutcomeUnknown(ErrorType.ROUTING_ERROR, None, "HTTP 401", "credentials_refused")


@pytest.mark.parametrize("status", [202, 204, 302, 400, 403, 404, 418, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("body", [FAILED, ISSUED, b""])
def test_any_other_status_is_a_doubt_even_with_a_known_code(status: int, body: bytes) -> None:
    for operation in ("provision", "redeem"):
        assert read(operation, answer(body, status)) == OutcomeUnknown(provider_message=f"HTTP {status}")
    assert translate.from_advice(answer(body, status), "confirm", advice_order(), RULES) == Pending(f"HTTP {status}")


def test_a_status_and_a_text_that_contradict_each_other_prove_nothing() -> None:
    for heard in (answer(ISSUED, 201), answer(FAILED, 200)):
        outcome = translate.from_provision(heard, provision_order(), RULES)
        assert isinstance(outcome, OutcomeUnknown)
        assert outcome.alert == "bad_answer"
        result = translate.from_advice(heard, "reverse", advice_order(sent_ms_ago=SETTLED), RULES)
        assert isinstance(result, Pending)
        assert result.alert == "bad_answer"


@pytest.mark.parametrize("success", [True, False, "TRUE", "yes", None, 1])
def test_success_is_a_word_and_nothing_else(success: object) -> None:
    for status in (200, 201):
        heard = answer({"success": success, "errorCode": "3", "message": "No"}, status)
        outcome = translate.from_provision(heard, provision_order(), RULES)
        assert isinstance(outcome, OutcomeUnknown)
        assert outcome.alert == "bad_answer"
        result = translate.from_advice(heard, "confirm", advice_order(), RULES)
        assert isinstance(result, Pending)
        assert result.alert == "bad_answer"


def test_a_failure_without_a_code_or_with_a_number_is_a_doubt() -> None:
    for code in (None, 3, ["3"], ""):
        assert isinstance(translate.from_provision(failure(code), provision_order(), RULES), OutcomeUnknown)
        assert isinstance(translate.from_advice(failure(code), "confirm", advice_order(), RULES), Pending)


def test_a_refusal_that_quotes_the_pin_does_not_show_it() -> None:
    outcome = read("redeem", failure("902", f"PIN {PIN} was used"))
    assert outcome == Declined(ErrorType.VOUCHER_ALREADY_REDEEMED, "902", "PIN *** was used")
    assert PIN not in repr(read("redeem", failure(PIN, f"{PIN[:4]} {PIN[4:8]} {PIN[8:]}")))


# Whatever comes


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(["true", "false", PIN]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_NAMES = (
    "success",
    "errorCode",
    "message",
    "voucher",
    "voucherID",
    "serial",
    "value",
    "voucherAmount",
    "voucherBalance",
)


@given(
    body=st.binary(max_size=300)
    | st.dictionaries(st.sampled_from(_NAMES), _VALUES, max_size=6).map(msgspec.json.encode)
    | st.tuples(st.sampled_from([ISSUED, REMITTED, FOUND, FAILED]), st.integers(0, 200), st.binary(max_size=3)).map(
        lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] + len(cut[2]) :]
    ),
    status=st.sampled_from([200, 201, 401, 500]),
)
def test_no_answer_makes_a_reader_raise_or_approves_another_amount(body: bytes, status: int) -> None:
    heard = HttpAnswer(status, body)
    outcomes = [
        translate.from_provision(heard, provision_order(), RULES),
        translate.from_status(heard, status_order(), RULES),
        translate.from_redeem(heard, redeem_order(), RULES),
        translate.from_redeem_status(heard, status_order(R2), RULES),
    ]
    for outcome in outcomes:
        if isinstance(outcome, Approved):
            assert outcome.approved_cents == 10_000
            assert status == 200
            assert PIN not in outcome.refs.values()
    translate.from_lookup(heard, lookup_order(), RULES)
    for operation in ("confirm", "reverse"):
        translate.from_advice(heard, operation, advice_order(), RULES)
    translate.from_reversal_question(heard, advice_order(), RULES)


@given(inner=st.text(max_size=200) | st.dictionaries(st.sampled_from(tuple(REFS)), _VALUES).map(str))
def test_no_text_in_the_place_of_the_document_makes_a_reader_raise(inner: str) -> None:
    outcome = translate.from_provision(answer(changed(ISSUED, voucher=inner)), provision_order(), RULES)
    assert isinstance(outcome, OutcomeUnknown)
