"""Connector and simulator together: the checks of providers.md Part D that Flash is subject to, by their numbers.

Check 8's single answers and 2's encoding are in test_flash_messages.py, 10 in test_flash_traps.py, 18 in
test_flash_statement.py; 14 and 16 need the switch or another provider. Check 19 also runs at the end of every test that
uses the `flash` fixture.
"""

import time
from typing import Any

import msgspec
import pytest

from providers.flash.flash_support import (
    ACCOUNT,
    KEY,
    PIN,
    PURCHASE_BODY,
    TOKEN_ANSWER,
    VOUCHER,
    Flash,
    advice_order,
    provision_order,
    redeem_order,
    refund_order,
)
from providers.pair_support import left_behind, unreachable
from providers.provider_support import (
    A1,
    LOST_ANSWERS,
    LOST_REQUESTS,
    R1,
    R2,
    R3,
    SAMPLE_TIME,
    SETTLED,
    SPOILT,
    STORE,
    Heard,
    an_id,
    http,
    raw_server,
)
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import ProviderProduct
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
from voucherswitch.message.parties import Store
from voucherswitch.message.trace import LegOutcome, Trace
from voucherswitch.providers.contract.connector import Call
from voucherswitch.providers.flash.connector import connect

ON: dict[str, object] = {"refund_enabled": True, "reverse_enabled": True}

# providers.md 9.4, what a request makes of it
CODES: list[tuple[str, type[Outcome], ErrorType]] = [
    ("7001", NotSent, ErrorType.GENERAL_ERROR),
    ("7002", Declined, ErrorType.INVALID_AMOUNT),
    ("7003", NotSent, ErrorType.ROUTING_ERROR),
    ("7004", NotSent, ErrorType.ROUTING_ERROR),
    ("7005", NotSent, ErrorType.DO_NOT_HONOUR),
    ("7006", NotSent, ErrorType.DO_NOT_HONOUR),
    ("7101", Declined, ErrorType.INVALID_VOUCHER),
    ("7103", Declined, ErrorType.VOUCHER_ALREADY_REDEEMED),
    ("7104", Declined, ErrorType.VOUCHER_NOT_REDEEMABLE),
    ("7105", Declined, ErrorType.VOUCHER_NOT_REDEEMABLE),
    ("7106", Declined, ErrorType.INSUFFICIENT_FUNDS),
    ("7201", OutcomeUnknown, ErrorType.DUPLICATE_RECORD),
    ("7202", OutcomeUnknown, ErrorType.VOUCHER_STATUS_UNKNOWN),
    ("7901", NotSent, ErrorType.UPSTREAM_UNAVAILABLE),
    ("7999", OutcomeUnknown, ErrorType.UPSTREAM_UNAVAILABLE),
]


# 1: the happy path of every operation


async def test_1_every_operation_with_the_samples_values(flash: Flash) -> None:
    await flash.at(SAMPLE_TIME)
    await flash.reverse_on()
    connector = flash.with_settings(**ON)

    issued = await connector.provision(provision_order(), flash.call())
    assert isinstance(issued, Approved)
    assert (issued.approved_cents, issued.provider_ref, issued.voucher) == (10_000, "9000000001", VOUCHER)
    assert issued.refs["transactionId"] == "9000000001"
    assert set(issued.refs) == {"transactionId", "firstSentAt"}

    again = await connector.retry(provision_order(sent_ms_ago=1_000), flash.call())
    assert isinstance(again, Approved)
    assert (again.voucher, again.provider_ref) == (VOUCHER, "9000000001")

    redeemed = await connector.redeem(redeem_order(), flash.call())
    assert redeemed == Approved(approved_cents=10_000, balance_cents=0, provider_ref="9000000002")

    refunded = await connector.refund(refund_order(), flash.call())
    assert isinstance(refunded, Approved)
    assert (refunded.approved_cents, refunded.provider_ref) == (10_000, "9000000003")
    assert refunded.voucher is not None
    assert (refunded.voucher.code, refunded.voucher.serial_number) == ("1111222233334445", "FS00000002")

    await connector.provision(provision_order(an_id(1)), flash.call())
    assert await connector.reverse(advice_order(an_id(1)), flash.call(advice_id=A1)) == Acknowledged()
    assert (await flash.state(reference=an_id(1)))["state"] == "Cancelled"

    assert await connector.products(flash.call()) == (
        ProviderProduct(product="1voucher", name="1Voucher", fixed=False, min_cents=100, max_cents=400_000),
        ProviderProduct(product="gift:301", name="Gift R50", fixed=True, amount_cents=5_000),
        ProviderProduct(product="gift:302", name="Gift any", fixed=False, min_cents=1_000, max_cents=100_000),
    )

    heard = await flash.heard_ops()
    assert heard == [*("token", "provision", "provision", "redeem", "refund", "provision", "reverse", "products")]
    assert [leg.operation for leg in flash.legs] == [
        *("token", "provision", "retry", "redeem", "refund", "provision", "reverse", "products")
    ]
    assert all(leg.outcome is LegOutcome.ANSWERED and leg.peer == "other" for leg in flash.legs)
    assert next(leg for leg in flash.legs if leg.operation == "reverse").advice_id == A1


