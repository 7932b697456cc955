"""The traps of Blu Voucher, a test each: what a connector or a simulator of it gets wrong most easily."""

import asyncio

import pytest

from providers.bluvoucher.blu_support import (
    AUTHENTICATED,
    AUTHENTICATION,
    FIRST_PIN,
    GET_VOUCHER,
    SETTLED,
    SOLD_VOUCHER,
    Blu,
    advice_order,
    lookup_order,
    provision_order,
    redeem_order,
    sale_of,
    spend_status,
)
from providers.line_support import HeardLine, line_server
from providers.provider_support import A1, R1, R2, an_id, status_order, until
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
from voucherswitch.message.trace import LegOutcome
from voucherswitch.providers.bluvoucher.translate import TRANS_REF

# The session


async def test_a_session_is_bound_to_its_connection(blu: Blu) -> None:
    async with blu.line() as one, blu.line() as other:
        assert await one.ask(AUTHENTICATION) == AUTHENTICATED
        assert "<AEONErrorCode>750<" in await other.ask(GET_VOUCHER)
        assert "<EventCode>0<" in await one.ask(GET_VOUCHER)
    async with blu.line() as later:
        assert "<AEONErrorCode>750<" in await later.ask(sale_of(R2))


async def test_each_operation_has_a_connection_and_a_session_of_its_own(blu: Blu) -> None:
    await blu.issued(an_id(1))
    await blu.issued(an_id(2))
    assert blu.wire_ops() == ["Authentication", "GetVoucher"] * 2
    assert blu.simulator.provider.book.numbers["sessions"] == 2
    await until(lambda: not blu.simulator.frame.listener.connections)


async def test_an_unknown_session_is_made_anew_once(blu: Blu) -> None:
    await blu.fault("session_lost", op="provision")
    voucher = await blu.issued()
    assert voucher.code == FIRST_PIN
    assert blu.wire_ops() == ["Authentication", "GetVoucher", "Authentication", "GetVoucher"]
    assert (await blu.totals())["vouchers"] == 1


async def test_a_session_that_stays_unknown_is_not_sent(blu: Blu) -> None:
    await blu.fault("session_lost", op="redeem", times=0)
    await blu.usable()
    outcome = await blu.aeon.redeem(redeem_order(), blu.call())
    assert outcome == NotSent(ErrorType.ROUTING_ERROR, "750", "Session unknown or expired", alert="credentials_refused")
    assert blu.wire_ops("redeem") == ["VoucherSpend"] * 2


async def test_without_renew_once_an_unknown_session_is_not_sent_at_once(blu: Blu) -> None:
    await blu.fault("session_lost", op="provision")
    outcome = await blu.with_settings(renew_once=False).provision(provision_order(), blu.call())
    assert isinstance(outcome, NotSent)
    assert outcome.error_type is ErrorType.ROUTING_ERROR
    assert blu.wire_ops() == ["Authentication", "GetVoucher"]


async def test_a_renewal_that_is_lost_after_the_second_event_leaves_a_doubt(blu: Blu) -> None:
    await blu.fault("session_lost", op="provision")
    await blu.fault("drop_after", op="provision")
    assert isinstance(await blu.aeon.provision(provision_order(), blu.call()), OutcomeUnknown)
    assert (await blu.totals())["vouchers"] == 1


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "rst_before", "rst_after", "hang_before", "malformed"])
async def test_what_fails_before_the_event_is_not_sent(blu: Blu, kind: str) -> None:
    """Authentication alone sells nothing."""
    await blu.fault(kind, op="Authentication")
    outcome = await blu.impatient().provision(provision_order(), blu.call())
    assert isinstance(outcome, NotSent)
    assert outcome.error_type is ErrorType.UPSTREAM_UNAVAILABLE
    assert blu.wire_ops() == ["Authentication"]
    assert [leg.operation for leg in blu.legs] == ["auth"]


