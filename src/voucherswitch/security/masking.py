"""What may be seen of a message: masked text for traces and logs, and a copy without PINs for sealing.

A model says with a mark on each field how it may be shown and kept (message/marks.py); this module obeys the marks, so
it serves every struct and knows none of them. A field without a mark is plain, and a test fails when its name raises a
doubt. Plans are compiled once per struct type; a struct that contains itself has none.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, Struct, inspect
from msgspec.structs import force_setattr

from voucherswitch.message.marks import Shown, card, hide, last_four, marks_of, without_codes

_encode: Final = msgspec.json.Encoder().encode


def masked(message: Struct) -> str:
    """Return compact JSON of a message in which nothing can be spent and nobody can be recognised."""
    return _encode(_changed(message, _masking)).decode()


def without_pins(message: Struct) -> bytes:
    """Return JSON of a message for sealing: everything but the fields that must never be kept."""
    return _encode(_changed(message, _sealing))


def log_code(kind: inspect.Type) -> str:
    """Return the Log/store code of a field: P, M, K or N."""
    return str(marks_of(kind).get("log", "P"))


Change: TypeAlias = Callable[[Any], Any]
Policy: TypeAlias = Callable[[Mapping[str, Any], Change | None], Change | None]
"""Given a field's marks and what its content asks for, says how to change its value; None leaves it alone."""


def _masking(marks: Mapping[str, Any], inner: Change | None) -> Change | None:
    match marks.get("shown", Shown.PLAIN):
        case Shown.PLAIN:
            return inner
        case Shown.QUOTED:
            return without_codes
        case Shown.CARD:
            return card
        case Shown.LAST_FOUR:
            return last_four
        case _ if marks["log"] == "M" and inner is not None:  # an object whose own fields say which of them are masked
            return inner
        case _:
            return hide


def _sealing(marks: Mapping[str, Any], inner: Change | None) -> Change | None:
    return _drop if marks.get("log") == "N" else inner


def _drop(_value: object) -> object:
    return UNSET  # the encoder leaves an unset field out, required or not


def _changed(message: Struct, policy: Policy) -> Struct:
    plan = _plan(type(message), policy)
    if not plan:
        return message
    changed: Struct = message.__copy__()  # type: ignore[attr-defined]  # `copy.copy` takes three times as long to find it
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
