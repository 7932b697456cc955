"""Redemptions: R1 to R13 (interface.md §4.4)."""

import pytest
from dirty_equals import IsPartialDict

from support.expect import SOME_TEXT, refused
from support.messages import (
    MOBITALK,
    PROTEA,
    REMOVED,
    SETTLEMENT,
    a_confirmation,
    a_redemption,
    a_reversal,
    new_id,
    rand,
)
from support.originators import PROTEA_ONLY
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till


async def test_r1_an_unknown_code_is_not_redeemable(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    request = a_redemption(code=f"X{new_id()[:13]}")

    answer = await till.post("/redemptions", request)

    refused(answer, 400, "VOUCHER_NOT_REDEEMABLE", "Voucher not confirmed.", id=request["id"], freeString=SOME_TEXT)
    assert await switch.record(request["id"]) is None
    assert await simulator.ops(request["id"]) == []


async def test_r1_an_unconfirmed_voucher_is_not_redeemable_and_its_request_is_not_kept(
    till: Till, switch: Switch
) -> None:
    sale = await till.a_provisioned()
    request = a_redemption(code=sale.code)

    refused(
        await till.post("/redemptions", request),
        400,
        "VOUCHER_NOT_REDEEMABLE",
        "Voucher not confirmed.",
        id=request["id"],
        freeString=SOME_TEXT,
    )

    assert await switch.record(request["id"]) is None
    await till.confirm_voucher(sale.id)
    assert (await till.post("/redemptions", request)).status == 201


async def test_r1_a_reversed_voucher_is_not_redeemable(till: Till) -> None:
    sale = await till.a_provisioned()
    await till.reverse_voucher(sale.id)

    assert (await till.redeem(sale.code)).error_type == "VOUCHER_NOT_REDEEMABLE"


async def test_r1_a_voucher_of_another_receiver_is_unknown(till: Till) -> None:
    """§4.9: the key is receiver and code, never the bare code."""
    sale = await till.a_confirmed()

    assert (await till.redeem(sale.code, receiver=PROTEA)).error_type == "VOUCHER_NOT_REDEEMABLE"


async def test_r1_a_voucher_that_the_originator_is_not_entitled_to_is_unknown(till: Till, switch: Switch) -> None:
    sale = await till.a_confirmed()

    answer = await Till(switch, PROTEA_ONLY).redeem(sale.code)

    assert (answer.status, answer.error_type) == (400, "VOUCHER_NOT_REDEEMABLE")


async def test_r1_comes_before_r2(till: Till) -> None:
    reversal = a_reversal(new_id())
    assert (await till.post("/redemptions/reversals", reversal)).status == 404

    answer = await till.redeem(f"X{new_id()[:13]}", id=reversal["requestId"])

    assert answer.error_type == "VOUCHER_NOT_REDEEMABLE"


async def test_r2_a_redemption_after_its_reversal_is_refused(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    sale, reversal = await till.a_confirmed(), a_reversal(new_id())
    assert (await till.post("/redemptions/reversals", reversal)).status == 404

    answer = await till.redeem(sale.code, id=reversal["requestId"])

    refused(
        answer,
        400,
        "REDEMPTION_ALREADY_REVERSED",
        "Redemption reversed.",
        id=reversal["requestId"],
        original_id=reversal["id"],
        freeString=SOME_TEXT,
        reversalId=reversal["id"],
    )
    assert await simulator.ops(reversal["requestId"]) == []
    assert await switch.voucher_state(sale.code) == "CONFIRMED_PROVISIONED"


async def test_r2_the_same_id_after_a_reversed_redemption_is_refused(till: Till) -> None:
    sale, reversal = await till.a_redeemed(), a_reversal(new_id())
    reversal["requestId"] = sale.redemption_id
    assert (await till.post("/redemptions/reversals", reversal)).status == 202

    answer = await till.redeem(sale.code, id=sale.redemption_id)

    refused(answer, 400, "REDEMPTION_ALREADY_REVERSED", id=sale.redemption_id, original_id=reversal["id"])


@pytest.mark.parametrize("used", ["a_redeemed", "a_used", "a_refunded"])
async def test_r3_a_used_voucher_is_not_redeemed_again(
    till: Till, switch: Switch, simulator: SimulatorControl, used: str
) -> None:
    sale = await getattr(till, used)()
    request = a_redemption(code=sale.code)

    answer = await till.post("/redemptions", request)

    refused(
        answer,
        400,
        "VOUCHER_ALREADY_REDEEMED",
        "Duplicate Redemption Requests",
        id=request["id"],
        freeString=SOME_TEXT,
    )
    assert "voucher" not in answer.detail
    assert await switch.record(request["id"]) is None
    assert await simulator.ops(request["id"]) == []


async def test_r3_names_the_voucher_when_this_very_id_was_answered_before(till: Till) -> None:
    sale = await till.a_redeemed()

    answer = await till.redeem(sale.code, id=sale.redemption_id)

    refused(
        answer,
        400,
        "VOUCHER_ALREADY_REDEEMED",
        "Duplicate Redemption Requests",
        id=sale.redemption_id,
        voucher=IsPartialDict(code=sale.code),
    )


async def test_r4_a_redemption_is_answered_with_its_request_and_the_amount(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    sale = await till.a_confirmed()
    voucher = {"code": sale.code, "expiryDate": sale.answer.body["voucher"]["expiryDate"]}
    request = a_redemption(code=sale.code, voucher=voucher, rrn="607314000431", basketRef="B-77")

    answer = await till.post("/redemptions", request)

    assert answer.status == 201
    for name in ("id", "time", "originator", "client", "receiver", "voucher", "rrn", "basketRef"):
        assert answer.body[name] == request[name]
    assert answer.body["settlementEntity"] == SETTLEMENT
    assert answer.body["thirdPartyIdentifiers"][:2] == request["thirdPartyIdentifiers"]
    assert len(answer.body["thirdPartyIdentifiers"]) == 4
    assert answer.body["amounts"] == {
        "requestAmount": rand(10_000),
        "approvedAmount": rand(10_000),
        "balanceAmount": rand(0),
    }
    assert answer.headers["location"] == "/suv/v1/redemptions"
    assert await switch.voucher_state(sale.code) == "REDEEMED"
    assert await simulator.ops(request["id"]) == ["redeem"]


async def test_r4_a_past_expiry_date_in_the_request_is_echoed_and_not_judged(till: Till) -> None:
    sale = await till.a_confirmed()
    voucher = {"code": sale.code, "expiryDate": "2001-01-01T00:00:00.000Z"}

    answer = await till.redeem(sale.code, voucher=voucher)

    assert (answer.status, answer.body["voucher"]) == (201, voucher)


async def test_r4_without_an_amount_the_whole_voucher_is_redeemed(till: Till) -> None:
    sale = await till.a_confirmed(cents=7_550)

    answer = await till.redeem(sale.code, amounts=REMOVED)

    assert answer.status == 201
    assert answer.body["amounts"]["approvedAmount"] == rand(7_550)


async def test_r4_an_answer_that_takes_more_than_the_voucher_was_sold_for_proves_nothing(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    sale = await till.a_confirmed()
    request = a_redemption(code=sale.code)
    del request["amounts"]
    await simulator.fault("wrong_amount", "redeem", request["id"], deltaCents=100)

    answer = await till.post("/redemptions", request)

    assert answer.status == 504
    assert await switch.state(request["id"]) == "UNKNOWN"


async def test_r4_the_receiver_is_taken_from_the_record_of_the_code(till: Till) -> None:
    sale = await till.a_confirmed()

    answer = await till.redeem(sale.code, receiver=REMOVED)

    assert answer.status == 201
    assert answer.body["receiver"] == MOBITALK


async def test_r4_a_code_of_several_receivers_needs_a_receiver(till: Till) -> None:
    code = f"TWIN-{new_id()[:13]}"
    await till.a_confirmed(voucher={"code": code})
    await till.a_confirmed(voucher={"code": code}, product="PROTEAANY", receiver=PROTEA)

    refused_ = await till.redeem(code, receiver=REMOVED)

    assert (refused_.status, refused_.error_type) == (400, "ROUTING_ERROR")
    assert (await till.redeem(code, receiver=PROTEA)).status == 201


async def test_r4_a_pin_reaches_the_provider_and_not_the_answer(till: Till, simulator: SimulatorControl) -> None:
    sale = await till.a_confirmed(product="SBXPIN")
    pin = sale.answer.body["voucher"]["pin"]
    wrong = await till.redeem(sale.code, voucher={"code": sale.code, "pin": {"type": "CLEAR_PIN", "pin": "0000"}})
    assert (wrong.status, wrong.error_type) == (400, "INVALID_VOUCHER")

    answer = await till.redeem(sale.code, voucher={"code": sale.code, "pin": pin})

    assert answer.status == 201
    assert answer.body["voucher"] == {"code": sale.code}
    assert await simulator.ops(answer.body["id"]) == ["redeem"]


async def test_r5_after_a_reversed_redemption_a_new_one_is_possible(till: Till) -> None:
    sale = await till.a_redeemed()
    assert (await till.reverse_redemption(sale.redemption_id)).status == 202

    assert (await till.redeem(sale.code)).status == 201


async def test_r6_after_a_confirmed_refund_the_voucher_is_redeemed_again(till: Till) -> None:
    sale = await till.a_returned()

    again = await till.a_used(sale)

    assert again.redemption_answer is not None
    assert again.redemption_answer.body["amounts"]["approvedAmount"] == rand(10_000)


@pytest.mark.parametrize("declined", [False, True], ids=["unknown", "declined"])
async def test_r7_a_redemption_that_was_never_answered_201_is_not_confirmed(till: Till, declined: bool) -> None:
    request_id = new_id()
    if declined:
        sale = await till.a_confirmed(cents=50_000)
        assert (await till.redeem(sale.code, id=request_id, cents=16_601)).error_type == "DO_NOT_HONOUR"
    confirmation = a_confirmation(request_id)

    answer = await till.post("/redemptions/confirmations", confirmation)

    refused(
        answer,
        404,
        "UNABLE_TO_LOCATE_RECORD",
        "No Redemption Request",
        id=confirmation["id"],
        original_id=request_id,
        freeString=SOME_TEXT,
    )


async def test_r7_a_tombstone_alone_is_no_record(till: Till) -> None:
    request_id = new_id()
    await till.reverse_redemption(request_id)

    assert (await till.confirm_redemption(request_id)).error_type == "UNABLE_TO_LOCATE_RECORD"


async def test_r8_a_redemption_is_confirmed(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    sale = await till.a_redeemed()
    assert sale.redemption_answer is not None
    confirmation = a_confirmation(
        sale.redemption_id, thirdPartyIdentifiers=sale.redemption_answer.body["thirdPartyIdentifiers"], rrn="1"
    )

    answer = await till.post("/redemptions/confirmations", confirmation)

    assert (answer.status, answer.body) == (202, confirmation)
    assert await switch.state(sale.redemption_id) == "CONFIRMED"
    assert await switch.voucher_state(sale.code) == "CONFIRMED_REDEEMED"
    await simulator.takes(sale.redemption_id, "confirmRedeem")


@pytest.mark.parametrize("state", ["CONFIRMED", "REVERSED"])
async def test_r9_a_redemption_in_another_state_is_not_confirmed(till: Till, switch: Switch, state: str) -> None:
    if state == "CONFIRMED":
        sale = await till.a_used()
    else:
        sale = await till.a_redeemed()
        assert (await till.reverse_redemption(sale.redemption_id)).status == 202
    confirmation = a_confirmation(sale.redemption_id)

    answer = await till.post("/redemptions/confirmations", confirmation)

    refused(
        answer,
        400,
        "VOUCHER_NOT_REDEEMED",
        "Redemption Confirmation not performed",
        id=confirmation["id"],
        original_id=sale.redemption_id,
        freeString=SOME_TEXT,
    )
    assert state in answer.detail["freeString"]
    assert await switch.state(sale.redemption_id) == state


@pytest.mark.parametrize("declined", [False, True], ids=["unknown", "declined"])
async def test_r10_the_reversal_of_no_redemption_is_404_and_kept(till: Till, declined: bool) -> None:
    request_id, sale = new_id(), await till.a_confirmed(cents=50_000)
    if declined:
        assert (await till.redeem(sale.code, id=request_id, cents=16_603)).error_type == "TRANSACTION_DECLINED"
    reversal = a_reversal(request_id)

    answer = await till.post("/redemptions/reversals", reversal)

    refused(
        answer,
        404,
        "UNABLE_TO_LOCATE_RECORD",
        "No Redemption Request",
        id=reversal["id"],
        original_id=request_id,
        freeString=SOME_TEXT,
    )
    late = await till.redeem(sale.code, id=request_id)
    refused(late, 400, "REDEMPTION_ALREADY_REVERSED", id=request_id, original_id=reversal["id"])


async def test_r11_a_redemption_is_reversed(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    sale = await till.a_redeemed()
    reversal = a_reversal(sale.redemption_id, reason="CANCELLED")

    answer = await till.post("/redemptions/reversals", reversal)

    assert (answer.status, answer.body) == (202, reversal)
    assert await switch.state(sale.redemption_id) == "REVERSED"
    assert await switch.voucher_state(sale.code) == "CONFIRMED_PROVISIONED"
    await simulator.takes(sale.redemption_id, "reverseRedeem")
    voucher = await simulator.voucher(code=sale.code)
    assert voucher is not None
    assert (voucher["state"], voucher["balanceCents"]) == ("CONFIRMED", 10_000)


@pytest.mark.parametrize("since", ["confirmed", "refunded", "returned"])
async def test_r12_a_confirmed_redemption_is_not_reversed(till: Till, switch: Switch, since: str) -> None:
    steps = {"confirmed": till.a_used, "refunded": till.a_refunded, "returned": till.a_returned}
    sale = await steps[since]()
    assert sale.redemption_confirmation is not None
    before = await switch.voucher_state(sale.code)
    reversal = a_reversal(sale.redemption_id)

    answer = await till.post("/redemptions/reversals", reversal)

    refused(
        answer,
        400,
        "REDEMPTION_ALREADY_CONFIRMED",
        "Redemption confirmed.",
        id=reversal["id"],
        original_id=sale.redemption_id,
        freeString=SOME_TEXT,
        confirmationId=sale.redemption_confirmation["id"],
        voucherId=sale.redemption_id,
        reversalId=reversal["id"],
    )
    assert await switch.voucher_state(sale.code) == before


@pytest.mark.parametrize("redeemed_again", [False, True])
async def test_r13_reversing_again_is_acknowledged_and_changes_nothing(
    till: Till, switch: Switch, simulator: SimulatorControl, redeemed_again: bool
) -> None:
    """§4.9: a repeated reversal must not make a voucher redeemable that was redeemed again since."""
    sale = await till.a_redeemed()
    first_id, reversal = sale.redemption_id, a_reversal(sale.redemption_id)
    assert (await till.post("/redemptions/reversals", reversal)).status == 202
    if redeemed_again:
        await till.a_redeemed(sale)
    before = await switch.voucher_state(sale.code)

    for advice in (reversal, a_reversal(first_id), a_reversal(first_id, reason="CANCELLED")):
        answer = await till.post("/redemptions/reversals", advice)
        assert (answer.status, answer.body) == (202, advice)

    assert await switch.voucher_state(sale.code) == before
    await simulator.takes(first_id, "reverseRedeem")
    assert len(await simulator.calls(first_id, "reverseRedeem")) == 1


async def test_redemptions_of_one_voucher_at_once_have_one_winner(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    sale = await till.a_confirmed()
    requests = [a_redemption(code=sale.code) for _ in range(20)]

    answers = await till.at_once(1, "/redemptions", *requests)

    assert sorted(answer.status for answer in answers) == [201] + [400] * 19
    assert {answer.error_type for answer in answers if answer.status == 400} <= {
        "VOUCHER_ALREADY_REDEEMED",
        "VOUCHER_STATUS_UNKNOWN",
    }
    sent = [request["id"] for request in requests if await simulator.ops(request["id"])]
    assert sent == [answer.body["id"] for answer in answers if answer.status == 201]
    assert await switch.voucher_state(sale.code) == "REDEEMED"
