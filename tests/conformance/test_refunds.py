"""Refunds: F1 to F13 (interface.md §4.5)."""

import pytest

from support.expect import SOME_TEXT, refused
from support.messages import (
    MOBITALK,
    REMOVED,
    SETTLEMENT,
    a_confirmation,
    a_refund,
    a_reversal,
    new_id,
    rand,
)
from support.originators import PROTEA_ONLY
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till


async def test_f1_a_refund_after_its_reversal_is_refused(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    sale, reversal = await till.a_used(), a_reversal(new_id())
    assert (await till.post("/refunds/reversals", reversal)).status == 404

    answer = await till.refund(sale.code, id=reversal["requestId"])

    refused(
        answer,
        400,
        "REFUND_ALREADY_REVERSED",
        "Refund reversed.",
        id=reversal["requestId"],
        original_id=reversal["id"],
        freeString=SOME_TEXT,
        reversalId=reversal["id"],
    )
    assert await simulator.ops(reversal["requestId"]) == []
    assert await switch.voucher_state(sale.code) == "CONFIRMED_REDEEMED"


async def test_f1_comes_first(till: Till) -> None:
    reversal = a_reversal(new_id())
    await till.post("/refunds/reversals", reversal)

    answer = await till.refund(f"X{new_id()[:13]}", id=reversal["requestId"])

    assert answer.error_type == "REFUND_ALREADY_REVERSED"


@pytest.mark.parametrize("history", ["never redeemed", "redemption reversed", "refund confirmed"])
async def test_f2_a_voucher_that_is_not_redeemed_is_not_refunded(till: Till, switch: Switch, history: str) -> None:
    if history == "never redeemed":
        sale = await till.a_confirmed()
    elif history == "redemption reversed":
        sale = await till.a_redeemed()
        assert (await till.reverse_redemption(sale.redemption_id)).status == 202
    else:
        sale = await till.a_returned()
    request = a_refund(code=sale.code)

    answer = await till.post("/refunds", request)

    refused(answer, 400, "VOUCHER_NOT_REDEEMED", "Voucher not refundable", id=request["id"], freeString=SOME_TEXT)
    assert await switch.record(request["id"]) is None


async def test_f3_a_redemption_that_is_not_confirmed_is_not_refunded(till: Till, switch: Switch) -> None:
    sale = await till.a_redeemed()
    request = a_refund(code=sale.code)

    answer = await till.post("/refunds", request)

    refused(
        answer,
        400,
        "REDEMPTION_NOT_CONFIRMED",
        "Voucher Redemption unconfirmed",
        id=request["id"],
        freeString=SOME_TEXT,
    )
    assert await switch.record(request["id"]) is None


async def test_f4_a_voucher_whose_refund_is_pending_is_not_refunded_again(till: Till) -> None:
    sale = await till.a_refunded()
    request = a_refund(code=sale.code)

    answer = await till.post("/refunds", request)

    refused(answer, 400, "VOUCHER_ALREADY_REFUNDED", "Voucher refund pending", id=request["id"], freeString=SOME_TEXT)


async def test_f5_a_refund_is_answered_with_its_request_and_the_amount(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    sale = await till.a_used()
    assert sale.redemption_answer is not None
    reference = sale.redemption_answer.body["thirdPartyIdentifiers"][3]["transactionIdentifier"]
    request = a_refund(
        code=sale.code,
        amounts={"requestAmount": rand(10_000)},
        redemptionId=sale.redemption_id,
        receiverTransactionRef=reference,
        rrn="12",
    )

    answer = await till.post("/refunds", request)

    assert answer.status == 201
    for name in ("id", "time", "originator", "client", "receiver", "voucher", "rrn"):
        assert answer.body[name] == request[name]
    assert answer.body["settlementEntity"] == SETTLEMENT
    assert answer.body["thirdPartyIdentifiers"][:2] == request["thirdPartyIdentifiers"]
    assert len(answer.body["thirdPartyIdentifiers"]) == 4
    assert answer.body["amounts"]["approvedAmount"] == rand(10_000)
    assert answer.headers["location"] == "/suv/v1/refunds"
    assert await switch.voucher_state(sale.code) == "REFUNDED"
    assert await simulator.ops(request["id"]) == ["refund"]


@pytest.mark.parametrize("names", ["nothing", "the redemption", "the provider's reference"])
async def test_f5_without_an_amount_the_whole_redemption_is_refunded(till: Till, names: str) -> None:
    sale = await till.a_used(cents=12_300)
    assert sale.redemption_answer is not None
    reference = sale.redemption_answer.body["thirdPartyIdentifiers"][3]["transactionIdentifier"]
    named = {
        "nothing": {},
        "the redemption": {"redemptionId": sale.redemption_id.upper()},
        "the provider's reference": {"receiverTransactionRef": reference},
    }

    answer = await till.refund(sale.code, **named[names])

    assert answer.status == 201
    assert answer.body["amounts"]["approvedAmount"] == rand(12_300)


async def test_f5_the_receiver_is_taken_from_the_record_of_the_code(till: Till) -> None:
    sale = await till.a_used()

    answer = await till.refund(sale.code, receiver=REMOVED)

    assert answer.status == 201
    assert answer.body["receiver"] == MOBITALK


async def test_f5_a_redemption_that_the_voucher_does_not_have_is_not_refunded(till: Till) -> None:
    sale, elsewhere = await till.a_used(), await till.a_used()

    answer = await till.refund(sale.code, redemptionId=elsewhere.redemption_id)

    assert (answer.status, answer.error_type) == (400, "VOUCHER_NOT_REDEEMED")


@pytest.mark.parametrize("entitled", [True, False])
async def test_f6_an_unknown_code_is_an_invalid_voucher(till: Till, switch: Switch, entitled: bool) -> None:
    code = f"X{new_id()[:13]}" if entitled else (await till.a_used()).code
    sender = till if entitled else Till(switch, PROTEA_ONLY)
    request = a_refund(sender.by, code=code)

    answer = await sender.post("/refunds", request)

    refused(answer, 400, "INVALID_VOUCHER", "Unknown voucher.", id=request["id"], freeString=SOME_TEXT)
    assert await switch.record(request["id"]) is None


@pytest.mark.parametrize("declined", [False, True], ids=["unknown", "declined"])
async def test_f7_a_refund_that_was_never_answered_201_is_not_confirmed(till: Till, declined: bool) -> None:
    request_id = new_id()
    if declined:
        sale = await till.a_used(cents=50_000)
        answer = await till.refund(sale.code, id=request_id, amounts={"requestAmount": rand(16_601)})
        assert answer.error_type == "DO_NOT_HONOUR"
    confirmation = a_confirmation(request_id)

    answer = await till.post("/refunds/confirmations", confirmation)

    refused(
        answer,
        404,
        "UNABLE_TO_LOCATE_RECORD",
        "No Refund Request",
        id=confirmation["id"],
        original_id=request_id,
        freeString=SOME_TEXT,
    )


async def test_f8_a_refund_is_confirmed(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    sale = await till.a_refunded()
    confirmation = a_confirmation(sale.refund_id, stan="000001")

    answer = await till.post("/refunds/confirmations", confirmation)

    assert (answer.status, answer.body) == (202, confirmation)
    assert await switch.state(sale.refund_id) == "CONFIRMED"
    assert await switch.voucher_state(sale.code) == "CONFIRMED_PROVISIONED"
    await simulator.takes(sale.refund_id, "confirmRefund")
    voucher = await simulator.voucher(code=sale.code)
    assert voucher is not None
    assert (voucher["state"], voucher["balanceCents"]) == ("CONFIRMED", 10_000)


@pytest.mark.parametrize("state", ["CONFIRMED", "REVERSED"])
async def test_f9_a_refund_in_another_state_is_not_confirmed(till: Till, switch: Switch, state: str) -> None:
    if state == "CONFIRMED":
        sale = await till.a_returned()
    else:
        sale = await till.a_refunded()
        assert (await till.reverse_refund(sale.refund_id)).status == 202
    before = await switch.voucher_state(sale.code)
    confirmation = a_confirmation(sale.refund_id)

    answer = await till.post("/refunds/confirmations", confirmation)

    refused(
        answer,
        400,
        "VOUCHER_NOT_REFUNDED",
        "Refund Confirmation not performed",
        id=confirmation["id"],
        original_id=sale.refund_id,
        freeString=SOME_TEXT,
    )
    assert state in answer.detail["freeString"]
    assert await switch.voucher_state(sale.code) == before


@pytest.mark.parametrize("declined", [False, True], ids=["unknown", "declined"])
async def test_f10_the_reversal_of_no_refund_is_404_and_kept(till: Till, declined: bool) -> None:
    request_id, sale = new_id(), await till.a_used(cents=50_000)
    if declined:
        answer = await till.refund(sale.code, id=request_id, amounts={"requestAmount": rand(16_603)})
        assert answer.error_type == "TRANSACTION_DECLINED"
    reversal = a_reversal(request_id)

    answer = await till.post("/refunds/reversals", reversal)

    refused(
        answer,
        404,
        "UNABLE_TO_LOCATE_RECORD",
        "No Refund Request",
        id=reversal["id"],
        original_id=request_id,
        freeString=SOME_TEXT,
    )
    late = await till.refund(sale.code, id=request_id)
    refused(late, 400, "REFUND_ALREADY_REVERSED", id=request_id, original_id=reversal["id"])


async def test_f11_a_refund_is_reversed(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    sale = await till.a_refunded()
    reversal = a_reversal(sale.refund_id)

    answer = await till.post("/refunds/reversals", reversal)

    assert (answer.status, answer.body) == (202, reversal)
    assert await switch.state(sale.refund_id) == "REVERSED"
    assert await switch.voucher_state(sale.code) == "CONFIRMED_REDEEMED"
    await simulator.takes(sale.refund_id, "reverseRefund")
    assert (await till.refund(sale.code)).status == 201


@pytest.mark.parametrize("redeemed_again", [False, True])
async def test_f12_a_confirmed_refund_is_not_reversed(till: Till, switch: Switch, redeemed_again: bool) -> None:
    sale = await till.a_returned()
    if redeemed_again:
        await till.a_redeemed(sale)
    before = await switch.voucher_state(sale.code)
    reversal = a_reversal(sale.refund_id)

    answer = await till.post("/refunds/reversals", reversal)

    refused(
        answer,
        400,
        "REFUND_ALREADY_CONFIRMED",
        "Refund confirmed",
        id=reversal["id"],
        original_id=sale.refund_id,
        freeString=SOME_TEXT,
        reversalId=reversal["id"],
    )
    assert await switch.voucher_state(sale.code) == before


@pytest.mark.parametrize("refunded_again", [False, True])
async def test_f13_reversing_again_is_acknowledged_and_changes_nothing(
    till: Till, switch: Switch, simulator: SimulatorControl, refunded_again: bool
) -> None:
    sale = await till.a_refunded()
    first_id, reversal = sale.refund_id, a_reversal(sale.refund_id)
    assert (await till.post("/refunds/reversals", reversal)).status == 202
    if refunded_again:
        await till.a_refunded(sale)
    before = await switch.voucher_state(sale.code)

    for advice in (reversal, a_reversal(first_id), a_reversal(first_id, reason="CANCELLED")):
        answer = await till.post("/refunds/reversals", advice)
        assert (answer.status, answer.body) == (202, advice)

    assert await switch.voucher_state(sale.code) == before
    await simulator.takes(first_id, "reverseRefund")
    assert len(await simulator.calls(first_id, "reverseRefund")) == 1


async def test_refunds_of_one_redemption_at_once_have_one_winner(till: Till, simulator: SimulatorControl) -> None:
    sale = await till.a_used()
    requests = [a_refund(code=sale.code) for _ in range(10)]

    answers = await till.at_once(1, "/refunds", *requests)

    assert sorted(answer.status for answer in answers) == [201] + [400] * 9
    assert {answer.error_type for answer in answers if answer.status == 400} <= {
        "VOUCHER_ALREADY_REFUNDED",
        "VOUCHER_STATUS_UNKNOWN",
    }
    sent = [request["id"] for request in requests if await simulator.ops(request["id"])]
    assert sent == [answer.body["id"] for answer in answers if answer.status == 201]


async def test_f5_an_answer_that_gives_back_more_than_was_taken_proves_nothing(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    """Also not to a refund without an amount: how much is left is known here, and is what is asked for."""
    sale, request_id = await till.a_used(), new_id()
    await simulator.fault("wrong_amount", "refund", request_id, deltaCents=100)

    answer = await till.refund(sale.code, id=request_id)

    assert answer.status == 504
    assert await switch.state(request_id) == "UNKNOWN"


async def test_f5_more_than_the_redemption_took_is_not_refunded(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    sale = await till.a_used()
    request = a_refund(code=sale.code, amounts={"requestAmount": rand(10_001)})

    answer = await till.post("/refunds", request)

    refused(answer, 400, "INVALID_AMOUNT", "Invalid amount.", id=request["id"], freeString=SOME_TEXT)
    assert await switch.record(request["id"]) is None
    assert await simulator.ops(request["id"]) == []


async def test_f2_a_redemption_that_was_given_back_is_not_given_back_again(
    till: Till, simulator: SimulatorControl
) -> None:
    """Not after the voucher was redeemed anew either: that is another redemption."""
    sale = await till.a_returned()
    first = sale.redemption_id
    await till.a_used(sale)
    request = a_refund(code=sale.code, redemptionId=first)

    answer = await till.post("/refunds", request)

    refused(answer, 400, "VOUCHER_NOT_REDEEMED", "Voucher not refundable", id=request["id"], freeString=SOME_TEXT)
    assert await simulator.ops(request["id"]) == []
    assert (await till.refund(sale.code)).status == 201
