"""The books of a scenario: records of every kind and state, advices, and what the provider issued.

Like books.py, which counts the plain provisions of any contender, and knows no more than those.
"""

import time
from collections import Counter
from collections.abc import Callable
from typing import Final, TypeVar

from bench.database import Database
from bench.effects import Record, expected
from bench.errors import BenchError
from bench.measurement import Measurement
from bench.sandbox import Sandbox
from voucherswitch.message.states import OPEN_STATES, AdviceState, Kind, State

Key = TypeVar("Key")

SETTLE_S: Final = 60.0
LOOK_S: Final = 0.1
_RECORDS: Final = "SELECT kind, state, count(*) FROM transaction GROUP BY kind, state"
_ADVICES: Final = "SELECT state, count(*) FROM advice GROUP BY state"
_OPEN: Final = f"SELECT count(*) FROM transaction WHERE state IN ({', '.join(str(int(one)) for one in OPEN_STATES)})"
_QUEUED: Final = f"SELECT count(*) FROM advice WHERE state = {int(AdviceState.QUEUED)}"


class Ledger:
    """Counts before a round, to compare with the counts after it."""

    def __init__(self, database: Database, sandbox: Sandbox) -> None:
        self._database = database
        self._sandbox = sandbox
        self._records: Counter[Record] = Counter()
        self._advices: Counter[AdviceState] = Counter()
        self._issued = 0

    def open(self) -> None:
        """Note the counts before a round."""
        self._records, self._advices = self._counts()
        self._issued = self._sandbox.issued()

    def settle(self, tick: Callable[[], None]) -> None:
        """Wait until no record is open and no advice is owed. What was accepted is work too, also if it is done later.

        Raises:
            BenchError: it takes more than a minute.
        """
        until = time.monotonic() + SETTLE_S
        for what, query in (("requests are still open", _OPEN), ("advices are not delivered", _QUEUED)):
            while left := self._database.number(query):
                if time.monotonic() > until:
                    raise BenchError(f"{left} {what} {SETTLE_S:.0f} s after the load ended")
                tick()
                time.sleep(LOOK_S)

    def close(self, measured: Measurement) -> None:
        """Raise unless the counts have grown by what was answered."""
        wanted = expected({name: one.in_all for name, one in measured.operations.items()})
        records, advices = self._counts()
        grown = _growth(records, self._records)
        if grown != wanted.records:
            raise BenchError(f"by the answers the journal must have {_said(wanted.records)} but has {_said(grown)}")
        delivered = Counter({AdviceState.DELIVERED: wanted.delivered} if wanted.delivered else {})
        if (ended := _growth(advices, self._advices)) != delivered:
            told = ", ".join(f"{number:+} {state.name}" for state, number in sorted(ended.items())) or "none"
            raise BenchError(f"{wanted.delivered} advices were accepted but the journal has {told}")
        issued = self._sandbox.issued() - self._issued - 1  # less the purchase that noted the count before
        if issued != wanted.issued:
            raise BenchError(f"by the answers the provider issued {wanted.issued} vouchers, by its own books {issued}")

    def _counts(self) -> tuple[Counter[Record], Counter[AdviceState]]:
        records = Counter({(Kind(kind), State(state)): number for kind, state, number in self._database.rows(_RECORDS)})
        return records, Counter({AdviceState(state): number for state, number in self._database.rows(_ADVICES)})


def _growth(now: Counter[Key], before: Counter[Key]) -> Counter[Key]:
    return Counter({key: now[key] - before[key] for key in now | before if now[key] != before[key]})


def _said(records: Counter[Record]) -> str:
    told = (f"{number:+} {kind.name} {state.name}" for (kind, state), number in sorted(records.items()))
    return ", ".join(told) or "nothing new"
