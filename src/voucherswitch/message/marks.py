"""What may be seen of a field: the marks that are written beside it, and how a marked value is shown.

One vocabulary for the interface's models, for every provider's wire models and for our own orders (decision 0028). A
mark is `Meta` in a field's `Annotated`; a protocol without structs declares its `WireFields`.

| mark | shown | kept |
|---|---|---|
| `SEALED` | `***` | sealed: a voucher's code, or what it can be spent with |
| `NEVER_KEPT` | `***` | never: a PIN that somebody typed, a credential |
| `MASKED` | `***` | sealed: names, addresses, e-mail, what a slip says |
| `MASKED_CARD` | first six and last four characters | sealed |
| `MASKED_LAST_FOUR` | last four characters: telephones, accounts, meters | sealed |
| `QUOTED` | words for people, without what can be a code or a number | as shown |
| `PROTOCOL_WORD` | `***`, unless it is a word of the published protocol, such as an error code | as shown |
| `plain(because)` | as it is, although its name raises a doubt | as it is |
"""

import re
from collections.abc import Iterator, Mapping
from enum import IntEnum
from functools import cache
from types import ModuleType
from typing import Any, Final, NamedTuple, TypeAlias

from msgspec import Meta, Struct, inspect

from voucherswitch.message.smells import is_personal, is_secret, is_telephone, smells

HIDDEN: Final = "***"


class Shown(IntEnum):
    """How a value is shown, the more the less. `WORD` hides as `HIDDEN` does and lets published words through."""

    PLAIN = 0
    QUOTED = 1
    CARD = 2
    LAST_FOUR = 3
    HIDDEN = 4
    WORD = 5


def _mark(log: str, shown: Shown, **more: str) -> Meta:
    return Meta(extra={"log": log, "shown": shown, **more})


# `log` is the Log/store code of interface.md §2: P plain, M masked, K hidden and kept sealed, N hidden and never kept.
SEALED: Final = _mark("K", Shown.HIDDEN)
NEVER_KEPT: Final = _mark("N", Shown.HIDDEN)
MASKED: Final = _mark("M", Shown.HIDDEN)
MASKED_CARD: Final = _mark("M", Shown.CARD)
MASKED_LAST_FOUR: Final = _mark("M", Shown.LAST_FOUR)
QUOTED: Final = _mark("P", Shown.QUOTED)
PROTOCOL_WORD: Final = _mark("P", Shown.WORD)


def plain(because: str) -> Meta:
    """The mark of a field that may be seen although its name raises a doubt, with the reason."""
    return _mark("P", Shown.PLAIN, because=because)


# How values are shown

_LAST: Final = 4
_CARD_FIRST: Final = 6
FREE_TEXT_CHARS_MAX: Final = 4_096  # what people write for people is shorter
_NUMBER: Final = r"\d(?:[^0-9A-Za-z]{0,3}\d){5,}"  # six digits or more, however they are grouped
# Capitals and digits in one word or in groups, both of them there: the shape of a code, and of no word.
# The look ahead is bounded: every hyphen begins one, and a provider that writes sixty thousand of them would stop the
# process for a minute.
_CODE: Final = (
    r"(?<![0-9A-Za-z])(?=[A-Z-]{0,32}[0-9])(?=[0-9-]{0,32}[A-Z])"
    r"(?:[0-9A-Z]{10,}|[0-9A-Z]{4}(?:-[0-9A-Z]{4}){2,})(?![0-9A-Za-z])"
)
_CODE_LIKE: Final = re.compile(f"{_NUMBER}|{_CODE}")


def hide(_value: object) -> str:
    return HIDDEN


def card(number: str) -> str:
    """The first six and the last four characters of a card number; one of ten or fewer is hidden whole."""
    hidden = len(number) - _CARD_FIRST - _LAST
    return f"{number[:_CARD_FIRST]}{'*' * hidden}{number[-_LAST:]}" if hidden > 0 else "*" * len(number)


def last_four(number: str) -> str:
    """A telephone or account by which its owner is recognised and not reached; a short one is hidden whole."""
    return HIDDEN + number[-_LAST:] if len(number) > 2 * _LAST else HIDDEN


def without_codes(text: str) -> str:
    """Free text without anything that can be a code, a PIN, a number of a person, or a piece of one.

    A text of pages is hidden whole.
    """
    return _CODE_LIKE.sub(HIDDEN, text) if len(text) <= FREE_TEXT_CHARS_MAX else HIDDEN


