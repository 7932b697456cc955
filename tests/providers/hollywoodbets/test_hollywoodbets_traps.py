"""What goes wrong with Hollywoodbets' proposed protocol if one does not look: each trap by its name."""

from typing import Any

import pytest

from providers.hollywoodbets.hollywoodbets_support import (
    HOUR_MS,
    ISSUE_BODY,
    PIN,
    WINDOW_MS,
    Hollywoodbets,
    lookup_order,
    provision_order,
)
from providers.provider_support import R1, R2, SETTLED, advice_order, status_order
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import Acknowledged, Approved, Declined, NotSent, OutcomeUnknown, Pending

MINUTE_MS = 60_000
DAY_MS = 24 * HOUR_MS


# The duplicate trap: after 24 h the same reference is a new sale


async def test_the_provider_sells_again_under_the_same_reference_after_24_hours(hollywoodbets: Hollywoodbets) -> None:
    """The trap itself, past our connector: what a resend would do."""
    first = await hollywoodbets.raw("POST", "/issues", ISSUE_BODY)
    await hollywoodbets.advance(DAY_MS - MINUTE_MS)
    inside = await hollywoodbets.raw("POST", "/issues", ISSUE_BODY)
    await hollywoodbets.advance(2 * MINUTE_MS)
    outside = await hollywoodbets.raw("POST", "/issues", ISSUE_BODY)
    assert first.json["pin"] == inside.json["pin"] != outside.json["pin"]
    assert await hollywoodbets.vouchers() == 2


@pytest.mark.parametrize("age_ms", [WINDOW_MS, WINDOW_MS + 1, DAY_MS - 1, DAY_MS, DAY_MS + 1, 80 * DAY_MS])
async def test_a_retry_outside_the_replay_window_asks_and_never_posts(
    hollywoodbets: Hollywoodbets, age_ms: int
) -> None:
    connector = hollywoodbets.connector
    await hollywoodbets.fault("drop_after", op="provision")
    assert isinstance(await hollywoodbets.provision(), OutcomeUnknown)
    await hollywoodbets.advance(age_ms)
    retried = await connector.retry(provision_order(sent_ms_ago=age_ms), hollywoodbets.call())
    assert isinstance(retried, Approved)
    assert retried.voucher is not None
    assert retried.voucher.code == PIN
    assert [entry["op"] for entry in await hollywoodbets.journal()] == ["provision", "status"]
    assert hollywoodbets.legs[-1].operation == "retry"
    assert await hollywoodbets.vouchers() == 1


@pytest.mark.parametrize("age_ms", [0, 1, WINDOW_MS - 1])
async def test_a_retry_inside_the_window_posts_the_same_request(hollywoodbets: Hollywoodbets, age_ms: int) -> None:
    await hollywoodbets.fault("drop_after", op="provision")
    assert isinstance(await hollywoodbets.provision(), OutcomeUnknown)
    await hollywoodbets.advance(age_ms)
    retried = await hollywoodbets.connector.retry(provision_order(sent_ms_ago=age_ms), hollywoodbets.call())
    assert isinstance(retried, Approved)
    assert [entry["op"] for entry in await hollywoodbets.journal()] == ["provision", "provision"]
    assert await hollywoodbets.vouchers() == 1


async def test_a_late_retry_of_a_request_that_never_came_issues_nothing(hollywoodbets: Hollywoodbets) -> None:
    await hollywoodbets.fault("drop_before", op="provision")
    assert isinstance(await hollywoodbets.provision(), OutcomeUnknown)
    order = provision_order(sent_ms_ago=WINDOW_MS, settled_ms_ago=WINDOW_MS)
    outcome = await hollywoodbets.connector.retry(order, hollywoodbets.call())
    assert outcome == NotSent(ErrorType.UPSTREAM_UNAVAILABLE, "HB40", "Reference is not known")
    assert (await hollywoodbets.totals())["vouchers"] == 0


