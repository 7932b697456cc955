"""What makes Supabets different, each by name: renewal, reserve and commit, late reveal, time limits, tombstones."""

import time
from typing import Any

import pytest

from providers.provider_support import LOST_REQUESTS, R1, R2, SETTLED, advice_order, an_id, lookup_order, status_order
from providers.supabets.supabets_support import FIRST_PIN, TTL_MS, Supabets, code_of, provision_order, settings_of
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
from voucherswitch.providers.contract.capabilities import Support
from voucherswitch.providers.contract.connector import Connector
from voucherswitch.providers.supabets.connector import connect

# Renewal


async def test_an_expired_token_is_renewed_once_and_the_sale_goes_through(supabets: Supabets) -> None:
    assert (await supabets.control("POST", "/tokens/expire")).status == 200
    await supabets.sold()
    entries = await supabets.journal()
    assert [(entry["op"], entry["status"]) for entry in entries] == [("provision", 401), ("provision", 201)]
    assert [leg.status for leg in supabets.legs] == [401, 201]
    assert await supabets.vouchers(R1) == 1


async def test_a_second_expired_token_is_not_sent_and_an_advice_waits(supabets: Supabets) -> None:
    await supabets.fault("decline", times=0, params={"code": "token-expired"})
    outcome = await supabets.connector.provision(provision_order(), supabets.call())
    assert isinstance(outcome, NotSent)
    assert (outcome.error_type, outcome.provider_code) == (ErrorType.ROUTING_ERROR, "token-expired")
    assert len(await supabets.journal()) == 2
    for advise in (supabets.connector.confirm, supabets.connector.reverse):
        assert isinstance(await advise(advice_order(sent_ms_ago=SETTLED), supabets.call()), Pending)
    assert isinstance(await supabets.connector.retry(provision_order(), supabets.call()), OutcomeUnknown)
    assert len(await supabets.journal()) == 8


async def test_renewal_can_be_switched_off(supabets: Supabets) -> None:
    connector = supabets.with_settings(renew_once=False)
    await supabets.control("POST", "/tokens/expire")
    assert isinstance(await connector.provision(provision_order(), supabets.call()), NotSent)
    assert await supabets.heard_ops() == ["provision"]


@pytest.mark.parametrize("code", ["invalid-token", "body-hash", "jti-reused"])
async def test_no_other_refusal_is_sent_again(supabets: Supabets, code: str) -> None:
    await supabets.fault("decline", params={"code": code})
    assert not isinstance(await supabets.connector.provision(provision_order(), supabets.call()), Approved)
    assert await supabets.heard_ops() == ["provision"]


async def test_a_lost_second_attempt_is_in_doubt(supabets: Supabets) -> None:
    await supabets.fault("decline", params={"code": "token-expired"})
    await supabets.fault("drop_after")
    assert isinstance(await supabets.connector.provision(provision_order(), supabets.call()), OutcomeUnknown)
    assert await supabets.vouchers(R1) == 1


async def test_the_new_token_has_the_providers_time(supabets: Supabets) -> None:
    """Our clock is 61 seconds behind: the first token is too old, and what its refusal tells mends all later ones."""
    connector = connect("supabets", settings_of(supabets.simulator))
    await supabets.advance(61_000)
    assert isinstance(await connector.provision(provision_order(), supabets.call()), Approved)
    assert isinstance(await connector.provision(provision_order(request_id=R2), supabets.call()), Approved)
    assert [entry["status"] for entry in await supabets.journal()] == [401, 201, 201]
    # Set back, the provider calls the next token one of the future; that is learned from, and never sent again.
    await supabets.advance(-61_000)
    outcome = await connector.provision(provision_order(request_id=an_id(1)), supabets.call())
    assert isinstance(outcome, NotSent)
    assert outcome.alert == "credentials_refused"
    assert isinstance(await connector.provision(provision_order(request_id=an_id(1)), supabets.call()), Approved)
    assert [entry["status"] for entry in await supabets.journal()] == [401, 201, 201, 401, 201]
    await connector.close()


