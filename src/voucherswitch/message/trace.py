"""The masked record of a transaction's message exchanges, one leg each (design §4, table `leg`).

A trace is filled while a transaction runs and written with the state it led to. Nothing in a leg is ever in clear that
could be spent: whoever adds a leg masks it first.
"""

from datetime import datetime
from enum import IntEnum

from msgspec import Struct


class Direction(IntEnum):
    """Who opened the connection: the originator to us, or us to a provider."""

    INBOUND = 1
    OUTBOUND = 2


class LegOutcome(IntEnum):
    """How one exchange ended."""

    ANSWERED = 1  # a complete answer was read
    NOT_SENT = 2  # no byte of the request left
    NO_ANSWER = 3  # sent, and no usable answer came


class Leg(Struct):
    """One message exchange on one connection.

    Times are UTC; durations are microseconds counted from `started_at`. `request` and `response` are masked text.
    `status` is the HTTP status where the protocol has one, else None. `ours` is not written: it was not sent because we
    held it back, such as with all connections busy.
    """

    direction: Direction
    peer: str
    operation: str
    started_at: datetime
    duration_us: int
    outcome: LegOutcome
    request: str
    response: str | None = None
    status: int | None = None
    advice_id: str | None = None
    error: str | None = None
    ours: bool = False


class Trace:
    """Collects the legs of one transaction in the order they ended."""

    __slots__ = ("_whole", "legs")

    def __init__(self, whole: "Trace | None" = None) -> None:
        self.legs: list[Leg] = []
        self._whole = whole

    def add(self, leg: Leg) -> None:
        """Append one finished leg."""
        self.legs.append(leg)
        if self._whole is not None:
            self._whole.add(leg)

    def part(self) -> "Trace":
        """A trace of one call, whose legs are this one's too."""
        return Trace(self)

    def take(self) -> list[Leg]:
        """Return the legs not yet written and forget them, so that each is written once."""
        legs, self.legs = self.legs, []
        return legs
