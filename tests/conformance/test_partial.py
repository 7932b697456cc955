"""Parts of a voucher and vouchers sold elsewhere (interface.md §11, O9 and O21)."""

from support.expect import refused
from support.messages import a_refund, rand
from support.providers import WHOLE_ONLY, at
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till


async def test_o21_a_part_leaves_the_rest_to_redeem(till: Till, switch: Switch) -> None:
    sale = await till.a_redeemed(part=4_000)
    assert sale.redemption_answer is not None
    amounts = sale.redemption_answer.body["amounts"]
    assert (amounts["approvedAmount"], amounts["balanceAmount"]) == (rand(4_000), rand(6_000))
    assert await switch.voucher_state(sale.code) == "REDEEMED"
    assert (await till.redeem(sale.code, cents=1_000)).error_type == "VOUCHER_ALREADY_REDEEMED"

    assert (await till.confirm_redemption(sale.redemption_id)).status == 202

    assert await switch.voucher_state(sale.code) == "CONFIRMED_PROVISIONED"
    rest = await till.redeem(sale.code, cents=6_000)
    assert (rest.status, rest.body["amounts"]["balanceAmount"]) == (201, rand(0))
    assert (await till.confirm_redemption(rest.body["id"])).status == 202
    assert await switch.voucher_state(sale.code) == "CONFIRMED_REDEEMED"


async def test_o21_a_part_is_refunded_by_naming_its_redemption(till: Till, switch: Switch) -> None:
    sale = await till.a_used(part=4_000)

    unnamed = await till.refund(sale.code)
    named = await till.refund(sale.code, redemptionId=sale.redemption_id)

    assert (unnamed.status, unnamed.error_type) == (400, "VOUCHER_NOT_REDEEMED")
    assert (named.status, named.body["amounts"]["approvedAmount"]) == (201, rand(4_000))
    assert await switch.voucher_state(sale.code) == "REFUNDED"
    assert (await till.reverse_refund(named.body["id"])).status == 202
    assert await switch.voucher_state(sale.code) == "CONFIRMED_PROVISIONED"
    again = await till.refund(sale.code, redemptionId=sale.redemption_id)
    assert again.status == 201
    assert (await till.confirm_refund(again.body["id"])).status == 202
    whole = await till.redeem(sale.code, cents=10_000)
    assert whole.status == 201


async def test_o21_a_part_is_not_refunded_twice(till: Till, simulator: SimulatorControl) -> None:
    sale = await till.a_used(part=4_000)
    first = await till.refund(sale.code, redemptionId=sale.redemption_id)
    assert (await till.confirm_refund(first.body["id"])).status == 202
    second = a_refund(code=sale.code, redemptionId=sale.redemption_id)

    refused(await till.post("/refunds", second), 400, "VOUCHER_NOT_REDEEMED", id=second["id"])
    assert await simulator.ops(second["id"]) == []


async def test_o21_more_than_there_is_is_declined(till: Till) -> None:
    sale = await till.a_used(part=9_000)

    answer = await till.redeem(sale.code, cents=1_001)

    assert (answer.status, answer.error_type) == (400, "INSUFFICIENT_FUNDS")


async def test_o21_without_partial_redemption_a_voucher_is_used_up_whatever_the_amount(
    till: Till, switch: Switch
) -> None:
    sale = await till.a_used(part=4_000, **at(WHOLE_ONLY))

    assert await switch.voucher_state(sale.code) == "CONFIRMED_REDEEMED"
    again = await till.redeem(sale.code, cents=1_000, receiver=WHOLE_ONLY.receiver)
    assert again.error_type == "VOUCHER_ALREADY_REDEEMED"


async def test_o9_a_voucher_sold_elsewhere_is_unknown(till: Till, simulator: SimulatorControl) -> None:
    seeded = await simulator.seed(valueCents=10_000, productRef="SBXANY")

    assert (await till.redeem(seeded["code"])).error_type == "VOUCHER_NOT_REDEEMABLE"
    assert (await till.refund(seeded["code"])).error_type == "INVALID_VOUCHER"
