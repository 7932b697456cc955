"""Canonical JSON (RFC 8785) of what an audit event may hold: objects, lists, texts, whole numbers, true, false, null.

Fractions are refused, so the one hard part of the RFC, how a number is written, does not arise: amounts are cents,
times are texts. What is left is the order of keys (by UTF-16 code units), and texts written out with only those escapes
that JSON must have, which is how the standard library writes them.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

WHOLE_MAX: Final = 2**53 - 1  # beyond, readers whose numbers are IEEE doubles would see another value


class NotCanonicalError(ValueError):
    """A value has no canonical form here. The text says which."""


def canonical(value: object) -> bytes:
    """Write a value in its one form.

    Raises:
        NotCanonicalError: a fraction, a number beyond 2^53 - 1, a key that is no text, or half a surrogate pair.
    """
    try:
        return json.dumps(_ordered(value), ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise NotCanonicalError("a text holds half of a surrogate pair") from error


def _ordered(value: object) -> Any:
    match value:
        case None | bool() | str():
            return value
        case int():
            if abs(value) > WHOLE_MAX:
                raise NotCanonicalError(f"{value} is beyond 2^53 - 1")
            return value
        case Mapping():
            return {key: _ordered(value[key]) for key in sorted(value, key=_utf_16)}
        case list() | tuple():
            return [_ordered(item) for item in value]
        case _:
            raise NotCanonicalError(f"{type(value).__name__} has no form in an audit event")


def _utf_16(key: object) -> bytes:
    if not isinstance(key, str):
        raise NotCanonicalError(f"a key is {type(key).__name__}, not a text")
    return key.encode("utf-16-be", "surrogatepass")
