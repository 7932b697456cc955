"""Wait for a call that runs elsewhere, in this worker or another, until it is decided or the answer is due (T2, K3)."""

import asyncio
import time
from uuid import UUID

from voucherswitch.config.limits import WAIT_PAUSE_MAX_S, WAIT_PAUSE_MIN_S
from voucherswitch.journal.journal import Journal
from voucherswitch.journal.records import Record
from voucherswitch.message.states import OPEN_STATES, State


async def wait_decided(
    journal: Journal, request_id: UUID, until_s: float, *, while_unknown: bool, while_running: bool = False
) -> Record | None:
    """Read the record again and again, ever more slowly, until it is decided or `until_s` of the monotonic clock.

    With `while_unknown` false, UNKNOWN ends the wait too: the call that was waited for is over. With `while_running`
    true the wait ends as soon as nobody is asking.
    """
    waiting_for = OPEN_STATES if while_unknown else (State.PENDING,)
    pause_s = WAIT_PAUSE_MIN_S
    while True:
        record = await journal.read(request_id)
        left_s = until_s - time.monotonic()
        if record is None or record.state not in waiting_for or left_s <= 0:
            return record
        if not record.call_running and (while_running or (record.state is State.PENDING and not while_unknown)):
            return record
        await asyncio.sleep(min(pause_s, left_s))
        pause_s = min(pause_s * 1.5, WAIT_PAUSE_MAX_S)
