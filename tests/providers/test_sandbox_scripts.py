"""Scripted faults of the sandbox (providers.md 11.7), by product and by amount, through the connector."""

from typing import Any

import pytest
from msgspec.structs import replace

from providers.provider_support import A1, IMPATIENT_MS, R1, R2, R3, STORE, advice_order, an_id, status_order
from providers.sandbox_support import FIRST_CODE, Sandbox, provision_order, redeem_order, refund_order
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import (
    Acknowledged,
    Approved,
    Declined,
    NotSent,
    Outcome,
    OutcomeUnknown,
    Pending,
    Refused,
)

DECLINES = {
    1: ("Declined", "DO_NOT_HONOUR"),
    2: ("Declined", "INVALID_AMOUNT"),
    3: ("Declined", "TRANSACTION_DECLINED"),
    4: ("Declined", "LIMIT_EXCEEDED"),
    5: ("Declined", "INSUFFICIENT_FUNDS"),
    6: ("Declined", "INVALID_VOUCHER"),
    7: ("Declined", "VOUCHER_ALREADY_REDEEMED"),
    8: ("Declined", "VOUCHER_NOT_REDEEMABLE"),
    9: ("OutcomeUnknown", "VOUCHER_STATUS_UNKNOWN"),
    10: ("NotSent", "UPSTREAM_UNAVAILABLE"),
    11: ("NotSent", "ROUTING_ERROR"),
    12: ("Declined", "FUNCTION_NOT_SUPPORTED"),
    13: ("Declined", "GENERAL_ERROR"),
    14: ("OutcomeUnknown", "DUPLICATE_RECORD"),
    15: ("Declined", "INVALID_MERCHANT"),
    16: ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE"),
}
FOUND, LOST = True, False
# nn -> product, family, alert, whether the status then finds a voucher
TRANSPORT = {
    31: ("SBXTIMEOUT", "OutcomeUnknown", None, FOUND),
    32: ("SBXHANG", "OutcomeUnknown", None, LOST),
    33: ("SBXRSTBEFORE", "OutcomeUnknown", None, LOST),
    34: ("SBXRSTAFTER", "OutcomeUnknown", None, FOUND),
    35: ("SBXDROPAFTER", "OutcomeUnknown", None, FOUND),
    36: ("SBX503", "NotSent", None, LOST),
    37: ("SBX500", "OutcomeUnknown", None, FOUND),
    38: ("SBXGARBAGE", "OutcomeUnknown", "bad_answer", FOUND),
    39: ("SBXWRONGAMT", "OutcomeUnknown", "bad_answer", FOUND),
    40: ("SBXNOPIN", "OutcomeUnknown", "bad_answer", FOUND),
    42: ("SBXLATE20000", "OutcomeUnknown", None, FOUND),
    44: ("SBXTRUNC", "OutcomeUnknown", "bad_answer", FOUND),
    45: ("SBX429", "NotSent", None, LOST),
    46: ("SBXWRONGREF", "OutcomeUnknown", "bad_answer", FOUND),
    47: ("SBXINFLIGHT3000", "OutcomeUnknown", None, LOST),
}
SILENT = (31, 32, 42)


def verdict(outcome: Outcome) -> tuple[str, str]:
    assert isinstance(outcome, Declined | NotSent | OutcomeUnknown), outcome
    return type(outcome).__name__, outcome.error_type.value


async def ask(sandbox: Sandbox, nn: int, **order: Any) -> Outcome:
    """A provision, by an impatient connector where silence is expected."""
    connector = sandbox.impatient() if nn in SILENT else sandbox.connector
    return await connector.provision(provision_order(**order), sandbox.call())


# Declines