@pytest.mark.parametrize("code", ["790", "799", "774", "888"])
async def test_an_authentication_that_is_refused_oddly_is_not_sent_and_never_declined(blu: Blu, code: str) -> None:
    await blu.fault("decline", op="Authentication", times=0, params={"code": code})
    outcome = await blu.aeon.provision(provision_order(), blu.call())
    assert isinstance(outcome, NotSent)
    assert (outcome.error_type, outcome.provider_code) == (ErrorType.UPSTREAM_UNAVAILABLE, code)
    # Of an earlier sale it proves nothing.
    assert isinstance(await blu.aeon.status(status_order(sent_ms_ago=SETTLED), blu.call()), OutcomeUnknown)


# The framing


@pytest.mark.parametrize("size", [1, 7, 64])
async def test_an_answer_in_pieces_of_any_size_is_read_whole(blu: Blu, size: int) -> None:
    await blu.fault("split", times=0, params={"sizes": [size]})
    await blu.issued()


async def test_a_closing_tag_in_two_pieces_ends_the_answer(blu: Blu) -> None:
    await blu.fault("cut_closing", times=0)
    await blu.issued()


@pytest.mark.parametrize("break_", ["CR", "LF", "CRLF"])
async def test_line_breaks_inside_elements_and_tags_mean_nothing(blu: Blu, break_: str) -> None:
    await blu.fault("line_breaks", times=0, params={"code": break_})
    voucher = await blu.issued()
    assert (voucher.code, voucher.serial_number) == (FIRST_PIN, "BS00000001")


async def test_an_answer_cut_at_any_byte_is_never_an_approval(blu: Blu) -> None:
    for size in range(0, 340, 17):
        blu.simulator.frame.reset()
        await blu.fault("truncate", op="provision", params={"bytes": size})
        outcome = await blu.aeon.provision(provision_order(), blu.call())
        assert isinstance(outcome, OutcomeUnknown)
        assert blu.wire_ops("provision") == ["GetVoucher"]


# Answers that are not ours


async def test_an_answer_for_another_reference_is_unknown(blu: Blu) -> None:
    await blu.fault("wrong_reference", op="provision")
    outcome = await blu.aeon.provision(provision_order(), blu.call())
    assert outcome == OutcomeUnknown(provider_message="the answer is about another request", alert="bad_answer")
    await blu.aeon.confirm(advice_order(), blu.call())
    await blu.fault("wrong_reference", op="redeem")
    outcome = await blu.aeon.redeem(redeem_order(), blu.call())
    assert outcome == OutcomeUnknown(provider_message="the answer is about another request", alert="bad_answer")
    await blu.fault("wrong_reference", op="confirm")
    pending = await blu.aeon.confirm(advice_order(), blu.call())
    assert pending == Pending("the answer is about another request", alert="bad_answer")


async def test_a_surplus_answer_to_a_sale_changes_nothing(blu: Blu) -> None:
    for number, kind in enumerate(("two_responses", "unsolicited")):
        await blu.fault(kind, op="provision")
        voucher = await blu.issued(an_id(number))
        assert voucher.code == f"{int(FIRST_PIN) + number}"


async def test_a_surplus_answer_before_a_sale_is_never_taken_for_its_answer(blu: Blu) -> None:
    """Two responses in one segment: the connection is out of step before the sale, so nothing is sent on it."""
    await blu.fault("two_responses", op="Authentication")
    outcome = await blu.aeon.provision(provision_order(), blu.call())
    assert outcome == NotSent(ErrorType.UPSTREAM_UNAVAILABLE, provider_message="an answer came that nobody asked for")
    assert blu.wire_ops() == ["Authentication"]


