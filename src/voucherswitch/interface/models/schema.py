"""JSON Schema of the messages, as the OpenAPI document prints it: derived from the models, never written by hand.

msgspec's output is correct for Python; here it becomes what other languages' tools read: nullable types as one list,
enums in published order, formats instead of our own regular expressions.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct

from voucherswitch.interface import models
from voucherswitch.interface.models.rules import rule_of

Schema = dict[str, Any]

REF: Final = "#/components/schemas/{name}"


def component_schemas(messages: list[type[Struct]]) -> dict[str, Schema]:
    """Return the schemas of the messages and of everything in them, by name."""
    _, components = msgspec.json.schema_components(messages, ref_template=REF)
    schemas = {name: _cleaned(_ordered(name, schema)) for name, schema in sorted(components.items())}
    # The one lenient conversion that the interface promises in a schema: a currency may be sent as a number.
    text = schemas["LedgerAmount"]["properties"]["currency"]
    number = {"type": "integer", "minimum": 100, "maximum": 999}
    schemas["LedgerAmount"]["properties"]["currency"] = {
        "description": "ISO 4217 numeric code. Always a string in answers; a number is accepted in requests.",
        "anyOf": [text, number],
    }
    return schemas


def parameter_schemas(query: type[Struct]) -> dict[str, Schema]:
    """Return the schemas of a query's parameters, by name; a parameter is left out, never null."""
    _, components = msgspec.json.schema_components([query], ref_template=REF)
    properties = _ordered(query.__name__, components[query.__name__])["properties"]
    return {name: _cleaned(_present(schema)) for name, schema in properties.items()}


def _ordered(name: str, schema: Schema) -> Schema:
    """Put fields and enum values in published order, the tag of a union first."""
    model: Any = getattr(models, name)
    if "enum" in schema:
        return {**schema, "enum": [str(member.value) for member in model]}
    fields = schema["properties"]
    return {**schema, "properties": {field: fields[field] for field in dict.fromkeys([*rule_of(model).order, *fields])}}


def _present(schema: Schema) -> Schema:
    """Return the schema of a field that is given."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    return choices[0] if len(choices) == 1 else schema


def _cleaned(schema: Schema) -> Schema:
    kept: Schema = {}
    for keyword, value in schema.items():
        match keyword, value:
            case ("title", _) | ("default", None) | ("minLength", 0) | ("required", []):
                continue
            case "description", _:
                kept[keyword] = " ".join(value.partition("\n\n")[0].split())
            case "pattern", _ if schema.get("format") in ("date-time", "email"):
                continue  # ours is stricter than the format, because it only takes what needs no conversion
            case "pattern", _:
                kept[keyword] = _ecma(value)
            case "properties", _:
                kept[keyword] = {name: _cleaned(field) for name, field in value.items()}
            case "anyOf", _:
                kept[keyword] = [_cleaned(choice) for choice in value]
            case "items" | "additionalProperties", dict():
                kept[keyword] = _cleaned(value)
            case "enum", _:
                kept |= {"type": "string", "enum": value}
            case _:
                kept[keyword] = value
    return _cleaned_choice(kept) if "anyOf" in kept else kept


def _ecma(pattern: str) -> str:
    r"""Anchor a pattern as JSON Schema writes it; a digit is an ASCII digit there and here."""
    inner = pattern.removeprefix(r"\A").removesuffix(r"\Z").replace(r"\d", "[0-9]")
    return f"^{inner.removeprefix('(?a:').removesuffix(')') if inner.startswith('(?a:') else inner}$"


def _cleaned_choice(schema: Schema) -> Schema:
    choices = [choice for choice in schema.pop("anyOf") if choice != {"type": "null"}]
    if {"type": "number"} in choices:
        return {"type": ["number", "null"]}
    if "discriminator" in schema:
        return {"oneOf": choices, **schema}
    if len(choices) > 1:
        return {"anyOf": choices, **schema}
    only = choices[0]
    if isinstance(only.get("type"), str):
        return {**only, "type": [only["type"], "null"], **schema}
    return {"anyOf": [only, {"type": "null"}], **schema}
