"""The audit trail's arithmetic: canonical JSON, hashes, and what a walk finds wrong. Pure."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voucherswitch.people.audit.canonical import NotCanonicalError, canonical
from voucherswitch.people.audit.chain import START, Head, Walk, Walked, heads_in
from voucherswitch.people.audit.event import GENESIS, Actor, Event, fields_of, hash_of, head_text

ANN = Actor(kind="user", id="u-1", roles=("support",), session_id="s-1", ip="196.25.1.10", correlation_id="c-1")
SIGNED_IN = Event(actor=ANN, action="user.sign_in", object_kind="user", object_id="u-1")
TEXT = st.text(st.characters(codec="utf-8"))
PLAIN = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT
MORNING = datetime(2026, 11, 16, 6, 30, tzinfo=UTC)


def test_the_published_vectors() -> None:
    """Two events with their hashes, as the specification of the back office has them."""
    first = hash_of(GENESIS, fields_of(SIGNED_IN, 1, MORNING))
    assert first.hex() == "d6c65c688305221691977e4d21b495291fa4c30a105b371155fcfcffeae0d4d8"
    ann = Actor(kind="user", id="u-1", roles=("support",), session_id="s-1", ip="196.25.1.10", correlation_id="c-2")
    seen = Event(
        actor=ann,
        action="pin.reveal",
        object_kind="transaction",
        object_id="0b0c4a5e-6d1f-4a7b-9a53-1d2f3c4b5a69/0",
        reason="slip did not print, till 7",
    )
    at = datetime(2026, 11, 16, 6, 31, 5, 250_999, tzinfo=UTC)
    second = hash_of(first, fields_of(seen, 2, at))
    assert second.hex() == "bcd544b09b4bccd13f09b4e308b1045f2ad6794d6bb9e35128f6aed69e64799b"


def test_canonical_json_is_that_of_the_rfc() -> None:
    """The example of RFC 8785 §3.2.3: keys by UTF-16 code units, where an emoji comes before a private character."""
    value = {
        "\u20ac": "Euro",
        "\r": "CR",
        "\ufb33": "Dagesh",
        "1": "One",
        "\U0001f600": "Smiley",
        "\x80": "C",
        "ö": "O",
    }
    assert list(json.loads(canonical(value))) == ["\r", "1", "\x80", "ö", "\u20ac", "\U0001f600", "\ufb33"]
    assert canonical({"b": [True, None, -7], "a": 'x"\\\b\f\n\r\t\x0f\x7f€/'}) == (
        b'{"a":"x\\"\\\\\\b\\f\\n\\r\\t\\u000f\x7f' + "€/".encode() + b'","b":[true,null,-7]}'
    )


@settings(max_examples=40, deadline=None)
@given(st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=12))
def test_canonical_json_says_what_it_was_given(value: Any) -> None:
    assert json.loads(canonical(value)) == value


@pytest.mark.parametrize("value", [1.5, 2**53, {1: "x"}, "\ud800", b"x"], ids=repr)
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(NotCanonicalError):
        canonical({"a": value} if not isinstance(value, dict) else value)


def test_no_secret_of_a_change_is_kept_whatever_was_handed_over() -> None:
    event = Event(
        actor=ANN,
        action="provider.change",
        object_kind="provider",
        before={"api_key": "hunter2", "settings": {"basicPassword": "hunter2", "port": 8080}},
        after={"api_key": "changed", "settings": {"basicPassword": None, "port": 8081}, "pin": "set"},
    )
    fields = fields_of(event, 1, MORNING)
    assert "hunter2" not in json.dumps(fields)
    assert fields["before"] == {"api_key": "***", "settings": {"basicPassword": "***", "port": 8080}}
    assert fields["after"] == {"api_key": "changed", "settings": {"basicPassword": None, "port": 8081}, "pin": "set"}


def test_what_the_database_cannot_hold_does_not_keep_an_event_from_being_recorded() -> None:
    event = Event(
        actor=ANN,
        action="user.sign_in",
        object_kind="user",
        object_id="a\x00b\udcff",
        reason="x" * 5_000,
        after={"rate": 1.5, "at": MORNING, "huge": 2**70, "k\x00": "\x00"},
    )
    fields = fields_of(event, 1, MORNING)
    assert fields["object_id"] == "a\ufffdb?"
    assert len(fields["reason"]) == 1_000
    assert fields["after"] == {
        "rate": "1.5",
        "at": "2026-11-16T06:30:00.000Z",
        "huge": str(2**70),
        "k\ufffd": "\ufffd",
    }


def test_a_state_that_is_too_large_is_kept_as_its_size_and_checksum() -> None:
    event = Event(actor=ANN, action="product.import", object_kind="catalogue", after={"all": ["product"] * 20_000})
    kept = fields_of(event, 1, MORNING)["after"]
    assert sorted(kept) == ["sha256", "too_large_bytes"]


# --- walking ---------------------------------------------------------------------------------------------------------


def trail(length: int) -> list[dict[str, Any]]:
    """Events as they are stored."""
    rows: list[dict[str, Any]] = []
    before = GENESIS
    for seq in range(1, length + 1):
        at = MORNING + timedelta(minutes=seq)
        fields = fields_of(SIGNED_IN, seq, at)
        digest = hash_of(before, fields)
        rows.append(fields | {"at": at, "prev_hash": before, "hash": digest})
        before = digest
    return rows


def walked(rows: list[dict[str, Any]], *heads: Head, after: Head = START) -> Walked:
    walk = Walk(after, heads)
    for row in rows:
        walk.see(row)
    return walk.end()


def faults(rows: list[dict[str, Any]], *heads: Head) -> list[tuple[int, str]]:
    return [(fault.seq, fault.found) for fault in walked(rows, *heads).faults]


def rehashed(rows: list[dict[str, Any]], start: int, **change: Any) -> list[dict[str, Any]]:
    """What somebody who knows the method would store: a change, and every hash from there on made anew."""
    before = rows[start - 1]["prev_hash"]
    made = rows[: start - 1]
    for row in rows[start - 1 :]:
        fields = {key: value for key, value in row.items() if key not in ("prev_hash", "hash")}
        fields |= change if row["seq"] == start else {}
        digest = hash_of(before, fields | {"at": fields_of(SIGNED_IN, 1, row["at"])["at"]})
        made.append(fields | {"prev_hash": before, "hash": digest})
        before = digest
    return made


def test_a_whole_trail_has_no_fault_and_its_head_is_the_last_event() -> None:
    rows = trail(5)
    found = walked(rows, Head(3, rows[2]["hash"]), Head(5, rows[4]["hash"]))
    assert (found.events, found.head, found.faults) == (5, Head(5, rows[4]["hash"]), ())
    assert walked([]).head == START


def test_a_walk_may_go_on_from_a_head() -> None:
    rows = trail(5)
    assert walked(rows[3:], after=Head(3, rows[2]["hash"])).faults == ()


def test_a_changed_event_is_named() -> None:
    rows = trail(4)
    rows[1]["object_id"] = "u-2"
    assert faults(rows) == [(2, "event 2 was changed: its hash is not that of its content")]


@pytest.mark.parametrize(
    "content",
    ['{"amount":1.5}', '{"amount":1e400}', '{"amount":9007199254740993}', "[" * 6_000 + "]" * 6_000, "9" * 5_000],
    ids=["fraction", "infinite", "large", "deep", "long"],
)
def test_an_event_that_was_changed_into_what_none_of_ours_can_hold_is_named(content: str) -> None:
    """Whoever edits the table must not end the walk, nor the worker whose duty it is."""
    rows = trail(3)
    rows[1]["after"] = content
    assert faults(rows) == [(2, "event 2 was changed: its hash is not that of its content")]


def test_a_changed_event_with_a_hash_made_anew_no_longer_carries_the_next_one() -> None:
    rows = trail(4)
    rows[1] = rehashed(rows[:2], 2, object_id="u-2")[1]
    assert faults(rows) == [(3, "event 3 does not follow the one before it: event 2 was replaced")]


def test_missing_events_are_named() -> None:
    rows = trail(6)
    assert faults(rows[:1] + rows[3:]) == [(2, "events 2 to 3 are missing")]
    assert faults(rows[1:]) == [(1, "event 1 is missing")]


def test_swapped_events_are_named() -> None:
    rows = trail(4)
    rows[1], rows[2] = rows[2] | {"seq": 2}, rows[1] | {"seq": 3}
    assert {seq for seq, _ in faults(rows)} == {2, 3, 4}


def test_an_event_that_was_put_in_between_is_named() -> None:
    rows = trail(3)
    late = fields_of(SIGNED_IN, 2, MORNING)
    put_in = late | {"at": MORNING, "prev_hash": rows[0]["hash"], "hash": hash_of(rows[0]["hash"], late)}
    later = [row | {"seq": row["seq"] + 1} for row in rows[1:]]
    assert [seq for seq, _ in faults([rows[0], put_in, *later])] == [3, 3, 4]


def test_a_cut_off_end_shows_against_a_head_that_was_noted() -> None:
    rows = trail(6)
    assert faults(rows[:4]) == []
    assert faults(rows[:4], Head(6, rows[5]["hash"])) == [
        (5, "events 5 to 6 are missing: the trail once went to 6"),
    ]


def test_a_trail_written_anew_shows_against_a_head_that_was_noted() -> None:
    rows = trail(6)
    anew = rehashed(rows, 3, object_id="u-9")
    assert faults(anew) == []
    assert faults(anew, Head(5, rows[4]["hash"])) == [
        (5, "event 5 is another one than the head that was noted then: the trail was rewritten"),
    ]


def test_faults_that_are_told_have_a_bound() -> None:
    rows = [row | {"object_id": "u-2"} for row in trail(150)]
    found = walked(rows)
    assert len(found.faults) == 100
    assert found.more


def test_heads_are_found_in_a_log() -> None:
    """Of both forms, and nothing else that looks like it."""
    head = Head(17, bytes(range(32)))
    text = f"""
    {{"head": "{head}", "event": "audit head"}}
    2026-11-16T06:30:00Z [info] audit head head={head_text(18, bytes(32))} whole=True
    at 12:30:17:{"a" * 64} and 9:{"b" * 65} and 9:{"c" * 63}
    """
    assert heads_in(text) == [head, Head(18, bytes(32))]
