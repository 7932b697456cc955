"""The simulated Supabets by its own rules: forms, order of checks, profiles, keys, the world, the float."""

from typing import Any

import pytest

from providers.provider_support import R1, R2, SAMPLE_TIME, an_id, http
from providers.supabets.supabets_support import (
    BASE,
    FIRST_PIN,
    SAMPLE_BODY,
    TTL_MS,
    Supabets,
    code_of,
    provision_order,
    token,
)
from voucherswitch.message.outcomes import Approved, NotSent
from voucherswitch.providers import registry
from voucherswitch.providers.contract.simulator.check_digits import ean_13
from voucherswitch.providers.supabets.simulator import PORT, start

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "change",
    [
        {"productId": ""},
        {"productId": "x" * 21},
        {"productId": None},
        {"amount": None},
        {"amount": {"value": 10_000}},
        {"amount": {"value": "10000", "currency": "ZAR"}},
        {"amount": {"value": 100.5, "currency": "ZAR"}},
        {"amount": {"value": 0, "currency": "ZAR"}},
        {"amount": {"value": 10_000, "currency": "710"}},
        {"amount": {"value": 10_000, "currency": "ZAR", "more": 1}},
        {"site": "x" * 21},
        {"lane": ""},
        {"more": 1},
    ],
)
async def test_a_message_of_another_form_is_refused(supabets: Supabets, change: dict[str, Any]) -> None:
    assert code_of(await supabets.reserve(**change)) == (400, "bad-request")


async def test_a_request_says_what_its_body_is(supabets: Supabets) -> None:
    body, path = SAMPLE_BODY.encode(), f"/reservations/{R1}"
    refused = [
        await supabets.raw("PUT", path, body, headers={"Content-Type": "text/plain"}),
        await supabets.raw("PUT", path),
        await supabets.raw("PUT", f"/reservations/{R1.upper()}", body),
        await supabets.raw("PUT", "/reservations/short", body),
        await supabets.raw("PUT", path, b"[" * 10_000),
        await supabets.raw("POST", f"{path}/commit", b"{}"),
        await supabets.raw("DELETE", path, headers=JSON),
        await supabets.raw("POST", "/pin-checks", {"pin": "1"}),
    ]
    assert [code_of(answer) for answer in refused] == [(400, "bad-request")] * len(refused)
    headers = {"Authorization": f"Bearer {token(b'', supabets.now_s)}"}
    without_length = await http("GET", f"{supabets.simulator.url}{BASE}/products", None, headers)
    assert code_of(without_length) == (400, "bad-request")


async def test_checks_come_in_their_order(supabets: Supabets) -> None:
    """Each request is wrong in every later way too."""
    await supabets.reserve(R2)
    await supabets.control("POST", "/float", {"cents": 0})
    wrong = {"productId": "NONE", "amount": {"value": 5, "currency": "ZAR"}, "site": "S999", "lane": "T"}
    unsigned = await supabets.raw("PUT", f"/reservations/{R2}", b"{", bh="x")
    unread = await supabets.raw("PUT", f"/reservations/{R2}", b"{")
    assert [code_of(unsigned), code_of(unread)] == [(401, "body-hash"), (400, "bad-request")]
    assert code_of(await supabets.raw("PUT", f"/reservations/{R2}", wrong)) == (409, "reservation-conflict")
    found = []
    for change in ({}, {"site": "S001"}, {"productId": "SB-ANY"}, {"amount": {"value": 10_000, "currency": "ZAR"}}):
        wrong |= change
        found.append(code_of(await supabets.raw("PUT", f"/reservations/{R1}", wrong)))
    assert found == [
        (422, "unknown-site"),
        (422, "unknown-product"),
        (400, "amount-not-allowed"),
        (402, "credit-limit"),
    ]
    # A refused attempt does not use up its id.
    await supabets.control("POST", "/float", {"cents": 10_000})
    assert (await supabets.raw("PUT", f"/reservations/{R1}", wrong)).status == 201


