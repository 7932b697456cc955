"""The mask of form bodies: by parameter name, whole answers by JSON name, and never a body that cannot be read."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.ott.ott_support import GET_VOUCHER, ISSUED, PIN, REMIT_VOUCHER, REMITTED
from providers.provider_support import R2
from voucherswitch.message.marks import wire_of
from voucherswitch.providers.contract.transport.form_masking import FORM_TYPE, FormMask
from voucherswitch.providers.contract.transport.masking import RECORDED_CHARS_MAX
from voucherswitch.providers.ott import messages

MASK = FormMask(wire_of(messages))


def test_a_form_is_masked_by_name_and_shown_otherwise() -> None:
    assert (
        MASK(REMIT_VOUCHER, FORM_TYPE)
        == f"amount=100.00&mobile=***0001&pin=***&uniqueReference={R2}&vendorID=22&hash=***"
    )
    assert MASK(GET_VOUCHER, f"{FORM_TYPE}; charset=utf-8").startswith("branch=S001&cashier=***&till=TERM0001&")


@pytest.mark.parametrize(
    "name", ["pin", "PIN", "Pin", "voucherPIN", "VOUCHERPIN", "hash", "code", "password", "apiKey"]
)
def test_names_are_secret_in_any_case_and_those_of_every_provider_are_too(name: str) -> None:
    assert MASK(f"{name}={PIN}".encode(), FORM_TYPE) == f"{name}=***"


def test_an_encoded_name_or_value_hides_nothing_from_the_mask() -> None:
    assert MASK(b"%70in=1002%30", FORM_TYPE) == "pin=***"
    assert MASK(b"branch=Zo%C3%AB+B", FORM_TYPE) == "branch=Zoë B"


def test_a_repeated_name_is_hidden_each_time_and_an_empty_value_stays_visible() -> None:
    assert MASK(b"pin=1&pin=2&pin=&mobile=", FORM_TYPE) == "pin=***&pin=***&pin=&mobile="


def test_a_short_number_is_hidden_whole() -> None:
    assert MASK(b"mobile=12345678", FORM_TYPE) == "mobile=***"
    assert MASK(b"mobile=123456789", FORM_TYPE) == "mobile=***6789"


@pytest.mark.parametrize(
    "body", [PIN.encode(), b"pin", b"\xff=1", b"a=%ff", b"&".join([b"a=1"] * 200), b"a=1&;&" + PIN.encode()]
)
def test_what_is_no_form_is_not_shown(body: bytes) -> None:
    assert MASK(body, FORM_TYPE) == f"<{len(body)} bytes, {FORM_TYPE}, not shown>"


def test_an_answer_with_a_document_inside_a_string_is_masked_whole() -> None:
    assert MASK(ISSUED, "application/json") == '{"success":"true","voucher":"***"}'
    parsed = msgspec.json.decode(ISSUED) | {"voucher": {"pin": PIN, "serialNumber": "5", "list": [1, {"x": 2}]}}
    shown = MASK(msgspec.json.encode(parsed), "application/json")
    assert shown == '{"success":"true","voucher":{"pin":"***","serialNumber":"***","list":["***",{"x":"***"}]}}'
    assert '"voucherAmount":"100.00"' in MASK(REMITTED, "application/json")
    assert MASK(b"Invalid hash", "text/plain") == "<12 bytes, text/plain, not shown>"
    assert MASK(b"pin=" + PIN.encode(), None) == "<16 bytes, no content type, not shown>"


def test_other_answers_can_have_another_mask() -> None:
    mask = FormMask(answers=lambda body, content_type: "hidden")
    assert (mask(b"{}", "application/json"), mask(b"a=1", FORM_TYPE), mask(b"", FORM_TYPE)) == ("hidden", "a=1", "")


def test_a_long_form_is_cut() -> None:
    shown = MASK(b"&".join(b"a=" + b"x+" * 500 for _ in range(40)), FORM_TYPE)
    assert len(shown) < RECORDED_CHARS_MAX + 40
    assert shown.endswith("(40119 characters)")


@given(body=st.binary(max_size=100) | st.text(alphabet="pin=&%+1034;", max_size=60).map(str.encode))
def test_no_body_makes_it_raise_and_no_pin_gets_through(body: bytes) -> None:
    for content_type in (FORM_TYPE, None, "application/json"):
        assert isinstance(MASK(body, content_type), str)
    assert PIN not in MASK(b"pin=" + PIN.encode() + b"&" + body, FORM_TYPE)
