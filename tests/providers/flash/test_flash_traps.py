"""What goes wrong with Flash and must not: a token that ends, and a reference that buys again after half an hour."""

import asyncio

import pytest

from providers.flash.flash_support import (
    PIN,
    REPLAY_MS,
    WINDOW_MS,
    Flash,
    advice_order,
    provision_order,
    redeem_order,
    refund_order,
)
from providers.provider_support import R1, R2, R3, an_id
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import Approved, Declined, NotSent, OutcomeUnknown, Pending

TOO_LATE = OutcomeUnknown(ErrorType.FUNCTION_NOT_SUPPORTED)
PURCHASE = {"reference": R1, "accountNumber": "0000-0000-0000-0001", "amount": 10_000, "metadata": {"store": "S001"}}


# The token


async def test_a_token_serves_many_calls(flash: Flash) -> None:
    for number in range(5):
        await flash.issued(request_id=an_id(number))
    assert await flash.heard_ops() == ["token", *["provision"] * 5]


async def test_a_token_that_ended_is_fetched_once_and_the_call_is_sent_once_more(flash: Flash) -> None:
    """By the provider's clock: ours still thinks that it is good."""
    await flash.issued()
    await flash.advance(3_600_000)
    await flash.issued(request_id=R2)
    statuses = [(entry["op"], entry["status"]) for entry in await flash.journal()]
    assert statuses == [("token", 200), ("provision", 200), ("provision", 401), ("token", 200), ("provision", 200)]
    assert await flash.vouchers(R2) == 1
    assert [leg.operation for leg in flash.traces[-1].legs] == ["provision", "token", "provision"]


async def test_a_second_401_is_not_sent_and_a_routing_error(flash: Flash) -> None:
    await flash.issued()
    await flash.fault("auth_fail", op="provision", times=2)
    outcome = await flash.provision(request_id=R2)
    assert outcome == NotSent(ErrorType.ROUTING_ERROR, None, "HTTP 401", alert="credentials_refused")
    assert await flash.heard_ops() == ["token", "provision", "provision", "token", "provision"]
    assert isinstance(await flash.provision(request_id=R2), Approved)


async def test_a_second_401_to_a_resend_proves_nothing_of_the_first_message(flash: Flash) -> None:
    await flash.issued()
    await flash.fault("auth_fail", op="provision", times=2)
    outcome = await flash.connector.retry(provision_order(sent_ms_ago=1_000), flash.call())
    assert outcome == OutcomeUnknown(ErrorType.ROUTING_ERROR, None, "HTTP 401", alert="credentials_refused")
    assert await flash.vouchers(R1) == 1


async def test_renewing_can_be_switched_off(flash: Flash) -> None:
    connector = flash.with_settings(renew_once=False)
    await connector.provision(provision_order(), flash.call())
    await flash.expire_tokens()
    outcome = await connector.provision(provision_order(R2), flash.call())
    assert outcome == NotSent(ErrorType.ROUTING_ERROR, None, "HTTP 401", alert="credentials_refused")
    assert await flash.heard_ops() == ["token", "provision", "provision"]
    # The refused token is gone, so the next call is served.
    assert isinstance(await connector.provision(provision_order(R2), flash.call()), Approved)


async def test_every_operation_renews(flash: Flash) -> None:
    await flash.reverse_on()
    connector = flash.with_settings(refund_enabled=True, reverse_enabled=True)
    await connector.products(flash.call())
    await flash.seed(code="4929123456781234")
    for operation in (
        lambda: connector.provision(provision_order(), flash.call()),
        lambda: connector.retry(provision_order(sent_ms_ago=1), flash.call()),
        lambda: connector.redeem(redeem_order("4929123456781234"), flash.call()),
        lambda: connector.refund(refund_order(), flash.call()),
        lambda: connector.reverse(advice_order(), flash.call()),
        lambda: connector.products(flash.call()),
    ):
        await flash.expire_tokens()
        assert not isinstance(await operation(), NotSent | OutcomeUnknown | Pending)
    assert (await flash.heard_ops()).count("token") == 7


async def test_many_calls_at_once_fetch_one_token(flash: Flash) -> None:
    orders = [provision_order(an_id(number)) for number in range(60)]
    outcomes = await asyncio.gather(*(flash.connector.provision(order, flash.call()) for order in orders))
    assert all(isinstance(outcome, Approved) for outcome in outcomes)
    assert (await flash.heard_ops()).count("token") == 1


