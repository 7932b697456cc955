"""Waiting without sleeping: ask until the answer is yes, and say what was asked when it never is."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE_S = 0.01
PAUSE_S_MAX = 0.1


async def eventually(ask: Callable[[], Awaitable[T]], what: str, *, within_s: float = 10.0) -> T:
    """Ask again and again until the answer is true; return it.

    Raises:
        AssertionError: it was not within the bound; the text tells what was waited for and the last answer.
    """
    until, pause_s = time.monotonic() + within_s, PAUSE_S
    while not (answer := await ask()):
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {within_s:g} s; last answer: {answer!r}")
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 1.5, PAUSE_S_MAX)
    return answer