@pytest.mark.parametrize("nn", DECLINES)
@pytest.mark.parametrize("by", ["product", "amount"])
async def test_a_scripted_decline(sandbox: Sandbox, nn: int, by: str) -> None:
    order = {"product": f"SBXDECLINE{nn:02d}"} if by == "product" else {"amount_cents": 16_600 + nn}
    outcome = await sandbox.provision(**order)
    assert verdict(outcome) == DECLINES[nn]
    assert isinstance(outcome, Declined | NotSent | OutcomeUnknown)
    assert outcome.provider_code == ("SBX_UNLISTED" if nn == 16 else outcome.error_type.value)
    # It declines always, also when it is sent again; a fresh id after it changes nothing.
    assert verdict(await sandbox.provision(**order)) == DECLINES[nn]
    assert (await sandbox.totals())["vouchers"] == 0


@pytest.mark.parametrize("nn", DECLINES)
async def test_a_decline_by_amount_also_declines_movements(sandbox: Sandbox, nn: int) -> None:
    await sandbox.confirmed(amount_cents=50_000)
    cents = 6_600 + nn
    outcome = await sandbox.connector.redeem(redeem_order(amount_cents=cents), sandbox.call())
    assert verdict(outcome) == DECLINES[nn]
    await sandbox.redeemed(FIRST_CODE, cents=50_000, confirm=True)
    outcome = await sandbox.connector.refund(refund_order(amount_cents=cents), sandbox.call())
    assert verdict(outcome) == DECLINES[nn]
    state = await sandbox.state(reference=R1)
    assert (state["state"], state["balanceCents"]) == ("REDEEM_CONFIRMED", 0)


@pytest.mark.parametrize("cents", [16_600, 16_617, 16_630, 16_648, 16_699, 16_531, 100, 1_000_000])
async def test_other_amounts_start_nothing(sandbox: Sandbox, cents: int) -> None:
    assert isinstance(await sandbox.provision(amount_cents=cents), Approved)


# On the way


@pytest.mark.parametrize("nn", TRANSPORT)
@pytest.mark.parametrize("by", ["product", "amount"])
async def test_a_scripted_fault_on_the_way(sandbox: Sandbox, nn: int, by: str) -> None:
    product, family, alert, found = TRANSPORT[nn]
    cents = 10_000 if by == "product" else 16_600 + nn
    order = provision_order(product=product if by == "product" else "SBXANY", amount_cents=cents)
    connector = sandbox.impatient() if nn in SILENT else sandbox.connector
    outcome = await connector.provision(order, sandbox.call())
    assert verdict(outcome) == (family, "UPSTREAM_UNAVAILABLE")
    assert isinstance(outcome, NotSent | OutcomeUnknown)
    assert outcome.alert == alert
    assert len(await sandbox.journal(op="provision")) == 1

    # Whoever asks again finds a provider that behaves.
    status = await sandbox.connector.status(status_order(amount_cents=cents), sandbox.call())
    assert isinstance(status, Approved if found else OutcomeUnknown)
    retried = await sandbox.connector.retry(order, sandbox.call())
    assert isinstance(retried, Approved)
    assert (await sandbox.totals())["vouchers"] == 1
    if isinstance(status, Approved):
        assert retried.voucher == status.voucher


@pytest.mark.parametrize("nn", [33, 36, 37, 38, 44, 45, 46])
async def test_a_script_plays_on_the_first_creating_call_only(sandbox: Sandbox, nn: int) -> None:
    product, family, _, found = TRANSPORT[nn]
    assert verdict(await sandbox.provision(product=product))[0] == family
    again = await sandbox.provision(product=product)
    assert isinstance(again, OutcomeUnknown if found else Approved)  # found: DUPLICATE_RECORD


async def test_a_retry_that_comes_first_is_answered_normally(sandbox: Sandbox) -> None:
    outcome = await sandbox.connector.retry(provision_order(product="SBXGARBAGE"), sandbox.call())
    assert isinstance(outcome, Approved)