async def test_1_a_gift_voucher_is_bought_by_its_product_code(flash: Flash) -> None:
    fixed = await flash.issued(product="gift:301", amount_cents=5_000)
    assert fixed.code == PIN
    ranged = await flash.issued(product="gift:302", amount_cents=7_500, request_id=R2)
    assert ranged.code == "1111222233334445"
    wrong = await flash.provision(product="gift:301", amount_cents=5_001, request_id=an_id(1))
    assert isinstance(wrong, Declined)
    assert wrong.error_type is ErrorType.INVALID_AMOUNT
    suspended = await flash.provision(product="gift:303", amount_cents=5_000, request_id=an_id(2))
    assert isinstance(suspended, NotSent)
    assert (suspended.error_type, suspended.alert) == (ErrorType.DO_NOT_HONOUR, None)
    unknown = await flash.provision(product="gift:999", amount_cents=5_000, request_id=an_id(3))
    assert isinstance(unknown, NotSent)
    assert unknown.error_type is ErrorType.ROUTING_ERROR


async def test_1_what_is_switched_off_is_never_sent(flash: Flash) -> None:
    await flash.reverse_on()
    assert await flash.connector.refund(refund_order(), flash.call()) == Declined(ErrorType.FUNCTION_NOT_SUPPORTED)
    assert isinstance(await flash.connector.reverse(advice_order(), flash.call()), Pending)
    assert await flash.journal() == []


async def test_1_what_could_never_be_taken_is_refused_before_it_is_sent(flash: Flash) -> None:
    connector, call = flash.with_settings(**ON), flash.call()
    elsewhere = Store(merchant_id="another", terminal_id="TERM0002")
    no_amount = Declined(ErrorType.INVALID_AMOUNT)
    assert await connector.provision(provision_order(amount_cents=0), call) == no_amount
    assert await connector.provision(provision_order(currency="840"), call) == no_amount
    # Flash takes no "all there is", and tells no balance to ask for.
    assert await connector.redeem(redeem_order(amount_cents=0), call) == no_amount
    assert await connector.refund(refund_order(amount_cents=0), call) == no_amount
    assert await connector.redeem(redeem_order("not-a-pin"), call) == Declined(ErrorType.INVALID_VOUCHER)
    unroutable = NotSent(ErrorType.ROUTING_ERROR)
    assert await connector.provision(provision_order(product="other"), call) == unroutable
    assert await connector.provision(provision_order(store=elsewhere), call) == unroutable
    assert await connector.redeem(redeem_order(store=elsewhere), call) == unroutable
    assert await connector.retry(provision_order(store=elsewhere, sent_ms_ago=1), call) == OutcomeUnknown(
        ErrorType.ROUTING_ERROR
    )
    assert await flash.journal() == []
    assert flash.legs == []


# 2: the bytes of the samples


async def test_2_the_wire_is_the_samples_bytes() -> None:
    """Against a server that is not ours: method, path, headers and bodies."""

    async def behave(heard: Heard, writer: Any) -> None:
        body = TOKEN_ANSWER if heard.line.startswith("POST /token") else b""
        status = 200 if body else 500
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    async with raw_server(behave) as server:
        settings = {"base_url": server.url, "api_key": KEY, "account_number": ACCOUNT}
        connector = connect("flash", settings | {"outlet_map": {STORE.merchant_id: "S001"}})
        await connector.provision(provision_order(), Call(Trace(), time.monotonic() + 10))
        await connector.close()
    token, purchase = server.heard
    assert token.line == "POST /token HTTP/1.1"
    assert token.header("Authorization") == "Basic c2ltLWNsaWVudC1pZDpleGFtcGxlLWZsYXNoLXNlY3JldA=="
    assert purchase.line == "POST /aggregation/4.0/1voucher/purchase HTTP/1.1"
    assert purchase.header("Authorization") == "Bearer sim-token-000001"
    assert purchase.header("Content-Type") == "application/json"
    assert purchase.header("Content-Length") == "133"
    assert purchase.body == PURCHASE_BODY


