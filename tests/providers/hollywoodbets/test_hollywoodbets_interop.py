"""Connector and simulator together: the checks of providers.md Part D by their numbers.

16 does not concern this provider (no tender first), 18 is in test_hollywoodbets_statement.py, and 19 also runs at the
end of every test that uses the `hollywoodbets` fixture. 13 and 14 are the connector's part of them.
"""

from typing import Any

import pytest

from providers.hollywoodbets.hollywoodbets_support import (
    AUTHORIZATION,
    HOUR_MS,
    ISSUE_BODY,
    PIN,
    SAMPLE_EPOCH_S,
    VOUCHER,
    Hollywoodbets,
    lookup_order,
    provision_order,
)
from providers.pair_support import left_behind, unreachable
from providers.provider_support import (
    A1,
    LOST_REQUESTS,
    R1,
    R2,
    SAMPLE_TIME,
    SETTLED,
    SPOILT,
    STORE,
    advice_order,
    an_id,
    hang_up,
    raw_server,
    status_order,
)
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import LookupOrder
from voucherswitch.message.outcomes import Acknowledged, Approved, Declined, NotSent, OutcomeUnknown, Pending, Refused
from voucherswitch.message.trace import LegOutcome
from voucherswitch.providers.contract.settings import read_settings
from voucherswitch.providers.hollywoodbets.capabilities import CAPABILITIES
from voucherswitch.providers.hollywoodbets.connector import HollywoodbetsConnector
from voucherswitch.providers.hollywoodbets.settings import HollywoodbetsSettings

# Operation and code -> what it must become (4.4).
CODES = {
    ("provision", "HB10"): NotSent(ErrorType.ROUTING_ERROR, "HB10"),
    ("provision", "HB11"): Declined(ErrorType.INVALID_AMOUNT, "HB11"),
    ("provision", "HB12"): NotSent(ErrorType.DO_NOT_HONOUR, "HB12"),
    ("provision", "HB13"): OutcomeUnknown(ErrorType.DUPLICATE_RECORD, "HB13"),
    ("provision", "HB16"): NotSent(ErrorType.DO_NOT_HONOUR, "HB16", alert="float_exhausted"),
    ("lookup", "HB20"): Declined(ErrorType.INVALID_VOUCHER, "HB20"),
    ("provision", "HB30"): OutcomeUnknown(ErrorType.VOUCHER_STATUS_UNKNOWN, "HB30"),
    ("provision", "HB50"): NotSent(ErrorType.GENERAL_ERROR, "HB50", alert="message_refused"),
    ("provision", "HB90"): NotSent(ErrorType.UPSTREAM_UNAVAILABLE, "HB90"),
    ("provision", "HB99"): OutcomeUnknown(ErrorType.UPSTREAM_UNAVAILABLE, "HB99"),
}


# 1: the happy path of every operation


async def test_1_every_operation_with_the_samples_values(hollywoodbets: Hollywoodbets) -> None:
    connector = hollywoodbets.connector
    await hollywoodbets.at(SAMPLE_TIME)
    issued = await connector.provision(provision_order(), hollywoodbets.call())
    assert issued == Approved(approved_cents=10_000, balance_cents=10_000, voucher=VOUCHER, provider_ref="51000001")

    assert await connector.retry(provision_order(), hollywoodbets.call()) == issued
    status = await connector.status(status_order(), hollywoodbets.call())
    assert isinstance(status, Approved)
    assert (status.voucher, status.voucher_state) == (VOUCHER, "UNUSED")
    found = await connector.lookup(lookup_order(), hollywoodbets.call())
    assert found == Approved(approved_cents=10_000, balance_cents=10_000, voucher=VOUCHER, voucher_state="UNUSED")
    products = await connector.products(hollywoodbets.call())
    assert not isinstance(products, OutcomeUnknown)
    assert [(one.product, one.amount_cents, one.fixed) for one in products] == [
        (f"{rand}.00", rand * 100, True) for rand in (10, 20, 50, 100, 200, 500, 1000)
    ]
    assert await connector.reverse(advice_order(), hollywoodbets.call(advice_id=A1)) == Acknowledged()
    assert await hollywoodbets.state_of() == "BLOCKED"

    journal = await hollywoodbets.journal()
    assert [(entry["op"], entry["reference"], entry["status"], entry["processed"]) for entry in journal] == [
        ("provision", R1, 200, True),
        ("provision", R1, 200, True),
        ("status", R1, 200, True),
        ("lookup", "", 200, True),
        ("products", "", 200, True),
        ("reverse", R1, 200, True),
    ]
    operations = ["provision", "retry", "status", "lookup", "products", "reverse"]
    assert [leg.operation for leg in hollywoodbets.legs] == operations
    assert all(leg.outcome is LegOutcome.ANSWERED and leg.peer == "hollywoodbets" for leg in hollywoodbets.legs)
    assert hollywoodbets.legs[-1].advice_id == A1


