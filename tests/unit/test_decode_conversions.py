"""What an originator may write differently, and how it comes back."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.interface_examples import BASIC_ADVICE, PROVISION_REQUEST, TENDER_ADVICE, WORKED, Json, changed, encoded
from voucherswitch.interface import models
from voucherswitch.interface.decode import FormatErrors, decode, encode
from voucherswitch.interface.models import BasicAdvice, PinClear, ProvisionRequest, TenderAdvice, TenderType
from voucherswitch.interface.models.base import CANONICAL_TIME
from voucherswitch.interface.models.scalars import canonical_time


def provision(field: str, written: str) -> ProvisionRequest:
    """Decode a provision with one more field, its value exactly as written."""
    body = encoded(PROVISION_REQUEST).decode()[:-1]
    return decode(f'{body}, "{field}": {written}}}'.encode(), ProvisionRequest)


def advice(**fields: Any) -> BasicAdvice:
    return decode(encoded({**BASIC_ADVICE, **fields}), BasicAdvice)


def amount(written: str) -> int:
    """What an amount of an advice is read as."""
    body = encoded(BASIC_ADVICE).decode()[:-1]
    text = f'{body}, "amounts": {{"approvedAmount": {{"amount": {written}, "currency": "710"}}}}}}'
    amounts = decode(text.encode(), BasicAdvice).amounts
    assert amounts is not None
    assert amounts.approved_amount is not None
    return amounts.approved_amount.amount


@pytest.mark.parametrize(("model", "message"), WORKED, ids=[name for name, _ in WORKED])
def test_worked_messages_are_read_and_written_as_printed(model: str, message: Json) -> None:
    assert json.loads(encode(decode(encoded(message), getattr(models, model)))) == message


def test_a_currency_sent_as_a_number_becomes_its_text() -> None:
    message = decode(encoded(changed(TENDER_ADVICE, ["tenders", 0, "amount", "currency"], 710)), TenderAdvice)
    assert message.tenders is not None
    assert message.tenders[0].amount.currency == "710"


def test_a_number_given_for_a_currency_is_not_padded() -> None:
    body = changed(TENDER_ADVICE, ["tenders", 0, "amount", "currency"], 36)
    with pytest.raises(FormatErrors) as caught:
        decode(encoded(body), TenderAdvice)
    assert caught.value.violations[0].msg == 'tenders[0].amount.currency must match "[0-9]{3}"'
    assert caught.value.violations[0].value == "36"


@pytest.mark.parametrize("written", ["710", "1.50", "-0", "1E5", "12345678901234567890", "0.10", "1e-7"])
def test_a_number_given_for_a_text_keeps_the_text_it_was_written_with(written: str) -> None:
    body = encoded(BASIC_ADVICE).decode()[:-1]
    assert decode(f'{body}, "stan": {written}}}'.encode(), BasicAdvice).stan == written


def test_a_boolean_given_for_a_text_is_taken_as_its_word() -> None:
    assert advice(stan=True).stan == "true"
    assert advice(stan=False).stan == "false"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('"15000"', 15000),
        ('"-15000"', -15000),
        ('"0015"', 15),
        ("25000.0", 25000),
        ("2.5e4", 25000),
        ("-0", 0),
        ("0e999999", 0),
        ("9007199254740993.0", 9007199254740993),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ('"9223372036854775807"', 2**63 - 1),
    ],
)
def test_a_whole_number_is_taken_however_it_is_written(written: str, value: int) -> None:
    """Digit by digit: a float in between would make 9007199254740993 cents one cent less."""
    assert amount(written) == value


@pytest.mark.parametrize(
    "written",
    [
        *('"+1"', '"1.0"', '""', '" 1"', '"1\\n"', '"\N{ARABIC-INDIC DIGIT ONE}"', "0.5", "1e-3", "true", "[]", "{}"),
        *("9223372036854775808", "-9223372036854775809", "1e19", "1e999999999", "1e99999999999999999999999"),
        *("9" * 5000, '"' + "9" * 5000 + '"'),
    ],
)
def test_anything_else_is_no_integer(written: str) -> None:
    with pytest.raises(FormatErrors) as caught:
        amount(written)
    path = "amounts.approvedAmount.amount"
    assert [one.msg for one in caught.value.violations] == [f"{path} must be of type integer"]


@pytest.mark.parametrize("value", ["cash", "Cash", " CASH", "", 1, True])
def test_an_enum_takes_the_exact_name_only(value: Any) -> None:
    with pytest.raises(FormatErrors) as caught:
        decode(encoded(changed(TENDER_ADVICE, ["tenders", 0, "tenderType"], value)), TenderAdvice)
    names = ", ".join(TenderType)
    assert [one.msg for one in caught.value.violations] == [f"tenders[0].tenderType must be one of [{names}]"]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("2026-03-12T09:15:02.418Z", "2026-03-12T09:15:02.418Z"),
        ("2026-03-12T09:15:02Z", "2026-03-12T09:15:02.000Z"),
        ("2026-03-12T09:15:02.4Z", "2026-03-12T09:15:02.400Z"),
        ("2026-03-12T09:15:02.41899999999Z", "2026-03-12T09:15:02.418Z"),
        ("2026-03-12T09:15:02.9999+00:00", "2026-03-12T09:15:02.999Z"),
        ("2026-03-12T11:15:02.418+02:00", "2026-03-12T09:15:02.418Z"),
        ("2026-03-12T00:15:02+02:00", "2026-03-11T22:15:02.000Z"),
        ("2026-12-31T23:30:00-01:30", "2027-01-01T01:00:00.000Z"),
        ("2026-03-12T09:15:02-00:00", "2026-03-12T09:15:02.000Z"),
        ("2026-03-12t09:15:02z", "2026-03-12T09:15:02.000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ("2000-02-29T00:00:00.000Z", "2000-02-29T00:00:00.000Z"),
    ],
)
def test_a_time_is_kept_in_utc_with_three_digits_cut_not_rounded(written: str, kept: str) -> None:
    message = decode(
        encoded({**PROVISION_REQUEST, "time": written, "voucher": {"expiryDate": written}}), ProvisionRequest
    )
    assert message.time == kept
    assert message.voucher is not None
    assert message.voucher.expiry_date == kept


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-12T09:15:02.418",
        "2026-03-12 09:15:02.418Z",
        "2026-03-12T09:15Z",
        "2026-03-12",
        "2026-3-12T09:15:02Z",
        "2026-03-12T09:15:02.Z",
        "2026-03-12T09:15:02,418Z",
        "2026-03-12T09:15:02+0200",
        "2026-03-12T09:15:02+24:00",
        "2026-03-12T24:00:00Z",
        "2026-03-12T09:60:00Z",
        "2016-12-31T23:59:60Z",
        "2026-02-29T00:00:00.000Z",
        "1900-02-29T00:00:00.000Z",
        "2026-04-31T00:00:00.000Z",
        "2026-13-01T00:00:00.000Z",
        "0000-01-01T00:00:00.000Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "2026-03-12T09:15:02.418Z\n",
        "٢٠٢٦-03-12T09:15:02.418Z",
        "",
    ],
)
def test_what_is_no_instant_is_refused(written: str) -> None:
    with pytest.raises(FormatErrors) as caught:
        decode(encoded({**PROVISION_REQUEST, "time": written}), ProvisionRequest)
    assert [one.msg for one in caught.value.violations] == ["time must be an RFC 3339 date-time"]


@given(st.datetimes(), st.integers(0, 999))
def test_the_written_form_is_a_fixed_point(instant: Any, millis: int) -> None:
    """The pattern that the fast path trusts and the calendar that the slow path asks agree on every instant."""
    text = f"{instant.replace(microsecond=0).isoformat()}.{millis:03d}Z"
    assert re.match(CANONICAL_TIME, text)
    assert canonical_time(text) == text


@given(st.from_regex(r"\A[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]\.[0-9]{3}Z\Z", fullmatch=True))
def test_the_pattern_takes_exactly_the_days_of_the_calendar(text: str) -> None:
    ascii_only = text.isascii()
    assert (re.match(CANONICAL_TIME, text) is not None) == (ascii_only and canonical_time(text) == text)


@pytest.mark.parametrize("value", ["1", "1.5", "0", "-3", "9007199254740992"])
def test_a_double_is_echoed_as_it_came(value: str) -> None:
    written = f'{{"messageLines": [{{"text": "", "fontWidthScaleFactor": {value}}}]}}'
    echoed = json.loads(encode(provision("slipData", written)))["slipData"]["messageLines"][0]["fontWidthScaleFactor"]
    assert json.dumps(echoed) == value


def test_a_number_beyond_a_double_is_refused() -> None:
    """Read as infinity it would be written as null."""
    with pytest.raises(FormatErrors) as caught:
        provision("slipData", '{"messageLines": [{"text": "", "fontWidthScaleFactor": 1e400}]}')
    path = "slipData.messageLines[0].fontWidthScaleFactor"
    assert [one.msg for one in caught.value.violations] == [f"{path} must be of type number"]


def test_a_double_too_large_to_be_exact_can_still_be_echoed() -> None:
    message = provision("slipData", '{"messageLines": [{"text": "", "fontWidthScaleFactor": 1' + "0" * 30 + "}]}")
    assert b"1e30" in encode(message)


def test_empty_tenders_are_echoed_and_null_ones_left_out() -> None:
    assert b'"tenders":[]' in encode(decode(encoded({**TENDER_ADVICE, "tenders": []}), TenderAdvice))
    assert b"tenders" not in encode(decode(encoded({**TENDER_ADVICE, "tenders": None}), TenderAdvice))


def test_an_absent_account_type_is_not_added_and_a_given_default_is_kept() -> None:
    tenders = [{"amount": {"amount": 1, "currency": "710"}, "tenderType": "CASH"}]
    assert b"accountType" not in encode(decode(encoded({**TENDER_ADVICE, "tenders": tenders}), TenderAdvice))
    given_default = [{**tenders[0], "accountType": "DEFAULT"}]
    assert b'"accountType":"DEFAULT"' in encode(
        decode(encoded({**TENDER_ADVICE, "tenders": given_default}), TenderAdvice)
    )


def test_false_and_zero_are_values_and_come_back() -> None:
    slip = {"messageLines": [{"text": "", "line": False, "cut": False, "fontWidthScaleFactor": 0}], "slipWidth": 0}
    assert json.loads(encode(provision("slipData", json.dumps(slip))))["slipData"] == slip


def test_a_pin_becomes_the_class_that_its_type_names() -> None:
    message = provision("voucher", '{"pin": {"pin": 1234, "type": "CLEAR_PIN"}}')
    assert message.voucher is not None
    assert message.voucher.pin == PinClear(pin="1234")


def test_letters_beyond_ascii_are_counted_as_characters_however_they_are_sent() -> None:
    body = changed(PROVISION_REQUEST, ["client", "name"], "😀" * 40)
    escaped, plain = json.dumps(body).encode(), json.dumps(body, ensure_ascii=False).encode()
    assert decode(escaped, ProvisionRequest) == decode(plain, ProvisionRequest)
    assert decode(escaped, ProvisionRequest).client.name == "😀" * 40


def test_ids_are_echoed_as_received() -> None:
    mixed = PROVISION_REQUEST["id"].upper()[:18] + PROVISION_REQUEST["id"][18:]
    assert decode(encoded({**PROVISION_REQUEST, "id": mixed}), ProvisionRequest).id == mixed
