"""Connector and simulator together: the checks of providers.md Part D that Yoyo is subject to, by their numbers.

Check 2 is also in test_yoyo_messages.py, 18 in test_yoyo_statement.py; 16 needs a provider with tenders. Check 19 also
runs at the end of every test that uses the `yoyo` fixture.
"""

from typing import Any

import pytest

from providers.pair_support import Pair, a_stopped_server, left_behind, unreachable
from providers.provider_support import A1, LOST_ANSWERS, LOST_REQUESTS, R1, R2, SAMPLE_TIME, SETTLED, SPOILT, an_id
from providers.yoyo.yoyo_support import (
    CODE,
    CVS_HEADERS,
    ISSUE_ANSWER,
    ISSUE_BODY,
    ITEM_REFS,
    POS_HEADERS,
    TRANSACTION_ANSWER,
    TRANSACTION_BODY,
    VOUCHER,
    advice_order,
    coupon_order,
    cvs,
    lookup_order,
    pos,
    provision_order,
    redeem_order,
    redeem_status_order,
    redeemed,
    sold,
    status_order,
)
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import ProviderProduct
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

# 1: the happy path of every operation


async def test_1_every_operation_with_the_samples_values(yoyo: Pair) -> None:
    connector = yoyo.connector
    await yoyo.at(SAMPLE_TIME)
    issued = await connector.provision(provision_order(), yoyo.call())
    assert issued == Approved(
        approved_cents=10_000, balance_cents=10_000, voucher=VOUCHER, provider_ref="900145", refs=ITEM_REFS
    )
    assert await connector.retry(provision_order(), yoyo.call()) == issued
    status = await connector.status(status_order(), yoyo.call())
    assert isinstance(status, Approved)
    assert (status.voucher, status.refs, status.voucher_state) == (VOUCHER, ITEM_REFS, "A")

    found = await connector.lookup(lookup_order(), yoyo.call())
    assert isinstance(found, Approved)
    assert (found.approved_cents, found.balance_cents) == (10_000, 10_000)

    part = await connector.redeem(redeem_order(amount_cents=4_000), yoyo.call())
    assert isinstance(part, Approved)
    assert (part.approved_cents, part.balance_cents, part.provider_ref) == (4_000, 6_000, "70001234")
    assert part.refs["wiTrxId"] == "70001234"
    known = await connector.redeem_status(redeem_status_order(amount_cents=4_000), yoyo.call())
    assert isinstance(known, Approved)
    assert (known.approved_cents, known.refs, known.voucher_state) == (4_000, part.refs, "P")
    assert await connector.confirm_redeem(advice_order(R2, part.refs), yoyo.call(advice_id=A1)) == Acknowledged()
    settled = await connector.redeem_status(redeem_status_order(amount_cents=4_000), yoyo.call())
    assert isinstance(settled, Approved)
    assert settled.voucher_state == "S"

    rest = await redeemed(yoyo, redeem_order(amount_cents=6_000, request_id=an_id(1)))
    assert rest.balance_cents == 0
    assert await connector.reverse_redeem(advice_order(an_id(1), rest.refs), yoyo.call()) == Acknowledged()
    assert (await yoyo.state(code=CODE))["balanceCents"] == 6_000

    second = await sold(yoyo, provision_order(request_id=an_id(2)))
    assert await connector.reverse(advice_order(an_id(2), second.refs), yoyo.call(advice_id=A1)) == Acknowledged()
    assert await connector.products(yoyo.call()) == (
        ProviderProduct("giftcard:3001", "Gift card", fixed=False, min_cents=1_000, max_cents=500_000),
        ProviderProduct("giftcard:3002", "Scarce gift card", fixed=False, min_cents=1_000, max_cents=500_000),
        ProviderProduct("coupon:2001", "Coupon", fixed=True, amount_cents=5_000),
    )

    search = ["GET /giftcardtransactions", "GET /giftcards/{id}"]
    assert yoyo.wire_ops() == [
        *("POST /giftcards", *search, *search, "POST /token-info"),
        *("POST /transaction", "GET /giftcards/{id}", "POST /transaction-history/v2", "POST /advise"),
        *("POST /transaction-history/v2", "POST /transaction", "GET /giftcards/{id}", "POST /advise"),
        *("POST /giftcards", "DELETE /giftcards/{id}", "GET /giftcardcampaigns", "GET /couponcampaigns"),
    ]
    assert all(leg.outcome is LegOutcome.ANSWERED and leg.peer == "yoyo" for leg in yoyo.legs)
    assert [leg.advice_id for leg in yoyo.legs if leg.operation in ("confirmRedeem", "reverse")] == [A1, A1]


