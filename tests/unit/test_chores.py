"""A worker's chores: done now and then, whatever comes of one."""

import asyncio

from voucherswitch.worker import every


async def test_a_chore_that_fails_is_tried_again_and_ends_nothing() -> None:
    """It would end the worker, which has advices to deliver, and again at each of its starts."""
    stopping = asyncio.Event()
    tries = 0

    async def fails_at_first() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ValueError("a fault of ours")
        stopping.set()

    async with asyncio.timeout(10):
        await every(0.001, fails_at_first, stopping)

    assert tries == 2
