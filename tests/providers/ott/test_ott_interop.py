"""Connector and simulator together: the checks of providers.md Part D that OTT is subject to, by their numbers.

Check 2 (worked examples), 4, 5 and 10 for every cut, and 15's key rotation are in test_ott_traps.py; 18 is in
test_ott_statement.py. 16 is not for OTT, which takes no tenders. Check 19 also ends every test with the `ott` fixture.
"""

from typing import Any

import pytest

from providers.ott.ott_support import (
    MOBILE,
    PIN,
    REDEEMED,
    SERIAL,
    SOLD,
    VOUCHER,
    Ott,
    lookup_order,
    provision_order,
    redeem_order,
)
from providers.pair_support import left_behind, unreachable
from providers.provider_support import A1, R1, R2, SAMPLE_TIME, SETTLED, advice_order, an_id, status_order
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
from voucherswitch.providers.contract.capabilities import Support

SPOILT = ["malformed", "truncate", "oversize", "wrong_amount", "no_pin", "bad_pin"]


# 1: the happy path of every operation


async def test_1_every_operation_with_the_samples_values(ott: Ott) -> None:
    connector = ott.connector
    await ott.at(SAMPLE_TIME)
    assert await connector.provision(provision_order(), ott.call()) == SOLD
    assert await connector.status(status_order(), ott.call()) == SOLD
    assert await connector.retry(provision_order(), ott.call()) == SOLD
    assert await connector.confirm(advice_order(), ott.call(advice_id=A1)) == Acknowledged()
    assert await connector.confirm(advice_order(), ott.call(advice_id=A1)) == Acknowledged()
    found = await connector.lookup(lookup_order(), ott.call())
    assert isinstance(found, Approved)
    assert (found.approved_cents, found.balance_cents, found.provider_ref) == (10_000, 10_000, "7000001")
    assert found.voucher is not None
    assert (found.voucher.code, found.voucher.serial_number) == (VOUCHER.code, SERIAL)
    assert await connector.redeem(redeem_order(), ott.call()) == REDEEMED
    assert await connector.redeem_status(status_order(R2), ott.call()) == REDEEMED

    second = await ott.issued(an_id(1))
    assert (second.code, second.serial_number) == ("100200300401", "500600700801")
    assert await connector.reverse(advice_order(an_id(1)), ott.call()) == Acknowledged()
    assert await connector.reverse(advice_order(an_id(1)), ott.call()) == Acknowledged()

    whole = await ott.confirmed(an_id(2), amount_cents=25_000)
    outcome = await ott.redeem(request_id=an_id(3), code=whole.code, amount_cents=0)
    assert isinstance(outcome, Approved)
    assert (outcome.approved_cents, outcome.balance_cents) == (25_000, 0)
    assert await connector.redeem_status(status_order(an_id(3), 0), ott.call()) == outcome

    assert await ott.heard_ops() == [
        *("provision", "status", "status", "confirm", "confirm", "lookup", "redeem", "redeemStatus"),
        *("provision", "reverse", "reverse", "provision", "confirm", "redeem", "redeemStatus"),
    ]
    assert all(leg.outcome is LegOutcome.ANSWERED and leg.peer == "ott" for leg in ott.legs)
    assert [leg.operation for leg in ott.legs][:4] == ["provision", "status", "retry", "confirm"]
    assert ott.legs[3].advice_id == A1


async def test_1_a_told_expiry_is_the_end_of_that_south_african_day(ott: Ott) -> None:
    await ott.profile(expiryDate=True)
    await ott.at(SAMPLE_TIME)
    assert (await ott.issued()).expires_at == "2029-03-02T21:59:59.000Z"


# 3: nothing was sent


