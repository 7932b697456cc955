"""Connector and simulator together: the checks of providers.md Part D that Supabets is subject to, by their numbers.

Checks 2 and 7 are also in test_supabets_signing.py and test_supabets_translate.py, 18 is in test_supabets_statement.py,
14 (late reveal) in test_supabets_traps.py; 16 does not apply. Check 19 also runs at the end of every test that uses the
`supabets` fixture.
"""

from typing import Any

import pytest
from msgspec.structs import replace

from providers.pair_support import left_behind, unreachable
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
    http,
    lookup_order,
    status_order,
)
from providers.supabets.supabets_support import (
    BASE,
    EXPIRES_AT,
    FIRST_PIN,
    FIRST_REF,
    FIRST_SERIAL,
    SAMPLE_ANSWER,
    SAMPLE_BODY,
    Supabets,
    code_of,
    provision_order,
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
from voucherswitch.message.parties import Store, Voucher
from voucherswitch.message.trace import LegOutcome
from voucherswitch.providers.contract.capabilities import Support
from voucherswitch.providers.supabets.capabilities import CAPABILITIES
from voucherswitch.providers.supabets.kit import PROFILE

VOUCHER = Voucher(code=FIRST_PIN, serial_number=FIRST_SERIAL, expires_at=EXPIRES_AT)


def test_the_record_is_the_sections() -> None:
    native = {"provision", "retry", "status", "confirm", "reverse", "lookup", "products"}
    for name in CAPABILITIES.__struct_fields__:
        value = getattr(CAPABILITIES, name)
        assert value is (False if isinstance(value, bool) else Support.NATIVE if name in native else Support.NONE)


# 1: the happy path of every operation


async def test_1_every_operation_with_the_samples_values(supabets: Supabets) -> None:
    connector = supabets.connector
    await supabets.at(SAMPLE_TIME)
    issued = await connector.provision(provision_order(), supabets.call())
    assert issued == Approved(
        approved_cents=10_000,
        balance_cents=10_000,
        voucher=VOUCHER,
        provider_ref=FIRST_REF,
        refs={"reservedUntil": "2026-03-02T12:18:16.000Z"},
    )
    assert await connector.retry(provision_order(sent_ms_ago=1_000), supabets.call()) == issued
    status = await connector.status(status_order(), supabets.call())
    assert isinstance(status, Approved)
    assert (status.voucher, status.voucher_state) == (VOUCHER, "RESERVED")
    before = await connector.lookup(lookup_order(voucher_code=FIRST_PIN), supabets.call())
    assert before == Approved(approved_cents=0, balance_cents=0, voucher=VOUCHER, voucher_state="RESERVED")
    assert await connector.confirm(advice_order(), supabets.call(advice_id=A1)) == Acknowledged()
    found = await connector.lookup(lookup_order(voucher_code=FIRST_PIN), supabets.call())
    assert found == Approved(approved_cents=10_000, balance_cents=10_000, voucher=VOUCHER, voucher_state="COMMITTED")
    assert await connector.reverse(advice_order(), supabets.call(advice_id=A1)) == Acknowledged()
    listed = await connector.products(supabets.call())
    assert not isinstance(listed, OutcomeUnknown)
    assert [(one.product, one.fixed, one.amount_cents, one.min_cents, one.max_cents) for one in listed] == [
        ("SB-ANY", False, None, 1_000, 500_000),
        ("SB-50", True, 5_000, None, None),
        ("SB-100", True, 10_000, None, None),
    ]
    expected = ["provision", "retry", "status", "lookup", "confirm", "lookup", "reverse", "products"]
    assert await supabets.heard_ops() == expected == [leg.operation for leg in supabets.legs]
    assert all(leg.outcome is LegOutcome.ANSWERED and leg.peer == "supabets" for leg in supabets.legs)
    assert [leg.advice_id for leg in supabets.legs if leg.operation in ("confirm", "reverse")] == [A1, A1]


async def test_1_the_samples_answer_comes_to_the_byte(supabets: Supabets) -> None:
    await supabets.at(SAMPLE_TIME)
    answer = await supabets.raw("PUT", f"/reservations/{R1}", SAMPLE_BODY.encode())
    assert (answer.status, answer.body.decode()) == (201, SAMPLE_ANSWER)
    again = await supabets.raw("PUT", f"/reservations/{R1}", SAMPLE_BODY.encode())
    assert (again.status, again.body) == (200, answer.body)


async def test_1_the_samples_error_body(supabets: Supabets) -> None:
    await supabets.reserve()
    await supabets.commit()
    await supabets.world(FIRST_PIN, "REDEEM")
    for _ in range(16):
        assert code_of(await supabets.raw("GET", f"/reservations/{R2}")) == (404, "not-found")
    answer = await supabets.release()
    assert (answer.status, answer.headers["content-type"]) == (409, "application/problem+json")
    assert answer.json == {
        "type": "urn:sim:supabets:problem:voucher-spent",
        "title": "Voucher spent",
        "status": 409,
        "detail": "Release refused",
        "instance": "sb-000017",
    }


async def test_operations_that_the_record_does_not_have_send_nothing(supabets: Supabets) -> None:
    connector = supabets.connector
    for name in (lookup_order(serial_number=FIRST_SERIAL), lookup_order(provision_id=R1)):
        assert await connector.lookup(name, supabets.call()) == Declined(ErrorType.FUNCTION_NOT_SUPPORTED)
    assert await connector.lookup(lookup_order(voucher_code="123"), supabets.call()) == Declined(
        ErrorType.INVALID_VOUCHER
    )
    order: Any = None
    assert await connector.redeem(order, supabets.call()) == Declined(ErrorType.FUNCTION_NOT_SUPPORTED)
    assert await connector.refund(order, supabets.call()) == Declined(ErrorType.FUNCTION_NOT_SUPPORTED)
    assert await supabets.journal() == []


async def test_what_cannot_be_routed_or_is_no_rand_is_not_sent(supabets: Supabets) -> None:
    nowhere = supabets.with_settings(outlet_map={})
    unrouted = NotSent(ErrorType.ROUTING_ERROR)
    assert await nowhere.provision(provision_order(), supabets.call()) == unrouted
    assert await supabets.connector.provision(provision_order(""), supabets.call()) == unrouted
    assert await nowhere.retry(provision_order(), supabets.call()) == OutcomeUnknown(ErrorType.ROUTING_ERROR)
    for wrong in (replace(provision_order(), currency="840"), provision_order(amount_cents=0)):
        assert await supabets.connector.provision(wrong, supabets.call()) == Declined(ErrorType.INVALID_AMOUNT)
    assert await supabets.journal() == []


async def test_a_terminals_own_site_wins_and_an_unknown_one_is_our_mistake(supabets: Supabets) -> None:
    store = Store(merchant_id="merchant1234567", terminal_id="TERM0002")
    connector = supabets.with_settings(outlet_map={"merchant1234567": "S001", "TERM0002": "S999"})
    assert isinstance(await connector.provision(provision_order(), supabets.call()), Approved)
    refused = await connector.provision(replace(provision_order(request_id=R2), store=store), supabets.call())
    assert isinstance(refused, NotSent)
    assert (refused.error_type, refused.provider_code) == (ErrorType.ROUTING_ERROR, "unknown-site")


# 3: nothing was sent


async def test_3_a_provider_that_cannot_be_reached_is_not_sent(supabets: Supabets) -> None:
    async for connector in unreachable(supabets):
        outcome = await connector.provision(provision_order(), supabets.call())
        assert isinstance(outcome, NotSent)
        assert (outcome.error_type, outcome.alert) == (ErrorType.UPSTREAM_UNAVAILABLE, None)
        assert isinstance(await connector.retry(provision_order(), supabets.call()), OutcomeUnknown)
        assert isinstance(await connector.status(status_order(sent_ms_ago=SETTLED), supabets.call()), OutcomeUnknown)
        for advise in (connector.confirm, connector.reverse):
            assert isinstance(await advise(advice_order(sent_ms_ago=SETTLED), supabets.call()), Pending)
        assert isinstance(await connector.products(supabets.call()), OutcomeUnknown)
    assert await supabets.journal() == []


# 4, 5, 10: cut at every point, then retry and status


@pytest.mark.parametrize(("kind", "processed"), CUTS.items())
async def test_4_and_5_a_cut_sale_and_its_retry_make_one_voucher(
    supabets: Supabets, kind: str, processed: bool
) -> None:
    connector = supabets.impatient()
    params = {"late_processing": {"ms": 60_000}, "http": {"status": 500, "processed": True}}.get(kind, {})
    await supabets.fault(kind, op="provision", params=params)
    first = await connector.provision(provision_order(), supabets.call())
    assert isinstance(first, OutcomeUnknown)
    early = await connector.status(status_order(sent_ms_ago=29_999), supabets.call())
    if processed:
        assert isinstance(early, Approved)
        assert early.voucher is not None
        assert early.voucher.code == FIRST_PIN
    else:
        assert isinstance(early, OutcomeUnknown)
        late = await connector.status(status_order(sent_ms_ago=30_000), supabets.call())
        assert isinstance(late, NotSent)
    resent = await connector.retry(provision_order(sent_ms_ago=1_000), supabets.call())
    assert isinstance(resent, Approved)
    # What was still on its way arrives now.
    await supabets.advance(61_000)
    assert await supabets.vouchers(R1) == 1
    found = await connector.status(status_order(), supabets.call())
    assert isinstance(found, Approved)
    assert found.voucher == resent.voucher
    assert resent.voucher is not None
    assert resent.voucher.code == FIRST_PIN


async def test_5_late_processing_ends_in_a_voucher_that_the_status_finds(supabets: Supabets) -> None:
    await supabets.fault("late_processing", op="provision", params={"ms": 60_000})
    assert isinstance(await supabets.connector.provision(provision_order(), supabets.call()), OutcomeUnknown)
    await supabets.advance(60_001)
    status = await supabets.connector.status(status_order(), supabets.call())
    assert isinstance(status, Approved)
    assert await supabets.vouchers(R1) == 1


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "rst_after"])
async def test_a_resend_that_is_lost_leaves_the_doubt(supabets: Supabets, kind: str) -> None:
    await supabets.fault("drop_after", op="provision")
    await supabets.fault(kind, op="retry")
    await supabets.connector.provision(provision_order(), supabets.call())
    assert isinstance(await supabets.connector.retry(provision_order(), supabets.call()), OutcomeUnknown)
    assert await supabets.vouchers(R1) == 1


