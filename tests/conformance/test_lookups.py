"""Lookups of vouchers, redemptions and products: L1 to L4, K1 to K6, P1 and P2 (interface.md §4.8)."""

import asyncio

import pytest

from support.client import BASE
from support.expect import format_refused, refused
from support.kinds import REDEMPTION, lost, release, running
from support.messages import (
    AN_ID,
    MOBITALK,
    PROTEA,
    SETTLEMENT,
    a_provision,
    a_reversal,
    new_id,
    rand,
)
from support.originators import (
    DOES_NOT_EXIST,
    LOOKUP_FIRST,
    NO_CATALOGUE,
    NO_PRODUCTS,
    NO_REDEMPTION,
    PROTEA_ONLY,
)
from support.providers import DOWN, NO_LOOKUP, at
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Sale, Till

BY = pytest.mark.parametrize("by", ["code", "provision", "serial"])


def query(by: str, sale: Sale) -> dict[str, str]:
    """Name a voucher in one of the three ways."""
    return {
        "code": {"voucherCode": sale.code},
        "provision": {"provisionRequestId": sale.id},
        "serial": {"voucherSerialNumber": sale.answer.body["voucher"]["serialNumber"]},
    }[by]


@BY
async def test_l1_a_voucher_is_found(till: Till, by: str) -> None:
    sale = await till.a_confirmed(cents=12_500)

    answer = await till.lookup(**query(by, sale))

    assert answer.status == 200
    issued = sale.answer.body["voucher"]
    known = {"expiryDate": issued["expiryDate"], "serialNumber": issued["serialNumber"]}
    assert answer.body["voucher"] == known | ({"code": sale.code} if by == "code" else {})
    assert answer.body["settlementEntity"] == SETTLEMENT
    assert answer.body["receiver"] == MOBITALK
    assert answer.body["amounts"] == {"approvedAmount": rand(12_500) | {"ledgerIndicator": "CREDIT"}}
    assert answer.body["product"]["productId"] == "SBXANY"
    assert "id" not in answer.body


@pytest.mark.parametrize("by", ["provision", "serial"])
async def test_l1_the_code_is_told_only_to_who_sent_it(till: Till, by: str) -> None:
    sale = await till.a_confirmed()

    answer = await till.lookup(**query(by, sale))

    assert answer.status == 200
    assert sale.code not in answer.raw.decode()


async def test_l1_a_used_voucher_is_worth_nothing(till: Till) -> None:
    sale = await till.a_used()

    answer = await till.lookup(voucherCode=sale.code)

    assert answer.body["amounts"]["approvedAmount"]["amount"] == 0


async def test_l1_a_confirmation_that_is_still_owed_is_seen_by_the_lookup(till: Till) -> None:
    sale = await till.a_provisioned()
    await till.confirm_voucher(sale.id)

    answer = await till.lookup(voucherCode=sale.code)

    assert answer.body["amounts"]["approvedAmount"]["amount"] == 10_000


async def test_l1_a_voucher_that_was_sold_elsewhere_is_asked_for_at_its_receiver(
    till: Till, simulator: SimulatorControl
) -> None:
    seeded = await simulator.seed(valueCents=7_700, productRef="SBXANY")

    answer = await till.lookup(voucherCode=seeded["code"], receiverInstId=MOBITALK["id"])

    assert answer.status == 200
    assert answer.body["amounts"]["approvedAmount"]["amount"] == 7_700


async def test_l1_unknown_parameters_are_ignored(till: Till) -> None:
    sale = await till.a_confirmed()

    answer = await till.lookup(voucherCode=sale.code, colour="green", settlementEntityInstId="33333333")

    assert answer.status == 200