# 2: worked examples


async def test_2_the_connector_sends_the_samples_request_byte_for_byte(hollywoodbets: Hollywoodbets) -> None:
    async with raw_server(hang_up) as server:
        settings = {"base_url": server.url, "partner": "sim-partner", "password": "example-hb-password"}
        typed = read_settings(HollywoodbetsSettings, "hwb", settings | {"outlet_map": {STORE.terminal_id: "S001"}})
        connector = HollywoodbetsConnector("hwb", typed, clock=lambda: SAMPLE_EPOCH_S)
        await connector.provision(provision_order(), hollywoodbets.call())
        await connector.close()
    (heard,) = server.heard
    assert heard.line == "POST /retail-topup/v1/issues HTTP/1.1"
    assert heard.body == ISSUE_BODY
    assert {name: heard.header(name) for name in ("Authorization", "Content-Type", "Content-Length")} == {
        "Authorization": AUTHORIZATION,
        "Content-Type": "application/json; charset=utf-8",
        "Content-Length": "140",
    }


async def test_2_the_worked_example_is_accepted_and_refused_with_one_byte_changed(
    hollywoodbets: Hollywoodbets,
) -> None:
    changes = (AUTHORIZATION[:-3] + "Y==", AUTHORIZATION[:-1], AUTHORIZATION + "=", AUTHORIZATION.lower(), "")
    for authorization in changes:
        refused = await hollywoodbets.raw("POST", "/issues", ISSUE_BODY, {"Authorization": authorization})
        assert (refused.status, refused.body) == (401, b"")
        assert refused.headers["www-authenticate"].startswith("Basic realm=")
    accepted = await hollywoodbets.raw("POST", "/issues", ISSUE_BODY, {"Authorization": AUTHORIZATION})
    assert (accepted.status, accepted.json["resultCode"]) == (200, "HB00")


# 3: nothing was sent


async def test_3_a_provider_that_cannot_be_reached_is_not_sent(hollywoodbets: Hollywoodbets) -> None:
    async for connector in unreachable(hollywoodbets):
        outcome = await connector.provision(provision_order(), hollywoodbets.call())
        assert isinstance(outcome, NotSent)
        assert (outcome.error_type, outcome.alert) == (ErrorType.UPSTREAM_UNAVAILABLE, None)
        assert hollywoodbets.legs[-1].outcome is LegOutcome.NOT_SENT
        for age_ms in (0, 100 * HOUR_MS):
            order = provision_order(sent_ms_ago=age_ms)
            assert isinstance(await connector.retry(order, hollywoodbets.call()), OutcomeUnknown)
        asked = await connector.status(status_order(sent_ms_ago=SETTLED), hollywoodbets.call())
        assert isinstance(asked, OutcomeUnknown)
        assert isinstance(await connector.reverse(advice_order(), hollywoodbets.call()), Pending)
        assert isinstance(await connector.products(hollywoodbets.call()), OutcomeUnknown)
    assert await hollywoodbets.journal() == []


# 4 and 5: sent, and no answer


