"""What the switch finds out by itself about unknown outcomes (interface.md §5.4, providers.md B.7)."""

import asyncio

import pytest

from support.expect import refused
from support.kinds import KINDS, LONG_MS, MOVEMENTS, PROVISION, REDEMPTION, Kind, lost, release, running
from support.messages import Json, a_provision, a_reversal
from support.originators import HASTY, SINGLE_HASTY, TILL
from support.providers import NO_STATUS, NO_WAY, Brand, at
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till
from support.waiting import eventually
from voucherswitch.message.states import State

STATUS_OF = {"provision": "status", "redeem": "redeemStatus", "refund": "refundStatus"}


async def looked_at(switch: Switch, request_id: str) -> None:
    """Wait until the resolver has looked at a record that is due, and put it off."""

    async def put_off() -> bool:
        sql = "SELECT resolve_at > now() AND call_until IS NULL FROM transaction WHERE request_id = $1"
        return bool(await switch.value(sql, request_id))

    await eventually(put_off, f"{request_id} put off by the resolver")


async def lost_at(till: Till, simulator: SimulatorControl, brand: Brand) -> Json:
    """A provision of a brand, issued, whose answer was lost."""
    request = a_provision(till.by, **at(brand))
    await simulator.fault("drop_after", "provision", request["id"])
    assert (await till.post("/vouchers", request)).status == 504
    return request