async def test_1_a_coupon_from_issue_to_redemption(yoyo: Pair) -> None:
    await yoyo.at(SAMPLE_TIME)
    connector = yoyo.with_settings(coupon_get=True, coupon_delete=True)
    issued = await connector.provision(coupon_order(), yoyo.call())
    assert isinstance(issued, Approved)
    assert issued.voucher is not None
    assert (issued.voucher.code, issued.voucher.expires_at) == ("410020030", "2026-05-31T21:59:59.000Z")
    assert issued.refs == {"kind": "coupon", "id": "900145"}
    assert await connector.retry(coupon_order(), yoyo.call()) == issued
    spent = await connector.redeem(redeem_order("410020030", 5_000), yoyo.call())
    assert isinstance(spent, Approved)
    assert (spent.approved_cents, spent.balance_cents) == (5_000, None)
    assert await connector.reverse_redeem(advice_order(R2, spent.refs), yoyo.call()) == Acknowledged()
    assert await connector.reverse(advice_order(R1, issued.refs), yoyo.call()) == Acknowledged()
    gone = await connector.status(status_order(product="coupon:2001", amount_cents=5_000), yoyo.call())
    assert gone == Declined(ErrorType.TRANSACTION_DECLINED, provider_message="the item's state is E")


async def test_1_the_simulators_answers_are_the_samples(yoyo: Pair) -> None:
    await yoyo.at(SAMPLE_TIME)
    assert (await cvs(yoyo, "POST", "/giftcards?issueWiCode=true", ISSUE_BODY)).body == ISSUE_ANSWER
    assert (await pos(yoyo, "/transaction", TRANSACTION_BODY)).body == TRANSACTION_ANSWER


# 2: one byte changed in the credentials


@pytest.mark.parametrize("name", [*CVS_HEADERS, *POS_HEADERS])
async def test_2_credentials_with_one_byte_changed_are_refused(yoyo: Pair, name: str) -> None:
    good = CVS_HEADERS if name in CVS_HEADERS else POS_HEADERS
    for value in (good[name][:-1] + "~", good[name] + "0", "", good[name].upper() + "~"):
        if good is CVS_HEADERS:
            refused = await cvs(yoyo, "GET", "/giftcardcampaigns", headers=good | {name: value})
            assert refused.status == 401
        else:
            refused = await pos(yoyo, "/transaction", TRANSACTION_BODY, headers=good | {name: value})
            assert refused.status == 401 or refused.json["responseCode"] == "9000"
    assert (await yoyo.state())["vouchers"] == 0


# 3: nothing was sent


async def test_3_a_provider_that_cannot_be_reached_is_not_sent(yoyo: Pair) -> None:
    async for connector in unreachable(yoyo):
        for outcome in (
            await connector.provision(provision_order(), yoyo.call()),
            await connector.redeem(redeem_order(), yoyo.call()),
            await connector.lookup(lookup_order(), yoyo.call()),
        ):
            assert isinstance(outcome, NotSent)
            assert (outcome.error_type, outcome.alert) == (ErrorType.UPSTREAM_UNAVAILABLE, None)
        for doubt in (
            await connector.retry(provision_order(settled_ms_ago=SETTLED), yoyo.call()),
            await connector.status(status_order(SETTLED), yoyo.call()),
            await connector.redeem_status(redeem_status_order(SETTLED), yoyo.call()),
            await connector.products(yoyo.call()),
        ):
            assert isinstance(doubt, OutcomeUnknown)
        for order in (advice_order(sent_ms_ago=SETTLED), advice_order(refs=ITEM_REFS)):
            assert isinstance(await connector.reverse(order, yoyo.call()), Pending)
        assert isinstance(await connector.reverse_redeem(advice_order(R2), yoyo.call()), Pending)
        assert isinstance(await connector.confirm_redeem(advice_order(R2), yoyo.call()), Pending)
    assert await yoyo.journal() == []


