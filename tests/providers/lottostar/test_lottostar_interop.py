"""Connector and simulator together: the checks of providers.md Part D by their numbers.

16 does not concern this provider (no tender first), 18 is in test_lottostar_statement.py, and 19 also runs at the end
of every test that uses the `lottostar` fixture. 13 and 14 are the connector's part of them.
"""

from typing import Any

import pytest

from providers.lottostar.lottostar_support import (
    CODE,
    ISSUE_BODY,
    SAMPLE_EPOCH_S,
    VOUCHER,
    Lottostar,
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
    http,
    raw_server,
    status_order,
)
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import LookupOrder
from voucherswitch.message.outcomes import Acknowledged, Approved, Declined, NotSent, OutcomeUnknown, Pending, Refused
from voucherswitch.message.trace import LegOutcome
from voucherswitch.providers.contract.settings import read_settings
from voucherswitch.providers.lottostar.capabilities import CAPABILITIES
from voucherswitch.providers.lottostar.connector import LottostarConnector
from voucherswitch.providers.lottostar.settings import LottostarSettings

NONCE = "3d9f5b70-64c1-4e8a-b0d2-91a7c45e6f08"
SIGNATURE = "4a1996ba84875d3ec8ccd493583a9ae0ac5dc7d583231499c7b444e99932cae7"
# Code and operation -> what it must become (3.4). STALE_TIMESTAMP has its own tests: the first one only sets our clock.
CODES = {
    ("provision", "INVALID_AMOUNT"): Declined(ErrorType.INVALID_AMOUNT, "INVALID_AMOUNT"),
    ("provision", "INVALID_REQUEST"): NotSent(ErrorType.GENERAL_ERROR, "INVALID_REQUEST", alert="message_refused"),
    ("provision", "BAD_SIGNATURE"): NotSent(ErrorType.ROUTING_ERROR, "BAD_SIGNATURE", alert="credentials_refused"),
    ("provision", "UNKNOWN_KEY"): NotSent(ErrorType.ROUTING_ERROR, "UNKNOWN_KEY", alert="credentials_refused"),
    ("provision", "NONCE_REUSED"): OutcomeUnknown(ErrorType.DUPLICATE_RECORD, "NONCE_REUSED"),
    ("provision", "FLOAT_EXHAUSTED"): NotSent(ErrorType.DO_NOT_HONOUR, "FLOAT_EXHAUSTED", alert="float_exhausted"),
    ("lookup", "NOT_FOUND"): Declined(ErrorType.INVALID_VOUCHER, "NOT_FOUND"),
    ("provision", "STORE_UNKNOWN"): NotSent(ErrorType.ROUTING_ERROR, "STORE_UNKNOWN"),
    ("provision", "IDEMPOTENCY_MISMATCH"): OutcomeUnknown(ErrorType.DUPLICATE_RECORD, "IDEMPOTENCY_MISMATCH"),
    ("provision", "REFERENCE_VOIDED"): Declined(ErrorType.TRANSACTION_DECLINED, "REFERENCE_VOIDED"),
    ("provision", "RATE_LIMITED"): NotSent(ErrorType.UPSTREAM_UNAVAILABLE, "RATE_LIMITED"),
    ("provision", "MAINTENANCE"): NotSent(ErrorType.UPSTREAM_UNAVAILABLE, "MAINTENANCE"),
}


# 1: the happy path of every operation