async def test_many_calls_with_an_ended_token_fetch_one(flash: Flash) -> None:
    await flash.issued()
    await flash.expire_tokens()
    orders = [provision_order(an_id(number)) for number in range(60)]
    outcomes = await asyncio.gather(*(flash.connector.provision(order, flash.call()) for order in orders))
    assert all(isinstance(outcome, Approved) for outcome in outcomes)
    assert (await flash.heard_ops()).count("token") == 2
    assert (await flash.state())["vouchers"] == 61


@pytest.mark.parametrize("kind", ["http", "drop_before", "drop_after", "rst_before", "hang_before", "malformed"])
async def test_a_token_endpoint_that_is_down_is_not_sent(flash: Flash, kind: str) -> None:
    await flash.reverse_on()
    connector = flash.with_settings(read_timeout_ms=100, refund_enabled=True, reverse_enabled=True)
    await flash.fault(kind, op="token", times=0, params={"status": 503})
    for outcome in (
        await connector.provision(provision_order(), flash.call()),
        await connector.redeem(redeem_order(), flash.call()),
        await connector.refund(refund_order(), flash.call()),
    ):
        assert isinstance(outcome, NotSent)
        assert outcome.error_type is ErrorType.UPSTREAM_UNAVAILABLE
    # Of what was before them these say nothing.
    assert isinstance(await connector.retry(provision_order(sent_ms_ago=1), flash.call()), OutcomeUnknown)
    assert isinstance(await connector.reverse(advice_order(sent_ms_ago=10**9), flash.call()), Pending)
    assert isinstance(await connector.products(flash.call()), OutcomeUnknown)
    assert set(await flash.heard_ops()) == {"token"}
    await flash.control("DELETE", "/faults")
    assert isinstance(await connector.provision(provision_order(), flash.call()), Approved)


async def test_a_token_endpoint_that_is_down_after_a_401_is_not_sent(flash: Flash) -> None:
    await flash.issued()
    await flash.expire_tokens()
    await flash.fault("http", op="token", params={"status": 500})
    outcome = await flash.provision(request_id=R2)
    assert isinstance(outcome, NotSent)
    assert outcome.error_type is ErrorType.UPSTREAM_UNAVAILABLE
    assert await flash.heard_ops() == ["token", "provision", "provision", "token"]
    assert isinstance(await flash.provision(request_id=R2), Approved)


async def test_a_silent_token_endpoint_ends_with_the_calls_deadline(flash: Flash) -> None:
    await flash.fault("hang_before", op="token")
    outcome = await flash.connector.provision(provision_order(), flash.call(deadline_s=0.2))
    assert outcome == NotSent(ErrorType.UPSTREAM_UNAVAILABLE, provider_message="no access token in time")
    assert await flash.heard_ops() == ["token"]