async def test_3_the_two_apis_may_be_at_two_addresses(yoyo: Pair) -> None:
    stopped = await a_stopped_server()
    here = yoyo.with_settings(base_url=stopped, pos_base_url=yoyo.simulator.url, connect_timeout_ms=500)
    await sold(yoyo)
    assert isinstance(await here.provision(provision_order(request_id=an_id(1)), yoyo.call()), NotSent)
    approved = await here.redeem(redeem_order(), yoyo.call())
    assert isinstance(approved, Approved)
    assert approved.balance_cents is None  # issuing does not answer; the redemption stands
    there = yoyo.with_settings(pos_base_url=stopped, connect_timeout_ms=500)
    assert isinstance(await there.provision(provision_order(request_id=an_id(1)), yoyo.call()), Approved)
    assert isinstance(await there.redeem(redeem_order(), yoyo.call()), NotSent)


# 4 and 5: sent, and no answer


@pytest.mark.parametrize("kind", LOST_ANSWERS)
async def test_4_a_lost_answer_is_found_and_never_issued_again(yoyo: Pair, kind: str) -> None:
    connector = yoyo.impatient()
    await yoyo.fault(kind, op="provision")
    assert isinstance(await connector.provision(provision_order(), yoyo.call()), OutcomeUnknown)
    retried = await connector.retry(provision_order(), yoyo.call())
    status = await connector.status(status_order(SETTLED), yoyo.call())
    assert isinstance(retried, Approved)
    assert isinstance(status, Approved)
    assert retried.voucher == status.voucher
    assert retried.voucher is not None
    assert retried.voucher.code == CODE
    assert await yoyo.vouchers(R1) == 1
    assert yoyo.wire_ops().count("POST /giftcards") == 1


async def test_4_an_error_after_the_issue_is_found_too(yoyo: Pair) -> None:
    await yoyo.fault("http", op="provision", params={"status": 500, "processed": True})
    assert isinstance(await yoyo.connector.provision(provision_order(), yoyo.call()), OutcomeUnknown)
    assert isinstance(await yoyo.connector.retry(provision_order(), yoyo.call()), Approved)
    assert await yoyo.vouchers(R1) == 1


@pytest.mark.parametrize("kind", LOST_REQUESTS)
async def test_5_a_lost_request_is_proved_only_after_the_settle_time(yoyo: Pair, kind: str) -> None:
    connector = yoyo.impatient()
    await yoyo.fault(kind, op="provision", params={"ms": 60_000})
    assert isinstance(await connector.provision(provision_order(), yoyo.call()), OutcomeUnknown)
    assert isinstance(await connector.status(status_order(29_999), yoyo.call()), OutcomeUnknown)
    assert isinstance(await connector.retry(provision_order(settled_ms_ago=29_999), yoyo.call()), OutcomeUnknown)
    assert isinstance(await connector.status(status_order(30_000), yoyo.call()), NotSent)
    assert isinstance(await connector.retry(provision_order(settled_ms_ago=30_000), yoyo.call()), NotSent)
    assert (await yoyo.state())["vouchers"] == 0
    assert yoyo.wire_ops().count("POST /giftcards") == 1


async def test_5_a_request_in_flight_is_found_once_it_arrives(yoyo: Pair) -> None:
    await yoyo.fault("late_processing", op="provision", params={"ms": 5_000})
    assert isinstance(await yoyo.connector.provision(provision_order(), yoyo.call()), OutcomeUnknown)
    assert isinstance(await yoyo.connector.retry(provision_order(), yoyo.call()), OutcomeUnknown)
    await yoyo.advance(5_000)
    assert isinstance(await yoyo.connector.retry(provision_order(), yoyo.call()), Approved)
    assert await yoyo.vouchers(R1) == 1


@pytest.mark.parametrize("kind", [*LOST_ANSWERS, "drop_before", "hang_before", "rst_before"])
async def test_4_and_5_hold_for_redemptions(yoyo: Pair, kind: str) -> None:
    await sold(yoyo)
    connector = yoyo.impatient()
    await yoyo.fault(kind, op="redeem")
    assert isinstance(await connector.redeem(redeem_order(), yoyo.call()), OutcomeUnknown)
    before = kind.endswith("before")
    early = await connector.redeem_status(redeem_status_order(), yoyo.call())
    late = await connector.redeem_status(redeem_status_order(SETTLED), yoyo.call())
    assert isinstance(early, OutcomeUnknown if before else Approved)
    assert isinstance(late, NotSent if before else Approved)
    assert (await yoyo.state(code=CODE))["balanceCents"] == (10_000 if before else 0)
    assert yoyo.wire_ops().count("POST /transaction") == 1