async def test_3_a_provider_that_cannot_be_reached_is_not_sent(ott: Ott) -> None:
    async for connector in unreachable(ott):
        for outcome in (
            await connector.provision(provision_order(), ott.call()),
            await connector.redeem(redeem_order(), ott.call()),
            await connector.lookup(lookup_order(), ott.call()),
        ):
            assert isinstance(outcome, NotSent)
            assert (outcome.error_type, outcome.alert) == (ErrorType.UPSTREAM_UNAVAILABLE, None)
        assert ott.legs[-1].outcome is LegOutcome.NOT_SENT
        # Other than a first message, these say nothing about the request they are about.
        retried = await connector.retry(provision_order(settled_ms_ago=SETTLED), ott.call())
        assert isinstance(retried, OutcomeUnknown)
        for ask in (connector.status, connector.redeem_status):
            assert isinstance(await ask(status_order(sent_ms_ago=SETTLED), ott.call()), OutcomeUnknown)
        for advise in (connector.confirm, connector.reverse, connector.reverse_redeem):
            assert isinstance(await advise(advice_order(sent_ms_ago=SETTLED), ott.call()), Pending)
    assert await ott.journal() == []


async def test_3_a_deadline_in_the_past_is_not_sent(ott: Ott) -> None:
    outcome = await ott.connector.provision(provision_order(), ott.call(deadline_s=-1))
    assert isinstance(outcome, NotSent)
    assert await ott.journal() == []


# 6: late


async def test_6_late_inside_and_outside_the_read_timeout(ott: Ott) -> None:
    connector = ott.with_settings(read_timeout_ms=600)
    await ott.fault("late", params={"ms": 150})
    assert isinstance(await connector.provision(provision_order(), ott.call()), Approved)
    await ott.fault("late", params={"ms": 5_000})
    assert isinstance(await connector.provision(provision_order(R2), ott.call()), OutcomeUnknown)
    assert await ott.connector.status(status_order(R2), ott.call()) != SOLD
    assert await ott.vouchers(R2) == 1


# 7 and 8: refusals (every code is in test_ott_messages.py; here over the wire)


@pytest.mark.parametrize(
    ("op", "code", "kind", "error_type"),
    [
        ("provision", "2", NotSent, ErrorType.UPSTREAM_UNAVAILABLE),
        ("provision", "6", NotSent, ErrorType.DO_NOT_HONOUR),
        ("provision", "9", OutcomeUnknown, ErrorType.UPSTREAM_UNAVAILABLE),
        ("redeem", "905", Declined, ErrorType.VOUCHER_NOT_REDEEMABLE),
        ("redeem", "906", NotSent, ErrorType.ROUTING_ERROR),
        ("lookup", "902", Declined, ErrorType.VOUCHER_ALREADY_REDEEMED),
    ],
)
async def test_7_codes_over_the_wire(ott: Ott, op: str, code: str, kind: type, error_type: ErrorType) -> None:
    await ott.confirmed()
    await ott.fault("decline", op=op, params={"code": code})
    if op == "provision":
        outcome: Any = await ott.provision(request_id=R2)
    elif op == "redeem":
        outcome = await ott.redeem()
    else:
        outcome = await ott.connector.lookup(lookup_order(), ott.call())
    assert (type(outcome), outcome.error_type, outcome.provider_code) == (kind, error_type, code)
    assert [entry["processed"] for entry in await ott.journal(op=op)][-1] is False
    assert f'"errorCode":"{code}"' in (ott.legs[-1].response or "")


