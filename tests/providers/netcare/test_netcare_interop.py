"""Connector and simulator together: Netcare's traps by name, and the checks of providers.md Part D by their numbers.

Check 2 is in test_netcare_messages.py, 18 in test_netcare_statement.py; 14 is about consumed advices, of which Netcare
has none. Check 19 runs at the end of every test with the `netcare` fixture.
"""

import asyncio
from typing import Any

import pytest

from providers.netcare.netcare_support import (
    FIRST_NUMBER,
    FIRST_REFERENCE,
    ISSUE,
    a_sale,
    active,
    an_advice,
    an_envelope,
    connector_of,
    fault_code,
    looked_up,
    raw,
    sold,
)
from providers.pair_support import Pair, unreachable
from providers.provider_support import A1, CUTS, R1, R2, SAMPLE_TIME, SETTLED, SPOILT, an_id, status_order, voucher_of
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import LookupOrder
from voucherswitch.message.outcomes import (
    Acknowledged,
    Approved,
    Declined,
    NotSent,
    OutcomeUnknown,
    Pending,
    Refused,
)
from voucherswitch.message.parties import Tender, Voucher
from voucherswitch.message.trace import LegOutcome
from voucherswitch.providers.contract.alerts import (
    BAD_ANSWER,
    CREDENTIALS_REFUSED,
    DEAD_VOUCHER,
    FLOAT_EXHAUSTED,
    MESSAGE_REFUSED,
)
from voucherswitch.providers.contract.capabilities import Support
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.netcare.capabilities import CAPABILITIES
from voucherswitch.providers.netcare.translate import from_issue, issue_body

Ending = type[Declined] | type[NotSent] | type[OutcomeUnknown]