@pytest.mark.parametrize("by", ["code", "provision", "serial", "code and receiver"])
async def test_l2_what_nobody_knows_is_404(till: Till, by: str) -> None:
    unknown = {
        "code": {"voucherCode": f"X{new_id()[:13]}"},
        "provision": {"provisionRequestId": new_id()},
        "serial": {"voucherSerialNumber": f"X{new_id()[:13]}"},
        "code and receiver": {"voucherCode": f"X{new_id()[:13]}", "receiverInstId": MOBITALK["id"]},
    }[by]

    answer = await till.lookup(**unknown)

    assert (answer.status, answer.error_type) == (404, "UNABLE_TO_LOCATE_RECORD")
    assert answer.body["id"] == unknown.get("provisionRequestId", answer.body["id"])


@pytest.mark.parametrize("key", ["voucherCode=%ff%fe", "voucherSerialNumber=%ED%A0%80", "voucherCode=%F0%9F%8E%81"])
async def test_l2_a_key_of_any_bytes_finds_nothing(switch: Switch, key: str) -> None:
    answer = await switch.client.send("GET", f"{BASE}/vouchers?{key}")

    assert (answer.status, answer.error_type) == (404, "UNABLE_TO_LOCATE_RECORD")


async def test_l2_a_code_that_the_provider_could_never_issue_is_not_found(till: Till) -> None:
    """Any characters are a code (§2.6): that a provider's messages cannot carry them is no failure to reach it."""
    answer = await till.lookup(voucherCode="GR\u00dcN 4711", receiverInstId=MOBITALK["id"])

    assert (answer.status, answer.error_type) == (404, "UNABLE_TO_LOCATE_RECORD")


async def test_l2_keys_of_different_vouchers_are_not_mixed(till: Till) -> None:
    one, another = await till.a_confirmed(product="SBXANY"), await till.a_confirmed(product="SBXPIN", cents=7_000)

    answer = await till.lookup(provisionRequestId=one.id, voucherCode=another.code)

    assert (answer.status, answer.error_type) == (404, "UNABLE_TO_LOCATE_RECORD")


async def test_l2_the_provision_of_another_originator_is_404(till: Till, other: Till) -> None:
    sale = await till.a_confirmed()

    answer = await other.lookup(provisionRequestId=sale.id)

    refused(answer, 404, "UNABLE_TO_LOCATE_RECORD", id=sale.id)


@BY
async def test_l2_a_voucher_that_the_originator_is_not_entitled_to_is_404(till: Till, switch: Switch, by: str) -> None:
    sale = await till.a_confirmed()

    answer = await Till(switch, PROTEA_ONLY).lookup(**query(by, sale))

    assert (answer.status, answer.error_type) == (404, "UNABLE_TO_LOCATE_RECORD")


async def test_l2_a_declined_provision_has_no_voucher(till: Till) -> None:
    request = a_provision(product="SBXDECLINE01")
    await till.post("/vouchers", request)

    assert (await till.lookup(provisionRequestId=request["id"])).status == 404


@BY
async def test_l3_a_provider_without_lookup_is_answered_for_from_the_record(
    till: Till, simulator: SimulatorControl, by: str
) -> None:
    sale = await till.a_confirmed(**at(NO_LOOKUP))

    answer = await till.lookup(**query(by, sale))

    assert answer.status == 200
    assert answer.body["voucher"].get("code") == (sale.code if by == "code" else None)
    assert answer.body["voucher"]["serialNumber"] == sale.answer.body["voucher"]["serialNumber"]
    assert "lookup" not in await simulator.ops(sale.id)


async def test_l3_without_a_record_it_is_not_supported(till: Till) -> None:
    answer = await till.lookup(voucherCode=f"X{new_id()[:13]}", receiverInstId=NO_LOOKUP.id)

    assert (answer.status, answer.error_type) == (400, "FUNCTION_NOT_SUPPORTED")


async def test_l4_a_provider_that_is_not_reached_is_503(till: Till) -> None:
    answer = await till.lookup(voucherCode="4711", receiverInstId=DOWN.id)

    assert (answer.status, answer.error_type) == (503, "UPSTREAM_UNAVAILABLE")
    assert len(answer.body["id"]) == 36


