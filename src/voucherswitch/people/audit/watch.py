"""The walk of every hour: one worker walks the trail, notes its head in the log, which no one in the database reaches,
and raises the alarm when the trail is not what it was.

`audit_chain_broken` in a log line is what an alert hooks on; the same is recorded in the trail itself, once.
"""

import json
from typing import Final

import asyncpg
import structlog

from voucherswitch.catalogue.store import Connection
from voucherswitch.config.limits import AUDIT_WALK_ALL_MAX, AUDIT_WALK_S
from voucherswitch.journal.statements import SQL
from voucherswitch.people.audit.chain import START, Head, Walked, read_head, walk
from voucherswitch.people.audit.event import Actor, Event
from voucherswitch.people.audit.record import record

log = structlog.get_logger(__name__)

BROKEN: Final = "audit_chain_broken"
WORKER: Final = Actor(kind="system", id="system:worker")
_WALK_LOCK: Final = 0x5653_4157
_EXAMPLES: Final = 5


async def walk_hourly(connection: Connection) -> Walked | None:
    """Walk the trail if nobody has within the hour and nobody is at it; None: somebody has, or is.

    A short trail is walked whole each time, a long one whole once a day (SAST) and from the last head otherwise.

    Raises:
        asyncpg.PostgresError, OSError, TimeoutError: it could not be found out; tried again with the next call.
    """
    if not await connection.fetchval(SQL["claim_audit_walk"], _WALK_LOCK):
        return None
    try:
        last = await connection.fetchrow(SQL["last_audit_anchor"])
        if last is not None and 0 <= last["age_s"] < AUDIT_WALK_S:
            return None
        after = START if last is None or await _whole(connection, last) else Head(last["seq"], last["hash"])
        walked = await walk(connection, after=after)
        await _note(connection, last, after, walked)
    finally:
        await connection.execute(SQL["release_audit_walk"], _WALK_LOCK)
    return walked


async def _whole(connection: Connection, last: asyncpg.Record) -> bool:
    return bool(last["of_another_day"]) or (await read_head(connection)).seq <= AUDIT_WALK_ALL_MAX


async def _note(connection: Connection, last: asyncpg.Record | None, after: Head, walked: Walked) -> None:
    """Write down where the trail goes to, in the log and beside it; cry once when it is newly broken."""
    log.info("audit head", head=str(walked.head), events=walked.events, whole=after.seq == 0)
    faults = [{"seq": fault.seq, "found": fault.found} for fault in walked.faults]
    known = [] if last is None else [fault["seq"] for fault in json.loads(last["faults"])]
    new = [fault for fault in faults if fault["seq"] not in known]
    async with connection.transaction():
        await connection.execute(
            SQL["put_audit_anchor"], walked.head.seq, walked.head.hash, after.seq, json.dumps(faults)
        )
        if new:
            told = {"faults": new[:_EXAMPLES], "more": walked.more or len(new) > _EXAMPLES}
            await record(connection, Event(actor=WORKER, action="audit.chain_broken", object_kind="audit", after=told))
    if new:
        log.error(
            "audit trail broken",
            alert=BROKEN,
            new=len(new),
            examples=[str(fault["found"]) for fault in new[:_EXAMPLES]],
            remedy="docs/operations/audit.md says what to do; change nothing before a copy of the database is taken",
        )
