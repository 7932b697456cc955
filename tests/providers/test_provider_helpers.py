"""Pure helpers that all providers share: check digits, times, safe texts, masking, code tables."""

import json
import tracemalloc
from base64 import b64encode
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.marks import Shown
from voucherswitch.message.orders import AdviceOrder, StatusOrder
from voucherswitch.message.outcomes import Declined, NotSent, OutcomeUnknown, Refused
from voucherswitch.message.parties import Store
from voucherswitch.providers.contract.answers import hidden_of, not_found
from voucherswitch.providers.contract.families import (
    AdviceMeaning,
    Effect,
    Family,
    Meaning,
    safe_code,
    safe_message,
    safe_reference,
)
from voucherswitch.providers.contract.provider_time import expiry_of, utc_text
from voucherswitch.providers.contract.simulator.check_digits import (
    MOD_32_ALPHABET,
    ean_13,
    luhn,
    luhn_mod_32,
    next_in_alphabet,
)
from voucherswitch.providers.contract.simulator.clock import business_day, months_later
from voucherswitch.providers.contract.transport.masking import RECORDED_CHARS_MAX, JsonMask, forms_of, without_secrets

PIN = "4820193746551928"


@pytest.mark.parametrize(
    ("rule", "body", "check"),
    [
        (luhn, "7310024689135", "2"),
        (luhn, "900000000000123", "1"),
        (luhn_mod_32, "7KM4QX9TB2H", "V"),
        (ean_13, "210098765432", "1"),
    ],
)
def test_check_digits_of_the_worked_examples(rule: object, body: str, check: str) -> None:
    assert callable(rule)
    assert rule(body) == check


@given(st.text("0123456789", min_size=1, max_size=30), st.data())
def test_luhn_finds_every_wrong_digit(body: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(body) - 1))
    other = data.draw(st.sampled_from("0123456789"))
    wrong = body[:place] + other + body[place + 1 :]
    assert (luhn(wrong) == luhn(body)) == (wrong == body)


def test_counting_goes_on_in_the_bodys_own_alphabet() -> None:
    assert next_in_alphabet("7KM4QX9TB2H", MOD_32_ALPHABET) == "7KM4QX9TB2J"
    assert next_in_alphabet("2Z", MOD_32_ALPHABET) == "32"
    assert next_in_alphabet("ZZ", MOD_32_ALPHABET) == "22"
    assert next_in_alphabet("210098765432", "0123456789") == "210098765433"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2029-03-02T23:59:59+02:00", "2029-03-02T21:59:59.000Z"),
        ("2029-03-02T21:59:59Z", "2029-03-02T21:59:59.000Z"),
        ("2029-03-02T23:59:59.123999+02:00", "2029-03-02T21:59:59.123Z"),
        ("2029-01-01T00:30:00+02:00", "2028-12-31T22:30:00.000Z"),
    ],
)
def test_a_provider_time_becomes_utc_with_three_digits(text: str, expected: str) -> None:
    assert utc_text(text) == expected


@pytest.mark.parametrize("text", ["", "2029-03-02", "2029-03-02T23:59:59", "tomorrow", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        utc_text(text)


def test_months_are_clamped_to_the_months_end() -> None:
    day = business_day(1_772_453_716)
    assert str(day) == "2026-03-02"
    assert str(months_later(day, 36)) == "2029-03-02"
    assert str(months_later(day.replace(month=1, day=31), 1)) == "2026-02-28"
    assert str(months_later(day.replace(month=12, day=31), 2)) == "2027-02-28"
    assert business_day(1_772_488_800 - 1) != business_day(1_772_488_800)  # midnight in South Africa, 22:00 in UTC


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Voucher redeemed", "Voucher redeemed"),
        (f"Voucher {PIN} unknown", "Voucher *** unknown"),
        ("PIN 4820 1937 4655 wrong", "PIN *** wrong"),
        ("call 12345", "call 12345"),
        ("a\nb\x00c", "a b c"),
        ("x" * 200, "x" * 80),
        ("", None),
        (None, None),
    ],
)
def test_a_providers_text_is_short_and_holds_no_pin(text: str | None, shown: str | None) -> None:
    assert safe_message(text) == shown


def test_a_providers_code_is_a_code_or_nothing() -> None:
    assert safe_code("SBX-409") == "SBX-409"
    assert safe_code("x" * 41) is None
    assert safe_code("a b") is None
    assert safe_code(None) is None
    assert safe_code(f"E-{PIN}") == "E-***"
    assert safe_code("E-MYCODE", ["MYCODE"]) == "E-***"


def test_a_providers_reference_keeps_its_digits() -> None:
    assert safe_reference("SBXV00000001") == "SBXV00000001"
    assert safe_reference("a b") is None
    assert safe_reference(None) is None


