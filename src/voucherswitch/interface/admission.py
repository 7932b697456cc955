"""Admission: how many requests may be in work, per worker and per originator (design §6).

Beyond the bound the answer is 503 before anything is journalled: certainly not processed.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from voucherswitch.config.limits import REFUSAL_LOG_S

log = structlog.get_logger(__name__)


class OverloadedError(Exception):
    """As many requests as this worker takes are in work."""


class Admission:
    """Counts what is in work."""

    def __init__(self, in_flight_max: int, per_originator_max: int) -> None:
        self._in_flight_max = in_flight_max
        self._per_originator_max = per_originator_max
        self._by_originator: defaultdict[str, int] = defaultdict(int)
        self.in_flight = 0
        self._refused = 0
        self._logged_s = 0.0

    @contextmanager
    def request(self) -> Iterator[None]:
        """Hold one of the worker's places.

        Raises:
            OverloadedError: there is none.
        """
        if self.in_flight >= self._in_flight_max:
            raise OverloadedError(f"{self._in_flight_max} requests are in work")
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    @contextmanager
    def originator(self, originator_id: str) -> Iterator[None]:
        """Hold one of an originator's places, so that one of them cannot take all.

        Raises:
            OverloadedError: there is none.
        """
        if self._by_originator[originator_id] >= self._per_originator_max:
            raise OverloadedError(f"{self._per_originator_max} requests of {originator_id} are in work")
        self._by_originator[originator_id] += 1
        try:
            yield
        finally:
            self._by_originator[originator_id] -= 1
            if not self._by_originator[originator_id]:
                del self._by_originator[originator_id]

    def note_refusal(self, reason: str) -> None:
        """Log that requests are refused, but not each of them: under a flood the log must not be a second one."""
        self._refused += 1
        now_s = time.monotonic()
        if now_s - self._logged_s >= REFUSAL_LOG_S:
            log.warning("requests refused: overloaded", reason=reason, refused=self._refused)
            self._refused, self._logged_s = 0, now_s
