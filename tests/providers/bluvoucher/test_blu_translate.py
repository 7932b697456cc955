"""What answers prove, past any socket: hostile ones, odd ones, and the rules of both modes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.bluvoucher.blu_support import (
    AUTHENTICATED,
    FIRST_PIN,
    GOT_VOUCHER,
    SOLD,
    advice_order,
    lookup_order,
    provision_order,
    redeem_order,
    spend_status,
)
from providers.provider_support import status_order
from voucherswitch.message.outcomes import (
    Acknowledged,
    Approved,
    NotSent,
    OutcomeUnknown,
    Pending,
    Refused,
)
from voucherswitch.providers.bluvoucher import trade_translate, translate
from voucherswitch.providers.bluvoucher.messages import CANCEL_VOUCHER, SOLD_VOUCHER
from voucherswitch.providers.bluvoucher.settings import bluvoucher_settings
from voucherswitch.providers.contract.answers import rules_of
from voucherswitch.providers.contract.transport.http import HttpAnswer

SESSION = "S-000001"
RULES = rules_of(
    bluvoucher_settings("blu", {"host": "127.0.0.1", "port": 1, "user_pin": "0", "device_id": "1", "device_ser": "2"})
)
ENQUIRED = (
    "<response><SessionId>S-000001</SessionId><EventType>VoucherEnquiry</EventType><event><EventCode>0</EventCode></event>"
    "<data><Serial>BS00000001</Serial><VoucherState>ACTIVE</VoucherState><Value>100.00</Value>"
    "<ExpiryDate>2029-03-02</ExpiryDate></data></response>"
)
STATUS = GOT_VOUCHER.replace("GetVoucher", "GetTransStatus").replace("</TransRef>", "</TransRef><State>SOLD</State>")
SPENT = (
    "<response><SessionId>S-000001</SessionId><EventType>VoucherSpend</EventType><event><EventCode>0</EventCode></event>"
    "<data><Reference>c2d47e08-1a6b-4f35-8e90-7b1d3a5c9f24</Reference><SpendRef>BX1</SpendRef><Amount>100.00</Amount>"
    "<SpentAt>2026-03-02 14:15:16</SpentAt></data></response>"
)
PRODUCTS = (
    "<response><SessionId>S-000001</SessionId><EventType>GetProductList</EventType><event><EventCode>0</EventCode></event>"
    "<data><Product><ProductCode>BLU</ProductCode><Name>Blu</Name><MinAmount>10.00</MinAmount>"
    "<MaxAmount>4000.00</MaxAmount></Product></data></response>"
)
SAMPLES = [AUTHENTICATED, GOT_VOUCHER, STATUS, ENQUIRED, SPENT, PRODUCTS, SOLD]


def read_all(body: bytes) -> list[Any]:
    """Every reader of AEON on one answer."""
    status, advice = status_order(sent_ms_ago=99_999), advice_order(sent_ms_ago=99_999)
    return [
        translate.session_of(body, RULES),
        translate.session_unknown(body, "GetVoucher", SESSION),
        translate.from_get_voucher(body, SESSION, provision_order(), RULES),
        translate.from_trans_status(body, SESSION, status, RULES),
        translate.from_enquiry(body, SESSION, lookup_order(), RULES),
        translate.from_spend(body, SESSION, redeem_order(), 10_000, RULES),
        translate.from_spend_enquiry(body, SESSION, spend_status(), RULES),
        translate.from_products(body, SESSION, RULES),
        translate.trans_ref_of(body, SESSION, advice, RULES),
        translate.from_advice(body, SOLD_VOUCHER, advice, RULES),
        translate.from_advice(body, CANCEL_VOUCHER, advice, RULES),
    ]


def test_the_samples_are_read_by_their_own_readers_only() -> None:
    good = [
        sum(isinstance(one, Approved | Acknowledged | str | tuple) for one in read_all(sample.encode()))
        for sample in SAMPLES
    ]
    assert good == [1, 1, 2, 1, 1, 1, 1]  # the status also tells the TransRef


HOSTILE = [
    b"",
    b"\x00",
    b"</response>",
    b"<response/>",
    b"<response></response>",
    b"\xff\xfe<response></response>",
    b'<!DOCTYPE r [<!ENTITY a "b">]><response>&a;</response>',
    b"<response>" * 40 + b"</response>" * 40,
    b"<a>" * 200_000,
    AUTHENTICATED.encode().replace(b"<EventCode>0", b"<EventCode>2"),
    AUTHENTICATED.encode().replace(b"<EventCode>0</EventCode>", b""),
    GOT_VOUCHER.encode().replace(b"</data>", b"<ErrorCode>9</ErrorCode></data>"),
    GOT_VOUCHER.encode().replace(b"</data>", b"<pin>1111222233334444</pin></data>"),
    GOT_VOUCHER.encode().replace(b"</data>", b"</data><data/>"),
    GOT_VOUCHER.encode().replace(b"100.00", b"1e9"),
    GOT_VOUCHER.encode().replace(b"100.00", b"9" * 400),
    GOT_VOUCHER.encode().replace(b"100.00", b"-100.00"),
    GOT_VOUCHER.encode().replace(b"100.00", b"100.001"),
    GOT_VOUCHER.encode().replace(b"100.00", b"\xd9\xa1\xd9\xa0\xd9\xa0"),
    GOT_VOUCHER.encode().replace(b"<Pin>1000200030004000</Pin>", b"<Pin><x>1000200030004000</x></Pin>"),
    GOT_VOUCHER.encode().replace(b"1000200030004000", b"100020003000400"),
    GOT_VOUCHER.encode().replace(b"1000200030004000", b"10002000300040001"),
    GOT_VOUCHER.encode().replace(b"S-000001", b"S-000002"),
    GOT_VOUCHER.encode().replace(b"5f3a1c9e", b"5F3A1C9E"),
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_answers_never_raise_and_prove_nothing(body: bytes) -> None:
    for outcome in read_all(body):
        assert not isinstance(outcome, Approved | Acknowledged | Refused)
        if isinstance(outcome, OutcomeUnknown | Pending):
            assert FIRST_PIN not in repr(outcome)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_without_an_error(body: bytes) -> None:
    read_all(body)


@given(st.sampled_from(SAMPLES), st.integers(0, 500), st.binary(max_size=12), st.integers(0, 30))
def test_samples_with_any_change_are_read_without_an_error(sample: str, at: int, put: bytes, cut: int) -> None:
    body = sample.encode()
    read_all(body[:at] + put + body[at + cut :])


def test_element_names_are_read_without_regard_to_case() -> None:
    shouted = GOT_VOUCHER.replace("<Pin>", "<PIN>").replace("</Pin>", "</PIN>").replace("response>", "Response>")
    shouted = shouted.replace("EventCode", "eventcode").replace("SessionId", "SESSIONID")
    assert isinstance(translate.from_get_voucher(shouted.encode(), SESSION, provision_order(), RULES), Approved)


def test_other_ways_to_write_the_same_answer() -> None:
    comma = GOT_VOUCHER.replace("100.00", "1,000.0000")
    assert isinstance(
        translate.from_get_voucher(comma.encode(), SESSION, provision_order(amount_cents=100_000), RULES), Approved
    )
    no_session = GOT_VOUCHER.replace("<SessionId>S-000001</SessionId>", "<SessionId/>")
    assert isinstance(translate.from_get_voucher(no_session.encode(), SESSION, provision_order(), RULES), Approved)
    more = GOT_VOUCHER.replace("</data>", "<Extra><Deep>x</Deep></Extra><New>1</New></data>")
    assert isinstance(translate.from_get_voucher(more.encode(), SESSION, provision_order(), RULES), Approved)
    fine = GOT_VOUCHER.replace("</data>", "<ErrorCode>0</ErrorCode><AEONErrorCode/></data>")
    assert isinstance(translate.from_get_voucher(fine.encode(), SESSION, provision_order(), RULES), Approved)


def test_a_session_that_could_not_be_sent_again_is_none() -> None:
    for session in ("", "a b", "x" * 41, "&lt;x&gt;"):
        body = AUTHENTICATED.replace("S-000001", session).encode()
        assert isinstance(translate.session_of(body, RULES), NotSent)


def test_a_provider_that_quotes_the_voucher_is_not_repeated() -> None:
    body = (
        "<response><SessionId/><EventType>VoucherSpend</EventType><event><EventCode>1</EventCode></event><data>"
        f"<ErrorCode>{FIRST_PIN}</ErrorCode><ErrorText>voucher {FIRST_PIN} is odd</ErrorText></data></response>"
    )
    outcome = translate.from_spend(body.encode(), SESSION, redeem_order(), 10_000, RULES)
    assert isinstance(outcome, OutcomeUnknown)
    assert FIRST_PIN not in repr(outcome)


# Mode trade

TRADE_HOSTILE = [
    b"",
    b"null",
    b"[]",
    b"\x00",
    b"{" * 100_000,
    b'{"token":1000200030004000,"amount":10000}',
    b'{"token":"1000200030004000","amount":"10000"}',
    b'{"token":"1000200030004000","amount":1e400}',
    b'{"token":"1000200030004000","amount":10001}',
    b'{"token":"1000200030004000","amount":10000,"requestId":"other"}',
    b'{"token":"100020003000400","amount":10000}',
    b'{"amount":10000}',
    b'{"amount":10000,"replacementVoucher":{"token":null}}',
    b'{"amount":10000,"replacementVoucher":{"token":"1000200030004000"}}',
    b'{"status":"ODD","amount":1}',
    b'{"status":"ACTIVE","amount":1e999999}',
    b'{"status":"ACTIVE","amount":"NaN"}',
    b'{"status":"ACTIVE","amount":-1}',
    b'{"status":"ACTIVE","amount":0.001}',
]


def read_trade(body: bytes, status: int) -> list[Any]:
    answer = HttpAnswer(status, body)
    return [
        trade_translate.from_sale(answer, provision_order(), RULES),
        trade_translate.from_redemption(answer, redeem_order(), RULES),
        trade_translate.from_lookup(answer, lookup_order(), RULES, in_rand=True),
        trade_translate.from_lookup(answer, lookup_order(), RULES, in_rand=False),
    ]


@pytest.mark.parametrize("body", TRADE_HOSTILE, ids=range(len(TRADE_HOSTILE)))
def test_hostile_trade_answers_never_raise_and_sell_nothing(body: bytes) -> None:
    sale, redemption, *lookups = read_trade(body, 201)
    assert isinstance(sale, OutcomeUnknown)
    # What only names the right amount is all that a redemption has to prove.
    names_it = b'"amount":10000' in body and b"replacement" not in body and b"requestId" not in body
    assert isinstance(redemption, OutcomeUnknown) or names_it
    assert all(isinstance(one, OutcomeUnknown) for one in lookups)
    for status in (200, 302, 400, 404, 409, 500):
        read_trade(body, status)


@given(st.binary(max_size=200), st.sampled_from([200, 201, 400, 404, 409, 500]))
def test_any_trade_bytes_are_read_without_an_error(body: bytes, status: int) -> None:
    read_trade(body, status)


@pytest.mark.parametrize(
    "body",
    [
        b'{"reason":"No"}',
        b'{"error":"No"}',
        b'{"message":"No"}',
        b'{"description":"No"}',
        b'{"detail":"No"}',
        b'{"errors":["No"]}',
        b'{"errors":"No"}',
        b'{"error":{"code":"x"},"message":"No"}',
        b'{"reason":5,"code":7,"detail":"No"}',
    ],
)
def test_the_text_of_an_error_is_found_wherever_clients_have_seen_it(body: bytes) -> None:
    outcome = trade_translate.from_sale(HttpAnswer(404, body), provision_order(), RULES)
    assert isinstance(outcome, NotSent)
    assert (outcome.provider_code, outcome.provider_message) == ("404", "No")
