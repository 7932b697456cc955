"""Retries of a provision: T1 to T9 (interface.md §4.8)."""

import asyncio
from typing import Any

import pytest

from support.expect import format_refused, refused
from support.kinds import PROVISION, lost, release, running
from support.messages import MOBITALK, PROTEA, REMOVED, a_provision, a_reversal, applied, changed, new_id, now, rand
from support.originators import DECLINES_404, HASTY
from support.providers import NO_RETRY, OWN_CODES, at
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till

SUFFIXES = pytest.mark.parametrize("suffix", ["retry", "retries"])


@SUFFIXES
async def test_t1_a_provision_never_received_is_handled_as_new(
    till: Till, switch: Switch, simulator: SimulatorControl, suffix: str
) -> None:
    request = a_provision()

    answer = await till.retry(request, suffix=suffix)

    assert answer.status == 201
    assert answer.headers["location"] == f"/suv/v1/vouchers/{request['id']}/{suffix}"
    for name in ("id", "time", "originator", "client", "receiver"):
        assert answer.body[name] == request[name]
    assert await simulator.ops(request["id"]) == ["provision"]
    assert await switch.state(request["id"]) == "APPROVED"


async def test_t1_what_refuses_a_provision_refuses_its_retry(till: Till) -> None:
    declined, unable = a_provision(product="SBXDECLINE02"), a_provision(**at(OWN_CODES), voucher={"code": "A"})

    refused(await till.retry(declined), 400, "INVALID_AMOUNT", id=declined["id"])
    refused(await till.retry(unable), 400, "FUNCTION_NOT_SUPPORTED", id=unable["id"])


async def test_t2_a_retry_waits_for_the_running_call_and_gets_the_same_answer(
    till: Till, simulator: SimulatorControl
) -> None:
    request, answering = await running(till, simulator, PROVISION)

    retrying = asyncio.create_task(till.retry(request))
    done, _ = await asyncio.wait({retrying, answering}, timeout=0.3)
    assert not done
    first = await release(simulator, answering)
    second = await retrying

    assert (first.status, second.status) == (201, 201)
    assert second.body == first.body
    assert await simulator.ops(request["id"]) == ["provision"]


async def test_t2_at_the_deadline_the_retry_is_answered_504(hasty: Till, simulator: SimulatorControl) -> None:
    request = a_provision(HASTY)
    await simulator.fault("hang_after", "provision", request["id"])
    answering = asyncio.create_task(hasty.post("/vouchers", request))
    await simulator.hears(request["id"], "provision")

    answer = await hasty.retry(request)

    refused(answer, 504, "UPSTREAM_UNAVAILABLE", id=request["id"])
    assert (await answering).status == 504
    assert await simulator.ops(request["id"]) == ["provision"]


