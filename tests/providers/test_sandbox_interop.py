"""Connector and simulator together: the checks of providers.md Part D that the sandbox is subject to, by their numbers.

Check 2 is in test_provider_helpers.py, 18 in test_simulator_control.py; 13, 14 and 16 need the switch or another
provider. Check 19 also runs at the end of every test that uses the `sandbox` fixture.
"""

from typing import Any

import pytest

from providers.pair_support import left_behind, unreachable
from providers.provider_support import (
    A1,
    LOST_REQUESTS,
    R1,
    R2,
    R3,
    SETTLED,
    SPOILT,
    advice_order,
    an_id,
    lookup_order,
    status_order,
)
from providers.sandbox_support import FIRST_CODE, Sandbox, provision_order, redeem_order, refund_order
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
from voucherswitch.providers.sandbox.connector import connect
from voucherswitch.providers.sandbox.errors import TABLE

# 1: the happy path of every operation


async def test_1_every_operation_with_the_samples_values(sandbox: Sandbox) -> None:
    connector = sandbox.connector
    await sandbox.at("2026-03-02T14:15:16+02:00")
    order = provision_order()

    issued = await connector.provision(order, sandbox.call())
    assert isinstance(issued, Approved)
    assert (issued.approved_cents, issued.balance_cents, issued.provider_ref) == (10_000, 10_000, "SBXV00000001")
    voucher = issued.voucher
    assert voucher is not None
    assert (voucher.code, voucher.serial_number) == (FIRST_CODE, "SX00000001")
    assert voucher.expires_at == "2029-03-02T21:59:59.000Z"
    assert (voucher.pin, voucher.instructions) == (None, ("Sandbox voucher",))

    assert await connector.retry(order, sandbox.call()) == issued
    status = await connector.status(status_order(), sandbox.call())
    assert isinstance(status, Approved)
    assert (status.voucher, status.voucher_state) == (voucher, "PROVISIONED")
    assert await connector.confirm(advice_order(), sandbox.call(advice_id=A1)) == Acknowledged()

    found = await connector.lookup(lookup_order(voucher_code=FIRST_CODE), sandbox.call())
    assert isinstance(found, Approved)
    assert (found.approved_cents, found.voucher, found.voucher_state) == (10_000, voucher, "CONFIRMED")

    redeemed = await connector.redeem(redeem_order(), sandbox.call())
    assert redeemed == Approved(approved_cents=4_000, balance_cents=6_000, provider_ref="SBXR00000001")
    assert await connector.redeem_status(status_order(R2, 4_000), sandbox.call()) == redeemed
    assert await connector.confirm_redeem(advice_order(R2), sandbox.call()) == Acknowledged()

    refunded = await connector.refund(refund_order(), sandbox.call())
    assert refunded == Approved(approved_cents=4_000, balance_cents=6_000, provider_ref="SBXF00000001")
    assert await connector.refund_status(status_order(R3, 4_000), sandbox.call()) == refunded
    assert await connector.confirm_refund(advice_order(R3), sandbox.call()) == Acknowledged()
    assert (await sandbox.state(reference=R1))["balanceCents"] == 10_000

    whole = await connector.redeem(redeem_order(amount_cents=0, request_id=an_id(1)), sandbox.call())
    assert isinstance(whole, Approved)
    assert (whole.approved_cents, whole.balance_cents) == (10_000, 0)
    assert await connector.reverse_redeem(advice_order(an_id(1)), sandbox.call()) == Acknowledged()
    again = await connector.refund(refund_order(request_id=an_id(2)), sandbox.call())
    assert isinstance(again, Declined)
    await connector.redeem(redeem_order(request_id=an_id(3)), sandbox.call())
    await connector.confirm_redeem(advice_order(an_id(3)), sandbox.call())
    await connector.refund(refund_order(request_id=an_id(4), redemption_id=an_id(3)), sandbox.call())
    assert await connector.reverse_refund(advice_order(an_id(4)), sandbox.call()) == Acknowledged()

    await sandbox.issued(request_id=an_id(5))
    assert await connector.reverse(advice_order(an_id(5)), sandbox.call()) == Acknowledged()
    assert not isinstance(await connector.products(sandbox.call()), OutcomeUnknown)

    journal = await sandbox.journal()
    assert [entry["op"] for entry in journal] == [leg.operation for leg in sandbox.legs]
    assert {entry["op"] for entry in journal} == {
        *("provision", "retry", "status", "confirm", "reverse", "lookup", "redeem", "redeemStatus", "confirmRedeem"),
        *("reverseRedeem", "refund", "refundStatus", "confirmRefund", "reverseRefund", "products"),
    }
    assert all(leg.outcome is LegOutcome.ANSWERED and leg.peer == "sandbox" for leg in sandbox.legs)
    assert next(leg for leg in sandbox.legs if leg.operation == "confirm").advice_id == A1


