"""Provisions: V1 to V14 (interface.md §4.3)."""

from typing import Any

import pytest

from support.expect import SOME_TEXT, refused
from support.messages import (
    MOBITALK,
    REMOVED,
    SETTLEMENT,
    Json,
    a_provision,
    a_redemption,
    a_refund,
    a_reversal,
    a_tender_confirmation,
    new_id,
    now,
    rand,
)
from support.originators import OTHER, TILL
from support.providers import OWN_CODES, at
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till
from voucherswitch.message.states import State


async def test_v1_a_provision_is_answered_with_its_requestand_the_voucher(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    request = a_provision(basketRef="B-31", stan="451208", rrn="607109451208", tranType="GOODS_AND_SERVICES")

    answer = await till.post("/vouchers", request)

    assert answer.status == 201
    body = answer.body
    for name in ("id", "time", "originator", "client", "receiver", "product", "basketRef", "stan", "rrn", "tranType"):
        assert body[name] == request[name]
    assert body["settlementEntity"] == SETTLEMENT
    assert body["thirdPartyIdentifiers"][:2] == request["thirdPartyIdentifiers"]
    assert len(body["thirdPartyIdentifiers"]) >= 4
    assert all(set(entry) == {"institutionId", "transactionIdentifier"} for entry in body["thirdPartyIdentifiers"])
    assert body["voucher"]["code"]
    assert body["voucher"]["expiryDate"].endswith("Z")
    assert (body["amounts"]["requestAmount"], body["amounts"]["approvedAmount"]) == (rand(10_000), rand(10_000))
    assert [line["text"] for line in body["slipData"]["messageLines"]]
    assert answer.headers["location"] == "/suv/v1/vouchers"
    assert await simulator.ops(request["id"]) == ["provision"]
    assert await switch.state(request["id"]) == "APPROVED"
    assert await switch.voucher_state(answer.code) is None


@pytest.mark.parametrize("left_open", [{"product": "SBXFIX100", "amounts": REMOVED}, {"product": None}])
async def test_v1_what_the_requestleaves_open_is_filled_from_the_catalogue(
    till: Till, left_open: dict[str, Any]
) -> None:
    answer = await till.provision(**left_open)

    assert answer.status == 201
    assert answer.body["amounts"]["approvedAmount"] == rand(10_000)
    assert ("product" in answer.body) == (left_open["product"] is not None)


async def test_v1_a_receiver_that_the_requestdoes_not_name_is_filled_from_routing(till: Till) -> None:
    answer = await till.provision(receiver=REMOVED)

    assert answer.status == 201
    assert answer.body["receiver"] == MOBITALK
    assert answer.body["thirdPartyIdentifiers"][3]["institutionId"] == MOBITALK["id"]


async def test_v1_a_slip_that_the_originator_sends_comes_back(till: Till) -> None:
    slip = {"messageLines": [{"text": "Thank you"}], "slipWidth": 40, "issuerReference": "A1"}

    answer = await till.provision(slipData=slip)

    assert answer.body["slipData"] == slip


async def test_v2_a_named_voucher_comes_back_unchanged(till: Till, simulator: SimulatorControl) -> None:
    named: Json = {
        "code": f"GIFT-{new_id()[:12]}",
        "expiryDate": "2019-01-31T10:00:00.000Z",
        "redeemInstructions": ["Say the word", "and wait"],
        "serialNumber": "S/N 0815",
    }

    sale = await till.a_provisioned(voucher=named)

    assert sale.answer.body["voucher"] == named
    assert (await simulator.voucher(code=named["code"]) or {})["reference"] == sale.id


async def test_v2_a_provider_that_chooses_codes_itself_is_not_asked(till: Till, simulator: SimulatorControl) -> None:
    request = a_provision(**at(OWN_CODES), voucher={"code": "MYCODE-1"})

    answer = await till.post("/vouchers", request)

    refused(answer, 400, "FUNCTION_NOT_SUPPORTED", id=request["id"])
    assert await simulator.ops(request["id"]) == []


@pytest.mark.parametrize("path", ["/vouchers", "/redemptions", "/refunds"])
async def test_v3_a_user_that_is_not_the_client_is_refused(switch: Switch, path: str) -> None:
    request = {
        "/vouchers": a_provision(TILL),
        "/redemptions": a_redemption(TILL, code="4711"),
        "/refunds": a_refund(TILL, code="4711"),
    }[path]

    answer = await switch.client.post(path, request, by=OTHER)

    refused(
        answer,
        400,
        "AUTHENTICATION_ERROR",
        "Incorrect username",
        id=request["id"],
        freeString=SOME_TEXT,
        client=request["client"],
    )
    assert await switch.record(request["id"]) is None


async def test_v4_same_id_again_is_a_duplicate_with_the_issued_voucher(till: Till, simulator: SimulatorControl) -> None:
    sale = await till.a_provisioned()

    again = await till.post("/vouchers", a_provision(id=sale.id, time=now()))

    refused(
        again,
        400,
        "DUPLICATE_RECORD",
        "Duplicate UUID.",
        id=sale.id,
        freeString=SOME_TEXT,
        voucherId=sale.id,
        requestTime=sale.request["time"],
        receiver=sale.answer.body["receiver"],
        voucher=sale.answer.body["voucher"],
    )
    assert await simulator.ops(sale.id) == ["provision"]


async def test_v4_a_confirmed_provision_is_a_duplicate_too(till: Till) -> None:
    sale = await till.a_confirmed()

    refused(
        await till.post("/vouchers", sale.request),
        400,
        "DUPLICATE_RECORD",
        id=sale.id,
        voucher=sale.answer.body["voucher"],
    )


async def test_v4_the_duplicate_of_a_voucher_with_pin_does_not_show_the_pin(till: Till) -> None:
    sale = await till.a_provisioned(product="SBXPIN")
    voucher = dict(sale.answer.body["voucher"])
    assert voucher.pop("pin")["type"] == "CLEAR_PIN"

    refused(await till.post("/vouchers", sale.request), 400, "DUPLICATE_RECORD", id=sale.id, voucher=voucher)


async def test_v4_a_declined_original_gives_no_voucher(till: Till) -> None:
    request = a_provision(product="SBXDECLINE01")
    assert (await till.post("/vouchers", request)).status == 400

    again = await till.post("/vouchers", request)

    refused(again, 400, "DUPLICATE_RECORD", "Duplicate UUID.", id=request["id"], voucherId=request["id"])
    assert "voucher" not in again.detail


async def test_v5_the_duplicate_check_wins_over_the_reversal_and_tells_the_first_code(till: Till) -> None:
    sale = await till.a_provisioned()
    assert (await till.reverse_voucher(sale.id)).status == 202

    again = await till.post("/vouchers", sale.request)

    refused(again, 400, "DUPLICATE_RECORD", "Duplicate UUID.", id=sale.id, voucherId=sale.id)
    assert again.detail["voucher"]["code"] == sale.code


async def test_v6_a_provision_after_its_reversal_is_refused_and_not_sent(
    till: Till, simulator: SimulatorControl
) -> None:
    request = a_provision()
    reversal = a_reversal(request["id"])
    assert (await till.post("/vouchers/reversals", reversal)).status == 404

    answer = await till.post("/vouchers", request)

    refused(
        answer,
        400,
        "VOUCHER_ALREADY_REVERSED",
        "Voucher reversed.",
        id=request["id"],
        original_id=reversal["id"],
        freeString=SOME_TEXT,
        reversalId=reversal["id"],
    )
    assert await simulator.ops(request["id"]) == []


async def test_v7_a_reversal_of_an_unknown_provision_is_404_and_kept(till: Till, switch: Switch) -> None:
    reversal = a_reversal(new_id())

    answer = await till.post("/vouchers/reversals", reversal)

    refused(
        answer,
        404,
        "UNABLE_TO_LOCATE_RECORD",
        "No voucher req.",
        id=reversal["id"],
        original_id=reversal["requestId"],
        freeString=SOME_TEXT,
        voucherId=reversal["requestId"],
    )
    record = await switch.record(reversal["requestId"])
    assert record is not None
    assert not record["has_request"]


async def test_v7_repeating_it_is_404_again(till: Till) -> None:
    reversal = a_reversal(new_id())

    for _ in range(3):
        assert (await till.post("/vouchers/reversals", reversal)).status == 404


async def test_v8_an_unconfirmed_provision_is_reversed(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    sale = await till.a_provisioned()
    reversal = a_reversal(sale.id, reason="CANCELLED")

    answer = await till.post("/vouchers/reversals", reversal)

    assert (answer.status, answer.body) == (202, reversal)
    assert await switch.state(sale.id) == "REVERSED"
    await simulator.takes(sale.id, "reverse")
    assert await simulator.voucher_state(sale.id) == "REVERSED"


async def test_v9_reversing_again_is_acknowledged_and_not_sent_again(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    sale = await till.a_provisioned()
    reversal = a_reversal(sale.id)
    another = a_reversal(sale.id, reason="RESPONSE_NOT_FINAL")

    for advice in (reversal, reversal, another, another):
        answer = await till.post("/vouchers/reversals", advice)
        assert (answer.status, answer.body) == (202, advice)

    await simulator.takes(sale.id, "reverse")
    assert await simulator.ops(sale.id) == ["provision", "reverse"]
    assert await switch.state(sale.id) == "REVERSED"


async def test_v10_a_confirmed_provision_is_not_reversed(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    sale = await till.a_confirmed()
    assert sale.confirmation is not None
    reversal = a_reversal(sale.id)

    answer = await till.post("/vouchers/reversals", reversal)

    refused(
        answer,
        400,
        "VOUCHER_ALREADY_CONFIRMED",
        "Voucher confirmed.",
        id=reversal["id"],
        original_id=sale.id,
        freeString=SOME_TEXT,
        confirmationId=sale.confirmation["id"],
        voucherId=sale.id,
    )
    assert await switch.state(sale.id) == "CONFIRMED"
    await simulator.takes(sale.id, "confirm")
    assert await simulator.ops(sale.id) == ["provision", "confirm"]


async def test_v11_a_confirmation_of_an_unknown_provision_is_404_and_not_kept(till: Till, switch: Switch) -> None:
    confirmation = a_tender_confirmation(new_id())

    answer = await till.post("/vouchers/confirmations", confirmation)

    refused(
        answer,
        404,
        "UNABLE_TO_LOCATE_RECORD",
        "No voucher req.",
        id=confirmation["id"],
        original_id=confirmation["requestId"],
        freeString=SOME_TEXT,
        voucherId=confirmation["requestId"],
    )
    assert await switch.record(confirmation["requestId"]) is None
    assert (await till.post("/vouchers", a_provision(id=confirmation["requestId"]))).status == 201


async def test_v11_a_tombstone_alone_is_no_record(till: Till) -> None:
    request_id = new_id()
    await till.reverse_voucher(request_id)

    answer = await till.confirm_voucher(request_id)

    assert (answer.status, answer.error_type) == (404, "UNABLE_TO_LOCATE_RECORD")


async def test_v12_a_reversed_provision_is_not_confirmed(till: Till, switch: Switch) -> None:
    sale = await till.a_provisioned()
    reversal = a_reversal(sale.id)
    assert (await till.post("/vouchers/reversals", reversal)).status == 202
    confirmation = a_tender_confirmation(sale.id)

    answer = await till.post("/vouchers/confirmations", confirmation)

    refused(
        answer,
        400,
        "VOUCHER_ALREADY_REVERSED",
        "Voucher reversed.",
        id=confirmation["id"],
        original_id=sale.id,
        freeString=SOME_TEXT,
        reversalId=reversal["id"],
    )
    assert await switch.voucher_state(sale.code) is None


async def test_v13_a_confirmation_makes_the_voucher_redeemable(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    sale = await till.a_provisioned()
    confirmation = a_tender_confirmation(sale.id, thirdPartyIdentifiers=sale.answer.body["thirdPartyIdentifiers"])

    answer = await till.post("/vouchers/confirmations", confirmation)

    assert (answer.status, answer.body) == (202, confirmation)
    assert await switch.state(sale.id) == "CONFIRMED"
    assert await switch.voucher_state(sale.code) == "CONFIRMED_PROVISIONED"
    await simulator.takes(sale.id, "confirm")
    assert await simulator.voucher_state(sale.id) == "CONFIRMED"


@pytest.mark.parametrize("same_advice", [True, False], ids=["same advice id", "new advice id"])
async def test_v14_confirming_again_leaves_a_used_voucher_used(
    till: Till, switch: Switch, simulator: SimulatorControl, same_advice: bool
) -> None:
    sale = await till.a_redeemed()
    advice = sale.confirmation if same_advice else a_tender_confirmation(sale.id)
    assert advice is not None

    answer = await till.post("/vouchers/confirmations", advice)

    assert (answer.status, answer.body) == (202, advice)
    assert await switch.voucher_state(sale.code) == "REDEEMED"
    assert (await till.redeem(sale.code)).error_type == "VOUCHER_ALREADY_REDEEMED"
    assert await simulator.ops(sale.id) == ["provision", "confirm"]


async def test_provisions_of_one_id_at_once_issue_one_voucher(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    """Thirty tills press the same key: one voucher, one 201, and everybody else hears of a duplicate."""
    request = a_provision()

    answers = await till.at_once(30, "/vouchers", request)

    assert sorted(answer.status for answer in answers) == [201] + [400] * 29
    assert {answer.error_type for answer in answers if answer.status == 400} == {"DUPLICATE_RECORD"}
    assert await simulator.ops(request["id"]) == ["provision"]
    assert await switch.value("SELECT count(*) FROM transaction WHERE request_id = $1", request["id"]) == 1
    assert await switch.state(request["id"]) == State.APPROVED.name
