"""The words that every message model is written in: the base struct, the scalar types and their constraints.

One definition serves four readers: the fast decoder (msgspec itself), the validator that lists violations, the OpenAPI
document and masking. What msgspec cannot say (a published pattern, a Log/store code) stands in `Meta(extra=…)`, what
JSON Schema must say in other words in `Meta(extra_json_schema=…)`.
"""

from typing import Annotated, Any, Final, TypeAlias, dataclass_transform

from msgspec import Meta, StructMeta

from voucherswitch.message.marks import Discreet

# Technical limits for what the interface leaves unbounded.
TEXT_MAX: Final = 255
ENTRIES_MAX: Final = 20
LINES_MAX: Final = 100
# A response has the request's identifiers and two more, and an advice repeats the response's list: an advice that was
# refused because of entries that we added could never finalise its request.
ADVISED_ENTRIES_MAX: Final = ENTRIES_MAX + 2
# A double holds every integer up to here exactly; beyond it, and for fractions, the value travels as a float.
DOUBLE_EXACT: Final = 2**53


class _MessageMeta(StructMeta):
    """Gives every message the same configuration, so that a model is nothing but its table."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **config: Any) -> Any:
        config |= {"rename": "camel", "forbid_unknown_fields": True, "omit_defaults": True, "kw_only": True}
        # A frozen tree of messages has no cycles, so the collector need not track it.
        config |= {"frozen": True, "gc": False}
        return super().__new__(mcls, name, bases, namespace, **config)


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Message(Discreet, metaclass=_MessageMeta, frozen=True):
    """A JSON object of the interface. Absent and null optional fields are None, and None is never sent."""


def chars(low: int, high: int) -> Meta:
    """Bound the number of characters, both ends included."""
    return Meta(min_length=low, max_length=high)


def matching(pattern: str) -> Meta:
    r"""Ask that the whole value meets a pattern as published; `\d` means the ten ASCII digits there."""
    inner = pattern.removeprefix("^")
    return Meta(pattern=rf"\A(?a:{inner})\Z", extra={"pattern": pattern})


# A time as we write it: UTC, three fraction digits, and a day that exists. Only this form is taken as it is.
_DAY: Final = (
    r"(?!0000)[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    r"|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)-02-29"
)
CANONICAL_TIME: Final = rf"\A(?:{_DAY})T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{{3}}Z\Z"

# The address an HTML form would take, with letters beyond ASCII allowed: every quantifier is bounded or disjoint.
_LABEL: Final = r"[a-zA-Z0-9\u0080-\U0010ffff](?:[a-zA-Z0-9\u0080-\U0010ffff-]{0,61}[a-zA-Z0-9\u0080-\U0010ffff])?"
EMAIL: Final = rf"\A[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~\u0080-\U0010ffff-]{{1,64}}@{_LABEL}(?:\.{_LABEL})*\Z"

UUID_SHAPE: Final = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"

Text: TypeAlias = Annotated[str, chars(0, TEXT_MAX)]
Uuid: TypeAlias = Annotated[
    str, Meta(pattern=rf"\A{UUID_SHAPE}\Z", extra={"kind": "uuid"}, extra_json_schema={"format": "uuid"})
]
DateTime: TypeAlias = Annotated[
    str, Meta(pattern=CANONICAL_TIME, extra={"kind": "date-time"}, extra_json_schema={"format": "date-time"})
]
Email: TypeAlias = Annotated[
    str, Meta(max_length=TEXT_MAX, pattern=EMAIL, extra={"kind": "email"}, extra_json_schema={"format": "email"})
]
Int32: TypeAlias = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1, extra_json_schema={"format": "int32"})]
Int64: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1, extra_json_schema={"format": "int64"})]
Double: TypeAlias = Annotated[int, Meta(ge=-DOUBLE_EXACT, le=DOUBLE_EXACT)] | float
