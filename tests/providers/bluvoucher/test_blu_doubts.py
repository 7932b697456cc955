"""Answers that contradict themselves, operations of several events, and codes that mean more than one thing."""

import asyncio
import time
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from providers.bluvoucher.blu_support import (
    AUTHENTICATED,
    FIRST_PIN,
    GOT_VOUCHER,
    SETTLED,
    Blu,
    advice_order,
    lookup_order,
    provision_order,
    redeem_order,
    spend_status,
)
from providers.line_support import OK, REQUEST, HeardLine, a_call, a_transport, answer_ok, line_server
from providers.provider_support import Heard, answer, changed, is_bad_answer, raw_server, status_order, until
from voucherswitch.message.codes import ErrorType
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
from voucherswitch.message.trace import LegOutcome
from voucherswitch.providers.bluvoucher import messages, trade_translate, translate
from voucherswitch.providers.bluvoucher.settings import bluvoucher_settings
from voucherswitch.providers.contract.answers import Rules, rules_of

SESSION = "S-000001"
AEON_CODES = ("0", "103", "750", "760", "770", "771", "790", "799", "")


def rules(**code_map: list[str]) -> Rules:
    keys = {"host": "127.0.0.1", "port": 1, "user_pin": "0", "device_id": "1", "device_ser": "2"}
    spelt = {key.replace("__", ":").lstrip("_"): value for key, value in code_map.items()}
    return rules_of(bluvoucher_settings("blu", {**keys, "code_map": spelt}))


RULES = rules()


def refused(event_type: str, data: str) -> bytes:
    session = "" if event_type in (messages.SOLD_VOUCHER, messages.CANCEL_VOUCHER) else SESSION
    return (
        f"<response><SessionId>{session}</SessionId><EventType>{event_type}</EventType>"
        f"<event><EventCode>1</EventCode></event><data>{data}</data></response>"
    ).encode()


def asked(event_type: str, body: bytes, used: Rules = RULES) -> Any:
    """What the reader of an event makes of an answer, however odd."""
    status, advice = status_order(), advice_order()
    read: dict[str, Any] = {
        messages.AUTHENTICATION: lambda: translate.session_of(body, used),
        messages.GET_VOUCHER: lambda: translate.from_get_voucher(body, SESSION, provision_order(), used),
        messages.GET_TRANS_STATUS: lambda: translate.from_trans_status(body, SESSION, status, used),
        "the TransRef": lambda: translate.trans_ref_of(body, SESSION, advice, used),
        messages.VOUCHER_ENQUIRY: lambda: translate.from_enquiry(body, SESSION, lookup_order(), used),
        "the spend's voucher": lambda: translate.from_spend_enquiry(body, SESSION, spend_status(), used),
        messages.VOUCHER_SPEND: lambda: translate.from_spend(body, SESSION, redeem_order(), 10_000, used),
        messages.GET_PRODUCT_LIST: lambda: translate.from_products(body, SESSION, used),
        messages.SOLD_VOUCHER: lambda: translate.from_advice(body, messages.SOLD_VOUCHER, advice, used),
        messages.CANCEL_VOUCHER: lambda: translate.from_advice(body, messages.CANCEL_VOUCHER, advice, used),
    }
    return read[event_type]()


EVENTS = {
    messages.AUTHENTICATION: messages.AUTHENTICATION,
    messages.GET_VOUCHER: messages.GET_VOUCHER,
    messages.GET_TRANS_STATUS: messages.GET_TRANS_STATUS,
    "the TransRef": messages.GET_TRANS_STATUS,
    messages.VOUCHER_ENQUIRY: messages.VOUCHER_ENQUIRY,
    "the spend's voucher": messages.VOUCHER_ENQUIRY,
    messages.VOUCHER_SPEND: messages.VOUCHER_SPEND,
    messages.GET_PRODUCT_LIST: messages.GET_PRODUCT_LIST,
    messages.SOLD_VOUCHER: messages.SOLD_VOUCHER,
    messages.CANCEL_VOUCHER: messages.CANCEL_VOUCHER,
}


# An element twice


