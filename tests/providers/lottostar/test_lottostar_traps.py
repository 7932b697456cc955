"""What goes wrong with Lottostar's proposed protocol if one does not look: each trap by its name."""

import asyncio
from typing import Any

import pytest

from providers.lottostar.lottostar_support import Lottostar, lookup_order, provision_order
from providers.provider_support import A1, R1, R2, SETTLED, Heard, advice_order, an_id, raw_server, status_order
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import Acknowledged, Approved, Declined, NotSent, OutcomeUnknown, Pending

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS

STALE = NotSent(
    ErrorType.ROUTING_ERROR, "STALE_TIMESTAMP", "Timestamp is too far from our clock", alert="credentials_refused"
)


# The nonce


async def test_every_message_has_a_nonce_of_its_own(lottostar: Lottostar) -> None:
    connector = lottostar.connector
    await lottostar.provision()
    for _ in range(3):
        assert isinstance(await connector.retry(provision_order(), lottostar.call()), Approved)
        assert isinstance(await connector.status(status_order(), lottostar.call()), Approved)
    assert all(entry["status"] in (200, 201) for entry in await lottostar.journal())


async def test_a_reused_nonce_is_a_doubt_and_never_a_decline(lottostar: Lottostar) -> None:
    """The same bytes arrived before: the first arrival issued, and its answer is the one we did not get."""
    await lottostar.fault("nonce_replay", op="provision")
    outcome = await lottostar.provision()
    assert outcome == OutcomeUnknown(ErrorType.DUPLICATE_RECORD, "NONCE_REUSED", "Nonce was used before")
    assert len(await lottostar.journal()) == 1
    assert await lottostar.vouchers() == 1
    retried = await lottostar.connector.retry(provision_order(), lottostar.call())
    assert isinstance(retried, Approved)
    assert await lottostar.vouchers() == 1


async def test_a_reused_nonce_leaves_a_void_queued(lottostar: Lottostar) -> None:
    await lottostar.issued()
    await lottostar.fault("nonce_replay", op="reverse")
    result = await lottostar.connector.reverse(advice_order(), lottostar.call())
    assert result == Pending(cause="NONCE_REUSED Nonce was used before")
    assert await lottostar.connector.reverse(advice_order(), lottostar.call()) == Acknowledged()


async def test_a_nonce_may_be_used_again_after_ten_minutes(lottostar: Lottostar) -> None:
    nonce = an_id(7)
    assert (await lottostar.raw("GET", "/denominations", nonce=nonce)).status == 200
    await lottostar.advance(9 * MINUTE_MS)
    again = await lottostar.raw("GET", "/denominations", nonce=nonce)
    assert (again.status, again.json["error"]["code"]) == (401, "NONCE_REUSED")
    await lottostar.advance(2 * MINUTE_MS)
    assert (await lottostar.raw("GET", "/denominations", nonce=nonce)).status == 200


# The clock


@pytest.mark.parametrize("minutes", [10, -10, 60 * 24 * 365])
async def test_a_clock_that_is_off_is_corrected_by_the_date_header(lottostar: Lottostar, minutes: int) -> None:
    connector = lottostar.with_settings()
    await lottostar.advance(minutes * MINUTE_MS)
    assert isinstance(await connector.provision(provision_order(), lottostar.call()), Approved)
    journal = await lottostar.journal()
    assert [(entry["status"], entry["processed"]) for entry in journal] == [(401, False), (201, True)]
    # Once learnt, the offset is kept.
    assert isinstance(await connector.status(status_order(), lottostar.call()), Approved)
    assert len(await lottostar.journal()) == 3


async def test_a_second_refusal_of_the_timestamp_is_not_sent(lottostar: Lottostar) -> None:
    """One request meets a clock that is an hour ahead; corrected by that, the next one is an hour off."""
    connector = lottostar.with_settings()
    await lottostar.fault("clock_skew", op="provision", params={"ms": 60 * MINUTE_MS})
    assert await connector.provision(provision_order(), lottostar.call()) == STALE
    assert [entry["status"] for entry in await lottostar.journal()] == [401, 401]
    assert (await lottostar.totals())["vouchers"] == 0
    # The refusal said what time it really is, so the next operation finds its way.
    assert isinstance(await connector.provision(provision_order(), lottostar.call()), Approved)


async def test_a_skewed_clock_that_stays_skewed_is_followed(lottostar: Lottostar) -> None:
    connector = lottostar.with_settings()
    await lottostar.fault("clock_skew", times=0, params={"ms": 60 * MINUTE_MS})
    assert isinstance(await connector.provision(provision_order(), lottostar.call()), Approved)
    assert len(await lottostar.journal()) == 2


