"""What a simulator heard, newest last. It holds no bodies, so it holds no PIN."""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct

ENTRIES_KEPT_MAX: Final = 20_000  # the oldest go first


class Entry(Struct, gc=False):
    """One request. `processed`: it took effect. `status`: what was answered, None while or where nothing was."""

    seq: int
    at: float
    op: str
    wire_op: str
    reference: str
    processed: bool = False
    status: int | None = None
    fault_id: str | None = None


class SimulatorJournal:
    """The last requests."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=ENTRIES_KEPT_MAX)
        self._seq = 0

    def add(self, at: float, op: str, wire_op: str, reference: str) -> Entry:
        self._seq += 1
        entry = Entry(self._seq, at, op, wire_op, reference)
        self._entries.append(entry)
        return entry

    def clear(self) -> None:
        self._entries.clear()
        self._seq = 0

    def listed(self, op: str | None, reference: str | None) -> Iterator[dict[str, Any]]:
        """The entries of an operation, by its capability or wire name, and of a reference, for the control API."""
        for entry in self._entries:
            if (op is None or op in (entry.op, entry.wire_op)) and reference in (None, entry.reference):
                yield {
                    "seq": entry.seq,
                    "at": datetime.fromtimestamp(entry.at, UTC).isoformat(timespec="milliseconds"),
                    "op": entry.op,
                    "reference": entry.reference,
                    "processed": entry.processed,
                    "status": entry.status,
                    "faultId": entry.fault_id,
                }