async def test_a_clock_that_is_days_off_is_not_followed(supabets: Supabets) -> None:
    connector = connect("supabets", settings_of(supabets.simulator))
    await supabets.advance(3 * 24 * 3_600_000)
    for _ in range(2):
        outcome = await connector.provision(provision_order(), supabets.call())
        assert isinstance(outcome, NotSent)
        assert outcome.provider_code == "token-expired"
    await connector.close()


# Reserve and commit: the TTL


async def test_a_commit_after_the_ttl_is_refused_and_the_customer_holds_a_dead_pin(supabets: Supabets) -> None:
    await supabets.sold()
    await supabets.advance(TTL_MS + 1_000)
    assert (await supabets.state(reference=R1))["state"] == "EXPIRED"
    result = await supabets.connector.confirm(advice_order(), supabets.call())
    assert result == Refused("reservation-expired", "Reservation expired: Refused", "dead_voucher")


async def test_a_commit_inside_the_ttl_is_taken(supabets: Supabets) -> None:
    await supabets.sold()
    await supabets.advance(TTL_MS - 1_000)
    assert await supabets.connector.confirm(advice_order(), supabets.call()) == Acknowledged()
    await supabets.advance(TTL_MS)
    assert (await supabets.state(reference=R1))["state"] == "COMMITTED"


async def test_a_release_after_the_ttl_has_its_effect_already(supabets: Supabets) -> None:
    await supabets.sold()
    await supabets.advance(TTL_MS + 1_000)
    assert await supabets.connector.reverse(advice_order(), supabets.call()) == Acknowledged()
    assert code_of(await supabets.release()) == (410, "reservation-expired")
    assert (await supabets.state())["floatCents"] == 100_000_000


async def test_a_lapsed_reservation_is_declined_to_whoever_asks(supabets: Supabets) -> None:
    await supabets.fault("drop_after", op="provision")
    await supabets.connector.provision(provision_order(), supabets.call())
    await supabets.advance(TTL_MS + 1_000)
    status = await supabets.connector.status(status_order(), supabets.call())
    assert status == Declined(ErrorType.TRANSACTION_DECLINED, provider_message="EXPIRED")
    retried = await supabets.connector.retry(provision_order(), supabets.call())
    assert isinstance(retried, Declined)
    assert (retried.error_type, retried.provider_code) == (ErrorType.TRANSACTION_DECLINED, "reservation-expired")
    found = await supabets.connector.lookup(lookup_order(voucher_code=FIRST_PIN), supabets.call())
    assert isinstance(found, Approved)
    assert (found.approved_cents, found.voucher_state) == (0, "EXPIRED")


async def test_a_retry_does_not_make_a_reservation_live_longer(supabets: Supabets) -> None:
    first = await supabets.sold()
    await supabets.advance(100_000)
    again = await supabets.connector.retry(provision_order(), supabets.call())
    assert isinstance(again, Approved)
    assert again.refs == first.refs
    await supabets.advance(81_000)
    assert isinstance(await supabets.connector.confirm(advice_order(), supabets.call()), Refused)


async def test_the_switch_is_told_until_when_to_commit(supabets: Supabets) -> None:
    await supabets.at("2026-03-02T23:58:30+02:00")
    assert (await supabets.sold()).refs == {"reservedUntil": "2026-03-02T22:01:30.000Z"}


# Release


async def test_a_committed_voucher_is_released_for_half_an_hour(supabets: Supabets) -> None:
    for request_id, after_ms, released in ((R1, 1_799_000, True), (R2, 1_801_000, False)):
        await supabets.sold(request_id)
        await supabets.connector.confirm(advice_order(request_id), supabets.call())
        await supabets.advance(after_ms)
        result = await supabets.connector.reverse(advice_order(request_id), supabets.call())
        if released:
            assert result == Acknowledged()
        else:
            assert isinstance(result, Refused)
            assert result.provider_code == "reversal-window-closed"


async def test_a_release_of_an_unknown_id_is_remembered(supabets: Supabets) -> None:
    assert (await supabets.release()).json == {"reservationId": R1, "state": "RELEASED", "known": False}
    assert (await supabets.release()).json["known"] is False
    assert code_of(await supabets.reserve()) == (409, "reservation-released")
    assert code_of(await supabets.commit()) == (409, "reservation-released")
    assert code_of(await supabets.raw("GET", f"/reservations/{R1}")) == (404, "not-found")
    assert (await supabets.state())["vouchers"] == 0