async def test_t3_the_provider_had_it_and_gives_the_voucher_already_issued(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    request = await lost(till, simulator, PROVISION)
    issued = await simulator.voucher(reference=request["id"])
    assert issued is not None

    answer = await till.retry(request)

    assert (answer.status, answer.code) == (201, issued["code"])
    assert await simulator.ops(request["id"]) == ["provision", "retry"]
    assert await switch.state(request["id"]) == "APPROVED"


async def test_t3_the_provider_had_it_not_and_issues_a_fresh_voucher(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    request = await lost(till, simulator, PROVISION, "drop_before")
    assert await simulator.voucher(reference=request["id"]) is None

    answer = await till.retry(request)

    assert answer.status == 201
    assert (await simulator.voucher(code=answer.code) or {})["reference"] == request["id"]
    assert await switch.state(request["id"]) == "APPROVED"


async def test_t3_the_provider_had_it_not_and_declines(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    request = await lost(till, simulator, PROVISION, "drop_before")
    await simulator.fault("decline", "retry", request["id"], code="LIMIT_EXCEEDED")

    refused(await till.retry(request), 400, "LIMIT_EXCEEDED", id=request["id"])

    assert await switch.state(request["id"]) == "DECLINED"


@pytest.mark.parametrize("fault", ["drop_after", "auth_fail"], ids=["no answer", "not sent"])
async def test_t3_a_retry_that_proves_nothing_leaves_the_outcome_unknown(
    till: Till, switch: Switch, simulator: SimulatorControl, fault: str
) -> None:
    request = await lost(till, simulator, PROVISION)
    await simulator.fault(fault, "retry", request["id"])

    refused(await till.retry(request), 504, "UPSTREAM_UNAVAILABLE", id=request["id"])

    assert await switch.state(request["id"]) == "UNKNOWN"
    assert (await till.retry(request)).status == 201


async def test_t3_of_two_retries_at_once_one_asks_the_provider(till: Till, simulator: SimulatorControl) -> None:
    request = await lost(till, simulator, PROVISION)

    answers = await till.at_once(5, f"/vouchers/{request['id']}/retry", request)

    assert {answer.status for answer in answers} == {201}
    assert len({answer.code for answer in answers}) == 1
    assert await simulator.ops(request["id"]) == ["provision", "retry"]


@pytest.mark.parametrize("status", [400, 404])
async def test_t4_a_provider_without_retries_gets_none(
    till: Till, switch: Switch, simulator: SimulatorControl, status: int
) -> None:
    sender = till if status == 400 else Till(switch, DECLINES_404)
    request = a_provision(sender.by, **at(NO_RETRY))
    await simulator.fault("drop_after", "provision", request["id"])
    assert (await sender.post("/vouchers", request)).status == 504

    answer = await sender.retry(request)

    refused(answer, status, "FUNCTION_NOT_SUPPORTED", id=request["id"])
    assert await switch.state(request["id"]) == "UNKNOWN"
    assert await simulator.ops(request["id"]) == ["provision"]


@SUFFIXES
@pytest.mark.parametrize("confirmed", [False, True], ids=["approved", "confirmed"])
async def test_t5_the_recorded_voucher_is_given_again_with_its_pin(
    till: Till, simulator: SimulatorControl, suffix: str, confirmed: bool
) -> None:
    sale = await (till.a_confirmed if confirmed else till.a_provisioned)(product="SBXPIN")

    answer = await till.retry(sale.request, suffix=suffix)

    assert (answer.status, answer.body) == (201, sale.answer.body)
    assert answer.body["voucher"]["pin"]["pin"]
    assert "retry" not in await simulator.ops(sale.id)


async def test_t5_several_retries_are_allowed(till: Till) -> None:
    sale = await till.a_provisioned()

    answers = [await till.retry(sale.request) for _ in range(3)]

    assert [answer.body for answer in answers] == [sale.answer.body] * 3


@pytest.mark.parametrize("tombstone", [False, True], ids=["reversed", "tombstone"])
async def test_t6_a_reversed_provision_is_not_retried(till: Till, simulator: SimulatorControl, tombstone: bool) -> None:
    request = a_provision()
    if not tombstone:
        assert (await till.post("/vouchers", request)).status == 201
    reversal = a_reversal(request["id"])
    await till.post("/vouchers/reversals", reversal)

    answer = await till.retry(request)

    refused(answer, 400, "VOUCHER_ALREADY_REVERSED", id=request["id"], original_id=reversal["id"])
    assert "retry" not in await simulator.ops(request["id"])


async def test_t7_a_decline_is_given_again(till: Till, simulator: SimulatorControl) -> None:
    request = a_provision(product="SBXDECLINE05")
    declined = await till.post("/vouchers", request)

    again = await till.retry(request)

    assert (again.status, again.body) == (declined.status, declined.body)
    assert again.error_type == "INSUFFICIENT_FUNDS"
    assert await simulator.ops(request["id"]) == ["provision"]


async def test_t7_a_decline_that_was_reversed_is_still_given_again(till: Till) -> None:
    request = a_provision(product="SBXDECLINE05")
    declined = await till.post("/vouchers", request)
    assert (await till.reverse_voucher(request["id"])).status == 404

    assert (await till.retry(request)).body == declined.body


async def test_t8_an_id_of_another_originator_is_a_duplicate(till: Till, other: Till) -> None:
    sale = await till.a_provisioned()

    answer = await other.retry(a_provision(other.by, id=sale.id))

    refused(answer, 400, "DUPLICATE_RECORD", "Duplicate UUID.", id=sale.id)
    assert sale.code not in answer.raw.decode()


async def test_t8_an_id_of_another_kind_is_a_duplicate(till: Till) -> None:
    sale = await till.a_redeemed()

    refused(await till.retry(a_provision(id=sale.redemption_id)), 400, "DUPLICATE_RECORD", id=sale.redemption_id)


DIFFERENT: dict[str, dict[str, Any]] = {
    "product.productId": {"product": {"productId": "SBXPIN"}},
    "amounts.requestAmount": {"amounts": {"requestAmount": rand(10_001)}},
    "receiver.id": {"receiver": PROTEA},
    "voucher.code": {"voucher": {"code": "OTHER"}},
}


@pytest.mark.parametrize(("path", "change"), DIFFERENT.items(), ids=DIFFERENT)
async def test_t9_a_retry_that_asks_for_something_else_is_refused(
    till: Till, simulator: SimulatorControl, path: str, change: dict[str, Any]
) -> None:
    sale = await till.a_provisioned()

    answer = await till.retry(applied(sale.request, change))

    format_refused(answer, id=sale.id, violations=[(path, f"{path} must equal the original request")])
    assert await simulator.ops(sale.id) == ["provision"]


@pytest.mark.parametrize("removed", ["product", "amounts", "receiver", "voucher"])
async def test_t9_a_retry_that_leaves_something_out_is_refused(till: Till, removed: str) -> None:
    sale = await till.a_provisioned(voucher={"code": f"T9-{new_id()[:13]}"})
    path = {"product": "product.productId", "amounts": "amounts.requestAmount", "receiver": "receiver.id"}
    named = path.get(removed, "voucher.code")

    answer = await till.retry(applied(sale.request, {removed: REMOVED}))

    format_refused(answer, id=sale.id, violations=[(named, f"{named} must equal the original request")])


async def test_t9_every_difference_is_listed_and_no_code_is_shown(till: Till) -> None:
    sale = await till.a_provisioned()

    answer = await till.retry(applied(sale.request, {**DIFFERENT["voucher.code"], "receiver": PROTEA}))

    assert {found["field"] for found in answer.violations} == {"receiver.id", "voucher.code"}
    assert "OTHER" not in answer.raw.decode()


async def test_t9_other_fields_may_differ(till: Till) -> None:
    sale = await till.a_provisioned()
    repeated = sale.request | {"time": now(), "stan": "9", "receiver": MOBITALK | {"name": "MobiTalk Ltd"}}

    answer = await till.retry(changed(repeated, "amounts.requestAmount.currency", 710))

    assert (answer.status, answer.body) == (201, sale.answer.body)


async def test_t9_the_path_must_name_the_body(till: Till) -> None:
    request, path_id = a_provision(), new_id()

    differs = await till.post(f"/vouchers/{path_id}/retry", request)
    malformed = await till.post("/vouchers/not-a-uuid/retry", request)
    same = await till.post(f"/vouchers/{request['id'].upper()}/retry", request)

    format_refused(differs, id=request["id"], violations=[("id", "id must equal provisionId")])
    format_refused(
        malformed,
        id=request["id"],
        violations=[("provisionId", "UUID must conform to the format 8-4-4-4-12 hexadecimal values")],
    )
    assert same.status == 201
