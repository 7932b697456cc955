"""Stellr's answers, read: what proves a sale and what does not; and that nothing an answer holds makes it raise."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from providers.provider_support import R1, R2, is_bad_answer, voucher_of
from providers.stellr.stellr_support import FIRST_PIN, FIRST_SERIAL, PURCHASED, a_redemption, a_sale
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import LookupOrder
from voucherswitch.message.outcomes import Approved, Declined, NotSent, Outcome, OutcomeUnknown
from voucherswitch.providers.contract.answers import Rules
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.stellr import translate
from voucherswitch.providers.stellr.settings import StellrSettings

PATTERN = StellrSettings(base_url="https://x.example", terminal_id="T", channel_id="V", password="p").pin_pattern
RULES = Rules(re.compile(PATTERN), {}, 30_000)

ENQUIRED = f"""<VoucherEnquiryResponse version="2.0"><ResultCode>000</ResultCode><RequestId>{R2}</RequestId><Voucher>\
<Serial>{FIRST_SERIAL}</Serial><Value>100.00</Value><Status>ACTIVE</Status><ExpiryDate>2029-03-02</ExpiryDate>\
<Brand>B</Brand></Voucher></VoucherEnquiryResponse>""".encode()
REDEEMED = f"""<RedeemResponse version="2.0"><ResultCode>000</ResultCode><RequestId>{R2}</RequestId>\
<TransactionId>000081234568</TransactionId><Serial>{FIRST_SERIAL}</Serial><Amount>100.00</Amount>\
</RedeemResponse>""".encode()
PRODUCT = b"""<Product><ProductCode>GAME0100</ProductCode><Brand>B</Brand><Name>N</Name><Type>FIXED</Type>\
<Value>100.00</Value><PinFormat>N12</PinFormat><ValidityMonths>36</ValidityMonths><Available>Y</Available></Product>"""
PRODUCTS = (
    b'<ProductListResponse version="2.0"><ResultCode>000</ResultCode><RequestId>%b</RequestId>%b</ProductListResponse>'
    % (R1.encode(), PRODUCT)
)


def purchased(body: bytes) -> Outcome:
    return translate.from_purchase(HttpAnswer(200, body), a_sale(), RULES)


def enquired(body: bytes, order: LookupOrder | None = None) -> Outcome:
    return translate.from_enquiry(HttpAnswer(200, body), order or LookupOrder(voucher_code=FIRST_PIN), R2, RULES)


def redeemed(body: bytes) -> Outcome:
    return translate.from_redeem(HttpAnswer(200, body), a_redemption(refs={"Serial": FIRST_SERIAL}), RULES)


def test_the_answers_of_these_tests_are_good() -> None:
    for outcome in (purchased(PURCHASED), enquired(ENQUIRED), redeemed(REDEEMED)):
        assert isinstance(outcome, Approved)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"PurchaseResponse", b"RedeemResponse"),
        (b'version="2.0"', b'version="2.0" xmlns="urn:x"'),
        (b"<ResultCode>000</ResultCode>", b""),
        (b"<ResultCode>000</ResultCode>", b"<ResultCode>000</ResultCode><ResultCode>000</ResultCode>"),
        (b"<ResultCode>000</ResultCode>", b"<ResultCode>0</ResultCode>"),
        (b"<ResultCode>000</ResultCode>", b"<ResultCode><a/>000</ResultCode>"),
        (R1.encode(), R2.encode()),
        (R1.encode(), R1.upper().encode()),
        (b"<RequestId>" + R1.encode() + b"</RequestId>", b""),
        (b"<TransactionId>000081234567</TransactionId>", b""),
        (b"000081234567", b"81234567"),
        (b"000081234567", "\u0661".encode() * 12),
        (b"<Serial>700000000001</Serial>", b""),
        (b"<Serial>700000000001</Serial>", b"<Serial>7</Serial>"),
        (b"<Value>100.00</Value>", b""),
        (b"<Value>100.00</Value>", b"<Value>100.01</Value>"),
        (b"<Value>100.00</Value>", b"<Value>1e2</Value>"),
        (b"<Value>100.00</Value>", b"<Value>" + b"9" * 5_000 + b"</Value>"),
        (b"<Value>100.00</Value>", b"<Value>100.001</Value>"),
        (b"<Pin>300400500600</Pin>", b""),
        (b"<Pin>300400500600</Pin>", b"<Pin/>"),
        (b"<Pin>300400500600</Pin>", b"<Pin>30040050060</Pin>"),
        (b"<Pin>300400500600</Pin>", b"<Pin>7KM4QX9TB2HV3N5P</Pin>"),
        (b"<Pin>300400500600</Pin>", b"<Pin>300400500600</Pin><Pin>300400500601</Pin>"),
        (b"<Pin>300400500600</Pin>", b"<Pin>3004<x/>00500600</Pin>"),
        (b"<Pin>300400500600</Pin>", b"<RedeemUrl>javascript:alert(1)</RedeemUrl>"),
        (b"<Voucher>", b"<Voucher/><Voucher>"),
        (b"<Voucher>", b"<Other>"),
    ],
)
def test_a_sale_that_lacks_anything_is_a_bad_answer(old: bytes, new: bytes) -> None:
    assert old in PURCHASED
    assert is_bad_answer(purchased(PURCHASED.replace(old, new)))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00",
        b"<",
        b"<html></html>",
        b"{}",
        PURCHASED[:-1],
        PURCHASED + b"x",
        PURCHASED.replace(b"Approved", b"\xff"),
        PURCHASED.decode().encode("utf-16"),
        b'<?xml version="1.0" encoding="UTF-16"?>' + PURCHASED.replace(b"Approved", b"\xe9"),
        b"<a>" * 10_000,
        b"<a>" * 200 + b"</a>" * 200,
    ],
)
def test_what_is_no_answer_is_a_bad_answer(body: bytes) -> None:
    assert is_bad_answer(purchased(body))


def test_space_around_values_and_unknown_elements_are_ignored() -> None:
    body = PURCHASED.replace(b"<Pin>300400500600</Pin>", b"<Pin>\n 300400500600\t</Pin><New><Pin>1</Pin></New>")
    assert voucher_of(purchased(b'<?xml version="1.0"?>\n<!-- x -->' + body)).code == FIRST_PIN
    assert voucher_of(purchased(PURCHASED.replace(b"100.00", b"100.0000"))).code == FIRST_PIN


def test_a_pin_wins_over_a_link() -> None:
    body = PURCHASED.replace(b"</Brand>", b"</Brand><RedeemUrl>https://x.example/1</RedeemUrl>")
    voucher = voucher_of(purchased(body))
    assert (voucher.code, voucher.instructions) == (FIRST_PIN, ("Enter the PIN in your account.",))


def test_a_refusal_about_another_request_proves_nothing_about_ours() -> None:
    body = b"<PurchaseResponse><ResultCode>101</ResultCode><RequestId>%b</RequestId></PurchaseResponse>"
    assert is_bad_answer(purchased(body % R2.encode()))
    assert not is_bad_answer(purchased(body % R1.encode()))


def test_a_refusal_quotes_no_pin() -> None:
    text = f"PIN {FIRST_PIN} and 7KM4-QX9T-B2HV-3N5P and 7KM4QX9TB2HV3N5P"
    body = f"<RedeemResponse><ResultCode>202</ResultCode><ResultText>{text}</ResultText></RedeemResponse>".encode()
    order = a_redemption("7KM4QX9TB2HV3N5P")
    outcome = translate.from_redeem(HttpAnswer(200, body), order, RULES)
    assert outcome == Declined(ErrorType.VOUCHER_ALREADY_REDEEMED, "202", "PIN *** and *** and ***")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<Status>ACTIVE</Status>", b""),
        (b"ACTIVE", b"SLEEPING"),
        (b"<Value>100.00</Value>", b"<Value>-1.00</Value>"),
        (R2.encode(), R1.encode()),
    ],
)
def test_an_enquiry_that_lacks_anything_is_a_bad_answer(old: bytes, new: bytes) -> None:
    assert is_bad_answer(enquired(ENQUIRED.replace(old, new)))


def test_an_answer_about_another_voucher_is_a_bad_answer() -> None:
    other = "700000000002"
    assert is_bad_answer(enquired(ENQUIRED, LookupOrder(serial_number=other)))
    assert is_bad_answer(enquired(ENQUIRED, LookupOrder(voucher_code=FIRST_PIN, refs={"Serial": other})))
    assert is_bad_answer(redeemed(REDEEMED.replace(FIRST_SERIAL.encode(), other.encode())))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<Amount>100.00</Amount>", b""),
        (b"100.00", b"40.00"),
        (FIRST_SERIAL.encode(), b""),
        (b"000081234568", b"x"),
        (R2.encode(), R1.encode()),
    ],
)
def test_a_redemption_that_lacks_anything_is_a_bad_answer(old: bytes, new: bytes) -> None:
    assert is_bad_answer(redeemed(REDEEMED.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<Type>FIXED</Type>", b"<Type>OTHER</Type>"),
        (b"<Type>FIXED</Type>", b"<Type>RANGE</Type>"),
        (b"<Value>100.00</Value>", b""),
        (b"<ProductCode>GAME0100</ProductCode>", b""),
        (b"<Available>Y</Available>", b""),
    ],
)
def test_a_product_list_that_cannot_be_read_is_none(old: bytes, new: bytes) -> None:
    assert isinstance(translate.from_products(HttpAnswer(200, PRODUCTS), R1, RULES), tuple)
    assert is_bad_answer(translate.from_products(HttpAnswer(200, PRODUCTS.replace(old, new)), R1, RULES))


def _read_all(body: bytes) -> None:
    for outcome in (purchased(body), enquired(body), redeemed(body)):
        assert isinstance(outcome, OutcomeUnknown | Approved | Declined | NotSent)
    translate.from_products(HttpAnswer(200, body), R1, RULES)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_raising(body: bytes) -> None:
    _read_all(body)


@given(st.sampled_from([PURCHASED, ENQUIRED, REDEEMED, PRODUCTS]), st.data())
def test_any_change_of_a_good_answer_is_read_without_raising(body: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, min(len(body), start + 40)))
    _read_all(body[:start] + data.draw(st.binary(max_size=20)) + body[end:])


_VALUES = st.one_of(st.text(max_size=20), st.sampled_from(["000", "101", R1, R2, FIRST_PIN, "100.00", "ACTIVE"]))


@given(st.lists(st.tuples(st.sampled_from(["ResultCode", "RequestId", "Voucher", "Pin", "Value", "Serial"]), _VALUES)))
def test_any_fields_are_read_without_raising(fields: list[tuple[str, str]]) -> None:
    root = etree.Element("PurchaseResponse")
    for name, text in fields:
        part = etree.SubElement(root, name)
        try:
            part.text = text
        except ValueError:  # what XML cannot hold cannot come in an answer
            part.text = ""
    _read_all(etree.tostring(root))