async def test_2_a_credential_with_one_byte_changed_is_refused(flash: Flash) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for key in (KEY[:-4] + "eA==", KEY[:-1], KEY.lower(), ""):
        headers = form | {"Authorization": f"Basic {key}"}
        answer = await http("POST", f"{flash.simulator.url}/token", b"grant_type=client_credentials", headers)
        assert answer.status == 401
    token = await flash.token()
    assert (await flash.raw("/1voucher/purchase", PURCHASE_BODY, token=token[:-1] + "2")).status == 401
    assert (await flash.raw("/1voucher/purchase", PURCHASE_BODY, token="")).status == 401
    assert (await flash.raw("/1voucher/purchase", PURCHASE_BODY, token=token)).status == 200


# 3: nothing was sent


async def test_3_a_provider_that_cannot_be_reached_is_not_sent(flash: Flash) -> None:
    async for connector in unreachable(flash, **ON):
        for outcome in (
            await connector.provision(provision_order(), flash.call()),
            await connector.redeem(redeem_order(), flash.call()),
            await connector.refund(refund_order(), flash.call()),
        ):
            assert isinstance(outcome, NotSent)
            assert (outcome.error_type, outcome.alert) == (ErrorType.UPSTREAM_UNAVAILABLE, None)
        # Other than a first message, these say nothing about the request they are about.
        retried = await connector.retry(provision_order(sent_ms_ago=1_000), flash.call())
        assert isinstance(retried, OutcomeUnknown)
        assert isinstance(await connector.reverse(advice_order(sent_ms_ago=SETTLED), flash.call()), Pending)
        assert isinstance(await connector.products(flash.call()), OutcomeUnknown)
    assert all(leg.outcome is LegOutcome.NOT_SENT for leg in flash.legs)
    assert await flash.journal() == []


async def test_3_also_with_a_token_in_hand(flash: Flash) -> None:
    await flash.fault("drop_after", op="provision")  # so that no connection is left to be used again
    assert isinstance(await flash.provision(), OutcomeUnknown)
    listener = flash.simulator.frame.listener
    listener.close(busy=True)
    try:
        outcome = await flash.provision(request_id=R2)
    finally:
        await listener.open(listener.port)
    assert isinstance(outcome, NotSent)
    assert [(leg.operation, leg.outcome) for leg in flash.traces[-1].legs] == [("provision", LegOutcome.NOT_SENT)]


# 4 and 5: sent, and no answer


@pytest.mark.parametrize("kind", LOST_ANSWERS)
async def test_4_a_lost_answer_comes_again_with_the_retry(flash: Flash, kind: str) -> None:
    connector = flash.impatient()
    await flash.fault(kind, op="provision")
    assert isinstance(await connector.provision(provision_order(), flash.call()), OutcomeUnknown)
    issued = await flash.state(reference=R1)
    for sent_ms_ago in (1_000, 2_000):
        outcome = await connector.retry(provision_order(sent_ms_ago=sent_ms_ago), flash.call())
        assert isinstance(outcome, Approved)
        assert outcome.voucher is not None
        assert outcome.voucher.code == issued["code"]
    assert await flash.vouchers(R1) == 1


@pytest.mark.parametrize("kind", LOST_REQUESTS)
async def test_5_a_lost_request_is_done_by_the_retry_and_once(flash: Flash, kind: str) -> None:
    connector = flash.impatient()
    await flash.fault(kind, op="provision", params={"ms": 60_000})
    assert isinstance(await connector.provision(provision_order(), flash.call()), OutcomeUnknown)
    outcome = await connector.retry(provision_order(sent_ms_ago=1_000), flash.call())
    assert isinstance(outcome, Approved)
    await flash.advance(60_000)  # the first one arrives now
    assert await flash.vouchers(R1) == 1
    assert isinstance(await connector.retry(provision_order(sent_ms_ago=61_000), flash.call()), Approved)
    assert await flash.vouchers(R1) == 1


