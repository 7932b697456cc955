"""What can be wrong with a message, letter by letter (interface.md §3.2 and §3.3), and the list of all of it.

The texts are part of the interface: originators and certification compare them.
"""

import re
from collections.abc import Iterable
from typing import Final, TypeAlias

from voucherswitch.interface.models.errors import FormatError

VIOLATIONS_MAX: Final = 100
VALUE_MAX: Final = 80
NAME_MAX: Final = 255

# A NUL cannot be stored by PostgreSQL and a lone surrogate cannot be encoded: neither may come back in an answer.
UNPRINTABLE: Final = re.compile("[\0\ud800-\udfff]")

BAD_FORMATTING: Final = "Bad formatting."  # the answer's errorMessage

BODY_MISSING: Final = "The request body may not be null"
BODY_NOT_JSON: Final = "The request body is not valid JSON"
BODY_NOT_OBJECT: Final = "The request body must be an object"
NO_LOOKUP_KEY: Final = "voucherCode, provisionRequestId or voucherSerialNumber may not be null"
ID_IS_NOT_PROVISION_ID: Final = "id must equal provisionId"
BAD_UUID: Final = "UUID must conform to the format 8-4-4-4-12 hexadecimal values"


class Number(str):
    """A JSON number as it was written, so that `1.50` given for a text stays `1.50`."""

    __slots__ = ()


class Pairs(list[tuple[str, "Json"]]):
    """A JSON object as it was written: its fields in order, a repeated one twice."""


Json: TypeAlias = str | bool | list["Json"] | Pairs | None


class FormatErrors(Exception):  # noqa: N818 - it carries many errors, and its name is that of the answer's list
    """The message is refused with 400 FORMAT_ERROR. `id` is the body's own where it is a well-formed UUID."""

    def __init__(self, violations: Iterable[FormatError], id: str | None = None) -> None:
        super().__init__()
        self.violations = list(violations)[:VIOLATIONS_MAX]
        self.id = id

    def __str__(self) -> str:
        return "; ".join(violation.msg for violation in self.violations)


class EnoughFound(Exception):  # noqa: N818 - a signal between Found and its caller, never seen outside
    """The list is full: the rest of the message need not be read."""


class Found:
    """The violations of one message in the order they are reported."""

    __slots__ = ("violations",)

    def __init__(self) -> None:
        self.violations: list[FormatError] = []

    def add(self, path: str | None, msg: str, value: Json = None) -> None:
        """Report one; `value` is None when it must not be shown."""
        self.violations.append(violation(path, msg, value))
        if len(self.violations) == VIOLATIONS_MAX:
            raise EnoughFound


def violation(path: str | None, msg: str, value: Json = None) -> FormatError:
    """Build one entry; only scalars are shown, and only their beginning."""
    text = as_text(value)
    return FormatError(field=path, msg=msg, value=None if text is None else printable(text, VALUE_MAX))


def as_text(value: Json) -> str | None:
    """Return a scalar as the text it stands for, None for null, objects and lists."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str) else None


def printable(text: str, limit: int) -> str:
    """Return the beginning of a text with whatever could not be sent or stored replaced."""
    return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text[:limit])


def below(path: str, name: str) -> str:
    """Return the path of a field of the object at `path`; the body itself is the empty path."""
    name = printable(name, NAME_MAX)
    return f"{path}.{name}" if path else name


def missing(path: str) -> str:
    return f"{path} may not be null"


def unknown(path: str) -> str:
    return f"Unrecognized field '{path}'"


def wrong_length(path: str, low: int, high: int) -> str:
    return f"{path} length must be between {low} and {high}"


def no_match(path: str, pattern: str) -> str:
    return f'{path} must match "{pattern}"'


def not_listed(path: str, values: Iterable[str]) -> str:
    return f"{path} must be one of [{', '.join(values)}]"


def wrong_type(path: str, type_name: str) -> str:
    return f"{path} must be of type {type_name}"


def not_a_time(path: str) -> str:
    return f"{path} must be an RFC 3339 date-time"


def not_an_email(path: str) -> str:
    return f"{path} must be a well-formed email address"


def too_many(path: str, limit: int) -> str:
    return f"{path} size must be between 0 and {limit}"


def duplicate(path: str) -> str:
    return f"Duplicate field '{path}'"


def unprintable(path: str) -> str:
    return f"{path} must not contain NUL or unpaired surrogates"


def differs(path: str) -> str:
    return f"{path} must equal the original request"
