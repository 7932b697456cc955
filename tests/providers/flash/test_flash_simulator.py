"""The Flash simulator by itself: strict in what it takes, exact in what it says. Past our connector."""

from typing import Any

import msgspec
import pytest

from providers.flash.flash_support import (
    ACCOUNT,
    DECLINE,
    KEY,
    PIN,
    PURCHASE_ANSWER,
    PURCHASE_BODY,
    REPLAY_MS,
    TOKEN_ANSWER,
    Flash,
)
from providers.provider_support import A1, R1, R2, R3, SAMPLE_TIME, an_id, http
from voucherswitch.providers.flash.simulator import PORT, start

PURCHASE: dict[str, Any] = msgspec.json.decode(PURCHASE_BODY)
GIFT = PURCHASE | {"productCode": 302, "storeId": "S001", "terminalId": "TERM0001"}
REDEEM = {"reference": R2, "accountNumber": ACCOUNT, "pin": PIN, "amount": 10_000}


async def test_the_answers_are_the_samples_bytes(flash: Flash) -> None:
    await flash.at(SAMPLE_TIME)
    headers = {"Authorization": f"Basic {KEY}", "Content-Type": "application/x-www-form-urlencoded"}
    token = await http("POST", f"{flash.simulator.url}/token", b"grant_type=client_credentials", headers)
    assert (token.status, token.body) == (200, TOKEN_ANSWER)
    sold = await flash.raw("/1voucher/purchase", PURCHASE_BODY, token="sim-token-000001")
    assert (sold.status, sold.body) == (200, PURCHASE_ANSWER)
    assert (await flash.raw("/1voucher/redeem", REDEEM)).json["responseCode"] == 0
    declined = await flash.raw("/1voucher/redeem", REDEEM | {"reference": R3})
    assert (declined.status, declined.json) == (200, msgspec.json.decode(DECLINE) | {"reference": R3})
    # The same words in the same order as the sample.
    assert list(declined.json) == list(msgspec.json.decode(DECLINE))


async def test_after_a_reset_the_first_issue_is_the_samples_again(flash: Flash) -> None:
    for _ in range(2):
        for number in range(2):
            sold = await flash.raw("/1voucher/purchase", PURCHASE | {"reference": an_id(number)})
            voucher = sold.json["voucher"]
            assert voucher["pin"] == f"111122223333444{4 + number}"
            assert voucher["serialNumber"] == f"FS0000000{1 + number}"
            assert sold.json["transactionId"] == f"900000000{1 + number}"
        await flash.control("POST", "/reset")
        assert await flash.token() == "sim-token-000001"


async def test_a_token_outlives_a_reset_but_not_its_hour(flash: Flash) -> None:
    token = await flash.token()
    await flash.control("POST", "/reset")
    assert (await flash.raw("/1voucher/purchase", PURCHASE, token=token)).status == 200
    await flash.advance(3_599_000)
    assert (await flash.raw("/1voucher/purchase", PURCHASE, token=token)).status == 200
    await flash.advance(1_001)
    assert (await flash.raw("/1voucher/purchase", PURCHASE, token=token)).status == 401


async def test_tokens_can_be_ended(flash: Flash) -> None:
    token = await flash.token()
    ended = await flash.control("POST", "/tokens/expire")
    assert ended.json["expired"] >= 1
    assert (await flash.raw("/1voucher/purchase", PURCHASE, token=token)).status == 401
    assert (await flash.control("POST", "/keys")).status == 404