@pytest.mark.parametrize("kind", ["drop_after", "rst_after", "hang_after"])
async def test_4_a_lost_answer_is_found_by_status_and_by_retry(hollywoodbets: Hollywoodbets, kind: str) -> None:
    connector = hollywoodbets.impatient()
    await hollywoodbets.fault(kind, op="provision")
    assert isinstance(await connector.provision(provision_order(), hollywoodbets.call()), OutcomeUnknown)
    status = await connector.status(status_order(), hollywoodbets.call())
    retried = await connector.retry(provision_order(), hollywoodbets.call())
    assert isinstance(status, Approved)
    assert isinstance(retried, Approved)
    assert status.voucher == retried.voucher
    assert await hollywoodbets.vouchers() == 1


@pytest.mark.parametrize("kind", LOST_REQUESTS)
async def test_5_a_lost_request_is_proved_only_after_the_settle_time(hollywoodbets: Hollywoodbets, kind: str) -> None:
    connector = hollywoodbets.impatient()
    await hollywoodbets.fault(kind, op="provision", params={"ms": 60_000})
    assert isinstance(await connector.provision(provision_order(), hollywoodbets.call()), OutcomeUnknown)
    early = await connector.status(status_order(sent_ms_ago=29_999), hollywoodbets.call())
    assert isinstance(early, OutcomeUnknown)
    assert isinstance(await connector.status(status_order(sent_ms_ago=30_000), hollywoodbets.call()), NotSent)
    assert await hollywoodbets.vouchers() == 0


# 6: late


async def test_6_late_inside_and_outside_the_read_timeout(hollywoodbets: Hollywoodbets) -> None:
    connector = hollywoodbets.with_settings(read_timeout_ms=500)
    await hollywoodbets.fault("late", params={"ms": 150})
    assert isinstance(await connector.provision(provision_order(), hollywoodbets.call()), Approved)
    await hollywoodbets.fault("late", params={"ms": 5_000})
    assert isinstance(await connector.provision(provision_order(R2), hollywoodbets.call()), OutcomeUnknown)


# 7 and 8: refusals


@pytest.mark.parametrize(("case", "expected"), CODES.items())
async def test_7_every_listed_code(
    hollywoodbets: Hollywoodbets, case: tuple[str, str], expected: Declined | NotSent | OutcomeUnknown
) -> None:
    op, code = case
    await hollywoodbets.fault("decline", op=op, params={"code": code})
    if op == "lookup":
        outcome = await hollywoodbets.connector.lookup(lookup_order(), hollywoodbets.call())
    else:
        outcome = await hollywoodbets.provision()
    assert isinstance(outcome, Declined | NotSent | OutcomeUnknown)
    assert outcome.provider_message
    assert type(outcome)(outcome.error_type, outcome.provider_code) == type(expected)(
        expected.error_type, expected.provider_code
    )
    assert getattr(outcome, "alert", None) == getattr(expected, "alert", None)
    (entry,) = await hollywoodbets.journal()
    # HTTP 200, and nothing took effect.
    assert (hollywoodbets.legs[-1].status, entry["processed"]) == (200, False)
    assert (await hollywoodbets.totals())["vouchers"] == 0


@pytest.mark.parametrize("code", ["HB14", "HB15"])
async def test_7_a_block_that_is_refused_for_good(hollywoodbets: Hollywoodbets, code: str) -> None:
    await hollywoodbets.issued()
    await hollywoodbets.fault("decline", op="reverse", params={"code": code})
    result = await hollywoodbets.connector.reverse(advice_order(), hollywoodbets.call())
    assert isinstance(result, Refused)
    assert result.provider_code == code


async def test_8_an_unlisted_code_is_unknown_and_can_be_mapped(hollywoodbets: Hollywoodbets) -> None:
    await hollywoodbets.fault("decline", times=2, params={"code": "HB77"})
    outcome = await hollywoodbets.provision()
    assert isinstance(outcome, OutcomeUnknown)
    assert (outcome.error_type, outcome.provider_code) == (ErrorType.UPSTREAM_UNAVAILABLE, "HB77")
    mapped = hollywoodbets.with_settings(code_map={"HB77": ["Declined", "LIMIT_EXCEEDED"]})
    declined = await mapped.provision(provision_order(), hollywoodbets.call())
    assert isinstance(declined, Declined)
    assert declined.error_type is ErrorType.LIMIT_EXCEEDED


