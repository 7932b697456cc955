"""How times, durations, money and foreign text are written on a page. Pure.

Times are UTC and say so: a time that is read out over the telephone must not need a second question.
"""

import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from voucherswitch.message.codes import ZAR

NBSP: Final = "\u00a0"
MINUS: Final = "\u2212"
NOTHING: Final = "\u2013"

# Control, format (text direction, zero width), line and paragraph separators, private use.
_UNSEEN: Final = ("Cc", "Cf", "Zl", "Zp", "Co")

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def utc(moment: datetime) -> str:
    """2026-11-15 09:14:03.127 UTC."""
    return f"{utc_plain(moment)} UTC"


def utc_plain(moment: datetime) -> str:
    """The same without the zone, for a column whose heading has it."""
    return moment.astimezone(UTC).isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")


def duration_us(microseconds: int) -> str:
    """The duration of one exchange: 840 µs, 12.3 ms, 4.120 s, 2 min 3 s."""
    if microseconds < 0:
        return f"{MINUS}{duration_us(-microseconds)}"
    if microseconds < 1_000:
        return f"{microseconds} µs"
    if microseconds < 1_000_000:
        return f"{microseconds / 1_000:.1f} ms"
    if microseconds < 60_000_000:
        return f"{microseconds / 1_000_000:.3f} s"
    return duration_text(timedelta(microseconds=microseconds))


def duration_text(duration: timedelta) -> str:
    """An age or a remaining time by its two greatest units: 45 s, 3 min 10 s, 2 d 4 h."""
    left = max(0, int(duration.total_seconds()))
    parts: list[str] = []
    for seconds, unit in _UNITS:
        number, left = divmod(left, seconds)
        if number or parts:
            parts.append(f"{number} {unit}")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if not part.startswith("0 ")) or "0 s"


def money(cents: int | None, currency: str | None = ZAR) -> str:
    """R 1 234.56; another currency by its number."""
    if cents is None:
        return NOTHING
    whole, rest = divmod(abs(cents), 100)
    amount = f"{whole:,}".replace(",", NBSP) + f".{rest:02d}"
    sign = MINUS if cents < 0 else ""
    if currency in (ZAR, None):
        return f"{sign}R{NBSP}{amount}"
    return f"{sign}{amount}{NBSP}({currency})"


def count(number: int) -> str:
    """12 345."""
    return f"{number:,}".replace(",", NBSP)


def visible(text: str) -> str:
    """Show what a page would hide: control and direction characters become their numbers, so text cannot pose."""
    if text.isprintable():
        return text
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in _UNSEEN else f"\\u{ord(c):04x}" for c in text)


def pretty(text: str) -> str:
    """Indent a message's JSON body below its request line, if it is JSON; the values stay as they were sent."""
    head, gap, body = text.partition("\n\n")
    if not gap or text.lstrip().startswith(("{", "[")):
        head, gap, body = "", "", text
    try:
        return head + gap + msgspec.json.format(body, indent=2) if body else text
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return text