def test_the_requests_own_secrets_are_masked_wherever_they_are_quoted() -> None:
    assert safe_message("Voucher MYCODE, PIN 4711", ["MYCODE", "4711"]) == "Voucher ***, PIN ***"
    assert without_secrets('{"message":"no MYCODE 4711"}', ["MYCODE", "4711"]) == '{"message":"no *** 4711"}'


def test_a_cashier_who_is_quoted_is_hidden_and_one_who_is_a_number_is_not() -> None:
    """Of a till's list of numbers each stands in every other text."""
    named, numbered = Store("M", "T", "Nosipho"), Store("M", "T", "7")
    asked = StatusOrder(request_id="R", amount_cents=1, voucher_code="MYCODE", store=named)
    assert hidden_of(asked) == ("MYCODE", "Nosipho")
    assert hidden_of(msgspec.structs.replace(asked, store=numbered)) == ("MYCODE",)
    assert not_found(asked, 0, None, "Nosipho sold none").provider_message == "*** sold none"
    told = AdviceMeaning(Effect.REFUSED).result(AdviceOrder("A", "R", store=named), 0, None, "Nosipho has left")
    assert told == Refused(None, "*** has left")


def test_a_meaning_makes_the_outcome_of_its_family() -> None:
    alert = "credentials_refused"
    assert Meaning(Family.DECLINED, ErrorType.DO_NOT_HONOUR).outcome("X1", "no") == Declined(
        ErrorType.DO_NOT_HONOUR, "X1", "no"
    )
    assert Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR, alert).outcome() == NotSent(
        ErrorType.ROUTING_ERROR, None, None, alert
    )
    assert Meaning(Family.UNKNOWN, ErrorType.DUPLICATE_RECORD).outcome("X2") == OutcomeUnknown(
        ErrorType.DUPLICATE_RECORD, "X2"
    )


# Masking


def test_secret_names_are_masked_at_any_depth_whatever_their_case() -> None:
    body = {
        "code": PIN,
        "PIN": 4711,
        "list": [{"voucherCode": PIN, "serial": "SX1"}, [{"Token": {"id": PIN, "n": [1]}}]],
        "voucher": {"pin": PIN, "state": "CONFIRMED", "valueCents": 10_000},
        "wiCode": None,
        "RedeemUrl": "",
    }
    shown = msgspec.json.decode(JsonMask()(msgspec.json.encode(body), "application/json"))
    assert shown == {
        "code": "***",
        "PIN": "***",
        "list": [{"voucherCode": "***", "serial": "SX1"}, [{"Token": {"id": "***", "n": ["***"]}}]],
        "voucher": {"pin": "***", "state": "CONFIRMED", "valueCents": 10_000},
        "wiCode": None,
        "RedeemUrl": "",
    }


def test_a_voucher_is_masked_when_it_is_text() -> None:
    assert JsonMask()(b'{"voucher":"%s"}' % PIN.encode(), None) == '{"voucher":"***"}'


def test_a_connectors_own_names_are_masked_too() -> None:
    assert JsonMask({"tillref": Shown.HIDDEN})(b'{"tillRef":"x","till":"y"}', None) == '{"tillRef":"***","till":"y"}'


def test_words_of_the_protocol_stay_readable() -> None:
    mask = JsonMask(own_words=["INVALID_AMOUNT"])
    assert mask(b'{"error":{"code":"INVALID_AMOUNT"}}', None) == '{"error":{"code":"INVALID_AMOUNT"}}'
    assert mask(b'{"error":{"code":"INVALID_AMOUNT "}}', None) == '{"error":{"code":"***"}}'


def test_names_and_dates_of_any_length_fill_no_memory() -> None:
    """What is remembered of a provider's words has a bound, however long it makes them."""
    mask = JsonMask()
    mask(b'{"warm":"up"}', None)
    tracemalloc.start()
    try:
        for number in range(100):
            long = f"{number}" + "aB" * 30_000
            assert json.loads(mask(json.dumps({long[:9_000]: "R1"}).encode(), None)) == {long[:9_000]: "***"}
            mask(json.dumps({long: "R1"}).encode(), None)
            assert expiry_of(long) is None
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000


def test_numbers_keep_their_digits() -> None:
    mask = JsonMask({"b": Shown.PLAIN})
    assert mask(b'{"a":10.10,"b":12345678901234567890}', None) == '{"a":10.10,"b":12345678901234567890}'


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"<code>" + PIN.encode(),
        b'{"code":"' + PIN.encode() + b'"\x00<<',
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"a":"\\ud800"}',
    ],
)
def test_what_cannot_be_parsed_is_not_shown(body: bytes) -> None:
    assert JsonMask()(body, "application/json; charset=utf-8") == f"<{len(body)} bytes, application/json, not shown>"
    assert JsonMask()(body, None) == f"<{len(body)} bytes, no content type, not shown>"


