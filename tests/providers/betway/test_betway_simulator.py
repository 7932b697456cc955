"""The simulated Betway by its own rules: forms, order of checks, profiles, time, the world, the float."""

from typing import Any

import pytest

from providers.betway.betway_support import FIRST_PIN, FULFIL_MS, SAMPLE_BODY, Betway, code_of
from providers.provider_support import A1, R1, R2, SAMPLE_TIME, an_id
from voucherswitch.providers import registry
from voucherswitch.providers.betway.simulator import PORT, start

CASH = {"reference": "S", "type": "CASH", "minor": 10_000}


@pytest.mark.parametrize(
    "change",
    [
        {"externalId": "short"},
        {"externalId": R1.upper()},
        {"skuId": ""},
        {"skuId": "x" * 21},
        {"quantity": 2},
        {"quantity": "1"},
        {"unitAmount": {"currency": "USD", "minor": 10_000}},
        {"unitAmount": {"currency": "ZAR", "minor": "10000"}},
        {"unitAmount": {"currency": "ZAR", "minor": 0}},
        {"unitAmount": ...},
        {"outlet": "x" * 13},
        {"outlet": ...},
        {"tender": CASH | {"reference": ""}},
        {"tender": CASH | {"reference": "x" * 41}},
        {"tender": CASH | {"type": "x" * 21}},
        {"tender": CASH | {"more": 1}},
        {"requestedAt": "2026-03-02T14:15:16"},
        {"requestedAt": "yesterday"},
        {"requestedAt": ...},
        {"more": 1},
    ],
)
async def test_a_message_of_another_form_is_refused(betway: Betway, change: dict[str, Any]) -> None:
    assert code_of(await betway.order(**change)) == (400, "BAD_REQUEST")


async def test_a_request_says_who_asks_and_what_its_body_is(betway: Betway) -> None:
    body = SAMPLE_BODY.encode()
    refused = [
        await betway.raw("POST", "/orders", body, {"Content-Type": "text/plain"}),
        await betway.raw("POST", "/orders", body, {"X-Correlation-Id": None}),
        await betway.raw("POST", "/orders", body, {"X-Correlation-Id": "1"}),
        await betway.raw("POST", "/orders", b"[" * 10_000),
        await betway.raw("GET", "/skus", b"{}"),
        await betway.raw("POST", f"/orders/by-external-id/{R1}/cancel", {"adviceId": A1}),
        await betway.raw("POST", f"/orders/by-external-id/{R1}/acknowledge", {"adviceId": A1, "reason": "TIMEOUT"}),
        await betway.raw("POST", "/vouchers/validate", {"pin": "1"}),
    ]
    assert [code_of(answer) for answer in refused] == [(400, "BAD_REQUEST")] * len(refused)


async def test_checks_come_in_their_order(betway: Betway) -> None:
    """Each request is wrong in every later way too."""
    await betway.profile(blockedIps=["127.0.0.1"], fulfilAfterMs=0)
    wrong_key = await betway.raw("POST", "/orders", b"{", {"Authorization": "Bearer x"})
    wrong_place = await betway.raw("POST", "/orders", b"{")
    await betway.profile(blockedIps=[])
    unread = await betway.raw("POST", "/orders", b"{")
    assert [code_of(one) for one in (wrong_key, wrong_place, unread)] == [
        (401, "TOKEN_INVALID"),
        (403, "IP_NOT_ALLOWED"),
        (400, "BAD_REQUEST"),
    ]
    await betway.order(R2)
    await betway.control("POST", "/float", {"cents": 0})
    wrong = {"skuId": "NONE", "outlet": "S999", "unitAmount": {"currency": "ZAR", "minor": 5}, "tender": CASH}
    assert code_of(await betway.order(R2, **wrong, more=...)) == (409, "EXTERNAL_ID_CONFLICT")
    assert code_of(await betway.order(R1, **(wrong | {"tender": ...}))) == (422, "TENDER_MISSING")
    found = []
    changes: list[dict[str, Any]] = [{}, {"outlet": "S001"}, {"skuId": "BW-ANY"}]
    changes.append({"unitAmount": {"currency": "ZAR", "minor": 10_000}})
    for number, change in enumerate(changes):
        wrong |= change
        order_id = (await betway.order(an_id(number), **wrong)).json["orderId"]
        found.append((await betway.poll(order_id)).json["reason"])
    assert found == ["OUTLET_BLOCKED", "SKU_UNKNOWN", "AMOUNT_RANGE", "CREDIT_EXHAUSTED"]


async def test_orders_are_fulfilled_by_the_clock_in_their_order(betway: Betway) -> None:
    for number in range(3):
        assert (await betway.order(an_id(number))).json["orderId"] == f"BW-{number + 1:08d}"
        await betway.advance(100)
    assert (await betway.poll()).json["state"] == "PENDING"
    await betway.advance(FULFIL_MS)
    shown = [(await betway.poll(f"BW-{number:08d}")).json["voucher"] for number in (3, 2, 1)]
    assert [one["pin"] for one in shown] == ["5550001003", "5550001002", "5550001001"]
    assert [one["serial"] for one in shown] == ["BWS000000003", "BWS000000002", "BWS000000001"]
    await betway.control("POST", "/reset")
    await betway.order()
    await betway.advance(FULFIL_MS)
    assert (await betway.poll()).json["voucher"]["pin"] == FIRST_PIN


