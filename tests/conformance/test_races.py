"""Messages that meet: whoever wins, no voucher is left over at the provider and nobody is told two things."""

import asyncio

from support.expect import refused
from support.kinds import LONG_MS, PROVISION, lost, running
from support.messages import a_confirmation, a_provision, a_redemption, a_reversal
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till
from support.waiting import eventually

PAIRS = 20


async def test_x3_a_reversal_that_meets_its_provision_leaves_no_voucher(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    async def race() -> str:
        request = a_provision()
        provisioned, reversed_ = await till.both(
            ("/vouchers", request), ("/vouchers/reversals", a_reversal(request["id"]))
        )
        answers = (provisioned.status, provisioned.error_type, reversed_.status)
        assert answers in [
            (201, None, 202),
            (400, "VOUCHER_ALREADY_REVERSED", 202),
            (400, "VOUCHER_ALREADY_REVERSED", 404),
        ]
        return str(request["id"])

    request_ids = await asyncio.gather(*(race() for _ in range(PAIRS)))

    async def none_left() -> bool:
        return {await simulator.voucher_state(request_id) for request_id in request_ids} <= {None, "REVERSED"}

    await eventually(none_left, "a provider without vouchers that were reversed")
    assert {await switch.state(request_id) for request_id in request_ids} == {"REVERSED"}


async def test_x3_the_answer_is_kept_when_the_reversal_gets_to_the_record_first(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    """Both statements wait for the record's row, the reversal's before the one that writes the provider's answer.

    What the provider issued must be on file, because some providers want it again to reverse it; and the reversal must
    not wait for a call that is over.
    """
    request, answering = await running(till, simulator, PROVISION)
    async with switch.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM transaction WHERE request_id = $1 FOR UPDATE", request["id"])
        reversing = asyncio.create_task(till.reverse_voucher(request["id"]))
        await waiting_for_rows(switch, 1)
        await simulator.advance(LONG_MS)
        await waiting_for_rows(switch, 2)

    assert ((await answering).error_type, (await reversing).status) == ("VOUCHER_ALREADY_REVERSED", 202)
    await simulator.takes(request["id"], "reverse")
    assert await simulator.voucher_state(request["id"]) == "REVERSED"
    record = await switch.record(request["id"])
    assert record is not None
    assert record["provider_ref"]
    assert record["answer"]


async def waiting_for_rows(switch: Switch, count: int) -> None:
    """Wait until so many statements wait for a row."""

    async def waiting() -> bool:
        sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        return bool(await switch.value(sql) == count)

    await eventually(waiting, f"{count} statements that wait for a row")


async def test_x3_a_reversal_that_meets_its_redemption_leaves_the_voucher_whole(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    async def race() -> tuple[str, str]:
        sale = await till.a_confirmed()
        request = a_redemption(code=sale.code)
        redeemed, reversed_ = await till.both(
            ("/redemptions", request), ("/redemptions/reversals", a_reversal(request["id"]))
        )
        answers = (redeemed.status, redeemed.error_type, reversed_.status)
        assert answers in [
            (201, None, 202),
            (400, "REDEMPTION_ALREADY_REVERSED", 202),
            (400, "REDEMPTION_ALREADY_REVERSED", 404),
        ]
        return sale.id, sale.code

    sales = await asyncio.gather(*(race() for _ in range(PAIRS)))

    async def all_whole() -> bool:
        return {await simulator.voucher_state(request_id) for request_id, _ in sales} == {"CONFIRMED"}

    await eventually(all_whole, "a provider with all vouchers whole")
    assert {await switch.voucher_state(code) for _, code in sales} == {"CONFIRMED_PROVISIONED"}
    again = [await till.redeem(code) for _, code in sales]
    assert {answer.status for answer in again} == {201}


async def test_x3_a_reversal_binds_a_retry_that_still_runs(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    """The provider had not got the first message, and issues on the retry what is already reversed."""
    request = await lost(till, simulator, PROVISION, "drop_before")
    await simulator.fault("late", "retry", request["id"], ms=LONG_MS)
    retrying = asyncio.create_task(till.retry(request))
    await simulator.takes(request["id"], "retry")
    reversal = a_reversal(request["id"])
    assert (await till.post("/vouchers/reversals", reversal)).status == 202

    await simulator.advance(LONG_MS)

    refused(await retrying, 400, "VOUCHER_ALREADY_REVERSED", id=request["id"], original_id=reversal["id"])
    await simulator.takes(request["id"], "reverse")
    assert await simulator.voucher_state(request["id"]) == "REVERSED"
    assert await switch.state(request["id"]) == "REVERSED"


async def test_t2_a_provision_and_its_retry_at_once_issue_one_voucher(till: Till, simulator: SimulatorControl) -> None:
    """A retry that is refused makes the till give up a voucher, so it never is, whoever is written first."""
    for _ in range(PAIRS):
        request = a_provision()
        path = f"/vouchers/{request['id']}/retry"

        first, retried = await till.both(("/vouchers", request), (path, request))

        assert retried.status == 201
        assert first.status == 201 or (first.status, first.error_type) == (400, "DUPLICATE_RECORD")
        assert len({answer.code for answer in (first, retried) if answer.status == 201}) == 1
        assert len(await simulator.taken(request["id"], "provision")) == 1


async def test_i3_of_two_originators_with_one_id_one_wins(till: Till, other: Till, simulator: SimulatorControl) -> None:
    for _ in range(PAIRS):
        ours = a_provision()
        theirs = a_provision(other.by, id=ours["id"])

        answers = await asyncio.gather(till.post("/vouchers", ours), other.post("/vouchers", theirs))

        assert sorted(answer.status for answer in answers) == [201, 400]
        assert {answer.error_type for answer in answers} == {None, "DUPLICATE_RECORD"}
        assert await simulator.ops(ours["id"]) == ["provision"]


async def test_x1_redemptions_of_one_id_at_once_have_one_effect(
    till: Till, strict: Till, simulator: SimulatorControl
) -> None:
    """Also where ids may serve again: only an id that was answered may."""
    for sender in (till, strict):
        request = a_redemption(sender.by, code=(await sender.a_confirmed()).code)

        answers = await sender.at_once(10, "/redemptions", request)

        assert sorted(answer.status for answer in answers) == [201] + [400] * 9
        assert {answer.error_type for answer in answers} <= {
            None,
            "DUPLICATE_RECORD",
            "VOUCHER_ALREADY_REDEEMED",
        }
        assert await simulator.ops(request["id"]) == ["redeem"]


async def test_a4_a_redemption_is_confirmed_or_reversed_never_both(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    async def race() -> tuple[str, str]:
        sale = await till.a_redeemed()
        advice = a_confirmation(sale.redemption_id)
        confirmed, reversed_ = await till.both(
            ("/redemptions/confirmations", advice),
            ("/redemptions/reversals", a_reversal(sale.redemption_id)),
        )
        assert sorted((confirmed.status, reversed_.status)) == [202, 400]
        return sale.id, sale.redemption_id

    raced = await asyncio.gather(*(race() for _ in range(PAIRS)))

    ends = {"CONFIRMED": "REDEEM_CONFIRMED", "REVERSED": "CONFIRMED"}
    for provision_id, redemption_id in raced:
        state = await switch.state(redemption_id)
        assert state is not None

        async def same_at_provider(provision_id: str = provision_id, end: str = ends[state]) -> bool:
            return await simulator.voucher_state(provision_id) == end

        await eventually(same_at_provider, f"{redemption_id} {state} at the provider")


async def test_i6_an_advice_that_meets_its_own_repeat_is_acknowledged_twice(till: Till, switch: Switch) -> None:
    """R9 refuses a second confirmation, but not the first one once more."""

    async def race() -> None:
        sale = await till.a_redeemed()
        answers = await till.at_once(6, "/redemptions/confirmations", a_confirmation(sale.redemption_id))
        assert {answer.status for answer in answers} == {202}, answers
        assert [kind for kind, _ in await switch.advices(sale.redemption_id)] == ["CONFIRMATION"]

    await asyncio.gather(*(race() for _ in range(PAIRS)))