@pytest.mark.parametrize(
    ("product", "cents", "status"),
    [
        ("SB-ANY", 999, 400),
        ("SB-ANY", 1_000, 201),
        ("SB-ANY", 500_000, 201),
        ("SB-ANY", 500_001, 400),
        ("SB-50", 5_000, 201),
        ("SB-50", 5_001, 400),
        ("SB-100", 10_000, 201),
        ("SB-100", 5_000, 400),
    ],
)
async def test_each_product_has_its_amounts(supabets: Supabets, product: str, cents: int, status: int) -> None:
    amount = {"value": cents, "currency": "ZAR"}
    assert (await supabets.reserve(productId=product, amount=amount)).status == status


async def test_issues_count_up_with_their_check_digit(supabets: Supabets) -> None:
    shown = [(await supabets.reserve(an_id(number))).json for number in range(3)]
    assert [one["providerRef"] for one in shown] == ["SB0000000001", "SB0000000002", "SB0000000003"]
    pins = [one["voucher"]["pin"] for one in shown]
    assert pins == ["2100987654321", "2100987654338", "2100987654345"]
    assert all(ean_13(pin[:12]) == pin[12] for pin in pins)
    assert [one["voucher"]["serial"] for one in shown] == ["6100000001", "6100000002", "6100000003"]
    await supabets.control("POST", "/reset")
    assert (await supabets.reserve()).json["voucher"]["pin"] == FIRST_PIN


async def test_the_float_is_reserved_and_given_back(supabets: Supabets) -> None:
    for request_id in (R1, R2, an_id(1), an_id(2)):
        await supabets.reserve(request_id)
    await supabets.commit(R2)
    assert (await supabets.state())["floatCents"] == 100_000_000 - 40_000
    await supabets.release(R1)
    await supabets.release(R2)
    assert (await supabets.state())["floatCents"] == 100_000_000 - 20_000
    await supabets.advance(TTL_MS + 1)
    totals = await supabets.state()
    assert totals["floatCents"] == 100_000_000
    assert totals["byState"] == {"RELEASED": 2, "EXPIRED": 2}


async def test_keys_rotate_and_the_old_one_opens_for_ten_minutes(supabets: Supabets) -> None:
    second = {"kid": "k2", "secret": "another-supabets-secret-0123456789abcdef"}
    rotated = await supabets.control("POST", "/keys", second)
    assert rotated.json == {"kids": ["k1", "k2"]}
    new = supabets.with_settings(**second)
    for connector, request_id in ((new, R1), (supabets.connector, R2)):
        outcome = await connector.provision(provision_order(request_id=request_id), supabets.call())
        assert isinstance(outcome, Approved)
    await supabets.advance(601_000)
    assert isinstance(await new.provision(provision_order(request_id=an_id(1)), supabets.call()), Approved)
    refused = await supabets.connector.provision(provision_order(request_id=an_id(2)), supabets.call())
    assert isinstance(refused, NotSent)
    assert refused.provider_code == "invalid-token"
    # A key's secret opens nothing under another key's name.
    mixed = supabets.with_settings(kid="k2")
    assert isinstance(await mixed.provision(provision_order(request_id=an_id(3)), supabets.call()), NotSent)
    assert (await supabets.control("POST", "/keys", {"kid": "k3", "secret": "short"})).status == 400
    assert (await supabets.control("POST", "/keys", second | {"kid": "k3"})).json == {"kids": ["k2", "k3"]}
    for number in range(4, 19):
        assert (await supabets.control("POST", "/keys", second | {"kid": f"k{number}"})).status in (200, 400)
    assert (await supabets.control("POST", "/keys", second | {"kid": "one-more"})).status == 400


async def test_profiles_are_read_strictly_and_stay(supabets: Supabets) -> None:
    assert (await supabets.control("POST", "/profile", {"lateReveal": "yes"})).status == 400
    assert (await supabets.control("POST", "/profile", {"more": True})).status == 400
    await supabets.late()
    await supabets.control("POST", "/reset")
    answer = await supabets.reserve()
    assert answer.json["voucher"] == {
        "pin": None,
        "masked": "*********4321",
        "serial": "6100000001",
        "value": 10_000,
        "expiry": answer.json["voucher"]["expiry"],
    }
    assert (await supabets.commit()).json["voucher"]["pin"] == FIRST_PIN
    assert (await supabets.release()).status == 200
    assert (await supabets.raw("GET", f"/reservations/{R1}")).json["state"] == "RELEASED"