async def test_the_second_attempt_has_a_new_nonce_and_the_same_body(lottostar: Lottostar) -> None:
    connector = lottostar.with_settings()
    await lottostar.advance(10 * MINUTE_MS)
    await connector.provision(provision_order(), lottostar.call())
    first, second = lottostar.legs
    assert first.request == second.request
    assert (first.status, second.status) == (401, 201)


async def test_an_answer_lost_on_the_second_attempt_is_a_doubt(lottostar: Lottostar) -> None:
    connector = lottostar.with_settings()
    await lottostar.advance(10 * MINUTE_MS)
    await lottostar.fault("drop_after", op="provision", skip=1)
    assert isinstance(await connector.provision(provision_order(), lottostar.call()), OutcomeUnknown)
    assert await lottostar.vouchers() == 1


async def test_no_second_attempt_without_leave(lottostar: Lottostar) -> None:
    await lottostar.advance(10 * MINUTE_MS)
    once = lottostar.with_settings(renew_once=False)
    assert await once.provision(provision_order(), lottostar.call()) == STALE
    assert len(await lottostar.journal()) == 1


async def test_no_second_attempt_without_a_date(lottostar: Lottostar) -> None:
    async def stale(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        body = b'{"error":{"code":"STALE_TIMESTAMP","message":"Timestamp is too far from our clock"}}'
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with raw_server(stale) as server:
        connector = lottostar.with_settings(base_url=server.url)
        assert await connector.provision(provision_order(), lottostar.call()) == STALE
    assert len(server.heard) == 1


async def test_both_attempts_share_the_operations_time(lottostar: Lottostar) -> None:
    connector = lottostar.with_settings(total_timeout_ms=400)
    await lottostar.advance(10 * MINUTE_MS)
    await lottostar.fault("late", params={"ms": 250})
    await lottostar.fault("late", params={"ms": 250})
    assert isinstance(await connector.provision(provision_order(), lottostar.call()), OutcomeUnknown)
    took_us = sum(leg.duration_us for leg in lottostar.legs)
    assert 250_000 < took_us < 490_000


async def test_a_stale_timestamp_of_a_void_or_a_question(lottostar: Lottostar) -> None:
    await lottostar.issued()
    await lottostar.advance(10 * MINUTE_MS)
    assert await lottostar.with_settings().reverse(advice_order(), lottostar.call()) == Acknowledged()
    assert isinstance(await lottostar.with_settings().status(status_order(), lottostar.call()), Declined)
    once = lottostar.with_settings(renew_once=False)
    assert await once.reverse(advice_order(), lottostar.call()) == Pending(
        cause="STALE_TIMESTAMP Timestamp is too far from our clock", alert="credentials_refused"
    )
    # Of the request that it asks about it says nothing.
    status = await once.status(status_order(sent_ms_ago=SETTLED), lottostar.call())
    assert isinstance(status, OutcomeUnknown)
    assert isinstance(await once.retry(provision_order(), lottostar.call()), OutcomeUnknown)
    assert isinstance(await once.lookup(lookup_order(), lottostar.call()), NotSent)


# Tombstones


async def test_a_void_of_an_unknown_reference_refuses_the_provision_that_comes_late(lottostar: Lottostar) -> None:
    assert await lottostar.connector.reverse(advice_order(), lottostar.call()) == Acknowledged()
    late = await lottostar.provision()
    assert late == Declined(ErrorType.TRANSACTION_DECLINED, "REFERENCE_VOIDED", "Reference was voided")
    await lottostar.advance(400 * DAY_MS)
    again = await lottostar.connector.retry(provision_order(), lottostar.call())
    assert isinstance(again, Declined)
    assert await lottostar.connector.reverse(advice_order(), lottostar.call()) == Acknowledged()
    assert await lottostar.vouchers() == 0
    assert isinstance(await lottostar.provision(request_id=R2), Approved)


async def test_a_tombstone_needs_no_settle_time(lottostar: Lottostar) -> None:
    """Acknowledged at once although the request may still be on its way: it will be refused."""
    result = await lottostar.connector.reverse(advice_order(sent_ms_ago=0), lottostar.call())
    assert result == Acknowledged()
    answer = await lottostar.raw("POST", f"/vouchers/by-client-ref/{R1}/void", {"adviceId": A1, "reason": "TIMEOUT"})
    assert (answer.status, answer.json) == (202, {"clientTxnId": R1, "status": "TOMBSTONED"})


@pytest.mark.parametrize(("minutes", "voided"), [(14, True), (16, False)])
async def test_a_void_is_taken_for_fifteen_minutes(lottostar: Lottostar, minutes: int, voided: bool) -> None:
    await lottostar.issued()
    await lottostar.advance(minutes * MINUTE_MS)
    result = await lottostar.connector.reverse(advice_order(), lottostar.call())
    assert (result == Acknowledged()) is voided
    assert await lottostar.state_of() == ("VOIDED" if voided else "ACTIVE")
    # A repeat of one that had its effect is taken for ever.
    await lottostar.advance(DAY_MS)
    assert (await lottostar.connector.reverse(advice_order(), lottostar.call()) == Acknowledged()) is voided


# Keys


async def test_after_a_rotation_the_old_secret_is_refused_at_once(lottostar: Lottostar) -> None:
    assert isinstance(await lottostar.provision(), Approved)
    rotated = await lottostar.control("POST", "/keys", {"secret": "rotated-lottostar-secret"})
    assert (rotated.status, rotated.json) == (200, {"keyId": "LSK-EXAMPLE"})
    refused = await lottostar.provision(request_id=R2)
    assert isinstance(refused, NotSent)
    assert (refused.error_type, refused.alert) == (ErrorType.ROUTING_ERROR, "credentials_refused")
    new = lottostar.with_settings(secret="rotated-lottostar-secret")
    assert isinstance(await new.provision(provision_order(R2), lottostar.call()), Approved)
    await lottostar.control("POST", "/reset")
    assert isinstance(await lottostar.provision(), Approved)


@pytest.mark.parametrize("body", [{}, {"secret": ""}, {"secret": 1}])
async def test_a_rotation_needs_a_secret(lottostar: Lottostar, body: dict[str, Any]) -> None:
    assert (await lottostar.control("POST", "/keys", body)).status == 400


# 429 and 503


async def test_a_429_is_not_sent_and_says_when_to_come_back(lottostar: Lottostar) -> None:
    await lottostar.fault("decline", times=2, params={"code": "RATE_LIMITED"})
    raw = await lottostar.raw("GET", "/denominations")
    assert (raw.status, raw.headers["retry-after"]) == (429, "1")
    outcome = await lottostar.provision()
    assert outcome == NotSent(ErrorType.UPSTREAM_UNAVAILABLE, "RATE_LIMITED", "Too many requests")
    assert (await lottostar.totals())["vouchers"] == 0


@pytest.mark.parametrize("processed", [True, False])
async def test_a_503_of_plain_html_is_a_doubt(lottostar: Lottostar, processed: bool) -> None:
    await lottostar.fault("html_503", op="provision", params={"processed": processed})
    assert isinstance(await lottostar.provision(), OutcomeUnknown)
    assert await lottostar.vouchers() == int(processed)
    retried = await lottostar.connector.retry(provision_order(), lottostar.call())
    assert isinstance(retried, Approved)
    assert await lottostar.vouchers() == 1


async def test_a_503_of_maintenance_is_not_sent(lottostar: Lottostar) -> None:
    await lottostar.fault("decline", op="provision", times=2, params={"code": "MAINTENANCE"})
    assert await lottostar.provision() == NotSent(
        ErrorType.UPSTREAM_UNAVAILABLE, "MAINTENANCE", "Closed for maintenance"
    )
    # The same answer to a resend leaves the doubt about the first message.
    assert isinstance(await lottostar.connector.retry(provision_order(), lottostar.call()), OutcomeUnknown)


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
        ("nonce_replay", {}),
        ("html_503", {"processed": True}),
    ],
)
async def test_at_every_cut_point_a_retry_brings_one_voucher_and_the_status_the_same(
    lottostar: Lottostar, kind: str, params: dict[str, Any]
) -> None:
    connector = lottostar.impatient()
    await lottostar.fault(kind, op="provision", params=params)
    assert isinstance(await connector.provision(provision_order(), lottostar.call()), OutcomeUnknown)
    before = lottostar.simulator.provider.book.by_reference(R1)[:]
    retried = await connector.retry(provision_order(sent_ms_ago=1_000), lottostar.call())
    await lottostar.advance(1_000)
    again = await connector.retry(provision_order(sent_ms_ago=2_000), lottostar.call())
    status = await connector.status(status_order(sent_ms_ago=SETTLED), lottostar.call())
    assert isinstance(retried, Approved)
    assert isinstance(status, Approved)
    assert retried == again
    assert retried.voucher == status.voucher
    assert retried.voucher is not None
    assert before == [] or before[0].code == retried.voucher.code
    assert await lottostar.vouchers() == 1
    assert (await lottostar.totals())["vouchers"] == 1
