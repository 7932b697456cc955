"""One provider hangs with many sales: what the others take is as quick as before."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median

import pytest

from support.kinds import LONG_MS
from support.messages import a_provision
from support.originators import TILL
from support.providers import HANGING, at
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till

ROUNDS = 6
SALES = 20
HUNG = 60
# Rounds alternate, so that a busy machine slows both alike. Sharing anything with the hung calls would cost seconds.
SLOWER_MAX = 1.6


@asynccontextmanager
async def _hung(till: Till, simulator: SimulatorControl) -> AsyncIterator[None]:
    """Sales that their provider does not answer before the end."""
    requests = [a_provision(**at(HANGING)) for _ in range(HUNG)]
    for request in requests:
        await simulator.fault("late", "provision", request["id"], ms=LONG_MS)
    selling = [asyncio.create_task(till.post("/vouchers", request)) for request in requests]
    for request in requests:
        await simulator.hears(request["id"], "provision")
    try:
        yield
    finally:
        await simulator.advance(LONG_MS)
        assert {answer.status for answer in await asyncio.gather(*selling)} == {201}


async def _sales_s(till: Till) -> list[float]:
    """How long sales at another provider take, one after the other."""
    taken = []
    for _ in range(SALES):
        begin = time.perf_counter()
        assert (await till.provision()).status == 201
        taken.append(time.perf_counter() - begin)
    return taken


@pytest.mark.timeout(240)
async def test_a_provider_that_hangs_leaves_the_latency_of_the_others_unchanged(
    switch: Switch, simulator: SimulatorControl
) -> None:
    till = Till(switch, TILL)
    await _sales_s(till)  # connections and caches are warm
    alone: list[float] = []
    beside: list[float] = []
    for _ in range(ROUNDS):
        alone += await _sales_s(till)
        async with _hung(till, simulator):
            beside += await _sales_s(till)
    assert median(beside) < median(alone) * SLOWER_MAX, (median(alone), median(beside))
