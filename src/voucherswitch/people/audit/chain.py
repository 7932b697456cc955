"""Walking the trail: is every event as it was recorded, in its place, and is the end still there.

What the chain itself cannot show is a trail that was cut off at its end, or rewritten from some event on with new
hashes. For that its head is written, each hour, to the log (which leaves the machine) and to `audit_anchor`; a walk
compares with those.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import asyncpg
from msgspec import Struct

from voucherswitch.catalogue.store import Connection
from voucherswitch.config.limits import AUDIT_FINDINGS_MAX, AUDIT_WALK_ROWS, INVARIANT_FULL_S_MAX
from voucherswitch.journal.statements import SQL
from voucherswitch.people.audit.event import GENESIS, HEAD_TEXT, hash_of, head_text, written

_HEAD: Final = re.compile(rf"(?<![\w:]){HEAD_TEXT}(?!\w)")


class Head(Struct, frozen=True):
    """The newest event of the trail at some moment; `seq` 0: there was none."""

    seq: int
    hash: bytes

    def __str__(self) -> str:
        return head_text(self.seq, self.hash)


START: Final = Head(0, GENESIS)


class Fault(Struct, frozen=True):
    """Something that is not as it was recorded: at which event, and what."""

    seq: int
    found: str


class Walked(Struct, frozen=True, kw_only=True):
    """What a walk found. `more`: there are more faults than are told."""

    events: int
    head: Head
    faults: tuple[Fault, ...] = ()
    more: bool = False


class Walk:
    """The state of a walk: events go in one by one, in order; pure."""

    def __init__(self, after: Head, heads: Iterable[Head]) -> None:
        self._head = after
        self._known: dict[int, set[bytes]] = {}
        for head in heads:
            self._known.setdefault(head.seq, set()).add(head.hash)
        self._known.pop(0, None)
        self.events = 0
        self.faults: list[Fault] = []
        self.more = False

    @property
    def head(self) -> Head:
        """The last event looked at."""
        return self._head

    def see(self, row: Mapping[str, Any]) -> None:
        """Look at the next event."""
        seq, prev_hash, stored = row["seq"], bytes(row["prev_hash"]), bytes(row["hash"])
        expected = self._head.seq + 1
        if seq > expected:
            self._fault(expected, f"{_events(expected, seq - 1)} missing")
        elif prev_hash != self._head.hash:
            # Said of the one before: it is that one which is not what this one followed.
            before = f"event {seq - 1} was replaced" if seq > 1 else "something stood before it"
            self._fault(seq, f"event {seq} does not follow the one before it: {before}")
        if _hash(row, prev_hash) != stored:
            self._fault(seq, f"event {seq} was changed: its hash is not that of its content")
        elif (heads := self._known.pop(seq, None)) and heads != {stored}:
            self._fault(seq, f"event {seq} is another one than the head that was noted then: the trail was rewritten")
        self._known.pop(seq, None)
        self.events += 1
        self._head = Head(seq, stored)

    def end(self) -> Walked:
        """No event is left: heads that were noted beyond the end were cut off."""
        if beyond := [seq for seq in self._known if seq > self._head.seq]:
            self._fault(
                self._head.seq + 1,
                f"{_events(self._head.seq + 1, max(beyond))} missing: the trail once went to {max(beyond)}",
            )
        return Walked(events=self.events, head=self._head, faults=tuple(self.faults), more=self.more)

    def _fault(self, seq: int, found: str) -> None:
        if len(self.faults) < AUDIT_FINDINGS_MAX:
            self.faults.append(Fault(seq, found))
        else:
            self.more = True


async def walk(
    connection: Connection,
    heads: Sequence[Head] = (),
    *,
    after: Head = START,
    advance: Callable[[int], None] = lambda _: None,
) -> Walked:
    """Walk the trail from the event after `after` to its end, and compare it with every head that was noted.

    Args:
        heads: noted elsewhere, such as in a log; those of `audit_anchor` are compared too.
        advance: told how many events were looked at since it was told last.

    Raises:
        asyncpg.PostgresError, OSError, TimeoutError: it could not be found out.
    """
    anchors = [Head(row["seq"], row["hash"]) for row in await connection.fetch(SQL["read_audit_anchors"], after.seq)]
    # The end is read after the anchors: what is recorded meanwhile is no fault.
    state = Walk(after, [*anchors, *(head for head in heads if head.seq > after.seq)])
    if after.seq and await connection.fetchval(SQL["audit_hash"], after.seq) != after.hash:
        state.faults.append(Fault(after.seq, f"event {after.seq} is gone, or another one than it was"))
    while True:
        rows = await connection.fetch(SQL["read_audit"], state.head.seq, AUDIT_WALK_ROWS, timeout=INVARIANT_FULL_S_MAX)
        if not rows:
            return state.end()
        await asyncio.to_thread(_see_all, state, rows)  # tens of milliseconds that others need not wait for
        advance(len(rows))


def _see_all(state: Walk, rows: Sequence[asyncpg.Record]) -> None:
    for row in rows:
        state.see(dict(row))


def _hash(row: Mapping[str, Any], prev_hash: bytes) -> bytes | None:
    """The hash of a stored event as it is now; None: it holds what no event of ours can, so somebody else wrote it."""
    try:
        return hash_of(prev_hash, hashed_fields(row))
    except (ValueError, OverflowError, RecursionError):
        return None


def hashed_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """A stored event as it was hashed."""
    fields = {key: value for key, value in row.items() if key not in ("prev_hash", "hash")}
    fields["at"] = written(row["at"])
    for key in ("before", "after"):
        fields[key] = None if row[key] is None else json.loads(row[key])
    return fields


async def read_head(connection: Connection) -> Head:
    """The newest event."""
    row = await connection.fetchrow(SQL["audit_head"])
    assert row is not None  # it joins a row that is always there
    return Head(row["seq"], row["hash"] or GENESIS)


def heads_in(text: str) -> list[Head]:
    """The heads that a text names, such as lines of a log: `17:` and 64 hex digits."""
    return [Head(int(seq), bytes.fromhex(digest)) for seq, digest in _HEAD.findall(text)]


def _events(first: int, last: int) -> str:
    return f"event {first} is" if first == last else f"events {first} to {last} are"
