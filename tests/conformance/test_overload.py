"""A provider's places are taken: who else wants one hears 503 before anything is written, and others are served.

Each test has a worker of its own, so that the others' is not disturbed.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from support.client import Answer, Client
from support.kinds import LONG_MS
from support.messages import Json, a_provision, a_redemption
from support.originators import OTHER, TILL
from support.providers import HANGING, SPARE, at
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till


@asynccontextmanager
async def full(switch: Switch, simulator: SimulatorControl, **settings: str) -> AsyncIterator[Client]:
    """A worker that asks a provider one thing at a time, and `Hanging` does not answer; everybody is known to it."""
    async with switch.extra_worker(PROVIDER_IN_FLIGHT_MAX="1", **settings) as client:
        held = a_provision(**at(HANGING))
        await simulator.fault("late", "provision", held["id"], ms=LONG_MS)
        answering = asyncio.create_task(client.post("/vouchers", held))
        await simulator.hears(held["id"], "provision")
        try:
            yield client
        finally:
            await simulator.advance(LONG_MS)
            assert (await answering).status == 201
        assert (await client.post("/vouchers", a_provision(**at(HANGING)))).status == 201, "the place is free again"


async def _refused_unwritten(switch: Switch, simulator: SimulatorControl, answer: Answer, request: Json) -> None:
    assert (answer.status, answer.error_type) == (503, "UPSTREAM_UNAVAILABLE")
    assert await switch.record(request["id"]) is None
    assert await switch.refusals(request["id"]) == 0
    assert await simulator.ops(request["id"]) == []


async def test_5_1_a_provision_for_a_provider_without_a_place_is_503_and_nothing_is_written(
    switch: Switch, simulator: SimulatorControl
) -> None:
    async with full(switch, simulator) as client:
        request = a_provision(**at(HANGING))
        await _refused_unwritten(switch, simulator, await client.post("/vouchers", request), request)
        assert (await client.post("/vouchers", a_provision())).status == 201, "another provider is not concerned"


async def test_5_1_a_provision_goes_to_the_next_route_when_the_first_has_no_place(
    switch: Switch, simulator: SimulatorControl
) -> None:
    async with full(switch, simulator) as client:
        request = a_provision(**at(SPARE))
        assert (await client.post("/vouchers", request)).status == 201
        record = await switch.record(request["id"])
        assert record is not None
        assert record["provider_id"] == "sandbox"


async def test_5_1_a_redemption_without_a_place_is_503_and_claims_no_voucher(
    switch: Switch, simulator: SimulatorControl
) -> None:
    sale = await Till(switch, TILL).a_confirmed(**at(HANGING))
    request = a_redemption(TILL, code=sale.code, receiver=HANGING.receiver)
    async with full(switch, simulator) as client:
        await _refused_unwritten(switch, simulator, await client.post("/redemptions", request), request)
    assert (await switch.client.post("/redemptions", request)).status == 201


@pytest.mark.parametrize("known", [False, True])
async def test_a_retry_without_a_place_is_500_because_503_would_speak_of_the_first_request(
    switch: Switch, simulator: SimulatorControl, known: bool
) -> None:
    request = a_provision(**at(HANGING))
    if known:
        await simulator.fault("drop_after", "provision", request["id"])
        assert (await switch.client.post("/vouchers", request)).status == 504
    async with full(switch, simulator) as client:
        answer = await client.post(f"/vouchers/{request['id']}/retry", request)
        assert (answer.status, answer.error_type) == (500, "GENERAL_ERROR")
        assert await switch.state(request["id"]) == ("UNKNOWN" if known else None)
        assert await simulator.ops(request["id"]) == (["provision"] if known else [])


async def test_an_originator_whose_provider_hangs_is_served_by_the_others_and_so_are_others(
    switch: Switch, simulator: SimulatorControl
) -> None:
    """A provider has fewer places than an originator, and an originator fewer than the worker: none takes all."""
    async with full(switch, simulator, IN_FLIGHT_PER_ORIGINATOR_MAX="2", IN_FLIGHT_MAX="3") as client:
        for _ in range(5):
            assert (await client.post("/vouchers", a_provision(**at(HANGING)))).status == 503
        assert (await client.post("/vouchers", a_provision())).status == 201
        assert (await client.post("/vouchers", a_provision(OTHER), by=OTHER)).status == 201


async def test_an_advice_needs_no_place_among_the_sales(switch: Switch, simulator: SimulatorControl) -> None:
    """Confirmations of a provider whose sales all hang are accepted and delivered."""
    sale = await Till(switch, TILL).a_provisioned(**at(HANGING))
    async with full(switch, simulator) as client:
        till = Till(switch, TILL, client)
        assert (await till.confirm_voucher(sale.id)).status == 202
        await simulator.takes(sale.id, "confirm")