async def test_an_unsolicited_voucher_of_somebody_else_is_never_ours(blu: Blu) -> None:
    """It comes on the heels of the Authentication: seen in time nothing is sent; taken for the answer it is refused."""
    for number in range(20):
        await blu.fault("unsolicited", op="Authentication")
        outcome = await blu.aeon.provision(provision_order(request_id=an_id(number)), blu.call())
        assert isinstance(outcome, NotSent | OutcomeUnknown)
        if isinstance(outcome, OutcomeUnknown):
            assert outcome.alert == "bad_answer"
        assert isinstance(outcome, OutcomeUnknown) or "GetVoucher" not in blu.wire_ops()[2 * number :]


async def test_the_answer_of_another_event_or_session_is_unknown(blu: Blu) -> None:
    stranger = AUTHENTICATED.replace("Authentication", "GetTransStatus")

    answers = [stranger, stranger.replace("GetTransStatus", "GetVoucher").replace("S-000001", "S-9")]

    async def behave(heard: HeardLine, writer: asyncio.StreamWriter) -> None:
        writer.write((AUTHENTICATED if heard.number == 0 else answers[heard.connection]).encode())

    async with line_server(behave) as server:
        connector = blu.with_settings(port=server.port)
        for _ in answers:
            outcome = await connector.provision(provision_order(), blu.call())
            assert isinstance(outcome, OutcomeUnknown)
            assert outcome.alert == "bad_answer"


@pytest.mark.parametrize("spelling", ["AEON", "Aeon"])
async def test_both_spellings_of_the_error_elements_are_read(blu: Blu, spelling: str) -> None:
    blu.simulator.provider.set_profile({"spelling": spelling})
    outcome = await blu.aeon.lookup(lookup_order(), blu.call())
    assert outcome == Declined(ErrorType.INVALID_VOUCHER, "760", "Voucher not found")
    assert f"<{spelling}ErrorCode>760<" in (blu.legs[-1].response or "")


async def test_an_error_without_aeons_own_code_goes_by_the_other_one(blu: Blu) -> None:
    answer = (
        "<response><SessionId>S-000001</SessionId><EventType>GetVoucher</EventType><event><EventCode>1</EventCode></event>"
        "<data><ErrorCode>752</ErrorCode><ErrorText>Too much</ErrorText><AEONErrorCode/></data></response>"
    )

    async def behave(heard: HeardLine, writer: asyncio.StreamWriter) -> None:
        writer.write((AUTHENTICATED if heard.number == 0 else answer).encode())

    async with line_server(behave) as server:
        outcome = await blu.with_settings(port=server.port).provision(provision_order(), blu.call())
    assert outcome == Declined(ErrorType.INVALID_AMOUNT, "752", "Too much")


# Never sent twice


@pytest.mark.parametrize(
    "kind",
    [
        *("drop_before", "drop_after", "rst_before", "rst_after", "hang_before", "hang_after"),
        *("late_processing", "malformed", "truncate", "http", "oversize"),
    ],
)
async def test_a_sale_is_never_sent_again_and_its_retry_asks(blu: Blu, kind: str) -> None:
    connector = blu.impatient()
    await blu.fault(kind, op="provision", params={"ms": 60_000, "status": 500, "body": "<html>"})
    assert isinstance(await connector.provision(provision_order(), blu.call()), OutcomeUnknown)
    retried = await connector.retry(provision_order(sent_ms_ago=1_000), blu.call())
    processed = kind in ("drop_after", "rst_after", "hang_after", "malformed", "truncate", "oversize")
    assert isinstance(retried, Approved if processed else OutcomeUnknown)
    if isinstance(retried, Approved):
        assert retried.voucher is not None
        assert retried.voucher.code == (await blu.state(reference=R1))["code"]
        assert retried.refs == {TRANS_REF: "BT0000000001"}
    await blu.advance(60_000)  # what was on its way arrives
    assert blu.wire_ops("provision") == ["GetVoucher"]
    assert blu.wire_ops("status") == ["GetTransStatus"]
    assert (await blu.totals())["vouchers"] <= 1


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "rst_after", "malformed", "truncate", "http"])
async def test_a_spend_is_never_sent_again(blu: Blu, kind: str) -> None:
    await blu.usable()
    await blu.fault(kind, op="redeem")
    assert isinstance(await blu.aeon.redeem(redeem_order(), blu.call()), OutcomeUnknown)
    assert blu.wire_ops("redeem") == ["VoucherSpend"]