@pytest.mark.parametrize(
    ("authorization", "content_type", "body", "status"),
    [
        (f"Bearer {KEY}", "application/x-www-form-urlencoded", b"grant_type=client_credentials", 401),
        (f"basic {KEY}", "application/x-www-form-urlencoded", b"grant_type=client_credentials", 401),
        (f"Basic {KEY}", "application/json", b"grant_type=client_credentials", 400),
        (f"Basic {KEY}", "application/x-www-form-urlencoded", b"grant_type=password", 400),
        (f"Basic {KEY}", "application/x-www-form-urlencoded", b'{"grant_type":"client_credentials"}', 400),
    ],
)
async def test_the_token_endpoint_is_strict(
    flash: Flash, authorization: str, content_type: str, body: bytes, status: int
) -> None:
    headers = {"Authorization": authorization, "Content-Type": content_type}
    assert (await http("POST", f"{flash.simulator.url}/token", body, headers)).status == status


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/1voucher/purchase", b""),
        ("/1voucher/purchase", b"{"),
        ("/1voucher/purchase", b"[" * 5_000),
        ("/1voucher/purchase", PURCHASE | {"amount": "10000"}),
        ("/1voucher/purchase", PURCHASE | {"amount": 100.5}),
        ("/1voucher/purchase", PURCHASE | {"amount": 0}),
        ("/1voucher/purchase", PURCHASE | {"reference": "a b"}),
        ("/1voucher/purchase", PURCHASE | {"reference": "x" * 51}),
        ("/1voucher/purchase", PURCHASE | {"accountNumber": "0000000000000001"}),
        ("/1voucher/purchase", PURCHASE | {"unknown": 1}),
        ("/1voucher/purchase", PURCHASE | {"storeId": "S001"}),
        ("/1voucher/purchase", PURCHASE | {"metadata": {"x" * 11: "v"}}),
        ("/1voucher/purchase", PURCHASE | {"metadata": {"k": "v" * 44}}),
        ("/1voucher/purchase", PURCHASE | {"metadata": {str(n): "v" for n in range(10)}}),
        ("/gift-vouchers/purchase", PURCHASE),
        ("/gift-vouchers/purchase", GIFT | {"productCode": "302"}),
        ("/gift-vouchers/purchase", GIFT | {"storeId": "S-001"}),
        ("/gift-vouchers/purchase", GIFT | {"terminalId": "T" * 21}),
        ("/1voucher/redeem", REDEEM | {"pin": "111122223333444"}),
        ("/1voucher/redeem", REDEEM | {"mobileNumber": "0821234567"}),
        ("/1voucher/refund", REDEEM),
        ("/1voucher/reverse", {"reference": A1}),
    ],
)
async def test_a_message_of_another_form_is_refused(flash: Flash, path: str, body: object) -> None:
    await flash.reverse_on()
    answer = await flash.raw(path, body)
    assert (answer.status, answer.json["responseCode"]) == (200, 7001)
    assert (await flash.state())["vouchers"] == 0


async def test_authentication_comes_first_then_the_form_then_the_rest(flash: Flash) -> None:
    assert (await flash.raw("/1voucher/purchase", b"{", token="wrong")).status == 401
    typed = await flash.raw("/1voucher/purchase", PURCHASE, content_type="text/plain")
    assert typed.json["responseCode"] == 7001
    wrong = PURCHASE | {"accountNumber": "0000-0000-0000-0002", "metadata": {"store": "S999"}, "amount": 1}
    codes = []
    for number, body in enumerate(
        [
            GIFT | wrong | {"productCode": 9},
            GIFT | {"storeId": "S999", "productCode": 9},
            GIFT | {"productCode": 9, "amount": 1},
            GIFT | {"productCode": 303, "amount": 1},
            GIFT | {"productCode": 303},
            GIFT | {"amount": 100_000},
        ]
    ):
        if number == 5:
            await flash.control("POST", "/float", {"cents": 99_999})
        answer = await flash.raw("/gift-vouchers/purchase", body | {"reference": an_id(number)})
        codes.append(answer.json["responseCode"])
    assert codes == [7004, 7004, 7003, 7002, 7006, 7005]
    assert (await flash.raw("/1voucher/purchase", PURCHASE | wrong)).json["responseCode"] == 7004
    elsewhere = await flash.raw("/1voucher/purchase", PURCHASE | {"reference": R3, "metadata": {"store": "S999"}})
    assert elsewhere.json["responseCode"] == 7004


async def test_stores_and_tills_are_echoed(flash: Flash) -> None:
    answer = await flash.raw("/gift-vouchers/purchase", GIFT | {"barcode": "6001"})
    assert (answer.json["storeId"], answer.json["terminalId"]) == ("S001", "TERM0001")
    assert list(answer.json) == [
        *("responseCode", "responseMessage", "accountNumber", "reference", "storeId", "terminalId", "amount"),
        *("transactionDate", "transactionId", "voucher"),
    ]


async def test_only_a_1voucher_is_redeemed(flash: Flash) -> None:
    sold = await flash.raw("/gift-vouchers/purchase", GIFT)
    answer = await flash.raw("/1voucher/redeem", REDEEM | {"pin": sold.json["voucher"]["pin"]})
    assert answer.json["responseCode"] == 7101


async def test_a_voucher_lives_three_years(flash: Flash) -> None:
    await flash.at("2026-02-28T12:00:00+02:00")
    sold = await flash.raw("/1voucher/purchase", PURCHASE)
    assert sold.json["voucher"]["expiryDate"] == "2029-02-28T23:59:59+02:00"
    await flash.at("2029-02-28T23:59:58+02:00")
    late = await flash.raw("/1voucher/redeem", REDEEM | {"amount": 1})
    assert late.json["responseCode"] == 0
    await flash.at("2032-03-01T00:00:00+02:00")
    change = late.json["voucher"]["pin"]
    dead = await flash.raw("/1voucher/redeem", REDEEM | {"reference": R3, "pin": change, "amount": 1})
    assert dead.json["responseCode"] == 7105


