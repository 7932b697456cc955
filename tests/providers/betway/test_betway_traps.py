"""What makes Betway different, each by name: accepted first and polled, paid first, cancelled, ids that serve once."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from providers.betway.betway_support import (
    FIRST_ORDER,
    FIRST_PIN,
    FULFIL_MS,
    Betway,
    code_of,
    provision_order,
    settings_of,
)
from providers.provider_support import (
    IMPATIENT_MS,
    R1,
    R2,
    SETTLED,
    advice_order,
    an_id,
    lookup_order,
    status_order,
    until,
)
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
from voucherswitch.message.parties import Tender
from voucherswitch.providers.betway.connector import POLLS_MAX, BetwayConnector
from voucherswitch.providers.betway.settings import BetwaySettings
from voucherswitch.providers.contract.settings import read_settings

UNDECIDED = OutcomeUnknown(ErrorType.VOUCHER_STATUS_UNKNOWN, provider_message="PENDING")
# Asked about it, the connector also says when an order that stays pending is cancelled.
STILL_PENDING = OutcomeUnknown(ErrorType.VOUCHER_STATUS_UNKNOWN, provider_message="PENDING", cancel_after_s=60)
SHORT_S = 0.25  # a deadline that a test can wait for
REASONS = {
    "SKU_UNKNOWN": NotSent(ErrorType.ROUTING_ERROR, "SKU_UNKNOWN", "REJECTED"),
    "OUTLET_BLOCKED": NotSent(ErrorType.ROUTING_ERROR, "OUTLET_BLOCKED", "REJECTED"),
    "AMOUNT_RANGE": Declined(ErrorType.INVALID_AMOUNT, "AMOUNT_RANGE", "REJECTED"),
    "CREDIT_EXHAUSTED": NotSent(ErrorType.DO_NOT_HONOUR, "CREDIT_EXHAUSTED", "REJECTED", "float_exhausted"),
    "UPSTREAM_DOWN": NotSent(ErrorType.UPSTREAM_UNAVAILABLE, "UPSTREAM_DOWN", "REJECTED"),
    "RISK_REVIEW": Declined(ErrorType.TRANSACTION_DECLINED, "RISK_REVIEW", "REJECTED"),
}


async def polled_sale(betway: Betway, polls: int = 1, **more: Any) -> Any:
    """A sale that has been asked for so often when its order is fulfilled."""
    async with betway.in_flight(betway.connector.provision(provision_order(**more), betway.call())) as sale:
        await betway.heard("poll", polls)
        await betway.advance(FULFIL_MS)
        return await sale


# 202 and poll


async def test_an_accepted_order_is_polled_until_it_is_fulfilled(betway: Betway) -> None:
    outcome = await polled_sale(betway, polls=3)
    assert isinstance(outcome, Approved)
    assert outcome.voucher is not None
    assert outcome.voucher.code == FIRST_PIN
    heard = await betway.heard_ops()
    assert heard[0] == "provision"
    assert set(heard[1:]) == {"poll"}
    assert len(heard) >= 4
    assert {leg.request for leg in betway.legs[1:]} == {f"GET /voucher-partner/v2/orders/{FIRST_ORDER}"}


async def test_an_order_fulfilled_at_once_is_not_polled(betway: Betway) -> None:
    await betway.sold()
    assert await betway.heard_ops() == ["provision"]


async def test_still_pending_at_the_deadline_is_in_doubt(betway: Betway) -> None:
    await betway.fault("pending_for_ever", op="provision")
    started = time.monotonic()
    outcome = await betway.connector.provision(provision_order(), betway.call(deadline_s=SHORT_S))
    assert outcome == UNDECIDED
    assert time.monotonic() - started < SHORT_S + 2
    assert betway.polls > 1
    assert await betway.connector.status(status_order(sent_ms_ago=SETTLED), betway.call()) == STILL_PENDING


async def test_the_operations_own_time_ends_the_polling_too(betway: Betway) -> None:
    await betway.fault("pending_for_ever", op="provision")
    connector = betway.with_settings(total_timeout_ms=250)
    started = time.monotonic()
    assert await connector.provision(provision_order(), betway.call()) == UNDECIDED
    assert time.monotonic() - started < 3


async def test_fulfilled_after_our_deadline_is_found_by_the_status(betway: Betway) -> None:
    await betway.profile(fulfilAfterMs=30_000)
    assert await betway.connector.provision(provision_order(), betway.call(deadline_s=0.1)) == UNDECIDED
    assert await betway.connector.status(status_order(), betway.call()) == STILL_PENDING
    await betway.advance(30_000)
    found = await betway.connector.status(status_order(), betway.call())
    assert isinstance(found, Approved)
    retried = await betway.connector.retry(provision_order(sent_ms_ago=30_000), betway.call())
    assert isinstance(retried, Approved)
    assert retried.voucher == found.voucher
    assert await betway.vouchers(R1) == 1


@pytest.mark.parametrize("reason", REASONS)
async def test_rejected_after_it_was_accepted(betway: Betway, reason: str) -> None:
    await betway.profile(fulfilAfterMs=0)
    await betway.fault("reject", op="provision", params={"code": reason})
    assert await betway.connector.provision(provision_order(), betway.call()) == REASONS[reason]
    assert await betway.heard_ops() == ["provision", "poll"]
    # The order keeps its outcome: a question and a resend are told the same, and it is about the first message.
    assert await betway.connector.status(status_order(), betway.call()) == REASONS[reason]
    assert await betway.connector.retry(provision_order(), betway.call()) == REASONS[reason]
    assert await betway.vouchers(R1) == 0


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (provision_order("NO-SUCH-SKU"), "SKU_UNKNOWN"),
        (provision_order(amount_cents=999), "AMOUNT_RANGE"),
        (provision_order("BW-50"), "AMOUNT_RANGE"),
    ],
)
async def test_what_betway_does_not_sell_is_rejected(betway: Betway, order: Any, reason: str) -> None:
    await betway.profile(fulfilAfterMs=0)
    assert await betway.connector.provision(order, betway.call()) == REASONS[reason]


async def test_an_unknown_outlet_and_an_empty_float_are_rejected(betway: Betway) -> None:
    await betway.profile(fulfilAfterMs=0)
    elsewhere = betway.with_settings(outlet_map={}, default_outlet="S999")
    assert await elsewhere.provision(provision_order(), betway.call()) == REASONS["OUTLET_BLOCKED"]
    await betway.control("POST", "/float", {"cents": 9_999})
    for immediate in (0, 100):
        await betway.profile(immediatePercent=immediate)
        order = provision_order(request_id=an_id(immediate))
        assert await betway.connector.provision(order, betway.call()) == REASONS["CREDIT_EXHAUSTED"]


async def test_cancelled_while_it_is_polled_is_declined(betway: Betway) -> None:
    async with betway.in_flight(betway.connector.provision(provision_order(), betway.call())) as sale:
        await betway.heard("poll")
        assert (await betway.cancel()).json["known"] is True
        assert await sale == Declined(ErrorType.TRANSACTION_DECLINED, provider_message="CANCELLED")


# When to ask


@asynccontextmanager
async def hurried(betway: Betway) -> AsyncIterator[tuple[BetwayConnector, list[float]]]:
    """A connector with the default bounds whose waits take no time, and the seconds that it waited."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    settings = settings_of(betway.simulator) | {"poll_min_ms": 100, "poll_max_ms": 5_000}
    connector = BetwayConnector("betway", read_settings(BetwaySettings, "betway", settings), sleep)
    yield connector, waits
    await connector.close()