async def test_1_a_chosen_code_is_the_voucher(sandbox: Sandbox) -> None:
    assert (await sandbox.issued(voucher_code="MY-OWN-CODE-1")).code == "MY-OWN-CODE-1"


# 2: one byte changed in the credentials


async def test_2_a_key_with_one_byte_changed_is_refused(sandbox: Sandbox) -> None:
    assert (await sandbox.raw("GET", "/products")).status == 200
    for key in ("example-sandbox-kez", "example-sandbox-ke", "example-sandbox-keyy", ""):
        assert (await sandbox.raw("GET", "/products", key=key)).status == 401


# 3: nothing was sent


async def test_3_a_provider_that_cannot_be_reached_is_not_sent(sandbox: Sandbox) -> None:
    async for connector in unreachable(sandbox):
        outcome = await connector.provision(provision_order(), sandbox.call())
        assert isinstance(outcome, NotSent)
        assert (outcome.error_type, outcome.alert) == (ErrorType.UPSTREAM_UNAVAILABLE, None)
        assert sandbox.legs[-1].outcome is LegOutcome.NOT_SENT
        # Other than a first message, these say nothing about the request they are about.
        assert isinstance(await connector.retry(provision_order(), sandbox.call()), OutcomeUnknown)
        assert isinstance(await connector.status(status_order(sent_ms_ago=SETTLED), sandbox.call()), OutcomeUnknown)
        assert isinstance(
            await connector.redeem_status(status_order(sent_ms_ago=SETTLED), sandbox.call()), OutcomeUnknown
        )
        assert isinstance(
            await connector.refund_status(status_order(sent_ms_ago=SETTLED), sandbox.call()), OutcomeUnknown
        )
        assert isinstance(await connector.reverse(advice_order(), sandbox.call()), Pending)
        assert isinstance(await connector.products(sandbox.call()), OutcomeUnknown)
    assert await sandbox.journal() == []


# 4 and 5: sent, and no answer


@pytest.mark.parametrize("kind", ["drop_after", "rst_after", "hang_after"])
async def test_4_a_lost_answer_is_found_by_its_status(sandbox: Sandbox, kind: str) -> None:
    connector = sandbox.impatient()
    await sandbox.fault(kind, op="provision")
    assert isinstance(await connector.provision(provision_order(), sandbox.call()), OutcomeUnknown)
    status = await connector.status(status_order(sent_ms_ago=SETTLED), sandbox.call())
    retried = await connector.retry(provision_order(), sandbox.call())
    assert isinstance(status, Approved)
    assert isinstance(retried, Approved)
    assert status.voucher == retried.voucher
    assert (await sandbox.totals())["vouchers"] == 1


@pytest.mark.parametrize("kind", LOST_REQUESTS)
async def test_5_a_lost_request_is_proved_only_after_the_settle_time(sandbox: Sandbox, kind: str) -> None:
    connector = sandbox.impatient()
    await sandbox.fault(kind, op="provision", params={"ms": 60_000})
    assert isinstance(await connector.provision(provision_order(), sandbox.call()), OutcomeUnknown)
    assert isinstance(await connector.status(status_order(sent_ms_ago=29_999), sandbox.call()), OutcomeUnknown)
    assert isinstance(await connector.status(status_order(sent_ms_ago=30_000), sandbox.call()), NotSent)
    assert (await sandbox.totals())["vouchers"] == 0


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
async def test_4_and_5_hold_for_redemptions_and_refunds(sandbox: Sandbox, kind: str) -> None:
    await sandbox.confirmed()
    connector, found = sandbox.connector, kind == "drop_after"
    await sandbox.fault(kind, op="redeem")
    assert isinstance(await connector.redeem(redeem_order(), sandbox.call()), OutcomeUnknown)
    status = await connector.redeem_status(status_order(R2, 4_000, SETTLED), sandbox.call())
    assert isinstance(status, Approved if found else NotSent)
    await connector.redeem(redeem_order(), sandbox.call())
    await connector.confirm_redeem(advice_order(R2), sandbox.call())
    await sandbox.fault(kind, op="refund")
    assert isinstance(await connector.refund(refund_order(), sandbox.call()), OutcomeUnknown)
    status = await connector.refund_status(status_order(R3, 4_000, SETTLED), sandbox.call())
    assert isinstance(status, Approved if found else NotSent)


