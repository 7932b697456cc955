"""Times as providers write them -> times as we write them. Pure.

Providers work in South African time (UTC+02:00, no daylight saving; providers.md B.8); inside the switch a time is UTC
text with exactly three fraction digits.
"""

from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache
from typing import Final

TIME_CHARS_MAX: Final = 40  # of a time as anybody writes it
SAST: Final = timezone(timedelta(hours=2), "SAST")


@lru_cache(maxsize=1024)  # a day's vouchers share one expiry
def utc_text(text: str) -> str:
    """Convert an RFC 3339 time with an offset to UTC: `2029-03-02T23:59:59+02:00` is `2029-03-02T21:59:59.000Z`.

    Digits beyond milliseconds are cut.

    Raises:
        ValueError: not a time, or one without an offset: whose midnight it means is not ours to guess.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("the time has no offset")
    try:
        moment = moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the time is outside the calendar") from error
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@lru_cache(maxsize=1024)
def end_of_day(date_text_iso: str) -> str:
    """The last second of a South African day, in UTC: `2029-03-02` is `2029-03-02T21:59:59.000Z`.

    A voucher whose expiry is a date may be spent on that day (providers.md B.8).

    Raises:
        ValueError: not a day written as `yyyy-mm-dd`.
    """
    day = date.fromisoformat(date_text_iso)
    if day.isoformat() != date_text_iso:
        raise ValueError("the day is not written as yyyy-mm-dd")
    return utc_text(datetime.combine(day, time(23, 59, 59), SAST).isoformat())


def expiry_of(text: str | None) -> str | None:
    """When a voucher ends, in UTC, from whatever a provider writes: a time, one without offset (South African), a day.

    None: nothing, or nothing that can be read. A voucher that was paid for is not given up for the form of its date.
    """
    return _expiry_of(text) if text and len(text) <= TIME_CHARS_MAX else None


@lru_cache(maxsize=1024)
def _expiry_of(text: str) -> str | None:
    for read in (utc_text, end_of_day, _without_offset):
        try:
            return read(text)
        except ValueError:
            continue
    return None


def _without_offset(text: str) -> str:
    if ":" not in text:
        raise ValueError("a day written in an unusual way is not its midnight")
    moment = datetime.fromisoformat(text)
    return utc_text(moment.replace(tzinfo=moment.tzinfo or SAST).isoformat())