@pytest.mark.parametrize("status", [500, 502, 503, 504, 302, 418, 429, 404])
async def test_8_another_status_is_unknown(hollywoodbets: Hollywoodbets, status: int) -> None:
    body = {"resultCode": "HB90", "resultText": "nothing was booked"}
    await hollywoodbets.fault("http", times=0, params={"status": status, "body": body})
    assert isinstance(await hollywoodbets.provision(), OutcomeUnknown)
    assert isinstance(await hollywoodbets.connector.reverse(advice_order(), hollywoodbets.call()), Pending)
    asked = await hollywoodbets.connector.status(status_order(sent_ms_ago=SETTLED), hollywoodbets.call())
    assert isinstance(asked, OutcomeUnknown)
    assert isinstance(await hollywoodbets.connector.products(hollywoodbets.call()), OutcomeUnknown)
    assert len(await hollywoodbets.journal()) == 4


# 9: spoilt answers


@pytest.mark.parametrize(
    "kind",
    [*SPOILT, "number_pin"],
)
async def test_9_a_spoilt_answer_is_unknown_alerts_and_is_not_sent_again(
    hollywoodbets: Hollywoodbets, kind: str
) -> None:
    await hollywoodbets.fault(kind)
    outcome = await hollywoodbets.provision()
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"
    assert len(await hollywoodbets.journal()) == 1
    assert await hollywoodbets.vouchers() == 1
    retried = await hollywoodbets.connector.retry(provision_order(), hollywoodbets.call())
    assert isinstance(retried, Approved)
    assert await hollywoodbets.vouchers() == 1


# 10: the same reference again: see also test_hollywoodbets_traps.py


async def test_10_the_same_reference_brings_the_same_voucher_inside_the_window(hollywoodbets: Hollywoodbets) -> None:
    first = await hollywoodbets.provision()
    assert await hollywoodbets.provision() == first
    await hollywoodbets.advance(22 * HOUR_MS)
    old = provision_order(sent_ms_ago=22 * HOUR_MS)
    assert await hollywoodbets.connector.retry(old, hollywoodbets.call()) == first
    other = await hollywoodbets.connector.retry(provision_order(amount_cents=5_000), hollywoodbets.call())
    assert other == OutcomeUnknown(ErrorType.DUPLICATE_RECORD, "HB13", "Reference was used with other data")
    assert await hollywoodbets.vouchers() == 1


# 11: advices


async def test_11_a_block_is_delivered_once_in_effect(hollywoodbets: Hollywoodbets) -> None:
    await hollywoodbets.issued()
    await hollywoodbets.fault("http", op="reverse", times=3, params={"status": 500})
    connector = hollywoodbets.connector
    results = [await connector.reverse(advice_order(), hollywoodbets.call(advice_id=A1)) for _ in range(5)]
    assert [type(result) for result in results] == [Pending, Pending, Pending, Acknowledged, Acknowledged]
    state = (await hollywoodbets.control("GET", "/state", reference=R1)).json
    assert [event["event"] for event in state["events"]] == ["UNUSED", "BLOCKED"]
    assert (await hollywoodbets.totals())["floatCents"] == 100_000_000
    sent = [leg for leg in hollywoodbets.legs if leg.operation == "reverse"]
    assert len(sent) == 5
    assert all(A1 in leg.request and leg.advice_id == A1 for leg in sent)


# 12: reversals before, during and after