@KINDS
async def test_b7_what_was_done_is_found_and_approved_in_dual_messaging(
    till: Till, switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    request = await lost(till, simulator, kind)

    await switch.resolve_now(request["id"])

    await switch.reaches(request["id"], State.APPROVED)
    assert await simulator.ops(request["id"]) == [kind.op, STATUS_OF[kind.op]], "asked, never sent again"
    assert await switch.advices(request["id"]) == []
    if kind is PROVISION:
        retried = await till.retry(request)
        voucher = await simulator.voucher(reference=request["id"])
        assert voucher is not None
        assert (retried.status, retried.code) == (201, voucher["code"])
    elif kind is REDEMPTION:
        assert (await till.lookup_redemption(request["id"])).status == 200
    confirmation = {"id": a_reversal(request["id"])["id"], "requestId": request["id"], "time": request["time"]}
    assert (await till.post(f"{kind.path}/confirmations", confirmation)).status == 202


@KINDS
async def test_b7_what_was_done_is_found_and_reversed_in_single_messaging(
    switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    till = Till(switch, SINGLE_HASTY)
    request = await lost(till, simulator, kind)

    await switch.resolve_now(request["id"])

    await switch.reaches(request["id"], State.REVERSED)
    await simulator.takes(request["id"], kind.reverse_op)
    rows = await switch.rows("SELECT by_switch, reason FROM advice WHERE request_id = $1", request["id"])
    assert [tuple(row) for row in rows] == [(True, "TIMEOUT")]
    answer = await till.post(f"{kind.path}/reversals", a_reversal(request["id"]))
    assert answer.status == 202


@KINDS
async def test_b7_not_found_after_its_time_is_declined(
    till: Till, switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    request = await lost(till, simulator, kind, "drop_before")

    await switch.resolve_now(request["id"])

    await switch.reaches(request["id"], State.DECLINED)
    reversal = await till.post(f"{kind.path}/reversals", a_reversal(request["id"]))
    assert (reversal.status, reversal.error_type) == (404, "UNABLE_TO_LOCATE_RECORD")
    assert kind.reverse_op not in await simulator.ops(request["id"])


@MOVEMENTS
async def test_b7_a_declined_movement_lets_go_of_its_voucher(
    till: Till, switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    request = await lost(till, simulator, kind, "drop_before")
    again = request | {"id": a_reversal(request["id"])["id"]}
    refused(await till.post(kind.path, again), 400, "VOUCHER_STATUS_UNKNOWN", id=again["id"])

    await switch.resolve_now(request["id"])

    await switch.reaches(request["id"], State.DECLINED)
    assert (await till.post(kind.path, again)).status == 201


async def test_b7_not_found_too_early_proves_nothing(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    """The question itself is no message that could still arrive: the time goes on counting from the request's call."""
    request = await lost(till, simulator, PROVISION, "drop_before")
    await switch.pool.execute(
        "UPDATE transaction SET resolve_at = now(), call_ended_at = now() + interval '1 hour' WHERE request_id = $1",
        request["id"],
    )
    await looked_at(switch, request["id"])
    assert await switch.state(request["id"]) == "UNKNOWN"
    ended = await switch.value("SELECT call_ended_at > now() FROM transaction WHERE request_id = $1", request["id"])
    assert ended
    assert await switch.value("SELECT resolve_attempts FROM transaction WHERE request_id = $1", request["id"]) == 0


async def test_b7_an_unanswered_question_is_asked_again_later(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    request = await lost(till, simulator, PROVISION)
    await simulator.fault("http", "status", request["id"], times=2)
    for attempts in (1, 2):
        await switch.resolve_now(request["id"])
        await simulator.hears(request["id"], "status", times=attempts)
        await looked_at(switch, request["id"])
        record = await switch.record(request["id"])
        assert record is not None
        assert (State(record["state"]), record["resolve_attempts"]) == (State.UNKNOWN, attempts)

    await switch.resolve_now(request["id"])

    await switch.reaches(request["id"], State.APPROVED)


async def test_b7_questions_and_answers_are_in_the_trace(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    request = await lost(till, simulator, PROVISION)
    await simulator.fault("http", "status", request["id"])
    await switch.resolve_now(request["id"])
    await looked_at(switch, request["id"])
    await switch.resolve_now(request["id"])
    await switch.reaches(request["id"], State.APPROVED)

    rows = await switch.rows(
        "SELECT operation FROM leg WHERE request_id = $1 AND direction = 2 ORDER BY started_at", request["id"]
    )

    assert [row["operation"] for row in rows] == ["provision", "status", "status"]


async def test_b7_without_status_a_dual_request_waits_for_its_originator(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    request = await lost_at(till, simulator, NO_STATUS)

    await switch.resolve_now(request["id"])

    await looked_at(switch, request["id"])
    assert await switch.state(request["id"]) == "UNKNOWN"
    assert await simulator.ops(request["id"]) == ["provision"]
    assert (await till.retry(request)).status == 201


async def test_b7_without_status_a_single_request_is_reversed_where_the_provider_takes_it(
    switch: Switch, simulator: SimulatorControl
) -> None:
    till = Till(switch, SINGLE_HASTY)
    request = await lost_at(till, simulator, NO_STATUS)

    await switch.resolve_now(request["id"])

    await switch.reaches(request["id"], State.REVERSED)
    await simulator.takes(request["id"], "reverse")
    assert await simulator.voucher_state(request["id"]) == "REVERSED"
    assert "status" not in await simulator.ops(request["id"])


async def test_b7_without_any_way_it_stays_unknown_and_listed(switch: Switch, simulator: SimulatorControl) -> None:
    till = Till(switch, SINGLE_HASTY)
    request = await lost_at(till, simulator, NO_WAY)

    await switch.resolve_now(request["id"])

    await looked_at(switch, request["id"])
    record = await switch.record(request["id"])
    assert record is not None
    assert (State(record["state"]), record["alert"]) == (State.UNKNOWN, "outcome_unknown")
    assert await simulator.ops(request["id"]) == ["provision"]


async def test_b7_a_provider_that_an_operator_has_paused_is_not_asked(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    request = await lost_at(till, simulator, NO_STATUS)
    await switch.pool.execute("UPDATE provider SET saf_paused = true WHERE provider_id = 'nostatus'")
    try:
        await switch.live(TILL)
        other = await lost(till, simulator, PROVISION)
        await switch.resolve_now(request["id"], other["id"])
        await switch.reaches(other["id"], State.APPROVED)
        due = await switch.value("SELECT resolve_at <= now() FROM transaction WHERE request_id = $1", request["id"])
        assert due, "nobody has looked at it"
    finally:
        await switch.pool.execute("UPDATE provider SET saf_paused = false WHERE provider_id = 'nostatus'")


async def test_b7_a_retry_that_meets_the_resolver_waits_for_it(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    """One of them asks: the retry answers with what the resolver finds."""
    request = await lost(till, simulator, PROVISION)
    await simulator.fault("late", "status", request["id"], ms=LONG_MS)
    await switch.resolve_now(request["id"])
    await simulator.hears(request["id"], "status")

    retrying = asyncio.create_task(till.retry(request))
    await simulator.advance(LONG_MS)

    answer = await retrying
    voucher = await simulator.voucher(reference=request["id"])
    assert voucher is not None
    assert (answer.status, answer.code) == (201, voucher["code"])
    assert await simulator.ops(request["id"]) == ["provision", "status"]


async def test_b7_a_retry_takes_over_when_the_resolver_learns_nothing(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    request = await lost(till, simulator, PROVISION)
    await simulator.fault("late", "status", request["id"], ms=LONG_MS)
    await simulator.fault("http", "status", request["id"], times=0)
    await switch.resolve_now(request["id"])
    await simulator.hears(request["id"], "status")
    retrying = asyncio.create_task(till.retry(request))
    await simulator.advance(LONG_MS)

    answer = await retrying

    assert answer.status == 201
    assert len(await simulator.taken(request["id"], "provision")) == 1


@KINDS
async def test_x3_a_reversal_that_meets_the_resolver_ends_reversed(
    switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    till = Till(switch, HASTY)
    request = await lost(till, simulator, kind)
    await simulator.fault("late", STATUS_OF[kind.op], request["id"], ms=LONG_MS)
    await switch.resolve_now(request["id"])
    await simulator.hears(request["id"], STATUS_OF[kind.op])

    assert (await till.post(f"{kind.path}/reversals", a_reversal(request["id"]))).status == 202
    await simulator.advance(LONG_MS)

    await simulator.takes(request["id"], kind.reverse_op)
    assert await switch.state(request["id"]) == "REVERSED"


@pytest.mark.parametrize("_again", range(3))
async def test_five_that_meet_leave_no_voucher(switch: Switch, simulator: SimulatorControl, _again: int) -> None:
    """Two retries, a reversal, a late answer and the resolver at once, over a lost provision."""
    hasty = Till(switch, HASTY)
    request = a_provision(hasty.by)
    await simulator.fault("late", "provision", request["id"], ms=LONG_MS)
    assert (await hasty.post("/vouchers", request)).status == 504
    await switch.pool.execute(
        """UPDATE transaction SET resolve_at = now(), call_ended_at = now() - interval '2 hours'
            WHERE request_id = $1""",
        request["id"],
    )

    async def reverse() -> int:
        return (await hasty.reverse_voucher(request["id"])).status

    retries, reversed_, _ = await asyncio.gather(
        asyncio.gather(hasty.retry(request), hasty.retry(request)), reverse(), simulator.advance(LONG_MS)
    )

    assert reversed_ == 202
    assert {answer.status for answer in retries} <= {201, 400, 504}
    await simulator.takes(request["id"], "reverse")
    assert await switch.state(request["id"]) == "REVERSED"
    assert len(await simulator.taken(request["id"], "provision")) <= 1
    assert await simulator.voucher_state(request["id"]) in (None, "REVERSED")


@KINDS
async def test_an_approval_of_what_was_declined_meanwhile_undoes_itself(
    till: Till, switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    """Its worker was taken for dead, and its provider, asked by another, did not know of the request yet."""
    request, answering = await running(till, simulator, kind)
    await switch.pool.execute("UPDATE transaction SET state = 3 WHERE request_id = $1", request["id"])
    await switch.pool.execute("UPDATE voucher SET open_id = NULL WHERE open_id = $1", request["id"])

    answer = await release(simulator, answering)

    assert answer.status == 400
    await simulator.takes(request["id"], kind.reverse_op)
    assert await switch.state(request["id"]) == "REVERSED"
    await eventually(lambda: _delivered(switch, request["id"]), "the reversal")


@KINDS
async def test_a_reversal_that_came_before_the_approval_it_undoes_is_delivered_again(
    till: Till, switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    """It was delivered while the worker that asks was taken for dead, and found nothing to undo."""
    request, answering = await running(till, simulator, kind)
    assert (await till.post(f"{kind.path}/reversals", a_reversal(request["id"]))).status == 202
    await switch.pool.execute(
        "UPDATE advice SET state = 2, not_before = NULL, finished_at = now() WHERE request_id = $1", request["id"]
    )

    assert (await release(simulator, answering)).status == 400

    await simulator.takes(request["id"], kind.reverse_op)
    await eventually(lambda: _delivered(switch, request["id"]), "the reversal")
    assert await switch.state(request["id"]) == "REVERSED"


async def _delivered(switch: Switch, request_id: str) -> bool:
    return await switch.advices(request_id) == [("REVERSAL", "DELIVERED")]