# 6 and 17: late and in pieces


async def test_6_late_inside_and_outside_the_read_timeout(supabets: Supabets) -> None:
    connector = supabets.with_settings(read_timeout_ms=600)
    await supabets.fault("late", params={"ms": 200})
    assert isinstance(await connector.provision(provision_order(), supabets.call()), Approved)
    await supabets.fault("late", params={"ms": 5_000})
    assert isinstance(await connector.provision(provision_order(request_id=R2), supabets.call()), OutcomeUnknown)


async def test_17_an_answer_in_single_bytes_or_slowly_is_an_approval(supabets: Supabets) -> None:
    # Its own connection: the simulator is still busy with it for a moment after the last byte.
    connector = supabets.with_settings()
    await supabets.fault("split", params={"sizes": [1]})
    assert isinstance(await connector.provision(provision_order(), supabets.call()), Approved)
    await supabets.fault("slow_bytes", params={"ms": 100})
    assert isinstance(await connector.provision(provision_order(request_id=R2), supabets.call()), Approved)


# 7 and 8: refusals


async def test_7_every_listed_code_over_the_wire(supabets: Supabets) -> None:
    for case in PROFILE.codes:
        if case.op == "provision":
            await supabets.fault("decline", op="provision", times=2, params={"code": case.code})
            outcome = await supabets.connector.provision(provision_order(), supabets.call())
            await supabets.control("DELETE", "/faults")
            assert isinstance(outcome, Declined | NotSent | OutcomeUnknown)
            assert (type(outcome).__name__, outcome.error_type) == (case.family.value, case.error_type)
            assert (outcome.provider_code, getattr(outcome, "alert", None)) == (case.code, case.alert)
    assert await supabets.vouchers(R1) == 0


