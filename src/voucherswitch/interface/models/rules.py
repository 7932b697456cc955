"""The complete reading of a message: every violation of it, or the message itself.

Rules are compiled from the struct types that msgspec decodes, so both readers obey one definition. This one is slower
and more patient; it is asked only about a body that the fast path refused, and about query parameters.
"""

import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any, Final

from msgspec import NODEFAULT, Struct, inspect

from voucherswitch.interface import violations as say
from voucherswitch.interface.models.scalars import (
    ChoiceRule,
    DoubleRule,
    EmailRule,
    FlagRule,
    IntegerRule,
    Rule,
    TextRule,
    TimeRule,
    Unknown,
    UuidRule,
    check_characters,
)
from voucherswitch.interface.violations import EnoughFound, Found, Json, Pairs, as_text, below
from voucherswitch.security.masking import log_code

# An unknown field may be a known one misspelt or misplaced: its value is shown only if its name raises no doubt.
SECRET_NAME: Final = re.compile(
    "pin|code|card|pan|cvv|msisdn|phone|mail|password|secret|token|voucher|name|address|birth|account", re.IGNORECASE
)
INDEX: Final = re.compile(r"\[[0-9]+\]")


def read_message(model: type[Struct], body: Pairs, tolerated: frozenset[str]) -> tuple[object, Found]:
    """Read a body completely; the message counts only if nothing was found.

    `tolerated` names unknown fields that are left out without a word, as dotted paths without list indexes.
    """
    found = Found()
    message: object = None
    with suppress(EnoughFound):
        rule = rule_of(model)
        message = rule.read(body, "", found)
        for path, msg, value in rule.unknown(body, ""):
            if not tolerated or INDEX.sub("", path) not in tolerated:
                found.add(path, msg, value)
    return message, found


class ListRule(Rule):
    """A list; null is no element."""

    def __init__(self, item: Rule, limit: int | None) -> None:
        super().__init__(item.hidden)
        self.item, self.limit = item, limit

    def read(self, value: Json, path: str, found: Found) -> object:
        if not isinstance(value, list) or isinstance(value, Pairs):
            found.add(path, say.wrong_type(path, "list"), self.shown(value))
            return None
        if self.limit is not None and len(value) > self.limit:
            found.add(path, say.too_many(path, self.limit))
        return tuple(_read_present(self.item, item, f"{path}[{i}]", found) for i, item in enumerate(value))

    def unknown(self, value: Json, path: str) -> Unknown:
        if isinstance(value, list) and not isinstance(value, Pairs):
            for i, item in enumerate(value):
                yield from self.item.unknown(item, f"{path}[{i}]")


class MapRule(Rule):
    """An object with free keys."""

    def __init__(self, key: Rule, item: Rule, limit: int | None) -> None:
        super().__init__(item.hidden)
        self.key, self.item, self.limit = key, item, limit

    def read(self, value: Json, path: str, found: Found) -> object:
        if not isinstance(value, Pairs):
            found.add(path, say.wrong_type(path, "object"), self.shown(value))
            return None
        if self.limit is not None and len(value) > self.limit:
            found.add(path, say.too_many(path, self.limit))
        entries: dict[str, object] = {}
        for name, item in value:
            here = below(path, name)
            if name in entries:
                found.add(here, say.duplicate(here))
            self.key.read(name, here, found)
            entries[name] = _read_present(self.item, item, here, found)
        return entries

    def unknown(self, value: Json, path: str) -> Unknown:
        if isinstance(value, Pairs):
            for name, item in value:
                yield from self.item.unknown(item, below(path, name))


class Field(Struct, frozen=True):
    """One field of an object. `required`: absent and null are violations; `nullable`: null means absent."""

    name: str
    attribute: str
    rule: Rule
    required: bool
    nullable: bool


class ObjectRule(Rule):
    """An object with known fields, in the order of the published tables."""

    def __init__(self, kind: inspect.StructType, marked: bool) -> None:
        self.model = kind.cls
        self.fields = tuple(_field(field) for field in _in_table_order(kind))
        self.rules: dict[str, Rule] = {field.name: field.rule for field in self.fields}
        self.tag_field = kind.tag_field
        self.order = ((kind.tag_field,) if kind.tag_field else ()) + tuple(self.rules)
        super().__init__(marked or any(rule.hidden for rule in self.rules.values()))
        self.secret = marked or any(log_code(field.type) in "KN" for field in kind.fields)

    def read(self, value: Json, path: str, found: Found) -> object:
        if not isinstance(value, Pairs):
            found.add(path, say.wrong_type(path, "object"), self.shown(value))
            return None
        given = dict(value)
        repeated = _repeated(value)
        if self.tag_field in repeated:
            here = below(path, str(self.tag_field))
            found.add(here, say.duplicate(here))
        values: dict[str, object] = {}
        for field in self.fields:
            here = below(path, field.name)
            if field.name in repeated:
                found.add(here, say.duplicate(here))
            if (item := given.get(field.name)) is not None:
                values[field.attribute] = field.rule.read(item, here, found)
            elif field.required or (not field.nullable and field.name in given):
                found.add(here, say.missing(here))
        return None if found.violations else self.model(**values)

    def unknown(self, value: Json, path: str) -> Unknown:
        if not isinstance(value, Pairs):
            return
        repeated = _repeated(value)
        for name, item in dict(value).items():
            here = below(path, name)
            if name in self.rules:
                yield from self.rules[name].unknown(item, here)
            elif name != self.tag_field:
                yield here, say.unknown(here), None if self.secret or SECRET_NAME.search(name) else item
                if name in repeated:
                    yield here, say.duplicate(here), None