@pytest.mark.parametrize("nn", [33, 34, 35, 36, 37, 38, 39, 44, 45, 46, 47])
async def test_a_script_by_amount_also_meets_movements(sandbox: Sandbox, nn: int) -> None:
    _, family, alert, found = TRANSPORT[nn]
    await sandbox.confirmed(amount_cents=50_000)
    cents = 6_600 + nn
    outcome = await sandbox.connector.redeem(redeem_order(amount_cents=cents), sandbox.call())
    assert verdict(outcome)[0] == family
    assert isinstance(outcome, NotSent | OutcomeUnknown)
    assert outcome.alert == alert
    status = await sandbox.connector.redeem_status(status_order(R2, cents), sandbox.call())
    assert isinstance(status, Approved if found else OutcomeUnknown)

    again = await sandbox.connector.redeem(redeem_order(amount_cents=cents), sandbox.call())
    assert isinstance(again, Approved)  # replayed or done now, never twice
    assert (await sandbox.state(reference=R1))["balanceCents"] == 50_000 - cents
    assert await sandbox.connector.confirm_redeem(advice_order(R2), sandbox.call()) == Acknowledged()
    order = refund_order(amount_cents=cents)
    assert verdict(await sandbox.connector.refund(order, sandbox.call()))[0] == family
    status = await sandbox.connector.refund_status(status_order(R3, cents), sandbox.call())
    assert isinstance(status, Approved if found else OutcomeUnknown)
    assert isinstance(await sandbox.connector.refund(order, sandbox.call()), Approved)


async def test_a_late_answer_inside_the_read_timeout_is_an_approval(sandbox: Sandbox) -> None:
    assert isinstance(await sandbox.provision(product="SBXLATE50"), Approved)


@pytest.mark.parametrize(
    ("order", "milliseconds"),
    [({"product": "SBXLATE2000"}, 2_000), ({"amount_cents": 16_641}, 2_000), ({"amount_cents": 16_643}, 5_000)],
)
async def test_a_late_or_slow_answer_comes_when_its_time_has_come(
    sandbox: Sandbox, order: dict[str, Any], milliseconds: int
) -> None:
    async with sandbox.in_flight(sandbox.connector.provision(provision_order(**order), sandbox.call())) as pending:
        await sandbox.heard("provision")
        assert (await sandbox.totals())["vouchers"] == 1  # processed at once
        await sandbox.advance(milliseconds)
        assert isinstance(await pending, Approved)


async def test_an_answer_that_trickles_is_an_approval(sandbox: Sandbox) -> None:
    assert isinstance(await sandbox.provision(product="SBXSLOW100"), Approved)


async def test_a_late_answer_is_ignored(sandbox: Sandbox) -> None:
    connector = sandbox.impatient()
    outcome = await connector.provision(provision_order(product="SBXLATE20000"), sandbox.call())
    assert verdict(outcome) == ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE")
    await sandbox.advance(20_000)
    assert isinstance(await connector.provision(provision_order(request_id=R2), sandbox.call()), Approved)
    assert all(leg.duration_us > IMPATIENT_MS * 900 for leg in sandbox.legs[:1])


# In flight


async def test_what_is_in_flight_is_found_when_it_has_landed(sandbox: Sandbox) -> None:
    assert verdict(await sandbox.provision(product="SBXINFLIGHT3000"))[0] == "OutcomeUnknown"
    early = await sandbox.connector.status(status_order(sent_ms_ago=2_999), sandbox.call())
    assert isinstance(early, OutcomeUnknown)
    await sandbox.advance(3_000)
    assert isinstance(await sandbox.connector.status(status_order(sent_ms_ago=3_000), sandbox.call()), Approved)


async def test_a_reversal_beats_what_is_in_flight(sandbox: Sandbox) -> None:
    await sandbox.provision(product="SBXINFLIGHT3000")
    assert await sandbox.connector.reverse(advice_order(), sandbox.call()) == Acknowledged()
    await sandbox.advance(3_000)
    totals = await sandbox.totals()
    assert (totals["vouchers"], totals["tombstones"]) == (0, 1)
    assert (await sandbox.journal(op="provision"))[0]["processed"] is False


# Advices


