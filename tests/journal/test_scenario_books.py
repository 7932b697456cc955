"""The benchmark's scenarios against a switch: every answer is as expected, and so are the books afterwards."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from bench.database import Database
from bench.errors import BenchError
from bench.ledger import Ledger
from bench.load import generate
from bench.measurement import Measurement
from bench.provision import ORIGINATOR
from bench.sandbox import Sandbox
from bench.scenarios import SCENARIOS

from support.originators import PASSWORD
from support.switch import Switch


@pytest.fixture(scope="module")
async def alone() -> AsyncIterator[Switch]:
    """A switch that nobody else sells with: its books are counted as a whole."""
    async with Switch.start(settings={"PRODUCT_LOOKUPS_PER_S": "0"}) as switch:
        yield switch


def ledger_of(switch: Switch) -> Ledger:
    simulator = switch.simulator
    return Ledger(Database(switch.database_url), Sandbox(f"{simulator.url}/sandbox/v1", simulator.control_url))


async def load(switch: Switch, scenario: str, seconds: float = 0.5) -> Measurement:
    return await generate(
        switch.root,
        user=ORIGINATOR,
        password=PASSWORD,
        connections=4,
        seconds=seconds,
        warmup=0.1,
        scenario=scenario,
    )


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_a_scenario_is_answered_as_expected_and_leaves_what_it_must(alone: Switch, scenario: str) -> None:
    ledger = ledger_of(alone)
    await asyncio.to_thread(ledger.open)

    measured = await load(alone, scenario)

    assert measured.errors == {}, measured.first_error
    assert measured.done > 0
    await asyncio.to_thread(ledger.settle, lambda: None)
    await asyncio.to_thread(ledger.close, measured)


async def test_a_sale_that_nobody_was_told_of_is_found(alone: Switch) -> None:
    ledger = ledger_of(alone)
    await asyncio.to_thread(ledger.open)
    measured = await load(alone, "confirm", 0.1)
    measured.operations["provision"].in_all -= 1

    await asyncio.to_thread(ledger.settle, lambda: None)
    with pytest.raises(BenchError, match=r"by the answers the journal must have .* but has \+\d+ PROVISION CONFIRMED$"):
        await asyncio.to_thread(ledger.close, measured)


async def test_a_slow_provider_is_slow_while_it_is_asked_to_be(alone: Switch) -> None:
    sandbox = Sandbox(f"{alone.simulator.url}/sandbox/v1", alone.simulator.control_url)

    with sandbox.delayed(200):
        slow = await load(alone, "provision")
    fast = await load(alone, "provision")

    assert slow.errors == fast.errors == {}
    assert slow.p50_ms >= 200
    assert fast.p50_ms < slow.p50_ms
