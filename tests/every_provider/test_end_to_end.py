"""Every provider behind the whole switch, over real sockets: sell, lose answers, retry, reverse, confirm, redeem.

After each test the provider's books and the journal say the same, voucher by voucher and to the cent (conftest.py).
"""

from datetime import timedelta

import pytest

from every_provider.board import BRANDS, CENTS, DEAD, Provider
from support.messages import a_redemption
from support.switch import Switch
from support.till import Till
from support.waiting import eventually
from voucherswitch.journal import reports
from voucherswitch.message.states import State
from voucherswitch.providers.contract.capabilities import Support

SETTLED = timedelta(seconds=40)  # a request that is not there by then never arrives

# Where the first attempt is cut, and whether the provider has issued by then.
CUTS = {
    "drop_before": False,  # after it was sent
    "rst_before": False,
    "hang_before": False,
    "rst_after": True,  # while it is answered
    "drop_after": True,
    "hang_after": True,
    "truncate": True,  # in the middle of the answer
    "malformed": True,
}


async def test_a_voucher_is_sold_confirmed_and_stands(provider: Provider, till: Till, switch: Switch) -> None:
    request, answer = await provider.confirmed()

    assert answer.body["amounts"]["approvedAmount"]["amount"] == CENTS
    voucher = await provider.control.voucher(reference=request["id"])
    assert voucher is not None
    assert (voucher["valueCents"], voucher["code"]) == (CENTS, answer.code)
    assert await switch.state(request["id"]) == "CONFIRMED"
    wanted = "DELIVERED" if provider.can.confirm.sends else "CONSUMED"
    assert await switch.advices(request["id"]) == [("CONFIRMATION", wanted)]


async def test_a_refused_connection_is_no_sale_and_no_doubt(provider: Provider, till: Till, switch: Switch) -> None:
    request = provider.request()
    async with provider.unreachable():
        answer = await till.post("/vouchers", request)

        assert (answer.status, answer.error_type) == (503, "UPSTREAM_UNAVAILABLE"), answer
    assert await switch.state(request["id"]) == "DECLINED"
    again = await till.retry(request)
    assert again.status == 503, again
    assert await provider.issued(request["id"]) == 0


@pytest.mark.parametrize("cut", CUTS)
async def test_a_retry_after_a_cut_never_issues_a_second_voucher(
    provider: Provider, till: Till, switch: Switch, cut: str
) -> None:
    request, issued = provider.request(), CUTS[cut]
    await provider.control.fault(cut, "provision", request["id"])
    first = await till.post("/vouchers", request)
    assert (first.status, await switch.state(request["id"])) == (504, "UNKNOWN"), first
    if issued:
        await eventually(lambda: provider.issued(request["id"]), "what the provider made of it")  # some issue later

    retried = await till.retry(request)

    assert await provider.issued(request["id"]) <= 1
    match provider.can.retry:
        case Support.NONE:
            assert (retried.status, retried.error_type) == (400, "FUNCTION_NOT_SUPPORTED"), retried
            assert await switch.state(request["id"]) == "UNKNOWN"
        case Support.EMULATED if not issued:
            # It asks, and "not found" is no proof while the request could still be on its way.
            assert retried.status == 504, retried
            await provider.age(request["id"], SETTLED)
            settled = await till.retry(request)
            assert settled.status == 503, settled
            assert await switch.state(request["id"]) == "DECLINED"
        case _:
            assert retried.status == 201, retried
            voucher = await provider.control.voucher(reference=request["id"])
            assert voucher is not None
            assert voucher["code"] == retried.code
            assert (await till.retry(request)).code == retried.code


async def test_a_lost_answer_of_ours_is_given_again(provider: Provider, till: Till) -> None:
    request, answer = await provider.sold()

    assert (await till.retry(request)).body == answer.body
    assert await provider.issued(request["id"]) == 1


async def test_a_reversal_undoes_the_sale_or_is_money_at_risk(provider: Provider, till: Till, switch: Switch) -> None:
    request, _ = await provider.sold()

    assert (await till.reverse_voucher(request["id"])).status == 202

    voucher = await provider.control.voucher(reference=request["id"])
    assert voucher is not None
    if provider.can.reverse.sends:
        assert await provider.told(request["id"]) == "DELIVERED"
        voucher = await provider.control.voucher(reference=request["id"])
        assert voucher is not None
        assert voucher["state"] in DEAD
    else:
        assert await provider.told(request["id"]) == "CONSUMED"
        assert request["id"] in await at_risk(switch)


