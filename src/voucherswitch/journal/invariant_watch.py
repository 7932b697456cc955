"""The check of every minute: the invariants over what changed since the last one, by one worker at a time.

What has been looked at is remembered, so a check reads the rows that changed, whatever the size of the journal. A row
that broke something stays in sight until it is mended, however old it is. The result is in `invariant_check`, for the
console, the metrics and the next worker.
"""

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import msgspec
import structlog
from msgspec import Struct

from voucherswitch.config.limits import (
    INVARIANT_CLAIM_S,
    INVARIANT_OVERLAP_S,
    INVARIANT_ROWS_MAX,
    INVARIANT_RUN_S_MAX,
    INVARIANT_STEP_S,
    UNRESOLVED_COUNTED_MAX,
)
from voucherswitch.journal.batcher import DATABASE_TROUBLE
from voucherswitch.journal.invariants import NAMED, Breach, Connection, Finding, Window, check
from voucherswitch.journal.statements import SQL

log = structlog.get_logger(__name__)

BROKEN: Final = "invariant_broken"
MENDED: Final = "invariant_mended"
_EXAMPLES: Final = 5


class Broken(Struct, frozen=True):
    """A broken invariant as it is kept; its texts are the release's."""

    name: str
    rows: tuple[Breach, ...]
    more: bool = False


class LastCheck(Struct, frozen=True, kw_only=True):
    """What the last check found. `finished_at` None: there has been none; `age_s` by the database's clock."""

    finished_at: datetime | None
    age_s: float | None
    duration_ms: int | None
    checked_to: datetime
    broken: tuple[Broken, ...]


_decode: Final = msgspec.json.Decoder(tuple[Broken, ...]).decode


async def last_check(connection: Connection) -> LastCheck:
    """Read what the last check found."""
    row = await connection.fetchrow(SQL["read_invariant_check"])
    assert row is not None  # a migration made it
    return LastCheck(
        finished_at=row["finished_at"],
        age_s=row["age_s"],
        duration_ms=row["duration_ms"],
        checked_to=row["checked_to"],
        broken=_decode(row["findings"]),
    )


async def check_recent(connection: Connection, every_s: int) -> bool:
    """Check what changed since the last time, if that is `every_s` ago and nobody else is at it.

    New breaches are logged, once each, and so is that an invariant holds again. Returns whether this call checked.

    Raises:
        asyncpg.PostgresError, OSError, TimeoutError: it could not be found out; the next check looks at the same again.
    """
    claim = await connection.fetchrow(SQL["claim_invariant_check"], every_s, INVARIANT_CLAIM_S)
    if claim is None:
        return False
    try:
        await _check(connection, claim)
    except BaseException:  # a stop of the worker among them
        with suppress(*DATABASE_TROUBLE):
            await connection.execute(SQL["release_invariant_check"], claim["started_at"])
        raise
    return True


async def _check(connection: Connection, claim: asyncpg.Record) -> None:
    before = {broken.name: broken for broken in _decode(claim["findings"])}
    again = {broken.name: [row.key for row in broken.rows] for broken in before.values()}
    checked_to: datetime = claim["checked_to"]
    found: dict[str, Broken] = {}
    until_s = time.monotonic() + INVARIANT_RUN_S_MAX
    while True:
        window, reached = _next(checked_to, claim["started_at"], again)
        findings = await check(connection, window)
        found = _joined(found, findings)
        if any(finding.more for finding in findings):
            break  # what is beyond the bound is found by looking at the same again, once these are mended
        checked_to, again = reached, {}
        if reached >= claim["started_at"] or time.monotonic() > until_s:
            break
    _tell(before, found)
    kept = msgspec.json.encode(list(found.values())).decode()
    if await connection.fetchval(SQL["record_invariant_check"], claim["started_at"], checked_to, kept) is None:
        log.warning("check of the invariants took too long; another worker does it anew")


def _next(checked_to: datetime, now: datetime, again: Mapping[str, list[str]]) -> tuple[Window, datetime]:
    """The window to look at next, and how far the journal has been looked at then."""
    since = checked_to - timedelta(seconds=INVARIANT_OVERLAP_S)
    reached = checked_to + timedelta(seconds=INVARIANT_STEP_S)
    if reached >= now:
        return Window(since=since, again=again), now
    return Window(since=since, until=reached, again=again), reached


def _joined(found: Mapping[str, Broken], findings: Iterable[Finding]) -> dict[str, Broken]:
    """What several windows found, each row once."""
    joined = dict(found)
    for finding in findings:
        earlier = joined.get(finding.name, Broken(finding.name, ()))
        rows = tuple({row.key: row for row in (*earlier.rows, *finding.rows)}.values())
        more = earlier.more or finding.more or len(rows) > INVARIANT_ROWS_MAX
        joined[finding.name] = Broken(finding.name, rows[:INVARIANT_ROWS_MAX], more)
    return joined


def _tell(before: Mapping[str, Broken], now: Mapping[str, Broken]) -> None:
    """One line for what is newly broken, one for what holds again. Told before it is recorded: twice is no harm."""
    for broken in now.values():
        known = {row.key for row in before[broken.name].rows} if broken.name in before else set()
        new = [row for row in broken.rows if row.key not in known]
        if new:
            log.error(
                "invariant broken",
                alert=BROKEN,
                invariant=broken.name,
                new=len(new),
                broken=len(broken.rows),
                examples=[f"{row.request_id or row.key}: {row.found}" for row in new[:_EXAMPLES]],
                means=NAMED[broken.name].row_means,
                remedy=NAMED[broken.name].remedy,
            )
    for name in before.keys() - now.keys():
        log.warning("invariant holds again", alert=MENDED, invariant=name)


async def unresolved(connection: Connection) -> tuple[int, int]:
    """How many requests have an unknown outcome and nobody asking, and their worth in cents; up to a bound."""
    row = await connection.fetchrow(SQL["count_unresolved"], UNRESOLVED_COUNTED_MAX)
    assert row is not None  # an aggregate
    return row["requests"], row["cents"]
