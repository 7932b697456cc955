"""The ten simulated providers behind the shared switch, in this process."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from every_provider.board import BRANDS, NAMES, Provider, load
from support.originators import TILL
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till
from support.waiting import eventually
from voucherswitch.providers import registry


@pytest.fixture(scope="session")
async def board(switch: Switch) -> AsyncIterator[dict[str, Provider]]:
    """Every provider by its name, ready to sell."""
    till = Till(switch, TILL)
    async with AsyncExitStack() as stack:
        simulators = {name: await stack.enter_async_context(registry.simulator(name)()) for name in NAMES}
        controls = {name: SimulatorControl(one.url, one.control_url) for name, one in simulators.items()}
        for control in controls.values():
            stack.push_async_callback(control.close)
        await load(switch, simulators)

        async def listed() -> bool:
            products = (await till.get("/products")).body["products"]
            return BRANDS[NAMES[-1]].products[-1].id in {product["productId"] for product in products}

        await eventually(listed, "the brands in the worker's catalogue")
        yield {name: Provider(switch, till, name, control) for name, control in controls.items()}


@pytest.fixture(params=NAMES)
async def provider(request: pytest.FixtureRequest, board: dict[str, Provider]) -> AsyncIterator[Provider]:
    """One provider after the other; at the end its books must be the journal's."""
    chosen = board[request.param]
    yield chosen
    await chosen.control.clear_faults()
    assert await chosen.disagreements() == []