@pytest.mark.parametrize("fault", ["drop_after", "http", "malformed", "hang_before"])
async def test_l4_a_provider_that_gives_no_usable_answer_is_504(
    till: Till, hasty: Till, simulator: SimulatorControl, fault: str
) -> None:
    sender = hasty if fault == "hang_before" else till
    sale = await sender.a_confirmed()
    await simulator.fault(fault, "lookup", sale.id)

    answer = await sender.lookup(provisionRequestId=sale.id)

    refused(answer, 504, "UPSTREAM_UNAVAILABLE", id=sale.id)
    assert (await sender.lookup(provisionRequestId=sale.id)).status == 200


async def test_lookup_without_any_key_is_a_format_error(till: Till) -> None:
    text = "voucherCode, provisionRequestId or voucherSerialNumber may not be null"
    for given in ({}, {"receiverInstId": "44444444"}):
        answer = await till.lookup(**given)

        assert (answer.status, answer.error_type) == (400, "FORMAT_ERROR")
        assert [found["msg"] for found in answer.violations] == [text]


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("provisionRequestId", "4711", "UUID must conform to the format 8-4-4-4-12 hexadecimal values"),
        ("voucherCode", "x" * 41, "voucherCode length must be between 1 and 40"),
        ("voucherSerialNumber", "x" * 41, "voucherSerialNumber length must be between 1 and 40"),
    ],
)
async def test_lookup_parameters_are_checked(till: Till, parameter: str, value: str, message: str) -> None:
    answer = await till.lookup(**{parameter: value})

    format_refused(answer, id=None, violations=[(parameter, message)])
    assert parameter != "voucherCode" or value not in answer.raw.decode()


async def test_lookup_first_must_come_before_each_redemption(switch: Switch) -> None:
    """The originator's setting, not a rule of the interface (§1.2): one lookup allows one redemption."""
    till = Till(switch, LOOKUP_FIRST)
    sale = await till.a_confirmed()

    unseen = await till.redeem(sale.code)
    assert (await till.lookup(voucherCode=sale.code)).status == 200
    seen = await till.redeem(sale.code)
    assert (await till.reverse_redemption(seen.body["id"])).status == 202
    again = await till.redeem(sale.code)

    assert [unseen.error_type, seen.status, again.error_type] == ["TRANSACTION_DECLINED", 201, "TRANSACTION_DECLINED"]


async def test_services_that_an_originator_has_not_are_not_supported(switch: Switch) -> None:
    till = Till(switch, NO_REDEMPTION)
    sale = await till.a_confirmed()

    answers = [
        await till.redeem(sale.code),
        await till.refund(sale.code),
        await till.lookup(voucherCode=sale.code),
        await Till(switch, NO_PRODUCTS).get("/products"),
    ]

    assert [(answer.status, answer.error_type) for answer in answers] == [(400, "FUNCTION_NOT_SUPPORTED")] * 4


@pytest.mark.parametrize("state", ["approved", "confirmed", "reversed"])
async def test_k1_a_redemption_that_was_answered_is_told_again(till: Till, state: str) -> None:
    sale = await (till.a_used() if state == "confirmed" else till.a_redeemed())
    assert sale.redemption_answer is not None
    if state == "reversed":
        assert (await till.reverse_redemption(sale.redemption_id)).status == 202

    answer = await till.lookup_redemption(sale.redemption_id)

    assert (answer.status, answer.body) == (200, sale.redemption_answer.body)
    assert "location" not in answer.headers


async def test_k1_the_pin_of_the_request_is_not_told(till: Till) -> None:
    sale = await till.a_confirmed(product="SBXPIN")
    pin = sale.answer.body["voucher"]["pin"]
    redeemed = await till.redeem(sale.code, voucher={"code": sale.code, "pin": pin})

    answer = await till.lookup_redemption(redeemed.body["id"])

    assert answer.body["voucher"] == {"code": sale.code}


