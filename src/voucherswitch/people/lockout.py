"""How failed sign-ins shut a name or an address out for a while (backoffice §1.3). Pure.

A name and an address are counted alike whether such a user exists or not, so that being shut out tells nothing.
"""

from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace


class Limit(Struct, frozen=True):
    """So many failures within a time shut out for a time."""

    failures: int
    within: timedelta
    shut_for: timedelta


class Rule(Struct, frozen=True):
    """What shuts out: failures in a row, and failures within a time, the graver first."""

    within: Limit
    in_a_row: int | None = None  # so many without a success in between ...
    in_a_row_shut_for: timedelta = timedelta(0)  # ... shut out for so long


NAME: Final = Rule(
    within=Limit(10, timedelta(hours=1), timedelta(minutes=30)),
    in_a_row=5,
    in_a_row_shut_for=timedelta(minutes=1),
)
ADDRESS: Final = Rule(within=Limit(20, timedelta(minutes=5), timedelta(minutes=15)))


class Guard(Struct, frozen=True, kw_only=True):
    """What is known of a name or an address."""

    failed_at: tuple[datetime, ...] = ()
    run: int = 0
    shut_until: datetime | None = None

    def shut_for(self, now: datetime) -> timedelta | None:
        """How much longer it is shut; None: it is not."""
        return None if self.shut_until is None or self.shut_until <= now else self.shut_until - now


OPEN: Final = Guard()


def failed(guard: Guard, rule: Rule, now: datetime) -> Guard:
    """What is known after one more failure. While it is shut, failures change nothing: nobody is shut out for ever."""
    if guard.shut_for(now) is not None:
        return guard
    recent = (*(at for at in guard.failed_at if now - at < rule.within.within), now)
    if len(recent) >= rule.within.failures:
        return Guard(shut_until=now + rule.within.shut_for)
    run = guard.run + 1
    if rule.in_a_row is not None and run >= rule.in_a_row:
        return Guard(failed_at=recent, shut_until=now + rule.in_a_row_shut_for)
    return replace(guard, failed_at=recent, run=run, shut_until=None)