@pytest.mark.parametrize(
    ("poll_after_ms", "wait_s"), [(0, 0.1), (99, 0.1), (100, 0.1), (500, 0.5), (5_000, 5.0), (60_000, 5.0)]
)
async def test_the_providers_wish_is_kept_between_bounds(betway: Betway, poll_after_ms: int, wait_s: float) -> None:
    await betway.profile(pollAfterMs=poll_after_ms, fulfilAfterMs=0)
    async with hurried(betway) as (connector, waits):
        assert isinstance(await connector.provision(provision_order(), betway.call()), Approved)
    assert waits == [wait_s]


async def test_each_answer_says_anew_when_to_ask(betway: Betway) -> None:
    await betway.profile(pollAfterMs=200)

    async def sale(connector: BetwayConnector) -> Any:
        return await connector.provision(provision_order(), betway.call())

    async with hurried(betway) as (connector, waits), betway.in_flight(sale(connector)) as selling:
        await betway.heard("poll")
        await betway.profile(pollAfterMs=300)
        await until(lambda: 0.3 in waits)
        await betway.advance(FULFIL_MS)
        assert isinstance(await selling, Approved)
    assert waits[0] == 0.2
    assert set(waits) == {0.2, 0.3}


async def test_a_poll_that_cannot_be_in_time_is_not_waited_for(betway: Betway) -> None:
    await betway.profile(pollAfterMs=60_000)
    connector = betway.with_settings(poll_max_ms=5_000)
    started = time.monotonic()
    assert await connector.provision(provision_order(), betway.call(deadline_s=4)) == UNDECIDED
    assert time.monotonic() - started < 3
    assert await betway.heard_ops() == ["provision"]


