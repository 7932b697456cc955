"""Late answers and unknown outcomes (interface.md §5.4), deadlines (§5.2), and what 504 leaves behind."""

import time

import pytest

from support.client import Answer
from support.expect import refused
from support.kinds import KINDS, LONG_MS, PROVISION, REDEMPTION, Kind, lost
from support.messages import Json, a_provision, a_redemption, a_reversal
from support.originators import BRISK, HASTY, SINGLE_HASTY
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till
from support.waiting import eventually
from voucherswitch.message.states import State


async def late(till: Till, simulator: SimulatorControl, kind: Kind, fault: str = "late") -> Json:
    """A request that was answered 504 while its call goes on, answered when the simulator's clock is moved."""
    request = await kind.request(till)
    await simulator.fault(fault, kind.op, request["id"], ms=LONG_MS)
    answer = await till.post(kind.path, request)
    refused(answer, 504, "UPSTREAM_UNAVAILABLE", id=request["id"])
    return request


@KINDS
async def test_5_4_approved_late_after_a_reversal_ends_reversed(
    hasty: Till, switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    request = await late(hasty, simulator, kind)
    reversal = a_reversal(request["id"])
    assert (await hasty.post(f"{kind.path}/reversals", reversal)).status == 202
    assert kind.reverse_op not in await simulator.ops(request["id"])

    await simulator.advance(LONG_MS)

    await simulator.takes(request["id"], kind.reverse_op)
    assert await switch.state(request["id"]) == "REVERSED"
    if kind is PROVISION:
        assert await simulator.voucher_state(request["id"]) == "REVERSED"


@KINDS
async def test_5_4_approved_late_in_dual_messaging_is_approved(
    hasty: Till, switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    request = await late(hasty, simulator, kind)
    assert await switch.state(request["id"]) == "UNKNOWN"

    await simulator.advance(LONG_MS)

    await switch.reaches(request["id"], State.APPROVED)
    assert await simulator.ops(request["id"]) == [kind.op]
    if kind is PROVISION:
        assert (await hasty.retry(request)).status == 201
    elif kind is REDEMPTION:
        assert (await hasty.lookup_redemption(request["id"])).status == 200
    reversal = a_reversal(request["id"])
    answer = await hasty.post(f"{kind.path}/reversals", reversal)
    assert (answer.status, answer.body) == (202, reversal)
    await simulator.takes(request["id"], kind.reverse_op)


@KINDS
async def test_5_4_approved_late_in_single_messaging_is_reversed_by_the_switch(
    switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    till = Till(switch, SINGLE_HASTY)
    request = await late(till, simulator, kind)

    await simulator.advance(LONG_MS)

    await switch.reaches(request["id"], State.REVERSED)
    (reversed_,) = await simulator.takes(request["id"], kind.reverse_op)
    assert reversed_["status"] == 202
    rows = await switch.rows("SELECT by_switch, reason FROM advice WHERE request_id = $1", request["id"])
    assert [tuple(row) for row in rows] == [(True, "TIMEOUT")]
    answer = await till.post(f"{kind.path}/reversals", a_reversal(request["id"]))
    assert answer.status == 202
    if kind is PROVISION:
        record = await switch.record(request["id"])
        assert record is not None
        refused(
            await till.retry(request),
            400,
            "VOUCHER_ALREADY_REVERSED",
            id=request["id"],
            original_id=str(record["reversal_id"]),
        )
    assert len(await simulator.calls(request["id"], kind.reverse_op)) == 1


@KINDS
async def test_5_4_declined_late_is_declined(
    hasty: Till, switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    request = await kind.request(hasty)
    if kind is PROVISION:
        request["product"] = {"productId": "SBXDECLINE03"}
    else:
        request["amounts"]["requestAmount"]["amount"] = 6_603
    await simulator.fault("delay", kind.op, request["id"], ms=LONG_MS)
    assert (await hasty.post(kind.path, request)).status == 504

    await simulator.advance(LONG_MS)

    await switch.reaches(request["id"], State.DECLINED)
    assert (await hasty.post(f"{kind.path}/reversals", a_reversal(request["id"]))).status == 404
    if kind is PROVISION:
        assert (await hasty.retry(request)).error_type == "TRANSACTION_DECLINED"
    elif kind is REDEMPTION:
        assert (await hasty.lookup_redemption(request["id"])).error_type == "TRANSACTION_DECLINED"
    if kind is not PROVISION:
        assert await switch.voucher_state(request["voucher"]["code"]) == kind.found


@KINDS
async def test_5_4_when_nothing_arrives_it_is_shown_to_operators_and_never_guessed(
    till: Till, switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    request = await lost(till, simulator, kind)

    record = await switch.record(request["id"])
    assert record is not None
    assert State(record["state"]) is State.UNKNOWN
    assert record["alert"]


async def test_5_4_late_by_the_sandbox_product(switch: Switch, simulator: SimulatorControl) -> None:
    """SBXLATE2000 answers a quarter of a second after the 504 of an originator that waits four seconds."""
    till = Till(switch, BRISK)
    request = a_provision(BRISK, product="SBXLATE2000")
    started = time.monotonic()

    answer = await till.post("/vouchers", request)

    refused(answer, 504, "UPSTREAM_UNAVAILABLE", id=request["id"])
    assert time.monotonic() - started < 2
    await switch.reaches(request["id"], State.APPROVED)
    assert (await till.retry(request)).status == 201
    assert await simulator.ops(request["id"]) == ["provision"]


async def test_5_4_a_reversal_that_overtakes_its_request_wins_at_the_provider(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    """The connection broke while the request was on its way: the reversal arrives first and is remembered there."""
    request = a_provision()
    await simulator.fault("late_processing", "provision", request["id"], ms=LONG_MS)
    assert (await till.post("/vouchers", request)).status == 504
    assert (await till.reverse_voucher(request["id"])).status == 202
    await simulator.hears(request["id"], "reverse")

    await simulator.advance(LONG_MS)

    assert await simulator.voucher_state(request["id"]) is None

    async def done() -> bool:
        return await switch.advices(request["id"]) == [("REVERSAL", "DELIVERED")]

    await eventually(done, "the reversal's delivery")


async def test_5_4_a_voucher_that_is_not_ready_yet_is_of_unknown_status(
    till: Till, simulator: SimulatorControl
) -> None:
    request = a_provision(product="SBXPENDING5000")
    refused(await till.post("/vouchers", request), 504, "VOUCHER_STATUS_UNKNOWN", id=request["id"])
    refused(await till.retry(request), 504, "VOUCHER_STATUS_UNKNOWN", id=request["id"])

    await simulator.advance(5_000)

    assert (await till.retry(request)).status == 201


UNUSABLE = [
    "SBXRSTBEFORE", "SBXRSTAFTER", "SBXDROPAFTER", "SBX500", "SBXGARBAGE", "SBXTRUNC", "SBXWRONGAMT", "SBXNOPIN",
    "SBXWRONGREF", "SBXDECLINE09", "SBXDECLINE14", "SBXDECLINE16",
]  # fmt: skip


@pytest.mark.parametrize("product", UNUSABLE)
async def test_5_1_whatever_is_no_usable_answer_is_504_and_unknown(
    till: Till, switch: Switch, simulator: SimulatorControl, product: str
) -> None:
    request = a_provision(product=product)

    answer = await till.post("/vouchers", request)

    error_type = "VOUCHER_STATUS_UNKNOWN" if product == "SBXDECLINE09" else "UPSTREAM_UNAVAILABLE"
    refused(answer, 504, error_type, id=request["id"])
    assert await switch.state(request["id"]) == "UNKNOWN"
    assert await simulator.ops(request["id"]) == ["provision"]


@pytest.mark.parametrize("number", [31, 32, 33, 34, 35, 37, 38, 39, 44, 46])
async def test_5_1_a_movement_without_usable_answer_is_504_and_unknown(
    till: Till, hasty: Till, switch: Switch, number: int
) -> None:
    """31 and 32 are silent, so that the deadline must pass."""
    sale = await till.a_confirmed(cents=50_000)
    sender = hasty if number in (31, 32) else till
    request = a_redemption(sender.by, code=sale.code, cents=16_600 + number)

    answer = await sender.post("/redemptions", request)

    refused(answer, 504, "UPSTREAM_UNAVAILABLE", id=request["id"])
    assert await switch.state(request["id"]) == "UNKNOWN"


@pytest.mark.parametrize("product", ["SBXTIMEOUT", "SBXHANG"])
async def test_5_2_the_answer_leaves_before_the_originator_gives_up(hasty: Till, switch: Switch, product: str) -> None:
    request = a_provision(HASTY, product=product)
    started = time.monotonic()

    answer: Answer = await hasty.post("/vouchers", request)

    refused(answer, 504, "UPSTREAM_UNAVAILABLE", id=request["id"])
    assert 0.5 < time.monotonic() - started < 2
    assert await switch.state(request["id"]) == "UNKNOWN"


async def test_5_2_a_slow_answer_inside_the_deadline_is_an_answer(till: Till) -> None:
    assert (await till.provision(product="SBXSLOW400")).status == 201
    assert (await till.provision(product="SBXLATE400")).status == 201