# 6: late


async def test_6_late_inside_and_outside_the_read_timeout(sandbox: Sandbox) -> None:
    connector = sandbox.with_settings(read_timeout_ms=600)
    await sandbox.fault("late", params={"ms": 200})
    assert isinstance(await connector.provision(provision_order(), sandbox.call()), Approved)
    await sandbox.fault("late", params={"ms": 5_000})
    outcome = await connector.provision(provision_order(request_id=R2), sandbox.call())
    assert isinstance(outcome, OutcomeUnknown)


# 7 and 8: refusals


@pytest.mark.parametrize("code", sorted({code for _, code in TABLE}))
async def test_7_every_listed_code(sandbox: Sandbox, code: str) -> None:
    await sandbox.fault("decline", params={"code": code})
    outcome = await sandbox.provision()
    status = sandbox.legs[-1].status
    assert status is not None
    meaning = TABLE[status, code].request
    assert isinstance(outcome, Declined | NotSent | OutcomeUnknown)
    assert (type(outcome).__name__, outcome.error_type) == (meaning.family.value, meaning.error_type)
    assert outcome.provider_code == code
    # The trace says why, although the name `code` is secret elsewhere.
    assert f'"code":"{code}"' in (sandbox.legs[-1].response or "")
    assert (await sandbox.totals())["vouchers"] == 0


async def test_8_an_unlisted_code_is_unknown_and_can_be_mapped(sandbox: Sandbox) -> None:
    await sandbox.fault("decline", times=2, params={"code": "SBX_NEW"})
    outcome = await sandbox.provision()
    assert isinstance(outcome, OutcomeUnknown)
    assert (outcome.error_type, outcome.provider_code) == (ErrorType.UPSTREAM_UNAVAILABLE, "SBX_NEW")
    mapped = sandbox.with_settings(code_map={"SBX_NEW": ["Declined", "LIMIT_EXCEEDED"]})
    declined = await mapped.provision(provision_order(), sandbox.call())
    assert isinstance(declined, Declined)
    assert declined.error_type is ErrorType.LIMIT_EXCEEDED


@pytest.mark.parametrize("status", [500, 502, 503, 504, 302, 418])
async def test_8_another_status_is_unknown(sandbox: Sandbox, status: int) -> None:
    await sandbox.fault("http", times=0, params={"status": status, "body": "<html>"})
    assert isinstance(await sandbox.provision(), OutcomeUnknown)
    assert isinstance(await sandbox.connector.confirm(advice_order(), sandbox.call()), Pending)
    assert isinstance(await sandbox.connector.status(status_order(sent_ms_ago=SETTLED), sandbox.call()), OutcomeUnknown)
    assert len(await sandbox.journal()) == 3


async def test_8_the_listed_503_is_not_sent(sandbox: Sandbox) -> None:
    body = {"error": {"code": "UPSTREAM_UNAVAILABLE", "providerCode": "SBX-503", "message": "Maintenance"}}
    for status in (429, 503):
        await sandbox.fault("http", params={"status": status, "body": body})
        assert await sandbox.provision() == NotSent(
            ErrorType.UPSTREAM_UNAVAILABLE, "UPSTREAM_UNAVAILABLE", "Maintenance"
        )


# 9: spoilt answers


@pytest.mark.parametrize("kind", SPOILT)
async def test_9_a_spoilt_answer_is_unknown_alerts_and_is_not_sent_again(sandbox: Sandbox, kind: str) -> None:
    await sandbox.fault(kind)
    outcome = await sandbox.provision()
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"
    assert len(await sandbox.journal()) == 1
    assert (await sandbox.totals())["vouchers"] == 1