async def test_a_reference_sent_twice_is_a_doubt_and_no_second_voucher(blu: Blu) -> None:
    await blu.issued()
    again = await blu.aeon.provision(provision_order(), blu.call())
    assert again == OutcomeUnknown(ErrorType.DUPLICATE_RECORD, "754", "Reference already used")
    assert (await blu.state(reference=R1))["vouchers"] == 1


async def test_a_closed_connection_after_authentication_is_not_sent(blu: Blu) -> None:
    async def behave(_heard: HeardLine, writer: asyncio.StreamWriter) -> bool:
        writer.write(AUTHENTICATED.encode() + b"\n")
        return False

    async with line_server(behave) as server:
        connector = blu.with_settings(port=server.port)
        outcomes = [await connector.provision(provision_order(), blu.call()) for _ in range(10)]
        assert all(isinstance(outcome, NotSent | OutcomeUnknown) for outcome in outcomes)
        for leg, outcome in zip(blu.legs[1::2], outcomes, strict=True):
            assert (leg.outcome is LegOutcome.NOT_SENT) == isinstance(outcome, NotSent)


# Advices


async def test_a_confirmation_has_its_own_connection_and_needs_no_session(blu: Blu) -> None:
    await blu.issued()
    result = await blu.aeon.confirm(advice_order(refs={TRANS_REF: "BT0000000001"}), blu.call(advice_id=A1))
    assert result == Acknowledged()
    assert blu.wire_ops() == ["Authentication", "GetVoucher", "SoldVoucher"]
    assert blu.legs[-1].advice_id == A1
    assert "SessionId" not in blu.legs[-1].request
    assert (await blu.state(reference=R1))["state"] == "ACTIVE"


async def test_a_confirmation_without_its_trans_ref_asks_for_it_first(blu: Blu) -> None:
    await blu.issued()
    assert await blu.aeon.confirm(advice_order(), blu.call()) == Acknowledged()
    assert blu.wire_ops()[2:] == ["Authentication", "GetTransStatus", "SoldVoucher"]


async def test_a_reversal_without_its_trans_ref_goes_without(blu: Blu) -> None:
    await blu.fault("drop_after", op="provision")
    await blu.aeon.provision(provision_order(), blu.call())
    assert await blu.aeon.reverse(advice_order(), blu.call()) == Acknowledged()
    assert blu.wire_ops()[2:] == ["CancelVoucher"]
    assert "TransRef" not in blu.legs[-1].request
    assert (await blu.state(reference=R1))["state"] == "CANCELLED"


async def test_a_confirmation_whose_question_fails_waits(blu: Blu) -> None:
    await blu.fault("auth_fail", op="Authentication")
    result = await blu.aeon.confirm(advice_order(), blu.call())
    assert result == Pending("Invalid user", alert="credentials_refused")
    early = await blu.aeon.confirm(advice_order(sent_ms_ago=SETTLED - 1), blu.call())
    assert early == Pending("GetTransStatus: 770")
    late = await blu.aeon.confirm(advice_order(sent_ms_ago=SETTLED), blu.call())
    assert late == Refused("770", "Transaction unknown")
    blind = blu.with_settings(trans_status=False)
    assert isinstance(await blind.confirm(advice_order(), blu.call()), Refused)
    assert "SoldVoucher" not in blu.wire_ops()