async def test_7_every_refusal_that_the_simulator_makes_by_itself(ott: Ott) -> None:
    """The books say no, not an ordered fault."""
    connector = ott.connector

    async def told(**more: Any) -> Any:
        outcome: Any = await ott.redeem(request_id=an_id(99), **more)
        return type(outcome), outcome.error_type, outcome.provider_code

    assert await told() == (Declined, ErrorType.INVALID_VOUCHER, "901")
    await ott.issued()
    assert await told() == (Declined, ErrorType.VOUCHER_NOT_REDEEMABLE, "905")  # not confirmed
    await connector.confirm(advice_order(), ott.call())
    assert await told(amount_cents=10_001) == (Declined, ErrorType.INSUFFICIENT_FUNDS, "903")
    stranger = ott.with_settings(vendor_id="23")
    assert await stranger.redeem(redeem_order(), ott.call()) == NotSent(
        ErrorType.ROUTING_ERROR, "906", "Vendor not allowed"
    )
    assert isinstance(await ott.redeem(amount_cents=4_000), Approved)
    assert await told(amount_cents=6_000) == (Declined, ErrorType.VOUCHER_ALREADY_REDEEMED, "902")
    looked_up = await connector.lookup(lookup_order(), ott.call())
    assert isinstance(looked_up, Declined)
    assert looked_up.provider_code == "902"
    for number, (event, code) in enumerate((("BLOCK", "905"), ("EXPIRE", "904"))):
        voucher = await ott.confirmed(an_id(number))
        await ott.world(voucher.code, event)
        assert await told(code=voucher.code) == (Declined, ErrorType.VOUCHER_NOT_REDEEMABLE, code)
    old = await ott.confirmed(an_id(5))
    await ott.advance(3 * 366 * 86_400_000)
    assert await told(code=old.code) == (Declined, ErrorType.VOUCHER_NOT_REDEEMABLE, "904")
    elsewhere = ott.with_settings(outlet_map={}, default_outlet="S999")
    assert await elsewhere.provision(provision_order(an_id(6)), ott.call()) == NotSent(
        ErrorType.ROUTING_ERROR, "941", "Branch not known"
    )
    for cents in (499, 500_001):
        assert isinstance(await ott.provision(request_id=an_id(7), amount_cents=cents), Declined)
    await ott.control("POST", "/float", {"cents": 9_999})
    assert await ott.provision(request_id=an_id(8)) == NotSent(
        ErrorType.DO_NOT_HONOUR, "6", "Insufficient funds", "float_exhausted"
    )


async def test_8_an_unlisted_code_is_unknown_and_can_be_mapped(ott: Ott) -> None:
    await ott.fault("decline", times=2, params={"code": "912"})
    assert await ott.provision() == OutcomeUnknown(ErrorType.UPSTREAM_UNAVAILABLE, "912", "Declined")
    mapped = ott.with_settings(code_map={"GetVoucher:912": ["Declined", "LIMIT_EXCEEDED"]})
    assert await mapped.provision(provision_order(), ott.call()) == Declined(
        ErrorType.LIMIT_EXCEEDED, "912", "Declined"
    )


@pytest.mark.parametrize("status", [500, 502, 503, 504, 302, 418])
async def test_8_another_status_is_unknown(ott: Ott, status: int) -> None:
    await ott.fault("http", times=0, params={"status": status, "body": "<html>"})
    assert await ott.provision() == OutcomeUnknown(provider_message=f"HTTP {status}")
    assert await ott.redeem() == OutcomeUnknown(provider_message=f"HTTP {status}")
    assert isinstance(await ott.connector.reverse(advice_order(sent_ms_ago=SETTLED), ott.call()), Pending)
    assert isinstance(await ott.connector.status(status_order(sent_ms_ago=SETTLED), ott.call()), OutcomeUnknown)


# 9: spoilt answers


@pytest.mark.parametrize("kind", SPOILT)
async def test_9_a_spoilt_answer_is_unknown_alerts_and_is_not_sent_again(ott: Ott, kind: str) -> None:
    await ott.fault(kind)
    outcome = await ott.provision()
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"
    assert await ott.heard_ops() == ["provision"]
    assert await ott.vouchers() == 1
    assert await ott.connector.status(status_order(), ott.call()) == SOLD


@pytest.mark.parametrize("kind", ["malformed", "truncate", "oversize", "wrong_amount"])
async def test_9_also_for_redemptions(ott: Ott, kind: str) -> None:
    await ott.confirmed()
    await ott.fault(kind, op="redeem")
    outcome = await ott.redeem()
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"
    assert (await ott.heard_ops()).count("redeem") == 1
    assert await ott.connector.redeem_status(status_order(R2), ott.call()) == REDEEMED