async def test_a_reversal_of_an_unknown_outcome_leaves_no_voucher_behind(
    provider: Provider, till: Till, switch: Switch
) -> None:
    request = provider.request()
    await provider.control.fault("drop_after", "provision", request["id"])
    assert (await till.post("/vouchers", request)).status == 504

    assert (await till.reverse_voucher(request["id"])).status == 202

    if provider.can.reverse.sends:
        assert await provider.told(request["id"]) == "DELIVERED"
        voucher = await provider.control.voucher(reference=request["id"])
        assert voucher is None or voucher["state"] in DEAD
    else:
        assert request["id"] in await at_risk(switch)
    refused = await till.retry(request)
    assert refused.error_type == "VOUCHER_ALREADY_REVERSED", refused


async def test_a_voucher_is_looked_up_where_the_provider_tells(provider: Provider, till: Till) -> None:
    request, answer = await provider.confirmed()

    found = await till.lookup(voucherCode=answer.code, receiverInstId=provider.receiver["id"])

    assert found.status == 200, found
    assert found.body["voucher"]["code"] == answer.code
    assert (await till.lookup(provisionRequestId=request["id"])).status == 200


async def test_a_voucher_is_redeemed_once_where_the_provider_can(
    provider: Provider, till: Till, switch: Switch
) -> None:
    _, answer = await provider.confirmed()
    request = a_redemption(code=answer.code, cents=CENTS, receiver=provider.receiver)

    redeemed = await till.post("/redemptions", request)

    if not provider.can.redeem.sends:
        assert (redeemed.status, redeemed.error_type) == (400, "FUNCTION_NOT_SUPPORTED"), redeemed
        return
    assert redeemed.status == 201, redeemed
    assert redeemed.body["amounts"]["approvedAmount"]["amount"] == CENTS
    assert (await till.confirm_redemption(request["id"])).status == 202
    await provider.told(request["id"])
    voucher = await provider.control.voucher(code=answer.code)
    assert voucher is not None
    assert voucher["balanceCents"] == 0
    assert await switch.voucher_state(answer.code) == "CONFIRMED_REDEEMED"
    again = await till.redeem(answer.code, receiver=provider.receiver)
    assert again.error_type == "VOUCHER_ALREADY_REDEEMED", again


async def test_a_redemption_is_reversed_or_is_money_at_risk(provider: Provider, till: Till, switch: Switch) -> None:
    if not provider.can.redeem.sends:
        return
    _, answer = await provider.confirmed()
    request = a_redemption(code=answer.code, cents=CENTS, receiver=provider.receiver)
    assert (await till.post("/redemptions", request)).status == 201

    assert (await till.reverse_redemption(request["id"])).status == 202

    if provider.can.reverse_redeem.sends:
        assert await provider.told(request["id"]) == "DELIVERED"
        assert (await till.redeem(answer.code, receiver=provider.receiver)).status == 201
    else:
        assert await provider.told(request["id"]) == "CONSUMED"
        assert request["id"] in await at_risk(switch)


async def test_a_voucher_sold_elsewhere_is_redeemed_where_the_contract_allows_it(
    provider: Provider, till: Till, switch: Switch
) -> None:
    if not BRANDS[provider.name].foreign:
        return
    code = await provider.sold_elsewhere()
    request = a_redemption(code=code, cents=CENTS, receiver=provider.receiver)

    redeemed = await till.post("/redemptions", request)

    assert redeemed.status == 201, redeemed
    assert await switch.voucher_state(code) == "REDEEMED"


async def at_risk(switch: Switch) -> list[str]:
    """The requests that operators see listed as money at risk."""
    async with switch.pool.acquire() as connection:
        found = await reports.unresolved(connection, 10_000)
    assert all(record.state in (State.PENDING, State.UNKNOWN) for record in found.records)
    return [str(item.request_id) for item in found.at_risk]
