"""AEON connector and simulator together: the checks of providers.md Part D by their numbers, and the code table of 8.4.

Checks 4, 5, 6, 10 and 12 are in test_blu_traps.py too; 18 is in test_blu_statement.py; 14 and 16 need the switch.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from providers.bluvoucher.blu_support import (
    FIRST_PIN,
    SETTLED,
    Blu,
    advice_order,
    lookup_order,
    provision_order,
    redeem_order,
    spend_status,
)
from providers.kit_support import plain
from providers.pair_support import left_behind
from providers.provider_support import A1, R1, R2, SAMPLE_TIME, SPOILT, an_id, status_order
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import LookupOrder, ProviderProduct
from voucherswitch.message.outcomes import (
    Acknowledged,
    Approved,
    Declined,
    NotSent,
    OutcomeUnknown,
    Pending,
    Refused,
)
from voucherswitch.message.parties import Voucher
from voucherswitch.providers.bluvoucher.capabilities import CAPABILITIES
from voucherswitch.providers.bluvoucher.connector import connect
from voucherswitch.providers.bluvoucher.kit import TRADE
from voucherswitch.providers.kit.report import Verdict
from voucherswitch.providers.kit.runner import chosen, run
from voucherswitch.providers.kit.subject import Subject

ROUTING, MESSAGE, FLOAT = "credentials_refused", "message_refused", "float_exhausted"

# providers.md 8.4, column "Sell, lookup, redeem": code -> family, errorType, alert
SELL_LOOKUP_REDEEM = {
    "103": ("NotSent", "ROUTING_ERROR", ROUTING),
    "750": ("NotSent", "ROUTING_ERROR", ROUTING),
    "751": ("NotSent", "ROUTING_ERROR", None),
    "752": ("Declined", "INVALID_AMOUNT", None),
    "753": ("NotSent", "DO_NOT_HONOUR", FLOAT),
    "754": ("OutcomeUnknown", "DUPLICATE_RECORD", None),
    "755": ("NotSent", "GENERAL_ERROR", MESSAGE),
    "760": ("Declined", "INVALID_VOUCHER", None),
    "761": ("Declined", "VOUCHER_ALREADY_REDEEMED", None),
    "762": ("Declined", "VOUCHER_NOT_REDEEMABLE", None),
    "763": ("Declined", "VOUCHER_NOT_REDEEMABLE", None),
    "764": ("Declined", "VOUCHER_NOT_REDEEMABLE", None),
    "765": ("Declined", "INVALID_AMOUNT", None),
    "770": ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None),
    "774": ("Declined", "FUNCTION_NOT_SUPPORTED", None),
    "790": ("NotSent", "UPSTREAM_UNAVAILABLE", None),
    "799": ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None),
    "798": ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None),
}
# columns SoldVoucher and CancelVoucher: code -> what becomes of the advice before and after settle_ms, alert
ADVICES = {
    ("confirm", "103"): (Pending, Pending, ROUTING),
    ("confirm", "755"): (Pending, Pending, MESSAGE),
    ("confirm", "770"): (Refused, Refused, None),
    ("confirm", "772"): (Refused, Refused, None),
    ("confirm", "774"): (Refused, Refused, None),
    ("confirm", "790"): (Pending, Pending, None),
    ("confirm", "799"): (Pending, Pending, None),
    ("confirm", "798"): (Pending, Pending, None),
    ("reverse", "103"): (Pending, Pending, ROUTING),
    ("reverse", "755"): (Pending, Pending, MESSAGE),
    ("reverse", "761"): (Refused, Refused, None),
    ("reverse", "770"): (Pending, Acknowledged, None),
    ("reverse", "771"): (Refused, Refused, None),
    ("reverse", "773"): (Refused, Refused, None),
    ("reverse", "774"): (Refused, Refused, None),
    ("reverse", "790"): (Pending, Pending, None),
    ("reverse", "799"): (Pending, Pending, None),
    ("reverse", "798"): (Pending, Pending, None),
}


# 1: the happy path


async def test_1_every_operation_brings_the_sample_values_by_the_sections_messages(blu: Blu) -> None:
    await blu.at(SAMPLE_TIME)
    voucher = Voucher(code=FIRST_PIN, serial_number="BS00000001", expires_at="2029-03-02T21:59:59.000Z")
    sold = await blu.aeon.provision(provision_order(), blu.call())
    assert isinstance(sold, Approved)
    assert (sold.voucher, sold.approved_cents, sold.refs) == (voucher, 10_000, {"TransRef": "BT0000000001"})
    for again in (
        await blu.aeon.status(status_order(), blu.call()),
        await blu.aeon.retry(provision_order(sent_ms_ago=5), blu.call()),
    ):
        assert isinstance(again, Approved)
        assert (again.voucher, again.refs, again.voucher_state) == (voucher, sold.refs, "PENDING")
    unsold = await blu.aeon.lookup(lookup_order(), blu.call())
    assert isinstance(unsold, Approved)
    assert (unsold.approved_cents, unsold.balance_cents, unsold.voucher_state) == (0, 10_000, "UNSOLD")
    assert await blu.aeon.confirm(advice_order(refs=sold.refs), blu.call()) == Acknowledged()
    active = await blu.aeon.lookup(lookup_order(), blu.call())
    assert active == Approved(approved_cents=10_000, balance_cents=10_000, voucher=voucher, voucher_state="ACTIVE")
    redeemed = await blu.aeon.redeem(redeem_order(), blu.call())
    assert redeemed == Approved(approved_cents=10_000, balance_cents=0, provider_ref="BX0000000001")
    spent = await blu.aeon.lookup(lookup_order(), blu.call())
    assert isinstance(spent, Approved)
    assert (spent.approved_cents, spent.balance_cents, spent.voucher_state) == (0, 0, "SPENT")
    assert isinstance(await blu.aeon.redeem_status(spend_status(), blu.call()), Approved)
    listed = await blu.aeon.products(blu.call())
    assert listed == (ProviderProduct("BLU", "Blu Voucher", fixed=False, min_cents=1_000, max_cents=400_000),)
    in_session = ["GetVoucher", "GetTransStatus", "GetTransStatus", "VoucherEnquiry"]
    in_session += ["SoldVoucher", "VoucherEnquiry", "VoucherSpend", "VoucherEnquiry", "VoucherEnquiry"]
    expected = [name for event in [*in_session, "GetProductList"] for name in ("Authentication", event)]
    expected.remove("Authentication")  # SoldVoucher needs none
    assert sorted(blu.wire_ops()) == sorted(expected)


# 3: no connection


async def test_3_a_stopped_simulator_is_not_sent(blu: Blu) -> None:
    await blu.fault("refuse_connect", params={"ms": 600_000})
    assert isinstance(await blu.aeon.provision(provision_order(), blu.call()), NotSent)
    assert isinstance(await blu.aeon.retry(provision_order(), blu.call()), OutcomeUnknown)
    assert isinstance(await blu.aeon.status(status_order(sent_ms_ago=SETTLED), blu.call()), OutcomeUnknown)
    assert isinstance(await blu.aeon.redeem_status(spend_status(sent_ms_ago=SETTLED), blu.call()), OutcomeUnknown)
    assert isinstance(await blu.aeon.confirm(advice_order(refs={"TransRef": "x"}), blu.call()), Pending)
    assert isinstance(await blu.aeon.reverse(advice_order(sent_ms_ago=SETTLED), blu.call()), Pending)
    assert isinstance(await blu.aeon.products(blu.call()), OutcomeUnknown)
    assert isinstance(await blu.trade.provision(provision_order(), blu.call()), NotSent)
    await reopen(blu)


async def reopen(blu: Blu) -> None:
    """Let the simulator of the other tests listen again."""
    await blu.fault("refuse_connect", params={"ms": 0})
    async with asyncio.timeout(5):
        while not all(listener.listening for listener in blu.simulator.frame.listeners):  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_3_an_unresolvable_host_and_tls_on_a_plain_port_are_not_sent(blu: Blu) -> None:
    away = blu.with_settings(host="no-such-host.invalid", tls=True)
    assert isinstance(await away.provision(provision_order(), blu.call()), NotSent)
    greeting = blu.with_settings(tls=True, connect_timeout_ms=300)
    assert isinstance(await greeting.provision(provision_order(), blu.call()), NotSent)
    assert "GetVoucher" not in blu.wire_ops()


# 7 and 8: codes


@pytest.mark.parametrize("op", ["provision", "lookup", "redeem"])
@pytest.mark.parametrize("code", SELL_LOOKUP_REDEEM)
async def test_7_every_code_of_sell_lookup_and_redeem(blu: Blu, op: str, code: str) -> None:
    family, error_type, alert = SELL_LOOKUP_REDEEM[code]
    await blu.fault("decline", op=op, times=0, params={"code": code})
    operations: dict[str, Callable[[], Awaitable[Any]]] = {
        "provision": lambda: blu.aeon.provision(provision_order(), blu.call()),
        "lookup": lambda: blu.aeon.lookup(lookup_order(), blu.call()),
        "redeem": lambda: blu.aeon.redeem(redeem_order(), blu.call()),
    }
    outcome = await operations[op]()
    assert (type(outcome).__name__, outcome.error_type) == (family, error_type)
    assert outcome.provider_code == code
    assert getattr(outcome, "alert", None) == alert
    assert (await blu.totals())["vouchers"] == 0


@pytest.mark.parametrize(("op", "code"), ADVICES)
async def test_7_every_code_of_the_advices(blu: Blu, op: str, code: str) -> None:
    before, after, alert = ADVICES[op, code]
    await blu.fault("decline", op=op, times=0, params={"code": code})
    deliver = getattr(blu.aeon, op)
    refs = {"TransRef": "BT0000000001"}
    early = await deliver(advice_order(refs=refs, sent_ms_ago=SETTLED - 1), blu.call(advice_id=A1))
    late = await deliver(advice_order(refs=refs, sent_ms_ago=SETTLED), blu.call(advice_id=A1))
    assert (type(early), type(late)) == (before, after)
    assert getattr(early, "alert", None) == alert


async def test_8_a_deployments_own_code_can_be_mapped(blu: Blu) -> None:
    mapped = blu.with_settings(code_map={"912": ["Declined", "LIMIT_EXCEEDED"], "913": ["NotSent", "DO_NOT_HONOUR"]})
    await blu.fault("decline", op="provision", params={"code": "912"})
    outcome = await mapped.provision(provision_order(), blu.call())
    assert isinstance(outcome, Declined)
    assert outcome.error_type is ErrorType.LIMIT_EXCEEDED
    await blu.fault("decline", op="confirm", params={"code": "912"})
    refs = {"TransRef": "BT0000000001"}
    assert isinstance(await mapped.confirm(advice_order(refs=refs), blu.call()), Refused)
    await blu.fault("decline", op="confirm", params={"code": "913"})
    assert isinstance(await mapped.confirm(advice_order(refs=refs), blu.call()), Pending)


# 9: spoilt answers


@pytest.mark.parametrize("kind", SPOILT)
async def test_9_a_spoilt_sale_is_unknown_alerts_and_is_not_sent_again(blu: Blu, kind: str) -> None:
    await blu.fault(kind, op="provision")
    outcome = await blu.aeon.provision(provision_order(), blu.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"
    assert blu.wire_ops("provision") == ["GetVoucher"]
    assert (await blu.state(reference=R1))["vouchers"] == 1


@pytest.mark.parametrize("kind", ["malformed", "truncate", "oversize", "wrong_amount", "wrong_reference"])
async def test_9_a_spoilt_spend_too(blu: Blu, kind: str) -> None:
    await blu.usable()
    await blu.fault(kind, op="redeem")
    outcome = await blu.aeon.redeem(redeem_order(), blu.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"
    assert blu.wire_ops("redeem") == ["VoucherSpend"]


@pytest.mark.parametrize("kind", ["wrong_amount", "no_pin", "bad_pin", "malformed"])
async def test_9_a_spoilt_status_ends_no_doubt(blu: Blu, kind: str) -> None:
    await blu.issued()
    await blu.fault(kind, op="status")
    assert isinstance(await blu.aeon.status(status_order(sent_ms_ago=SETTLED), blu.call()), OutcomeUnknown)


# 11 to 13: advices


@pytest.mark.parametrize("op", ["confirm", "reverse"])
async def test_11_an_advice_is_delivered_once_in_effect(blu: Blu, op: str) -> None:
    await blu.issued()
    await blu.fault("http", op=op, times=3, params={"status": 500})
    refs = {"TransRef": "BT0000000001"}
    results = [await getattr(blu.aeon, op)(advice_order(refs=refs), blu.call(advice_id=A1)) for _ in range(5)]
    assert [type(result) for result in results] == [Pending, Pending, Pending, Acknowledged, Acknowledged]
    assert [event["event"] for event in (await blu.state(reference=R1))["events"]][1:] == [
        "ACTIVE" if op == "confirm" else "CANCELLED"
    ]
    assert all(leg.advice_id == A1 for leg in blu.legs if leg.operation == op)


async def test_12_a_reversal_before_during_and_after_the_sale_leaves_no_voucher(blu: Blu) -> None:
    assert isinstance(await blu.aeon.reverse(advice_order(), blu.call()), Pending)
    assert await blu.aeon.reverse(advice_order(sent_ms_ago=SETTLED), blu.call()) == Acknowledged()
    await blu.fault("late_processing", op="provision", params={"ms": 5_000})
    assert isinstance(await blu.aeon.provision(provision_order(), blu.call()), OutcomeUnknown)
    assert isinstance(await blu.aeon.reverse(advice_order(sent_ms_ago=1_000), blu.call()), Pending)
    await blu.advance(5_000)
    assert await blu.aeon.reverse(advice_order(sent_ms_ago=6_000), blu.call()) == Acknowledged()
    assert (await blu.state(reference=R1))["state"] == "CANCELLED"
    await blu.issued(R2)
    assert await blu.aeon.reverse(advice_order(R2), blu.call()) == Acknowledged()
    assert blu.simulator.provider.book.float_cents == 100_000_000


async def test_13_a_reversal_after_the_voucher_was_used_is_refused(blu: Blu) -> None:
    await blu.usable()
    await blu.world(FIRST_PIN, "REDEEM")
    result = await blu.aeon.reverse(advice_order(sent_ms_ago=SETTLED), blu.call())
    assert result == Refused("761", "Voucher already spent")


# 15: credentials


async def test_15_refused_credentials_are_not_the_originators_fault(blu: Blu) -> None:
    expected = NotSent(ErrorType.ROUTING_ERROR, "103", "Invalid user", alert="credentials_refused")
    for key, value in (("user_pin", "1111"), ("device_id", "90002"), ("device_ser", "SIM-DEV-2")):
        wrong = blu.with_settings(**{key: value})
        assert await wrong.provision(provision_order(), blu.call()) == expected
        assert isinstance(await wrong.confirm(advice_order(refs={"TransRef": "x"}), blu.call()), Pending)
    await blu.fault("auth_fail", op="auth")
    assert await blu.aeon.provision(provision_order(), blu.call()) == expected
    assert (await blu.totals())["vouchers"] == 0


# 17 is in test_blu_traps.py; 19: nowhere a PIN


async def test_19_no_pin_in_any_leg_outcome_or_file(blu: Blu, capfd: pytest.CaptureFixture[str]) -> None:
    outcomes: list[Any] = []
    for number, kind in enumerate(("malformed", "truncate", "wrong_amount", "bad_pin", "drop_after")):
        await blu.fault(kind, op="provision")
        outcomes.append(await blu.aeon.provision(provision_order(request_id=an_id(number)), blu.call()))
    voucher = await blu.usable()
    outcomes.append(await blu.aeon.status(status_order(), blu.call()))
    outcomes.append(await blu.aeon.lookup(lookup_order(voucher.code), blu.call()))
    for kind in ("malformed", "wrong_amount", "drop_before"):
        await blu.fault(kind, op="redeem")
        outcomes.append(await blu.aeon.redeem(redeem_order(voucher.code), blu.call()))
    outcomes.append(await blu.aeon.redeem_status(spend_status(voucher_code=voucher.code), blu.call()))
    for text in await left_behind(blu, outcomes, capfd):
        assert not any(code in text for code in blu.codes)
    assert any("<Pin>***</Pin>" in (leg.response or "") for leg in blu.legs)
    assert any("<VoucherNumber>***</VoucherNumber>" in leg.request for leg in blu.legs)


# What is refused before anything is sent


async def test_what_cannot_be_is_refused_here(blu: Blu) -> None:
    for order in (provision_order(amount_cents=0), provision_order(amount_cents=-1)):
        assert await blu.aeon.provision(order, blu.call()) == Declined(ErrorType.INVALID_AMOUNT)
    for product in ("", "X" * 13):
        unroutable = await blu.aeon.provision(provision_order(product), blu.call())
        assert unroutable == NotSent(ErrorType.ROUTING_ERROR)
    nowhere = blu.with_settings(default_outlet=None)
    assert await nowhere.provision(provision_order(), blu.call()) == NotSent(ErrorType.ROUTING_ERROR)
    impossible = Declined(ErrorType.INVALID_VOUCHER)
    assert await blu.aeon.lookup(lookup_order("12"), blu.call()) == impossible
    assert await blu.aeon.redeem(redeem_order("1" * 17), blu.call()) == impossible
    unwritable = await blu.aeon.provision(provision_order("B\x00U"), blu.call())
    assert isinstance(unwritable, NotSent)
    broken = await blu.aeon.provision(provision_order("B\nU"), blu.call())
    assert isinstance(broken, NotSent)
    late = await blu.aeon.provision(provision_order(), blu.call(deadline_s=-1))
    assert isinstance(late, NotSent)
    assert "GetVoucher" not in blu.wire_ops()


async def test_a_voucher_is_looked_up_by_its_code_only(blu: Blu) -> None:
    for order in (LookupOrder(serial_number="BS00000001"), LookupOrder(provision_id=R1)):
        for connector in (blu.aeon, blu.trade):
            assert await connector.lookup(order, blu.call()) == Declined(ErrorType.FUNCTION_NOT_SUPPORTED)
    assert blu.legs == []


async def test_the_kit_passes_in_mode_trade() -> None:
    """Mode aeon is tried with all other providers, by its PROFILE."""
    report = await run(plain(Subject("bluvoucher", TRADE, CAPABILITIES, connect)), chosen())
    assert [result for result in report.results if result.verdict is Verdict.FAILED] == []
    assert report.passed