@pytest.mark.parametrize(
    "kind", ["http", "drop_before", "hang_before", "malformed", "truncate", "oversize", "auth_fail"]
)
@pytest.mark.parametrize("op", ["GET /giftcardtransactions", "GET /giftcards/{id}"])
async def test_4_a_question_that_fails_proves_nothing(yoyo: Pair, kind: str, op: str) -> None:
    """Neither that there is no voucher, although the settle time is long past, nor that it may be issued again."""
    await sold(yoyo)
    connector = yoyo.impatient()
    for ask in (
        connector.status(status_order(SETTLED), yoyo.call()),
        connector.retry(provision_order(settled_ms_ago=SETTLED), yoyo.call()),
    ):
        await yoyo.fault(kind, op=op)
        outcome = await ask
        assert isinstance(outcome, OutcomeUnknown)
        assert outcome.error_type is ErrorType.UPSTREAM_UNAVAILABLE
        assert outcome.alert == {"auth_fail": "credentials_refused"}.get(
            kind, "bad_answer" if kind in ("malformed", "truncate", "oversize") else None
        )
    assert yoyo.wire_ops().count("POST /giftcards") == 1


# 6: late


async def test_6_late_inside_and_outside_the_read_timeout(yoyo: Pair) -> None:
    connector = yoyo.with_settings(read_timeout_ms=600)
    await yoyo.fault("late", op="provision", params={"ms": 200})
    assert isinstance(await connector.provision(provision_order(), yoyo.call()), Approved)
    await yoyo.fault("late", op="provision", params={"ms": 5_000})
    assert isinstance(await connector.provision(provision_order(request_id=an_id(1)), yoyo.call()), OutcomeUnknown)


# 7 and 8: refusals


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("9001", NotSent),
        ("9002", NotSent),
        ("9003", Declined),
        ("9004", Declined),
        ("9005", Declined),
        ("9006", OutcomeUnknown),
        ("9007", OutcomeUnknown),
        ("9008", NotSent),
        ("401", NotSent),
        ("2107", OutcomeUnknown),
        ("7777", OutcomeUnknown),
        ("TEXT", OutcomeUnknown),
    ],
)
async def test_7_and_8_codes_of_an_issue(yoyo: Pair, code: str, expected: type) -> None:
    """Their error types are in test_yoyo_messages.py."""
    await yoyo.fault("decline", op="provision", params={"code": code})
    outcome = await yoyo.connector.provision(provision_order(), yoyo.call())
    assert type(outcome) is expected
    assert isinstance(outcome, Declined | NotSent | OutcomeUnknown)
    assert outcome.provider_code == (code if code.isdecimal() else None)
    assert (await yoyo.state())["vouchers"] == 0
    assert [entry["processed"] for entry in await yoyo.journal()] == [False]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 302, 404, 418])
async def test_8_another_status_is_unknown(yoyo: Pair, status: int) -> None:
    await yoyo.fault("http", times=0, params={"status": status, "body": {"responseCode": "-1"}})
    connector = yoyo.connector
    assert isinstance(await connector.provision(provision_order(), yoyo.call()), OutcomeUnknown)
    assert isinstance(await connector.redeem(redeem_order(), yoyo.call()), OutcomeUnknown)
    assert isinstance(await connector.status(status_order(SETTLED), yoyo.call()), OutcomeUnknown)
    assert isinstance(await connector.redeem_status(redeem_status_order(SETTLED), yoyo.call()), OutcomeUnknown)
    assert isinstance(await connector.reverse(advice_order(refs=ITEM_REFS), yoyo.call()), Pending)
    assert isinstance(await connector.reverse_redeem(advice_order(R2, sent_ms_ago=SETTLED), yoyo.call()), Pending)
    assert len(await yoyo.journal()) == 6


# 9: spoilt answers


