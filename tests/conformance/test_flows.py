"""Message flows M1 to M26 (interface.md §6), told from the till to the provider's books.

Single steps are tested by their rules; here each flow is walked once, and the provider's journal and books must show
exactly the messages that the flow lists.
"""

import asyncio

from support.kinds import LONG_MS, PROVISION, REDEMPTION, release, running
from support.messages import (
    a_provision,
    a_redemption,
    a_reversal,
    a_tender_confirmation,
    cash,
    new_id,
)
from support.originators import SINGLE, SINGLE_HELD
from support.providers import DOWN, NO_ADVICES, NO_REDEEM_ADVICES, NO_REFUND_ADVICES, NO_RETRY, at
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till


async def test_m1_provision_dual(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    sale = await till.a_provisioned()
    assert (await till.confirm_voucher(sale.id, tenders=[cash(10_000)])).status == 202

    await simulator.takes(sale.id, "confirm")
    assert await simulator.ops(sale.id) == ["provision", "confirm"]
    assert await simulator.voucher_state(sale.id) == "CONFIRMED"
    assert await switch.voucher_state(sale.code) == "CONFIRMED_PROVISIONED"


async def test_m2_provision_single(switch: Switch, simulator: SimulatorControl) -> None:
    sale = await Till(switch, SINGLE).a_provisioned()
    assert await switch.voucher_state(sale.code) == "CONFIRMED_PROVISIONED"

    await simulator.takes(sale.id, "confirm")
    assert await simulator.ops(sale.id) == ["provision", "confirm"]


async def test_m3_provision_hard_decline(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    request = a_provision(product="SBXDECLINE05")
    declined = await till.post("/vouchers", request)

    assert (declined.status, declined.error_type) == (400, "INSUFFICIENT_FUNDS")
    assert declined.body["providerErrorCode"]
    assert await simulator.ops(request["id"]) == ["provision"]
    assert await switch.advices(request["id"]) == []
    assert (await till.provision()).status == 201


async def test_m4_provision_not_sent(till: Till, simulator: SimulatorControl) -> None:
    request = a_provision(**at(DOWN))

    answer = await till.post("/vouchers", request)

    assert (answer.status, answer.error_type) == (503, "UPSTREAM_UNAVAILABLE")
    assert await simulator.ops(request["id"]) == []
    assert (await till.provision()).status == 201


async def test_m5_m6_provision_timeout_then_reversal(hasty: Till, switch: Switch, simulator: SimulatorControl) -> None:
    request = a_provision(hasty.by, product="SBXTIMEOUT")
    assert (await hasty.post("/vouchers", request)).status == 504
    assert await switch.state(request["id"]) == "UNKNOWN"
    reversal = a_reversal(request["id"], reason="TIMEOUT")

    for _ in range(2):
        assert (await hasty.post("/vouchers/reversals", reversal)).status == 202

    await simulator.takes(request["id"], "reverse")
    assert await simulator.ops(request["id"]) == ["provision", "reverse"]
    assert await simulator.voucher_state(request["id"]) == "REVERSED"


async def test_m6_an_answer_that_cannot_be_processed_is_reversed(till: Till, simulator: SimulatorControl) -> None:
    sale = await till.a_provisioned()

    assert (await till.reverse_voucher(sale.id, reason="RESPONSE_NOT_FINAL")).status == 202

    await simulator.takes(sale.id, "reverse")
    assert await simulator.voucher_state(sale.id) == "REVERSED"


async def test_m7_late_answer_then_retry(hasty: Till, simulator: SimulatorControl) -> None:
    request = a_provision(hasty.by)
    await simulator.fault("late", "provision", request["id"], ms=LONG_MS)
    assert (await hasty.post("/vouchers", request)).status == 504
    await simulator.advance(LONG_MS)

    answer = await hasty.retry(request)

    assert answer.status == 201
    assert (await simulator.voucher(code=answer.code) or {})["reference"] == request["id"]
    assert (await hasty.confirm_voucher(request["id"])).status == 202


async def test_m8_retry_of_a_lost_answer(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    request = a_provision(product="SBXDROPAFTER")
    assert (await till.post("/vouchers", request)).status == 504

    retried = [await till.retry(request) for _ in range(2)]
    assert [answer.status for answer in retried] == [201, 201]
    assert retried[0].body == retried[1].body
    assert (await till.confirm_voucher(request["id"])).status == 202

    await simulator.takes(request["id"], "confirm")
    assert await simulator.ops(request["id"]) == ["provision", "retry", "confirm"]
    assert await switch.voucher_state(retried[0].code) == "CONFIRMED_PROVISIONED"


async def test_m9_retry_at_a_provider_without_retries(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    request = a_provision(**at(NO_RETRY))
    await simulator.fault("drop_after", "provision", request["id"])
    assert (await till.post("/vouchers", request)).status == 504

    answer = await till.retry(request)

    assert (answer.status, answer.error_type) == (400, "FUNCTION_NOT_SUPPORTED")
    record = await switch.record(request["id"])
    assert record is not None
    assert record["alert"]
    assert await switch.state(request["id"]) == "UNKNOWN"


async def test_m10_reversal_before_request(till: Till, simulator: SimulatorControl) -> None:
    """For all three kinds: the late request is refused, and the provider never hears of it."""
    sale, used = await till.a_confirmed(), await till.a_used()
    provision_id, redemption_id, refund_id = new_id(), new_id(), new_id()
    early = [
        await till.reverse_voucher(provision_id),
        await till.reverse_redemption(redemption_id),
        await till.reverse_refund(refund_id),
    ]

    late = [
        await till.provision(id=provision_id),
        await till.redeem(sale.code, id=redemption_id),
        await till.refund(used.code, id=refund_id),
    ]

    assert [answer.status for answer in early] == [404, 404, 404]
    assert [answer.error_type for answer in late] == [
        "VOUCHER_ALREADY_REVERSED",
        "REDEMPTION_ALREADY_REVERSED",
        "REFUND_ALREADY_REVERSED",
    ]
    for request_id in (provision_id, redemption_id, refund_id):
        assert await simulator.ops(request_id) == []


async def test_m11_cancel_at_the_till(till: Till, simulator: SimulatorControl) -> None:
    sale = await till.a_provisioned()

    assert (await till.reverse_voucher(sale.id, reason="CANCELLED")).status == 202

    await simulator.takes(sale.id, "reverse")
    assert await simulator.ops(sale.id) == ["provision", "reverse"]


async def test_m12_advice_answer_lost(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    sale = await till.a_provisioned()
    confirmation = a_tender_confirmation(sale.id)

    answers = [await till.post("/vouchers/confirmations", confirmation) for _ in range(3)]

    assert [(answer.status, answer.body) for answer in answers] == [(202, confirmation)] * 3
    await simulator.takes(sale.id, "confirm")
    assert len(await simulator.calls(sale.id, "confirm")) == 1
    assert len(await switch.advices(sale.id)) == 1


async def test_m13_redeem_right_after_confirm(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    with switch.senders_stopped():
        sale = await till.a_confirmed()
        redeemed = await till.redeem(sale.code)

    assert redeemed.status == 201
    (confirm,), (redeem,) = (
        await simulator.calls(sale.id, "confirm"),
        await simulator.calls(redeemed.body["id"], "redeem"),
    )
    assert confirm["seq"] < redeem["seq"]


async def test_m14_voucher_lookup(till: Till, simulator: SimulatorControl) -> None:
    sale = await till.a_confirmed()
    await simulator.fault("drop_after", "lookup", sale.id)

    failed = await till.lookup(provisionRequestId=sale.id)
    found = await till.lookup(provisionRequestId=sale.id)

    assert (failed.status, found.status) == (504, 200)
    assert found.body["amounts"]["approvedAmount"]["ledgerIndicator"] == "CREDIT"


async def test_m15_product_lookup(till: Till) -> None:
    listed = await till.get("/products", channelName="TILL")

    product = next(item for item in listed.body["products"] if item["productId"] == "KAROO150")
    bought = await till.provision(
        product=product["productId"], receiver=product["receiver"], amounts={"requestAmount": product["amount"]}
    )
    assert bought.status == 201
    assert bought.body["amounts"]["approvedAmount"] == product["amount"]


async def test_m16_redemption_dual(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    sale = await till.a_confirmed()
    worth = await till.lookup(voucherCode=sale.code)
    amount = worth.body["amounts"]["approvedAmount"]["amount"]
    redeemed = await till.redeem(sale.code, cents=amount)
    assert (await till.confirm_redemption(redeemed.body["id"])).status == 202

    await simulator.takes(redeemed.body["id"], "confirmRedeem")
    assert await simulator.ops(redeemed.body["id"]) == ["redeem", "confirmRedeem"]
    assert await simulator.voucher_state(sale.id) == "REDEEM_CONFIRMED"
    assert await switch.voucher_state(sale.code) == "CONFIRMED_REDEEMED"


async def test_m17_redemption_single(switch: Switch, simulator: SimulatorControl) -> None:
    till = Till(switch, SINGLE)
    sale = await till.a_provisioned()
    redeemed = await till.redeem(sale.code)

    assert redeemed.status == 201
    assert await switch.voucher_state(sale.code) == "CONFIRMED_REDEEMED"
    await simulator.takes(redeemed.body["id"], "confirmRedeem")
    assert await simulator.ops(redeemed.body["id"]) == ["redeem", "confirmRedeem"]


async def test_m18_redemption_decline(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    sale = await till.a_confirmed()
    await simulator.event(sale.code, "BLOCK")

    blocked = await till.redeem(sale.code)
    too_much = await till.redeem(sale.code, cents=10_001)

    assert (blocked.status, blocked.error_type) == (400, "VOUCHER_NOT_REDEEMABLE")
    assert too_much.status == 400
    assert await switch.voucher_state(sale.code) == "CONFIRMED_PROVISIONED"
    assert await simulator.ops(blocked.body["id"]) == ["redeem"]


async def test_m19_redemption_unknown_then_reverse(till: Till, simulator: SimulatorControl) -> None:
    sale = await till.a_confirmed()
    request = a_redemption(code=sale.code)
    await simulator.fault("drop_after", "redeem", request["id"])
    assert (await till.post("/redemptions", request)).status == 504

    assert (await till.reverse_redemption(request["id"])).status == 202
    again = await till.redeem(sale.code)

    assert again.status == 201
    (reversed_,) = await simulator.taken(request["id"], "reverseRedeem")
    (redeemed,) = await simulator.taken(again.body["id"], "redeem")
    assert reversed_["seq"] < redeemed["seq"]


async def test_m20_redemption_unknown_then_ask(till: Till, simulator: SimulatorControl) -> None:
    request, answering = await running(till, simulator, REDEMPTION)
    asking = asyncio.create_task(till.lookup_redemption(request["id"]))

    answered = await release(simulator, answering)
    told = await asking

    assert (told.status, told.body) == (200, answered.body)
    assert (await till.lookup_redemption(new_id())).status == 404


async def test_m21_redemption_cancel_at_the_till(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    sale = await till.a_redeemed()

    assert (await till.reverse_redemption(sale.redemption_id, reason="CANCELLED")).status == 202

    assert await switch.voucher_state(sale.code) == "CONFIRMED_PROVISIONED"
    await simulator.takes(sale.redemption_id, "reverseRedeem")
    assert await simulator.voucher_state(sale.id) == "CONFIRMED"


async def test_m22_refund_dual(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    sale = await till.a_returned()

    await simulator.takes(sale.refund_id, "confirmRefund")
    assert await simulator.ops(sale.refund_id) == ["refund", "confirmRefund"]
    assert await simulator.voucher_state(sale.id) == "CONFIRMED"
    assert await switch.voucher_state(sale.code) == "CONFIRMED_PROVISIONED"


async def test_m23_refund_single(switch: Switch, simulator: SimulatorControl) -> None:
    till = Till(switch, SINGLE_HELD)
    sale = await till.a_redeemed(await till.a_provisioned())
    refunded = await till.refund(sale.code)

    assert refunded.status == 201
    assert await switch.voucher_state(sale.code) == "CONFIRMED_PROVISIONED"
    again = await till.redeem(sale.code)
    assert again.status == 201
    assert await simulator.ops(refunded.body["id"]) == ["refund", "confirmRefund"]


async def test_m24_refund_decline(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    sale, refund_id = await till.a_used(), new_id()
    await simulator.fault("decline", "refund", refund_id, code="TRANSACTION_DECLINED")

    answer = await till.refund(sale.code, id=refund_id)

    assert (answer.status, answer.error_type) == (400, "TRANSACTION_DECLINED")
    assert await switch.voucher_state(sale.code) == "CONFIRMED_REDEEMED"
    assert await simulator.ops(refund_id) == ["refund"]


async def test_m25_refund_unknown_or_cancelled(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    sale, refund_id = await till.a_used(), new_id()
    await simulator.fault("drop_after", "refund", refund_id)
    assert (await till.refund(sale.code, id=refund_id)).status == 504

    for _ in range(2):
        assert (await till.reverse_refund(refund_id)).status == 202

    assert await switch.voucher_state(sale.code) == "CONFIRMED_REDEEMED"
    await simulator.takes(refund_id, "reverseRefund")
    assert await simulator.voucher_state(sale.id) == "REDEEM_CONFIRMED"
    assert (await till.refund(sale.code)).status == 201


async def test_m26_provider_without_advices(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    bought, cancelled = await till.a_confirmed(**at(NO_ADVICES)), await till.a_provisioned(**at(NO_ADVICES))
    assert (await till.reverse_voucher(cancelled.id, reason="CANCELLED")).status == 202
    redeemed = await till.a_used(**at(NO_REDEEM_ADVICES))
    refunded = await till.a_returned(**at(NO_REFUND_ADVICES))

    assert await switch.voucher_state(bought.code) == "CONFIRMED_PROVISIONED"
    assert await switch.voucher_state(redeemed.code) == "CONFIRMED_REDEEMED"
    assert await switch.voucher_state(refunded.code) == "CONFIRMED_PROVISIONED"
    assert await simulator.voucher_state(cancelled.id) == "PROVISIONED"
    heard = [
        await simulator.ops(reference)
        for reference in (bought.id, cancelled.id, redeemed.redemption_id, refunded.refund_id)
    ]
    assert heard == [["provision"], ["provision"], ["redeem"], ["refund"]]


async def test_nothing_is_lost_when_the_till_hangs_up(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    """The till gives up its connection while the provider works: what the provider did is recorded all the same."""
    request, answering = await running(till, simulator, PROVISION)
    answering.cancel()
    await asyncio.gather(answering, return_exceptions=True)

    await simulator.advance(LONG_MS)

    retried = await till.retry(request)
    assert retried.status == 201
    assert await simulator.ops(request["id"]) == ["provision"]
    assert await switch.state(request["id"]) == "APPROVED"
