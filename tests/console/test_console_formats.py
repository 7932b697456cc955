"""What is written on a page and how it is drawn, without a database."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucherswitch.console import charts, formats, listing
from voucherswitch.console.listing import BadFilterError, Filters, Key, parse
from voucherswitch.console.rows import Count, Leg

NOON = datetime(2026, 11, 23, 12, 0, 30, 123_456, UTC)


def a_leg(start_ms: float, duration_ms: float, direction: int = 2, leg_id: int = 1) -> Leg:
    """An answered exchange that begins so long after noon."""
    return Leg(
        leg_id=leg_id, generation=0, advice_id=None, direction=direction, peer="p", operation="o",
        started_at=NOON + timedelta(milliseconds=start_ms), duration_us=int(duration_ms * 1000), outcome=1, status=200,
        request="", request_chars=0, response=None, response_chars=None, error=None,
    )  # fmt: skip


def test_times_are_utc_and_say_so() -> None:
    assert formats.utc(NOON) == "2026-11-23 12:00:30.123 UTC"
    east = NOON.astimezone(tz=datetime.fromisoformat("2026-01-01T00:00:00+02:00").tzinfo)
    assert formats.utc(east) == formats.utc(NOON)


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (0, "0 µs"),
        (999, "999 µs"),
        (12_340, "12.3 ms"),
        (999_949, "999.9 ms"),
        (4_120_000, "4.120 s"),
        (123_000_000, "2 min 3 s"),
        (-1500, "\u22121.5 ms"),
    ],
)
def test_durations_of_exchanges(microseconds: int, text: str) -> None:
    assert formats.duration_us(microseconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3_610, "1 h"),
        (3_700, "1 h 1 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_ages_have_at_most_two_units(seconds: float, text: str) -> None:
    assert formats.duration_text(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("cents", "currency", "text"),
    [
        (123_456, "710", "R 1 234.56"),
        (5, None, "R 0.05"),
        (-100, "710", "\u2212R 1.00"),
        (1_000_000_00, "840", "1 000 000.00 (840)"),
        (None, "710", "\u2013"),
    ],
)
def test_money(cents: int | None, currency: str | None, text: str) -> None:
    assert formats.money(cents, currency).replace("\xa0", " ") == text


def test_a_message_is_indented_without_changing_what_it_says() -> None:
    assert formats.pretty('{"a":1.50,"a":[1e5]}') == '{\n  "a": 1.50,\n  "a": [\n    1e5\n  ]\n}'
    assert formats.pretty('POST /x\n\n{"a":1}') == 'POST /x\n\n{\n  "a": 1\n}'
    for text in ("", "GET /x", "POST /x\n\n<a/>", '{"cut', "[" * 20_000, "\n\n", '{"a":\n\n1}x'):
        assert formats.pretty(text) == text


@given(st.text())
def test_any_text_can_be_shown(text: str) -> None:
    shown = formats.visible(formats.pretty(text))
    assert not set(shown) & set("\x00\x1b\u200b\u202e\u2066\u2028")


@given(st.lists(st.tuples(st.one_of(st.sampled_from(Filters.__struct_fields__), st.text()), st.text()), max_size=4))
def test_any_query_is_understood_or_refused(query: list[tuple[str, str]]) -> None:
    with suppress(BadFilterError):
        listing._statement(parse(query))


@given(
    st.builds(
        Filters,
        state=st.sampled_from(("", *listing.STATES)),
        kind=st.sampled_from(("", *listing.KINDS)),
        originator=st.text("ab&=?#+% <é", max_size=9).map(str.strip),
        text=st.text("ab&=?#+% <é", max_size=9).map(str.strip),
        day=st.none() | st.dates(max_value=date(9999, 12, 30)),
        size=st.sampled_from(listing.SIZES),
        older=st.none()
        | st.builds(
            Key,
            st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 (the strategy adds it)
            st.uuids(),
            st.integers(0, 32_767),
        ),
    )
)
def test_a_link_means_the_filters_it_was_made_from(filters: Filters) -> None:
    assert parse(parse_qsl(urlsplit(filters.url(older=filters.older)).query)) == filters


def test_only_a_bare_id_goes_straight_to_its_page() -> None:
    some_id = "0B0C4A5E-6d1f-4a7b-9a53-1d2f3c4b5a69"
    assert parse([("text", f" {some_id} "), ("size", "25")]).only_id == UUID(some_id)
    assert parse([("text", some_id), ("kind", "refund")]).only_id is None
    assert parse([("text", some_id[:-1])]).only_id is None


def test_the_last_hour_has_sixty_minutes_and_bars_in_proportion() -> None:
    minute = NOON.replace(second=0, microsecond=0)
    counts = [
        Count(minute=minute, provider_id=None, by_provider=False, state=5, number=30),
        Count(minute=minute, provider_id=None, by_provider=False, state=3, number=10),
        Count(minute=minute - timedelta(minutes=59), provider_id=None, by_provider=False, state=99, number=5),
        Count(minute=None, provider_id="p", by_provider=True, state=5, number=45),
    ]
    chart = charts.last_hour(counts, NOON)
    assert (len(chart.bars), chart.top, chart.total) == (60, 50, 45)
    assert [(s.name, s.y, s.height) for s in chart.bars[-1].segments] == [("good", 40, 60), ("bad", 20, 20)]
    assert [(s.name, s.height) for s in chart.bars[0].segments] == [("open", 10)]
    assert chart.bars[-1].label == "12:00 UTC: 30 approved or confirmed, 10 declined or reversed"


@pytest.mark.parametrize(
    ("number", "top"), [(0, 5), (5, 5), (6, 10), (11, 20), (21, 50), (51, 100), (100_001, 200_000)]
)
def test_the_axis_ends_at_a_round_number(number: int, top: int) -> None:
    minute = NOON.replace(second=0, microsecond=0)
    assert charts.last_hour([Count(minute, None, False, 5, number)], NOON).top == top


def test_exchanges_that_overlap_share_a_line_of_time() -> None:
    inner, outer, later = a_leg(10, 80), a_leg(0, 100, direction=1), a_leg(60_000, 0)
    first, second = charts.episodes([later, inner, outer])
    assert [span.leg for span in first.spans] == [outer, inner], "what encloses comes first"
    assert [(span.x, span.width) for span in first.spans] == [(0, 1000), (100, 800)]
    assert second.after == timedelta(minutes=1)
    assert charts.after_text(second) == "1 min later"
    assert charts.episodes([]) == []


@given(st.lists(st.tuples(st.integers(0, 100_000), st.integers(-5, 100_000), st.integers(1, 2)), max_size=12))
def test_every_exchange_is_drawn_once_and_inside(times: list[tuple[int, int, int]]) -> None:
    legs = [a_leg(start, duration, direction, number) for number, (start, duration, direction) in enumerate(times)]
    spans = [span for episode in charts.episodes(legs) for span in episode.spans]
    assert sorted(span.leg.leg_id for span in spans) == list(range(len(legs)))
    for span in spans:
        assert span.x >= 0
        assert span.width >= charts.SPAN_MIN
        assert span.x + span.width <= charts.SPAN + 0.02