@pytest.mark.parametrize("kind", SPOILT)
async def test_9_a_spoilt_answer_is_unknown_alerts_and_is_not_sent_again(yoyo: Pair, kind: str) -> None:
    await yoyo.fault(kind, op="provision")
    outcome = await yoyo.connector.provision(provision_order(), yoyo.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert (outcome.error_type, outcome.alert) == (ErrorType.UPSTREAM_UNAVAILABLE, "bad_answer")
    assert yoyo.wire_ops() == ["POST /giftcards"]
    assert await yoyo.vouchers(R1) == 1


@pytest.mark.parametrize("kind", ["wrong_amount", "wrong_reference", "no_pin", "bad_pin"])
async def test_9_a_spoilt_item_approves_nothing(yoyo: Pair, kind: str) -> None:
    await sold(yoyo)
    await yoyo.fault(kind, op="GET /giftcards/{id}")
    outcome = await yoyo.connector.retry(provision_order(), yoyo.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"


@pytest.mark.parametrize("kind", ["malformed", "truncate", "oversize", "wrong_amount"])
async def test_9_a_spoilt_redemption_is_a_doubt(yoyo: Pair, kind: str) -> None:
    await sold(yoyo)
    await yoyo.fault(kind, op="redeem")
    outcome = await yoyo.connector.redeem(redeem_order(), yoyo.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"
    assert yoyo.wire_ops() == ["POST /giftcards", "POST /transaction"]


# 11: advices


@pytest.mark.parametrize("op", ["confirmRedeem", "reverseRedeem"])
async def test_11_an_advice_is_delivered_once_in_effect(yoyo: Pair, op: str) -> None:
    await sold(yoyo)
    refs = (await redeemed(yoyo)).refs
    await yoyo.fault("http", op=op, times=3, params={"status": 500})
    tell = yoyo.connector.confirm_redeem if op == "confirmRedeem" else yoyo.connector.reverse_redeem
    results = [await tell(advice_order(R2, refs), yoyo.call(advice_id=A1)) for _ in range(5)]
    assert [type(one) for one in results] == [Pending, Pending, Pending, Acknowledged, Acknowledged]
    events = [event["event"] for event in (await yoyo.state(code=CODE))["events"]]
    assert events == ["A", "HELD 10000", "R" if op == "confirmRedeem" else "RELEASED 10000"]
    assert all(leg.advice_id == A1 for leg in yoyo.legs if leg.operation == op)


async def test_11_a_reversal_is_delivered_once_in_effect(yoyo: Pair) -> None:
    refs = (await sold(yoyo)).refs
    await yoyo.fault("http", op="reverse", times=3, params={"status": 500})
    results = [await yoyo.connector.reverse(advice_order(refs=refs), yoyo.call(advice_id=A1)) for _ in range(5)]
    assert [type(one) for one in results] == [Pending, Pending, Pending, Acknowledged, Acknowledged]
    state = await yoyo.state(reference=R1)
    assert [event["event"] for event in state["events"]] == ["A", "E"]
    assert (await yoyo.state())["floatCents"] == 100_000_000


# 12: reversals before, during and after


async def test_12_a_reversal_before_the_provision_waits_for_the_settle_time(yoyo: Pair) -> None:
    connector = yoyo.connector
    assert isinstance(await connector.reverse(advice_order(sent_ms_ago=29_999), yoyo.call()), Pending)
    assert await connector.reverse(advice_order(sent_ms_ago=30_000), yoyo.call()) == Acknowledged()


async def test_12_a_reversal_while_the_provision_is_in_flight_leaves_no_orphan(yoyo: Pair) -> None:
    await yoyo.fault("late_processing", op="provision", params={"ms": 5_000})
    assert isinstance(await yoyo.connector.provision(provision_order(), yoyo.call()), OutcomeUnknown)
    assert isinstance(await yoyo.connector.reverse(advice_order(), yoyo.call()), Pending)
    await yoyo.advance(5_000)
    assert await yoyo.connector.reverse(advice_order(sent_ms_ago=5_000), yoyo.call()) == Acknowledged()
    assert (await yoyo.state(reference=R1))["state"] == "E"
    gone = await yoyo.connector.retry(provision_order(), yoyo.call())
    assert gone == Declined(ErrorType.TRANSACTION_DECLINED, provider_message="the item's state is E")


async def test_12_the_same_for_a_redemption(yoyo: Pair) -> None:
    await sold(yoyo)
    await yoyo.fault("late_processing", op="redeem", params={"ms": 5_000})
    assert isinstance(await yoyo.connector.redeem(redeem_order(), yoyo.call()), OutcomeUnknown)
    assert isinstance(await yoyo.connector.reverse_redeem(advice_order(R2), yoyo.call()), Pending)
    await yoyo.advance(5_000)
    assert (await yoyo.state(code=CODE))["balanceCents"] == 0
    assert await yoyo.connector.reverse_redeem(advice_order(R2, sent_ms_ago=5_000), yoyo.call()) == Acknowledged()
    assert (await yoyo.state(code=CODE))["balanceCents"] == 10_000
    status = await yoyo.connector.redeem_status(redeem_status_order(), yoyo.call())
    assert isinstance(status, Declined)


# 13: a reversal after the voucher was used


@pytest.mark.parametrize("named", [True, False])
async def test_13_a_reversal_after_the_voucher_was_used_is_refused(yoyo: Pair, named: bool) -> None:
    refs = (await sold(yoyo)).refs
    await yoyo.world(CODE, "REDEEM")
    result = await yoyo.connector.reverse(advice_order(refs=refs if named else None), yoyo.call())
    assert result == Refused("9007", "Item redeemed")


# 15: credentials


async def test_15_refused_credentials_are_not_the_originators_fault(yoyo: Pair) -> None:
    expected = NotSent(ErrorType.ROUTING_ERROR, "401", "credentials refused", alert="credentials_refused")
    await yoyo.fault("auth_fail", op="auth", times=2)
    assert await yoyo.connector.provision(provision_order(), yoyo.call()) == expected
    assert await yoyo.connector.redeem(redeem_order(), yoyo.call()) == expected
    wrong = yoyo.with_settings(api_password="wrong-password", pos_password="wrong-password")
    assert await wrong.provision(provision_order(), yoyo.call()) == expected
    assert await wrong.redeem(redeem_order(), yoyo.call()) == expected
    assert await wrong.lookup(lookup_order(), yoyo.call()) == expected
    pending = Pending(cause="401 credentials refused", alert="credentials_refused")
    assert await wrong.reverse(advice_order(refs=ITEM_REFS), yoyo.call()) == pending
    doubt = await wrong.status(status_order(SETTLED), yoyo.call())
    assert isinstance(doubt, OutcomeUnknown)
    assert doubt.alert == "credentials_refused"
    assert (await yoyo.state())["vouchers"] == 0


# 17: pieces


async def test_17_an_answer_in_single_bytes_or_slowly_is_an_approval(yoyo: Pair) -> None:
    await yoyo.fault("split", params={"sizes": [1]})
    assert isinstance(await yoyo.connector.provision(provision_order(), yoyo.call()), Approved)
    await yoyo.fault("slow_bytes", params={"ms": 100})
    assert isinstance(await yoyo.connector.provision(provision_order(request_id=an_id(1)), yoyo.call()), Approved)


# 19: nowhere a code


async def test_19_no_code_in_any_leg_outcome_or_file(yoyo: Pair, capfd: pytest.CaptureFixture[str]) -> None:
    connector = yoyo.connector
    outcomes: list[Any] = []
    for number, kind in enumerate(
        ["wrong_amount", "wrong_reference", "bad_pin", "truncate", "malformed", "drop_after"]
    ):
        await yoyo.fault(kind, op="provision")
        outcomes.append(await connector.provision(provision_order(request_id=an_id(number)), yoyo.call()))
    await sold(yoyo)
    quoting = {"responseCode": "8802", "responseDesc": f"token {CODE} is odd", "itemNumber": CODE}
    await yoyo.fault("http", op="redeem", params={"status": 200, "body": quoting})
    outcomes += [
        await connector.redeem(redeem_order(), yoyo.call()),
        await connector.redeem(redeem_order(), yoyo.call()),
        await connector.lookup(lookup_order(), yoyo.call()),
        await connector.redeem(redeem_order("9" * 12), yoyo.call()),
    ]
    texts = await left_behind(yoyo, outcomes, capfd)
    assert [code for code in {*yoyo.codes, "9" * 12} if any(code in text for text in texts)] == []
    assert any('"wicode":"***"' in (leg.response or "") for leg in yoyo.legs)
    assert any('"token":{"id":"***"' in leg.request for leg in yoyo.legs)


async def test_a_deadline_in_the_past_is_not_sent(yoyo: Pair) -> None:
    outcome = await yoyo.connector.provision(provision_order(), yoyo.call(deadline_s=-1))
    assert isinstance(outcome, NotSent)
    assert await yoyo.journal() == []
