"""What is easily done wrong with Yoyo, one test per trap."""

import asyncio
import time

import msgspec
import pytest

from providers.pair_support import Pair
from providers.provider_support import R1, R2, SETTLED, STORE, Heard, an_id, raw_server
from providers.yoyo.yoyo_support import (
    CODE,
    ISSUE_ANSWER,
    ITEM_REFS,
    TRANSACTION_ANSWER,
    advice_order,
    coupon_order,
    lookup_order,
    provision_order,
    redeem_order,
    redeem_status_order,
    redeemed,
    settings_of,
    sold,
    status_order,
)
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import Acknowledged, Approved, Declined, NotSent, OutcomeUnknown, Pending, Refused
from voucherswitch.message.parties import Store
from voucherswitch.providers.contract.connector import Connector
from voucherswitch.providers.yoyo.connector import connect
from voucherswitch.providers.yoyo.products import VALUE_KEPT_S

NOT_ASKABLE = OutcomeUnknown(ErrorType.FUNCTION_NOT_SUPPORTED)
ONLY_A_PART = "the voucher covers only a part of the amount"


# Every issue makes another item


async def test_every_post_issues_another_item(yoyo: Pair) -> None:
    """The platform deduplicates nothing: this is what a resend would do."""
    first, second = await sold(yoyo), await sold(yoyo)
    assert first.voucher != second.voucher
    assert await yoyo.vouchers(R1) == 2


async def test_two_items_of_one_request_are_a_doubt_with_an_alert(yoyo: Pair) -> None:
    await sold(yoyo)
    await sold(yoyo)
    expected = OutcomeUnknown(provider_message="several items were issued for the request", alert="bad_answer")
    assert await yoyo.connector.retry(provision_order(settled_ms_ago=SETTLED), yoyo.call()) == expected
    assert await yoyo.connector.status(status_order(SETTLED), yoyo.call()) == expected
    pending = await yoyo.connector.reverse(advice_order(sent_ms_ago=SETTLED), yoyo.call())
    assert pending == Pending(cause="several items were issued for the request", alert="bad_answer")


async def test_a_retry_is_never_a_post_whatever_it_finds(yoyo: Pair) -> None:
    for sent_ms_ago in (0, SETTLED):
        await yoyo.connector.retry(provision_order(settled_ms_ago=sent_ms_ago), yoyo.call())
    await yoyo.fault("drop_before", times=0)
    await yoyo.connector.retry(provision_order(), yoyo.call())
    assert set(yoyo.wire_ops()) == {"GET /giftcardtransactions"}
    assert (await yoyo.state())["vouchers"] == 0


async def test_another_request_for_the_same_campaign_is_not_taken_for_ours(yoyo: Pair) -> None:
    await sold(yoyo, provision_order(request_id=an_id(1)))
    assert isinstance(await yoyo.connector.retry(provision_order(settled_ms_ago=30_000), yoyo.call()), NotSent)


async def test_an_item_that_was_used_is_still_found_by_its_issue(yoyo: Pair) -> None:
    """Redemptions are rows of the same history; only issues count."""
    issued = await sold(yoyo)
    for number in range(3):
        refs = (await redeemed(yoyo, redeem_order(amount_cents=1_000, request_id=an_id(number)))).refs
        assert await yoyo.connector.confirm_redeem(advice_order(an_id(number), refs), yoyo.call()) == Acknowledged()
    found = await yoyo.connector.retry(provision_order(), yoyo.call())
    assert isinstance(found, Approved)
    assert (found.voucher, found.approved_cents, found.balance_cents) == (issued.voucher, 10_000, 7_000)


async def test_a_history_longer_than_a_page_is_read_to_its_end(yoyo: Pair) -> None:
    """A second issue may be on the second page."""
    await sold(yoyo)
    for number in range(20):
        refs = (await redeemed(yoyo, redeem_order(amount_cents=100, request_id=an_id(number)))).refs
        assert await yoyo.connector.confirm_redeem(advice_order(an_id(number), refs), yoyo.call()) == Acknowledged()
    assert isinstance(await yoyo.connector.retry(provision_order(), yoyo.call()), Approved)
    assert yoyo.wire_ops().count("GET /giftcardtransactions") == 2
    assert [leg.request.rpartition("&")[2] for leg in yoyo.legs[-3:-1]] == ["campaignId=3001", "pageOffset=1"]
    await sold(yoyo)
    assert isinstance(await yoyo.connector.retry(provision_order(), yoyo.call()), OutcomeUnknown)


