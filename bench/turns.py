"""Who is measured how: a turn is a contender under a load, and a round is all turns, one after the other."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from bench.scenarios import PROVISION

CONTENDERS: Final = ("a", "b", "c", "d")
TARGET_CONNECTIONS: Final = 256


class Turn(Struct, frozen=True):
    """One contender under one load.

    Attributes:
        key: names the turn in the report: the contender's own, or that and what is special.
        half_of: the turn whose rate is halved to be the load of this one, by the clock; of the same round.
        scenario: what its tills do over and over (scenarios.py).
        delay_ms: how long the provider waits before it works on a sale.
        label: its name for people, where key and contender do not say enough.
    """

    key: str
    contender: str
    connections: int
    half_of: str | None = None
    scenario: str = PROVISION
    delay_ms: int = 0
    label: str | None = None

    def title(self, of_contender: str) -> str:
        """Name it for people, who know the contender by the turn before."""
        if self.label is not None:
            return self.label
        if self.half_of is not None:
            return f"half of {self.half_of}'s rate"
        return "1 connection" if self.key != self.contender else of_contender


ALONE: Final = tuple(Turn(f"{key}@1", key, 1) for key in ("a", "c", "d"))
HALF: Final = Turn("a@half", "a", TARGET_CONNECTIONS, half_of="a")


def turns_of(only: Sequence[str], connections: int) -> tuple[Turn, ...]:
    """Every contender at full load."""
    return tuple(Turn(key, key, connections) for key in only)


def turns_for_targets() -> tuple[Turn, ...]:
    """All that the targets compare; half of the peak right after the peak, and those who answer one till together."""
    peak, *others = turns_of(CONTENDERS, TARGET_CONNECTIONS)
    return (peak, HALF, *others, *ALONE)