async def test_1_every_operation_with_the_samples_values(lottostar: Lottostar) -> None:
    connector = lottostar.connector
    issued = await connector.provision(provision_order(), lottostar.call())
    assert isinstance(issued, Approved)
    assert issued.voucher is not None
    assert (issued.voucher.code, issued.voucher.serial_number) == (CODE, "880000000001")
    assert (issued.approved_cents, issued.provider_ref, issued.refs) == (10_000, "LSV000000000001", {})

    assert await connector.retry(provision_order(), lottostar.call()) == issued
    status = await connector.status(status_order(), lottostar.call())
    assert isinstance(status, Approved)
    assert (status.voucher, status.voucher_state) == (issued.voucher, "ACTIVE")
    found = await connector.lookup(lookup_order(), lottostar.call())
    assert isinstance(found, Approved)
    assert (found.approved_cents, found.voucher, found.voucher_state) == (10_000, issued.voucher, "ACTIVE")
    products = await connector.products(lottostar.call())
    assert not isinstance(products, OutcomeUnknown)
    assert [(one.product, one.amount_cents, one.fixed) for one in products] == [
        (f"LS{rand}", rand * 100, True) for rand in (10, 20, 50, 100, 200, 500, 1000)
    ]
    assert await connector.reverse(advice_order(), lottostar.call(advice_id=A1)) == Acknowledged()
    assert await lottostar.state_of() == "VOIDED"

    assert [(entry["op"], entry["reference"]) for entry in await lottostar.journal()] == [
        ("provision", R1),
        ("provision", R1),
        ("status", R1),
        ("lookup", ""),
        ("products", ""),
        ("reverse", R1),
    ]
    assert [leg.operation for leg in lottostar.legs] == [
        *("provision", "retry", "status", "lookup", "products", "reverse")
    ]
    assert all(leg.outcome is LegOutcome.ANSWERED and leg.peer == "lottostar" for leg in lottostar.legs)
    assert lottostar.legs[-1].advice_id == A1


# 2: worked examples


async def test_2_the_connector_sends_the_samples_request_byte_for_byte(lottostar: Lottostar) -> None:
    async with raw_server(hang_up) as server:
        settings = {"base_url": server.url, "key_id": "LSK-EXAMPLE", "secret": "example-lottostar-secret"}
        typed = read_settings(LottostarSettings, "lottostar", settings | {"outlet_map": {STORE.terminal_id: "S001"}})
        connector = LottostarConnector("lottostar", typed, clock=lambda: SAMPLE_EPOCH_S, new_nonce=lambda: NONCE)
        await connector.provision(provision_order(), lottostar.call())
        await connector.close()
    (heard,) = server.heard
    assert heard.line == "POST /partner/v1/vouchers HTTP/1.1"
    assert heard.body == ISSUE_BODY
    assert {
        name: heard.header(name)
        for name in ("Content-Type", "X-LS-Key", "X-LS-Timestamp", "X-LS-Nonce", "X-LS-Signature", "Content-Length")
    } == {
        "Content-Type": "application/json",
        "X-LS-Key": "LSK-EXAMPLE",
        "X-LS-Timestamp": "1772453716000",
        "X-LS-Nonce": NONCE,
        "X-LS-Signature": SIGNATURE,
        "Content-Length": "123",
    }


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_2_the_worked_example_is_accepted_and_refused_with_one_byte_changed(
    lottostar: Lottostar, method: str
) -> None:
    path, body, nonce, signed = "/partner/v1/vouchers", ISSUE_BODY, NONCE, SIGNATURE
    if method == "GET":
        path += f"/by-client-ref/{R1}"
        body, nonce = b"", "a7c0e5b2-0f19-4d63-8b74-5e2d1c9a3f60"
        signed = "38d12bf2a9c121be10a94e7505c3fc887be351c92871ce2c78874a1a29526700"
    await lottostar.at(SAMPLE_TIME)

    async def send(**changes: str) -> tuple[int, str]:
        headers = {
            "X-LS-Key": "LSK-EXAMPLE",
            "X-LS-Timestamp": "1772453716000",
            "X-LS-Nonce": nonce,
            "X-LS-Signature": signed,
        } | {name.replace("_", "-"): value for name, value in changes.items()}
        if body:
            headers["Content-Type"] = "application/json"
        answer = await http(method, lottostar.simulator.url + path, body or None, headers)
        return answer.status, answer.json.get("error", {}).get("code", "")

    assert await send(X_LS_Key="LSK-EXAMPLF") == (401, "UNKNOWN_KEY")
    assert await send(X_LS_Timestamp="1772453716001") == (401, "BAD_SIGNATURE")
    assert await send(X_LS_Nonce=nonce[:-1] + "1") == (401, "BAD_SIGNATURE")
    assert await send(X_LS_Signature=signed[:-1] + "1") == (401, "BAD_SIGNATURE")
    assert await send(X_LS_Signature=signed.upper()) == (401, "BAD_SIGNATURE")
    # None of these burnt the nonce.
    assert await send() == ((201, "") if method == "POST" else (404, "NOT_FOUND"))
    assert await send() == (401, "NONCE_REUSED")