# Providers.md 2.4: code, outcome, error type, alert.
CODES: list[tuple[str, Ending, ErrorType, str | None]] = [
    ("NV-1001", NotSent, ErrorType.ROUTING_ERROR, None),
    ("NV-1005", NotSent, ErrorType.ROUTING_ERROR, None),
    ("NV-1002", Declined, ErrorType.INVALID_AMOUNT, None),
    ("NV-1003", NotSent, ErrorType.DO_NOT_HONOUR, None),
    ("NV-1006", NotSent, ErrorType.DO_NOT_HONOUR, FLOAT_EXHAUSTED),
    ("NV-1004", Declined, ErrorType.TRANSACTION_DECLINED, None),
    ("NV-1400", NotSent, ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
    ("NV-1402", NotSent, ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
    ("NV-1401", NotSent, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
    ("NV-1403", OutcomeUnknown, ErrorType.DUPLICATE_RECORD, None),
    ("NV-1404", Declined, ErrorType.INVALID_VOUCHER, None),
    ("NV-1409", OutcomeUnknown, ErrorType.DUPLICATE_RECORD, None),
    ("NV-1410", Declined, ErrorType.VOUCHER_ALREADY_REDEEMED, None),
    ("NV-1411", Declined, ErrorType.VOUCHER_NOT_REDEEMABLE, None),
    ("NV-1412", Declined, ErrorType.VOUCHER_NOT_REDEEMABLE, None),
    ("NV-1413", Declined, ErrorType.VOUCHER_NOT_REDEEMABLE, None),
    ("NV-1500", OutcomeUnknown, ErrorType.UPSTREAM_UNAVAILABLE, None),
]

# Providers.md 2.4: code, what it means for a confirmation, for a cancellation, and the alerts of both.
ADVICE_CODES: list[tuple[str, type, type, str | None, str | None]] = [
    ("NV-1400", Pending, Pending, MESSAGE_REFUSED, MESSAGE_REFUSED),
    ("NV-1402", Pending, Pending, MESSAGE_REFUSED, MESSAGE_REFUSED),
    ("NV-1401", Pending, Pending, CREDENTIALS_REFUSED, CREDENTIALS_REFUSED),
    ("NV-1403", Pending, Pending, None, None),
    ("NV-1404", Refused, Acknowledged, None, None),
    ("NV-1410", Acknowledged, Refused, None, None),
    ("NV-1411", Refused, Refused, None, None),
    ("NV-1412", Refused, Acknowledged, None, None),
    ("NV-1413", Refused, Acknowledged, DEAD_VOUCHER, None),
    ("NV-1500", Pending, Pending, None, None),
    ("NV-1001", Pending, Pending, None, None),
    ("NV-1004", Pending, Pending, None, None),
    ("NV-1409", Pending, Pending, None, None),
    ("NV-7777", Pending, Pending, None, None),
]

FIRST_VOUCHER = Voucher(code=FIRST_NUMBER, serial_number=FIRST_REFERENCE)
TENDER_REQUIRED = Declined(ErrorType.TRANSACTION_DECLINED, provider_message="Tender required before request")


async def _ask(pair: Pair, op: str, connector: Any = None) -> Any:
    connector = connector or pair.connector
    match op:
        case "provision":
            return await connector.provision(a_sale(), pair.call())
        case "confirm":
            return await connector.confirm(an_advice(FIRST_VOUCHER, sent_ms_ago=SETTLED), pair.call(advice_id=A1))
        case "reverse":
            return await connector.reverse(an_advice(FIRST_VOUCHER, sent_ms_ago=SETTLED), pair.call(advice_id=A1))
        case _:
            return await connector.lookup(LookupOrder(voucher_code=FIRST_NUMBER), pair.call())


# Traps: the record


def test_the_capability_record_is_dual_tender_first_at_the_exact_price_without_retry() -> None:
    """The switch declines a sale without tender by `tender_first` and one of another sum by `tender_exact`."""
    assert CAPABILITIES.tender_first
    assert CAPABILITIES.tender_exact
    assert CAPABILITIES.retry is CAPABILITIES.status is CAPABILITIES.redeem is CAPABILITIES.refund is Support.NONE
    assert CAPABILITIES.confirm_redeem is CAPABILITIES.reverse_redeem is CAPABILITIES.redeem_status is Support.NONE
    assert CAPABILITIES.provision is CAPABILITIES.confirm is CAPABILITIES.reverse is Support.NATIVE
    assert CAPABILITIES.lookup is CAPABILITIES.products is Support.NATIVE


async def test_no_message_exists_for_a_retry_a_status_or_a_redemption(netcare: Pair) -> None:
    connector = netcare.connector
    unknown = OutcomeUnknown(ErrorType.FUNCTION_NOT_SUPPORTED)
    assert await connector.retry(a_sale(), netcare.call()) == unknown
    assert await connector.status(status_order(sent_ms_ago=SETTLED), netcare.call()) == unknown
    assert isinstance(await connector.reverse_redeem(an_advice(), netcare.call()), Pending)
    assert await netcare.journal() == []


# Traps: tender first (16)


@pytest.mark.parametrize(
    "tenders",
    [
        (),
        (Tender("CASH", 9_999, "710", "1"),),
        (Tender("CASH", 10_001, "710", "1"),),
        (Tender("CASH", 10_000, "840", "1"),),
        (Tender("CASH", 5_000, "710", "1"), Tender("WALLET", 4_000, "710", "2")),
    ],
)
async def test_16_a_sale_without_its_tender_is_declined_here(netcare: Pair, tenders: tuple[Tender, ...]) -> None:
    assert await netcare.connector.provision(a_sale(tenders=tenders), netcare.call()) == TENDER_REQUIRED
    assert await netcare.journal() == []
    assert netcare.legs == []


async def test_16_the_first_tender_is_copied_with_the_sum_of_all(netcare: Pair) -> None:
    tenders = (
        Tender("DEBIT_CARD", 7_000, "710", "A83021"),
        Tender("CASH", 3_005, "710"),
        Tender("ROUNDING", -5, "710"),
    )
    await sold(netcare, tenders=tenders)
    sent = netcare.legs[-1].request.replace("\n", "")
    assert "<nv:TenderReference>A83021</nv:TenderReference><nv:TenderType>DEBIT_CARD</nv:TenderType>" in sent
    assert "<nv:TenderedCents>10000</nv:TenderedCents>" in sent


@pytest.mark.parametrize("reference", [None, ""])
async def test_16_notes_and_coins_are_named_by_the_order(netcare: Pair, reference: str | None) -> None:
    """Only the sum decides whether a sale may go (B.5); the wire wants a reference, and cash has none."""
    await sold(netcare, tenders=(Tender("CASH", 10_000, "710", reference),))
    assert f"<nv:TenderReference>{R1}</nv:TenderReference>" in netcare.legs[-1].request


async def test_16_a_forced_message_without_tender_is_refused_by_the_simulator(netcare: Pair) -> None:
    body = str(issue_body(a_sale(), "S001"))
    for field in ("TenderReference", "TenderType", "TenderedCents"):
        start, end = body.index(f"<nv:{field}>"), body.index(f"</nv:{field}>") + len(f"</nv:{field}>")
        forced = an_envelope(netcare, body[:start] + body[end:])  # type: ignore[arg-type]
        assert fault_code(await raw(netcare, forced)) == "NV-1004"
    assert (await netcare.state())["vouchers"] == 0


# Traps: the exact price


async def test_another_amount_than_the_catalogues_is_declined_here(netcare: Pair) -> None:
    tender = Tender("CASH", 9_900, "710", "1")
    outcome = await netcare.connector.provision(a_sale(amount_cents=9_900, tenders=(tender,)), netcare.call())
    assert outcome == Declined(ErrorType.INVALID_AMOUNT, provider_message="the catalogue's price is R100.00")
    assert [entry["op"] for entry in await netcare.journal()] == ["products"]


async def test_a_service_that_the_catalogue_does_not_have_is_not_sent(netcare: Pair) -> None:
    outcome = await netcare.connector.provision(a_sale(product="GP-CONSULT-9"), netcare.call())
    assert isinstance(outcome, NotSent)
    assert outcome.error_type is ErrorType.ROUTING_ERROR
    assert await netcare.journal(op="provision") == []


async def test_the_catalogue_is_asked_for_once_in_15_minutes(netcare: Pair) -> None:
    ticks = 1_000.0
    prices = connector_of(netcare)._prices
    prices._ticks, before = (lambda: ticks), prices._ticks
    try:
        for number, (moved, asked) in enumerate([(0.0, 1), (0.0, 1), (899.0, 1), (2.0, 2), (898.0, 2)]):
            ticks += moved
            await sold(netcare, request_id=an_id(number))
            assert len(await netcare.journal(op="products")) == asked
    finally:
        prices._ticks = before


async def test_many_sales_wait_for_one_catalogue(netcare: Pair) -> None:
    orders = [a_sale(request_id=an_id(number)) for number in range(30)]
    outcomes = await asyncio.gather(*(netcare.connector.provision(order, netcare.call()) for order in orders))
    assert len({voucher_of(outcome).code for outcome in outcomes}) == 30
    assert len(await netcare.journal(op="products")) == 1


@pytest.mark.parametrize("kind", ["drop_after", "rst_before", "http", "malformed", "hang_after"])
async def test_a_sale_whose_catalogue_does_not_come_is_not_sent(netcare: Pair, kind: str) -> None:
    """Whatever happened to the question, the sale itself never left: another route is safe."""
    connector = netcare.impatient()
    await netcare.fault(kind, op="products", times=0)
    outcome = await connector.provision(a_sale(), netcare.call())
    assert isinstance(outcome, NotSent)
    assert outcome.error_type is ErrorType.UPSTREAM_UNAVAILABLE
    assert outcome.alert == (BAD_ANSWER if kind == "malformed" else None)
    assert await netcare.journal(op="provision") == []


async def test_one_failed_question_is_enough_for_all_who_waited(netcare: Pair) -> None:
    connector = netcare.impatient()
    await netcare.fault("hang_after", op="products", times=0)
    orders = [a_sale(request_id=an_id(number)) for number in range(20)]
    outcomes = await asyncio.gather(*(connector.provision(order, netcare.call()) for order in orders))
    assert all(isinstance(outcome, NotSent) for outcome in outcomes)
    assert len(await netcare.journal()) == 1


async def test_who_cannot_wait_for_the_catalogue_is_not_sent(netcare: Pair) -> None:
    await netcare.fault("hang_before", op="products")
    connector = netcare.impatient()
    first = asyncio.create_task(connector.provision(a_sale(), netcare.call()))
    await netcare.heard("products")
    outcome = await connector.provision(a_sale(request_id=R2), netcare.call(deadline_s=0.05))
    assert outcome == NotSent(ErrorType.UPSTREAM_UNAVAILABLE, provider_message="the catalogue did not come in time")
    assert isinstance(await first, NotSent)


async def test_refused_credentials_at_the_catalogue_alert(netcare: Pair) -> None:
    await netcare.fault("auth_fail", op="products")
    outcome = await netcare.connector.provision(a_sale(), netcare.call())
    assert outcome == NotSent(ErrorType.ROUTING_ERROR, "NV-1401", "Credentials refused", CREDENTIALS_REFUSED)


async def test_a_price_change_between_catalogue_and_issue_is_declined(netcare: Pair) -> None:
    await sold(netcare)
    await netcare.control("POST", "/prices", {"serviceCode": "GP-CONSULT-1", "priceCents": 12_000})
    outcome = await netcare.connector.provision(a_sale(request_id=R2), netcare.call())
    assert outcome == Declined(ErrorType.INVALID_AMOUNT, "NV-1002", "Expected 12000")
    # Netcare has said that our list is old, so the next sale does not wait for it to be fifteen minutes old.
    tender = Tender("CASH", 12_000, "710", "1")
    await sold(netcare, request_id=R2, amount_cents=12_000, tenders=(tender,))
    assert [entry["op"] for entry in await netcare.journal()] == [
        *("products", "provision", "provision"),
        *("products", "provision"),
    ]


# Traps: faults


@pytest.mark.parametrize("op", ["provision", "lookup"])
@pytest.mark.parametrize(("code", "kind", "error_type"), [(row[0], row[1], row[2]) for row in CODES])
async def test_a_fault_with_http_200_is_judged_by_its_code(
    netcare: Pair, op: str, code: str, kind: Ending, error_type: ErrorType
) -> None:
    await netcare.fault("fault_200", op=op, params={"code": code})
    outcome = await _ask(netcare, op)
    assert netcare.legs[-1].status == 200
    assert isinstance(outcome, kind)
    assert (outcome.error_type, outcome.provider_code) == (error_type, code)


async def test_a_fault_with_http_200_is_no_acknowledgement(netcare: Pair) -> None:
    for op in ("confirm", "reverse"):
        await netcare.fault("fault_200", op=op, params={"code": "NV-1500"})
        assert isinstance(await _ask(netcare, op), Pending)


async def test_a_fault_that_calls_itself_retryable_after_processing_is_unknown_and_not_sent_again(
    netcare: Pair,
) -> None:
    await netcare.fault("retryable", op="provision")
    outcome = await netcare.connector.provision(a_sale(), netcare.call())
    assert outcome == OutcomeUnknown(ErrorType.UPSTREAM_UNAVAILABLE, "NV-1500", "Internal error")
    assert ">true</nv:Retryable>" in (netcare.legs[-1].response or "")
    assert len(await netcare.journal(op="provision")) == 1
    assert (await netcare.state(reference=R1))["vouchers"] == 1
    # Without its number it is cancelled by our own reference.
    assert await netcare.connector.reverse(an_advice(), netcare.call(advice_id=A1)) == Acknowledged()
    assert (await netcare.state(reference=R1))["state"] == "CANCELLED"


async def test_a_retryable_advice_stays_queued(netcare: Pair) -> None:
    voucher = await sold(netcare)
    await netcare.fault("retryable", op="confirm")
    assert isinstance(await netcare.connector.confirm(an_advice(voucher), netcare.call()), Pending)
    assert await netcare.connector.confirm(an_advice(voucher), netcare.call()) == Acknowledged()


@pytest.mark.parametrize("op", ["provision", "lookup", "confirm", "reverse"])
async def test_another_namespace_prefix_is_the_same_answer(netcare: Pair, op: str) -> None:
    if op != "provision":
        await sold(netcare)
    await netcare.fault("other_prefix", op=op)
    assert isinstance(await _ask(netcare, op), Approved | Acknowledged)
    assert "<ns2:" in (netcare.legs[-1].response or "")


async def test_another_prefix_is_masked_as_well(netcare: Pair) -> None:
    await netcare.fault("other_prefix", op="provision")
    await sold(netcare)
    assert "<ns2:VoucherNumber>***</ns2:VoucherNumber>" in (netcare.legs[-1].response or "")


async def test_a_nonce_replay_is_unknown(netcare: Pair) -> None:
    """Whoever repeats our bytes on the way gets the answer; what the first ones did is not told."""
    await netcare.at(SAMPLE_TIME)
    assert (await raw(netcare, ISSUE)).status == 200
    connector = connector_of(netcare)
    soap, nonce = connector._soap, bytes.fromhex("00112233445566778899aabbccddeeff")
    answer = await soap.send(
        netcare.call(), "provision", "IssueVoucher", issue_body(a_sale(), "S001"), nonce=nonce, now=1_772_453_716
    )
    assert isinstance(answer, HttpAnswer)
    outcome = from_issue(answer, a_sale(), connector._rules)
    assert outcome == OutcomeUnknown(ErrorType.DUPLICATE_RECORD, "NV-1403", "Nonce was used before")
    assert (await netcare.state(reference=R1))["vouchers"] == 1


async def test_every_message_has_a_nonce_of_its_own(netcare: Pair) -> None:
    for number in range(20):
        await sold(netcare, request_id=an_id(number))
    assert all(entry["processed"] for entry in await netcare.journal())


async def test_a_stale_created_is_our_clock_and_alerts(netcare: Pair) -> None:
    await sold(netcare)
    now = netcare.simulator.frame.clock.now
    for wrong in (lambda: now() - 301, lambda: now() + 301):
        connector_of(netcare)._now = wrong
        outcome = await netcare.connector.provision(a_sale(request_id=R2), netcare.call())
        assert outcome == NotSent(ErrorType.ROUTING_ERROR, "NV-1401", "Credentials refused", CREDENTIALS_REFUSED)


# Traps: lapse by clock


async def test_a_voucher_lapses_15_minutes_after_its_issue(netcare: Pair) -> None:
    voucher = await sold(netcare)
    assert await looked_up(netcare) == (0, "ISSUED")
    await netcare.advance(899_000)
    assert await looked_up(netcare) == (0, "ISSUED")
    await netcare.advance(1_001)
    assert await looked_up(netcare) == (0, "LAPSED")
    late = await netcare.connector.confirm(an_advice(voucher), netcare.call(advice_id=A1))
    assert late == Refused("NV-1413", "Voucher lapsed", DEAD_VOUCHER)
    assert await netcare.connector.reverse(an_advice(voucher), netcare.call(advice_id=A1)) == Acknowledged()
    assert (await netcare.state())["floatCents"] == 100_000_000


async def test_a_confirmed_voucher_does_not_lapse_and_expires_after_12_months(netcare: Pair) -> None:
    await active(netcare)
    await netcare.advance(900_000)
    assert await looked_up(netcare) == (10_000, "ACTIVE")
    await netcare.advance(367 * 86_400_000)
    assert await looked_up(netcare) == (0, "EXPIRED")
    expired = await _ask(netcare, "confirm")
    assert expired == Refused("NV-1411", "Voucher expired")


# 1: the happy path


async def test_1_every_operation_with_the_samples_values(netcare: Pair) -> None:
    await netcare.at(SAMPLE_TIME)
    connector = netcare.connector
    issued = await connector.provision(a_sale(), netcare.call())
    assert isinstance(issued, Approved)
    assert (issued.approved_cents, issued.provider_ref) == (10_000, FIRST_REFERENCE)
    assert issued.refs == {"NetcareReference": FIRST_REFERENCE}
    voucher = voucher_of(issued)
    assert (voucher.code, voucher.serial_number, voucher.pin) == (FIRST_NUMBER, FIRST_REFERENCE, None)
    assert voucher.expires_at == "2027-03-02T21:59:59.000Z"

    assert await connector.confirm(an_advice(voucher), netcare.call(advice_id=A1)) == Acknowledged()
    found = await connector.lookup(LookupOrder(voucher_code=FIRST_NUMBER), netcare.call())
    assert isinstance(found, Approved)
    assert (found.approved_cents, found.balance_cents, found.voucher_state) == (10_000, 10_000, "ACTIVE")
    assert voucher_of(found).expires_at == voucher.expires_at
    assert await connector.reverse(an_advice(voucher), netcare.call(advice_id=A1)) == Acknowledged()
    assert await looked_up(netcare) == (0, "CANCELLED")

    listed = await connector.products(netcare.call())
    assert isinstance(listed, tuple)
    assert [(product.product, product.amount_cents) for product in listed] == [
        ("GP-CONSULT-1", 10_000),
        ("GP-MEDS-1", 45_000),
        ("DENTAL-CHECK", 60_000),
        ("OPTO-EXAM", 52_000),
    ]
    assert all(product.fixed for product in listed)

    journal = await netcare.journal()
    assert [entry["op"] for entry in journal] == [leg.operation for leg in netcare.legs]
    assert [entry["op"] for entry in journal] == [
        *("products", "provision", "confirm", "lookup", "reverse", "lookup", "products"),
    ]
    assert all(leg.outcome is LegOutcome.ANSWERED and leg.peer == "netcare" for leg in netcare.legs)
    assert netcare.legs[2].advice_id == A1


async def test_a_repeated_confirmation_is_the_same_and_a_repeated_cancellation_too(netcare: Pair) -> None:
    voucher = await active(netcare)
    for _ in range(2):
        assert await netcare.connector.confirm(an_advice(voucher), netcare.call()) == Acknowledged()
    for _ in range(3):
        assert await netcare.connector.reverse(an_advice(voucher), netcare.call()) == Acknowledged()
    refused = await netcare.connector.confirm(an_advice(voucher), netcare.call())
    assert refused == Refused("NV-1412", "Voucher cancelled")


# 3


async def test_3_a_provider_that_cannot_be_reached_is_not_sent(netcare: Pair) -> None:
    async for connector in unreachable(netcare):
        for op in ("provision", "lookup"):
            outcome = await _ask(netcare, op, connector)
            assert isinstance(outcome, NotSent)
            assert (outcome.error_type, outcome.alert) == (ErrorType.UPSTREAM_UNAVAILABLE, None)
        for op in ("confirm", "reverse"):
            assert isinstance(await _ask(netcare, op, connector), Pending)
        assert isinstance(await connector.products(netcare.call()), OutcomeUnknown)
    assert await netcare.journal() == []


# 4, 5, 9, 10, 12: every cut point


@pytest.mark.parametrize("kind", CUTS)
async def test_4_5_9_and_12_a_cut_sale_is_unknown_and_its_reversal_leaves_no_orphan(netcare: Pair, kind: str) -> None:
    """Netcare keeps no tombstone: "not found" ends a reversal only when the sale cannot come after it."""
    connector = netcare.impatient()
    await netcare.fault(kind, op="provision", params={"ms": 20_000})
    assert isinstance(await connector.provision(a_sale(), netcare.call()), OutcomeUnknown)
    assert isinstance(await connector.retry(a_sale(), netcare.call()), OutcomeUnknown)
    assert len(await netcare.journal(op="provision")) == 1
    sold_now = kind in ("drop_after", "hang_after", "rst_after", "malformed", "truncate")
    early = await connector.reverse(an_advice(sent_ms_ago=1_000), netcare.call(advice_id=A1))
    assert isinstance(early, Acknowledged if sold_now else Pending)
    await netcare.advance(20_000)
    late = await connector.reverse(an_advice(sent_ms_ago=30_000), netcare.call(advice_id=A1))
    assert late == Acknowledged()
    totals = await netcare.state()
    assert totals["byState"] == ({"CANCELLED": 1} if sold_now or kind == "late_processing" else {})
    assert totals["floatCents"] == 100_000_000


@pytest.mark.parametrize("kind", CUTS)
async def test_4_and_10_the_same_reference_again_is_never_a_second_voucher(netcare: Pair, kind: str) -> None:
    connector = netcare.impatient()
    await netcare.fault(kind, op="provision", params={"ms": 20_000})
    await connector.provision(a_sale(), netcare.call())
    await netcare.advance(20_000)
    again = await connector.provision(a_sale(), netcare.call())
    assert isinstance(again, Approved | OutcomeUnknown)
    if isinstance(again, OutcomeUnknown):
        assert (again.error_type, again.provider_code) == (ErrorType.DUPLICATE_RECORD, "NV-1409")
    assert (await netcare.state(reference=R1))["vouchers"] == 1


@pytest.mark.parametrize("kind", CUTS)
@pytest.mark.parametrize("op", ["confirm", "reverse"])
async def test_11_a_cut_advice_stays_queued_and_has_its_effect_once(netcare: Pair, op: str, kind: str) -> None:
    await active(netcare) if op == "reverse" else await sold(netcare)
    connector = netcare.impatient()
    await netcare.fault(kind, op=op, times=3, params={"ms": 1_000})
    for _ in range(3):
        assert isinstance(await _ask(netcare, op, connector), Pending)
    assert await _ask(netcare, op, connector) == Acknowledged()
    state = await netcare.state(reference=R1)
    assert state["state"] == ("ACTIVE" if op == "confirm" else "CANCELLED")
    assert (await netcare.state())["centsByType"]["SALE"] == 10_000
    assert {leg.advice_id for leg in netcare.legs if leg.operation == op} >= {A1}


async def test_12_a_reversal_while_the_sale_is_still_on_its_way(netcare: Pair) -> None:
    await netcare.fault("late_processing", op="provision", params={"ms": 5_000})
    assert isinstance(await netcare.connector.provision(a_sale(), netcare.call()), OutcomeUnknown)
    assert isinstance(await netcare.connector.reverse(an_advice(sent_ms_ago=2_000), netcare.call()), Pending)
    await netcare.advance(5_000)
    assert await netcare.connector.reverse(an_advice(sent_ms_ago=7_000), netcare.call()) == Acknowledged()
    assert (await netcare.state(reference=R1))["state"] == "CANCELLED"


async def test_13_a_used_voucher_is_not_cancelled_and_counts_as_confirmed(netcare: Pair) -> None:
    voucher = await active(netcare)
    await netcare.world(FIRST_NUMBER, "REDEEM")
    assert await looked_up(netcare) == (0, "USED")
    refused = await netcare.connector.reverse(an_advice(voucher), netcare.call())
    assert refused == Refused("NV-1410", "Voucher used")
    assert await netcare.connector.confirm(an_advice(voucher), netcare.call()) == Acknowledged()
    assert (await netcare.control("POST", "/vouchers/events", {"code": FIRST_NUMBER, "event": "BLOCK"})).status == 409


# 6


async def test_6_late_inside_and_outside_the_read_timeout(netcare: Pair) -> None:
    connector = netcare.with_settings(read_timeout_ms=300)
    await netcare.fault("late", op="provision", params={"ms": 100})
    assert isinstance(await connector.provision(a_sale(), netcare.call()), Approved)
    await netcare.fault("late", op="provision", params={"ms": 5_000})
    assert isinstance(await connector.provision(a_sale(request_id=R2), netcare.call()), OutcomeUnknown)


async def test_6_catalogue_and_sale_share_one_budget(netcare: Pair) -> None:
    """Each would be in time alone."""
    connector = netcare.with_settings(total_timeout_ms=700)
    await netcare.fault("late", op="products", params={"ms": 400})
    await netcare.fault("late", op="provision", params={"ms": 500})
    assert isinstance(await connector.provision(a_sale(), netcare.call()), OutcomeUnknown)


# 7 and 8


@pytest.mark.parametrize("op", ["provision", "lookup"])
@pytest.mark.parametrize(("code", "kind", "error_type", "alert"), CODES)
async def test_7_every_listed_code(
    netcare: Pair, op: str, code: str, kind: Ending, error_type: ErrorType, alert: str | None
) -> None:
    await netcare.fault("decline", op=op, params={"code": code})
    outcome = await _ask(netcare, op)
    assert isinstance(outcome, kind)
    assert (outcome.error_type, outcome.provider_code) == (error_type, code)
    assert getattr(outcome, "alert", None) == alert
    assert outcome.provider_message
    # The trace says why, although the name `Code` is secret elsewhere.
    assert f">{code}<" in (netcare.legs[-1].response or "")
    assert (await netcare.state())["vouchers"] == 0


@pytest.mark.parametrize(("code", "confirm", "cancel", "confirm_alert", "cancel_alert"), ADVICE_CODES)
async def test_7_every_listed_code_to_an_advice(
    netcare: Pair, code: str, confirm: type, cancel: type, confirm_alert: str | None, cancel_alert: str | None
) -> None:
    for op, kind, alert in (("confirm", confirm, confirm_alert), ("reverse", cancel, cancel_alert)):
        await netcare.fault("decline", op=op, params={"code": code})
        result = await _ask(netcare, op)
        assert isinstance(result, kind), op
        assert getattr(result, "alert", None) == alert


async def test_8_an_unlisted_code_is_unknown_and_can_be_mapped(netcare: Pair) -> None:
    await netcare.fault("decline", op="provision", times=2, params={"code": "NV-7777"})
    outcome = await _ask(netcare, "provision")
    assert outcome == OutcomeUnknown(ErrorType.UPSTREAM_UNAVAILABLE, "NV-7777", "Fault NV-7777")
    mapped = netcare.with_settings(code_map={"NV-7777": ["Declined", "LIMIT_EXCEEDED"]})
    declined = await _ask(netcare, "provision", mapped)
    assert isinstance(declined, Declined)
    assert declined.error_type is ErrorType.LIMIT_EXCEEDED
    await netcare.fault("decline", op="confirm", params={"code": "NV-7777"})
    assert isinstance(await _ask(netcare, "confirm", mapped), Refused)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 302, 418, 429, 401])
async def test_8_another_http_status_without_an_envelope_is_unknown(netcare: Pair, status: int) -> None:
    await netcare.connector.products(netcare.call())
    await netcare.fault("http", times=0, params={"status": status, "body": "<html>"})
    for op in ("provision", "lookup"):
        assert await _ask(netcare, op) == OutcomeUnknown(provider_message=f"HTTP {status}")
    for op in ("confirm", "reverse"):
        assert await _ask(netcare, op) == Pending(f"HTTP {status}")
    assert len(await netcare.journal(op="provision")) == 1


# 9


@pytest.mark.parametrize("kind", SPOILT)
async def test_9_a_spoilt_answer_is_unknown_alerts_and_is_not_sent_again(netcare: Pair, kind: str) -> None:
    await netcare.fault(kind, op="provision")
    outcome = await _ask(netcare, "provision")
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == BAD_ANSWER
    assert len(await netcare.journal(op="provision")) == 1
    assert (await netcare.state(reference=R1))["vouchers"] == 1


@pytest.mark.parametrize("kind", ["malformed", "truncate", "oversize", "wrong_reference"])
async def test_9_a_spoilt_answer_to_an_advice_keeps_it_queued(netcare: Pair, kind: str) -> None:
    await sold(netcare)
    for op in ("confirm", "reverse"):
        await netcare.fault(kind, op=op)
        result = await _ask(netcare, op)
        assert isinstance(result, Pending)
        assert result.alert == BAD_ANSWER


@pytest.mark.parametrize("kind", ["no_pin", "bad_pin"])
async def test_9_a_lookup_that_shows_another_voucher_is_unknown(netcare: Pair, kind: str) -> None:
    await sold(netcare)
    await netcare.fault(kind, op="lookup")
    outcome = await _ask(netcare, "lookup")
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == BAD_ANSWER


# 15, 17


async def test_15_refused_credentials_are_not_sent_and_alert(netcare: Pair) -> None:
    connector = netcare.with_settings(password="example-netcare-passwore")
    outcome = await _ask(netcare, "provision", connector)
    assert outcome == NotSent(ErrorType.ROUTING_ERROR, "NV-1401", "Credentials refused", CREDENTIALS_REFUSED)
    await netcare.fault("auth_fail", op="provision")
    assert isinstance(await _ask(netcare, "provision"), NotSent)
    assert isinstance(await _ask(netcare, "provision"), Approved)


@pytest.mark.parametrize(("kind", "params"), [("split", {"sizes": [1]}), ("slow_bytes", {"ms": 100})])
async def test_17_an_answer_in_pieces_is_whole(netcare: Pair, kind: str, params: dict[str, Any]) -> None:
    await netcare.fault(kind, times=0, params=params)
    assert isinstance(await _ask(netcare, "provision"), Approved)


# Deadlines


async def test_a_deadline_that_is_past_is_not_sent(netcare: Pair) -> None:
    await netcare.connector.products(netcare.call())
    outcome = await netcare.connector.provision(a_sale(), netcare.call(deadline_s=0))
    assert isinstance(outcome, NotSent)
    assert await netcare.journal(op="provision") == []


async def test_a_product_list_that_does_not_come_is_unknown(netcare: Pair) -> None:
    for params in ({"code": "NV-1401"}, {"code": "NV-1500"}):
        await netcare.fault("decline", op="products", params=params)
        outcome = await netcare.connector.products(netcare.call())
        assert isinstance(outcome, OutcomeUnknown)
        assert outcome.provider_code == params["code"]
