"""Connector and simulator together: the checks of providers.md Part D that Betway is subject to, by their numbers.

Checks 2 and 7 are also in test_betway_translate.py, 18 is in test_betway_statement.py, 16 in test_betway_traps.py; 14
does not apply. Where the answer to the order matters, orders are fulfilled at once (201); those that are polled are in
test_betway_traps.py. Check 19 also runs at the end of every test that uses the `betway` fixture.
"""

from typing import Any
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace

from providers.betway.betway_support import (
    BASE,
    EXPIRES_AT,
    FIRST_ORDER,
    FIRST_PIN,
    FIRST_SERIAL,
    FULFIL_MS,
    SAMPLE_BODY,
    SAMPLE_CORRELATION,
    SAMPLE_FULFILLED,
    SAMPLE_PENDING,
    Betway,
    code_of,
    provision_order,
    settings_of,
)
from providers.pair_support import left_behind, unreachable
from providers.provider_support import (
    A1,
    CUTS,
    R1,
    R2,
    SAMPLE_TIME,
    SETTLED,
    SPOILT,
    Heard,
    advice_order,
    an_id,
    lookup_order,
    raw_server,
    status_order,
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
from voucherswitch.message.parties import Voucher
from voucherswitch.message.trace import LegOutcome
from voucherswitch.providers.betway.capabilities import CAPABILITIES
from voucherswitch.providers.betway.connector import connect
from voucherswitch.providers.betway.kit import PROFILE
from voucherswitch.providers.betway.simulator import TOKEN
from voucherswitch.providers.contract.capabilities import Support
from voucherswitch.providers.contract.connector import ProviderSettingsError

VOUCHER = Voucher(code=FIRST_PIN, serial_number=FIRST_SERIAL, expires_at=EXPIRES_AT)


@pytest.fixture
async def at_once(betway: Betway) -> Betway:
    """Betway that fulfils every order in the answer to it."""
    await betway.profile(immediatePercent=100)
    return betway


def test_the_record_is_the_sections() -> None:
    native = {"provision", "retry", "status", "confirm", "reverse", "lookup", "products"}
    for name in CAPABILITIES.__struct_fields__:
        value = getattr(CAPABILITIES, name)
        if isinstance(value, bool):
            assert value is (name == "tender_first")
        else:
            assert value is (Support.NATIVE if name in native else Support.NONE)


# 1 and 2: the happy path of every operation, the samples


async def test_1_every_operation_with_the_samples_values(betway: Betway) -> None:
    connector = betway.connector
    await betway.at(SAMPLE_TIME)
    async with betway.in_flight(connector.provision(provision_order(), betway.call())) as sale:
        await betway.heard("poll")
        await betway.advance(FULFIL_MS)
        issued = await sale
    assert issued == Approved(
        approved_cents=10_000,
        balance_cents=10_000,
        voucher=VOUCHER,
        provider_ref=FIRST_ORDER,
        refs={"orderId": FIRST_ORDER, "serial": FIRST_SERIAL},
    )
    assert await connector.retry(provision_order(sent_ms_ago=1_000), betway.call()) == issued
    status = await connector.status(status_order(), betway.call())
    assert status == replace(issued, voucher_state="FULFILLED")
    found = await connector.lookup(lookup_order(voucher_code=FIRST_PIN), betway.call())
    assert found == Approved(approved_cents=10_000, balance_cents=10_000, voucher=VOUCHER, voucher_state="ACTIVE")
    assert await connector.confirm(advice_order(), betway.call(advice_id=A1)) == Acknowledged()
    listed = await connector.products(betway.call())
    assert not isinstance(listed, OutcomeUnknown)
    assert [(one.product, one.fixed, one.amount_cents, one.min_cents, one.max_cents) for one in listed] == [
        ("BW-ANY", False, None, 1_000, 500_000),
        ("BW-50", True, 5_000, None, None),
    ]
    await betway.sold(R2)
    assert await connector.reverse(advice_order(R2), betway.call(advice_id=A1)) == Acknowledged()
    heard = await betway.heard_ops()
    assert [op for op in heard if op != "poll"] == [
        *("provision", "retry", "status", "lookup", "confirm", "products", "provision", "reverse")
    ]
    assert [leg.operation for leg in betway.legs] == [op if op != "poll" else "provision" for op in heard]
    assert all(leg.outcome is LegOutcome.ANSWERED and leg.peer == "betway" for leg in betway.legs)
    assert [leg.advice_id for leg in betway.legs if leg.operation in ("confirm", "reverse")] == [A1, A1]


async def test_1_the_samples_answers_come_back(betway: Betway) -> None:
    await betway.at(SAMPLE_TIME)
    headers = {"X-Correlation-Id": SAMPLE_CORRELATION}
    answer = await betway.raw("POST", "/orders", SAMPLE_BODY.encode(), headers)
    assert (answer.status, answer.body.decode()) == (202, SAMPLE_PENDING)
    assert answer.headers["x-correlation-id"] == SAMPLE_CORRELATION
    assert (await betway.poll()).body == answer.body
    await betway.advance(FULFIL_MS)
    done = await betway.poll()
    assert (done.status, done.json) == (200, msgspec.json.decode(SAMPLE_FULFILLED))
    again = await betway.raw("POST", "/orders", SAMPLE_BODY.encode())
    assert (again.status, again.body) == (200, done.body)


async def test_1_the_samples_error_body(at_once: Betway) -> None:
    await at_once.order()
    await at_once.advance(301_000)
    answer = await at_once.cancel()
    assert answer.status == 409
    assert answer.json == {"error": {"code": "REVERSAL_WINDOW_CLOSED", "message": "Cancel refused"}}


async def test_1_the_samples_request_goes_over_the_wire(betway: Betway) -> None:
    """Line, headers and body of the sample; each request has a correlation id of its own."""

    async def answer(heard: Heard, writer: Any) -> None:
        writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")

    async with raw_server(answer) as server:
        connector = connect("betway", settings_of(betway.simulator) | {"base_url": server.url})
        await connector.provision(provision_order(), betway.call())
        await connector.status(status_order(), betway.call())
        await connector.confirm(advice_order(), betway.call())
        await connector.reverse(advice_order(), betway.call())
        await connector.products(betway.call())
        await connector.close()
    order, *others = server.heard
    assert order.line == f"POST {BASE}/orders HTTP/1.1"
    assert (order.header("content-type"), order.header("content-length")) == ("application/json", "254")
    at = msgspec.json.decode(order.body)["requestedAt"]
    assert order.body.decode() == SAMPLE_BODY.replace("2026-03-02T14:15:16+02:00", at)
    assert at.endswith("+02:00")
    assert [heard.line.rpartition(" ")[0] for heard in others] == [
        f"GET {BASE}/orders?externalId={R1}",
        f"POST {BASE}/orders/by-external-id/{R1}/acknowledge",
        f"POST {BASE}/orders/by-external-id/{R1}/cancel",
        f"GET {BASE}/skus",
    ]
    assert {heard.header("authorization") for heard in server.heard} == {f"Bearer {TOKEN}"}
    correlations = {heard.header("x-correlation-id") for heard in server.heard}
    assert len({str(UUID(one)) for one in correlations if one}) == 5


async def test_2_a_token_with_one_byte_changed_is_refused(betway: Betway) -> None:
    assert (await betway.raw("GET", "/skus")).status == 200
    for place in range(len(TOKEN)):
        wrong = TOKEN[:place] + chr(ord(TOKEN[place]) ^ 1) + TOKEN[place + 1 :]
        answer = await betway.raw("GET", "/skus", headers={"Authorization": f"Bearer {wrong}"})
        assert code_of(answer) == (401, "TOKEN_INVALID")
    for wrong_header in (None, "Bearer", f"bearer {TOKEN}", f"Bearer {TOKEN}x", f"Basic {TOKEN}"):
        assert (await betway.raw("GET", "/skus", headers={"Authorization": wrong_header})).status == 401


async def test_operations_that_the_record_does_not_have_send_nothing(betway: Betway) -> None:
    connector = betway.connector
    for name in (lookup_order(serial_number=FIRST_SERIAL), lookup_order(provision_id=R1)):
        assert await connector.lookup(name, betway.call()) == Declined(ErrorType.FUNCTION_NOT_SUPPORTED)
    assert await connector.lookup(lookup_order(voucher_code="12"), betway.call()) == Declined(ErrorType.INVALID_VOUCHER)
    order: Any = None
    assert await connector.redeem(order, betway.call()) == Declined(ErrorType.FUNCTION_NOT_SUPPORTED)
    assert await betway.journal() == []


async def test_what_cannot_be_routed_or_is_no_rand_is_not_sent(betway: Betway) -> None:
    nowhere = betway.with_settings(outlet_map={})
    assert await nowhere.provision(provision_order(), betway.call()) == NotSent(ErrorType.ROUTING_ERROR)
    assert await betway.connector.provision(provision_order(""), betway.call()) == NotSent(ErrorType.ROUTING_ERROR)
    assert await nowhere.retry(provision_order(), betway.call()) == OutcomeUnknown(ErrorType.ROUTING_ERROR)
    for wrong in (replace(provision_order(), currency="840"), provision_order(amount_cents=0)):
        assert await betway.connector.provision(wrong, betway.call()) == Declined(ErrorType.INVALID_AMOUNT)
    assert await betway.journal() == []


# 3: nothing was sent


async def test_3_a_provider_that_cannot_be_reached_is_not_sent(betway: Betway) -> None:
    async for connector in unreachable(betway):
        outcome = await connector.provision(provision_order(), betway.call())
        assert isinstance(outcome, NotSent)
        assert (outcome.error_type, outcome.alert) == (ErrorType.UPSTREAM_UNAVAILABLE, None)
        assert isinstance(await connector.retry(provision_order(), betway.call()), OutcomeUnknown)
        assert isinstance(await connector.status(status_order(sent_ms_ago=SETTLED), betway.call()), OutcomeUnknown)
        for advise in (connector.confirm, connector.reverse):
            assert isinstance(await advise(advice_order(sent_ms_ago=SETTLED), betway.call()), Pending)
        assert isinstance(await connector.products(betway.call()), OutcomeUnknown)
    assert await betway.journal() == []


# 4, 5, 10: cut at every point, then retry and status


@pytest.mark.parametrize(("kind", "processed"), CUTS.items())
async def test_4_and_5_a_cut_order_and_its_retry_make_one_voucher(at_once: Betway, kind: str, processed: bool) -> None:
    connector = at_once.impatient()
    params = {"late_processing": {"ms": 60_000}, "http": {"status": 500, "processed": True}}.get(kind, {})
    await at_once.fault(kind, op="provision", params=params)
    first = await connector.provision(provision_order(), at_once.call())
    assert isinstance(first, OutcomeUnknown)
    early = await connector.status(status_order(sent_ms_ago=29_999), at_once.call())
    if processed:
        assert isinstance(early, Approved)
        assert early.voucher is not None
        assert early.voucher.code == FIRST_PIN
    else:
        assert isinstance(early, OutcomeUnknown)
        assert isinstance(await connector.status(status_order(sent_ms_ago=30_000), at_once.call()), NotSent)
    resent = await connector.retry(provision_order(sent_ms_ago=1_000), at_once.call())
    assert isinstance(resent, Approved)
    # What was still on its way arrives now.
    await at_once.advance(61_000)
    assert await at_once.vouchers(R1) == 1
    found = await connector.status(status_order(), at_once.call())
    assert isinstance(found, Approved)
    assert found.voucher == resent.voucher


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "rst_after"])
async def test_a_resend_that_is_lost_leaves_the_doubt(at_once: Betway, kind: str) -> None:
    await at_once.fault("drop_after", op="provision")
    await at_once.fault(kind, op="retry")
    await at_once.connector.provision(provision_order(), at_once.call())
    assert isinstance(await at_once.connector.retry(provision_order(), at_once.call()), OutcomeUnknown)
    assert await at_once.vouchers(R1) == 1


