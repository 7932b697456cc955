"""Yoyo's simulator by itself: it is strict, so that a wrong connector is caught, and its fixtures are the section's."""

from typing import Any

import pytest

from providers.pair_support import Pair
from providers.provider_support import R1, R2, an_id
from providers.yoyo.yoyo_support import CODE, ISSUE_BODY, POS_HEADERS, TRANSACTION_BODY, cvs, pos, redeemed, sold
from voucherswitch.providers import registry
from voucherswitch.providers.yoyo.simulator import PORT


def issue(campaign_id: int = 3001, balance: int | None = 10_000, user_ref: str = f"vsw-{R1}") -> dict[str, Any]:
    body = {"campaignId": campaign_id, "userRef": user_ref, "sendSMS": False}
    return body if balance is None else body | {"balance": balance}


async def code_of(yoyo: Pair, path: str, body: object) -> str:
    answer = await cvs(yoyo, "POST", path, body)
    assert answer.status == 200
    code: str = answer.json["responseCode"]
    return code


def test_its_port_is_the_specifications() -> None:
    assert PORT == 9107
    assert registry.simulator_port("yoyo") == 9107


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/giftcards", issue(3009), "9001"),
        ("/giftcards", issue(2001), "9001"),
        ("/coupons", issue(3001, None), "9001"),
        ("/giftcards", issue(balance=999), "9003"),
        ("/giftcards", issue(balance=500_001), "9003"),
        ("/coupons", issue(2002, None), "9002"),
        ("/giftcards", issue() | {"balance": "10000"}, "9000"),
        ("/giftcards", issue() | {"balance": 100.5}, "9000"),
        ("/giftcards", issue() | {"userref": "x"}, "9000"),
        ("/giftcards", issue(user_ref="x" * 51), "9000"),
        ("/giftcards", {}, "9000"),
        ("/giftcards", b"{", "9000"),
        ("/coupons", issue(2001), "9000"),
        ("/giftcards", issue(balance=1_000), "-1"),
        ("/giftcards", issue(balance=500_000), "-1"),
        ("/coupons", issue(2001, None), "-1"),
    ],
)
async def test_what_an_issue_is_refused_for(yoyo: Pair, path: str, body: object, code: str) -> None:
    assert await code_of(yoyo, f"{path}?issueWiCode=true", body) == code
    assert (await yoyo.state())["vouchers"] == (1 if code == "-1" else 0)


async def test_a_code_is_issued_only_if_it_is_asked_for(yoyo: Pair) -> None:
    assert "wicode" not in (await cvs(yoyo, "POST", "/giftcards", ISSUE_BODY)).json["giftcard"]
    assert "wicode" in (await cvs(yoyo, "POST", "/giftcards?issueWiCode=true", ISSUE_BODY)).json["giftcard"]
    assert await code_of(yoyo, "/giftcards?issueWicode=true", ISSUE_BODY) == "9000"


async def test_caps_and_float(yoyo: Pair) -> None:
    for expected in ("-1", "-1", "9004"):
        assert await code_of(yoyo, "/giftcards", issue(3002)) == expected
    await yoyo.advance(24 * 3_600_000)
    assert await code_of(yoyo, "/giftcards", issue(3002)) == "-1"
    await yoyo.control("POST", "/float", {"cents": 9_999})
    assert await code_of(yoyo, "/giftcards", issue()) == "9008"
    await yoyo.control("POST", "/float", {"cents": 10_000})
    assert await code_of(yoyo, "/giftcards", issue()) == "-1"
    assert (await yoyo.state())["floatCents"] == 0


async def test_a_reset_begins_the_numbers_again(yoyo: Pair) -> None:
    for _ in range(2):
        first, second = await sold(yoyo), await sold(yoyo)
        assert [one.voucher and one.voucher.code for one in (first, second)] == [CODE, "410020030041"]
        assert [one.provider_ref for one in (first, second)] == ["900145", "900146"]
        assert (await redeemed(yoyo)).provider_ref == "70001234"
        await yoyo.control("POST", "/reset")


@pytest.mark.parametrize(
    "change",
    [
        {"apiClientVersion": "1.4"},
        {"apiClientVersion": "1.15"},
        {"apiServerVersion": ""},
        {"apiServerVersion": "2"},
    ],
)
async def test_the_versions_are_those_of_the_protocol(yoyo: Pair, change: dict[str, str]) -> None:
    answer = await pos(yoyo, "/transaction", TRANSACTION_BODY, headers=POS_HEADERS | change)
    assert answer.json["responseCode"] == "9000"


@pytest.mark.parametrize(
    "base", ["/wigroup-transactionengine/pos-providers", "/wigroup-transactionengine/pos-provider"]
)
async def test_both_spellings_of_the_path_are_served(yoyo: Pair, base: str) -> None:
    answer = await pos(yoyo, "/transaction", TRANSACTION_BODY, base=base)
    assert answer.json["responseCode"] == "2120"
    assert (await pos(yoyo, "/transaction", TRANSACTION_BODY, base=base + "x")).status == 404