# 3: nothing was sent


async def test_3_a_provider_that_cannot_be_reached_is_not_sent(lottostar: Lottostar) -> None:
    async for connector in unreachable(lottostar):
        outcome = await connector.provision(provision_order(), lottostar.call())
        assert isinstance(outcome, NotSent)
        assert (outcome.error_type, outcome.alert) == (ErrorType.UPSTREAM_UNAVAILABLE, None)
        assert lottostar.legs[-1].outcome is LegOutcome.NOT_SENT
        assert isinstance(await connector.retry(provision_order(), lottostar.call()), OutcomeUnknown)
        assert isinstance(await connector.status(status_order(sent_ms_ago=SETTLED), lottostar.call()), OutcomeUnknown)
        assert isinstance(await connector.reverse(advice_order(), lottostar.call()), Pending)
        assert isinstance(await connector.products(lottostar.call()), OutcomeUnknown)
    assert await lottostar.journal() == []


# 4 and 5: sent, and no answer


@pytest.mark.parametrize("kind", ["drop_after", "rst_after", "hang_after"])
async def test_4_a_lost_answer_is_found_by_status_and_by_retry(lottostar: Lottostar, kind: str) -> None:
    connector = lottostar.impatient()
    await lottostar.fault(kind, op="provision")
    assert isinstance(await connector.provision(provision_order(), lottostar.call()), OutcomeUnknown)
    status = await connector.status(status_order(), lottostar.call())
    retried = await connector.retry(provision_order(), lottostar.call())
    assert isinstance(status, Approved)
    assert isinstance(retried, Approved)
    assert status.voucher == retried.voucher
    assert await lottostar.vouchers() == 1


@pytest.mark.parametrize("kind", LOST_REQUESTS)
async def test_5_a_lost_request_is_proved_only_after_the_settle_time(lottostar: Lottostar, kind: str) -> None:
    connector = lottostar.impatient()
    await lottostar.fault(kind, op="provision", params={"ms": 60_000})
    assert isinstance(await connector.provision(provision_order(), lottostar.call()), OutcomeUnknown)
    assert isinstance(await connector.status(status_order(sent_ms_ago=29_999), lottostar.call()), OutcomeUnknown)
    assert isinstance(await connector.status(status_order(sent_ms_ago=30_000), lottostar.call()), NotSent)
    assert await lottostar.vouchers() == 0


# 6: late


async def test_6_late_inside_and_outside_the_read_timeout(lottostar: Lottostar) -> None:
    connector = lottostar.with_settings(read_timeout_ms=500)
    await lottostar.fault("late", params={"ms": 150})
    assert isinstance(await connector.provision(provision_order(), lottostar.call()), Approved)
    await lottostar.fault("late", params={"ms": 5_000})
    assert isinstance(await connector.provision(provision_order(R2), lottostar.call()), OutcomeUnknown)


# 7 and 8: refusals