@pytest.mark.parametrize("reader", EVENTS)
def test_two_error_codes_that_differ_prove_nothing(reader: str) -> None:
    data = "<AEONErrorCode>760</AEONErrorCode><AeonErrorCode>103</AeonErrorCode>"
    outcome = asked(reader, refused(EVENTS[reader], data))
    assert isinstance(outcome, OutcomeUnknown | Pending | NotSent)
    # A session that was refused asked for nothing yet, whatever the reason.
    assert isinstance(outcome, NotSent) == (reader == messages.AUTHENTICATION)
    assert outcome.alert == "bad_answer"


def test_the_same_error_code_in_both_spellings_is_one_code() -> None:
    data = (
        "<AEONErrorCode>760</AEONErrorCode><AeonErrorCode> 760 </AeonErrorCode><AEONERRORCODE/>"
        "<AEONErrorText>Not found</AEONErrorText><AeonErrorText>No such voucher</AeonErrorText>"
    )
    outcome = asked(messages.VOUCHER_SPEND, refused(messages.VOUCHER_SPEND, data))
    assert outcome == Declined(ErrorType.INVALID_VOUCHER, "760")  # which text is meant decides nothing


@hypothesis_settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(sorted(EVENTS)),
    st.lists(
        st.tuples(
            st.sampled_from(["AEONErrorCode", "AeonErrorCode", "ErrorCode", "AEONErrorText", "ErrorText", "TransRef"]),
            st.sampled_from(AEON_CODES),
        ),
        max_size=6,
    ),
)
def test_a_refusal_with_any_elements_any_number_of_times_is_read(reader: str, said: list[tuple[str, str]]) -> None:
    data = "".join(f"<{name}>{value}</{name}>" for name, value in said)
    assert not isinstance(asked(reader, refused(EVENTS[reader], data)), Approved | str | tuple)


async def test_a_sale_that_is_refused_with_two_codes_is_in_doubt(blu: Blu) -> None:
    data = "<AEONErrorCode>799</AEONErrorCode><AeonErrorCode>750</AeonErrorCode>"

    async def behave(heard: HeardLine, writer: asyncio.StreamWriter) -> None:
        writer.write(AUTHENTICATED.encode() if heard.number == 0 else refused(messages.GET_VOUCHER, data))

    async with line_server(behave) as server:
        outcome = await blu.with_settings(port=server.port).provision(provision_order(), blu.call())
        assert is_bad_answer(outcome)
        assert len(server.heard) == 2  # 750 alone would have been asked again


# One time for one operation


async def test_an_operation_of_two_events_has_one_time(blu: Blu) -> None:
    await blu.usable()
    hurried = blu.with_settings(total_timeout_ms=700)
    for op in ("lookup", "redeem", "status", "confirm"):
        await blu.fault("late", op=op, times=0, params={"ms": 600})
    for work in (
        hurried.redeem(redeem_order(amount_cents=0), blu.call()),
        hurried.confirm(advice_order(), blu.call()),
    ):
        started = time.monotonic()
        assert isinstance(await work, OutcomeUnknown | Pending)
        assert time.monotonic() - started < 1.1


# TransRef


@pytest.mark.parametrize("trans_status", [True, False])
async def test_a_sale_that_could_never_be_confirmed_is_in_doubt(blu: Blu, trans_status: bool) -> None:
    """Without GetTransStatus a TransRef that the answer lacks can be had nowhere."""

    async def behave(heard: HeardLine, writer: asyncio.StreamWriter) -> None:
        bare = GOT_VOUCHER.replace("<TransRef>BT0000000001</TransRef>", "")
        writer.write((AUTHENTICATED if heard.number == 0 else bare).encode())

    async with line_server(behave) as server:
        connector = blu.with_settings(port=server.port, trans_status=trans_status)
        outcome = await connector.provision(provision_order(), blu.call())
    assert isinstance(outcome, Approved) if trans_status else is_bad_answer(outcome)


# Codes that a deployment maps


