"""Connector and simulator together: Stellr's traps by name, and the checks of providers.md Part D by their numbers.

Check 2 is in test_stellr_messages.py, 18 in test_stellr_statement.py; 11 to 13 are about advices, which Stellr takes
none of; 15 has no renewal here, 16 no tender. Check 19 runs at the end of every test with the `stellr` fixture.
"""

import asyncio
from typing import Any

import pytest

from providers.pair_support import Pair, unreachable
from providers.provider_support import (
    A1,
    CUTS,
    R1,
    R2,
    SAMPLE_TIME,
    SETTLED,
    SPOILT,
    advice_order,
    an_id,
    status_order,
    voucher_of,
)
from providers.stellr.stellr_support import FIRST_PIN, FIRST_SERIAL, FIRST_TRANSACTION, a_redemption, a_sale, sold
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import LookupOrder, StatusOrder
from voucherswitch.message.outcomes import Approved, Declined, NotSent, OutcomeUnknown, Pending
from voucherswitch.message.states import AdviceKind, Kind
from voucherswitch.message.trace import LegOutcome
from voucherswitch.providers.contract.alerts import (
    BAD_ANSWER,
    CREDENTIALS_REFUSED,
    FLOAT_EXHAUSTED,
    MESSAGE_REFUSED,
)
from voucherswitch.providers.contract.capabilities import Support
from voucherswitch.providers.stellr.capabilities import CAPABILITIES
from voucherswitch.providers.stellr.settings import StellrSettings
from voucherswitch.providers.stellr.statement import read_statement

Ending = type[Declined] | type[NotSent] | type[OutcomeUnknown]