async def test_9_no_answer_repeats_a_reference_so_none_can_be_wrong(ott: Ott) -> None:
    await ott.fault("wrong_reference")
    assert await ott.provision() == SOLD


@pytest.mark.parametrize("kind", ["malformed", "truncate"])
async def test_9_a_spoilt_answer_to_an_advice_leaves_it_queued(ott: Ott, kind: str) -> None:
    await ott.issued()
    await ott.fault(kind)
    result = await ott.connector.confirm(advice_order(), ott.call())
    assert isinstance(result, Pending)
    assert result.alert == "bad_answer"
    assert await ott.connector.confirm(advice_order(), ott.call()) == Acknowledged()


# 11: advices


@pytest.mark.parametrize(("op", "state"), [("confirm", "CONFIRMED"), ("reverse", "REJECTED")])
async def test_11_an_advice_is_delivered_once_in_effect(ott: Ott, op: str, state: str) -> None:
    await ott.issued()
    await ott.fault("http", op=op, times=3, params={"status": 500})
    deliver = getattr(ott.connector, op)
    results = [await deliver(advice_order(), ott.call(advice_id=A1)) for _ in range(5)]
    assert [type(result) for result in results] == [Pending, Pending, Pending, Acknowledged, Acknowledged]
    assert [event["event"] for event in (await ott.state(reference=R1))["events"]] == ["ISSUED", state]
    assert [leg.advice_id for leg in ott.legs if leg.operation == op] == [A1] * 5
    assert (await ott.totals())["floatCents"] == 100_000_000 - (10_000 if op == "confirm" else 0)


async def test_11_a_confirmation_and_a_reversal_never_undo_each_other(ott: Ott) -> None:
    await ott.confirmed()
    refused = await ott.connector.reverse(advice_order(sent_ms_ago=SETTLED), ott.call())
    assert refused == Refused("922", "Voucher was confirmed")
    await ott.issued(R2)
    assert await ott.connector.reverse(advice_order(R2), ott.call()) == Acknowledged()
    assert await ott.connector.confirm(advice_order(R2), ott.call()) == Refused("921", "Voucher was rejected")
    unknown = await ott.connector.confirm(advice_order(an_id(1)), ott.call())
    assert unknown == Refused("1", "Not found")


# 12: reversals before, during and after


async def test_12_a_reversal_before_the_sale_waits_because_nothing_remembers_it(ott: Ott) -> None:
    early = await ott.connector.reverse(advice_order(sent_ms_ago=29_999), ott.call())
    assert early == Pending("1 Not found")
    assert await ott.connector.reverse(advice_order(sent_ms_ago=30_000), ott.call()) == Acknowledged()


async def test_12_a_reversal_while_the_sale_is_in_flight_leaves_no_orphan(ott: Ott) -> None:
    await ott.fault("late_processing", op="provision", params={"ms": 5_000})
    assert isinstance(await ott.provision(), OutcomeUnknown)
    assert isinstance(await ott.connector.reverse(advice_order(sent_ms_ago=1_000), ott.call()), Pending)
    await ott.advance(5_000)
    assert await ott.connector.reverse(advice_order(sent_ms_ago=6_000), ott.call()) == Acknowledged()
    assert await ott.state_of() == "REJECTED"
    assert (await ott.totals())["floatCents"] == 100_000_000


async def test_12_a_reversed_sale_is_never_called_approved_again(ott: Ott) -> None:
    await ott.issued()
    assert await ott.connector.reverse(advice_order(), ott.call()) == Acknowledged()
    for sent_ms_ago, kind in ((0, OutcomeUnknown), (SETTLED, NotSent)):
        assert isinstance(await ott.connector.status(status_order(sent_ms_ago=sent_ms_ago), ott.call()), kind)
    assert await ott.vouchers() == 1


