"""Time as the path uses it: UTC for what is written, the monotonic clock for what is waited for."""

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present moment, with its zone."""
    return datetime.now(UTC)


def elapsed_us(since_s: float) -> int:
    """Microseconds since a reading of `time.monotonic()`."""
    return int((time.monotonic() - since_s) * 1_000_000)


def left_ms(deadline_s: float) -> int:
    """Milliseconds until a moment of `time.monotonic()`, never below 0."""
    return max(0, int((deadline_s - time.monotonic()) * 1000))