async def test_a_released_reservation_stays_released(supabets: Supabets) -> None:
    await supabets.reserve()
    assert (await supabets.release()).json["known"] is True
    assert (await supabets.release()).json["known"] is True
    assert code_of(await supabets.reserve()) == (409, "reservation-released")
    assert code_of(await supabets.reserve(amount={"value": 5_000, "currency": "ZAR"})) == (409, "reservation-released")
    await supabets.advance(TTL_MS * 2)
    assert code_of(await supabets.commit()) == (409, "reservation-released")


# Late reveal


def late(supabets: Supabets, **more: Any) -> Connector:
    return supabets.impatient(late_reveal=True, **more)


async def test_late_reveal_reserves_and_commits_in_one_sale(supabets: Supabets) -> None:
    await supabets.late()
    connector = late(supabets)
    outcome = await connector.provision(provision_order(), supabets.call())
    assert isinstance(outcome, Approved)
    assert outcome.voucher is not None
    assert (outcome.voucher.code, outcome.refs) == (FIRST_PIN, {"committed": "yes"})
    assert await supabets.heard_ops() == ["provision", "confirm"]
    assert [leg.operation for leg in supabets.legs] == ["provision", "provision"]
    assert '"masked":"***"' in (supabets.legs[0].response or "")
    assert (await supabets.state(reference=R1))["state"] == "COMMITTED"
    # The PIN was shown by the first answer to nobody.
    shown = await supabets.reserve(R2)
    assert shown.json["voucher"]["pin"] is None
    assert shown.json["voucher"]["masked"] == "*" * 9 + "4338"


async def test_14_with_late_reveal_a_confirmation_has_no_message(supabets: Supabets) -> None:
    connector = late(supabets)
    assert connector.capabilities.confirm is Support.NATIVE
    assert await connector.confirm(advice_order(refs={"committed": "yes"}), supabets.call()) == Acknowledged()
    assert await supabets.journal() == []


async def test_late_reveal_also_sells_where_the_pin_is_shown_early(supabets: Supabets) -> None:
    outcome = await late(supabets).provision(provision_order(), supabets.call())
    assert isinstance(outcome, Approved)
    assert (await supabets.state(reference=R1))["state"] == "COMMITTED"


