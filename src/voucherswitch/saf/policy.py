"""When an advice is sent again: exponential backoff with jitter up to a ceiling, without end (design §7). Pure."""

import random
from typing import Self

from msgspec import Struct

from voucherswitch.config.settings import Settings


class Backoff(Struct, frozen=True):
    """Bounds of the pause between two attempts, in milliseconds."""

    initial_ms: int
    max_ms: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The bounds an operator has set."""
        return cls(settings.saf_backoff_initial_ms, settings.saf_backoff_max_ms)

    def pause_ms(self, attempts: int) -> int:
        """The pause after so many attempts: doubled each time, then drawn from its upper half.

        The jitter spreads what failed together, so that a provider that comes back is not met by a wall.
        """
        full = min(self.max_ms, self.initial_ms << min(attempts - 1, 30))
        return full // 2 + random.randint(0, full // 2)  # noqa: S311 (spreads load, guards nothing)
