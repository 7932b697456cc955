"""Netcare's answers, read: what proves a sale and what does not; and that nothing an answer holds makes it raise."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.netcare.netcare_support import FIRST_NUMBER, FIRST_REFERENCE, ISSUED, PRICE_FAULT, a_sale, an_advice
from providers.provider_support import R1, R2, is_bad_answer
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import LookupOrder
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
from voucherswitch.message.parties import Voucher
from voucherswitch.providers.contract.answers import Rules
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.netcare import translate

RULES = Rules(re.compile(r"[2-9A-HJ-NP-Z]{12}"), {}, 30_000)
ORDER = LookupOrder(voucher_code=FIRST_NUMBER)
ADVICE = an_advice(Voucher(code=FIRST_NUMBER, serial_number=FIRST_REFERENCE))


def envelope(operation: str, fields: str) -> bytes:
    return (
        '<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Header/><S:Body>'
        f'<{operation}Response xmlns="urn:sim:netcare:voucher:1">{fields}</{operation}Response></S:Body></S:Envelope>'
    ).encode()


FOUND = envelope(
    "GetVoucherByNumber",
    f"<VoucherNumber>{FIRST_NUMBER}</VoucherNumber><PriceCents>10000</PriceCents><ValidTo>2027-03-02</ValidTo>"
    "<Status>ACTIVE</Status>",
)
CONFIRMED = envelope("ConfirmVoucher", f"<ClientReference>{R1}</ClientReference><Status>ACTIVE</Status>")
CANCELLED = envelope("CancelVoucher", f"<ClientReference>{R1}</ClientReference><Status>CANCELLED</Status>")
SERVICE = (
    "<Service><ServiceCode>A</ServiceCode><Description>B</Description><PriceCents>1</PriceCents>"
    "<ValidityMonths>12</ValidityMonths><Suspended>false</Suspended></Service>"
)
CATALOGUE = envelope("GetServiceCatalogue", SERVICE)


def issued(body: bytes, status: int = 200) -> Outcome:
    return translate.from_issue(HttpAnswer(status, body), a_sale(), RULES)


def found(body: bytes) -> Outcome:
    return translate.from_lookup(HttpAnswer(200, body), FIRST_NUMBER, ORDER, RULES)


def test_the_answers_of_these_tests_are_good() -> None:
    assert isinstance(issued(ISSUED), Approved)
    assert isinstance(found(FOUND), Approved)
    assert translate.from_confirm(HttpAnswer(200, CONFIRMED), ADVICE, RULES) == Acknowledged()
    assert translate.from_cancel(HttpAnswer(200, CANCELLED), ADVICE, RULES) == Acknowledged()
    catalogue = translate.from_catalogue(HttpAnswer(200, CATALOGUE), RULES)
    assert catalogue == {"A": translate.Service("A", "B", 1, suspended=False)}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"IssueVoucherResponse", b"ConfirmVoucherResponse"),
        (b"urn:sim:netcare:voucher:1", b"urn:sim:netcare:voucher:2"),
        (b"/soap/envelope/", b"/soap/envelop/"),
        (b"soap:Body>", b"soap:Head>"),
        (b"</nv:IssueVoucherResponse>", b"</nv:IssueVoucherResponse><nv:IssueVoucherResponse/>"),
        (R1.encode(), R2.encode()),
        (R1.encode(), R1.upper().encode()),
        (b"<nv:PriceCents>10000", b"<nv:PriceCents>10001"),
        (b"<nv:PriceCents>10000", b"<nv:PriceCents>100.00"),
        (b"<nv:PriceCents>10000", b"<nv:PriceCents>-10000"),
        (b"<nv:PriceCents>10000", b"<nv:PriceCents>" + b"9" * 5_000),
        (b"<nv:PriceCents>10000</nv:PriceCents>", b""),
        (b"GP-CONSULT-1", b"GP-MEDS-1"),
        (b"<nv:Status>ISSUED", b"<nv:Status>CANCELLED"),
        (b"<nv:Status>ISSUED</nv:Status>", b""),
        (b"NV0000000001", b"0000000001"),
        (b"7KM4QX9TB2HV", b"7KM4QX9TB2HW"),
        (b"7KM4QX9TB2HV", b"7KM4QX9TB2H"),
        (b"7KM4QX9TB2HV", b"7km4qx9tb2hv"),
        (b"<nv:VoucherNumber>7KM4QX9TB2HV</nv:VoucherNumber>", b""),
        (b"<nv:Status>", b"<nv:Status>ISSUED</nv:Status><nv:Status>"),
        (b"<soap:Envelope", b"<!DOCTYPE x><soap:Envelope"),
    ],
)
def test_a_sale_that_lacks_anything_is_a_bad_answer(old: bytes, new: bytes) -> None:
    assert old in ISSUED
    assert is_bad_answer(issued(ISSUED.replace(old, new)))


def test_a_success_under_another_status_is_unknown() -> None:
    for status in (201, 202, 500, 503):
        assert issued(ISSUED, status) == OutcomeUnknown(provider_message=f"HTTP {status}")


@pytest.mark.parametrize("status", [200, 400, 500, 503])
def test_a_fault_is_judged_by_its_code_alone(status: int) -> None:
    declined = Declined(ErrorType.INVALID_AMOUNT, "NV-1002", "Expected 10000")
    assert issued(PRICE_FAULT, status) == declined
    for old, new in (
        (b"soap:Client", b"soap:Server"),
        (b">false<", b">true<"),
        (b"<nv:Retryable>false</nv:Retryable>", b""),
        (b"Price does not match the catalogue", b"OK"),
    ):
        assert issued(PRICE_FAULT.replace(old, new), status) == declined


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (b"<nv:Code>NV-1002</nv:Code>", b"", "Expected 10000"),
        (b"nv:ServiceFault", b"nv:OtherFault", "Price does not match the catalogue"),
        (b"urn:sim:netcare:voucher:1", b"urn:other", "Price does not match the catalogue"),
        (b"detail>", b"details>", "Price does not match the catalogue"),
        (b"NV-1002", b"NV-9999", "Expected 10000"),
    ],
)
def test_a_fault_without_a_code_that_we_know_is_unknown(old: bytes, new: bytes, text: str) -> None:
    assert old in PRICE_FAULT
    outcome = issued(PRICE_FAULT.replace(old, new), 500)
    assert isinstance(outcome, OutcomeUnknown)
    assert (outcome.error_type, outcome.provider_message) == (ErrorType.UPSTREAM_UNAVAILABLE, text)


def test_a_fault_quotes_no_voucher_number() -> None:
    body = PRICE_FAULT.replace(b"NV-1002", b"NV-1404").replace(b"Expected 10000", f"No {FIRST_NUMBER}".encode())
    assert translate.from_lookup(HttpAnswer(500, body), FIRST_NUMBER, ORDER, RULES) == Declined(
        ErrorType.INVALID_VOUCHER, "NV-1404", "No ***"
    )
    refused = translate.from_confirm(HttpAnswer(500, body), ADVICE, RULES)
    assert refused == Refused("NV-1404", "No ***")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (FIRST_NUMBER.encode(), b"7KM4QX9TB2JU"),
        (b"ACTIVE", b"SLEEPING"),
        (b">10000<", b">1e4<"),
    ],
)
def test_a_lookup_that_lacks_anything_is_a_bad_answer(old: bytes, new: bytes) -> None:
    assert is_bad_answer(found(FOUND.replace(old, new)))


@pytest.mark.parametrize("state", ["ISSUED", "USED", "LAPSED", "CANCELLED", "EXPIRED"])
def test_only_an_active_voucher_is_worth_anything(state: str) -> None:
    outcome = found(FOUND.replace(b"ACTIVE", state.encode()))
    assert isinstance(outcome, Approved)
    assert (outcome.approved_cents, outcome.balance_cents, outcome.voucher_state) == (0, 0, state)


@pytest.mark.parametrize(
    ("old", "new"),
    [(R1.encode(), R2.encode()), (b"ACTIVE", b"ISSUED"), (b"CANCELLED", b"ACTIVE"), (b"Status", b"State")],
)
def test_an_advice_whose_answer_proves_nothing_stays_queued(old: bytes, new: bytes) -> None:
    for read, body in ((translate.from_confirm, CONFIRMED), (translate.from_cancel, CANCELLED)):
        if old in body:
            assert is_bad_answer(read(HttpAnswer(200, body.replace(old, new)), ADVICE, RULES))
            assert read(HttpAnswer(502, body), ADVICE, RULES) == Pending("HTTP 502")
    assert is_bad_answer(translate.from_confirm(HttpAnswer(200, CANCELLED), ADVICE, RULES))


@pytest.mark.parametrize(
    "fields",
    [
        SERVICE + SERVICE,
        SERVICE.replace(">1<", ">1.00<"),
        SERVICE.replace("ServiceCode", "Code"),
        SERVICE.replace("<Suspended>false</Suspended>", ""),
    ],
)
def test_a_catalogue_that_cannot_be_read_is_none(fields: str) -> None:
    assert is_bad_answer(translate.from_catalogue(HttpAnswer(200, envelope("GetServiceCatalogue", fields)), RULES))


def test_a_suspended_service_has_a_price_and_is_not_listed() -> None:
    for word in ("true", "1"):
        body = envelope("GetServiceCatalogue", SERVICE.replace("false", word))
        catalogue = translate.from_catalogue(HttpAnswer(200, body), RULES)
        assert isinstance(catalogue, dict)
        assert catalogue["A"].suspended
        assert translate.products_of(catalogue) == ()


def test_another_pattern_still_needs_the_check_character() -> None:
    anything = re.compile(r".+")
    assert translate.is_number(FIRST_NUMBER, anything)
    for number in ("7KM4QX9TB2HW", "0123", "é", "O"):
        assert not translate.is_number(number, anything)


def _read_all(body: bytes, status: int) -> None:
    answer = HttpAnswer(status, body)
    outcomes = (issued(body, status), found(body), translate.from_catalogue(answer, RULES))
    assert all(isinstance(outcome, Approved | Declined | NotSent | OutcomeUnknown | dict) for outcome in outcomes)
    results = (translate.from_confirm(answer, ADVICE, RULES), translate.from_cancel(answer, ADVICE, RULES))
    assert all(isinstance(result, Acknowledged | Refused | Pending) for result in results)


@given(st.binary(max_size=300), st.sampled_from([200, 500]))
def test_any_bytes_are_read_without_raising(body: bytes, status: int) -> None:
    _read_all(body, status)


@given(st.sampled_from([ISSUED, PRICE_FAULT, FOUND, CONFIRMED, CANCELLED, CATALOGUE]), st.data())
def test_any_change_of_a_good_answer_is_read_without_raising(body: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, min(len(body), start + 40)))
    _read_all(body[:start] + data.draw(st.binary(max_size=20)) + body[end:], data.draw(st.sampled_from([200, 500])))