async def test_what_is_remembered_and_what_is_not(flash: Flash) -> None:
    """A code that is not business is asked anew; every other first answer comes again for half an hour."""
    await flash.reverse_on()
    reverse = {"reference": A1, "originalReference": R1}
    assert (await flash.raw("/1voucher/reverse", reverse)).json["responseCode"] == 7301
    await flash.raw("/1voucher/purchase", PURCHASE)
    first = await flash.raw("/1voucher/reverse", reverse)
    assert first.json["responseCode"] == 0
    assert (await flash.raw("/1voucher/reverse", reverse)).body == first.body
    # The purchase's own answer is the original one, whatever has become of the voucher since.
    assert (await flash.raw("/1voucher/purchase", PURCHASE)).json["voucher"]["status"] == "Active"
    other = await flash.raw("/1voucher/purchase", PURCHASE | {"amount": 20_000})
    assert other.json["responseCode"] == 7201
    across = await flash.raw("/1voucher/refund", PURCHASE)
    assert across.json["responseCode"] == 7201
    assert (await flash.state())["vouchers"] == 1


async def test_a_decline_is_forgotten_after_the_window(flash: Flash) -> None:
    assert (await flash.raw("/1voucher/redeem", REDEEM)).json["responseCode"] == 7101
    await flash.seed(code=PIN)
    assert (await flash.raw("/1voucher/redeem", REDEEM)).json["responseCode"] == 7101
    await flash.advance(REPLAY_MS)
    assert (await flash.raw("/1voucher/redeem", REDEEM)).json["responseCode"] == 0


async def test_a_reversal_gives_the_value_back_once_and_only_of_what_we_bought(flash: Flash) -> None:
    await flash.reverse_on()
    await flash.raw("/1voucher/purchase", PURCHASE)
    assert (await flash.state())["floatCents"] == 100_000_000 - 10_000
    for number in range(2):
        body = {"reference": an_id(number), "originalReference": R1}
        assert (await flash.raw("/1voucher/reverse", body)).json["responseCode"] == 0
    assert (await flash.state())["floatCents"] == 100_000_000
    await flash.seed()
    seeded = (await flash.state(code="1111222233334445"))["reference"]
    body = {"reference": an_id(3), "originalReference": seeded}
    assert (await flash.raw("/1voucher/reverse", body)).json["responseCode"] == 7301


async def test_the_reverse_call_is_not_there_unless_it_is_switched_on(flash: Flash) -> None:
    body = {"reference": A1, "originalReference": R1}
    assert (await flash.raw("/1voucher/reverse", body)).status == 404
    assert (await flash.control("POST", "/profile", {"reverse": True})).json == {"reverse": True}
    assert (await flash.raw("/1voucher/reverse", body)).status == 200
    assert (await flash.control("POST", "/profile", {"other": True})).status == 400


async def test_what_is_no_call_is_404(flash: Flash) -> None:
    for method, path in (
        ("GET", "/1voucher/purchase"),
        ("POST", "/1voucher/lookup"),
        ("GET", "/accounts/0000-0000-0000-0002/products"),
    ):
        assert (await flash.raw(path, method=method)).status == 404
    listed = await flash.raw(f"/accounts/{ACCOUNT}/products", method="GET")
    assert [product["productCode"] for product in listed.json["products"]] == [1, 301, 302, 303]
    assert [product["status"] for product in listed.json["products"]] == ["Active", "Active", "Active", "Suspended"]


async def test_the_world_acts_on_a_voucher(flash: Flash) -> None:
    pins = [await flash.seed() for _ in range(3)]
    await flash.world(pins[0], "REDEEM")
    await flash.world(pins[1], "EXPIRE")
    blocked = await flash.control("POST", "/vouchers/events", {"code": pins[2], "event": "BLOCK"})
    assert blocked.status == 409
    states = [(await flash.state(code=pin))["state"] for pin in pins]
    assert states == ["Used", "Expired", "Active"]
    for bad in ({"code": "x"}, {"productRef": "gift:9"}, {"state": "SOLD"}):
        assert (await flash.control("POST", "/vouchers", {"valueCents": 100} | bad)).status == 400
    assert (await flash.control("POST", "/vouchers", {"valueCents": 1, "code": pins[0]})).status == 409


async def test_a_seeded_pin_is_never_sold_again(flash: Flash) -> None:
    await flash.seed(code=PIN)
    sold = await flash.raw("/1voucher/purchase", PURCHASE)
    assert sold.json["voucher"]["pin"] == "1111222233334445"


async def test_a_reversal_is_noted_under_its_purchase(flash: Flash) -> None:
    await flash.raw("/1voucher/reverse", {"reference": A1, "originalReference": R1})
    assert await flash.heard_of(R1) == [("reverse", 404)]


async def test_it_starts_as_every_simulator_does() -> None:
    assert PORT == 9109
    async with start(float_cents=5, reverse=True) as simulator:
        assert simulator.url.startswith("http://127.0.0.1:")
        assert simulator.provider.totals()["floatCents"] == 5
        assert simulator.provider.reverse_enabled
    with pytest.raises(ValueError, match="loopback"):
        async with start(host="192.0.2.1"):
            pass
