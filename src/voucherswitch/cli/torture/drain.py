"""The time after the last fault: tills finish, advices are delivered, and what can be found out is found out."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from voucherswitch.cli.torture.shop import SETTLE_S
from voucherswitch.cli.torture.stack import Stack
from voucherswitch.journal.database import DatabaseError

_POLL_S: Final = 1.0
_DRAIN_S_MAX: Final = 240
# The resolver asks again at intervals: what has not changed for so long will not change by itself.
_QUIET_S: Final = SETTLE_S + 12


class Left(Struct, frozen=True):
    """What is not over yet."""

    queued: int
    calls: int
    unknown: int


async def drain(stack: Stack, progress: Callable[[Left], None]) -> Left:
    """Wait until nothing is owed and nothing changes any more; return what is left, after four minutes at most."""
    started = changed = time.monotonic()
    left = await _left(stack)
    while time.monotonic() - started < _DRAIN_S_MAX:
        progress(left)
        over = left.queued == 0 and left.calls == 0
        if over and (left.unknown == 0 or time.monotonic() - changed > _QUIET_S):
            break
        await asyncio.sleep(_POLL_S)
        now = await _left(stack)
        if now != left:
            left, changed = now, time.monotonic()
    return left


async def _left(stack: Stack) -> Left:
    try:
        connection = await stack.connect()
    except DatabaseError:
        return Left(-1, -1, -1)  # it is still starting: whatever comes next is a change
    try:
        row = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM advice WHERE state = 1) AS queued,"
            " count(*) FILTER (WHERE call_until > clock_timestamp()) AS calls, count(*) AS unknown"
            " FROM transaction WHERE state IN (1, 4)"
        )
        assert row is not None
        return Left(**dict(row))
    finally:
        await connection.close()
