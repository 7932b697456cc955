"""The resolver behind every provider: after a cut at any point it settles what the provider's status can prove."""

from datetime import timedelta

import pytest

from every_provider.board import Provider
from support.messages import a_redemption
from support.switch import Switch
from support.till import Till
from support.waiting import eventually
from voucherswitch.message.states import State

SETTLED = timedelta(seconds=60)  # and no reservation has lapsed


async def resolved(provider: Provider, switch: Switch, request_id: str) -> str | None:
    """Let the request be old, and the resolver look at it once; returns its state then."""

    async def over() -> bool:
        return bool(await switch.value("SELECT call_until IS NULL FROM transaction WHERE request_id = $1", request_id))

    await eventually(over, f"the end of the call of {request_id}")
    await provider.age(request_id, SETTLED)
    await switch.resolve_now(request_id)

    async def looked_at() -> bool:
        sql = "SELECT state NOT IN (1, 4) OR (resolve_at > now() AND call_until IS NULL) FROM transaction"
        return bool(await switch.value(f"{sql} WHERE request_id = $1", request_id))

    await eventually(looked_at, f"{request_id} at the resolver")
    return await switch.state(request_id)


@pytest.mark.parametrize("cut", ["drop_before", "drop_after"])
async def test_a_sale_that_was_cut_is_what_its_provider_says(
    provider: Provider, till: Till, switch: Switch, cut: str
) -> None:
    request = provider.request()
    await provider.control.fault(cut, "provision", request["id"])
    if (await till.post("/vouchers", request)).status != 504:
        return  # its protocol told the cut from a sale by itself

    state = await resolved(provider, switch, request["id"])

    proved = "APPROVED" if await provider.issued(request["id"]) else "DECLINED"
    assert state == (proved if provider.can.status.sends else "UNKNOWN")
    assert len(await provider.control.taken(request["id"], "provision")) <= 1
    if state == "APPROVED":
        assert (await till.retry(request)).status == 201


@pytest.mark.parametrize(("cut", "proved"), [("drop_before", State.DECLINED), ("drop_after", State.APPROVED)])
async def test_a_redemption_that_was_cut_is_what_its_provider_says(
    provider: Provider, till: Till, switch: Switch, cut: str, proved: State
) -> None:
    if not provider.can.redeem.sends:
        return
    _, sale = await provider.confirmed()
    request = a_redemption(code=sale.code, receiver=provider.receiver)
    await provider.control.fault(cut, "redeem", request["id"])
    assert (await till.post("/redemptions", request)).status == 504

    state = await resolved(provider, switch, request["id"])

    assert state == (proved.name if provider.can.redeem_status.sends else "UNKNOWN")


async def test_betway_an_order_that_stays_pending_is_cancelled_after_its_time(
    board: dict[str, Provider], till: Till, switch: Switch
) -> None:
    """Also of a dual-message originator: nobody has its voucher, and nobody may get it later."""
    betway = board["betway"]
    request = betway.request()
    await betway.control.fault("pending_for_ever", "provision", request["id"])
    assert (await till.post("/vouchers", request)).status == 504

    assert await resolved(betway, switch, request["id"]) == "REVERSED"

    assert await betway.told(request["id"]) == "DELIVERED"
    assert await betway.disagreements() == []


@pytest.mark.parametrize("request_opens", [True, False])
async def test_supabets_a_reservation_that_lapses_unconfirmed_is_released_and_not_confirmed_any_more(
    board: dict[str, Provider], till: Till, switch: Switch, request_opens: bool
) -> None:
    """Also when its request cannot be read any more, which must not keep the worker from all others either."""
    supabets = board["supabets"]
    request, _ = await supabets.sold()
    if not request_opens:
        damaged = switch.vault.seal(b"{}", b"another row")
        await switch.pool.execute("UPDATE transaction SET request = $2 WHERE request_id = $1", request["id"], damaged)
    await switch.pool.execute(
        """UPDATE transaction SET refs = jsonb_set(refs, '{reservedUntil}', '"2026-01-01T00:00:00.000Z"')
            WHERE request_id = $1""",
        request["id"],
    )

    await switch.reaches(request["id"], State.REVERSED)

    assert await supabets.told(request["id"]) == "DELIVERED"
    late = await till.confirm_voucher(request["id"])
    assert (late.status, late.error_type) == (400, "VOUCHER_ALREADY_REVERSED")
    assert await supabets.disagreements() == []