async def test_fetching_and_sending_share_the_operations_time(flash: Flash) -> None:
    connector = flash.with_settings(total_timeout_ms=1_000)
    await flash.fault("late", op="token", params={"ms": 700})
    await flash.fault("hang_before", op="provision")
    started = asyncio.get_running_loop().time()
    outcome = await connector.provision(provision_order(), flash.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert asyncio.get_running_loop().time() - started < 1.5


async def test_a_token_that_comes_with_120_s_left_is_used_for_one_call(flash: Flash) -> None:
    body = {"access_token": await flash.token(), "token_type": "Bearer", "expires_in": 120}
    await flash.fault("http", op="token", times=2, params={"status": 200, "body": body})
    await flash.issued()
    await flash.issued(request_id=R2)
    assert (await flash.heard_ops())[1:] == ["token", "provision", "token", "provision"]


# The replay window


async def test_a_retry_inside_the_window_brings_the_same_voucher(flash: Flash) -> None:
    first = await flash.issued()
    await flash.advance(WINDOW_MS - 1_000)
    again = await flash.connector.retry(provision_order(sent_ms_ago=WINDOW_MS - 1_000), flash.call())
    assert isinstance(again, Approved)
    assert again.voucher == first
    assert await flash.vouchers(R1) == 1


@pytest.mark.parametrize("sent_ms_ago", [WINDOW_MS, WINDOW_MS + 1, REPLAY_MS, 10**12])
async def test_a_retry_outside_the_window_sends_nothing(flash: Flash, sent_ms_ago: int) -> None:
    await flash.issued()
    await flash.expire_tokens()
    await flash.advance(sent_ms_ago if sent_ms_ago < 10**9 else REPLAY_MS)
    heard, legs = await flash.heard_ops(), len(flash.legs)
    assert await flash.connector.retry(provision_order(sent_ms_ago=sent_ms_ago), flash.call()) == TOO_LATE
    assert await flash.heard_ops() == heard
    assert len(flash.legs) == legs
    assert await flash.vouchers(R1) == 1


async def test_the_duplicate_trap_is_real(flash: Flash) -> None:
    """What the connector must never do: after half an hour the same message buys a second voucher."""
    first = await flash.raw("/1voucher/purchase", PURCHASE)
    await flash.advance(REPLAY_MS - 1_000)
    replay = await flash.raw("/1voucher/purchase", PURCHASE)
    assert replay.body == first.body
    assert await flash.vouchers(R1) == 1
    await flash.advance(1_000)
    second = await flash.raw("/1voucher/purchase", PURCHASE)
    assert second.json["responseCode"] == 0
    assert second.json["voucher"]["pin"] != first.json["voucher"]["pin"]
    assert await flash.vouchers(R1) == 2


async def test_the_window_can_be_made_shorter_and_closed(flash: Flash) -> None:
    await flash.issued()
    short, closed = flash.with_settings(replay_window_s=60), flash.with_settings(replay_window_s=0)
    assert isinstance(await short.retry(provision_order(sent_ms_ago=59_000), flash.call()), Approved)
    heard = await flash.heard_ops()
    assert await short.retry(provision_order(sent_ms_ago=60_000), flash.call()) == TOO_LATE
    assert await closed.retry(provision_order(), flash.call()) == TOO_LATE
    assert await flash.heard_ops() == heard  # not even a token was fetched for it


async def test_a_first_message_of_the_future_was_sent_who_knows_when(flash: Flash) -> None:
    assert await flash.connector.retry(provision_order(sent_ms_ago=-1), flash.call()) == TOO_LATE
    assert await flash.journal() == []


async def test_a_window_that_closes_while_the_token_is_fetched_sends_nothing(flash: Flash) -> None:
    await flash.fault("late", op="token", params={"ms": 150})
    outcome = await flash.connector.retry(provision_order(sent_ms_ago=WINDOW_MS - 50), flash.call())
    assert outcome == TOO_LATE
    assert await flash.heard_ops() == ["token"]


async def test_a_window_that_closes_between_a_401_and_its_repeat_sends_nothing_more(flash: Flash) -> None:
    await flash.issued()
    await flash.expire_tokens()
    await flash.fault("late", op="token", params={"ms": 700})
    outcome = await flash.connector.retry(provision_order(sent_ms_ago=WINDOW_MS - 500), flash.call())
    assert outcome == TOO_LATE
    assert await flash.heard_ops() == ["token", "provision", "provision", "token"]
    assert await flash.vouchers(R1) == 1


async def test_a_resend_is_the_identical_message(flash: Flash) -> None:
    await flash.issued()
    await flash.connector.retry(provision_order(sent_ms_ago=1_000), flash.call())
    first, again = (leg for leg in flash.legs if leg.operation != "token")
    assert first.request == again.request


async def test_the_same_reference_with_other_content_is_in_doubt(flash: Flash) -> None:
    await flash.issued()
    for outcome in (
        await flash.provision(amount_cents=20_000),
        await flash.connector.retry(provision_order(amount_cents=20_000, sent_ms_ago=1), flash.call()),
    ):
        assert isinstance(outcome, OutcomeUnknown)
        assert (outcome.error_type, outcome.provider_code) == (ErrorType.DUPLICATE_RECORD, "7201")
    assert await flash.vouchers(R1) == 1


async def test_a_declined_answer_is_replayed_inside_the_window(flash: Flash) -> None:
    await flash.control("POST", "/float", {"cents": 0})
    assert isinstance(await flash.provision(), NotSent)
    declined = await flash.connector.redeem(redeem_order("4929123456781234"), flash.call())
    assert isinstance(declined, Declined)
    # What it was declined for is mended, and still it is declined.
    await flash.control("POST", "/float", {"cents": 10**8})
    await flash.seed(code="4929123456781234")
    assert await flash.connector.redeem(redeem_order("4929123456781234"), flash.call()) == declined
    again = await flash.connector.retry(provision_order(sent_ms_ago=1_000), flash.call())
    assert isinstance(again, OutcomeUnknown)
    assert again.provider_code == "7005"
    other = await flash.connector.redeem(redeem_order("4929123456781234", request_id=R3), flash.call())
    assert isinstance(other, Approved)
    assert (await flash.state())["vouchers"] == 1


async def test_a_declined_purchase_is_final_also_by_its_retry(flash: Flash) -> None:
    declined = await flash.provision(amount_cents=50)
    assert isinstance(declined, Declined)
    again = await flash.connector.retry(provision_order(amount_cents=50, sent_ms_ago=1_000), flash.call())
    assert again == declined


async def test_two_retries_at_once_bring_one_voucher(flash: Flash) -> None:
    await flash.fault("drop_before", op="provision")
    await flash.provision()
    order = provision_order(sent_ms_ago=1_000)
    both = await asyncio.gather(*(flash.connector.retry(order, flash.call()) for _ in range(2)))
    first, second = both
    assert isinstance(first, Approved)
    assert isinstance(second, Approved)
    assert first.voucher == second.voucher
    assert await flash.vouchers(R1) == 1


# Declines in a success of HTTP


async def test_http_200_alone_is_no_sale(flash: Flash) -> None:
    for code, kind in (("7002", Declined), ("7999", OutcomeUnknown), ("x", OutcomeUnknown)):
        await flash.fault("decline", op="provision", params={"code": code})
        assert isinstance(await flash.provision(), kind)
        assert flash.legs[-1].status == 200
    await flash.fault("http", op="provision", params={"status": 200, "body": {}})
    assert isinstance(await flash.provision(), OutcomeUnknown)
    assert (await flash.state())["vouchers"] == 0


# Change and refunds


async def test_the_change_of_a_redemption_is_a_voucher_that_can_be_spent(flash: Flash) -> None:
    await flash.issued()
    first = await flash.connector.redeem(redeem_order(PIN, 4_000), flash.call())
    assert isinstance(first, Approved)
    assert (first.approved_cents, first.balance_cents) == (4_000, 0)
    change = first.voucher
    assert change is not None
    assert (change.code, change.value_cents, change.serial_number) == ("1111222233334445", 6_000, "FS00000002")
    used = await flash.connector.redeem(redeem_order(PIN, 1, an_id(1)), flash.call())
    assert isinstance(used, Declined)
    assert used.error_type is ErrorType.VOUCHER_ALREADY_REDEEMED
    rest = await flash.connector.redeem(redeem_order(change.code, 6_000, an_id(2)), flash.call())
    assert rest == Approved(approved_cents=6_000, balance_cents=0, provider_ref="9000000003")


async def test_a_repeated_redemption_brings_the_same_change_inside_the_window(flash: Flash) -> None:
    await flash.issued()
    first = await flash.connector.redeem(redeem_order(PIN, 4_000), flash.call())
    assert await flash.connector.redeem(redeem_order(PIN, 4_000), flash.call()) == first
    assert await flash.vouchers(R2) == 1
    await flash.advance(REPLAY_MS)
    late = await flash.connector.redeem(redeem_order(PIN, 4_000), flash.call())
    assert isinstance(late, Declined)
    assert late.error_type is ErrorType.VOUCHER_ALREADY_REDEEMED
    assert await flash.vouchers(R2) == 1


async def test_a_refund_returns_the_fresh_voucher_and_never_the_old_one(flash: Flash) -> None:
    connector = flash.with_settings(refund_enabled=True)
    await flash.issued()
    await connector.redeem(redeem_order(), flash.call())
    refunded = await connector.refund(refund_order(amount_cents=2_500), flash.call())
    assert isinstance(refunded, Approved)
    fresh = refunded.voucher
    assert fresh is not None
    assert (refunded.approved_cents, fresh.code, fresh.value_cents) == (2_500, "1111222233334445", None)
    assert (await flash.state(code=fresh.code))["valueCents"] == 2_500
    assert (await flash.state(code=PIN))["state"] == "Used"
    assert isinstance(await connector.redeem(redeem_order(fresh.code, 2_500, an_id(1)), flash.call()), Approved)


async def test_a_redemptions_status_cannot_be_asked(flash: Flash) -> None:
    """A resend could tell, and could redeem; only an originator that waits may cause one."""
    assert not flash.connector.capabilities.redeem_status.sends
    assert not flash.connector.capabilities.refund_status.sends
    assert not flash.connector.capabilities.status.sends