@pytest.mark.parametrize(("case", "expected"), CODES.items())
async def test_7_every_listed_code(
    lottostar: Lottostar, case: tuple[str, str], expected: Declined | NotSent | OutcomeUnknown
) -> None:
    op, code = case
    await lottostar.fault("decline", op=op, params={"code": code})
    if op == "lookup":
        outcome = await lottostar.connector.lookup(lookup_order(), lottostar.call())
    else:
        outcome = await lottostar.provision()
    assert isinstance(outcome, Declined | NotSent | OutcomeUnknown)
    assert outcome.provider_message
    assert type(outcome)(outcome.error_type, outcome.provider_code) == type(expected)(
        expected.error_type, expected.provider_code
    )
    assert getattr(outcome, "alert", None) == getattr(expected, "alert", None)
    # The trace says why, although the name `code` is secret elsewhere.
    assert f'"code":"{code}"' in (lottostar.legs[-1].response or "")
    assert len(await lottostar.journal()) == 1
    assert (await lottostar.totals())["vouchers"] == 0


@pytest.mark.parametrize("code", ["ALREADY_REDEEMED", "VOID_WINDOW_CLOSED"])
async def test_7_a_void_that_is_refused_for_good(lottostar: Lottostar, code: str) -> None:
    await lottostar.issued()
    await lottostar.fault("decline", op="reverse", params={"code": code})
    result = await lottostar.connector.reverse(advice_order(), lottostar.call())
    assert isinstance(result, Refused)
    assert result.provider_code == code


async def test_8_an_unlisted_code_is_unknown_and_can_be_mapped(lottostar: Lottostar) -> None:
    await lottostar.fault("decline", times=2, params={"code": "NEW_CODE"})
    outcome = await lottostar.provision()
    assert isinstance(outcome, OutcomeUnknown)
    assert (outcome.error_type, outcome.provider_code) == (ErrorType.UPSTREAM_UNAVAILABLE, "NEW_CODE")
    mapped = lottostar.with_settings(code_map={"NEW_CODE": ["Declined", "LIMIT_EXCEEDED"]})
    declined = await mapped.provision(provision_order(), lottostar.call())
    assert isinstance(declined, Declined)
    assert declined.error_type is ErrorType.LIMIT_EXCEEDED


@pytest.mark.parametrize("status", [500, 502, 503, 504, 302, 418, 429, 401, 404])
async def test_8_another_status_is_unknown(lottostar: Lottostar, status: int) -> None:
    await lottostar.fault("http", times=0, params={"status": status, "body": "<html>"})
    assert isinstance(await lottostar.provision(), OutcomeUnknown)
    assert isinstance(await lottostar.connector.reverse(advice_order(), lottostar.call()), Pending)
    status_now = await lottostar.connector.status(status_order(sent_ms_ago=SETTLED), lottostar.call())
    assert isinstance(status_now, OutcomeUnknown)
    assert isinstance(await lottostar.connector.products(lottostar.call()), OutcomeUnknown)
    assert len(await lottostar.journal()) == 4


# 9: spoilt answers


@pytest.mark.parametrize("kind", SPOILT)
async def test_9_a_spoilt_answer_is_unknown_alerts_and_is_not_sent_again(lottostar: Lottostar, kind: str) -> None:
    await lottostar.fault(kind)
    outcome = await lottostar.provision()
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"
    assert len(await lottostar.journal()) == 1
    assert await lottostar.vouchers() == 1
    retried = await lottostar.connector.retry(provision_order(), lottostar.call())
    assert isinstance(retried, Approved)
    assert await lottostar.vouchers() == 1


# 10: the same reference again


async def test_10_the_same_reference_brings_the_same_voucher_for_ever(lottostar: Lottostar) -> None:
    first = await lottostar.provision()
    assert await lottostar.provision() == first
    await lottostar.advance(400 * 24 * 3_600_000)
    old = provision_order(sent_ms_ago=400 * 24 * 3_600_000)
    assert await lottostar.connector.retry(old, lottostar.call()) == first
    other = await lottostar.connector.retry(provision_order(amount_cents=5_000), lottostar.call())
    assert other == OutcomeUnknown(
        ErrorType.DUPLICATE_RECORD, "IDEMPOTENCY_MISMATCH", "Reference was used with other values"
    )
    assert await lottostar.vouchers() == 1


# 11: advices


