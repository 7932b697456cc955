"""Admission: how many requests may be in work, and how many may come in a second (design §6).

Beyond the bound the answer is 503 before anything is journalled: certainly not processed.
"""

import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

import structlog

from voucherswitch.config.limits import RATES_KEPT_MAX, REFUSAL_LOG_S
from voucherswitch.security.peer import Address

log = structlog.get_logger(__name__)


class OverloadedError(Exception):
    """As many requests as this worker takes are in work."""


class Rate:
    """So many in a second for each key, and as many at once as two seconds give; those that asked last are kept."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # how many, and when that was so

    def take(self, key: str, per_s: int, what: str) -> None:
        """Take one.

        Raises:
            OverloadedError: there is none left.
        """
        now_s = self._now_s()
        most = 2.0 * per_s
        left, then_s = self._left.pop(key, (most, now_s))
        left = min(most, left + (now_s - then_s) * per_s)
        self._left[key] = (left - 1 if left >= 1 else left), now_s
        if len(self._left) > RATES_KEPT_MAX:
            self._left.popitem(last=False)
        if left < 1:
            raise OverloadedError(f"more than {per_s} {what} in a second")


class _Held:
    """A place, given back when its `with` block ends. Of a class, which costs a fifth of a generator."""

    __slots__ = ("_give_back",)

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back = give_back

    def __enter__(self) -> None:
        return

    def __exit__(self, *_: object) -> None:
        self._give_back()


class Admission:
    """Counts what is in work and what comes. A rate of 0 is none."""

    def __init__(
        self, in_flight_max: int, per_originator_max: int, source_per_s: int = 0, lookups_per_s: int = 0
    ) -> None:
        self._source_per_s = source_per_s
        self._lookups_per_s = lookups_per_s
        self._sources, self._originators, self._lookups = Rate(), Rate(), Rate()
        self._in_flight_max = in_flight_max
        self._per_originator_max = per_originator_max
        self._by_originator: defaultdict[str, int] = defaultdict(int)
        self.in_flight = 0
        self._refused = 0
        self._logged_s = 0.0

    def source(self, source: Address) -> None:
        """Let a request of this source in.

        Raises:
            OverloadedError: it sends too many.
        """
        if self._source_per_s:
            self._sources.take(str(source), self._source_per_s, "requests of one source")

    def product_lookup(self, originator_id: str) -> None:
        """Let a product lookup in: the one request that is paid for with processor time alone.

        Raises:
            OverloadedError: this originator asks too often.
        """
        if self._lookups_per_s:
            self._lookups.take(originator_id, self._lookups_per_s, f"product lookups of {originator_id}")

    def request(self) -> AbstractContextManager[None]:
        """Hold one of the worker's places.

        Raises:
            OverloadedError: there is none.
        """
        if self.in_flight >= self._in_flight_max:
            raise OverloadedError(f"{self._in_flight_max} requests are in work")
        self.in_flight += 1
        return _Held(self._end_request)

    def _end_request(self) -> None:
        self.in_flight -= 1

    def originator(self, originator_id: str, per_s: int | None = None) -> AbstractContextManager[None]:
        """Hold one of an originator's places, so that one of them cannot take all. None: as many a second as it likes.

        Raises:
            OverloadedError: there is none, or it sends more than `per_s` requests in a second.
        """
        if per_s is not None:
            self._originators.take(originator_id, per_s, f"requests of {originator_id}")
        if self._by_originator[originator_id] >= self._per_originator_max:
            raise OverloadedError(f"{self._per_originator_max} requests of {originator_id} are in work")
        self._by_originator[originator_id] += 1
        return _Held(partial(self._end_of, originator_id))

    def _end_of(self, originator_id: str) -> None:
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