class VariantsRule(Rule):
    """An object whose tag names its class; without a good tag its other fields can't be judged."""

    def __init__(self, tag_field: str, variants: Mapping[str, ObjectRule]) -> None:
        super().__init__(any(variant.hidden for variant in variants.values()))
        self.tag_field, self.variants = tag_field, variants

    def read(self, value: Json, path: str, found: Found) -> object:
        if not isinstance(value, Pairs):
            found.add(path, say.wrong_type(path, "object"), self.shown(value))
            return None
        here = below(path, self.tag_field)
        tag = dict(value).get(self.tag_field)
        text = as_text(tag)
        if tag is None:
            found.add(here, say.missing(here))
        elif text is None:
            found.add(here, say.wrong_type(here, "string"))
        elif text not in self.variants:
            found.add(here, say.not_listed(here, self.variants), text)
            check_characters(text, here, found, self)
        else:
            return self.variants[text].read(value, path, found)
        return None

    def unknown(self, value: Json, path: str) -> Unknown:
        if isinstance(value, Pairs) and (variant := self.variants.get(as_text(dict(value).get(self.tag_field)) or "")):
            yield from variant.unknown(value, path)


@cache
def rule_of(model: type[Struct], marked: bool = False) -> ObjectRule:
    """Return the compiled rule of a message. `marked`: the field that holds it may not be shown."""
    info = inspect.type_info(model)
    assert isinstance(info, inspect.StructType)
    return ObjectRule(info, marked)


def _field(field: inspect.Field) -> Field:
    return Field(
        name=field.encode_name,
        attribute=field.name,
        rule=_rule(field.type, log_code(field.type) != "P", {}),
        required=field.required,
        nullable=field.default is not NODEFAULT,
    )


def _rule(kind: inspect.Type, marked: bool, extra: Mapping[str, Any]) -> Rule:
    match kind:
        case inspect.Metadata():
            return _rule(kind.type, marked, {**extra, **(kind.extra or {})})
        case inspect.UnionType():
            return _union_rule(kind, marked, extra)
        case inspect.StrType() if extra.get("kind") == "date-time":
            return TimeRule(marked)
        case inspect.StrType():
            texts = {"uuid": UuidRule, "email": EmailRule}
            return texts.get(extra.get("kind", ""), TextRule)(kind, extra.get("pattern", ""), marked)
        case inspect.EnumType():
            return ChoiceRule(kind, marked)
        case inspect.IntType():
            return IntegerRule(kind, marked)
        case inspect.BoolType():
            return FlagRule(marked)
        case inspect.VarTupleType():
            return ListRule(_rule(kind.item_type, marked, {}), kind.max_length)
        case inspect.DictType():
            key, item = _rule(kind.key_type, marked, {}), _rule(kind.value_type, marked, {})
            return MapRule(key, item, kind.max_length)
        case inspect.StructType():
            return rule_of(kind.cls, marked)
        case _:
            raise TypeError(f"no rule reads {kind}")


def _union_rule(kind: inspect.UnionType, marked: bool, extra: Mapping[str, Any]) -> Rule:
    members = [member for member in kind.types if not isinstance(member, inspect.NoneType)]
    if len(members) == 1:
        return _rule(members[0], marked, extra)
    variants = [member for member in members if isinstance(member, inspect.StructType)]
    if not variants:
        return DoubleRule(marked)
    return VariantsRule(
        str(variants[0].tag_field), {str(variant.tag): rule_of(variant.cls, marked) for variant in variants}
    )


def _in_table_order(kind: inspect.StructType) -> list[inspect.Field]:
    """Sort fields as published: one that a subclass narrows moves to the end of the struct, not of the table."""
    bases = [base for base in reversed(kind.cls.__mro__) if issubclass(base, Struct) and base is not Struct]
    names = [name for base in bases for name in base.__struct_fields__]
    place = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return sorted(kind.fields, key=lambda field: place[field.name])


def _read_present(rule: Rule, value: Json, path: str, found: Found) -> object:
    """Read an element of a list or map, where null stands for nothing."""
    if value is None:
        found.add(path, say.missing(path))
        return None
    return rule.read(value, path, found)


def _repeated(pairs: Pairs) -> frozenset[str]:
    names = [name for name, _ in pairs]
    if len(set(names)) == len(names):
        return frozenset()
    return frozenset(name for name, count in Counter(names).items() if count > 1)