async def test_there_is_a_bound_on_polls(betway: Betway) -> None:
    await betway.fault("pending_for_ever", op="provision")
    async with hurried(betway) as (connector, waits):
        assert await connector.provision(provision_order(), betway.call(deadline_s=60)) == UNDECIDED
    assert len(waits) == POLLS_MAX == betway.polls


# A poll that fails


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("http", {"status": 500}),
        ("http", {"status": 503, "body": {"error": {"code": "SERVICE_CLOSED", "message": "No"}}}),
        ("http", {"status": 429}),
        ("http", {"status": 404, "body": {"error": {"code": "ORDER_UNKNOWN", "message": "No"}}}),
        ("decline", {"code": "TOKEN_INVALID"}),
        ("decline", {"code": "IP_NOT_ALLOWED"}),
        ("decline", {"code": "AMOUNT_RANGE"}),
        ("drop_before", {}),
        ("drop_after", {}),
        ("rst_after", {}),
        ("hang_after", {}),
        ("malformed", {}),
        ("truncate", {}),
        ("oversize", {}),
    ],
)
async def test_a_failed_poll_is_repeated(betway: Betway, kind: str, params: dict[str, Any]) -> None:
    times = 1 if kind == "hang_after" else 4
    await betway.profile(fulfilAfterMs=0)
    await betway.fault(kind, op="poll", times=times, params=params)
    outcome = await betway.impatient().provision(provision_order(), betway.call())
    assert isinstance(outcome, Approved)
    assert betway.polls == times + 1
    assert await betway.vouchers(R1) == 1


@pytest.mark.parametrize(
    ("kind", "params", "alert"),
    [
        ("http", {"status": 500}, None),
        ("http", {"status": 503, "body": {"error": {"code": "SERVICE_CLOSED", "message": "No"}}}, None),
        ("http", {"status": 429}, None),
        ("decline", {"code": "TOKEN_INVALID"}, "credentials_refused"),
        ("decline", {"code": "IP_NOT_ALLOWED"}, "credentials_refused"),
        ("drop_after", {}, None),
        ("malformed", {}, "bad_answer"),
    ],
)
async def test_polls_that_fail_until_the_deadline_leave_a_doubt(
    betway: Betway, kind: str, params: dict[str, Any], alert: str | None
) -> None:
    """401, 403, 429 and a closed service prove something of an order's POST, and nothing when an order is asked for."""
    await betway.profile(fulfilAfterMs=0)
    await betway.fault(kind, op="poll", times=0, params=params)
    outcome = await betway.connector.provision(provision_order(), betway.call(deadline_s=SHORT_S))
    assert isinstance(outcome, OutcomeUnknown)
    assert (outcome.error_type, outcome.alert) == (ErrorType.UPSTREAM_UNAVAILABLE, alert)
    assert betway.polls > 1
    assert isinstance(await betway.connector.status(status_order(), betway.call()), Approved)


async def test_a_poll_that_is_never_answered_ends_with_the_deadline(betway: Betway) -> None:
    await betway.fault("hang_before", op="poll", times=0)
    started = time.monotonic()
    outcome = await betway.connector.provision(provision_order(), betway.call(deadline_s=IMPATIENT_MS / 1000))
    assert isinstance(outcome, OutcomeUnknown)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("kind", ["wrong_amount", "wrong_reference", "no_pin", "bad_pin"])