@pytest.mark.parametrize(("percent", "at_once"), [(0, 0), (30, 3), (50, 5), (100, 10)])
async def test_a_share_of_orders_is_fulfilled_at_once(betway: Betway, percent: int, at_once: int) -> None:
    await betway.profile(immediatePercent=percent)
    statuses = [(await betway.order(an_id(number))).status for number in range(10)]
    assert (statuses.count(201), statuses.count(202)) == (at_once, 10 - at_once)


async def test_profiles_are_read_strictly_and_stay(betway: Betway) -> None:
    for wrong in ({"immediatePercent": 101}, {"fulfilAfterMs": -1}, {"pollAfterMs": "0"}, {"more": 1}):
        assert (await betway.control("POST", "/profile", wrong)).status == 400
    await betway.profile(pollAfterMs=60_000)
    await betway.control("POST", "/reset")
    assert (await betway.order()).json["pollAfterMs"] == 60_000


async def test_the_float_is_taken_when_an_order_is_fulfilled(betway: Betway) -> None:
    await betway.order()
    totals = await betway.state()
    assert (totals["floatCents"], totals["orders"]["PENDING"], totals["vouchers"]) == (100_000_000, 1, 0)
    await betway.advance(FULFIL_MS)
    assert (await betway.state())["floatCents"] == 99_990_000
    await betway.cancel()
    totals = await betway.state()
    assert (totals["floatCents"], totals["orders"]["CANCELLED"]) == (100_000_000, 1)


async def test_two_orders_for_the_last_of_the_float(betway: Betway) -> None:
    await betway.control("POST", "/float", {"cents": 15_000})
    await betway.order(R1)
    await betway.order(R2)
    await betway.advance(FULFIL_MS)
    states = [(await betway.poll(order_id)).json["state"] for order_id in ("BW-00000001", "BW-00000002")]
    assert states == ["FULFILLED", "REJECTED"]


async def test_questions_and_their_addresses(betway: Betway) -> None:
    await betway.order()
    found = await betway.raw("GET", f"/orders?externalId={R1}")
    assert found.body == (await betway.poll()).body
    assert code_of(await betway.poll("BW-99999999")) == (404, "ORDER_UNKNOWN")
    assert code_of(await betway.raw("GET", f"/orders?externalId={R2}")) == (404, "ORDER_UNKNOWN")
    for path in ("/orders", "/orders?id=1", f"/orders?externalId={R1}&more=1", "/nothing", "/orders/a/b"):
        assert code_of(await betway.raw("GET", path)) == (404, "UNKNOWN_CALL")
    assert code_of(await betway.raw("POST", f"/orders/by-external-id/{R1}/burn", {})) == (404, "UNKNOWN_CALL")


async def test_a_voucher_sold_elsewhere_can_be_checked(betway: Betway) -> None:
    seeded = await betway.control("POST", "/vouchers", {"valueCents": 5_000, "code": "5559999999"})
    assert seeded.status == 201
    checked = (await betway.raw("POST", "/vouchers/validate", {"pin": "5559999999"})).json
    assert (checked["amount"], checked["state"]) == ({"currency": "ZAR", "minor": 5_000}, "ACTIVE")
    for wrong in ({"code": "12"}, {"code": "\u0665559999999"}, {"productRef": "NONE"}, {"state": "SOLD"}):
        assert (await betway.control("POST", "/vouchers", {"valueCents": 5_000} | wrong)).status == 400
    assert code_of(await betway.raw("POST", "/vouchers/validate", {"pin": "5551111111"})) == (404, "VOUCHER_UNKNOWN")


async def test_the_world_uses_and_ends_vouchers(betway: Betway) -> None:
    await betway.sold()
    await betway.sold(R2)
    await betway.world(FIRST_PIN, "REDEEM")
    await betway.world("5550001002", "EXPIRE")
    for pin, state in ((FIRST_PIN, "USED"), ("5550001002", "EXPIRED")):
        assert (await betway.raw("POST", "/vouchers/validate", {"pin": pin})).json["state"] == state
        event = {"code": pin, "event": "REDEEM"}
        assert (await betway.control("POST", "/vouchers/events", event)).status == 409
    assert (await betway.control("POST", "/vouchers/events", {"code": FIRST_PIN, "event": "BLOCK"})).status == 409


async def test_a_pin_runs_out_after_36_months(betway: Betway) -> None:
    await betway.at(SAMPLE_TIME)
    await betway.sold()
    for moment, state in (("2029-03-02T23:59:58+02:00", "ACTIVE"), ("2029-03-03T00:00:01+02:00", "EXPIRED")):
        await betway.at(moment)
        assert (await betway.raw("POST", "/vouchers/validate", {"pin": FIRST_PIN})).json["state"] == state


async def test_its_own_faults_leave_other_calls_alone(betway: Betway) -> None:
    await betway.fault("pending_for_ever", op="*", times=2)
    assert (await betway.raw("GET", "/skus")).status == 200
    assert code_of(await betway.raw("POST", "/orders", b"{")) == (400, "BAD_REQUEST")
    assert (await betway.control("POST", "/keys", {})).status == 404
    assert (await betway.control("POST", "/faults", {"kind": "no_such", "op": "*"})).status == 400


async def test_it_is_found_by_its_name_and_has_its_port() -> None:
    assert "betway" in registry.names()
    assert registry.simulator_port("betway") == PORT == 9110
    async with start(immediate_percent=100, float_cents=5_000) as simulator:
        assert simulator.provider.profile.immediate_percent == 100
        assert simulator.provider.book.float_cents == 5_000
    with pytest.raises(ValueError, match="loopback"):
        async with start("0.0.0.0"):
            pass