# 13 and 14


async def test_13_a_reversal_after_the_voucher_was_used_is_refused(ott: Ott) -> None:
    await ott.issued()
    await ott.world(PIN, "REDEEM")
    assert await ott.connector.reverse(advice_order(), ott.call()) == Refused("923", "Voucher was used")


async def test_14_consumed_advices_have_no_message(ott: Ott) -> None:
    record = ott.connector.capabilities
    assert (record.confirm_redeem, record.reverse_redeem) == (Support.CONSUME, Support.CONSUME)
    assert isinstance(await ott.connector.confirm_redeem(advice_order(R2), ott.call()), Pending)
    assert await ott.journal() == []


# 15: credentials


@pytest.mark.parametrize("wrong", [{"api_user": "other"}, {"api_password": "other"}, {"api_key": "other"}])
async def test_15_refused_credentials_are_not_the_originators_fault(ott: Ott, wrong: dict[str, object]) -> None:
    connector = ott.with_settings(**wrong)
    expected = NotSent(ErrorType.ROUTING_ERROR, None, "HTTP 401", "credentials_refused")
    assert await connector.provision(provision_order(), ott.call()) == expected
    assert await connector.redeem(redeem_order(), ott.call()) == expected
    assert await connector.confirm(advice_order(), ott.call()) == Pending("HTTP 401", "credentials_refused")
    assert (await ott.totals())["vouchers"] == 0


async def test_15_an_ordered_refusal_of_credentials_has_a_plain_text_body(ott: Ott) -> None:
    await ott.fault("auth_fail", op="auth")
    outcome = await ott.provision()
    assert outcome == NotSent(ErrorType.ROUTING_ERROR, None, "HTTP 401", "credentials_refused")
    assert ott.legs[-1].response == "<12 bytes, text/plain, not shown>"


# 17: pieces


async def test_17_an_answer_in_single_bytes_or_slowly_is_an_approval(ott: Ott) -> None:
    await ott.fault("split", params={"sizes": [1]})
    assert await ott.provision() == SOLD
    await ott.fault("slow_bytes", params={"ms": 100})
    assert isinstance(await ott.provision(request_id=R2), Approved)


# 19: nowhere a PIN


async def test_19_no_pin_and_no_mobile_in_any_leg_outcome_or_file(ott: Ott, capfd: pytest.CaptureFixture[str]) -> None:
    """A voucher with a PIN of our choice goes through every operation and every way to fail."""
    code, connector, outcomes = "987654321098", ott.connector, []
    await ott.control("POST", "/vouchers", {"valueCents": 10_000, "code": code})
    for number, kind in enumerate([*SPOILT, "http", "drop_after"]):
        params = {"status": 201, "body": {"success": "false", "errorCode": code, "message": f"{code} is odd"}}
        await ott.fault("decline" if kind == "http" else kind, params={"code": "8"})
        outcomes.append(await ott.provision(request_id=an_id(number), msisdn=MOBILE))
        await ott.fault(kind, params=params if kind == "http" else {})
        outcomes.append(await connector.lookup(lookup_order(code), ott.call()))
        await ott.fault("http", params=params)
        outcomes.append(await ott.redeem(request_id=an_id(50 + number), code=code))
    outcomes.append(await ott.redeem(code=code))
    outcomes.append(await ott.redeem(request_id=an_id(99), code=code))
    outcomes.append(await connector.redeem_status(status_order(R2), ott.call()))
    shown = await left_behind(ott, outcomes, capfd)
    assert [text for text in shown if code in text or MOBILE in text] == []
    assert any("pin=***" in leg.request and "mobile=***0001" in leg.request for leg in ott.legs)
    assert any("voucherPIN=***" in leg.request for leg in ott.legs)
    _, file = await ott.recon(await ott.today())
    assert R1.encode() not in file
