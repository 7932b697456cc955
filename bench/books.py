"""Does the database hold what was answered, and did the provider issue what the database holds?

Speed counts only while this is so; every round of a server ends with it.
"""

import time
from collections.abc import Callable
from typing import Final

from bench.database import Database
from bench.errors import BenchError
from bench.measurement import Measurement
from bench.sandbox import Sandbox

SETTLE_S: Final = 30.0


class Books:
    """Counts before a round, to compare with the counts after it.

    `approved` and `pending` are queries that count provisions. Without a sandbox the provider is not asked.
    """

    def __init__(self, database: Database, *, approved: str, pending: str | None, sandbox: Sandbox | None) -> None:
        self._database = database
        self._approved = approved
        self._pending = pending
        self._sandbox = sandbox
        self._approved_before = 0
        self._issued_before = 0

    def open(self) -> None:
        """Note the counts before a round."""
        self._approved_before = self._database.number(self._approved)
        if self._sandbox is not None:
            self._issued_before = self._sandbox.issued()

    def close(self, measured: Measurement, tick: Callable[[], None]) -> None:
        """Raise unless the counts have grown by what was measured."""
        self._settle(tick)
        answers, approved = measured.done_in_all, self._database.number(self._approved) - self._approved_before
        if not answers <= approved <= answers + measured.cut_off:
            raise BenchError(
                f"{answers} provisions were answered 201 but the database has {approved} more APPROVED rows"
            )
        if self._sandbox is not None:
            issued = self._sandbox.issued() - self._issued_before - 1  # less the purchase that noted the count before
            if issued != approved:
                raise BenchError(f"the database has {approved} more APPROVED rows but {issued} vouchers were issued")

    def _settle(self, tick: Callable[[], None]) -> None:
        """Wait until no provision is open: those whose answer nobody waited for end a moment later."""
        if self._pending is None:
            return
        until = time.monotonic() + SETTLE_S
        while (left := self._database.number(self._pending)) > 0:
            if time.monotonic() > until:
                raise BenchError(f"{left} provisions are still open {SETTLE_S:.0f} s after the load ended")
            tick()
            time.sleep(0.2)