async def test_a_late_retry_whose_question_fails_leaves_the_doubt(hollywoodbets: Hollywoodbets) -> None:
    order = provision_order(sent_ms_ago=WINDOW_MS)
    for kind in ("drop_before", "empty_body", "auth_fail"):
        await hollywoodbets.fault(kind)
        outcome = await hollywoodbets.connector.retry(order, hollywoodbets.call())
        assert isinstance(outcome, OutcomeUnknown)
    for code in ("HB30", "HB50", "HB90", "HB99", "HB11"):
        await hollywoodbets.fault("decline", params={"code": code})
        assert isinstance(await hollywoodbets.connector.retry(order, hollywoodbets.call()), OutcomeUnknown)
    assert {entry["op"] for entry in await hollywoodbets.journal()} == {"status"}


async def test_the_window_is_a_setting_and_zero_never_posts_again(hollywoodbets: Hollywoodbets) -> None:
    await hollywoodbets.issued()
    never = hollywoodbets.with_settings(replay_window_s=0)
    assert isinstance(await never.retry(provision_order(), hollywoodbets.call()), Approved)
    hour = hollywoodbets.with_settings(replay_window_s=3_600)
    for age_ms in (HOUR_MS - 1, HOUR_MS):
        outcome = await hour.retry(provision_order(sent_ms_ago=age_ms), hollywoodbets.call())
        assert isinstance(outcome, Approved)
    assert [entry["op"] for entry in await hollywoodbets.journal()] == ["provision", "status", "provision", "status"]


async def test_after_ninety_days_not_known_proves_nothing(hollywoodbets: Hollywoodbets) -> None:
    await hollywoodbets.issued()
    await hollywoodbets.advance(90 * DAY_MS)
    forgotten = await hollywoodbets.connector.status(status_order(sent_ms_ago=90 * DAY_MS), hollywoodbets.call())
    assert forgotten == OutcomeUnknown(ErrorType.UPSTREAM_UNAVAILABLE, "HB40", "Reference is not known")
    retried = await hollywoodbets.connector.retry(provision_order(sent_ms_ago=90 * DAY_MS), hollywoodbets.call())
    assert isinstance(retried, OutcomeUnknown)
    assert await hollywoodbets.vouchers() == 1


@pytest.mark.parametrize("state", ["BLOCK", "EXPIRE"])
@pytest.mark.parametrize("age_ms", [HOUR_MS, WINDOW_MS])
async def test_a_retry_that_shows_a_dead_voucher_is_declined(
    hollywoodbets: Hollywoodbets, state: str, age_ms: int
) -> None:
    pin = (await hollywoodbets.issued()).code
    await hollywoodbets.world(pin, state)
    outcome = await hollywoodbets.connector.retry(provision_order(sent_ms_ago=age_ms), hollywoodbets.call())
    word = "BLOCKED" if state == "BLOCK" else "LAPSED"
    assert outcome == Declined(ErrorType.TRANSACTION_DECLINED, provider_message=word)


# The PIN


async def test_a_pin_as_a_json_number_is_a_doubt_because_zeros_are_lost(hollywoodbets: Hollywoodbets) -> None:
    await hollywoodbets.fault("number_pin", op="provision")
    outcome = await hollywoodbets.provision()
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"
    # Also where no zero was lost, and in a status: nobody knows how many there were.
    await hollywoodbets.control("POST", "/faults", {"op": "status", "kind": "number_pin"})
    status = await hollywoodbets.connector.status(status_order(sent_ms_ago=SETTLED), hollywoodbets.call())
    assert isinstance(status, OutcomeUnknown)
    right = await hollywoodbets.connector.status(status_order(), hollywoodbets.call())
    assert isinstance(right, Approved)
    assert right.voucher is not None
    assert right.voucher.code == "00471203869"


