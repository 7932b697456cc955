"""Vouchers that were not sold through this switch: O9 (interface.md §10)."""

from support.expect import SOME_TEXT, refused
from support.messages import a_redemption, a_reversal, new_id
from support.providers import FOREIGN, NO_LOOKUP, at
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till


async def a_voucher_of_somebody_else(simulator: SimulatorControl, cents: int = 10_000) -> str:
    """The code of a voucher that the provider issued to another reseller."""
    return str((await simulator.seed(valueCents=cents))["code"])


async def test_o9_a_voucher_sold_elsewhere_is_redeemed_where_the_contract_allows_it(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    code = await a_voucher_of_somebody_else(simulator)
    request = a_redemption(code=code, receiver=FOREIGN.receiver, cents=10_000)

    answer = await till.post("/redemptions", request)

    assert answer.status == 201, answer
    assert await switch.voucher_state(code) == "REDEEMED"
    assert (await till.confirm_redemption(request["id"])).status == 202
    await simulator.takes(request["id"], "confirmRedeem")
    assert await switch.voucher_state(code) == "CONFIRMED_REDEEMED"
    again = await till.redeem(code, receiver=FOREIGN.receiver)
    assert again.error_type == "VOUCHER_ALREADY_REDEEMED"


async def test_o9_its_redemption_can_be_reversed_and_made_again(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    code = await a_voucher_of_somebody_else(simulator)
    first = a_redemption(code=code, receiver=FOREIGN.receiver)
    assert (await till.post("/redemptions", first)).status == 201
    assert (await till.post("/redemptions/reversals", a_reversal(first["id"]))).status == 202

    assert (await till.redeem(code, receiver=FOREIGN.receiver)).status == 201
    assert await switch.voucher_state(code) == "REDEEMED"


async def test_o9_without_the_contract_it_is_not_redeemable(till: Till, simulator: SimulatorControl) -> None:
    code = await a_voucher_of_somebody_else(simulator)

    for request in (a_redemption(code=code, receiver=NO_LOOKUP.receiver), a_redemption(code=code)):
        refused(
            await till.post("/redemptions", request),
            400,
            "VOUCHER_NOT_REDEEMABLE",
            "Voucher not confirmed.",
            id=request["id"],
            freeString=SOME_TEXT,
        )
        assert await simulator.ops(request["id"]) == []


async def test_o9_the_provider_judges_a_code_that_nobody_sold(till: Till, switch: Switch) -> None:
    request = a_redemption(code=f"X{new_id()[:13]}", receiver=FOREIGN.receiver)

    answer = await till.post("/redemptions", request)

    assert (answer.status, answer.error_type) == (400, "VOUCHER_NOT_REDEEMABLE"), answer
    assert answer.body["errorMessage"] == "Declined by provider."
    assert await switch.state(request["id"]) == "DECLINED"


async def test_o9_a_voucher_of_our_own_still_has_to_be_confirmed(till: Till) -> None:
    sale = await till.a_provisioned(**at(FOREIGN))
    unconfirmed = await till.redeem(sale.code, receiver=FOREIGN.receiver)
    assert (unconfirmed.error_type, unconfirmed.body["errorMessage"]) == (
        "VOUCHER_NOT_REDEEMABLE",
        "Voucher not confirmed.",
    )
    assert (await till.reverse_voucher(sale.id)).status == 202

    assert (await till.redeem(sale.code, receiver=FOREIGN.receiver)).error_type == "VOUCHER_NOT_REDEEMABLE"


async def test_o9_one_movement_at_a_time_also_of_a_voucher_sold_elsewhere(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    code = await a_voucher_of_somebody_else(simulator)
    requests = [a_redemption(code=code, receiver=FOREIGN.receiver) for _ in range(8)]

    answers = await till.at_once(1, "/redemptions", *requests)

    assert sorted(answer.status for answer in answers) == [201, *[400] * 7]
    rows = await switch.rows("SELECT count(*) FROM voucher WHERE fingerprint = $1", switch.vault.fingerprint(code))
    assert rows[0]["count"] == 1


async def test_o9_it_is_looked_up_at_the_receivers_provider(till: Till, simulator: SimulatorControl) -> None:
    code = await a_voucher_of_somebody_else(simulator, 7_500)

    answer = await till.lookup(voucherCode=code, receiverInstId=FOREIGN.receiver["id"])

    assert answer.status == 200, answer
