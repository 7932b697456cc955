"""Situations that certification does not have: X1 to X10 (interface.md §4.6)."""

import asyncio

import pytest

from support.expect import SOME_TEXT, refused
from support.kinds import KINDS, LONG_MS, MOVEMENTS, PROVISION, REDEMPTION, Kind, lost, release, running
from support.messages import (
    Json,
    a_confirmation,
    a_provision,
    a_redemption,
    a_refund,
    a_reversal,
    a_tender_confirmation,
    new_id,
    now,
    rand,
)
from support.originators import DECLINES_404
from support.providers import BAD_KEY, DOWN, FAILOVER, PARTIAL_ADVICES, at
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till
from voucherswitch.message.states import State


@KINDS
async def test_x1_the_id_of_a_running_request_is_a_duplicate_without_voucher(
    till: Till, simulator: SimulatorControl, kind: Kind
) -> None:
    request, answering = await running(till, simulator, kind)

    again = await till.post(kind.path, request)

    refused(again, 400, "DUPLICATE_RECORD", "Duplicate UUID.", id=request["id"])
    assert "voucher" not in again.detail
    assert (await release(simulator, answering)).status == 201


@KINDS
async def test_x1_the_id_of_an_unknown_outcome_is_a_duplicate_without_voucher(
    till: Till, switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    request = await lost(till, simulator, kind)

    again = await till.post(kind.path, request)

    refused(again, 400, "DUPLICATE_RECORD", "Duplicate UUID.", id=request["id"])
    assert "voucher" not in again.detail
    assert await switch.state(request["id"]) == "UNKNOWN"


@MOVEMENTS
@pytest.mark.parametrize("state", ["APPROVED", "CONFIRMED", "DECLINED"])
async def test_x2_a_final_id_is_a_duplicate_for_a_strict_originator(
    strict: Till, simulator: SimulatorControl, kind: Kind, state: str
) -> None:
    request = await kind.request(strict)
    if state == "DECLINED":
        await simulator.fault("decline", kind.op, request["id"], code="DO_NOT_HONOUR")
    assert (await strict.post(kind.path, request)).status == (400 if state == "DECLINED" else 201)
    if state == "CONFIRMED":
        assert (await strict.post(f"{kind.path}/confirmations", a_confirmation(request["id"]))).status == 202
    # For another voucher that could be redeemed or refunded: only the id stands in the way.
    fresh = (await kind.request(strict)) | {"id": request["id"], "time": now()}

    again = await strict.post(kind.path, fresh)

    refused(
        again,
        400,
        "DUPLICATE_RECORD",
        "Duplicate UUID.",
        id=request["id"],
        freeString=SOME_TEXT,
        voucherId=request["id"],
        requestTime=request["time"],
    )


@MOVEMENTS
async def test_x2_the_id_of_a_reversed_request_is_refused_as_reversed(strict: Till, kind: Kind) -> None:
    """R2 and F1 stand before X2."""
    request = await kind.request(strict)
    reversal = a_reversal(request["id"])
    assert (await strict.post(kind.path, request)).status == 201
    assert (await strict.post(f"{kind.path}/reversals", reversal)).status == 202

    again = await strict.post(kind.path, request)

    refused(again, 400, kind.reversed, id=request["id"], original_id=reversal["id"])


@KINDS
async def test_x3_a_reversal_binds_the_request_that_still_runs(
    till: Till, switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    request, answering = await running(till, simulator, kind)
    reversal = a_reversal(request["id"])

    reversed_ = await till.post(f"{kind.path}/reversals", reversal)
    assert (reversed_.status, reversed_.body) == (202, reversal)
    assert await simulator.calls(request["id"], kind.reverse_op) == []
    answer = await release(simulator, answering)

    refused(answer, 400, kind.reversed, id=request["id"], original_id=reversal["id"], reversalId=reversal["id"])
    assert await switch.state(request["id"]) == "REVERSED"
    await simulator.takes(request["id"], kind.reverse_op)
    if kind is not PROVISION:
        assert await switch.voucher_state(request["voucher"]["code"]) == kind.found


@KINDS
@pytest.mark.parametrize("fault", ["drop_after", "hang_after"])
async def test_x3_a_reversal_binds_a_request_whose_outcome_is_unknown(
    hasty: Till, switch: Switch, simulator: SimulatorControl, kind: Kind, fault: str
) -> None:
    """With `hang_after` the call goes on after the 504: the reversal waits for its end."""
    request = await lost(hasty, simulator, kind, fault)

    assert (await hasty.post(f"{kind.path}/reversals", a_reversal(request["id"]))).status == 202

    assert await switch.state(request["id"]) == "REVERSED"
    await simulator.takes(request["id"], kind.reverse_op)
    if kind is not PROVISION:
        assert await switch.voucher_state(request["voucher"]["code"]) == kind.found


@KINDS
async def test_x3_the_reversal_stands_when_the_provider_declines(
    till: Till, switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    """The decline comes after the reversal: it is not what the originator hears."""
    request = await kind.request(till)
    await simulator.fault("delay", kind.op, request["id"], ms=LONG_MS)
    if kind is PROVISION:
        request |= {"product": {"productId": "SBXDECLINE01"}}
    else:
        request |= {"amounts": {"requestAmount": rand(6_601)}}
    answering = asyncio.create_task(till.post(kind.path, request))
    await simulator.hears(request["id"], kind.op)
    reversal = a_reversal(request["id"])
    assert (await till.post(f"{kind.path}/reversals", reversal)).status == 202

    refused(await release(simulator, answering), 400, kind.reversed, id=request["id"], original_id=reversal["id"])
    assert await switch.state(request["id"]) == "REVERSED"


@MOVEMENTS
async def test_x4_a_voucher_with_a_running_request_waits(
    till: Till, switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    request, answering = await running(till, simulator, kind)
    code = request["voucher"]["code"]
    others = [("/redemptions", a_redemption(code=code)), ("/refunds", a_refund(code=code))]

    for path, another in others:
        refused(await till.post(path, another), 400, "VOUCHER_STATUS_UNKNOWN", id=another["id"])
        assert await switch.record(another["id"]) is None

    assert (await release(simulator, answering)).status == 201


@MOVEMENTS
async def test_x4_a_voucher_with_an_unknown_request_waits_until_that_is_reversed(
    till: Till, simulator: SimulatorControl, kind: Kind
) -> None:
    request = await lost(till, simulator, kind)
    code = request["voucher"]["code"]
    another = request | {"id": new_id()}

    refused(await till.post(kind.path, another), 400, "VOUCHER_STATUS_UNKNOWN", id=another["id"])

    assert (await till.post(f"{kind.path}/reversals", a_reversal(request["id"]))).status == 202
    await simulator.takes(request["id"], kind.reverse_op)
    again = await till.post(kind.path, request | {"id": new_id()})
    assert (again.status, again.body.get("voucher")) == (201, {"code": code}), again


@KINDS
async def test_x5_the_confirmation_of_a_running_request_is_repeated(
    till: Till, switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    request, answering = await running(till, simulator, kind)
    confirmation = a_confirmation(request["id"])

    early = await till.post(f"{kind.path}/confirmations", confirmation)

    refused(early, 503, "VOUCHER_STATUS_UNKNOWN", id=confirmation["id"], original_id=request["id"])
    assert int(early.headers["retry-after"]) > 0
    assert await switch.advices(request["id"]) == []
    assert (await release(simulator, answering)).status == 201
    late = await till.post(f"{kind.path}/confirmations", confirmation)
    assert (late.status, late.body) == (202, confirmation)


@KINDS
async def test_x5_the_confirmation_of_an_unknown_request_is_repeated(
    till: Till, switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    request = await lost(till, simulator, kind)
    confirmation = a_confirmation(request["id"])

    answer = await till.post(f"{kind.path}/confirmations", confirmation)

    refused(answer, 503, "VOUCHER_STATUS_UNKNOWN", id=confirmation["id"], original_id=request["id"])
    assert await switch.state(request["id"]) == "UNKNOWN"
    assert await switch.advices(request["id"]) == []


DECLINES = {
    1: "DO_NOT_HONOUR",
    2: "INVALID_AMOUNT",
    3: "TRANSACTION_DECLINED",
    4: "LIMIT_EXCEEDED",
    5: "INSUFFICIENT_FUNDS",
    6: "INVALID_VOUCHER",
    7: "VOUCHER_ALREADY_REDEEMED",
    8: "VOUCHER_NOT_REDEEMABLE",
    12: "FUNCTION_NOT_SUPPORTED",
    13: "GENERAL_ERROR",
    15: "INVALID_MERCHANT",
}


@pytest.mark.parametrize(("number", "error_type"), DECLINES.items(), ids=DECLINES.values())
async def test_x6_a_declined_provision_is_answered_with_the_mapped_error(
    till: Till, switch: Switch, number: int, error_type: str
) -> None:
    request = a_provision(product=f"SBXDECLINE{number:02d}")

    answer = await till.post("/vouchers", request)

    refused(answer, 400, error_type, id=request["id"])
    assert answer.body["providerErrorCode"]
    assert answer.body["providerErrorMessage"]
    assert await switch.state(request["id"]) == "DECLINED"


@MOVEMENTS
async def test_x6_a_declined_movement_leaves_the_voucher_as_it_was(till: Till, switch: Switch, kind: Kind) -> None:
    sale = await (till.a_confirmed(cents=50_000) if kind is REDEMPTION else till.a_used(cents=50_000))
    before = await switch.voucher_state(sale.code)
    make = a_redemption if kind is REDEMPTION else a_refund
    request = make(code=sale.code) | {"amounts": {"requestAmount": rand(16_604)}}

    answer = await till.post(kind.path, request)

    refused(answer, 400, "LIMIT_EXCEEDED", id=request["id"])
    assert answer.body["providerErrorCode"]
    assert await switch.state(request["id"]) == "DECLINED"
    assert await switch.voucher_state(sale.code) == before
    assert (await till.post(kind.path, make(code=sale.code, amounts={"requestAmount": rand(50_000)}))).status == 201


async def test_x6_an_originator_may_want_404_for_a_declined_provision(switch: Switch) -> None:
    till = Till(switch, DECLINES_404)
    request = a_provision(till.by, product="SBXDECLINE03")

    refused(await till.post("/vouchers", request), 404, "TRANSACTION_DECLINED", id=request["id"])

    refused(await till.retry(request), 404, "TRANSACTION_DECLINED", id=request["id"])
    unsold = a_provision(till.by, product="SBXDECLINE03")
    refused(await till.retry(unsold), 404, "TRANSACTION_DECLINED", id=unsold["id"])
    sale = await till.a_confirmed(cents=50_000)
    assert (await till.redeem(sale.code, cents=16_603)).status == 400


@KINDS
async def test_x7_a_declined_request_has_nothing_to_reverse_or_confirm(
    till: Till, switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    request = await kind.request(till)
    await simulator.fault("decline", kind.op, request["id"], code="TRANSACTION_DECLINED")
    assert (await till.post(kind.path, request)).error_type == "TRANSACTION_DECLINED"
    confirmation, reversal = a_confirmation(request["id"]), a_reversal(request["id"])

    confirmed = await till.post(f"{kind.path}/confirmations", confirmation)
    reversed_ = await till.post(f"{kind.path}/reversals", reversal)

    for answer, advice in ((confirmed, confirmation), (reversed_, reversal)):
        refused(answer, 404, "UNABLE_TO_LOCATE_RECORD", kind.no_record, id=advice["id"], original_id=request["id"])
    assert await switch.state(request["id"]) == "DECLINED"
    again = await till.post(kind.path, request)
    if kind is PROVISION:
        refused(again, 400, "DUPLICATE_RECORD", id=request["id"])
    else:
        refused(again, 400, kind.reversed, id=request["id"], original_id=reversal["id"])


@KINDS
@pytest.mark.parametrize(
    ("advice", "cents"),
    [("confirmations", 10_001), ("confirmations", 4_000), ("reversals", 10_001), ("reversals", 4_000)],
)
async def test_x8_another_amount_than_the_authorised_is_refused_and_nothing_is_kept(
    till: Till, switch: Switch, kind: Kind, advice: str, cents: int
) -> None:
    request = await kind.request(till)
    assert (await till.post(kind.path, request)).status == 201
    make = a_confirmation if advice == "confirmations" else a_reversal
    message = make(request["id"], amounts={"approvedAmount": rand(cents)})

    answer = await till.post(f"{kind.path}/{advice}", message)

    refused(answer, 400, "INVALID_AMOUNT", id=message["id"], original_id=request["id"])
    assert await switch.state(request["id"]) == "APPROVED"
    whole = await till.post(f"{kind.path}/{advice}", make(request["id"], id=message["id"]))
    assert whole.status == 202


@pytest.mark.parametrize(("advice", "cents"), [("confirmations", 10_000), ("reversals", 0)])
async def test_x8_naming_the_whole_amount_is_accepted(till: Till, advice: str, cents: int) -> None:
    sale = await till.a_provisioned()
    make = a_tender_confirmation if advice == "confirmations" else a_reversal
    message = make(sale.id, amounts={"approvedAmount": rand(cents)})

    answer = await till.post(f"/vouchers/{advice}", message)

    assert (answer.status, answer.body) == (202, message)


@pytest.mark.parametrize("cents", [10_000, 6_000, 10_001])
async def test_x8_a_part_is_accepted_where_the_provider_has_partial_advices(till: Till, cents: int) -> None:
    sale = await till.a_redeemed(**at(PARTIAL_ADVICES))

    answer = await till.confirm_redemption(sale.redemption_id, amounts={"approvedAmount": rand(cents)})

    assert answer.status == (202 if cents <= 10_000 else 400), answer


async def test_x9_a_code_in_use_is_refused_when_the_provider_refuses_it(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    sale = await till.a_confirmed()
    request = a_provision(voucher={"code": sale.code})
    await simulator.fault("decline", "provision", request["id"], code="VOUCHER_ALREADY_PROVISIONED")

    answer = await till.post("/vouchers", request)

    refused(answer, 400, "VOUCHER_ALREADY_PROVISIONED", id=request["id"])
    assert await switch.voucher_state(sale.code) == "CONFIRMED_PROVISIONED"


async def test_x9_a_code_that_is_issued_again_is_bound_to_the_newest_confirmed_provision(
    till: Till, switch: Switch
) -> None:
    first = await till.a_used()

    second = await till.a_provisioned(voucher={"code": first.code}, cents=7_000)
    assert second.code == first.code
    assert await switch.voucher_state(first.code) == "CONFIRMED_REDEEMED"
    assert (await till.confirm_voucher(second.id)).status == 202

    assert await switch.voucher_state(first.code) == "CONFIRMED_PROVISIONED"
    again = await till.a_used(second)
    assert again.redemption_answer is not None
    assert again.redemption_answer.body["amounts"]["approvedAmount"] == rand(7_000)


@pytest.mark.parametrize("down", ["nothing listens", "SBX503", "SBX429", "SBXDECLINE10"])
async def test_x10_a_request_that_no_route_took_is_503_and_certainly_not_processed(
    till: Till, switch: Switch, simulator: SimulatorControl, down: str
) -> None:
    request = a_provision(**(at(DOWN) if down == "nothing listens" else {"product": down}))

    answer = await till.post("/vouchers", request)

    refused(answer, 503, "UPSTREAM_UNAVAILABLE", id=request["id"])
    assert int(answer.headers["retry-after"]) > 0
    assert await switch.state(request["id"]) == "DECLINED"
    assert await simulator.voucher_state(request["id"]) is None
    assert (await till.reverse_voucher(request["id"])).status == 404
    assert (await till.post("/vouchers", request)).error_type == "DUPLICATE_RECORD"


@pytest.mark.parametrize(
    "wrong", [at(BAD_KEY), {"product": "SBXDECLINE11"}], ids=["credentials refused", "product unknown there"]
)
async def test_x10_a_route_that_is_set_up_wrongly_is_a_routing_error(till: Till, switch: Switch, wrong: Json) -> None:
    request = a_provision(**wrong)

    answer = await till.post("/vouchers", request)

    refused(answer, 400, "ROUTING_ERROR", id=request["id"])
    assert await switch.state(request["id"]) == "DECLINED"


async def test_x10_the_next_route_is_tried_only_because_the_first_heard_nothing(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    sale = await till.a_confirmed(**at(FAILOVER))

    record = await switch.record(sale.id)
    assert record is not None
    assert record["provider_id"] == "sandbox"
    assert len(await simulator.taken(sale.id, "provision")) == 1
    legs = await switch.rows(
        "SELECT peer FROM leg WHERE request_id = $1 AND direction = 2 AND operation = 'provision' ORDER BY leg_id",
        sale.id,
    )
    assert [leg["peer"] for leg in legs] == ["down", "sandbox"]


@MOVEMENTS
async def test_x10_a_movement_that_the_provider_did_not_take_leaves_the_voucher_as_it_was(
    till: Till, switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    request = await kind.request(till)
    await simulator.fault("http", kind.op, request["id"], status=503, body={"error": {"code": "UPSTREAM_UNAVAILABLE"}})

    answer = await till.post(kind.path, request)

    refused(answer, 503, "UPSTREAM_UNAVAILABLE", id=request["id"])
    assert await switch.state(request["id"]) == State.DECLINED.name
    assert await switch.voucher_state(request["voucher"]["code"]) == kind.found
    assert (await till.post(kind.path, request | {"id": new_id()})).status == 201