async def test_leading_zeros_survive_every_way(hollywoodbets: Hollywoodbets) -> None:
    pin = (await hollywoodbets.issued()).code
    assert pin == "00471203869"
    for outcome in (
        await hollywoodbets.connector.retry(provision_order(), hollywoodbets.call()),
        await hollywoodbets.connector.retry(provision_order(sent_ms_ago=WINDOW_MS), hollywoodbets.call()),
        await hollywoodbets.connector.status(status_order(), hollywoodbets.call()),
        await hollywoodbets.connector.lookup(lookup_order(pin), hollywoodbets.call()),
    ):
        assert isinstance(outcome, Approved)
        assert outcome.voucher is not None
        assert outcome.voucher.code == pin
    without = await hollywoodbets.connector.lookup(lookup_order(pin.lstrip("0")), hollywoodbets.call())
    assert without == Declined(ErrorType.INVALID_VOUCHER)


async def test_a_pin_is_never_in_a_url(hollywoodbets: Hollywoodbets) -> None:
    pin = (await hollywoodbets.issued()).code
    await hollywoodbets.connector.lookup(lookup_order(pin), hollywoodbets.call())
    leg = hollywoodbets.legs[-1]
    assert leg.request == 'POST /retail-topup/v1/pin-queries\n\n{"pin":"***"}'


@pytest.mark.parametrize(("event", "state"), [("REDEEM", "USED"), ("BLOCK", "BLOCKED"), ("EXPIRE", "LAPSED")])
async def test_a_lookup_of_a_dead_voucher_is_an_approval_over_nothing(
    hollywoodbets: Hollywoodbets, event: str, state: str
) -> None:
    pin = (await hollywoodbets.issued()).code
    await hollywoodbets.world(pin, event)
    found = await hollywoodbets.connector.lookup(lookup_order(pin), hollywoodbets.call())
    assert isinstance(found, Approved)
    assert (found.approved_cents, found.voucher_state) == (0, state)


# HTTP 200 says nothing


@pytest.mark.parametrize("processed", [True, False])
async def test_an_empty_body_with_http_200_is_a_doubt(hollywoodbets: Hollywoodbets, processed: bool) -> None:
    await hollywoodbets.fault("empty_body", op="provision", params={"processed": processed})
    outcome = await hollywoodbets.provision()
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"
    assert await hollywoodbets.vouchers() == int(processed)
    assert isinstance(await hollywoodbets.connector.retry(provision_order(), hollywoodbets.call()), Approved)
    assert await hollywoodbets.vouchers() == 1


async def test_an_empty_body_leaves_a_block_queued(hollywoodbets: Hollywoodbets) -> None:
    await hollywoodbets.issued()
    await hollywoodbets.fault("empty_body", op="reverse")
    result = await hollywoodbets.connector.reverse(advice_order(sent_ms_ago=SETTLED), hollywoodbets.call())
    assert isinstance(result, Pending)
    assert result.alert == "bad_answer"
    assert await hollywoodbets.connector.reverse(advice_order(), hollywoodbets.call()) == Acknowledged()


# HB30: still being processed


async def test_a_reference_in_progress_is_a_doubt_until_its_voucher_comes(hollywoodbets: Hollywoodbets) -> None:
    connector = hollywoodbets.connector
    await hollywoodbets.fault("in_progress", op="provision", times=3)
    in_progress = OutcomeUnknown(ErrorType.VOUCHER_STATUS_UNKNOWN, "HB30", "Reference is being processed")
    assert await hollywoodbets.provision() == in_progress
    assert await connector.retry(provision_order(), hollywoodbets.call()) == in_progress
    assert await connector.retry(provision_order(), hollywoodbets.call()) == in_progress
    retried = await connector.retry(provision_order(), hollywoodbets.call())
    assert isinstance(retried, Approved)
    assert retried.voucher is not None
    assert retried.voucher.code == PIN
    assert await hollywoodbets.vouchers() == 1


