"""Patient reading of single values: what an originator may write instead of what we write (interface.md §3.4).

Values come as they were written (`Number` keeps its text). A rule converts its value, or reports all that is wrong.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Final, TypeAlias

from msgspec import inspect

from voucherswitch.interface import violations as say
from voucherswitch.interface.models.base import CANONICAL_TIME, DOUBLE_EXACT, TEXT_MAX
from voucherswitch.interface.violations import Found, Json, Number, as_text

Unknown: TypeAlias = Iterator[tuple[str, str, Json]]
"""Path, text and value of each field that the interface doesn't know."""

INTEGER: Final = re.compile(r"-?[0-9]+\Z")
INTEGER_DIGITS_MAX: Final = 19  # of an int64
CANONICAL: Final = re.compile(CANONICAL_TIME)
# A leap second is refused: no clock of ours can show it, so it could not be stored.
TIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]((?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))\Z"
)


class Rule:
    """Reads one kind of value. `hidden`: the value must not be shown in a violation."""

    def __init__(self, hidden: bool) -> None:
        self.hidden = hidden

    def read(self, value: Json, path: str, found: Found) -> object:
        """Convert the value, or report what is wrong with it; what comes back counts only if nothing was found."""
        raise NotImplementedError

    def unknown(self, value: Json, path: str) -> Unknown:  # noqa: ARG002 - only values with fields have any
        """List the unknown fields below, in body order."""
        return iter(())

    def shown(self, value: Json) -> Json:
        return None if self.hidden else value


class TextRule(Rule):
    """A string; numbers and booleans are taken as the text they were written with."""

    def __init__(self, kind: inspect.StrType, printed: str, hidden: bool) -> None:
        super().__init__(hidden)
        self.low, self.high = kind.min_length or 0, kind.max_length
        self.pattern = re.compile(kind.pattern) if kind.pattern else None
        self.printed = printed

    def read(self, value: Json, path: str, found: Found) -> object:
        text = as_text(value)
        if text is None:
            found.add(path, say.wrong_type(path, "string"))
            return None
        if self.high is not None and not self.low <= len(text) <= self.high:
            found.add(path, say.wrong_length(path, self.low, self.high), self.shown(text))
        if self.pattern and not self.pattern.match(text):
            found.add(path, self.mismatch(path), self.shown(text))
        check_characters(text, path, found, self)
        return text

    def mismatch(self, path: str) -> str:
        return say.no_match(path, self.printed)


class UuidRule(TextRule):
    """An id: its shape counts, not its version, and the text does not name the field."""

    def mismatch(self, path: str) -> str:  # noqa: ARG002
        return say.BAD_UUID


class EmailRule(TextRule):
    """An e-mail address."""

    def mismatch(self, path: str) -> str:
        return say.not_an_email(path)


class ChoiceRule(Rule):
    """One of a closed list of values, spelt exactly."""

    def __init__(self, kind: inspect.EnumType, hidden: bool) -> None:
        super().__init__(hidden)
        self.members = {str(member.value): member for member in kind.cls}

    def read(self, value: Json, path: str, found: Found) -> object:
        text = as_text(value)
        if text is None:
            found.add(path, say.wrong_type(path, "string"))
        elif text not in self.members:
            found.add(path, say.not_listed(path, self.members), self.shown(text))
            check_characters(text, path, found, self)
        return self.members.get(text or "")


class TimeRule(Rule):
    """An instant, kept as the text we write: UTC, three fraction digits, further ones cut."""

    def read(self, value: Json, path: str, found: Found) -> object:
        if not isinstance(value, str) or isinstance(value, Number):
            found.add(path, say.wrong_type(path, "string"), self.shown(value))
            return None
        canonical = value if CANONICAL.match(value) else canonical_time(value)
        if canonical is None:
            found.add(path, say.not_a_time(path), self.shown(value))
            check_characters(value, path, found, self)
        return canonical


class IntegerRule(Rule):
    """A whole number, also as a string of digits."""

    def __init__(self, kind: inspect.IntType, hidden: bool) -> None:
        super().__init__(hidden)
        assert kind.ge is not None, "every integer of the interface has a range"
        assert kind.le is not None
        self.low, self.high = kind.ge, kind.le

    def read(self, value: Json, path: str, found: Found) -> object:
        number = whole_number(value)
        if number is None or not self.low <= number <= self.high:
            found.add(path, say.wrong_type(path, "integer"), self.shown(value))
        return number


class DoubleRule(Rule):
    """A number; a whole one that a double holds exactly stays whole, so that it is echoed as it came."""

    def read(self, value: Json, path: str, found: Found) -> object:
        number = float(value) if isinstance(value, Number) else None
        if number is None or not isfinite(number):
            found.add(path, say.wrong_type(path, "number"), self.shown(value))
            return None
        return int(number) if INTEGER.match(str(value)) and abs(number) <= DOUBLE_EXACT else number


class FlagRule(Rule):
    """True or false; no text stands for either."""

    def read(self, value: Json, path: str, found: Found) -> object:
        if not isinstance(value, bool):
            found.add(path, say.wrong_type(path, "boolean"), self.shown(value))
        return value


def check_characters(text: str, path: str, found: Found, rule: Rule) -> None:
    """Report what PostgreSQL could not store or an answer could not carry."""
    if say.UNPRINTABLE.search(text):
        found.add(path, say.unprintable(path), rule.shown(text))


def whole_number(value: Json) -> int | None:
    """Return the integer that a number or a string of digits stands for; None if it is none or beyond 64 bits."""
    if not isinstance(value, str):
        return None
    if INTEGER.match(value):
        # Python converts no more than a few thousand digits, and refusing those is right anyway.
        digits = value.lstrip("-0")
        return int(value) if len(digits) <= INTEGER_DIGITS_MAX and len(value) <= TEXT_MAX else None
    if not isinstance(value, Number):
        return None
    # 25000.0 and 2.5e4 are whole. Decimal keeps every digit, and the size is asked before an exponent is unfolded.
    try:
        exact = Decimal(value)
    except InvalidOperation:
        return None
    if not exact:
        return 0
    fits = exact.is_finite() and exact.adjusted() < INTEGER_DIGITS_MAX
    return int(exact) if fits and exact == exact.to_integral_value() else None


def canonical_time(text: str) -> str | None:
    """Convert an RFC 3339 date-time to UTC with three fraction digits; None if it is none or leaves the calendar."""
    match = TIME.match(text)
    if match is None:
        return None
    day, clock, fraction, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes)) if sign else timedelta()
    zone = timezone(-offset if sign == "-" else offset)
    try:
        instant = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return f"{instant.replace(tzinfo=None).isoformat()}.{(fraction or '')[:3]:0<3}Z"