async def test_12_a_block_before_and_during_the_provision_waits_for_the_settle_time(
    hollywoodbets: Hollywoodbets,
) -> None:
    """There is no tombstone: acknowledged at once, the block would leave the voucher of the late request behind."""
    connector = hollywoodbets.connector
    await hollywoodbets.fault("late_processing", op="provision", params={"ms": 5_000})
    assert isinstance(await hollywoodbets.provision(), OutcomeUnknown)
    first = await connector.reverse(advice_order(sent_ms_ago=100), hollywoodbets.call())
    assert first == Pending(cause="HB40 Reference is not known")
    await hollywoodbets.advance(5_000)
    assert await hollywoodbets.state_of() == "UNUSED"
    assert await connector.reverse(advice_order(sent_ms_ago=5_100), hollywoodbets.call()) == Acknowledged()
    assert await hollywoodbets.state_of() == "BLOCKED"


async def test_12_a_block_of_what_never_came_is_done_once_settled(hollywoodbets: Hollywoodbets) -> None:
    connector = hollywoodbets.connector
    assert isinstance(await connector.reverse(advice_order(sent_ms_ago=29_999), hollywoodbets.call()), Pending)
    assert await connector.reverse(advice_order(sent_ms_ago=30_000), hollywoodbets.call()) == Acknowledged()


async def test_12_a_block_after_the_provision_undoes_it(hollywoodbets: Hollywoodbets) -> None:
    await hollywoodbets.issued()
    assert await hollywoodbets.connector.reverse(advice_order(), hollywoodbets.call()) == Acknowledged()
    gone = Declined(ErrorType.TRANSACTION_DECLINED, provider_message="BLOCKED")
    assert await hollywoodbets.connector.status(status_order(), hollywoodbets.call()) == gone
    assert await hollywoodbets.connector.retry(provision_order(), hollywoodbets.call()) == gone
    assert await hollywoodbets.vouchers() == 1


# 13, the connector's part


async def test_13_a_block_after_the_voucher_was_used_is_refused(hollywoodbets: Hollywoodbets) -> None:
    pin = (await hollywoodbets.issued()).code
    await hollywoodbets.world(pin, "REDEEM")
    result = await hollywoodbets.connector.reverse(advice_order(), hollywoodbets.call())
    assert result == Refused("HB14", "Voucher was used, block refused")


# 14, the connector's part


async def test_14_what_the_record_does_not_have_sends_nothing(hollywoodbets: Hollywoodbets) -> None:
    connector, call = hollywoodbets.connector, hollywoodbets.call()
    assert connector.capabilities == CAPABILITIES
    assert isinstance(await connector.confirm(advice_order(), call), Pending)
    for by in (LookupOrder(serial_number="4100000001"), LookupOrder(provision_id=R1)):
        outcome = await connector.lookup(by, call)
        assert isinstance(outcome, Declined)
        assert outcome.error_type is ErrorType.FUNCTION_NOT_SUPPORTED
    assert await hollywoodbets.journal() == []


# 15: credentials


async def test_15_refused_credentials_are_not_the_originators_fault(hollywoodbets: Hollywoodbets) -> None:
    await hollywoodbets.fault("auth_fail", op="auth")
    expected = NotSent(ErrorType.ROUTING_ERROR, "401", "credentials refused", alert="credentials_refused")
    assert await hollywoodbets.provision() == expected
    wrong = hollywoodbets.with_settings(password="another-password")
    assert await wrong.provision(provision_order(), hollywoodbets.call()) == expected
    assert await wrong.reverse(advice_order(), hollywoodbets.call()) == Pending(
        cause="401 credentials refused", alert="credentials_refused"
    )
    assert isinstance(await wrong.retry(provision_order(), hollywoodbets.call()), OutcomeUnknown)
    assert await wrong.lookup(lookup_order(), hollywoodbets.call()) == expected
    assert (await hollywoodbets.totals())["vouchers"] == 0


# 17: pieces


async def test_17_an_answer_in_single_bytes_or_slowly_is_an_approval(hollywoodbets: Hollywoodbets) -> None:
    await hollywoodbets.fault("split", params={"sizes": [1]})
    assert isinstance(await hollywoodbets.provision(), Approved)
    await hollywoodbets.fault("slow_bytes", params={"ms": 100})
    assert isinstance(await hollywoodbets.provision(request_id=R2), Approved)