async def test_in_progress_leaves_a_status_in_doubt_and_a_block_queued(hollywoodbets: Hollywoodbets) -> None:
    await hollywoodbets.issued()
    await hollywoodbets.fault("in_progress", times=2)
    status = await hollywoodbets.connector.status(status_order(sent_ms_ago=SETTLED), hollywoodbets.call())
    assert isinstance(status, OutcomeUnknown)
    assert status.error_type is ErrorType.VOUCHER_STATUS_UNKNOWN
    result = await hollywoodbets.connector.reverse(advice_order(sent_ms_ago=SETTLED), hollywoodbets.call())
    assert result == Pending(cause="HB30 Reference is being processed")
    assert await hollywoodbets.state_of() == "UNUSED"


# The block window


@pytest.mark.parametrize(("minutes", "blocked"), [(59, True), (61, False)])
async def test_a_block_is_taken_for_an_hour(hollywoodbets: Hollywoodbets, minutes: int, blocked: bool) -> None:
    await hollywoodbets.issued()
    await hollywoodbets.advance(minutes * MINUTE_MS)
    result = await hollywoodbets.connector.reverse(advice_order(), hollywoodbets.call())
    assert (result == Acknowledged()) is blocked
    assert await hollywoodbets.state_of() == ("BLOCKED" if blocked else "UNUSED")
    # A repeat of one that had its effect is taken later too.
    await hollywoodbets.advance(DAY_MS)
    repeated = await hollywoodbets.connector.reverse(advice_order(), hollywoodbets.call())
    assert (repeated == Acknowledged()) is blocked


async def test_a_blocked_reference_is_not_sold_again_inside_the_window(hollywoodbets: Hollywoodbets) -> None:
    await hollywoodbets.issued()
    await hollywoodbets.connector.reverse(advice_order(), hollywoodbets.call())
    again = await hollywoodbets.raw("POST", "/issues", ISSUE_BODY)
    assert (again.json["resultCode"], again.json["state"]) == ("HB00", "BLOCKED")
    assert isinstance(await hollywoodbets.provision(request_id=R2), Approved)


# Every cut point


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        *((kind, {}) for kind in ("drop_before", "drop_after", "hang_before", "hang_after", "rst_before", "rst_after")),
        ("late_processing", {"ms": 400}),
        ("malformed", {}),
        ("malformed", {"processed": False}),
        ("truncate", {}),
        ("http", {"status": 500}),
        ("http", {"status": 500, "processed": True}),
        ("http", {"status": 503, "processed": True}),
        ("empty_body", {}),
        ("in_progress", {}),
        ("number_pin", {}),
    ],
)
async def test_at_every_cut_point_a_retry_brings_one_voucher_and_the_status_the_same(
    hollywoodbets: Hollywoodbets, kind: str, params: dict[str, Any]
) -> None:
    connector = hollywoodbets.impatient()
    await hollywoodbets.fault(kind, op="provision", params=params)
    assert isinstance(await connector.provision(provision_order(), hollywoodbets.call()), OutcomeUnknown)
    before = hollywoodbets.simulator.provider.book.by_reference(R1)[:]
    retried = await connector.retry(provision_order(sent_ms_ago=1_000), hollywoodbets.call())
    await hollywoodbets.advance(1_000)
    again = await connector.retry(provision_order(sent_ms_ago=2_000), hollywoodbets.call())
    await hollywoodbets.advance(2 * DAY_MS)
    late = await connector.retry(provision_order(sent_ms_ago=2 * DAY_MS), hollywoodbets.call())
    status = await connector.status(status_order(sent_ms_ago=2 * DAY_MS), hollywoodbets.call())
    assert isinstance(retried, Approved)
    assert isinstance(late, Approved)
    assert isinstance(status, Approved)
    assert retried == again
    assert retried.voucher == late.voucher == status.voucher
    assert retried.voucher is not None
    assert before == [] or before[0].code == retried.voucher.code
    assert await hollywoodbets.vouchers() == 1
    assert (await hollywoodbets.totals())["vouchers"] == 1