async def test_k1_a_redemption_that_was_approved_late_is_told(hasty: Till, simulator: SimulatorControl) -> None:
    request = await REDEMPTION.request(hasty)
    await simulator.fault("late", "redeem", request["id"], ms=1_000)
    assert (await hasty.post("/redemptions", request)).status == 504

    answer = await hasty.lookup_redemption(request["id"])

    assert (answer.status, answer.body["id"]) == (200, request["id"])


async def test_k2_a_decline_of_the_provider_is_told_again(till: Till) -> None:
    sale = await till.a_confirmed(cents=50_000)
    declined = await till.redeem(sale.code, cents=16_604)

    answer = await till.lookup_redemption(declined.body["id"])

    assert (answer.status, answer.body) == (declined.status, declined.body)
    assert answer.error_type == "LIMIT_EXCEEDED"


async def test_k2_the_latest_refusal_is_told_again(till: Till) -> None:
    """R1, then R3, then step 7: none of them made a record."""
    sale, request_id = await till.a_provisioned(), new_id()
    refusals = [await till.redeem(sale.code, id=request_id)]
    told = [await till.lookup_redemption(request_id)]
    await till.confirm_voucher(sale.id)
    refusals.append(await till.redeem(sale.code, id=request_id, amounts={"requestAmount": rand(-1)}))
    told.append(await till.lookup_redemption(request_id))
    await till.redeem(sale.code)
    refusals.append(await till.redeem(sale.code, id=request_id))
    told.append(await till.lookup_redemption(request_id))

    assert [answer.error_type for answer in refusals] == [
        "VOUCHER_NOT_REDEEMABLE",
        "INVALID_AMOUNT",
        "VOUCHER_ALREADY_REDEEMED",
    ]
    assert [(answer.status, answer.body) for answer in told] == [(answer.status, answer.body) for answer in refusals]


async def test_k2_a_refusal_because_of_a_reversal_is_told_again(till: Till) -> None:
    """R2; the tombstone itself is no record."""
    sale, reversal = await till.a_confirmed(), a_reversal(new_id())
    await till.post("/redemptions/reversals", reversal)
    assert (await till.lookup_redemption(reversal["requestId"])).status == 404
    answered = await till.redeem(sale.code, id=reversal["requestId"])

    answer = await till.lookup_redemption(reversal["requestId"])

    assert (answer.status, answer.body) == (400, answered.body)


async def test_k2_a_refusal_because_of_an_open_request_is_told_again(till: Till, simulator: SimulatorControl) -> None:
    """X4."""
    request, answering = await running(till, simulator, REDEMPTION)
    answered = await till.redeem(request["voucher"]["code"])

    answer = await till.lookup_redemption(answered.body["id"])

    assert (answer.status, answer.body) == (400, answered.body)
    await release(simulator, answering)


async def test_k2_reversed_without_an_answer(till: Till, simulator: SimulatorControl) -> None:
    request, answering = await running(till, simulator, REDEMPTION)
    reversal = a_reversal(request["id"])
    await till.post("/redemptions/reversals", reversal)
    await release(simulator, answering)

    refused(
        await till.lookup_redemption(request["id"]),
        400,
        "REDEMPTION_ALREADY_REVERSED",
        id=request["id"],
        original_id=reversal["id"],
    )


async def test_k3_a_lookup_waits_for_the_outcome(till: Till, simulator: SimulatorControl) -> None:
    request, answering = await running(till, simulator, REDEMPTION)
    asking = asyncio.create_task(till.lookup_redemption(request["id"]))
    done, _ = await asyncio.wait({asking}, timeout=0.3)
    assert not done

    answered = await release(simulator, answering)

    assert ((await asking).status, (await asking).body) == (200, answered.body)