def test_a_mapped_code_does_not_change_what_the_protocol_says_of_an_advice() -> None:
    declined = ["Declined", "UNABLE_TO_LOCATE_RECORD"]
    mapped = rules(_770=declined, _771=declined, _790=declined, _754=declined, _901=declined)

    def told(event_type: str, code: str, sent_ms_ago: int = 0) -> object:
        body = refused(event_type, f"<AEONErrorCode>{code}</AEONErrorCode>")
        return translate.from_advice(body, event_type, advice_order(sent_ms_ago=sent_ms_ago), mapped)

    assert isinstance(told(messages.CANCEL_VOUCHER, "770"), Pending)
    assert isinstance(told(messages.CANCEL_VOUCHER, "770", -1), Pending)
    assert told(messages.CANCEL_VOUCHER, "770", SETTLED) == Acknowledged()
    assert told(messages.SOLD_VOUCHER, "771") == Acknowledged()
    for event_type in (messages.SOLD_VOUCHER, messages.CANCEL_VOUCHER):
        assert isinstance(told(event_type, "790"), Pending)
        # Of these the protocol says nothing to an advice.
        assert told(event_type, "754") == Refused("754")
        assert told(event_type, "901") == Refused("901")


def _read_trade(operation: str, status: int, code: str, used: Rules) -> Outcome:
    refusal = answer({"code": code} if code else {}, status)
    if operation == "provision":
        return trade_translate.from_sale(refusal, provision_order(), used)
    if operation == "redeem":
        return trade_translate.from_redemption(refusal, redeem_order(), used)
    return trade_translate.from_lookup(refusal, lookup_order(), used, in_rand=False)


@pytest.mark.parametrize(
    ("status", "code"), [(409, ""), (409, "USED"), (409, "DUPLICATE"), (500, ""), (500, "LIMIT"), (503, "USED")]
)
def test_trade_a_bare_key_settles_no_sale_that_may_have_been_made(status: int, code: str) -> None:
    key = code or str(status)
    for family in ("Declined", "NotSent"):
        bare = rules(**{f"_{key}": [family, "LIMIT_EXCEEDED"]})
        assert isinstance(_read_trade("provision", status, code, bare), OutcomeUnknown)
        for operation in ("redeem", "lookup"):
            assert type(_read_trade(operation, status, code, bare)).__name__ == family
        scoped = rules(**{f"provision__{key}": [family, "LIMIT_EXCEEDED"]})
        assert type(_read_trade("provision", status, code, scoped)).__name__ == family
        for operation in ("redeem", "lookup"):
            assert _read_trade(operation, status, code, scoped) == _read_trade(operation, status, code, RULES)


def test_trade_a_bare_key_maps_a_refusal_that_no_table_has() -> None:
    mapped = rules(_LIMIT=["Declined", "LIMIT_EXCEEDED"], redeem__LIMIT=["Declined", "DO_NOT_HONOUR"])
    for status, operation in product((400, 409, 422), ("provision", "redeem", "lookup")):
        outcome = _read_trade(operation, status, "LIMIT", mapped)
        expected = ErrorType.DO_NOT_HONOUR if operation == "redeem" else ErrorType.LIMIT_EXCEEDED
        assert outcome == Declined(expected, "LIMIT")


# References, dates and texts


@pytest.mark.parametrize("element", ["TransRef>BT0000000001", "Serial>BS00000001"])
def test_a_sale_whose_reference_is_the_pin_is_in_doubt(element: str) -> None:
    name = element.partition(">")[0]
    for event in (messages.GET_VOUCHER, messages.GET_TRANS_STATUS):
        body = GOT_VOUCHER.replace("GetVoucher", event).replace("<data>", "<data><State>SOLD</State>")
        assert isinstance(asked(event, body.encode()), Approved)
        for told in (FIRST_PIN, f"X-{FIRST_PIN}"):
            assert is_bad_answer(asked(event, body.replace(element, f"{name}>{told}").encode()))


@pytest.mark.parametrize(
    ("told", "expires_at"),
    [
        ("2029-03-02", "2029-03-02T21:59:59.000Z"),
        ("2029-03-02T23:59:59+02:00", "2029-03-02T21:59:59.000Z"),
        ("2029-03-02T23:59:59", "2029-03-02T21:59:59.000Z"),
        ("02/03/2029", None),
        ("2029-02-30", None),
        ("2029-03-02</ExpiryDate><EXPIRYDATE>2030-03-02</EXPIRYDATE><ExpiryDate>2029-03-02", None),
    ],
)
def test_a_pin_is_not_given_up_for_its_date(told: str, expires_at: str | None) -> None:
    outcome = asked(messages.GET_VOUCHER, GOT_VOUCHER.replace("2029-03-02", told).encode())
    assert isinstance(outcome, Approved)
    assert outcome.voucher is not None
    assert (outcome.voucher.code, outcome.voucher.expires_at) == (FIRST_PIN, expires_at)