async def test_early_reveal_that_meets_a_masked_pin_is_in_doubt(supabets: Supabets) -> None:
    await supabets.late()
    outcome = await supabets.connector.provision(provision_order(), supabets.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"
    assert await supabets.heard_ops() == ["provision"]


@pytest.mark.parametrize("kind", ["drop_after", "rst_after", "hang_after", "malformed", "truncate", "http"])
async def test_a_commit_whose_answer_is_lost_is_found_by_the_status(supabets: Supabets, kind: str) -> None:
    await supabets.late()
    connector = late(supabets)
    await supabets.fault(kind, op="confirm", params={"processed": True} if kind == "http" else {})
    outcome = await connector.provision(provision_order(), supabets.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert await supabets.heard_ops() == ["provision", "confirm"]
    status = await connector.status(status_order(), supabets.call())
    retried = await connector.retry(provision_order(), supabets.call())
    assert isinstance(status, Approved)
    assert isinstance(retried, Approved)
    assert status.voucher == retried.voucher
    assert await supabets.vouchers(R1) == 1


@pytest.mark.parametrize("kind", LOST_REQUESTS)
async def test_a_commit_that_is_lost_is_undecided_until_somebody_ends_it(supabets: Supabets, kind: str) -> None:
    await supabets.late()
    connector = late(supabets)
    await supabets.fault(kind, op="confirm", params={"ms": 60_000} if kind == "late_processing" else {})
    assert isinstance(await connector.provision(provision_order(), supabets.call()), OutcomeUnknown)
    undecided = OutcomeUnknown(ErrorType.VOUCHER_STATUS_UNKNOWN, provider_message="RESERVED")
    assert await connector.status(status_order(sent_ms_ago=SETTLED), supabets.call()) == undecided
    retried = await connector.retry(provision_order(), supabets.call())
    assert isinstance(retried, Approved)
    await supabets.advance(61_000)
    assert await supabets.vouchers(R1) == 1
    assert (await supabets.state(reference=R1))["state"] == "COMMITTED"


async def test_a_lost_commit_lapses_and_is_then_declined(supabets: Supabets) -> None:
    await supabets.late()
    connector = late(supabets)
    await supabets.fault("drop_before", op="confirm")
    await connector.provision(provision_order(), supabets.call())
    await supabets.advance(TTL_MS + 1_000)
    declined = Declined(ErrorType.TRANSACTION_DECLINED, provider_message="EXPIRED")
    assert await connector.status(status_order(), supabets.call()) == declined
    assert isinstance(await connector.retry(provision_order(), supabets.call()), Declined)


async def test_a_lost_commit_can_be_reversed(supabets: Supabets) -> None:
    await supabets.late()
    connector = late(supabets)
    await supabets.fault("drop_after", op="confirm")
    await connector.provision(provision_order(), supabets.call())
    assert await connector.reverse(advice_order(), supabets.call()) == Acknowledged()
    declined = Declined(ErrorType.TRANSACTION_DECLINED, provider_message="RELEASED")
    assert await connector.status(status_order(), supabets.call()) == declined
    assert (await supabets.state())["floatCents"] == 100_000_000


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("unavailable", OutcomeUnknown),
        ("throttled", OutcomeUnknown),
        ("invalid-token", OutcomeUnknown),
        ("bad-request", OutcomeUnknown),
        ("not-found", OutcomeUnknown),
        ("voucher-spent", OutcomeUnknown),
        ("reservation-released", Declined),
        ("reservation-expired", Declined),
    ],
)
async def test_a_refused_commit_never_says_that_nothing_was_sent(supabets: Supabets, code: str, kind: type) -> None:
    """The reservation is there: another route could sell the same thing twice."""
    await supabets.late()
    await supabets.fault("decline", op="confirm", params={"code": code})
    outcome = await late(supabets).provision(provision_order(), supabets.call())
    assert isinstance(outcome, kind)


@pytest.mark.parametrize("kind", ["wrong_amount", "wrong_reference"])
async def test_a_reservation_of_something_else_is_not_committed(supabets: Supabets, kind: str) -> None:
    await supabets.late()
    await supabets.fault(kind, op="provision")
    outcome = await late(supabets).provision(provision_order(), supabets.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"
    assert await supabets.heard_ops() == ["provision"]


@pytest.mark.parametrize("kind", ["wrong_amount", "wrong_reference", "no_pin", "bad_pin", "malformed", "oversize"])
async def test_a_spoilt_commit_is_a_bad_answer(supabets: Supabets, kind: str) -> None:
    await supabets.late()
    await supabets.fault(kind, op="confirm")
    outcome = await late(supabets).provision(provision_order(), supabets.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"


async def test_an_expired_token_of_a_commit_is_renewed_too(supabets: Supabets) -> None:
    await supabets.late()
    await supabets.fault("decline", op="confirm", params={"code": "token-expired"})
    assert isinstance(await late(supabets).provision(provision_order(), supabets.call()), Approved)
    assert await supabets.heard_ops() == ["provision", "confirm", "confirm"]


async def test_both_messages_of_a_sale_share_one_time_limit(supabets: Supabets) -> None:
    """The reservation takes most of it, and the commit is cut off where the operation ends."""
    await supabets.late()
    connector = supabets.with_settings(late_reveal=True, total_timeout_ms=500)
    await supabets.fault("late", op="provision", params={"ms": 300})
    await supabets.fault("late", op="confirm", params={"ms": 5_000})
    started = time.monotonic()
    outcome = await connector.provision(provision_order(), supabets.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert time.monotonic() - started < 2


async def test_a_commit_that_no_time_is_left_for_is_in_doubt(supabets: Supabets) -> None:
    await supabets.late()
    await supabets.fault("late", op="provision", params={"ms": 150})
    await supabets.fault("late", op="confirm", params={"ms": 5_000})
    outcome = await supabets.with_settings(late_reveal=True).provision(provision_order(), supabets.call(deadline_s=0.3))
    assert isinstance(outcome, OutcomeUnknown)