async def test_a_voucher_sold_elsewhere_can_be_checked(supabets: Supabets) -> None:
    seeded = await supabets.control("POST", "/vouchers", {"valueCents": 5_000, "code": "2100000000005"})
    assert seeded.status == 201
    checked = (await supabets.raw("POST", "/pin-checks", {"pin": "2100000000005"})).json
    assert (checked["value"], checked["state"]) == (5_000, "COMMITTED")
    for wrong in ({"code": "2100000000004"}, {"code": "12"}, {"productRef": "NONE"}, {"state": "SOLD"}):
        assert (await supabets.control("POST", "/vouchers", {"valueCents": 5_000} | wrong)).status == 400
    assert (await supabets.control("POST", "/vouchers", {"valueCents": 1, "code": "2100000000005"})).status == 409
    spent = (await supabets.control("POST", "/vouchers", {"valueCents": 5_000, "state": "SPENT"})).json
    assert (await supabets.raw("POST", "/pin-checks", {"pin": spent["code"]})).json["state"] == "SPENT"
    assert code_of(await supabets.raw("POST", "/pin-checks", {"pin": "2199999999999"})) == (404, "not-found")


async def test_the_world_spends_what_is_committed_and_ends_what_is_reserved(supabets: Supabets) -> None:
    await supabets.reserve()
    spend, lapse = ({"code": FIRST_PIN, "event": event} for event in ("REDEEM", "EXPIRE"))
    assert (await supabets.control("POST", "/vouchers/events", spend)).status == 409
    assert (await supabets.control("POST", "/vouchers/events", lapse)).json["state"] == "EXPIRED"
    assert (await supabets.state())["floatCents"] == 100_000_000
    assert code_of(await supabets.commit()) == (410, "reservation-expired")
    other = (await supabets.reserve(R2)).json["voucher"]["pin"]
    await supabets.commit(R2)
    assert (await supabets.control("POST", "/vouchers/events", {"code": other, "event": "BLOCK"})).status == 409
    await supabets.world(other, "EXPIRE")
    assert (await supabets.raw("POST", "/pin-checks", {"pin": other})).json["state"] == "EXPIRED"
    assert (await supabets.raw("GET", f"/reservations/{R2}")).json["state"] == "COMMITTED"
    await supabets.world(other, "REDEEM")
    assert code_of(await supabets.commit(R2)) == (409, "voucher-spent")
    assert (await supabets.reserve(R2)).json["state"] == "SPENT"


async def test_a_pin_runs_out_after_36_months(supabets: Supabets) -> None:
    await supabets.at(SAMPLE_TIME)
    await supabets.reserve()
    await supabets.commit()
    for moment, state in (("2029-03-02T23:59:58+02:00", "COMMITTED"), ("2029-03-03T00:00:01+02:00", "EXPIRED")):
        await supabets.at(moment)
        assert (await supabets.raw("POST", "/pin-checks", {"pin": FIRST_PIN})).json["state"] == state


async def test_control_calls_that_it_does_not_have_are_not_found(supabets: Supabets) -> None:
    assert (await supabets.control("GET", "/stock")).status == 404
    assert (await supabets.control("GET", "/keys")).status == 404


@pytest.mark.parametrize(("method", "path"), [("POST", "/reservations"), ("PUT", "/products"), ("GET", "/nothing"),
                                              ("POST", f"/reservations/{R1}/commit/x"), ("GET", "")])  # fmt: skip
async def test_another_call_is_not_found(supabets: Supabets, method: str, path: str) -> None:
    assert code_of(await supabets.raw(method, path)) == (404, "unknown-call")


async def test_it_is_found_by_its_name_and_has_its_port() -> None:
    assert "supabets" in registry.names()
    assert registry.simulator_port("supabets") == PORT == 9105
    async with start(late_reveal=True, float_cents=5_000) as simulator:
        assert simulator.provider.profile.late_reveal
        assert simulator.provider.book.float_cents == 5_000
    with pytest.raises(ValueError, match="loopback"):
        async with start("0.0.0.0"):
            pass
