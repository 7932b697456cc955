"""The order of checks (interface.md §3.1) and the refusals of step 7."""

from typing import Any

import pytest

from support.client import BASE
from support.expect import format_refused, refused
from support.kinds import REDEMPTION, release, running
from support.messages import (
    MOBITALK,
    PROTEA,
    REMOVED,
    Json,
    a_client,
    a_confirmation,
    a_provision,
    a_redemption,
    a_refund,
    a_reversal,
    new_id,
    rand,
    without,
)
from support.originators import DOES_NOT_EXIST, OTHER, PROTEA_ONLY
from support.providers import NO_REDEEM, NO_REFUND, OWN_CODES, UNROUTED, at
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till

TOO_LARGE = b" " * 70_000


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("POST", f"{BASE}/nothing", {}, b"{}", 404),
        ("DELETE", f"{BASE}/vouchers", {}, b"{}", 405),
        ("POST", f"{BASE}/vouchers", {"content-type": "text/plain"}, b"{}", 415),
        ("POST", f"{BASE}/vouchers", {}, TOO_LARGE, 413),
    ],
    ids=["path", "method", "content type", "body size"],
)
async def test_3_1_step_2_comes_before_step_3(
    switch: Switch, method: str, path: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    answer = await switch.client.send(method, path, by=DOES_NOT_EXIST, headers=headers, body=body)

    assert answer.status == status


async def test_3_1_step_3_comes_before_step_4(switch: Switch) -> None:
    for body in (b"{", b"", b"[]"):
        assert (await switch.client.post("/vouchers", body, by=DOES_NOT_EXIST)).status == 401


async def test_3_1_step_4_comes_before_step_5_and_6(till: Till, switch: Switch) -> None:
    sale = await till.a_provisioned()

    for by in (till.by, OTHER):
        answer = await switch.client.post("/vouchers", sale.request | {"extra": 1}, by=by)
        format_refused(answer, id=sale.id, violations=[("extra", "Unrecognized field 'extra'")])


@pytest.mark.parametrize("path", ["/vouchers", "/redemptions", "/refunds"])
@pytest.mark.parametrize("advice", ["confirmations", "reversals"])
async def test_3_1_an_advice_with_a_missing_field_is_never_404(till: Till, path: str, advice: str) -> None:
    message = (a_confirmation if advice == "confirmations" else a_reversal)(new_id())

    answer = await till.post(f"{path}/{advice}", without(message, "time"))

    format_refused(answer, id=message["id"], violations=[("time", "time may not be null")])


async def test_3_1_step_5_comes_before_step_6(till: Till) -> None:
    sale = await till.a_redeemed()
    stranger: Json = {"client": a_client(OTHER)}

    for path, request in (
        ("/vouchers", sale.request | stranger),
        (f"/vouchers/{sale.id}/retry", sale.request | stranger),
        ("/redemptions", a_redemption(code=sale.code, **stranger)),
        ("/refunds", a_refund(code="unknown", **stranger)),
    ):
        refused(await till.post(path, request), 400, "AUTHENTICATION_ERROR", id=request["id"])


async def test_3_1_step_6_comes_before_step_7(till: Till) -> None:
    """Known ids and unusable vouchers, in requests that could not be routed either."""
    sale = await till.a_provisioned()
    unroutable = sale.request | {"product": {"productId": "NO SUCH PRODUCT"}}
    negative = {"amounts": {"requestAmount": rand(-1)}}

    refused(await till.post("/vouchers", unroutable), 400, "DUPLICATE_RECORD", id=sale.id)
    assert (await till.redeem(sale.code, **negative)).error_type == "VOUCHER_NOT_REDEEMABLE"
    assert (await till.refund("unknown", **negative)).error_type == "INVALID_VOUCHER"


async def test_3_1_redemptions_are_judged_in_the_order_of_their_rules(
    strict: Till, simulator: SimulatorControl
) -> None:
    """R1, R2, X1 and X2, X4, R3."""
    used, running_request = await strict.a_redeemed(), None
    running_request, answering = await running(strict, simulator, REDEMPTION)
    reversal = a_reversal(new_id())
    await strict.post("/redemptions/reversals", reversal)
    open_code, unknown = running_request["voucher"]["code"], f"X{new_id()[:13]}"

    answers = [
        await strict.redeem(unknown, id=reversal["requestId"]),
        await strict.redeem(unknown, id=used.redemption_id),
        await strict.redeem(open_code, id=reversal["requestId"]),
        await strict.redeem(open_code, id=used.redemption_id),
        await strict.redeem(used.code, id=used.redemption_id),
        await strict.redeem(open_code),
        await strict.redeem(used.code),
    ]

    assert [answer.error_type for answer in answers] == [
        "VOUCHER_NOT_REDEEMABLE",
        "VOUCHER_NOT_REDEEMABLE",
        "REDEMPTION_ALREADY_REVERSED",
        "DUPLICATE_RECORD",
        "DUPLICATE_RECORD",
        "VOUCHER_STATUS_UNKNOWN",
        "VOUCHER_ALREADY_REDEEMED",
    ]
    await release(simulator, answering)


async def test_3_1_refunds_are_judged_in_the_order_of_their_rules(strict: Till, simulator: SimulatorControl) -> None:
    """F1, X1 and X2, F6, X4, F2, F3, F4."""
    refunded = await strict.a_refunded()
    running_request, answering = await running(strict, simulator, REDEMPTION)
    reversal = a_reversal(new_id())
    await strict.post("/refunds/reversals", reversal)
    open_code, unknown = running_request["voucher"]["code"], f"X{new_id()[:13]}"

    answers = [
        await strict.refund(unknown, id=reversal["requestId"]),
        await strict.refund(unknown, id=refunded.refund_id),
        await strict.refund(unknown),
        await strict.refund(open_code, id=refunded.refund_id),
        await strict.refund(open_code),
        await strict.refund(refunded.code, id=refunded.refund_id),
        await strict.refund(refunded.code),
    ]

    assert [answer.error_type for answer in answers] == [
        "REFUND_ALREADY_REVERSED",
        "DUPLICATE_RECORD",
        "INVALID_VOUCHER",
        "DUPLICATE_RECORD",
        "VOUCHER_STATUS_UNKNOWN",
        "DUPLICATE_RECORD",
        "VOUCHER_ALREADY_REFUNDED",
    ]
    await release(simulator, answering)


STEP_7: dict[str, tuple[Json, str]] = {
    "unknown product": ({"product": "NO SUCH PRODUCT"}, "ROUTING_ERROR"),
    "unknown receiver": ({"product": None, "receiver": {"id": "99", "name": "?"}}, "ROUTING_ERROR"),
    "product of another receiver": ({"receiver": PROTEA}, "ROUTING_ERROR"),
    "neither product nor receiver": ({"product": None, "receiver": REMOVED}, "ROUTING_ERROR"),
    "receiver sold by product only": ({"product": None, "receiver": PROTEA}, "ROUTING_ERROR"),
    "no route": (at(UNROUTED), "ROUTING_ERROR"),
    "code not chosen": (at(OWN_CODES) | {"voucher": {"code": "A1"}}, "FUNCTION_NOT_SUPPORTED"),
    "no amount": ({"amounts": REMOVED}, "INVALID_AMOUNT"),
    "amount zero": ({"cents": 0}, "INVALID_AMOUNT"),
    "amount negative": ({"cents": -10_000}, "INVALID_AMOUNT"),
    "amount below": ({"cents": 99}, "INVALID_AMOUNT"),
    "amount above": ({"cents": 1_000_001}, "INVALID_AMOUNT"),
    "amount beyond all": ({"cents": 2**63 - 1}, "INVALID_AMOUNT"),
    "amount is not the fixed one": ({"product": "SBXFIX100", "cents": 9_999}, "INVALID_AMOUNT"),
    "another currency": (
        {"amounts": {"requestAmount": {"amount": 10_000, "currency": "840"}}},
        "INVALID_AMOUNT",
    ),
}


@pytest.mark.parametrize(("changes", "error_type"), STEP_7.values(), ids=STEP_7)
async def test_3_1_step_7_refuses_what_cannot_be_sent(
    till: Till, switch: Switch, simulator: SimulatorControl, changes: dict[str, Any], error_type: str
) -> None:
    request = a_provision(**changes)

    answer = await till.post("/vouchers", request)

    refused(answer, 400, error_type, id=request["id"])
    assert await switch.record(request["id"]) is None
    assert await switch.refusals(request["id"]) == 1
    assert await simulator.ops(request["id"]) == []


async def test_3_1_step_7_an_originator_sells_only_what_it_is_entitled_to(switch: Switch) -> None:
    till = Till(switch, PROTEA_ONLY)
    request = a_provision(till.by, receiver=MOBITALK)

    refused(await till.post("/vouchers", request), 400, "TRANSACTION_NOT_SUPPORTED", id=request["id"])
    assert (await till.provision(product="PROTEA100", receiver=PROTEA)).status == 201


async def test_3_1_step_7_a_provider_that_redeems_or_refunds_nothing(till: Till, simulator: SimulatorControl) -> None:
    sale = await till.a_confirmed(**at(NO_REDEEM))
    redemption = a_redemption(code=sale.code, receiver=NO_REDEEM.receiver)
    used = await till.a_used(**at(NO_REFUND))
    refund = a_refund(code=used.code, receiver=NO_REFUND.receiver)

    refused(await till.post("/redemptions", redemption), 400, "FUNCTION_NOT_SUPPORTED", id=redemption["id"])
    refused(await till.post("/refunds", refund), 400, "FUNCTION_NOT_SUPPORTED", id=refund["id"])

    assert await simulator.ops(redemption["id"]) == []
    assert await simulator.ops(refund["id"]) == []


@pytest.mark.parametrize("amount", [rand(-1), {"amount": 100, "currency": "840"}], ids=["negative", "another currency"])
async def test_3_1_step_7_a_movement_needs_an_amount_of_rand(till: Till, switch: Switch, amount: Json) -> None:
    confirmed, used = await till.a_confirmed(), await till.a_used()
    amounts: Json = {"amounts": {"requestAmount": amount}}
    redemption, refund = a_redemption(code=confirmed.code, **amounts), a_refund(code=used.code, **amounts)

    refused(await till.post("/redemptions", redemption), 400, "INVALID_AMOUNT", id=redemption["id"])
    refused(await till.post("/refunds", refund), 400, "INVALID_AMOUNT", id=refund["id"])

    assert await switch.record(redemption["id"]) is None
    assert await switch.record(refund["id"]) is None