async def test_advices_take_effect_once_and_repeats_succeed(blu: Blu) -> None:
    await blu.issued()
    for _ in range(2):
        assert await blu.aeon.confirm(advice_order(), blu.call()) == Acknowledged()
    assert [event["event"] for event in (await blu.state(reference=R1))["events"]] == ["UNSOLD", "ACTIVE"]
    sold = await blu.aeon.reverse(advice_order(), blu.call())
    assert sold == Refused("771", "Already sold")
    await blu.issued(R2)
    for _ in range(2):
        assert await blu.aeon.reverse(advice_order(R2), blu.call()) == Acknowledged()
    cancelled = await blu.aeon.confirm(advice_order(R2), blu.call())
    assert cancelled == Refused("772", "Already cancelled")


async def test_the_cancel_window_closes_after_ten_minutes(blu: Blu) -> None:
    await blu.issued()
    await blu.advance(600_001)
    closed = await blu.aeon.reverse(advice_order(), blu.call())
    assert closed == Refused("773", "Cancel window closed")
    assert await blu.aeon.confirm(advice_order(), blu.call()) == Acknowledged()


async def test_the_sample_advice_is_refused_with_another_trans_ref(blu: Blu) -> None:
    await blu.issued()
    async with blu.line() as line:
        assert "<AEONErrorCode>770<" in await line.ask(SOLD_VOUCHER.replace("BT0000000001", "BT0000000002"))
        assert "<AEONErrorCode>103<" in await line.ask(SOLD_VOUCHER.replace("0000</UserPin>", "0001</UserPin>"))
        assert "<AEONErrorCode>755<" in await line.ask(SOLD_VOUCHER.replace("<TransRef>BT0000000001</TransRef>", ""))


# Resolving a redemption


async def test_a_lost_spend_is_found_by_its_voucher_and_our_reference(blu: Blu) -> None:
    await blu.usable()
    await blu.fault("drop_after", op="redeem")
    assert isinstance(await blu.aeon.redeem(redeem_order(), blu.call()), OutcomeUnknown)
    found = await blu.aeon.redeem_status(spend_status(), blu.call())
    assert found == Approved(approved_cents=10_000, balance_cents=0, voucher_state="SPENT")
    assert blu.wire_ops("redeem") == ["VoucherSpend"]
    assert blu.wire_ops()[-2:] == ["Authentication", "VoucherEnquiry"]


async def test_a_spend_that_never_arrived_is_proved_by_an_active_voucher_once_settled(blu: Blu) -> None:
    await blu.usable()
    await blu.fault("drop_before", op="redeem")
    assert isinstance(await blu.aeon.redeem(redeem_order(), blu.call()), OutcomeUnknown)
    early = await blu.aeon.redeem_status(spend_status(sent_ms_ago=SETTLED - 1), blu.call())
    assert isinstance(early, OutcomeUnknown)
    late = await blu.aeon.redeem_status(spend_status(sent_ms_ago=SETTLED), blu.call())
    assert isinstance(late, NotSent)


@pytest.mark.parametrize("by_us", [True, False], ids=["under another reference of ours", "by the world"])
async def test_a_voucher_that_another_spent_declines_ours(blu: Blu, by_us: bool) -> None:
    await blu.usable()
    if by_us:
        await blu.aeon.redeem(redeem_order(request_id=an_id(9)), blu.call())
    else:
        await blu.world(FIRST_PIN, "REDEEM")
    found = await blu.aeon.redeem_status(spend_status(), blu.call())
    assert found == Declined(ErrorType.VOUCHER_ALREADY_REDEEMED, provider_message="SPENT")


@pytest.mark.parametrize("event", ["BLOCK", "EXPIRE"])
async def test_a_voucher_that_died_unspent_ends_the_doubt_once_settled(blu: Blu, event: str) -> None:
    await blu.usable()
    await blu.world(FIRST_PIN, event)
    assert isinstance(await blu.aeon.redeem_status(spend_status(), blu.call()), OutcomeUnknown)
    late = await blu.aeon.redeem_status(spend_status(sent_ms_ago=SETTLED), blu.call())
    assert isinstance(late, Declined)
    assert late.error_type is ErrorType.TRANSACTION_DECLINED