async def test_11_a_void_is_delivered_once_in_effect(lottostar: Lottostar) -> None:
    await lottostar.issued()
    await lottostar.fault("http", op="reverse", times=3, params={"status": 500})
    results = [await lottostar.connector.reverse(advice_order(), lottostar.call(advice_id=A1)) for _ in range(5)]
    assert [type(result) for result in results] == [Pending, Pending, Pending, Acknowledged, Acknowledged]
    state = (await lottostar.control("GET", "/state", reference=R1)).json
    assert [event["event"] for event in state["events"]] == ["ACTIVE", "VOIDED"]
    assert (await lottostar.totals())["floatCents"] == 100_000_000
    sent = [leg for leg in lottostar.legs if leg.operation == "reverse"]
    assert len(sent) == 5
    assert all(A1 in leg.request and leg.advice_id == A1 for leg in sent)


# 12: reversals before, during and after: see also test_lottostar_traps.py


async def test_12_a_void_while_the_provision_is_in_flight_leaves_no_orphan(lottostar: Lottostar) -> None:
    await lottostar.fault("late_processing", op="provision", params={"ms": 5_000})
    assert isinstance(await lottostar.provision(), OutcomeUnknown)
    assert await lottostar.connector.reverse(advice_order(), lottostar.call()) == Acknowledged()
    await lottostar.advance(5_000)
    assert await lottostar.vouchers() == 0
    status = await lottostar.connector.status(status_order(sent_ms_ago=SETTLED), lottostar.call())
    assert isinstance(status, NotSent)


async def test_12_a_void_after_the_provision_undoes_it(lottostar: Lottostar) -> None:
    await lottostar.issued()
    assert await lottostar.connector.reverse(advice_order(), lottostar.call()) == Acknowledged()
    gone = Declined(ErrorType.TRANSACTION_DECLINED, provider_message="VOIDED")
    assert await lottostar.connector.status(status_order(), lottostar.call()) == gone
    retried = await lottostar.connector.retry(provision_order(), lottostar.call())
    assert retried == Declined(ErrorType.TRANSACTION_DECLINED, "REFERENCE_VOIDED", "Reference was voided")


# 13, the connector's part


async def test_13_a_void_after_the_voucher_was_spent_is_refused(lottostar: Lottostar) -> None:
    code = (await lottostar.issued()).code
    await lottostar.world(code, "REDEEM")
    result = await lottostar.connector.reverse(advice_order(), lottostar.call())
    assert result == Refused("ALREADY_REDEEMED", "Voucher was spent")


# 14, the connector's part


async def test_14_what_the_record_does_not_have_sends_nothing(lottostar: Lottostar) -> None:
    connector, call = lottostar.connector, lottostar.call()
    assert connector.capabilities == CAPABILITIES
    assert isinstance(await connector.confirm(advice_order(), call), Pending)
    for by in (LookupOrder(serial_number="880000000001"), LookupOrder(provision_id=R1)):
        outcome = await connector.lookup(by, call)
        assert isinstance(outcome, Declined)
        assert outcome.error_type is ErrorType.FUNCTION_NOT_SUPPORTED
    assert await lottostar.journal() == []


# 15: credentials


async def test_15_refused_credentials_are_not_the_originators_fault(lottostar: Lottostar) -> None:
    await lottostar.fault("auth_fail", op="auth")
    expected = NotSent(ErrorType.ROUTING_ERROR, "BAD_SIGNATURE", "Signature refused", alert="credentials_refused")
    assert await lottostar.provision() == expected
    wrong = lottostar.with_settings(secret="another-secret")
    assert await wrong.provision(provision_order(), lottostar.call()) == expected
    assert await wrong.reverse(advice_order(), lottostar.call()) == Pending(
        cause="BAD_SIGNATURE Signature refused", alert="credentials_refused"
    )
    assert isinstance(await wrong.retry(provision_order(), lottostar.call()), OutcomeUnknown)
    assert isinstance(await wrong.lookup(lookup_order(), lottostar.call()), NotSent)
    other = await lottostar.with_settings(key_id="LSK-OTHER").provision(provision_order(), lottostar.call())
    assert isinstance(other, NotSent)
    assert other.provider_code == "UNKNOWN_KEY"
    assert (await lottostar.totals())["vouchers"] == 0
    assert len(await lottostar.journal()) == 6