async def test_an_advice_that_fails_is_repeated_until_it_is_taken(sandbox: Sandbox) -> None:
    await sandbox.issued(product="SBXADVFAIL2")
    results = [await sandbox.connector.confirm(advice_order(), sandbox.call(advice_id=A1)) for _ in range(3)]
    assert [type(result) for result in results] == [Pending, Pending, Acknowledged]
    assert (await sandbox.state(reference=R1))["state"] == "CONFIRMED"
    assert [entry["processed"] for entry in await sandbox.journal(op="confirm")] == [False, False, True]


async def test_an_advice_whose_answer_is_lost_does_no_harm_when_repeated(sandbox: Sandbox) -> None:
    await sandbox.issued(product="SBXADVLOST1")
    assert isinstance(await sandbox.connector.reverse(advice_order(), sandbox.call()), Pending)
    assert (await sandbox.state(reference=R1))["state"] == "REVERSED"
    assert await sandbox.connector.reverse(advice_order(), sandbox.call()) == Acknowledged()
    assert (await sandbox.state(reference=R1))["events"][-1]["event"] == "REVERSED"
    assert (await sandbox.totals())["floatCents"] == 100_000_000


async def test_the_advices_of_a_movement_count_for_its_voucher(sandbox: Sandbox) -> None:
    await sandbox.issued(product="SBXADVFAIL1")
    assert isinstance(await sandbox.connector.confirm(advice_order(), sandbox.call()), Pending)
    assert await sandbox.connector.confirm(advice_order(), sandbox.call()) == Acknowledged()
    await sandbox.redeemed(FIRST_CODE)
    assert await sandbox.connector.confirm_redeem(advice_order(R2), sandbox.call()) == Acknowledged()


# Products


async def test_a_pending_provision_is_there_when_its_time_has_come(sandbox: Sandbox) -> None:
    order = provision_order(product="SBXPENDING1000")
    expected = ("OutcomeUnknown", "VOUCHER_STATUS_UNKNOWN")
    assert verdict(await sandbox.provision(order)) == expected
    assert verdict(await sandbox.connector.status(status_order(sent_ms_ago=10**9), sandbox.call())) == expected
    assert verdict(await sandbox.connector.retry(order, sandbox.call())) == expected
    await sandbox.advance(1_000)
    status = await sandbox.connector.status(status_order(), sandbox.call())
    assert isinstance(status, Approved)
    assert status.voucher_state == "PROVISIONED"


async def test_a_voucher_with_a_pin_carries_it_to_the_redemption(sandbox: Sandbox) -> None:
    voucher = await sandbox.confirmed(product="SBXPIN")
    assert voucher.pin is not None
    assert len(voucher.pin) == 4
    without = await sandbox.connector.redeem(redeem_order(), sandbox.call())
    assert verdict(without) == ("Declined", "INVALID_VOUCHER")
    assert isinstance(await sandbox.connector.redeem(redeem_order(pin=voucher.pin), sandbox.call()), Approved)
    assert not any(f'"{voucher.pin}"' in repr(leg) for leg in sandbox.legs)


async def test_a_voucher_used_whole_refuses_a_part(sandbox: Sandbox) -> None:
    await sandbox.confirmed(product="SBXNOPARTIAL")
    outcome = await sandbox.connector.redeem(redeem_order(amount_cents=1), sandbox.call())
    assert verdict(outcome) == ("Declined", "INVALID_AMOUNT")


@pytest.mark.parametrize(
    ("product", "cents", "sold"),
    [
        ("SBXANY", 100, True),
        ("SBXANY", 99, False),
        ("SBXANY", 1_000_000, True),
        ("SBXANY", 1_000_001, False),
        ("SBXFIX100", 10_000, True),
        ("SBXFIX100", 10_001, False),
        ("SBXFIX500", 50_000, True),
        ("SBXFIX500", 10_000, False),
    ],
)
async def test_amounts_that_a_product_takes(sandbox: Sandbox, product: str, cents: int, sold: bool) -> None:
    outcome = await sandbox.provision(product=product, amount_cents=cents)
    if sold:
        assert isinstance(outcome, Approved)
    else:
        assert verdict(outcome) == ("Declined", "INVALID_AMOUNT")