async def test_k3_at_the_deadline_an_unknown_outcome_is_504(hasty: Till, simulator: SimulatorControl) -> None:
    request = await lost(hasty, simulator, REDEMPTION)

    answer = await hasty.lookup_redemption(request["id"])

    refused(answer, 504, "VOUCHER_STATUS_UNKNOWN", id=request["id"])


async def test_k4_the_redemption_of_another_client_is_403_without_body(till: Till, other: Till) -> None:
    sale = await till.a_redeemed()

    answer = await other.lookup_redemption(sale.redemption_id)

    assert (answer.status, answer.raw) == (403, b"")


@pytest.mark.parametrize("known", ["nothing", "a provision", "a tombstone"])
async def test_k5_what_was_never_received_is_404_without_body(till: Till, known: str) -> None:
    request_id = (await till.a_provisioned()).id if known == "a provision" else new_id()
    if known == "a tombstone":
        await till.reverse_redemption(request_id)

    answer = await till.lookup_redemption(request_id)

    assert (answer.status, answer.raw) == (404, b"")


@pytest.mark.parametrize("request_id", ["4711", "confirmations", f"{AN_ID}0", "g" * 36])
async def test_k6_an_id_of_another_shape_is_a_format_error(till: Till, request_id: str) -> None:
    answer = await till.lookup_redemption(request_id)

    format_refused(
        answer,
        id=None,
        violations=[("requestId", "UUID must conform to the format 8-4-4-4-12 hexadecimal values")],
    )


async def test_p1_the_catalogue_is_listed(till: Till) -> None:
    answer = await till.get("/products")

    assert answer.status == 200
    assert set(answer.body) == {"products"}
    products = {product["productId"]: product for product in answer.body["products"]}
    assert products["PROTEA100"] == {
        "productId": "PROTEA100",
        "barcode": "6009720000010",
        "name": "Protea Gift R100",
        "amount": rand(10_000),
        "description": "Gift voucher for any Protea shop",
        "isFixedValue": True,
        "receiver": PROTEA,
        "channelProductListings": [
            {
                "channelName": "TILL",
                "productDisplayName": "Protea Gift R100",
                "productDisplayCategory": "Gifts",
                "productDisplaySortOrder": 7,
                "channelProductIdentifier": "T-007",
            }
        ],
    }
    variable = products["PROTEAANY"]
    assert (variable["minAmount"], variable["maxAmount"], variable["isFixedValue"]) == (
        rand(5_000),
        rand(500_000),
        False,
    )
    assert not any(product_id.startswith("SBX") for product_id in products)


async def test_p1_only_products_of_the_channel_are_listed(till: Till) -> None:
    everything = await till.get("/products")
    of_till = await till.get("/products", channelName="TILL")
    of_nobody = await till.get("/products", channelName="NOBODY")

    assert of_till.body == everything.body
    assert of_nobody.body == {"products": []}


async def test_p1_only_products_that_the_originator_may_sell_are_listed(switch: Switch) -> None:
    answer = await Till(switch, PROTEA_ONLY).get("/products")

    assert {product["receiver"]["id"] for product in answer.body["products"]} == {PROTEA["id"]}


@pytest.mark.parametrize("name", ["", "x" * 51])
async def test_p1_the_channel_is_checked(till: Till, name: str) -> None:
    answer = await till.get("/products", channelName=name)

    format_refused(answer, id=None, violations=[("channelName", "channelName length must be between 1 and 50")])


async def test_p2_without_a_catalogue_the_list_is_not_implemented(switch: Switch) -> None:
    answer = await Till(switch, NO_CATALOGUE).get("/products")

    assert (answer.status, answer.error_type) == (501, "FUNCTION_NOT_SUPPORTED")


async def test_p2_nobody_sees_a_catalogue_without_credentials(switch: Switch) -> None:
    assert (await Till(switch, DOES_NOT_EXIST).get("/products")).status == 401