# Reading marks


@cache
def hidden_fields(message: type[Struct]) -> frozenset[str]:
    """The attributes of a struct that are not shown as they are."""
    info = inspect.type_info(message)
    assert isinstance(info, inspect.StructType)
    return frozenset(field.name for field in info.fields if marks_of(field.type).get("shown"))


class Discreet(Struct, frozen=True):
    """A struct that says nothing of its marked fields, where a log or an error quotes it."""

    def __repr__(self) -> str:
        hidden = hidden_fields(type(self))
        values = ((name, getattr(self, name)) for name in self.__struct_fields__)
        shown = (f"{name}={HIDDEN if value and name in hidden else repr(value)}" for name, value in values)
        return f"{type(self).__name__}({', '.join(shown)})"


def marks_of(kind: inspect.Type) -> Mapping[str, Any]:
    """Collect what a field's type carries as `Meta(extra=…)`, wherever in `T | None` it was written."""
    match kind:
        case inspect.Metadata():
            return {**marks_of(kind.type), **(kind.extra or {})}
        case inspect.UnionType():
            return {name: mark for member in kind.types for name, mark in marks_of(member).items()}
        case _:
            return {}


class WireFields(dict[str, Meta | None]):
    """Fields, parameters, elements or attributes of a protocol without structs, by their names, each with its mark."""


def wire_fields(unmarked: str = "", **marked: Meta) -> WireFields:
    """Declare fields: those whose names raise no doubt in one text with spaces between, the others with marks."""
    return WireFields(dict.fromkeys(unmarked.split()) | marked)


Wire: TypeAlias = Mapping[str, Shown]
"""How the fields of a protocol are shown, by their names in lower case."""


def wire_of(*messages: ModuleType) -> Wire:
    """Collect what the modules of a protocol's messages declare: their structs and `WireFields`.

    By name and not by place, so that a provider that moves a PIN shows none. Of a name that is declared more than once
    the strictest mark counts; a doubtful one without a mark is hidden (and a test fails).
    """
    found: dict[str, Shown] = {}
    for module in messages:
        for field in declared_in(module):
            name = field.name.lower()
            found[name] = max(field.treatment, found.get(name, Shown.PLAIN))
    return found


class Declared(NamedTuple):
    """A field: its name on the wire, its mark (None: it has none), and whether its name raises a doubt to settle."""

    name: str
    shown: Shown | None
    doubtful: bool
    because: str | None = None

    @property
    def treatment(self) -> Shown:
        """How it is shown. A mark that was forgotten hides."""
        if self.shown is None:
            return Shown.HIDDEN if self.doubtful else Shown.PLAIN
        return self.shown


def declared_in(module: ModuleType) -> Iterator[Declared]:
    """Every field that a module of messages declares."""
    for item in vars(module).values():
        if isinstance(item, WireFields):
            for name, mark in item.items():
                marks = {} if mark is None or mark.extra is None else mark.extra
                yield Declared(name, marks.get("shown"), smells(name), marks.get("because"))
        elif isinstance(item, type) and issubclass(item, Struct) and item is not Struct:
            yield from declared_by(item)


def declared_by(message: type[Struct]) -> Iterator[Declared]:
    """Every field of a struct."""
    info = inspect.type_info(message)
    assert isinstance(info, inspect.StructType)
    for field in info.fields:
        marks = marks_of(field.type)
        doubtful = is_doubtful(field.encode_name, field.type)
        yield Declared(field.encode_name, marks.get("shown"), doubtful, marks.get("because"))


def is_doubtful(name: str, kind: inspect.Type) -> bool:
    """Whether a field's name says that it may hold a secret or a person, and its type can.

    Words of a closed list hold neither. Of an object its own fields tell, unless it is secret as a whole.
    """
    match kind:
        case inspect.Metadata():
            return is_doubtful(name, kind.type)
        case inspect.UnionType():
            return any(is_doubtful(name, member) for member in kind.types)
        case inspect.VarTupleType() | inspect.ListType():
            return is_doubtful(name, kind.item_type)
        case inspect.EnumType() | inspect.LiteralType() | inspect.BoolType() | inspect.NoneType():
            return False
        case inspect.StructType():
            return is_secret(name) or is_telephone(name) or is_personal(name)
        case _:
            return smells(name)