SALE = {"token": FIRST_PIN, "amount": 10_000, "serialNumber": "BS1", "reference": "TR1"}
SPENT = {"amount": 4_000, "reference": "TR2", "replacementVoucher": {"token": "1000200030004001"}}


@pytest.mark.parametrize("odd", ["soon", "2029-03-02", "", 5, None, ["x"], {"a": 1}])
def test_trade_a_pin_is_not_given_up_for_its_date_or_a_text(odd: object) -> None:
    body = {**SALE, "expiryDateTime": odd, "productInstructions": odd}
    sold = trade_translate.from_sale(answer(body), provision_order(), RULES)
    assert isinstance(sold, Approved)
    rest = {**SPENT, "replacementVoucher": {"token": "1000200030004001", "expiryDateTime": odd}}
    spent = trade_translate.from_redemption(answer(rest), redeem_order(amount_cents=4_000), RULES)
    assert isinstance(spent, Approved)
    day = "2029-03-02T21:59:59.000Z" if odd == "2029-03-02" else None
    for outcome in (sold, spent):
        assert outcome.voucher is not None
        assert outcome.voucher.expires_at == day


def test_trade_a_reference_that_is_a_pin_is_not_kept() -> None:
    for name in ("serialNumber", "reference"):
        body = changed(answer(SALE).body, **{name: FIRST_PIN})
        assert is_bad_answer(trade_translate.from_sale(answer(body), provision_order(), RULES))
    order = redeem_order(amount_cents=4_000)
    new = answer({**SPENT, "reference": "1000200030004001"})
    assert is_bad_answer(trade_translate.from_redemption(new, order, RULES))
    # The old PIN is used up: the redemption stands, only its reference is not shown.
    old = trade_translate.from_redemption(answer({**SPENT, "reference": FIRST_PIN}), order, RULES)
    assert isinstance(old, Approved)
    assert (old.approved_cents, old.provider_ref) == (4_000, None)


# Ages


async def test_a_retry_goes_by_how_long_the_last_call_has_been_over(blu: Blu) -> None:
    """A slow Authentication can use up the settle time before the sale leaves at all."""
    for settled_ms_ago in (0, SETTLED - 1, -1):
        order = provision_order(sent_ms_ago=10 * SETTLED, settled_ms_ago=settled_ms_ago)
        assert isinstance(await blu.aeon.retry(order, blu.call()), OutcomeUnknown)
    over = provision_order(sent_ms_ago=10 * SETTLED, settled_ms_ago=SETTLED)
    assert isinstance(await blu.aeon.retry(over, blu.call()), NotSent)


# Connections


async def test_trade_every_message_has_a_connection_of_its_own(blu: Blu) -> None:
    """An answer does not always say whose it is, so a surplus one must find nobody who waits."""

    async def behave(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        body = answer(SALE).body
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with raw_server(behave) as server:
        connector = blu.trade_with(base_url=server.url)
        for _ in range(3):
            assert isinstance(await connector.provision(provision_order(), blu.call()), Approved)
        assert len(server.connections) == 3
        await until(lambda: server.open_now == 0)


async def test_a_cancelled_operation_makes_no_further_exchange() -> None:
    """A cancellation that meets the end of an exchange is lost on the way; the next exchange asks for it again."""
    async with line_server(answer_ok) as server, a_transport(server.port) as transport:
        call = a_call()

        async def operation() -> None:
            async with transport.session(call) as session:
                assert await session.send("auth", REQUEST) == OK
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await asyncio.sleep(0)
                await session.send("provision", REQUEST)

        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(operation())
        assert [leg.outcome for leg in call.trace.legs] == [LegOutcome.ANSWERED, LegOutcome.NOT_SENT]
        assert call.trace.legs[1].error == "cancelled before it was sent"
        assert len(server.heard) == 1
        assert not transport._slots.locked()