async def test_a_poll_that_shows_another_order_is_believed_by_nobody(betway: Betway, kind: str) -> None:
    await betway.profile(fulfilAfterMs=0)
    await betway.fault(kind, op="poll")
    outcome = await betway.connector.provision(provision_order(), betway.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"
    assert betway.polls == 1


# NotSent, on POST /orders only


@pytest.mark.parametrize("status", [429, 503])
async def test_busy_is_not_sent_for_an_order_and_nothing_for_anything_else(betway: Betway, status: int) -> None:
    body = {"error": {"code": "SERVICE_CLOSED", "message": "Closed"}}
    await betway.fault("http", times=0, params={"status": status, "body": body})
    connector = betway.connector
    expected = NotSent(ErrorType.UPSTREAM_UNAVAILABLE, "SERVICE_CLOSED", "Closed")
    assert await connector.provision(provision_order(), betway.call()) == expected
    assert isinstance(await connector.retry(provision_order(), betway.call()), OutcomeUnknown)
    assert isinstance(await connector.status(status_order(sent_ms_ago=SETTLED), betway.call()), OutcomeUnknown)
    lookup = await connector.lookup(lookup_order(voucher_code=FIRST_PIN), betway.call())
    assert isinstance(lookup, OutcomeUnknown)
    for advise in (connector.confirm, connector.reverse):
        assert isinstance(await advise(advice_order(sent_ms_ago=SETTLED), betway.call()), Pending)


async def test_a_503_without_the_providers_own_word_proves_nothing(betway: Betway) -> None:
    await betway.fault("http", params={"status": 503, "body": "busy"})
    assert isinstance(await betway.connector.provision(provision_order(), betway.call()), OutcomeUnknown)


# The 202 lost


@pytest.mark.parametrize("kind", ["drop_after", "rst_after", "malformed", "truncate"])
async def test_a_lost_acceptance_is_resumed_by_the_retry(betway: Betway, kind: str) -> None:
    await betway.fault(kind, op="provision")
    assert isinstance(await betway.connector.provision(provision_order(), betway.call()), OutcomeUnknown)
    resend = betway.connector.retry(provision_order(sent_ms_ago=2_000), betway.call())
    async with betway.in_flight(resend) as retry:
        await betway.heard("poll")
        await betway.advance(FULFIL_MS)
        outcome = await retry
    assert isinstance(outcome, Approved)
    assert await betway.vouchers(R1) == 1
    assert (await betway.state())["orders"]["FULFILLED"] == 1


# Paid first


@pytest.mark.parametrize(
    "tenders",
    [
        (),
        (Tender("CASH", 9_999, "710", "SLIP-000123"),),
        (Tender("CASH", 10_000, "840", "SLIP-000123"),),
    ],
)
async def test_16_without_enough_tender_nothing_is_sent(betway: Betway, tenders: tuple[Tender, ...]) -> None:
    order = provision_order(tenders=tenders)
    assert await betway.connector.provision(order, betway.call()) == Declined(
        ErrorType.TRANSACTION_DECLINED, provider_message="Tender required before request"
    )
    # A resend without tender is no proof about the message before it.
    assert isinstance(await betway.connector.retry(order, betway.call()), OutcomeUnknown)
    assert await betway.journal() == []


async def test_16_the_provider_refuses_an_order_without_tender(betway: Betway) -> None:
    assert code_of(await betway.order(tender=...)) == (422, "TENDER_MISSING")
    small = {"reference": "S", "type": "CASH", "minor": 9_999}
    assert code_of(await betway.order(tender=small)) == (422, "TENDER_MISSING")
    # A refused order does not use up its id.
    assert (await betway.order()).status == 202


async def test_the_first_tender_and_the_sum_reach_the_provider(betway: Betway) -> None:
    card = Tender("CREDIT_CARD", 7_000, "710", "CARD-77")
    await betway.sold(tenders=(card, Tender("CASH", 4_000, "710", "SLIP-9")))
    assert '"tender":{"reference":"CARD-77","type":"CREDIT_CARD","minor":11000}' in betway.legs[0].request


# Ids serve once


async def test_an_external_id_is_unique_for_ever(betway: Betway) -> None:
    first = await betway.sold()
    other = await betway.connector.provision(provision_order(amount_cents=20_000), betway.call())
    assert isinstance(other, OutcomeUnknown)
    assert (other.error_type, other.provider_code) == (ErrorType.DUPLICATE_RECORD, "EXTERNAL_ID_CONFLICT")
    for change in (
        {"skuId": "BW-50"},
        {"outlet": "S002"},
        {"tender": {"reference": "X", "type": "CASH", "minor": 10_000}},
    ):
        assert code_of(await betway.order(**change)) == (409, "EXTERNAL_ID_CONFLICT")
    await betway.advance(400 * 24 * 3_600_000)
    assert await betway.connector.retry(provision_order(sent_ms_ago=SETTLED), betway.call()) == first
    assert await betway.vouchers(R1) == 1


async def test_a_rejected_order_keeps_its_id_for_ever(betway: Betway) -> None:
    await betway.profile(fulfilAfterMs=0)
    await betway.order(skuId="NONE")
    assert (await betway.poll()).json["state"] == "REJECTED"
    again = await betway.order(skuId="NONE")
    assert (again.status, again.json["reason"]) == (200, "SKU_UNKNOWN")
    assert code_of(await betway.order()) == (409, "EXTERNAL_ID_CONFLICT")


# Cancel


async def test_cancel_before_the_order_is_remembered(betway: Betway) -> None:
    assert (await betway.cancel()).json == {"externalId": R1, "state": "CANCELLED", "known": False}
    assert (await betway.cancel()).json["known"] is False
    assert code_of(await betway.order()) == (409, "EXTERNAL_ID_CANCELLED")
    assert code_of(await betway.acknowledge()) == (409, "EXTERNAL_ID_CANCELLED")
    assert code_of(await betway.raw("GET", f"/orders?externalId={R1}")) == (404, "ORDER_UNKNOWN")


async def test_cancel_while_it_is_pending(betway: Betway) -> None:
    await betway.order()
    assert await betway.connector.reverse(advice_order(), betway.call()) == Acknowledged()
    await betway.advance(FULFIL_MS)
    assert (await betway.poll()).json["state"] == "CANCELLED"
    assert await betway.vouchers(R1) == 0
    assert await betway.connector.reverse(advice_order(), betway.call()) == Acknowledged()
    again = await betway.order()
    assert (again.status, again.json["state"]) == (200, "CANCELLED")


async def test_cancel_after_acknowledge_is_refused(betway: Betway) -> None:
    await betway.sold()
    for _ in range(2):
        assert await betway.connector.confirm(advice_order(), betway.call()) == Acknowledged()
    refused = Refused("ALREADY_ACKNOWLEDGED", "Cancel refused")
    assert await betway.connector.reverse(advice_order(), betway.call()) == refused
    assert (await betway.state(reference=R1))["state"] == "ACTIVE"


async def test_cancel_is_possible_for_five_minutes(betway: Betway) -> None:
    await betway.sold()
    await betway.advance(299_000)
    assert await betway.connector.reverse(advice_order(), betway.call()) == Acknowledged()
    await betway.sold(R2)
    await betway.advance(301_000)
    refused = Refused("REVERSAL_WINDOW_CLOSED", "Cancel refused")
    assert await betway.connector.reverse(advice_order(R2), betway.call()) == refused


async def test_an_acknowledgement_waits_for_its_order(betway: Betway) -> None:
    assert isinstance(await betway.connector.confirm(advice_order(), betway.call()), Refused)
    await betway.order()
    assert await betway.connector.confirm(advice_order(), betway.call()) == Pending("NOT_FULFILLED Not fulfilled")
    await betway.advance(FULFIL_MS)
    assert await betway.connector.confirm(advice_order(), betway.call()) == Acknowledged()


async def test_a_sale_that_is_cancelled_here_leaves_nothing_running(betway: Betway) -> None:
    """The switch gives up: the polling ends with it, wherever it is just then."""
    for number in range(20):
        await betway.fault("pending_for_ever", op="provision")
        order = provision_order(request_id=an_id(number))
        async with betway.in_flight(betway.connector.provision(order, betway.call())) as sale:
            await betway.heard("poll", betway.polls + 1)
            sale.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sale
    heard = betway.polls
    assert await betway.connector.status(status_order(an_id(0)), betway.call()) == STILL_PENDING
    assert betway.polls <= heard + 1  # one may have been on its way


async def test_a_cancellation_that_the_client_lost_is_not_polled_on(betway: Betway) -> None:
    async def sale() -> Any:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        return await betway.connector.provision(provision_order(), betway.call())

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(sale())
    assert await betway.journal() == []
    assert [leg.error for leg in betway.legs] == ["cancelled before it was sent"]