# 6 and 17: late and in pieces


async def test_6_late_inside_and_outside_the_read_timeout(at_once: Betway) -> None:
    connector = at_once.with_settings(read_timeout_ms=600)
    await at_once.fault("late", params={"ms": 200})
    assert isinstance(await connector.provision(provision_order(), at_once.call()), Approved)
    await at_once.fault("late", params={"ms": 5_000})
    assert isinstance(await connector.provision(provision_order(request_id=R2), at_once.call()), OutcomeUnknown)


async def test_17_an_answer_in_single_bytes_or_slowly_is_an_approval(at_once: Betway) -> None:
    # Its own connection: the simulator is still busy with it for a moment after the last byte.
    connector = at_once.with_settings()
    await at_once.fault("split", params={"sizes": [1]})
    assert isinstance(await connector.provision(provision_order(), at_once.call()), Approved)
    await at_once.fault("slow_bytes", params={"ms": 100})
    assert isinstance(await connector.provision(provision_order(request_id=R2), at_once.call()), Approved)


# 7 and 8: refusals


async def test_7_every_listed_code_over_the_wire(betway: Betway) -> None:
    """Reasons come by a poll, the other codes in the answer to the order."""
    await betway.profile(fulfilAfterMs=0)
    for number, case in enumerate(case for case in PROFILE.codes if case.op == "provision"):
        await betway.fault("decline", op="provision", params={"code": case.code})
        outcome = await betway.connector.provision(provision_order(request_id=an_id(number)), betway.call())
        assert isinstance(outcome, Declined | NotSent | OutcomeUnknown), case.code
        assert (type(outcome).__name__, outcome.error_type) == (case.family.value, case.error_type)
        assert (outcome.provider_code, getattr(outcome, "alert", None)) == (case.code, case.alert)
        if "error" in (betway.legs[-1].response or ""):
            # The trace says why, although the name `code` is secret elsewhere.
            assert f'"code":"{case.code}"' in (betway.legs[-1].response or "") or case.code == "THROTTLED"
    assert (await betway.state())["vouchers"] == 0