@pytest.mark.parametrize("status", [500, 502, 503, 504, 302, 418])
async def test_8_another_status_is_unknown(supabets: Supabets, status: int) -> None:
    await supabets.fault("http", times=0, params={"status": status, "body": "<html>"})
    connector = supabets.connector
    assert isinstance(await connector.provision(provision_order(), supabets.call()), OutcomeUnknown)
    assert isinstance(await connector.retry(provision_order(), supabets.call()), OutcomeUnknown)
    assert isinstance(await connector.status(status_order(sent_ms_ago=SETTLED), supabets.call()), OutcomeUnknown)
    for advise in (connector.confirm, connector.reverse):
        assert isinstance(await advise(advice_order(sent_ms_ago=SETTLED), supabets.call()), Pending)
    assert len(await supabets.journal()) == 5


async def test_8_an_unlisted_code_is_unknown_and_can_be_mapped(supabets: Supabets) -> None:
    await supabets.fault("decline", times=2, params={"code": "new-rule"})
    outcome = await supabets.connector.provision(provision_order(), supabets.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert (outcome.error_type, outcome.provider_code) == (ErrorType.UPSTREAM_UNAVAILABLE, "new-rule")
    mapped = supabets.with_settings(code_map={"new-rule": ["Declined", "LIMIT_EXCEEDED"]})
    declined = await mapped.provision(provision_order(), supabets.call())
    assert isinstance(declined, Declined)
    assert declined.error_type is ErrorType.LIMIT_EXCEEDED


async def test_8_the_listed_503_is_not_sent(supabets: Supabets) -> None:
    await supabets.fault("http", params={"status": 503, "body": PROFILE.not_sent_503})
    outcome = await supabets.connector.provision(provision_order(), supabets.call())
    assert outcome == NotSent(ErrorType.UPSTREAM_UNAVAILABLE, "unavailable", "Unavailable: Maintenance")


# 9: spoilt answers


@pytest.mark.parametrize("kind", SPOILT)
async def test_9_a_spoilt_answer_is_unknown_alerts_and_is_not_sent_again(supabets: Supabets, kind: str) -> None:
    await supabets.fault(kind)
    outcome = await supabets.connector.provision(provision_order(), supabets.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"
    assert await supabets.heard_ops() == ["provision"]
    assert await supabets.vouchers(R1) == 1
    status = await supabets.connector.status(status_order(), supabets.call())
    assert isinstance(status, Approved)


@pytest.mark.parametrize("kind", ["malformed", "truncate", "oversize", "wrong_reference"])
@pytest.mark.parametrize("op", ["confirm", "reverse"])
async def test_9_a_spoilt_answer_keeps_an_advice(supabets: Supabets, op: str, kind: str) -> None:
    await supabets.sold()
    await supabets.fault(kind, op=op)
    result = await getattr(supabets.connector, op)(advice_order(), supabets.call())
    assert isinstance(result, Pending)
    assert result.alert == "bad_answer"
    assert await getattr(supabets.connector, op)(advice_order(), supabets.call()) == Acknowledged()


async def test_9_a_spoilt_lookup_tells_nothing(supabets: Supabets) -> None:
    await supabets.sold()
    for kind in ("malformed", "truncate", "oversize"):
        await supabets.fault(kind, op="lookup")
        outcome = await supabets.connector.lookup(lookup_order(voucher_code=FIRST_PIN), supabets.call())
        assert isinstance(outcome, OutcomeUnknown)
        assert outcome.alert == "bad_answer"


# 10: the same reference again


async def test_10_the_same_reservation_again_for_ever_and_another_body_never(supabets: Supabets) -> None:
    first = await supabets.sold()
    assert await supabets.connector.provision(provision_order(), supabets.call()) == first
    other = await supabets.connector.provision(provision_order(amount_cents=20_000), supabets.call())
    assert isinstance(other, OutcomeUnknown)
    assert (other.error_type, other.provider_code) == (ErrorType.DUPLICATE_RECORD, "reservation-conflict")
    await supabets.connector.confirm(advice_order(), supabets.call())
    await supabets.advance(40 * 24 * 3_600_000)
    again = await supabets.connector.retry(provision_order(), supabets.call())
    assert isinstance(again, Approved)
    assert again.voucher == first.voucher
    assert await supabets.vouchers(R1) == 1


# 11: advices


@pytest.mark.parametrize("op", ["confirm", "reverse"])
@pytest.mark.parametrize("processed", [False, True])
async def test_11_an_advice_is_delivered_once_in_effect(supabets: Supabets, op: str, processed: bool) -> None:
    await supabets.sold()
    await supabets.fault("http", op=op, times=3, params={"status": 500, "processed": processed})
    deliver = getattr(supabets.connector, op)
    results = [await deliver(advice_order(), supabets.call(advice_id=A1)) for _ in range(5)]
    assert [type(result) for result in results] == [Pending, Pending, Pending, Acknowledged, Acknowledged]
    events = [event["event"] for event in (await supabets.state(reference=R1))["events"]]
    assert events == ["RESERVED", "COMMITTED" if op == "confirm" else "RELEASED"]
    assert (await supabets.state())["floatCents"] == (99_990_000 if op == "confirm" else 100_000_000)
    sent = [leg for leg in supabets.legs if leg.operation == op]
    assert len(sent) == 5
    assert {(leg.request, leg.advice_id) for leg in sent} == {(sent[0].request, A1)}


# 12: reversals before, during and after


async def test_12_a_reversal_before_the_reservation_refuses_it(supabets: Supabets) -> None:
    assert await supabets.connector.reverse(advice_order(), supabets.call()) == Acknowledged()
    outcome = await supabets.connector.provision(provision_order(), supabets.call())
    assert isinstance(outcome, Declined)
    assert (outcome.error_type, outcome.provider_code) == (ErrorType.TRANSACTION_DECLINED, "reservation-released")
    assert await supabets.vouchers(R1) == 0
    assert await supabets.connector.reverse(advice_order(), supabets.call()) == Acknowledged()


async def test_12_a_reversal_while_the_reservation_is_in_flight_leaves_no_orphan(supabets: Supabets) -> None:
    await supabets.fault("late_processing", op="provision", params={"ms": 5_000})
    assert isinstance(await supabets.connector.provision(provision_order(), supabets.call()), OutcomeUnknown)
    assert await supabets.connector.reverse(advice_order(), supabets.call()) == Acknowledged()
    await supabets.advance(5_001)
    assert await supabets.vouchers(R1) == 0
    status = await supabets.connector.status(status_order(sent_ms_ago=SETTLED), supabets.call())
    assert isinstance(status, NotSent)


async def test_12_a_reversal_after_the_reservation_undoes_it(supabets: Supabets) -> None:
    await supabets.sold()
    assert await supabets.connector.reverse(advice_order(), supabets.call()) == Acknowledged()
    gone = Declined(ErrorType.TRANSACTION_DECLINED, provider_message="RELEASED")
    assert await supabets.connector.status(status_order(), supabets.call()) == gone
    retried = await supabets.connector.retry(provision_order(), supabets.call())
    assert isinstance(retried, Declined)
    assert isinstance(await supabets.connector.confirm(advice_order(), supabets.call()), Refused)


# 13, the connector's part


async def test_13_a_reversal_after_the_voucher_was_spent_is_refused(supabets: Supabets) -> None:
    await supabets.sold()
    await supabets.connector.confirm(advice_order(), supabets.call())
    await supabets.world(FIRST_PIN, "REDEEM")
    refused = Refused("voucher-spent", "Voucher spent: Release refused")
    assert await supabets.connector.reverse(advice_order(), supabets.call()) == refused
    # A confirmation that comes again finds what it wanted.
    assert await supabets.connector.confirm(advice_order(), supabets.call()) == Acknowledged()


# 15: credentials


async def test_15_refused_credentials_are_not_the_originators_fault(supabets: Supabets) -> None:
    wrong = supabets.with_settings(secret="x" * 40)
    outcome = await wrong.provision(provision_order(), supabets.call())
    assert isinstance(outcome, NotSent)
    assert (outcome.error_type, outcome.alert) == (ErrorType.ROUTING_ERROR, "credentials_refused")
    for advise in (wrong.confirm, wrong.reverse):
        result = await advise(advice_order(sent_ms_ago=SETTLED), supabets.call())
        assert isinstance(result, Pending)
        assert result.alert == "credentials_refused"
    assert isinstance(await wrong.retry(provision_order(), supabets.call()), OutcomeUnknown)
    assert await supabets.heard_ops() == ["provision", "confirm", "reverse", "provision"]
    await supabets.fault("auth_fail", op="auth")
    assert isinstance(await supabets.connector.provision(provision_order(), supabets.call()), NotSent)


# 19: nowhere a PIN


async def test_19_no_pin_in_any_leg_outcome_or_file(supabets: Supabets, capfd: pytest.CaptureFixture[str]) -> None:
    connector, kept = supabets.connector, list[object]()
    for number, kind in enumerate([*SPOILT, "http", "decline", "drop_after", "late", "split"]):
        params: dict[str, Any] = {}
        if kind == "http":
            params = {"status": 409, "body": {"type": "urn:x", "detail": f"voucher {FIRST_PIN} is odd"}}
        elif kind == "decline":
            params = {"code": "credit-limit"}
        await supabets.fault(kind, params=params)
        kept.append(await connector.provision(provision_order(request_id=an_id(number)), supabets.call()))
    sold = await supabets.sold()
    assert sold.voucher is not None
    pin = sold.voucher.code
    advice = advice_order(voucher_code=pin)
    for _ in range(2):
        kept.append(await connector.confirm(advice, supabets.call()))
    await supabets.fault(
        "http",
        op="lookup",
        params={"status": 400, "body": {"type": f"urn:x:{pin}", "title": f"PIN {pin}", "note": pin}},
    )
    kept.append(await connector.lookup(lookup_order(voucher_code=pin), supabets.call()))
    assert isinstance(await connector.lookup(lookup_order(voucher_code=pin), supabets.call()), Approved)
    texts = await left_behind(supabets, kept, capfd)
    assert not any(pin in text for text in texts)
    assert any('"pin":"***"' in (leg.response or "") for leg in supabets.legs)
    assert any('"pin":"***"' in leg.request for leg in supabets.legs)


async def test_a_deadline_in_the_past_is_not_sent(supabets: Supabets) -> None:
    outcome = await supabets.connector.provision(provision_order(), supabets.call(deadline_s=-1))
    assert isinstance(outcome, NotSent)
    assert await supabets.journal() == []


async def test_another_path_or_base_is_another_provider(supabets: Supabets) -> None:
    elsewhere = supabets.with_settings(base_path="/elsewhere")
    assert isinstance(await elsewhere.provision(provision_order(), supabets.call()), OutcomeUnknown)
    answer = await http("GET", f"{supabets.simulator.url}{BASE}/nothing")
    assert (answer.status, answer.json["type"]) == (404, "urn:sim:supabets:problem:unknown-call")
