"""Whatever the bytes: a message or FormatErrors, the same from both readers, in bounded time."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.interface_examples import MESSAGES, WORKED, encoded, sample
from voucherswitch.interface import decode as decoding
from voucherswitch.interface import models
from voucherswitch.interface.decode import FormatErrors, decode, encode
from voucherswitch.interface.models import ErrorDetail, ErrorType
from voucherswitch.interface.models.errors import DetailMessage
from voucherswitch.interface.models.rules import read_message

BODY_MAX = 64 * 1024
SAMPLES = [(name, sample(name)) for name in MESSAGES]
ANY_SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["710", "", "\0"])
ANY_JSON = st.recursive(
    ANY_SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=5
)


def outcome(body: bytes, model: str) -> Any:
    """Decode, and prove that whatever comes of it can be written: the message, or the answer that refuses it."""
    try:
        message = decode(body, getattr(models, model))
    except FormatErrors as caught:
        refused = caught
    else:
        encode(message)
        return message
    assert 1 <= len(refused.violations) <= 100
    encode(
        ErrorDetail(
            id=refused.id,
            error_type=ErrorType.FORMAT_ERROR,
            error_message="Bad formatting.",
            detail_message=DetailMessage(format_errors=tuple(refused.violations)),
        )
    )
    return refused.violations


def complete_reading(body: bytes, model: str) -> Any:
    """What the slow reader alone makes of a body."""
    try:
        message, found = read_message(getattr(models, model), decoding._as_written(body), frozenset())
    except FormatErrors as refused:
        return refused.violations
    return found.violations or message


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in below for place in places(item, (*path, key)))]


@pytest.mark.parametrize(("model", "message"), WORKED + SAMPLES, ids=[name for name, _ in WORKED + SAMPLES])
def test_both_readers_make_the_same_of_a_valid_body(model: str, message: Any) -> None:
    assert complete_reading(encoded(message), model) == outcome(encoded(message), model)


@given(st.data())
def test_both_readers_agree_on_a_body_with_anything_anywhere(data: st.DataObject) -> None:
    model, message = data.draw(st.sampled_from(SAMPLES))
    body = json.loads(json.dumps(message))
    for _ in range(data.draw(st.integers(1, 3))):
        *way, last = data.draw(st.sampled_from(places(body)[1:]))
        holder = body
        for key in way:
            holder = holder[key]
        match data.draw(st.sampled_from(["replace", "remove", "add"])), holder:
            case "remove", _:
                del holder[last]
            case "add", dict():
                holder[data.draw(st.text())] = data.draw(ANY_JSON)
            case _:
                holder[last] = data.draw(ANY_JSON)
        if len(places(body)) == 1:
            break
    written = json.dumps(body).encode()
    assert outcome(written, model) == complete_reading(written, model)


@given(st.data())
def test_cut_and_changed_bytes_raise_nothing_else(data: st.DataObject) -> None:
    model, message = data.draw(st.sampled_from(WORKED))
    body = bytearray(encoded(message))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
        body = body or bytearray(b"0")
    assert outcome(bytes(body), model) == complete_reading(bytes(body), model)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_else(body: bytes) -> None:
    outcome(body, "ProvisionRequest")


def filled(opening: bytes, filling: bytes, closing: bytes = b"") -> bytes:
    """As much of the filling as a body may hold."""
    return opening + filling * ((BODY_MAX - len(opening) - len(closing)) // len(filling)) + closing


@pytest.mark.parametrize(
    "body",
    [
        filled(b"", b"["),
        filled(b"", b'{"a":'),
        filled(b'{"id":', b"[", b"}"),
        filled(b'{"id":', b"9", b"}"),
        filled(b'{"id":1.', b"9", b"}"),
        filled(b'{"amounts":{"requestAmount":{"amount":-', b"9", b"}}}"),
        filled(b'{"amounts":{"requestAmount":{"amount":1e', b"9", b"}}}"),
        filled(b'{"amounts":{"requestAmount":{"amount":0.', b"0", b"1}}}"),
        filled(b'{"amounts":{"requestAmount":{"amount":"', b"0", b'1"}}}'),
        filled(b'{"amounts":{"additionalAmounts":{"', b"k", b'":{}}}}'),
        filled(b'{"thirdPartyIdentifiers":[', b"{},", b"{}]}"),
        filled(b'{"thirdPartyIdentifiers":[', b"null,", b"null]}"),
        filled(b'{"recipient":{"emailAddress":"', b"a.", b'@"}}'),
        filled(b'{"recipient":{"emailAddress":"a@', b"a.", b'"}}'),
        filled(b'{"recipient":{"emailAddress":"a@', b"a-", b'!"}}'),
        filled(b'{"time":"2026-01-01T00:00:00.', b"0", b'"}'),
        filled(b'{"time":"', b"2", b'Z"}'),
        filled(b'{"', b"\\ud800", b'":1}'),
        filled(b"{", b'"":1,', b'"x":1}'),
    ],
    ids=lambda body: body[:40].decode(),
)
def test_a_hostile_body_is_refused_quickly(body: bytes) -> None:
    started = time.perf_counter()
    assert isinstance(outcome(body, "ProvisionRequest"), list)
    assert time.perf_counter() - started < 1  # milliseconds; the bound only catches what explodes