# 19: nowhere a PIN


async def test_19_no_pin_and_no_credential_in_any_leg_outcome_or_file(
    hollywoodbets: Hollywoodbets, capfd: pytest.CaptureFixture[str]
) -> None:
    connector, outcomes = hollywoodbets.connector, list[Any]()
    kinds = [*SPOILT, "number_pin"]
    for number, kind in enumerate(kinds):
        await hollywoodbets.fault(kind)
        outcomes.append(await hollywoodbets.provision(request_id=an_id(number)))
    pin = (await hollywoodbets.issued()).code
    for body in (
        f"PIN {pin} is odd",
        {"resultCode": "HB20", "resultText": f"no {pin}"},
        {"resultCode": pin, "resultText": pin},
        {"resultCode": "HB00", "faceValue": "1.00", "state": pin, "pin": int(pin)},
    ):
        await hollywoodbets.fault("http", params={"status": 200, "body": body})
        outcomes.append(await connector.lookup(lookup_order(pin), hollywoodbets.call()))
    found = await connector.lookup(lookup_order(pin), hollywoodbets.call())
    assert isinstance(found, Approved)
    outcomes.append(await connector.reverse(advice_order(voucher_code=pin), hollywoodbets.call()))
    pins = [voucher.code for voucher in hollywoodbets.simulator.provider.book]
    assert len(pins) == len(kinds) + 1
    for text in await left_behind(hollywoodbets, outcomes, capfd):
        assert not any(one in text or str(int(one)) in text for one in pins)
        assert "example-hb-password" not in text
        assert "Basic " not in text
    assert any('"pin":"***"' in (leg.response or "") for leg in hollywoodbets.legs)
    assert any('"pin":"***"' in leg.request for leg in hollywoodbets.legs)


# What is refused before anything is sent


async def test_what_cannot_be_asked_is_not_sent(hollywoodbets: Hollywoodbets) -> None:
    connector, call = hollywoodbets.connector, hollywoodbets.call()
    for order in (provision_order(currency="840"), provision_order(amount_cents=0), provision_order(amount_cents=-100)):
        assert await connector.provision(order, call) == Declined(ErrorType.INVALID_AMOUNT)
        assert await connector.retry(order, call) == Declined(ErrorType.INVALID_AMOUNT)
    nowhere = hollywoodbets.with_settings(outlet_map={})
    assert await nowhere.provision(provision_order(), call) == NotSent(ErrorType.ROUTING_ERROR)
    assert isinstance(await nowhere.retry(provision_order(), call), OutcomeUnknown)
    assert await connector.provision(provision_order(product=""), call) == NotSent(ErrorType.ROUTING_ERROR)
    assert await connector.lookup(lookup_order("0047"), call) == Declined(ErrorType.INVALID_VOUCHER)
    late = await connector.provision(provision_order(), hollywoodbets.call(deadline_s=-1))
    assert isinstance(late, NotSent)
    assert await hollywoodbets.journal() == []


async def test_what_the_provider_refuses_is_told_as_the_table_says(hollywoodbets: Hollywoodbets) -> None:
    elsewhere = hollywoodbets.with_settings(outlet_map={STORE.terminal_id: "S999"})
    outcome = await elsewhere.provision(provision_order(), hollywoodbets.call())
    assert outcome == NotSent(ErrorType.ROUTING_ERROR, "HB10", "Outlet is not known")
    out_of_stock = await hollywoodbets.provision(amount_cents=20_000)
    assert out_of_stock == NotSent(ErrorType.DO_NOT_HONOUR, "HB12", "No stock of this face value")
    odd = await hollywoodbets.provision(amount_cents=12_345)
    assert odd == Declined(ErrorType.INVALID_AMOUNT, "HB11", "Face value is not sold")
    unknown = await hollywoodbets.connector.lookup(lookup_order(PIN), hollywoodbets.call())
    assert unknown == Declined(ErrorType.INVALID_VOUCHER, "HB20", "PIN is not known")