async def test_a_history_without_end_is_given_up(yoyo: Pair) -> None:
    row = {"id": 1, "giftcardId": 900145, "campaignId": 3001, "userRef": f"vsw-{R1}", "transactionType": "ISSUE"}
    body = {"responseCode": "-1", "transactions": [row], "paging": {"total": 1_000}}
    await yoyo.fault("http", times=0, params={"status": 200, "body": body})
    outcome = await yoyo.connector.retry(provision_order(settled_ms_ago=SETTLED), yoyo.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert len(await yoyo.journal()) == 5


# The index is late


async def test_late_index_before_the_settle_time_is_no_proof(yoyo: Pair) -> None:
    """The item exists and its row does not: within the settle time that decides nothing."""
    await yoyo.fault("late_index", op="provision", params={"ms": 20_000})
    issued = await sold(yoyo)
    assert isinstance(await yoyo.connector.retry(provision_order(settled_ms_ago=19_999), yoyo.call()), OutcomeUnknown)
    assert isinstance(await yoyo.connector.reverse(advice_order(sent_ms_ago=19_999), yoyo.call()), Pending)
    await yoyo.advance(20_000)
    found = await yoyo.connector.retry(provision_order(settled_ms_ago=20_000), yoyo.call())
    assert isinstance(found, Approved)
    assert found.voucher == issued.voucher


async def test_late_index_after_a_lost_answer(yoyo: Pair) -> None:
    await yoyo.fault("drop_after", op="provision")
    await yoyo.fault("late_index", op="status", params={"ms": 20_000})
    assert isinstance(await yoyo.connector.provision(provision_order(), yoyo.call()), OutcomeUnknown)
    assert isinstance(await yoyo.connector.retry(provision_order(), yoyo.call()), OutcomeUnknown)
    assert isinstance(await yoyo.connector.retry(provision_order(), yoyo.call()), Approved)
    assert await yoyo.vouchers(R1) == 1


async def test_late_index_of_a_redemption(yoyo: Pair) -> None:
    await sold(yoyo)
    await yoyo.fault("late_index", op="redeem", params={"ms": 20_000})
    await redeemed(yoyo)
    connector = yoyo.connector
    assert isinstance(await connector.redeem_status(redeem_status_order(19_999), yoyo.call()), OutcomeUnknown)
    for tell in (connector.confirm_redeem, connector.reverse_redeem):
        assert isinstance(await tell(advice_order(R2, sent_ms_ago=19_999), yoyo.call()), Pending)
    await yoyo.advance(20_000)
    assert isinstance(await connector.redeem_status(redeem_status_order(20_000), yoyo.call()), Approved)
    assert await connector.confirm_redeem(advice_order(R2, sent_ms_ago=20_000), yoyo.call()) == Acknowledged()


# Coupons


async def test_a_coupon_of_another_value_is_a_doubt_and_is_not_issued_twice(yoyo: Pair) -> None:
    """The first one exists with a value that nobody paid; the second is refused before it can."""
    selling, fresh = yoyo.with_settings(), yoyo.with_settings()
    first = await selling.provision(coupon_order(amount_cents=6_000), yoyo.call())
    assert first == OutcomeUnknown(
        provider_message="the value is not the amount that was asked for", alert="bad_answer"
    )
    assert isinstance(await fresh.products(yoyo.call()), tuple)
    for connector in (selling, fresh):
        second = await connector.provision(coupon_order(an_id(1), 6_000), yoyo.call())
        assert second == Declined(ErrorType.INVALID_AMOUNT, provider_message="the coupon has another value")
    assert (await yoyo.state())["vouchers"] == 1
    assert isinstance(await fresh.provision(coupon_order(an_id(2)), yoyo.call()), Approved)


async def test_a_corrected_campaign_sells_again(yoyo: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    connector = yoyo.with_settings()
    await yoyo.fault("wrong_amount", op="provision", params={"deltaCents": 1_000})
    assert isinstance(await connector.provision(coupon_order(), yoyo.call()), OutcomeUnknown)
    assert isinstance(await connector.provision(coupon_order(an_id(1)), yoyo.call()), Declined)
    later = time.monotonic() + VALUE_KEPT_S
    monkeypatch.setattr("voucherswitch.providers.yoyo.connector.time.monotonic", lambda: later)
    order, call = coupon_order(an_id(2)), yoyo.call()
    assert isinstance(await connector.provision(order, call), Approved)


async def test_a_coupon_has_no_status_unless_its_item_can_be_read(yoyo: Pair) -> None:
    await sold(yoyo, coupon_order())
    asked = status_order(SETTLED, amount_cents=5_000, product="coupon:2001")
    heard = yoyo.wire_ops()
    assert await yoyo.connector.retry(coupon_order(settled_ms_ago=SETTLED), yoyo.call()) == NOT_ASKABLE
    assert await yoyo.connector.status(asked, yoyo.call()) == NOT_ASKABLE
    assert yoyo.wire_ops() == heard
    reading = yoyo.with_settings(coupon_get=True)
    assert isinstance(await reading.status(asked, yoyo.call()), Approved)


async def test_a_coupon_that_cannot_be_expired_is_money_at_risk(yoyo: Pair) -> None:
    """An acknowledgement would say that nobody can use it any more. Without an item there is nothing at risk."""
    refs = (await sold(yoyo, coupon_order())).refs
    refused = Refused(provider_message="a coupon cannot be expired here")
    named = advice_order(refs=refs, product="coupon:2001")
    heard = yoyo.wire_ops()
    assert await yoyo.connector.reverse(named, yoyo.call()) == refused
    assert yoyo.wire_ops() == heard
    assert await yoyo.connector.reverse(advice_order(product="coupon:2001"), yoyo.call()) == refused
    never = advice_order(an_id(1), sent_ms_ago=30_000, product="coupon:2001")
    assert await yoyo.connector.reverse(never, yoyo.call()) == Acknowledged()
    deleting = yoyo.with_settings(coupon_delete=True)
    assert await deleting.reverse(named, yoyo.call()) == Acknowledged()
    assert (await yoyo.state(reference=R1))["state"] == "E"


async def test_a_coupon_for_each_user_once(yoyo: Pair) -> None:
    await sold(yoyo, coupon_order())
    again = await yoyo.connector.provision(coupon_order(), yoyo.call())
    assert again == Declined(ErrorType.LIMIT_EXCEEDED, "9005", "Cap per user reached")
    closed = await yoyo.connector.provision(provision_order("coupon:2002", 5_000), yoyo.call())
    assert closed == NotSent(ErrorType.DO_NOT_HONOUR, "9002", "Campaign closed")


# Redemption is dual


async def test_a_redemption_that_nobody_advises_holds_the_balance(yoyo: Pair) -> None:
    await sold(yoyo)
    first = await redeemed(yoyo, redeem_order(amount_cents=6_000))
    await yoyo.advance(30 * 24 * 3_600_000)
    second = await yoyo.connector.redeem(redeem_order(amount_cents=6_000, request_id=an_id(1)), yoyo.call())
    assert second == Declined(ErrorType.INSUFFICIENT_FUNDS, "8803", "Balance too small")
    assert await yoyo.connector.reverse_redeem(advice_order(R2, first.refs), yoyo.call()) == Acknowledged()
    await redeemed(yoyo, redeem_order(amount_cents=6_000, request_id=an_id(2)))


@pytest.mark.parametrize("finalise", [True, False])
async def test_an_advice_without_refs_asks_the_history_first(yoyo: Pair, finalise: bool) -> None:
    """The redemption's answer was lost, so its wiTrxId is unknown here."""
    await sold(yoyo)
    await yoyo.fault("drop_after", op="redeem")
    assert isinstance(await yoyo.connector.redeem(redeem_order(), yoyo.call()), OutcomeUnknown)
    tell = yoyo.connector.confirm_redeem if finalise else yoyo.connector.reverse_redeem
    assert await tell(advice_order(R2), yoyo.call()) == Acknowledged()
    assert yoyo.wire_ops()[-2:] == ["POST /transaction-history/v2", "POST /advise"]
    assert (await yoyo.state(code=CODE))["balanceCents"] == (0 if finalise else 10_000)
    # The same advice again: the history alone settles it.
    assert await tell(advice_order(R2), yoyo.call()) == Acknowledged()
    assert yoyo.wire_ops()[-1] == "POST /transaction-history/v2"


async def test_a_redemption_that_never_came(yoyo: Pair) -> None:
    connector = yoyo.connector
    assert isinstance(await connector.reverse_redeem(advice_order(R2, sent_ms_ago=29_999), yoyo.call()), Pending)
    assert await connector.reverse_redeem(advice_order(R2, sent_ms_ago=30_000), yoyo.call()) == Acknowledged()
    assert isinstance(await connector.confirm_redeem(advice_order(R2, sent_ms_ago=29_999), yoyo.call()), Pending)
    refused = await connector.confirm_redeem(advice_order(R2, sent_ms_ago=30_000), yoyo.call())
    assert refused == Refused("8804", "Original transaction unknown")
    assert set(yoyo.wire_ops()) == {"POST /transaction-history/v2"}


async def test_the_other_advice_is_refused_and_the_same_one_is_not(yoyo: Pair) -> None:
    await sold(yoyo)
    connector = yoyo.connector
    kept = advice_order(R2, (await redeemed(yoyo, redeem_order(amount_cents=4_000))).refs)
    undone = advice_order(an_id(1), (await redeemed(yoyo, redeem_order(amount_cents=4_000, request_id=an_id(1)))).refs)
    for _ in range(2):
        assert await connector.confirm_redeem(kept, yoyo.call()) == Acknowledged()
        assert await connector.reverse_redeem(undone, yoyo.call()) == Acknowledged()
    assert await connector.reverse_redeem(kept, yoyo.call()) == Refused("8805", "Already finalised")
    assert await connector.confirm_redeem(undone, yoyo.call()) == Refused("8806", "Already reversed")
    assert (await yoyo.state(code=CODE))["balanceCents"] == 6_000


async def test_a_failed_redemption_is_declined_by_the_history(yoyo: Pair) -> None:
    await sold(yoyo)
    await yoyo.connector.redeem(redeem_order(amount_cents=20_000), yoyo.call())
    status = await yoyo.connector.redeem_status(redeem_status_order(amount_cents=20_000), yoyo.call())
    assert status == Declined(ErrorType.TRANSACTION_DECLINED, provider_message="the redemption's state is F")
    assert await yoyo.connector.reverse_redeem(advice_order(R2), yoyo.call()) == Acknowledged()


async def test_2107_after_processing_is_a_doubt_that_the_history_ends(yoyo: Pair) -> None:
    await sold(yoyo)
    await yoyo.fault("vsp_timeout", op="redeem")
    outcome = await yoyo.connector.redeem(redeem_order(), yoyo.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert (outcome.error_type, outcome.provider_code) == (ErrorType.VOUCHER_STATUS_UNKNOWN, "2107")
    assert (await yoyo.state(code=CODE))["balanceCents"] == 0
    status = await yoyo.connector.redeem_status(redeem_status_order(), yoyo.call())
    assert isinstance(status, Approved)
    assert await yoyo.connector.reverse_redeem(advice_order(R2), yoyo.call()) == Acknowledged()
    assert (await yoyo.state(code=CODE))["balanceCents"] == 10_000


async def test_2107_before_processing_is_the_same_doubt(yoyo: Pair) -> None:
    await sold(yoyo)
    await yoyo.fault("decline", op="redeem", params={"code": "02107"})
    outcome = await yoyo.connector.redeem(redeem_order(), yoyo.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert (outcome.error_type, outcome.provider_code) == (ErrorType.VOUCHER_STATUS_UNKNOWN, "2107")
    assert isinstance(await yoyo.connector.redeem_status(redeem_status_order(30_000), yoyo.call()), NotSent)


# Less was redeemed than was asked for


async def test_a_partial_redemption_is_reversed_before_it_is_declined(yoyo: Pair) -> None:
    await sold(yoyo)
    await yoyo.profile(partial=True)
    outcome = await yoyo.connector.redeem(redeem_order(amount_cents=15_000), yoyo.call())
    assert outcome == Declined(ErrorType.INSUFFICIENT_FUNDS, provider_message=ONLY_A_PART)
    assert yoyo.wire_ops() == ["POST /giftcards", "POST /transaction", "POST /advise"]
    assert (await yoyo.state(code=CODE))["balanceCents"] == 10_000
    assert (await yoyo.heard_ops())[-1] == "reverseRedeem"


async def test_a_coupon_that_covers_a_part_is_given_back(yoyo: Pair) -> None:
    await sold(yoyo, coupon_order())
    outcome = await yoyo.connector.redeem(redeem_order("410020030", 8_000), yoyo.call())
    assert outcome == Declined(ErrorType.INSUFFICIENT_FUNDS, provider_message=ONLY_A_PART)
    await redeemed(yoyo, redeem_order("410020030", 5_000, an_id(1)))


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "http", "malformed", "decline", "hang_before"])
async def test_a_partial_redemption_whose_reversal_is_lost_is_a_doubt(yoyo: Pair, kind: str) -> None:
    """A decline would leave the customer without the voucher's value and without the goods."""
    await sold(yoyo)
    await yoyo.profile(partial=True)
    connector = yoyo.with_settings(read_timeout_ms=1_000)
    await yoyo.fault(kind, op="reverseRedeem", params={"code": "8804"})
    outcome = await connector.redeem(redeem_order(amount_cents=15_000), yoyo.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert (outcome.error_type, outcome.provider_message) == (ErrorType.VOUCHER_STATUS_UNKNOWN, ONLY_A_PART)
    status = await connector.redeem_status(redeem_status_order(SETTLED, 15_000), yoyo.call())
    undone = kind in ("drop_after", "malformed")
    assert isinstance(status, Declined if undone else OutcomeUnknown)
    assert await connector.reverse_redeem(advice_order(R2), yoyo.call()) == Acknowledged()
    ended = await connector.redeem_status(redeem_status_order(SETTLED, 15_000), yoyo.call())
    assert ended == Declined(ErrorType.TRANSACTION_DECLINED, provider_message="the redemption's state is R")
    assert (await yoyo.state(code=CODE))["balanceCents"] == 10_000


async def test_the_reversal_of_a_part_obeys_the_deadline(yoyo: Pair) -> None:
    await sold(yoyo)
    await yoyo.profile(partial=True)
    await yoyo.fault("hang_before", op="reverseRedeem")
    started = time.monotonic()
    outcome = await yoyo.connector.redeem(redeem_order(amount_cents=15_000), yoyo.call(deadline_s=0.4))
    assert isinstance(outcome, OutcomeUnknown)
    assert time.monotonic() - started < 5


async def test_a_part_may_be_taken_where_that_is_allowed(yoyo: Pair) -> None:
    await sold(yoyo)
    await yoyo.profile(partial=True)
    connector = yoyo.with_settings(allow_partial=True)
    outcome = await connector.redeem(redeem_order(amount_cents=15_000), yoyo.call())
    assert isinstance(outcome, Approved)
    assert (outcome.approved_cents, outcome.balance_cents) == (10_000, 0)
    status = await connector.redeem_status(redeem_status_order(amount_cents=15_000), yoyo.call())
    assert isinstance(status, Approved)
    assert status.approved_cents == 10_000
    assert (await yoyo.state(code=CODE))["balanceCents"] == 0


# The balance after a redemption


@pytest.mark.parametrize("kind", ["drop_before", "http", "malformed", "decline", "hang_before"])
async def test_a_balance_that_is_not_heard_costs_no_approval(yoyo: Pair, kind: str) -> None:
    await sold(yoyo)
    await yoyo.fault(kind, op="GET /giftcards/{id}", params={"code": "9006"})
    outcome = await yoyo.with_settings(read_timeout_ms=1_000).redeem(redeem_order(amount_cents=4_000), yoyo.call())
    assert isinstance(outcome, Approved)
    assert (outcome.approved_cents, outcome.balance_cents) == (4_000, None)


async def test_the_balance_is_not_asked_for_where_that_is_switched_off(yoyo: Pair) -> None:
    await sold(yoyo)
    outcome = await yoyo.with_settings(ask_balance=False).redeem(redeem_order(amount_cents=4_000), yoyo.call())
    assert isinstance(outcome, Approved)
    assert outcome.balance_cents is None
    assert yoyo.wire_ops() == ["POST /giftcards", "POST /transaction"]


# Codes


async def test_zero_padded_codes_mean_the_same(yoyo: Pair) -> None:
    await yoyo.profile(zeroPadded=True)
    outcome = await yoyo.connector.redeem(redeem_order("9" * 12), yoyo.call())
    assert outcome == Declined(ErrorType.INVALID_VOUCHER, "2120", "Invalid token")
    assert '"responseCode":"02120"' in (yoyo.legs[-1].response or "")
    result = await yoyo.connector.reverse(advice_order(refs=ITEM_REFS), yoyo.call())
    assert result == Acknowledged()
    assert '"responseCode":"09006"' in (yoyo.legs[-1].response or "")


async def test_the_value_stores_own_code_beside_a_success_is_information(yoyo: Pair) -> None:
    await sold(yoyo)
    await yoyo.fault("vsp_code", op="redeem", params={"code": "2107"})
    assert isinstance(await yoyo.connector.redeem(redeem_order(), yoyo.call()), Approved)
    assert '"responseCode":"2107"' in (yoyo.legs[-2].response or "")


async def test_both_spellings_of_the_path_work(yoyo: Pair) -> None:
    await sold(yoyo)
    other = yoyo.with_settings(pos_path="/wigroup-transactionengine/pos-provider")
    refs = await other.redeem(redeem_order(), yoyo.call())
    assert isinstance(refs, Approved)
    assert await other.confirm_redeem(advice_order(R2, refs.refs), yoyo.call()) == Acknowledged()


@pytest.mark.parametrize(
    ("product", "cents", "digits"),
    [("giftcard:3001", 10_000, 12), ("giftcard:3002", 10_000, 7), ("coupon:2001", 5_000, 9)],
)
async def test_codes_have_no_one_length(yoyo: Pair, product: str, cents: int, digits: int) -> None:
    approved = await sold(yoyo, provision_order(product, cents))
    assert approved.voucher is not None
    assert len(approved.voucher.code) == digits


# The customer's number instead of ours


async def test_a_sale_by_the_customers_number_cannot_be_asked_about(yoyo: Pair) -> None:
    connector = yoyo.with_settings(user_ref_mode="customer")
    order = provision_order(msisdn="27820000001")
    approved = await connector.provision(order, yoyo.call())
    assert isinstance(approved, Approved)
    assert (await yoyo.state(reference="27820000001"))["vouchers"] == 1
    assert not any("27820000001" in repr(leg) for leg in yoyo.legs)
    heard = yoyo.wire_ops()
    assert await connector.retry(order, yoyo.call()) == NOT_ASKABLE
    assert await connector.status(status_order(SETTLED), yoyo.call()) == NOT_ASKABLE
    lost = await connector.reverse(advice_order(sent_ms_ago=SETTLED), yoyo.call())
    assert lost == Refused(provider_message="the sale cannot be found by its customer")
    assert yoyo.wire_ops() == heard
    assert await connector.reverse(advice_order(refs=approved.refs), yoyo.call()) == Acknowledged()


async def test_a_sale_without_the_customers_number_is_not_sent(yoyo: Pair) -> None:
    connector = yoyo.with_settings(user_ref_mode="customer")
    assert await connector.provision(provision_order(), yoyo.call()) == NotSent(
        ErrorType.ROUTING_ERROR, provider_message="the sale has no customer's number"
    )
    assert await yoyo.journal() == []


# What is decided here, and nothing is sent


async def test_what_cannot_be_sent_is_decided_here(yoyo: Pair) -> None:
    connector = yoyo.connector
    for order in (provision_order(amount_cents=0), msgspec.structs.replace(provision_order(), currency="840")):
        assert await connector.provision(order, yoyo.call()) == Declined(ErrorType.INVALID_AMOUNT)
    for amount_cents, currency in ((0, "710"), (10_000, "840")):
        redeem = redeem_order(amount_cents=amount_cents, currency=currency)
        assert await connector.redeem(redeem, yoyo.call()) == Declined(ErrorType.INVALID_AMOUNT)
    for code in ("123456", "1" * 17, "41002003004x", "٤١٠٠٢٠٠٣٠٠٤٠"):
        assert await connector.redeem(redeem_order(code), yoyo.call()) == Declined(ErrorType.INVALID_VOUCHER)
        assert await connector.lookup(lookup_order(code), yoyo.call()) == Declined(ErrorType.INVALID_VOUCHER)
    assert await connector.provision(provision_order("3001"), yoyo.call()) == NotSent(ErrorType.ROUTING_ERROR)
    assert isinstance(await connector.status(status_order(SETTLED, product=None), yoyo.call()), OutcomeUnknown)
    assert isinstance(await connector.reverse(advice_order(product=None), yoyo.call()), Pending)
    by_serial = msgspec.structs.replace(lookup_order(), voucher_code=None, serial_number="900145")
    assert isinstance(await connector.lookup(by_serial, yoyo.call()), Declined)
    homeless = yoyo.with_settings(default_outlet=None)
    assert await homeless.provision(provision_order(), yoyo.call()) == NotSent(ErrorType.ROUTING_ERROR)
    assert await homeless.redeem(redeem_order(), yoyo.call()) == NotSent(ErrorType.ROUTING_ERROR)
    assert await homeless.lookup(lookup_order(), yoyo.call()) == NotSent(ErrorType.ROUTING_ERROR)
    assert isinstance(await homeless.redeem_status(redeem_status_order(SETTLED), yoyo.call()), OutcomeUnknown)
    assert isinstance(await homeless.reverse_redeem(advice_order(R2, sent_ms_ago=SETTLED), yoyo.call()), Pending)
    assert await yoyo.journal() == []


async def test_an_advice_repeats_the_store_that_was_sent(yoyo: Pair) -> None:
    """A till that moved to another outlet meanwhile does not change what was booked."""
    await sold(yoyo)
    refs = (await redeemed(yoyo)).refs
    moved = msgspec.structs.replace(advice_order(R2, refs), store=Store("other", "TERM0009", "C07"))
    assert await yoyo.with_settings(default_outlet="S999").confirm_redeem(moved, yoyo.call()) == Acknowledged()
    unknown_outlet = await yoyo.with_settings(default_outlet="S999").redeem(redeem_order(), yoyo.call())
    assert unknown_outlet == NotSent(ErrorType.ROUTING_ERROR, "2112", "Store not found")
    asked = msgspec.structs.replace(redeem_status_order(), refs=refs)
    assert isinstance(await yoyo.with_settings(default_outlet="S999").redeem_status(asked, yoyo.call()), Approved)
    assert STORE.terminal_id in refs["storeTrxDetails"]


@pytest.mark.parametrize("refs_are_kept", [True, False])
async def test_an_advice_without_its_store_waits_and_says_nothing(yoyo: Pair, refs_are_kept: bool) -> None:
    """Nobody knows the cashier then, and another one names another redemption."""
    await sold(yoyo)
    refs = (await redeemed(yoyo)).refs if refs_are_kept else {}
    before = await yoyo.journal()
    nameless = msgspec.structs.replace(advice_order(R2, refs, sent_ms_ago=SETTLED), store=None)
    for tell in (yoyo.connector.confirm_redeem, yoyo.connector.reverse_redeem):
        assert isinstance(await tell(nameless, yoyo.call()), Pending)
    assert await yoyo.journal() == before


async def test_one_attempt_each_also_when_a_kept_connection_dies() -> None:
    """A request on a reused connection that closes is in doubt, and is not sent again."""
    answers = [ISSUE_ANSWER]

    async def behave(_heard: Heard, writer: asyncio.StreamWriter) -> bool:
        if not answers:
            return False
        body = answers.pop()
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        return True

    async with raw_server(behave) as server:
        connector: Connector = connect("yoyo", _at(server.url))
        pair = Pair(None, connector, connect, {})  # type: ignore[arg-type]
        assert isinstance(await connector.provision(provision_order(), pair.call()), Approved)
        assert isinstance(await connector.provision(provision_order(request_id=R2), pair.call()), OutcomeUnknown)
        await connector.close()
        assert len(server.heard) == 2


async def test_a_redemption_of_several_items_asks_for_no_balance() -> None:
    part = b'{"type":"GIFTCARD","itemId":900145,"campaignId":3001,"processedAmount":10000}'
    several = TRANSACTION_ANSWER.replace(part, part + b"," + part)

    async def behave(_heard: Heard, writer: asyncio.StreamWriter) -> bool:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(several)}\r\n\r\n".encode() + several)
        await writer.drain()
        return True

    async with raw_server(behave) as server:
        connector: Connector = connect("yoyo", _at(server.url))
        pair = Pair(None, connector, connect, {})  # type: ignore[arg-type]
        assert isinstance(await connector.redeem(redeem_order(), pair.call()), Approved)
        await connector.close()
        assert len(server.heard) == 1


class _Address:
    def __init__(self, url: str) -> None:
        self.url = url


def _at(url: str) -> dict[str, object]:
    return settings_of(_Address(url))