@pytest.mark.parametrize("processed", [True, False])
async def test_4_and_5_http_500_and_its_retry(flash: Flash, processed: bool) -> None:
    await flash.fault("http", op="provision", params={"status": 500, "processed": processed})
    assert isinstance(await flash.provision(), OutcomeUnknown)
    assert isinstance(await flash.connector.retry(provision_order(sent_ms_ago=1), flash.call()), Approved)
    assert await flash.vouchers(R1) == 1


@pytest.mark.parametrize("kind", [*LOST_ANSWERS, *LOST_REQUESTS])
async def test_4_and_5_a_cut_retry_leaves_the_doubt(flash: Flash, kind: str) -> None:
    connector = flash.impatient()
    await flash.fault("drop_after", op="provision")
    await flash.fault(kind, op="provision", params={"ms": 60_000})
    assert isinstance(await connector.provision(provision_order(), flash.call()), OutcomeUnknown)
    assert isinstance(await connector.retry(provision_order(sent_ms_ago=1_000), flash.call()), OutcomeUnknown)
    assert isinstance(await connector.retry(provision_order(sent_ms_ago=2_000), flash.call()), Approved)
    await flash.advance(60_000)
    assert await flash.vouchers(R1) == 1


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "hang_before", "rst_after", "truncate"])
async def test_4_and_5_a_cut_redemption_or_refund_is_unknown(flash: Flash, kind: str) -> None:
    connector = flash.with_settings(read_timeout_ms=300, refund_enabled=True)
    pin = await flash.seed()
    for op in ("redeem", "refund"):
        await flash.fault(kind, op=op)
    assert isinstance(await connector.redeem(redeem_order(pin), flash.call()), OutcomeUnknown)
    assert isinstance(await connector.refund(refund_order(pin), flash.call()), OutcomeUnknown)
    assert await flash.heard_ops() == ["token", "redeem", "refund"]


# 6: late


