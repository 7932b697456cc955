"""What may be seen of a message: masked text for traces and logs, and a copy without PINs for sealing.

A model says with a mark on each field how it may be shown and kept (interface.md §2, column Log/store); this module
obeys the marks, so it serves every struct of ours and of a provider and knows none of them. A field without a mark
is plain. Plans are compiled once per struct type; a struct that contains itself has none.
"""

from collections.abc import Callable, Mapping
from copy import copy
from functools import cache
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, inspect
from msgspec.structs import force_setattr

HIDDEN: Final = "***"

# Marks, written into a field's `Annotated`. M: shown masked. K: hidden, kept sealed. N: hidden, never kept.
MASKED: Final = Meta(extra={"log": "M"})
MASKED_CARD: Final = Meta(extra={"log": "M", "mask": "card"})
MASKED_MSISDN: Final = Meta(extra={"log": "M", "mask": "msisdn"})
SEALED: Final = Meta(extra={"log": "K"})
NEVER_KEPT: Final = Meta(extra={"log": "N"})

_encode: Final = msgspec.json.Encoder().encode


def masked(message: Struct) -> str:
    """Return compact JSON of a message in which nothing can be spent and nobody can be recognised."""
    return _encode(_changed(message, _masking)).decode()


def without_pins(message: Struct) -> bytes:
    """Return JSON of a message for sealing: everything but the fields that must never be kept."""
    return _encode(_changed(message, _sealing))


def mask_card(number: str) -> str:
    """Keep the first six and the last four characters of a card number; one of ten or fewer has nothing to hide."""
    return f"{number[:6]}{'*' * (len(number) - 10)}{number[-4:]}" if len(number) > 10 else number


def mask_msisdn(number: str) -> str:
    """Keep the last four digits of a telephone number; a shorter one is hidden whole."""
    return f"{'*' * (len(number) - 4)}{number[-4:]}" if len(number) > 4 else HIDDEN


def marks_of(kind: inspect.Type) -> Mapping[str, Any]:
    """Collect what a field's type carries as `Meta(extra=…)`, wherever in `T | None` it was written."""
    match kind:
        case inspect.Metadata():
            return {**marks_of(kind.type), **(kind.extra or {})}
        case inspect.UnionType():
            return {name: mark for member in kind.types for name, mark in marks_of(member).items()}
        case _:
            return {}


def log_code(kind: inspect.Type) -> str:
    """Return the Log/store code of a field: P, M, K or N."""
    return str(marks_of(kind).get("log", "P"))


Change: TypeAlias = Callable[[Any], Any]
Policy: TypeAlias = Callable[[Mapping[str, Any], Change | None], Change | None]
"""Given a field's marks and what its content asks for, says how to change its value; None leaves it alone."""


def _masking(marks: Mapping[str, Any], inner: Change | None) -> Change | None:
    match marks.get("log", "P"), marks.get("mask"):
        case "P", _:
            return inner
        case "M", "card":
            return mask_card
        case "M", "msisdn":
            return mask_msisdn
        case "M", _ if inner is not None:  # an object whose own fields say which of them are masked
            return inner
        case _:
            return _hide


def _sealing(marks: Mapping[str, Any], inner: Change | None) -> Change | None:
    return _drop if marks.get("log") == "N" else inner


def _hide(_value: object) -> str:
    return HIDDEN


def _drop(_value: object) -> object:
    return UNSET  # the encoder leaves an unset field out, required or not


def _changed(message: Struct, policy: Policy) -> Struct:
    plan = _plan(type(message), policy)
    if not plan:
        return message
    changed = copy(message)
    for attribute, change in plan:
        value = getattr(changed, attribute)
        if value is not None and value is not UNSET:
            force_setattr(changed, attribute, change(value))
    return changed


@cache
def _plan(model: type[Struct], policy: Policy) -> tuple[tuple[str, Change], ...]:
    info = inspect.type_info(model)
    assert isinstance(info, inspect.StructType)
    changes = ((field.name, policy(marks_of(field.type), _inner(field.type, policy))) for field in info.fields)
    return tuple((attribute, change) for attribute, change in changes if change is not None)


def _inner(kind: inspect.Type, policy: Policy) -> Change | None:
    """Return what the content of a field needs: structs below it that hold marked fields."""
    match kind:
        case inspect.Metadata():
            return _inner(kind.type, policy)
        case inspect.UnionType():
            # Members are told apart by the value's own type when the message is walked.
            return next((inner for member in kind.types if (inner := _inner(member, policy))), None)
        case inspect.StructType():
            return (lambda value: _changed(value, policy)) if _plan(kind.cls, policy) else None
        case inspect.VarTupleType() | inspect.ListType():
            return _each(_inner(kind.item_type, policy))
        case inspect.DictType():
            return _each_value(_inner(kind.value_type, policy))
        case _:
            return None


def _each(change: Change | None) -> Change | None:
    return change and (lambda values: [change(value) for value in values])


def _each_value(change: Change | None) -> Change | None:
    return change and (lambda values: {key: change(value) for key, value in values.items()})