@pytest.mark.parametrize("status", [500, 502, 503, 504, 302, 418])
async def test_8_another_status_is_unknown(betway: Betway, status: int) -> None:
    await betway.fault("http", times=0, params={"status": status, "body": "<html>"})
    connector = betway.connector
    assert isinstance(await connector.provision(provision_order(), betway.call()), OutcomeUnknown)
    assert isinstance(await connector.retry(provision_order(), betway.call()), OutcomeUnknown)
    assert isinstance(await connector.status(status_order(sent_ms_ago=SETTLED), betway.call()), OutcomeUnknown)
    for advise in (connector.confirm, connector.reverse):
        assert isinstance(await advise(advice_order(sent_ms_ago=SETTLED), betway.call()), Pending)
    assert len(await betway.journal()) == 5


async def test_8_an_unlisted_code_is_unknown_and_can_be_mapped(betway: Betway) -> None:
    await betway.fault("decline", times=2, params={"code": "NEW_RULE"})
    outcome = await betway.connector.provision(provision_order(), betway.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert (outcome.error_type, outcome.provider_code) == (ErrorType.UPSTREAM_UNAVAILABLE, "NEW_RULE")
    mapped = betway.with_settings(code_map={"NEW_RULE": ["Declined", "LIMIT_EXCEEDED"]})
    declined = await mapped.provision(provision_order(), betway.call())
    assert isinstance(declined, Declined)
    assert declined.error_type is ErrorType.LIMIT_EXCEEDED


# 9: spoilt answers


@pytest.mark.parametrize("immediate", [0, 100], ids=["accepted", "at once"])
@pytest.mark.parametrize("kind", SPOILT)
async def test_9_a_spoilt_answer_is_unknown_alerts_and_is_not_sent_again(
    betway: Betway, kind: str, immediate: int
) -> None:
    await betway.profile(immediatePercent=immediate)
    await betway.fault(kind)
    outcome = await betway.connector.provision(provision_order(), betway.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"
    assert await betway.heard_ops() == ["provision"]
    await betway.advance(FULFIL_MS)
    assert await betway.vouchers(R1) == 1
    assert isinstance(await betway.connector.status(status_order(), betway.call()), Approved)


@pytest.mark.parametrize("kind", ["malformed", "truncate", "oversize", "wrong_reference"])
@pytest.mark.parametrize("op", ["confirm", "reverse"])
async def test_9_a_spoilt_answer_keeps_an_advice(betway: Betway, op: str, kind: str) -> None:
    await betway.sold()
    await betway.fault(kind, op=op)
    result = await getattr(betway.connector, op)(advice_order(), betway.call())
    assert isinstance(result, Pending)
    assert result.alert == "bad_answer"
    assert await getattr(betway.connector, op)(advice_order(), betway.call()) == Acknowledged()


async def test_9_a_spoilt_lookup_tells_nothing(betway: Betway) -> None:
    await betway.sold()
    for kind in ("malformed", "truncate", "oversize"):
        await betway.fault(kind, op="lookup")
        outcome = await betway.connector.lookup(lookup_order(voucher_code=FIRST_PIN), betway.call())
        assert isinstance(outcome, OutcomeUnknown)
        assert outcome.alert == "bad_answer"


# 11: advices


@pytest.mark.parametrize("op", ["confirm", "reverse"])
@pytest.mark.parametrize("processed", [False, True])
async def test_11_an_advice_is_delivered_once_in_effect(betway: Betway, op: str, processed: bool) -> None:
    await betway.sold()
    await betway.fault("http", op=op, times=3, params={"status": 500, "processed": processed})
    deliver = getattr(betway.connector, op)
    results = [await deliver(advice_order(), betway.call(advice_id=A1)) for _ in range(5)]
    assert [type(result) for result in results] == [Pending, Pending, Pending, Acknowledged, Acknowledged]
    state = await betway.state(reference=R1)
    assert state["state"] == ("ACTIVE" if op == "confirm" else "CANCELLED")
    assert (await betway.state())["floatCents"] == (99_990_000 if op == "confirm" else 100_000_000)
    sent = [leg for leg in betway.legs if leg.operation == op]
    assert len(sent) == 5
    assert all(f'"adviceId":"{A1}"' in leg.request and leg.advice_id == A1 for leg in sent)


# 12: reversals before, during and after


async def test_12_a_reversal_before_the_order_refuses_it(betway: Betway) -> None:
    assert await betway.connector.reverse(advice_order(), betway.call()) == Acknowledged()
    outcome = await betway.connector.provision(provision_order(), betway.call())
    assert isinstance(outcome, Declined)
    assert (outcome.error_type, outcome.provider_code) == (ErrorType.TRANSACTION_DECLINED, "EXTERNAL_ID_CANCELLED")
    assert await betway.vouchers(R1) == 0


async def test_12_a_reversal_while_the_order_is_in_flight_leaves_no_orphan(at_once: Betway) -> None:
    await at_once.fault("late_processing", op="provision", params={"ms": 5_000})
    assert isinstance(await at_once.connector.provision(provision_order(), at_once.call()), OutcomeUnknown)
    assert await at_once.connector.reverse(advice_order(), at_once.call()) == Acknowledged()
    await at_once.advance(5_001)
    assert await at_once.vouchers(R1) == 0
    status = await at_once.connector.status(status_order(sent_ms_ago=SETTLED), at_once.call())
    assert isinstance(status, NotSent)


async def test_12_a_reversal_after_the_order_undoes_it(betway: Betway) -> None:
    await betway.sold()
    assert await betway.connector.reverse(advice_order(), betway.call()) == Acknowledged()
    gone = Declined(ErrorType.TRANSACTION_DECLINED, provider_message="CANCELLED")
    assert await betway.connector.status(status_order(), betway.call()) == gone
    assert await betway.connector.retry(provision_order(), betway.call()) == gone
    assert await betway.connector.confirm(advice_order(), betway.call()) == Refused(
        "EXTERNAL_ID_CANCELLED", "External id cancelled"
    )


# 13, the connector's part


async def test_13_a_reversal_after_the_voucher_was_used_is_refused(betway: Betway) -> None:
    await betway.sold()
    await betway.world(FIRST_PIN, "REDEEM")
    refused = Refused("VOUCHER_USED", "Cancel refused")
    assert await betway.connector.reverse(advice_order(), betway.call()) == refused
    assert await betway.connector.confirm(advice_order(), betway.call()) == Acknowledged()


# 15: credentials


async def test_15_refused_credentials_are_not_the_originators_fault(betway: Betway) -> None:
    wrong = betway.with_settings(token="another-token")
    outcome = await wrong.provision(provision_order(), betway.call())
    assert outcome == NotSent(ErrorType.ROUTING_ERROR, "TOKEN_INVALID", "Token invalid", "credentials_refused")
    for advise in (wrong.confirm, wrong.reverse):
        result = await advise(advice_order(sent_ms_ago=SETTLED), betway.call())
        assert isinstance(result, Pending)
        assert result.alert == "credentials_refused"
    assert isinstance(await wrong.retry(provision_order(), betway.call()), OutcomeUnknown)
    assert len(await betway.journal()) == 4
    await betway.fault("auth_fail", op="auth")
    assert isinstance(await betway.connector.provision(provision_order(), betway.call()), NotSent)


async def test_15_a_refused_address_is_not_the_originators_fault(betway: Betway) -> None:
    await betway.profile(blockedIps=["127.0.0.1"])
    outcome = await betway.connector.provision(provision_order(), betway.call())
    assert outcome == NotSent(ErrorType.ROUTING_ERROR, "IP_NOT_ALLOWED", "Ip not allowed", "credentials_refused")
    await betway.profile(blockedIps=["127.0.0.2"])
    await betway.sold()


# 19: nowhere a PIN


async def test_19_no_pin_in_any_leg_outcome_or_file(at_once: Betway, capfd: pytest.CaptureFixture[str]) -> None:
    betway, connector, kept = at_once, at_once.connector, list[object]()
    for number, kind in enumerate([*SPOILT, "http", "decline", "drop_after", "late", "split"]):
        params: dict[str, Any] = {}
        if kind == "http":
            params = {"status": 409, "body": {"error": {"code": FIRST_PIN, "message": f"voucher {FIRST_PIN} is odd"}}}
        elif kind == "decline":
            params = {"code": "CREDIT_EXHAUSTED"}
        await betway.fault(kind, params=params)
        kept.append(await connector.provision(provision_order(request_id=an_id(number)), betway.call()))
    sold = await betway.sold()
    assert sold.voucher is not None
    pin = sold.voucher.code
    kept.append(await connector.confirm(advice_order(voucher_code=pin), betway.call()))
    quoting = {"error": {"code": pin, "message": f"PIN {pin}", "note": pin}}
    await betway.fault("http", op="lookup", params={"status": 400, "body": quoting})
    kept.append(await connector.lookup(lookup_order(voucher_code=pin), betway.call()))
    assert isinstance(await connector.lookup(lookup_order(voucher_code=pin), betway.call()), Approved)
    texts = await left_behind(betway, kept, capfd)
    assert not any(pin in text or FIRST_PIN in text for text in texts)
    assert any('"pin":"***"' in (leg.response or "") for leg in betway.legs)
    assert any('"pin":"***"' in leg.request for leg in betway.legs)


async def test_a_deadline_in_the_past_is_not_sent(betway: Betway) -> None:
    assert isinstance(await betway.connector.provision(provision_order(), betway.call(deadline_s=-1)), NotSent)
    assert await betway.journal() == []


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("token", ..., "providers.betway.token is missing"),
        ("token", "two words", "providers.betway.token"),
        ("poll_min_ms", 0, "providers.betway.poll_min_ms"),
        ("poll_min_ms", 6_000, "poll_min_ms is above poll_max_ms"),
        ("cancel_pending_after_s", -1, "providers.betway.cancel_pending_after_s"),
        ("polls", 7, "is not a setting"),
    ],
)
def test_a_wrong_setting_is_refused_by_name_and_never_quoted(key: str, value: object, says: str) -> None:
    settings: dict[str, object] = {"base_url": "http://127.0.0.1:1", "token": TOKEN, key: value}
    with pytest.raises(ProviderSettingsError, match=says) as refused:
        connect("betway", {name: one for name, one in settings.items() if one is not ...})
    assert TOKEN not in str(refused.value)
    assert "two words" not in str(refused.value)