async def test_6_late_inside_and_outside_the_read_timeout(flash: Flash) -> None:
    connector = flash.with_settings(read_timeout_ms=600)
    await flash.fault("late", op="provision", params={"ms": 200})
    assert isinstance(await connector.provision(provision_order(), flash.call()), Approved)
    await flash.fault("late", op="provision", params={"ms": 5_000})
    outcome = await connector.provision(provision_order(R2), flash.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert is None


# 7 and 8: refusals


@pytest.mark.parametrize(("code", "family", "error_type"), CODES)
async def test_7_every_listed_code(flash: Flash, code: str, family: type[Outcome], error_type: ErrorType) -> None:
    await flash.fault("decline", op="provision", params={"code": code})
    await flash.fault("decline", op="redeem", params={"code": code})
    for outcome in (await flash.provision(), await flash.connector.redeem(redeem_order(), flash.call())):
        assert isinstance(outcome, Declined | NotSent | OutcomeUnknown)
        assert (type(outcome), outcome.error_type, outcome.provider_code) == (family, error_type, code)
        assert flash.legs[-1].status == 200
        assert f'"responseCode":{code}' in (flash.legs[-1].response or "")
    assert (await flash.state())["vouchers"] == 0


async def test_7_the_refusals_of_the_books(flash: Flash) -> None:
    """The same by what the provider really finds, each with a reference of its own."""
    pins = {state: await flash.seed(state=state) for state in ("Used", "Cancelled", "Expired", "Active")}
    await flash.control("POST", "/float", {"cents": 9_999})
    outcomes = [
        await flash.provision(request_id=an_id(1), amount_cents=99),
        await flash.provision(request_id=an_id(2), amount_cents=400_001),
        await flash.provision(request_id=an_id(3)),
        *[
            await flash.connector.redeem(redeem_order(pin, cents, an_id(number)), flash.call())
            for number, (pin, cents) in enumerate(
                [
                    ("9999999999999999", 10_000),
                    (pins["Used"], 10_000),
                    (pins["Cancelled"], 10_000),
                    (pins["Expired"], 10_000),
                    (pins["Active"], 10_001),
                ],
                start=4,
            )
        ],
    ]
    codes = [getattr(outcome, "provider_code", None) for outcome in outcomes]
    assert codes == ["7002", "7002", "7005", "7101", "7103", "7104", "7105", "7106"]
    assert [entry["processed"] for entry in await flash.journal()][1:] == [False] * 8


async def test_8_an_unlisted_code_is_unknown_and_can_be_mapped(flash: Flash) -> None:
    await flash.fault("decline", op="provision", times=2, params={"code": "2401"})
    outcome = await flash.provision()
    assert outcome == OutcomeUnknown(ErrorType.UPSTREAM_UNAVAILABLE, "2401", "Refused")
    mapped = flash.with_settings(code_map={"2401": ["Declined", "LIMIT_EXCEEDED"]})
    assert await mapped.provision(provision_order(), flash.call()) == Declined(
        ErrorType.LIMIT_EXCEEDED, "2401", "Refused"
    )


@pytest.mark.parametrize("status", [500, 502, 503, 504, 302, 418, 429])
async def test_8_another_status_is_unknown(flash: Flash, status: int) -> None:
    connector = flash.with_settings(**ON)
    for op in ("provision", "redeem", "refund", "reverse", "products"):
        await flash.fault("http", op=op, times=0, params={"status": status, "body": "<html>"})
    assert isinstance(await connector.provision(provision_order(), flash.call()), OutcomeUnknown)
    assert isinstance(await connector.redeem(redeem_order(), flash.call()), OutcomeUnknown)
    assert isinstance(await connector.refund(refund_order(), flash.call()), OutcomeUnknown)
    assert isinstance(await connector.retry(provision_order(sent_ms_ago=1), flash.call()), OutcomeUnknown)
    assert isinstance(await connector.reverse(advice_order(sent_ms_ago=SETTLED), flash.call()), Pending)
    assert isinstance(await connector.products(flash.call()), OutcomeUnknown)
    assert len(await flash.journal()) == 7


async def test_8_403_means_that_our_key_lacks_the_right(flash: Flash) -> None:
    await flash.fault("http", op="provision", params={"status": 403})
    expected = NotSent(ErrorType.ROUTING_ERROR, None, "HTTP 403", alert="credentials_refused")
    assert await flash.provision() == expected
    assert await flash.heard_ops() == ["token", "provision"]  # another token would not help


# 9: spoilt answers


@pytest.mark.parametrize("kind", SPOILT)
async def test_9_a_spoilt_answer_is_unknown_alerts_and_is_not_sent_again(flash: Flash, kind: str) -> None:
    await flash.fault(kind, op="provision")
    outcome = await flash.provision()
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"
    assert await flash.heard_ops() == ["token", "provision"]
    assert await flash.vouchers(R1) == 1


@pytest.mark.parametrize("kind", SPOILT)
async def test_9_also_for_redemptions_and_refunds(flash: Flash, kind: str) -> None:
    connector = flash.with_settings(**ON)
    pin = await flash.seed()
    for op in ("redeem", "refund"):
        await flash.fault(kind, op=op)
    for outcome in (
        await connector.redeem(redeem_order(pin, 4_000), flash.call()),
        await connector.refund(refund_order(pin, 4_000), flash.call()),
    ):
        assert isinstance(outcome, OutcomeUnknown)
        assert outcome.alert == "bad_answer"
    assert await flash.heard_ops() == ["token", "redeem", "refund"]


@pytest.mark.parametrize("kind", ["malformed", "truncate", "oversize", "wrong_reference"])
async def test_9_a_spoilt_answer_to_a_reversal_keeps_it_queued(flash: Flash, kind: str) -> None:
    await flash.reverse_on()
    connector = flash.with_settings(**ON)
    await connector.provision(provision_order(), flash.call())
    await flash.fault(kind, op="reverse")
    result = await connector.reverse(advice_order(), flash.call())
    assert isinstance(result, Pending)
    assert result.alert == "bad_answer"
    assert await connector.reverse(advice_order(), flash.call()) == Acknowledged()
    assert (await flash.state())["floatCents"] == 100_000_000


# 11: advices


async def test_11_a_reversal_is_delivered_once_in_effect(flash: Flash) -> None:
    await flash.reverse_on()
    connector = flash.with_settings(**ON)
    await connector.provision(provision_order(), flash.call())
    await flash.fault("http", op="reverse", times=3, params={"status": 500})
    results = [await connector.reverse(advice_order(), flash.call(advice_id=A1)) for _ in range(5)]
    assert [type(result) for result in results] == [Pending, Pending, Pending, Acknowledged, Acknowledged]
    events = (await flash.state(reference=R1))["events"]
    assert [event["event"] for event in events] == ["Active", "Cancelled"]
    assert (await flash.state())["floatCents"] == 100_000_000
    sent = [leg for leg in flash.legs if leg.operation == "reverse"]
    assert len(sent) == 5
    assert all(f'"reference":"{A1}"' in leg.request and leg.advice_id == A1 for leg in sent)


async def test_11_the_token_fetched_for_an_advice_is_a_leg_of_it(flash: Flash) -> None:
    await flash.reverse_on()
    connector = flash.with_settings(**ON)
    await connector.reverse(advice_order(), flash.call(advice_id=A1))
    assert [(leg.operation, leg.advice_id) for leg in flash.legs] == [("token", A1), ("reverse", A1)]


# 12: reversals before, during and after


async def test_12_a_reversal_of_what_is_not_known_waits_until_it_is_settled(flash: Flash) -> None:
    await flash.reverse_on()
    connector = flash.with_settings(**ON)
    assert isinstance(await connector.reverse(advice_order(sent_ms_ago=29_999), flash.call()), Pending)
    assert await connector.reverse(advice_order(sent_ms_ago=30_000), flash.call()) == Acknowledged()


async def test_12_a_reversal_while_the_provision_is_in_flight_leaves_no_orphan(flash: Flash) -> None:
    """The reversal that came too early is not remembered: its repeat, with the same id, finds the voucher."""
    await flash.reverse_on()
    connector = flash.with_settings(**ON)
    await flash.fault("late_processing", op="provision", params={"ms": 20_000})
    assert isinstance(await connector.provision(provision_order(), flash.call()), OutcomeUnknown)
    assert isinstance(await connector.reverse(advice_order(sent_ms_ago=1_000), flash.call()), Pending)
    await flash.advance(20_000)
    assert await flash.vouchers(R1) == 1
    assert await connector.reverse(advice_order(sent_ms_ago=30_000), flash.call()) == Acknowledged()
    assert (await flash.state(reference=R1))["state"] == "Cancelled"


async def test_12_a_reversal_after_the_provision_undoes_it_by_its_id_alone(flash: Flash) -> None:
    await flash.reverse_on()
    connector = flash.with_settings(**ON)
    await flash.fault("drop_after", op="provision")
    assert isinstance(await connector.provision(provision_order(), flash.call()), OutcomeUnknown)
    assert await connector.reverse(advice_order(product=None, store=None), flash.call()) == Acknowledged()
    assert (await flash.state(reference=R1))["state"] == "Cancelled"
    used = await connector.redeem(redeem_order(), flash.call())
    assert isinstance(used, Declined)
    assert used.error_type is ErrorType.VOUCHER_NOT_REDEEMABLE


async def test_12_a_gift_voucher_takes_no_reversal(flash: Flash) -> None:
    """1Voucher's call would say "not found", which would look like done."""
    await flash.reverse_on()
    connector = flash.with_settings(**ON)
    await connector.provision(provision_order(product="gift:301", amount_cents=5_000), flash.call())
    result = await connector.reverse(advice_order(product="gift:301", sent_ms_ago=SETTLED), flash.call())
    assert result == Refused(provider_message="Flash reverses no gift vouchers")
    assert await flash.heard_ops() == ["token", "provision"]
    forced = await flash.raw("/1voucher/reverse", {"reference": A1, "originalReference": R1})
    assert forced.json["responseCode"] == 7301
    assert (await flash.state(reference=R1))["state"] == "Active"


# 13, the connector's part: a reversal after the voucher was used


async def test_13_a_reversal_after_the_voucher_was_used_is_refused(flash: Flash) -> None:
    await flash.reverse_on()
    connector = flash.with_settings(**ON)
    await connector.provision(provision_order(), flash.call())
    await flash.world(PIN, "REDEEM")
    result = await connector.reverse(advice_order(), flash.call())
    assert result == Refused("7302", "Voucher already used")


async def test_13_a_reversal_that_this_flash_does_not_take_stays_queued(flash: Flash) -> None:
    connector = flash.with_settings(**ON)
    await connector.provision(provision_order(), flash.call())
    assert await connector.reverse(advice_order(sent_ms_ago=SETTLED), flash.call()) == Pending("HTTP 404")


# 15: credentials; tokens are in test_flash_traps.py


async def test_15_a_refused_key_is_not_the_originators_fault(flash: Flash) -> None:
    expected = NotSent(ErrorType.ROUTING_ERROR, "invalid_client", "Credentials refused", alert="credentials_refused")
    wrong = flash.with_settings(api_key="YW5vdGhlcg==", **ON)
    assert await wrong.provision(provision_order(), flash.call()) == expected
    assert await wrong.redeem(redeem_order(), flash.call()) == expected
    assert await wrong.retry(provision_order(sent_ms_ago=1), flash.call()) == OutcomeUnknown(
        ErrorType.ROUTING_ERROR, "invalid_client", "Credentials refused", alert="credentials_refused"
    )
    assert await wrong.reverse(advice_order(), flash.call()) == Pending("Credentials refused", "credentials_refused")
    assert await flash.heard_ops() == ["token"] * 4
    await flash.fault("auth_fail", op="token")
    assert await flash.provision() == expected
    assert isinstance(await flash.provision(), Approved)


# 17: pieces


async def test_17_an_answer_in_single_bytes_or_slowly_is_an_approval(flash: Flash) -> None:
    await flash.fault("split", op="token", params={"sizes": [1]})
    await flash.fault("split", op="provision", params={"sizes": [1]})
    assert isinstance(await flash.provision(), Approved)
    await flash.fault("slow_bytes", op="provision", params={"ms": 100})
    assert isinstance(await flash.provision(request_id=R2), Approved)


# 19: nowhere a PIN


async def test_19_no_pin_in_any_leg_outcome_or_file(flash: Flash, capfd: pytest.CaptureFixture[str]) -> None:
    """A voucher of our choice goes through every operation and every way to fail."""
    await flash.reverse_on()
    connector, pin = flash.with_settings(read_timeout_ms=300, **ON), "4929123456781234"
    await flash.seed(code=pin)
    outcomes: list[Any] = []
    for number, kind in enumerate([*SPOILT, "http", "decline", "drop_before", "rst_before"]):
        params: dict[str, Any] = {"processed": False} if kind in ("malformed", "truncate", "oversize") else {}
        if kind == "http":
            body = {"responseCode": 7103, "responseMessage": f"PIN {pin} is odd", "voucher": pin, "echo": pin}
            params = {"status": 200, "body": body}
        elif kind == "decline":
            params = {"code": pin}
        await flash.fault(kind, op="redeem", params=params)
        outcomes.append(await connector.redeem(redeem_order(pin, 1, an_id(number)), flash.call()))
        pin = await flash.seed() if kind in SPOILT[3:] else pin
    sale = await connector.provision(provision_order(), flash.call())
    assert isinstance(sale, Approved)
    assert sale.voucher is not None
    outcomes += [
        msgspec.structs.replace(sale, voucher=None),
        await connector.redeem(redeem_order(sale.voucher.code, 10_001), flash.call()),
        await connector.reverse(advice_order(voucher_code=sale.voucher.code), flash.call()),
        await connector.redeem(redeem_order(sale.voucher.code, 10_000, R3), flash.call()),
    ]
    refund = await connector.refund(refund_order(pin, 500, an_id(99)), flash.call())
    assert isinstance(refund, Approved)
    for text in await left_behind(flash, outcomes, capfd):
        assert not [code for code in flash.codes if code in text]
    assert any('"pin":"***"' in leg.request for leg in flash.legs if leg.operation == "redeem")
    assert any('"pin":"***"' in (leg.response or "") for leg in flash.legs if leg.operation == "provision")


async def test_19_a_customers_number_is_masked_like_the_pin(flash: Flash) -> None:
    await flash.seed(code="4929123456781234")
    order = redeem_order("4929123456781234", msisdn="27821234567")
    assert isinstance(await flash.connector.redeem(order, flash.call()), Approved)
    assert '"mobileNumber":"***4567"' in flash.legs[-1].request


async def test_19_a_quoted_token_is_masked_too(flash: Flash) -> None:
    quoting = {"fault": {"description": "token sim-token-000001 is odd"}}
    await flash.fault("http", op="provision", params={"status": 400, "body": quoting})
    assert isinstance(await flash.provision(), OutcomeUnknown)
    assert "token *** is odd" in (flash.legs[-1].response or "")


async def test_a_deadline_in_the_past_is_not_sent(flash: Flash) -> None:
    for _ in range(2):  # without a token and with one
        outcome = await flash.connector.provision(provision_order(), flash.call(deadline_s=-1))
        assert isinstance(outcome, NotSent)
        await flash.issued()
    assert await flash.heard_ops() == ["token", "provision", "provision"]