@pytest.mark.parametrize("kind", ["malformed", "truncate", "oversize", "wrong_amount", "wrong_reference"])
async def test_9_also_for_movements(sandbox: Sandbox, kind: str) -> None:
    await sandbox.confirmed()
    await sandbox.fault(kind, op="redeem")
    outcome = await sandbox.connector.redeem(redeem_order(), sandbox.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"
    assert len(await sandbox.journal(op="redeem")) == 1
    status = await sandbox.connector.redeem_status(status_order(R2, 4_000), sandbox.call())
    assert isinstance(status, Approved)


# 10: the same reference again


async def test_10_the_same_reference_again(sandbox: Sandbox) -> None:
    first = await sandbox.provision()
    second = await sandbox.provision()
    assert isinstance(second, OutcomeUnknown)
    assert second.error_type is ErrorType.DUPLICATE_RECORD
    assert await sandbox.connector.retry(provision_order(), sandbox.call()) == first
    await sandbox.connector.confirm(advice_order(), sandbox.call())
    redeemed = await sandbox.connector.redeem(redeem_order(), sandbox.call())
    assert await sandbox.connector.redeem(redeem_order(), sandbox.call()) == redeemed
    other = await sandbox.connector.redeem(redeem_order(amount_cents=1), sandbox.call())
    assert isinstance(other, OutcomeUnknown)
    assert (await sandbox.totals())["vouchers"] == 1


# 11: advices


@pytest.mark.parametrize("op", ["confirm", "reverse"])
async def test_11_an_advice_is_delivered_once_in_effect(sandbox: Sandbox, op: str) -> None:
    await sandbox.issued()
    await sandbox.fault("http", op=op, times=3, params={"status": 500})
    deliver = getattr(sandbox.connector, op)
    results = [await deliver(advice_order(), sandbox.call(advice_id=A1)) for _ in range(5)]
    assert [type(result) for result in results] == [Pending, Pending, Pending, Acknowledged, Acknowledged]
    events = (await sandbox.state(reference=R1))["events"]
    assert [event["event"] for event in events] == ["PROVISIONED", "CONFIRMED" if op == "confirm" else "REVERSED"]
    sent = [leg for leg in sandbox.legs if leg.operation == op]
    assert len(sent) == 5
    assert all(A1 in leg.request and leg.advice_id == A1 for leg in sent)


# 12: reversals before, during and after


async def test_12_a_reversal_before_the_provision_refuses_it(sandbox: Sandbox) -> None:
    assert await sandbox.connector.reverse(advice_order(), sandbox.call()) == Acknowledged()
    outcome = await sandbox.provision()
    assert isinstance(outcome, Declined)
    assert outcome.error_type is ErrorType.VOUCHER_ALREADY_REVERSED
    assert (await sandbox.totals())["vouchers"] == 0


async def test_12_a_reversal_while_the_provision_is_in_flight_leaves_no_orphan(sandbox: Sandbox) -> None:
    await sandbox.fault("late_processing", op="provision", params={"ms": 5_000})
    assert isinstance(await sandbox.provision(), OutcomeUnknown)
    assert await sandbox.connector.reverse(advice_order(), sandbox.call()) == Acknowledged()
    await sandbox.advance(5_000)
    assert (await sandbox.totals())["vouchers"] == 0
    status = await sandbox.connector.status(status_order(sent_ms_ago=SETTLED), sandbox.call())
    assert isinstance(status, NotSent)


async def test_12_a_reversal_after_the_provision_undoes_it(sandbox: Sandbox) -> None:
    await sandbox.issued()
    assert await sandbox.connector.reverse(advice_order(), sandbox.call()) == Acknowledged()
    status = await sandbox.connector.status(status_order(), sandbox.call())
    assert status == Declined(ErrorType.TRANSACTION_DECLINED, provider_message="REVERSED")
    assert (await sandbox.state(reference=R1))["state"] == "REVERSED"


async def test_12_reversals_of_movements_that_never_came(sandbox: Sandbox) -> None:
    await sandbox.confirmed()
    connector = sandbox.connector
    assert await connector.reverse_redeem(advice_order(R2), sandbox.call()) == Acknowledged()
    late = await connector.redeem(redeem_order(), sandbox.call())
    assert isinstance(late, Declined)
    assert late.error_type is ErrorType.REDEMPTION_ALREADY_REVERSED
    assert await connector.reverse_refund(advice_order(R3), sandbox.call()) == Acknowledged()
    assert isinstance(await connector.confirm_redeem(advice_order(an_id(1)), sandbox.call()), Refused)
    assert isinstance(await connector.confirm_refund(advice_order(an_id(1)), sandbox.call()), Refused)


# 13, the connector's part: a reversal after the voucher was used


async def test_13_a_reversal_after_the_voucher_was_used_is_refused(sandbox: Sandbox) -> None:
    await sandbox.confirmed()
    await sandbox.world(FIRST_CODE, "REDEEM")
    assert isinstance(await sandbox.connector.reverse(advice_order(), sandbox.call()), Refused)


# 15: credentials


async def test_15_refused_credentials_are_not_the_originators_fault(sandbox: Sandbox) -> None:
    await sandbox.fault("auth_fail", op="auth")
    expected = NotSent(
        ErrorType.ROUTING_ERROR, "AUTHENTICATION_ERROR", "Credentials refused", alert="credentials_refused"
    )
    assert await sandbox.provision() == expected
    wrong = sandbox.with_settings(api_key="another-key")
    assert await wrong.provision(provision_order(), sandbox.call()) == expected
    result = await wrong.confirm(advice_order(), sandbox.call())
    assert result == Pending(cause="HTTP 401 AUTHENTICATION_ERROR", alert="credentials_refused")
    lookup = await wrong.lookup(lookup_order(provision_id=R1), sandbox.call())
    assert isinstance(lookup, NotSent)
    assert (await sandbox.totals())["vouchers"] == 0


# 17: pieces


async def test_17_an_answer_in_single_bytes_or_slowly_is_an_approval(sandbox: Sandbox) -> None:
    await sandbox.fault("split", params={"sizes": [1]})
    assert isinstance(await sandbox.provision(), Approved)
    await sandbox.fault("slow_bytes", params={"ms": 100})
    assert isinstance(await sandbox.provision(request_id=R2), Approved)


# 19: nowhere a PIN


async def test_19_no_pin_in_any_leg_outcome_or_file(sandbox: Sandbox, capfd: pytest.CaptureFixture[str]) -> None:
    """A voucher with a code and a PIN of our choice goes through every operation and every way to fail."""
    code, connector = "MY-SECRET-CODE", sandbox.connector
    outcomes: list[Any] = []
    for number, kind in enumerate([*SPOILT, "http", "decline", "drop_after", "late"]):
        chosen, params = f"{code}-{number}", {}
        if kind == "http":
            params = {"status": 422, "body": {"error": {"code": chosen, "message": f"voucher {chosen} is odd"}}}
        elif kind == "decline":
            params = {"code": "DO_NOT_HONOUR"}
        await sandbox.fault(kind, params=params)
        order = provision_order("SBXPIN", request_id=an_id(number), voucher_code=chosen)
        outcomes.append(await connector.provision(order, sandbox.call()))
    voucher = await sandbox.confirmed(product="SBXPIN", voucher_code=code)
    outcomes += [
        await connector.redeem(redeem_order(code, pin="0000"), sandbox.call()),
        await connector.redeem(redeem_order(code, pin=voucher.pin), sandbox.call()),
        await connector.confirm_redeem(advice_order(R2), sandbox.call()),
        await connector.refund(refund_order(code), sandbox.call()),
        await connector.confirm_refund(advice_order(R3), sandbox.call()),
    ]
    looked_up = await connector.lookup(lookup_order(voucher_code=code), sandbox.call())
    assert isinstance(looked_up, Approved)
    assert looked_up.voucher == voucher
    for text in await left_behind(sandbox, outcomes, capfd):
        assert code not in text
        assert f'"pin":"{voucher.pin}"' not in text
    assert any('"pin":"***"' in (leg.response or "") for leg in sandbox.legs)
    assert any('"voucherCode":"***"' in leg.request for leg in sandbox.legs)


async def test_a_deadline_in_the_past_is_not_sent(sandbox: Sandbox) -> None:
    outcome = await sandbox.connector.provision(provision_order(), sandbox.call(deadline_s=-1))
    assert isinstance(outcome, NotSent)
    assert await sandbox.journal() == []


async def test_two_connectors_of_one_provider_do_not_share_anything(sandbox: Sandbox) -> None:
    """Settings can change while calls are under way: the old connector ends without the new one noticing."""
    old = connect("sandbox", {"base_url": sandbox.simulator.url, "api_key": "old", "default_outlet": "S001"})
    await old.close()
    assert isinstance(await sandbox.provision(), Approved)