@pytest.mark.parametrize(
    "product", ["SBX", "SBXLATE", "SBXLATE0", "SBXLATE100000", "SBXDECLINE17", "SBXDECLINE1", "sbxany"]
)
async def test_other_products_are_unknown(sandbox: Sandbox, product: str) -> None:
    assert verdict(await sandbox.provision(product=product)) == ("NotSent", "ROUTING_ERROR")


async def test_the_listed_products_can_be_bought(sandbox: Sandbox) -> None:
    products = await sandbox.connector.products(sandbox.call())
    assert not isinstance(products, OutcomeUnknown)
    assert [product.product for product in products] == ["SBXANY", "SBXFIX100", "SBXFIX500", "SBXPIN", "SBXNOPARTIAL"]
    for number, product in enumerate(products):
        cents = product.amount_cents if product.fixed else product.max_cents
        assert cents is not None
        order = provision_order(product=product.product, amount_cents=cents, request_id=an_id(number))
        assert isinstance(await sandbox.provision(order), Approved)


# Before anything is sent


async def test_what_no_provider_takes_is_declined_here(sandbox: Sandbox) -> None:
    connector, call = sandbox.connector, sandbox.call()
    wrong = [
        await connector.provision(provision_order(amount_cents=0), call),
        await connector.provision(provision_order(amount_cents=-1), call),
        await connector.retry(provision_order(amount_cents=0), call),
        await connector.redeem(redeem_order(amount_cents=-1), call),
        await connector.refund(refund_order(amount_cents=-1), call),
    ]
    wrong += [
        await connector.provision(replace(provision_order(), currency="840"), call),
        await connector.redeem(replace(redeem_order(), currency="840"), call),
        await connector.refund(replace(refund_order(), currency="840"), call),
    ]
    assert all(verdict(outcome) == ("Declined", "INVALID_AMOUNT") for outcome in wrong)
    assert call.trace.legs == []
    assert await sandbox.journal() == []


async def test_without_a_store_or_a_product_nothing_is_sent(sandbox: Sandbox) -> None:
    connector = sandbox.with_settings(outlet_map={"another": "S001"})
    call = sandbox.call()
    assert await connector.provision(provision_order(), call) == NotSent(ErrorType.ROUTING_ERROR)
    assert await connector.redeem(redeem_order(), call) == NotSent(ErrorType.ROUTING_ERROR)
    # Sent before with another map: the first message may have arrived.
    assert await connector.retry(provision_order(), call) == OutcomeUnknown(ErrorType.ROUTING_ERROR)
    assert await sandbox.connector.provision(provision_order(product=""), call) == NotSent(ErrorType.ROUTING_ERROR)
    assert call.trace.legs == []
    assert await sandbox.journal() == []


async def test_a_till_has_its_own_store_or_the_default_one(sandbox: Sandbox) -> None:
    unknown = sandbox.with_settings(outlet_map={STORE.merchant_id: "S001", STORE.terminal_id: "S999"})
    outcome = await unknown.provision(provision_order(), sandbox.call())
    assert verdict(outcome) == ("Declined", "INVALID_MERCHANT")
    default = sandbox.with_settings(outlet_map={}, default_outlet="S001")
    assert isinstance(await default.provision(provision_order(), sandbox.call()), Approved)


async def test_a_refused_advice_is_parked(sandbox: Sandbox) -> None:
    await sandbox.confirmed()
    assert await sandbox.connector.reverse(advice_order(), sandbox.call()) == Refused(
        provider_code="VOUCHER_ALREADY_CONFIRMED", provider_message="Voucher already confirmed"
    )
    assert isinstance(await sandbox.connector.confirm(advice_order(R2), sandbox.call()), Refused)