# Providers.md 1.4: operation, code, outcome, error type, alert.
CODES: list[tuple[str, str, Ending, ErrorType, str | None]] = [
    ("provision", "101", NotSent, ErrorType.ROUTING_ERROR, None),
    ("provision", "105", NotSent, ErrorType.ROUTING_ERROR, None),
    ("provision", "102", Declined, ErrorType.INVALID_AMOUNT, None),
    ("redeem", "102", Declined, ErrorType.INVALID_AMOUNT, None),
    ("provision", "103", NotSent, ErrorType.DO_NOT_HONOUR, None),
    ("provision", "104", NotSent, ErrorType.DO_NOT_HONOUR, None),
    ("provision", "110", NotSent, ErrorType.DO_NOT_HONOUR, FLOAT_EXHAUSTED),
    ("lookup", "201", Declined, ErrorType.INVALID_VOUCHER, None),
    ("redeem", "201", Declined, ErrorType.INVALID_VOUCHER, None),
    ("redeem", "202", Declined, ErrorType.VOUCHER_ALREADY_REDEEMED, None),
    ("redeem", "203", Declined, ErrorType.VOUCHER_NOT_REDEEMABLE, None),
    ("redeem", "204", Declined, ErrorType.VOUCHER_NOT_REDEEMABLE, None),
    ("provision", "301", OutcomeUnknown, ErrorType.DUPLICATE_RECORD, None),
    ("redeem", "301", OutcomeUnknown, ErrorType.DUPLICATE_RECORD, None),
    ("provision", "401", NotSent, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
    ("redeem", "401", NotSent, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
    ("lookup", "401", NotSent, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
    ("provision", "501", NotSent, ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
    ("provision", "999", OutcomeUnknown, ErrorType.UPSTREAM_UNAVAILABLE, None),
    ("redeem", "999", OutcomeUnknown, ErrorType.UPSTREAM_UNAVAILABLE, None),
]


async def _ask(pair: Pair, op: str, connector: Any = None) -> Any:
    connector = connector or pair.connector
    match op:
        case "provision":
            return await connector.provision(a_sale(), pair.call())
        case "redeem":
            return await connector.redeem(a_redemption(), pair.call())
        case _:
            return await connector.lookup(LookupOrder(voucher_code=FIRST_PIN), pair.call())


# Traps


def test_the_capability_record_consumes_every_advice_and_has_no_retry_or_status() -> None:
    """What the switch asks before it asks the connector: nothing of this ever becomes a message."""
    for kind in (Kind.PROVISION, Kind.REDEMPTION):
        for advice in AdviceKind:
            assert CAPABILITIES.advice(kind, advice) is Support.CONSUME
    assert CAPABILITIES.retry is CAPABILITIES.status is CAPABILITIES.redeem_status is Support.NONE
    assert CAPABILITIES.refund is CAPABILITIES.confirm_refund is CAPABILITIES.reverse_refund is Support.NONE
    assert CAPABILITIES.provision is CAPABILITIES.lookup is CAPABILITIES.redeem is Support.NATIVE
    assert CAPABILITIES.products is Support.NATIVE
    flags = (CAPABILITIES.tender_first, CAPABILITIES.partial_redeem, CAPABILITIES.client_chosen_code)
    assert flags == (False, False, False)


async def test_14_no_message_exists_for_an_advice_a_retry_or_a_status(stellr: Pair) -> None:
    connector = stellr.connector
    for advise in (connector.confirm, connector.reverse, connector.confirm_redeem, connector.reverse_redeem):
        assert isinstance(await advise(advice_order(), stellr.call(advice_id=A1)), Pending)
    unknown = OutcomeUnknown(ErrorType.FUNCTION_NOT_SUPPORTED)
    assert await connector.retry(a_sale(), stellr.call()) == unknown
    assert await connector.status(status_order(sent_ms_ago=SETTLED), stellr.call()) == unknown
    assert await connector.redeem_status(StatusOrder(R2, 10_000, sent_ms_ago=SETTLED), stellr.call()) == unknown
    assert await stellr.journal() == []


@pytest.mark.parametrize("kind", ["drop_after", "hang_after", "rst_after"])
async def test_a_duplicate_request_id_is_301_and_the_first_pin_is_lost(stellr: Pair, kind: str) -> None:
    """The sale happened, no message can repair it, and the file has the row without the PIN."""
    await stellr.at(SAMPLE_TIME)
    await stellr.fault(kind, op="provision")
    first = await stellr.impatient().provision(a_sale(), stellr.call())
    assert isinstance(first, OutcomeUnknown)
    assert (first.error_type, first.alert) == (ErrorType.UPSTREAM_UNAVAILABLE, None)
    # Whoever sends it again all the same learns nothing: still unknown, never a decline, never another voucher.
    again = await stellr.connector.provision(a_sale(), stellr.call())
    assert again == OutcomeUnknown(ErrorType.DUPLICATE_RECORD, "301", "Duplicate RequestId")
    assert (await stellr.state(reference=R1))["vouchers"] == 1
    name, content = await stellr.recon("2026-03-02")
    statement = read_statement(name, content)
    assert [(row.request_id, row.cents, row.serial) for row in statement.rows] == [(R1, 10_000, FIRST_SERIAL)]
    assert FIRST_PIN.encode() not in content


async def test_301_comes_also_after_a_declined_first_attempt_and_for_another_content(stellr: Pair) -> None:
    declined = await stellr.connector.provision(a_sale(amount_cents=10_001), stellr.call())
    assert isinstance(declined, Declined)
    for order in (a_sale(), a_sale(product="STORE001", amount_cents=5_000)):
        again = await stellr.connector.provision(order, stellr.call())
        assert isinstance(again, OutcomeUnknown)
        assert (again.error_type, again.provider_code) == (ErrorType.DUPLICATE_RECORD, "301")
    assert (await stellr.state())["vouchers"] == 0


async def test_301_holds_for_redemptions(stellr: Pair) -> None:
    await sold(stellr)
    await stellr.fault("drop_after", op="redeem")
    assert isinstance(await stellr.connector.redeem(a_redemption(), stellr.call()), OutcomeUnknown)
    again = await stellr.connector.redeem(a_redemption(), stellr.call())
    assert again == OutcomeUnknown(ErrorType.DUPLICATE_RECORD, "301", "Duplicate RequestId")
    statement = read_statement(*await stellr.recon(await stellr.today()))
    assert [row.request_id for row in statement.rows] == [R1, R2]


@pytest.mark.parametrize("op", ["provision", "redeem", "lookup", "products"])
async def test_a_doctype_in_an_answer_is_a_bad_answer(stellr: Pair, op: str) -> None:
    """Its entity even stands for the right text; whoever resolves entities is the next to be robbed by one."""
    if op in ("redeem", "lookup"):
        await sold(stellr)
    await stellr.fault("doctype", op=op)
    outcome = await (stellr.connector.products(stellr.call()) if op == "products" else _ask(stellr, op))
    assert isinstance(outcome, OutcomeUnknown)
    assert (outcome.alert, outcome.provider_message) == (BAD_ANSWER, "the answer has a DOCTYPE")
    assert (stellr.legs[-1].response or "").endswith("not shown>")


@pytest.mark.parametrize("op", ["provision", "redeem", "lookup"])
async def test_the_unlisted_result_code_777_is_unknown_and_can_be_mapped(stellr: Pair, op: str) -> None:
    await stellr.fault("decline", op=op, times=2, params={"code": "777"})
    outcome = await _ask(stellr, op)
    assert outcome == OutcomeUnknown(ErrorType.UPSTREAM_UNAVAILABLE, "777", "Result 777")
    mapped = stellr.with_settings(code_map={"777": ["Declined", "LIMIT_EXCEEDED"]})
    declined = await _ask(stellr, op, mapped)
    assert isinstance(declined, Declined)
    assert declined.error_type is ErrorType.LIMIT_EXCEEDED


async def test_an_empty_product_list_is_a_list(stellr: Pair) -> None:
    await stellr.fault("empty_products", op="products")
    assert await stellr.connector.products(stellr.call()) == ()


# 1: the happy path


async def test_1_every_operation_with_the_samples_values(stellr: Pair) -> None:
    await stellr.at(SAMPLE_TIME)
    connector = stellr.connector
    issued = await connector.provision(a_sale(), stellr.call())
    assert isinstance(issued, Approved)
    assert issued.provider_ref == FIRST_TRANSACTION
    assert issued.refs == {"TransactionId": FIRST_TRANSACTION, "Serial": FIRST_SERIAL}
    voucher = voucher_of(issued)
    assert (voucher.code, voucher.pin, voucher.serial_number) == (FIRST_PIN, None, FIRST_SERIAL)
    assert voucher.expires_at == "2029-03-02T21:59:59.000Z"
    assert voucher.instructions == ("Enter the PIN in your account.",)

    by_pin = await connector.lookup(LookupOrder(voucher_code=FIRST_PIN, refs=issued.refs), stellr.call())
    assert isinstance(by_pin, Approved)
    assert (by_pin.approved_cents, by_pin.balance_cents, by_pin.voucher_state) == (10_000, 10_000, "ACTIVE")
    found = voucher_of(by_pin)
    assert (found.code, found.serial_number, found.expires_at) == (FIRST_PIN, FIRST_SERIAL, voucher.expires_at)
    by_serial = await connector.lookup(LookupOrder(serial_number=FIRST_SERIAL), stellr.call())
    assert isinstance(by_serial, Approved)
    assert (by_serial.approved_cents, by_serial.voucher) == (10_000, None)
    by_id = await connector.lookup(LookupOrder(provision_id=R1, refs=issued.refs), stellr.call())
    assert by_id == by_serial

    redeemed = await connector.redeem(a_redemption(refs=issued.refs), stellr.call())
    assert redeemed == Approved(
        approved_cents=10_000,
        balance_cents=0,
        provider_ref="000081234568",
        refs={"TransactionId": "000081234568", "Serial": FIRST_SERIAL},
    )
    spent = await connector.lookup(LookupOrder(voucher_code=FIRST_PIN), stellr.call())
    assert isinstance(spent, Approved)
    assert (spent.approved_cents, spent.voucher_state) == (0, "REDEEMED")
    assert isinstance(await connector.products(stellr.call()), tuple)

    journal = await stellr.journal()
    assert [entry["op"] for entry in journal] == [leg.operation for leg in stellr.legs]
    assert [entry["op"] for entry in journal] == ["provision", *["lookup"] * 3, "redeem", "lookup", "products"]
    assert all(entry["processed"] for entry in journal)
    assert all(leg.outcome is LegOutcome.ANSWERED and leg.peer == "stellr" for leg in stellr.legs)
    first = stellr.legs[0]
    assert 'password="***"' in first.request
    assert "<Pin>***</Pin>" in (first.response or "")
    assert R1 in first.request


@pytest.mark.parametrize(("event", "state"), [("REDEEM", "REDEEMED"), ("EXPIRE", "EXPIRED"), ("BLOCK", "BLOCKED")])
async def test_a_voucher_that_is_worth_nothing_is_told_so(stellr: Pair, event: str, state: str) -> None:
    await sold(stellr)
    await stellr.world(FIRST_PIN, event)
    found = await stellr.connector.lookup(LookupOrder(voucher_code=FIRST_PIN), stellr.call())
    assert isinstance(found, Approved)
    assert (found.approved_cents, found.balance_cents, found.voucher_state) == (0, 0, state)
    refused = await stellr.connector.redeem(a_redemption(), stellr.call())
    assert isinstance(refused, Declined)
    expected = {"REDEEMED": ErrorType.VOUCHER_ALREADY_REDEEMED}.get(state, ErrorType.VOUCHER_NOT_REDEEMABLE)
    assert refused.error_type is expected
    assert (await stellr.control("POST", "/vouchers/events", {"code": FIRST_PIN, "event": event})).status == 409


async def test_a_voucher_expires_by_the_clock(stellr: Pair) -> None:
    await sold(stellr)
    await stellr.advance(37 * 31 * 86_400_000)
    found = await stellr.connector.lookup(LookupOrder(voucher_code=FIRST_PIN), stellr.call())
    assert isinstance(found, Approved)
    assert (found.approved_cents, found.voucher_state) == (0, "EXPIRED")


async def test_a_part_of_a_voucher_cannot_be_redeemed(stellr: Pair) -> None:
    await sold(stellr)
    refused = await stellr.connector.redeem(a_redemption(amount_cents=4_000), stellr.call())
    assert refused == Declined(ErrorType.INVALID_AMOUNT, "102", "Amount not allowed")


async def test_a_voucher_sold_elsewhere_can_be_redeemed_and_is_in_the_file(stellr: Pair) -> None:
    await stellr.control("POST", "/vouchers", {"code": "400400500600", "valueCents": 10_000})
    assert isinstance(await stellr.connector.redeem(a_redemption("400400500600"), stellr.call()), Approved)
    statement = read_statement(*await stellr.recon(await stellr.today()))
    assert [(row.type, row.request_id) for row in statement.rows] == [("REDEEM", R2)]
    assert statement.is_whole


# 3: nothing was sent


async def test_3_a_provider_that_cannot_be_reached_is_not_sent(stellr: Pair) -> None:
    async for connector in unreachable(stellr):
        for op in ("provision", "redeem", "lookup"):
            outcome = await _ask(stellr, op, connector)
            assert isinstance(outcome, NotSent)
            assert (outcome.error_type, outcome.alert) == (ErrorType.UPSTREAM_UNAVAILABLE, None)
        assert isinstance(await connector.products(stellr.call()), OutcomeUnknown)
    assert await stellr.journal() == []


# 4 to 6, 9, 10: every cut point


@pytest.mark.parametrize("kind", CUTS)
async def test_4_5_and_9_a_cut_sale_is_unknown_for_ever_and_never_two_vouchers(stellr: Pair, kind: str) -> None:
    connector = stellr.impatient()
    await stellr.fault(kind, op="provision", params={"ms": 60_000})
    assert isinstance(await connector.provision(a_sale(), stellr.call()), OutcomeUnknown)
    settled = status_order(sent_ms_ago=SETTLED)
    assert isinstance(await connector.status(settled, stellr.call()), OutcomeUnknown)
    assert isinstance(await connector.retry(a_sale(), stellr.call()), OutcomeUnknown)
    assert len(await stellr.journal()) == 1
    await stellr.advance(60_000)
    sold_once = kind in ("drop_after", "hang_after", "rst_after", "late_processing", "malformed", "truncate")
    assert (await stellr.state())["vouchers"] == sold_once
    statement = read_statement(*await stellr.recon(await stellr.today()))
    assert [row.request_id for row in statement.rows] == [R1] * sold_once
    # Somebody forces the same request through: one voucher at most, whatever happened to the first.
    await connector.provision(a_sale(), stellr.call())
    assert (await stellr.state(reference=R1))["vouchers"] == 1


@pytest.mark.parametrize("kind", CUTS)
async def test_4_5_and_9_hold_for_redemptions(stellr: Pair, kind: str) -> None:
    await sold(stellr)
    connector = stellr.impatient()
    await stellr.fault(kind, op="redeem", params={"ms": 60_000})
    assert isinstance(await connector.redeem(a_redemption(), stellr.call()), OutcomeUnknown)
    await stellr.advance(60_000)
    await connector.redeem(a_redemption(), stellr.call())
    statement = read_statement(*await stellr.recon(await stellr.today()))
    assert [row.request_id for row in statement.rows] == [R1, R2]


async def test_6_29_s_late_is_still_in_budget(stellr: Pair) -> None:
    """On the simulator's clock, which is moved: the connector waits as long as the settings' defaults say."""
    await stellr.fault("late", op="provision", params={"ms": 29_000})
    sale = asyncio.create_task(stellr.connector.provision(a_sale(), stellr.call(deadline_s=60)))
    await stellr.heard("provision")
    await stellr.advance(28_999 - 500)
    assert not sale.done()
    await stellr.advance(1_000)
    assert isinstance(await sale, Approved)


async def test_6_31_s_late_is_not(stellr: Pair) -> None:
    """The read timeout is 30 s; here 300 ms of it and an answer that comes after them."""
    connector = stellr.with_settings(read_timeout_ms=300)
    await stellr.fault("late", op="provision", params={"ms": 31_000})
    assert isinstance(await connector.provision(a_sale(), stellr.call()), OutcomeUnknown)
    assert (await stellr.state(reference=R1))["vouchers"] == 1


def test_6_the_budget_is_the_specifications() -> None:
    settings = StellrSettings(base_url="https://stellr.example", terminal_id="T", channel_id="V", password="p")
    assert (settings.connect_timeout_ms, settings.read_timeout_ms, settings.total_timeout_ms) == (3_000, 30_000, 32_000)


# 7 and 8: refusals


@pytest.mark.parametrize(("op", "code", "kind", "error_type", "alert"), CODES)
async def test_7_every_listed_code(
    stellr: Pair, op: str, code: str, kind: Ending, error_type: ErrorType, alert: str | None
) -> None:
    await stellr.fault("decline", op=op, params={"code": code})
    outcome: Any = await _ask(stellr, op)
    assert isinstance(outcome, kind)
    assert (outcome.error_type, outcome.provider_code) == (error_type, code)
    assert getattr(outcome, "alert", None) == alert
    assert outcome.provider_message
    assert (await stellr.state())["vouchers"] == 0


@pytest.mark.parametrize("status", [500, 502, 503, 504, 302, 418, 429, 401])
async def test_8_another_http_status_is_unknown(stellr: Pair, status: int) -> None:
    await stellr.fault("http", times=0, params={"status": status, "body": "<html>"})
    for op in ("provision", "redeem", "lookup"):
        assert await _ask(stellr, op) == OutcomeUnknown(provider_message=f"HTTP {status}")
    assert isinstance(await stellr.connector.products(stellr.call()), OutcomeUnknown)
    assert len(await stellr.journal()) == 4


async def test_8_an_approval_under_another_http_status_is_unknown(stellr: Pair) -> None:
    body = "<PurchaseResponse version='2.0'><ResultCode>000</ResultCode></PurchaseResponse>"
    await stellr.fault("http", params={"status": 201, "body": body})
    assert isinstance(await _ask(stellr, "provision"), OutcomeUnknown)


# 9: spoilt answers


@pytest.mark.parametrize("kind", SPOILT)
async def test_9_a_spoilt_answer_is_unknown_alerts_and_is_not_sent_again(stellr: Pair, kind: str) -> None:
    await stellr.fault(kind, op="provision")
    outcome = await _ask(stellr, "provision")
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == BAD_ANSWER
    assert len(await stellr.journal()) == 1
    assert (await stellr.state(reference=R1))["vouchers"] == 1


@pytest.mark.parametrize("kind", ["malformed", "truncate", "oversize", "wrong_amount", "wrong_reference"])
async def test_9_holds_for_redemptions(stellr: Pair, kind: str) -> None:
    await sold(stellr)
    await stellr.fault(kind, op="redeem")
    outcome = await _ask(stellr, "redeem")
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == BAD_ANSWER
    assert len(await stellr.journal(op="redeem")) == 1


@pytest.mark.parametrize("kind", ["no_pin", "bad_pin"])
async def test_9_a_url_product_without_its_link_is_a_bad_answer(stellr: Pair, kind: str) -> None:
    await stellr.fault(kind, op="provision")
    outcome = await stellr.connector.provision(a_sale(product="LINK0200", amount_cents=20_000), stellr.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == BAD_ANSWER


# 15


async def test_15_refused_credentials_are_not_sent_and_alert(stellr: Pair) -> None:
    connector = stellr.with_settings(password="example-stellr-passwore")
    outcome = await _ask(stellr, "provision", connector)
    assert outcome == NotSent(ErrorType.ROUTING_ERROR, "401", "Authentication failed", CREDENTIALS_REFUSED)
    await stellr.fault("auth_fail", op="auth")
    assert isinstance(await _ask(stellr, "provision"), NotSent)
    assert len(await stellr.journal()) == 2
    assert isinstance(await _ask(stellr, "provision"), Approved)  # a refused one does not use up its id


# 17: answers in pieces


@pytest.mark.parametrize(
    "fault", [{"kind": "split", "params": {"sizes": [1]}}, {"kind": "slow_bytes", "params": {"ms": 100}}]
)
async def test_17_an_answer_in_pieces_is_whole(stellr: Pair, fault: dict[str, Any]) -> None:
    await stellr.fault(fault["kind"], op="provision", params=fault["params"])
    assert isinstance(await _ask(stellr, "provision"), Approved)


# Deadlines, and requests at once


async def test_a_deadline_that_is_past_is_not_sent(stellr: Pair) -> None:
    outcome = await stellr.connector.provision(a_sale(), stellr.call(deadline_s=0))
    assert isinstance(outcome, NotSent)
    assert await stellr.journal() == []


async def test_many_sales_at_once_are_each_their_own(stellr: Pair) -> None:
    orders = [a_sale(request_id=an_id(number)) for number in range(50)]
    outcomes = await asyncio.gather(*(stellr.connector.provision(order, stellr.call()) for order in orders))
    codes = {voucher_of(outcome).code for outcome in outcomes}
    assert len(codes) == 50
    statement = read_statement(*await stellr.recon(await stellr.today()))
    assert statement.is_whole
    assert statement.total_cents == 500_000
