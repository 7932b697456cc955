"""Waiting for whichever comes first."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def first_of(*waits: "asyncio.Task[Any] | Coroutine[Any, Any, Any]", timeout_s: float | None = None) -> None:
    """Wait until one of them is done. Tasks go on; coroutines are cancelled at the end."""
    ours = [asyncio.create_task(wait) for wait in waits if not isinstance(wait, asyncio.Task)]
    theirs = [wait for wait in waits if isinstance(wait, asyncio.Task)]
    try:
        await asyncio.wait([*ours, *theirs], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in ours:
            task.cancel()
