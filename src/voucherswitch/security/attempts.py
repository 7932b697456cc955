"""Brute force: who failed to prove who he is, and how long he is not listened to (decision 0025).

Failures are counted by originator and source, by source, and by originator. Beyond a few each one locks its key out for
twice as long as the one before. Counters live in this process: nobody who has not proved anything makes us write to the
database. So a switch of N workers checks at most N times as many guesses.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from ipaddress import IPv6Address
from typing import Final, TypeAlias

from msgspec import Struct

from voucherswitch.config.limits import (
    FAILURES_FORGOTTEN_S,
    FAILURES_FREE_OF_PAIR,
    FAILURES_FREE_OF_SOURCE,
    FAILURES_FREE_OF_USER,
    FAILURES_KEPT_MAX,
    LOCKED_OUT_FIRST_S,
    LOCKED_OUT_GUESSES_MAX,
    LOCKED_OUT_MAX_S,
)
from voucherswitch.security.peer import Address

# What kind of key it is, and a digest: a name that somebody makes up may be as long as a header.
Key: TypeAlias = tuple[str, bytes]

_FREE: Final = {
    "pair": FAILURES_FREE_OF_PAIR,
    "source": FAILURES_FREE_OF_SOURCE,
    "user": FAILURES_FREE_OF_USER,
}


class _Failures(Struct):
    """Failures of one key. Times are of the monotonic clock, in seconds."""

    count: int = 0
    last_s: float = 0.0
    locked_until_s: float = 0.0
    guesses: int = 0  # while it was locked out


def pair_key(user: str, source: Address) -> Key:
    """An originator, known or not, at one source."""
    return "pair", _digest(_network_of(source) + user.encode("utf-8", "surrogatepass"))


def source_key(source: Address) -> Key:
    """A source; of IPv6 the /64 that one site has."""
    return "source", _network_of(source)


def user_key(user: str) -> Key:
    """An originator, known or not, wherever it speaks."""
    return "user", _digest(user.encode("utf-8", "surrogatepass"))


class Attempts:
    """Counts failures. The keys that failed last are kept, FAILURES_KEPT_MAX of them."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s: Final = now_s
        self._failures: Final[OrderedDict[Key, _Failures]] = OrderedDict()

    def locked_s(self, keys: Sequence[Key]) -> float:
        """How long the keys are not listened to, the longest of them; 0: they are."""
        now_s = self._now_s()
        until_s = max((self._failures[key].locked_until_s for key in keys if key in self._failures), default=now_s)
        return max(0.0, until_s - now_s)

    def failed(self, keys: Sequence[Key]) -> float:
        """Count a failure against each key; return how long they are locked out now, 0 for not yet."""
        now_s = self._now_s()
        longest_s = 0.0
        for key in keys:
            found = self._failures.get(key)
            if found is None or now_s - found.last_s > FAILURES_FORGOTTEN_S:
                found = self._failures[key] = _Failures()
            self._failures.move_to_end(key)
            found.count += 1
            found.last_s = now_s
            beyond = found.count - _FREE[key[0]]
            if beyond >= 0:
                locked_s = min(LOCKED_OUT_FIRST_S * 2.0 ** min(beyond, 32), LOCKED_OUT_MAX_S)
                found.locked_until_s, found.guesses = now_s + locked_s, 0
                longest_s = max(longest_s, locked_s)
        while len(self._failures) > FAILURES_KEPT_MAX:
            self._failures.popitem(last=False)
        return longest_s

    def guessed(self, pair: Key) -> None:
        """Count an attempt of a pair that is not listened to."""
        found = self._failures.get(pair)
        if found is not None:
            found.guesses += 1

    def exhausted(self, pair: Key) -> bool:
        """Whether so many guesses came while a pair was locked out that even a remembered password may be a guess."""
        found = self._failures.get(pair)
        return found is not None and found.guesses > LOCKED_OUT_GUESSES_MAX and found.locked_until_s > self._now_s()

    def succeeded(self, pair: Key) -> None:
        """Forget the failures of a pair. Those of its source and of the originator elsewhere stay: they are others'."""
        self._failures.pop(pair, None)


def _network_of(source: Address) -> bytes:
    return source.packed[:8] if isinstance(source, IPv6Address) else source.packed


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()
