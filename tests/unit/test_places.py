"""A provider's places: taken before a request is recorded, given back when its call has ended, never twice."""

import asyncio

import pytest

from support.vault import a_vault
from voucherswitch.providers.pool import ProviderBusyError, ProviderPool


@pytest.fixture
def pool() -> ProviderPool:
    return ProviderPool(a_vault(), in_flight_max=1, sandbox=True)


def test_a_request_that_asks_nobody_gives_its_place_back(pool: ProviderPool) -> None:
    with pool.reserve("karoo"):
        with pytest.raises(ProviderBusyError):
            pool.reserve("karoo")
        pool.reserve("protea")
    pool.reserve("karoo")


async def test_a_call_that_outlives_its_request_keeps_the_place_until_its_end(pool: ProviderPool) -> None:
    """A late answer: the originator has its 504, and the provider is still at work."""
    answered = asyncio.Event()
    with pool.reserve("karoo") as place:
        call = asyncio.create_task(answered.wait())
        place.lend(call)
    with pytest.raises(ProviderBusyError):
        pool.reserve("karoo")
    answered.set()
    await call
    await asyncio.sleep(0)  # the callback of its end
    pool.reserve("karoo")
    with pytest.raises(ProviderBusyError):
        pool.reserve("karoo")


async def test_a_call_that_is_cancelled_before_it_began_gives_its_place_back(pool: ProviderPool) -> None:
    with pool.reserve("karoo") as place:
        call = asyncio.create_task(asyncio.Event().wait())
        place.lend(call)
        call.cancel()
    await asyncio.wait([call])
    await asyncio.sleep(0)
    pool.reserve("karoo")