async def test_an_advice_names_its_redemption_exactly(yoyo: Pair) -> None:
    await sold(yoyo)
    booked = (await redeemed(yoyo)).refs
    assert booked["wiTrxId"] == "70001234"
    details = {"storeId": "S001", "basketId": R2, "trxId": R2, "posId": "TERM0001", "cashierId": "C07"}
    for wi_trx_id, change in ((70001235, {}), (70001234, {"posId": "TERM0002"}), (70001234, {"trxId": R1})):
        body = {"action": "REVERSE", "originalTrx": {"wiTrxId": wi_trx_id, "type": "PAYMENT"}}
        body["originalTrx"] |= {"storeTrxDetails": details | change}  # type: ignore[operator]
        assert (await pos(yoyo, "/advise", body)).json["responseCode"] == "8804"
    wrong = {"action": "CANCEL", "originalTrx": {"wiTrxId": 70001234, "type": "PAYMENT", "storeTrxDetails": details}}
    assert (await pos(yoyo, "/advise", wrong)).json["responseCode"] == "9000"
    assert (await yoyo.state(code=CODE))["balanceCents"] == 0


async def test_lists_have_pages(yoyo: Pair) -> None:
    for _ in range(3):
        await cvs(yoyo, "POST", "/giftcards", ISSUE_BODY)
    path = f"/giftcardtransactions?userRef=vsw-{R1}&campaignId=3001&pageSize=2"
    first = (await cvs(yoyo, "GET", path)).json
    second = (await cvs(yoyo, "GET", path + "&pageOffset=1")).json
    assert [row["giftcardId"] for row in first["transactions"]] == [900145, 900146]
    assert [row["giftcardId"] for row in second["transactions"]] == [900147]
    assert second["paging"] == {"pageSize": 2, "pageOffset": 1, "total": 3}
    newest = (await cvs(yoyo, "GET", path + "&orderDirection=DESC")).json
    assert newest["transactions"][0]["giftcardId"] == 900147
    assert (await cvs(yoyo, "GET", "/giftcardtransactions?user=x")).json["responseCode"] == "9000"
    assert (await cvs(yoyo, "GET", "/coupontransactions")).json["transactions"] == []


async def test_a_seeded_voucher_can_be_used_and_is_in_no_file(yoyo: Pair) -> None:
    seeded = (await yoyo.control("POST", "/vouchers", {"valueCents": 3_000, "code": "7654321"})).json
    assert (seeded["code"], seeded["valueCents"], seeded["state"]) == ("7654321", 3_000, "A")
    assert (await yoyo.control("POST", "/vouchers", {"valueCents": 1, "code": "x"})).status == 400
    assert (await yoyo.control("POST", "/vouchers", {"valueCents": 1, "code": "7654321"})).status == 409
    assert (await yoyo.control("POST", "/vouchers", {"valueCents": 1, "productRef": "wallet:1"})).status == 400
    body = TRANSACTION_BODY.replace(CODE.encode(), b"7654321").replace(b":10000", b":3000")
    assert (await pos(yoyo, "/transaction", body)).json["responseCode"] == "-1"
    assert (await yoyo.state(reference=R2))["code"] == "7654321"
    day = await yoyo.today()
    assert b"#rows\t0\t0" in (await yoyo.control("GET", "/recon", date=day)).body


@pytest.mark.parametrize(("event", "code"), [("REDEEM", "8801"), ("BLOCK", "8802"), ("EXPIRE", "8802")])
async def test_what_the_world_did_is_what_the_till_hears(yoyo: Pair, event: str, code: str) -> None:
    await sold(yoyo)
    await yoyo.world(CODE, event)
    assert (await pos(yoyo, "/transaction", TRANSACTION_BODY)).json["responseCode"] == code
    token_info = {"token": {"id": CODE, "type": "WICODE"}, "storeTrxDetails": None}
    assert (await pos(yoyo, "/token-info", token_info)).json["responseCode"] == "9000"
    details = {"storeId": "S001", "basketId": "b", "trxId": an_id(1), "posId": "p", "cashierId": "c"}
    assert (await pos(yoyo, "/token-info", token_info | {"storeTrxDetails": details})).json["responseCode"] == code


async def test_an_expired_card_tells_so(yoyo: Pair) -> None:
    await sold(yoyo)
    for _ in range(2):
        assert (await cvs(yoyo, "DELETE", "/giftcards/900145")).json["responseCode"] == "-1"
    card = (await cvs(yoyo, "GET", "/giftcards/900145")).json["giftcard"]
    assert (card["stateId"], card["balance"], card["expiredAmount"]) == ("E", 0, 10_000)
    assert (await cvs(yoyo, "DELETE", "/giftcards/900149")).json["responseCode"] == "9006"
    assert (await cvs(yoyo, "GET", "/coupons/900145")).json["responseCode"] == "9006"


async def test_a_card_with_a_pending_redemption_is_not_expired(yoyo: Pair) -> None:
    await sold(yoyo)
    await redeemed(yoyo)
    assert (await cvs(yoyo, "DELETE", "/giftcards/900145")).json["responseCode"] == "9007"


@pytest.mark.parametrize("path", ["/wallets", "/token-info", "/giftcards/x", "/giftcards/0", ""])
async def test_what_is_no_call_is_not_found(yoyo: Pair, path: str) -> None:
    assert (await cvs(yoyo, "GET", path)).status == 404
    assert (await pos(yoyo, path, {}, base="/elsewhere")).status == 404


async def test_a_profile_has_only_its_own_switches(yoyo: Pair) -> None:
    assert (await yoyo.control("POST", "/profile", {"partial": True})).json == {"partial": True, "zeroPadded": False}
    assert (await yoyo.control("POST", "/profile", {"strict": True})).status == 400
    assert (await yoyo.control("GET", "/stock")).status == 404