def test_a_long_body_is_cut_after_masking() -> None:
    body = msgspec.json.encode({"code": PIN, "pad": "x" * 40_000, "pin": PIN})
    shown = JsonMask()(body, None)
    assert len(shown) < RECORDED_CHARS_MAX + 50
    assert PIN not in shown


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(JSON, st.sampled_from(["code", "Pin", "voucherPIN", "token", "voucher"]))
def test_a_pin_under_a_secret_name_never_shows(around: object, name: str) -> None:
    body = msgspec.json.encode({"a": around, "b": [{name: PIN, "c": around}]})
    assert PIN not in JsonMask()(body, None)


def test_what_is_hidden_under_one_name_is_hidden_under_every_other() -> None:
    """A provider may write the PIN into a reference too."""
    mask = JsonMask({"reference": Shown.PLAIN})
    shown = mask(b'{"pin":"%s","reference":"TX-%s-1"}' % (PIN.encode(), PIN.encode()), "application/json")

    assert shown == '{"pin":"***","reference":"TX-***-1"}'


@pytest.mark.parametrize(
    "quoted",
    ["1234567890", "1234 5678 9012", "1234.5678.9012", "12-34-56", "7KM4QX9TB2HV", "ABC2-DEF3-GHJ4-KLM5"],
)
def test_free_text_quotes_no_voucher(quoted: str) -> None:
    body = msgspec.json.encode({"message": f"Voucher {quoted} was used", "amount": 1234567})

    assert JsonMask()(body, None) == '{"message":"Voucher *** was used","amount":1234567}'


@pytest.mark.parametrize("said", ["Voucher already used", "TRANSACTION_DECLINED", "HTTP 404 after 12345 ms", "R500.00"])
def test_free_text_keeps_its_words(said: str) -> None:
    assert JsonMask()(msgspec.json.encode({"message": said}), None) == msgspec.json.encode({"message": said}).decode()


def test_a_telephone_number_shows_its_last_four_digits() -> None:
    assert JsonMask()(b'{"msisdn":"27825550143"}', None) == '{"msisdn":"***0143"}'


def test_what_nobody_declared_is_shown_without_what_can_be_a_code() -> None:
    """A provider may add a field: ids, days and words stay, digits do not."""
    body = {
        "newField": f"voucher {PIN}",
        "number": int(PIN),
        "list": [PIN, {"deep": PIN}],
        "details": [f"no {PIN}"],
        "id": "5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13",
        "at": "2026-03-02T12:15:16.000Z",
        "day": "2029-03-02",
        "state": "ISSUED",
        "cents": 1_000_000,
    }
    shown = msgspec.json.decode(JsonMask()(msgspec.json.encode(body), None))
    assert PIN not in str(shown)
    assert {name: shown[name] for name in ("id", "at", "day", "state", "cents")} == {
        name: body[name] for name in ("id", "at", "day", "state", "cents")
    }


def test_persons_are_hidden_under_names_that_nobody_declared() -> None:
    body = {
        "customer": {"name": "Nomathemba", "street": "Vilakazi"},
        "firstName": "N",
        "mobile": 27825550143,
        "email": "n@x",
    }
    shown = msgspec.json.decode(JsonMask()(msgspec.json.encode(body), None))
    hidden = {"customer": {"name": "***", "street": "***"}, "firstName": "***", "mobile": "***0143", "email": "***"}
    assert shown == hidden


def test_a_secret_that_is_a_number_is_hidden_under_other_names_too() -> None:
    mask = JsonMask({"pin": Shown.HIDDEN, "reference": Shown.PLAIN})
    assert mask(b'{"pin":%s,"reference":"TX-%s"}' % (PIN.encode(), PIN.encode()), None) == (
        '{"pin":"***","reference":"TX-***"}'
    )


def test_a_declared_secret_is_no_word_of_the_protocol() -> None:
    """Only where the two share a name are published words shown."""
    mask = JsonMask({"pin": Shown.HIDDEN, "code": Shown.WORD}, ["E1"])
    assert mask(b'{"pin":"E1","code":"E1"}', None) == '{"pin":"***","code":"E1"}'


def test_a_query_is_masked_by_its_names() -> None:
    mask = JsonMask({"userref": Shown.LAST_FOUR, "page": Shown.PLAIN})
    assert mask.path("/a/b") == "/a/b"
    assert mask.path("/a?userRef=27825550143&page=2&pin=4711&x=") == "/a?userRef=***0143&page=2&pin=***&x="
    assert mask.path("/a?pin%3D4711") == "/a?***"


@pytest.mark.parametrize("secret", ['a<b>&c"d/e f', "4711-4711-4711"])
def test_the_requests_own_secrets_are_found_in_every_form(secret: str) -> None:
    for form in forms_of(secret):
        assert without_secrets(f"x{form}y", [secret]) == "x***y"
    assert quote(secret, safe="") in forms_of(secret)
    assert b64encode(secret.encode()).decode().rstrip("=") in forms_of(secret)
