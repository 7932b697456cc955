"""Geometry of the two drawings: requests per minute, and the exchanges of one request on a line of time. Pure.

Everything is in the units of a viewBox; colours are classes of the style sheet, so there is nothing inline.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from voucherswitch.console.formats import duration_text
from voucherswitch.console.rows import Count, Leg
from voucherswitch.message.states import State

MINUTES: Final = 60
CHART_WIDTH: Final = 600.0
CHART_HEIGHT: Final = 100.0
SPAN: Final = 1000.0  # width of a line of time
SPAN_MIN: Final = 4.0  # what the shortest exchange still shows

# From the bottom up: it stands, it does not, nobody knows yet.
SERIES: Final[tuple[tuple[str, str, tuple[State, ...]], ...]] = (
    ("good", "approved or confirmed", (State.APPROVED, State.CONFIRMED)),
    ("bad", "declined or reversed", (State.DECLINED, State.REVERSED)),
    ("open", "pending or unknown", (State.PENDING, State.UNKNOWN)),
)
_SERIES_OF: Final[dict[int, str]] = {state: name for name, _, states in SERIES for state in states}


class Segment(Struct, frozen=True):
    """A piece of a bar."""

    name: str
    y: float
    height: float


class Bar(Struct, frozen=True):
    """One minute."""

    minute: datetime
    x: float
    width: float
    label: str
    segments: list[Segment]


class Chart(Struct, frozen=True):
    """The last hour. `top` is the value at the upper edge."""

    bars: list[Bar]
    top: int
    total: int
    label: str


class Span(Struct, frozen=True):
    """One exchange on the line of time of its episode."""

    leg: Leg
    offset_us: int
    x: float
    width: float


class Episode(Struct, frozen=True):
    """Exchanges that overlap, such as a request and the provider calls made for it. `after` counts from the first."""

    started_at: datetime
    after: timedelta
    duration_us: int
    spans: list[Span]


def last_hour(counts: Sequence[Count], now: datetime) -> Chart:
    """The bars of the sixty minutes that end with the one of `now`."""
    numbers: dict[datetime, Counter[str]] = {}
    for count in counts:
        if count.minute is not None and not count.by_provider:
            numbers.setdefault(count.minute, Counter())[_SERIES_OF.get(count.state, "open")] += count.number
    start = now.replace(second=0, microsecond=0) - timedelta(minutes=MINUTES - 1)
    minutes = [start + timedelta(minutes=number) for number in range(MINUTES)]
    top = _round_up(max((number.total() for number in numbers.values()), default=0))
    step = CHART_WIDTH / MINUTES
    bars = [
        _bar(minute, number * step + step * 0.1, step * 0.8, numbers.get(minute, Counter()), top)
        for number, minute in enumerate(minutes)
    ]
    sums = sum(numbers.values(), Counter[str]())
    total = sums.total()
    label = f"{total} requests in the last hour: {_words(sums)}" if total else "No requests in the last hour"
    return Chart(bars, top, total, label)


def _bar(minute: datetime, x: float, width: float, numbers: Counter[str], top: int) -> Bar:
    segments = []
    y = CHART_HEIGHT
    for name, _, _ in SERIES:
        if numbers[name]:
            height = numbers[name] * CHART_HEIGHT / top
            y -= height
            segments.append(Segment(name, round(y, 2), round(height, 2)))
    label = f"{minute:%H:%M} UTC: {_words(numbers) or 'no requests'}"
    return Bar(minute, round(x, 2), round(width, 2), label, segments)


def _words(numbers: Counter[str]) -> str:
    return ", ".join(f"{numbers[name]} {words}" for name, words, _ in SERIES if numbers[name])


def _round_up(number: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50 …, and at least 5."""
    scale = 1
    while True:
        for digit in (1, 2, 5):
            if number <= digit * scale >= 5:
                return digit * scale
        scale *= 10


def episodes(legs: Sequence[Leg]) -> list[Episode]:
    """Group exchanges that overlap, a line of time each: a delivery days later must not flatten the rest."""
    groups: list[list[Leg]] = []
    end: datetime | None = None
    # An exchange with the originator encloses the calls made for it, so of two that begin together it comes first.
    for leg in sorted(legs, key=lambda leg: (leg.started_at, leg.direction, leg.leg_id)):
        if end is None or leg.started_at > end:
            groups.append([])
            end = leg.started_at
        groups[-1].append(leg)
        end = max(end, _end(leg))
    return [_episode(group, groups[0][0].started_at) for group in groups]


def _episode(legs: Sequence[Leg], first: datetime) -> Episode:
    start = legs[0].started_at
    duration_us = max(1, _microseconds(max(_end(leg) for leg in legs) - start))
    spans = []
    for leg in legs:
        offset_us = _microseconds(leg.started_at - start)
        width = max(SPAN_MIN, leg.duration_us * SPAN / duration_us)
        x = min(offset_us * SPAN / duration_us, SPAN - width)
        spans.append(Span(leg, offset_us, round(x, 2), round(width, 2)))
    return Episode(start, start - first, duration_us, spans)


def _end(leg: Leg) -> datetime:
    return leg.started_at + timedelta(microseconds=max(0, leg.duration_us))


def _microseconds(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)


def after_text(episode: Episode) -> str:
    """When an episode began, counted from the first: "3 min 10 s later"."""
    return f"{duration_text(episode.after)} later" if episode.after >= timedelta(seconds=1) else ""