async def test_a_question_that_fails_or_cannot_be_asked_leaves_the_doubt(blu: Blu) -> None:
    unknown_voucher = await blu.aeon.redeem_status(spend_status(sent_ms_ago=SETTLED), blu.call())
    assert isinstance(unknown_voucher, OutcomeUnknown)
    no_code = await blu.aeon.redeem_status(spend_status(voucher_code=None), blu.call())
    assert isinstance(no_code, OutcomeUnknown)
    await blu.fault("decline", op="status", params={"code": "774"})
    refused = await blu.aeon.status(status_order(sent_ms_ago=SETTLED), blu.call())
    assert isinstance(refused, OutcomeUnknown)


# Half open, late


async def test_a_provider_that_accepts_and_never_reads_is_not_sent(blu: Blu) -> None:
    await blu.profile(halfOpen=True)
    outcome = await blu.impatient().provision(provision_order(), blu.call())
    assert outcome == NotSent(ErrorType.UPSTREAM_UNAVAILABLE, provider_message="no complete answer in time")
    assert blu.wire_ops() == []


@pytest.mark.parametrize(("ms", "inside"), [(590, True), (60_000, False)], ids=["59 s", "61 s"])
async def test_an_answer_just_inside_and_outside_the_read_timeout(blu: Blu, ms: int, inside: bool) -> None:
    """The read timeout of 60 s in hundredths: 59 is in time, 61 is not."""
    connector = blu.with_settings(read_timeout_ms=900 if inside else 250)
    await blu.fault("late", op="provision", params={"ms": ms})
    outcome = await connector.provision(provision_order(), blu.call())
    assert isinstance(outcome, Approved if inside else OutcomeUnknown)
    assert (await blu.totals())["vouchers"] == 1


async def test_the_whole_amount_is_asked_for_before_it_is_spent(blu: Blu) -> None:
    """An amount of 0 means all there is; the event has to name it, and a part is never spent."""
    await blu.usable()
    outcome = await blu.aeon.redeem(redeem_order(amount_cents=0), blu.call())
    assert isinstance(outcome, Approved)
    assert (outcome.approved_cents, outcome.balance_cents) == (10_000, 0)
    assert blu.wire_ops()[-4:] == ["Authentication", "VoucherEnquiry", "Authentication", "VoucherSpend"]
    again = await blu.aeon.redeem(redeem_order(amount_cents=0, request_id=an_id(3)), blu.call())
    assert again == Declined(ErrorType.VOUCHER_ALREADY_REDEEMED, provider_message="SPENT")
    await blu.fault("drop_after", op="lookup")
    unasked = await blu.aeon.redeem(redeem_order(amount_cents=0, request_id=an_id(4)), blu.call())
    assert isinstance(unasked, NotSent)
    part = await blu.aeon.redeem(redeem_order(await code_of_another(blu), 4_000, an_id(5)), blu.call())
    assert part == Declined(ErrorType.INVALID_AMOUNT, "765", "Amount differs from value")


async def code_of_another(blu: Blu) -> str:
    return (await blu.usable(an_id(6))).code


async def test_retry_and_status_are_off_without_trans_status(blu: Blu) -> None:
    blind = blu.with_settings(trans_status=False)
    assert await blind.status(status_order(), blu.call()) == OutcomeUnknown(ErrorType.FUNCTION_NOT_SUPPORTED)
    assert await blind.retry(provision_order(), blu.call()) == OutcomeUnknown(ErrorType.FUNCTION_NOT_SUPPORTED)
    assert blu.wire_ops() == []


async def test_a_cancelled_sale_is_declined_by_its_status(blu: Blu) -> None:
    await blu.issued(R1)
    await blu.aeon.reverse(advice_order(), blu.call())
    for outcome in (
        await blu.aeon.status(status_order(), blu.call()),
        await blu.aeon.retry(provision_order(), blu.call()),
    ):
        assert outcome == Declined(ErrorType.TRANSACTION_DECLINED, provider_message="CANCELLED")