# 17: pieces


async def test_17_an_answer_in_single_bytes_or_slowly_is_an_approval(lottostar: Lottostar) -> None:
    await lottostar.fault("split", params={"sizes": [1]})
    assert isinstance(await lottostar.provision(), Approved)
    await lottostar.fault("slow_bytes", params={"ms": 100})
    assert isinstance(await lottostar.provision(request_id=R2), Approved)


# 19: nowhere a PIN


async def test_19_no_code_and_no_secret_in_any_leg_outcome_or_file(
    lottostar: Lottostar, capfd: pytest.CaptureFixture[str]
) -> None:
    connector, outcomes = lottostar.connector, list[Any]()
    kinds = [*SPOILT, "drop_after"]
    for number, kind in enumerate(kinds):
        await lottostar.fault(kind)
        outcomes.append(await lottostar.provision(request_id=an_id(number)))
    code = (await lottostar.issued()).code
    for status, body in (
        (200, f"voucher {code} is odd"),
        (404, {"error": {"code": "NOT_FOUND", "message": f"no {code}"}}),
        (200, {"serial": code, "valueCents": 1, "status": code}),
    ):
        await lottostar.fault("http", params={"status": status, "body": body})
        outcomes.append(await connector.lookup(lookup_order(code), lottostar.call()))
    found = await connector.lookup(lookup_order(code), lottostar.call())
    assert isinstance(found, Approved)
    outcomes.append(await connector.reverse(advice_order(voucher_code=code), lottostar.call()))
    codes = [voucher.code for voucher in lottostar.simulator.provider.book]
    assert len(codes) == len(kinds) + 1
    for text in await left_behind(lottostar, outcomes, capfd):
        assert not any(one in text for one in codes)
        assert "example-lottostar-secret" not in text
    assert any('"code":"***"' in (leg.response or "") for leg in lottostar.legs)
    assert any('"code":"***"' in leg.request for leg in lottostar.legs)


# What is refused before anything is sent


async def test_what_cannot_be_asked_is_not_sent(lottostar: Lottostar) -> None:
    connector, call = lottostar.connector, lottostar.call()
    for order in (provision_order(currency="840"), provision_order(amount_cents=0), provision_order(amount_cents=-100)):
        assert await connector.provision(order, call) == Declined(ErrorType.INVALID_AMOUNT)
        assert await connector.retry(order, call) == Declined(ErrorType.INVALID_AMOUNT)
    nowhere = lottostar.with_settings(outlet_map={})
    assert await nowhere.provision(provision_order(), call) == NotSent(ErrorType.ROUTING_ERROR)
    assert isinstance(await nowhere.retry(provision_order(), call), OutcomeUnknown)
    assert await connector.provision(provision_order(product=""), call) == NotSent(ErrorType.ROUTING_ERROR)
    assert await connector.lookup(lookup_order("not-a-code"), call) == Declined(ErrorType.INVALID_VOUCHER)
    late = await connector.provision(provision_order(), lottostar.call(deadline_s=-1))
    assert isinstance(late, NotSent)
    assert await lottostar.journal() == []


async def test_an_unknown_store_is_our_maps_fault(lottostar: Lottostar) -> None:
    outcome = await lottostar.with_settings(outlet_map={STORE.terminal_id: "S999"}).provision(
        provision_order(), lottostar.call()
    )
    assert outcome == NotSent(ErrorType.ROUTING_ERROR, "STORE_UNKNOWN", "No such store")


async def test_the_sample_voucher_at_the_sample_time(lottostar: Lottostar) -> None:
    await lottostar.at(SAMPLE_TIME)
    # The simulator's clock is years off ours: the connector learns that on the way.
    assert await lottostar.issued() == VOUCHER
