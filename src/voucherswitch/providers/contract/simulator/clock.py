"""A simulator's clock: the real one plus an offset that tests move.

What a simulator does later is due on this clock, so a test moves the clock instead of waiting.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from email.utils import formatdate

from msgspec import Struct

from voucherswitch.providers.contract.provider_time import SAST


class _Due(Struct):
    at: float
    action: Callable[[], None]
    handle: asyncio.TimerHandle


class SimulatorClock:
    """Seconds since the epoch, as far off the real time as the tests say."""

    def __init__(self) -> None:
        self._offset_s = 0.0
        self._due: dict[int, _Due] = {}
        self._last_timer = 0
        self._date_second = -1
        self._date = b""

    def now(self) -> float:
        return time.time() + self._offset_s

    def http_date(self, now: float) -> bytes:
        """The `Date` header's value, made once a second."""
        second = int(now)
        if second != self._date_second:
            self._date_second, self._date = second, formatdate(second, usegmt=True).encode()
        return self._date

    def call_later(self, delay_ms: float, action: Callable[[], None]) -> None:
        """Do something when this clock has moved on by `delay_ms`."""
        self._last_timer += 1
        timer, delay_s = self._last_timer, delay_ms / 1000
        handle = asyncio.get_running_loop().call_later(delay_s, self._fire, timer)
        self._due[timer] = _Due(self.now() + delay_s, action, handle)

    def advance(self, milliseconds: float) -> None:
        """Move the clock; what has become due happens now, in order."""
        self._set_offset(self._offset_s + milliseconds / 1000)

    def set_now(self, moment: datetime) -> None:
        """Set the clock."""
        self._set_offset(moment.timestamp() - time.time())

    def reset(self) -> None:
        """Forget the offset and all that is due."""
        for due in self._due.values():
            due.handle.cancel()
        self._due.clear()
        self._offset_s = 0.0

    def _set_offset(self, offset_s: float) -> None:
        self._offset_s = offset_s
        now, loop = self.now(), asyncio.get_running_loop()
        for timer, due in sorted(self._due.items(), key=lambda item: item[1].at):
            due.handle.cancel()
            if due.at <= now:
                self._fire(timer)
            else:
                due.handle = loop.call_later(due.at - now, self._fire, timer)

    def _fire(self, timer: int) -> None:
        if (due := self._due.pop(timer, None)) is not None:
            due.action()


def sast(now: float) -> datetime:
    """A moment in the providers' local time."""
    return datetime.fromtimestamp(now, SAST)


def business_day(now: float) -> date:
    """The providers' calendar day."""
    return sast(now).date()


def months_later(day: date, months: int) -> date:
    """The same day of the month, months on; the month's last day where it has no such day."""
    month = day.year * 12 + day.month - 1 + months
    first = date(month // 12, month % 12 + 1, 1)
    last = date((month + 1) // 12, (month + 1) % 12 + 1, 1) - timedelta(days=1)
    return first.replace(day=min(day.day, last.day))
