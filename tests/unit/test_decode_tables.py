"""Every constraint of every field, violated alone, gives exactly its published text; and nothing else is violated."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.interface_examples import ENUMS, MESSAGES, Json, Row, changed, encoded, rows_of, sample, without
from voucherswitch.interface import models
from voucherswitch.interface.decode import FormatErrors, decode, encode

UUID_TEXT = "UUID must conform to the format 8-4-4-4-12 hexadecimal values"
JSON_TYPES = {
    "uuid": "string",
    "date-time": "string",
    "email": "string",
    "string": "string",
    "int32": "integer",
    "int64": "integer",
    "double": "number",
    "boolean": "boolean",
}
MISMATCHES = {
    "/[0-9]{4}/": "541",
    r"/^\+?[1-9]\d{0,14}/": "0715550126",
    "/[A-Z]{2}/": "Za",
    "/[A-Za-z0-9 -]{1,20}/": "6001_A",
    "/[0-9]{3}/": "71O",
    "/.{0,20}/": "123456789012345678901",
    "/[a-fA-F0-9]{16}/": "0123456789abcDEG",
    "/[0-9]{12}/": "40001234567",
    "/[0-9,A-F]{1,512}/": "9a",
    "/[0-9A-Za-z]{1,13}/": "60097000012345",
    "/[0-9]{6}[0-9*]{0,13}/": "41234*",
    "/[A-Z0-9]{1,40}/": "ref",
}


def violations(model: str, body: Json) -> list[dict[str, Any]]:
    with pytest.raises(FormatErrors) as refused:
        decode(encoded(body), getattr(models, model))
    return [
        {name: value for name in ("field", "msg", "value") if (value := getattr(violation, name)) is not None}
        for violation in refused.value.violations
    ]


def is_container(row: Row) -> bool:
    return row.type not in JSON_TYPES and not row.type.startswith("enum:")


def type_name(row: Row) -> str:
    if row.type.startswith("["):
        return "list"
    return "object" if is_container(row) else JSON_TYPES.get(row.type, "string")


def holds_secrets(row: Row) -> bool:
    """A scalar where such a field is an object may be the secret itself: it is not shown either."""
    inner = row.type.strip("[]{}")
    return row.code != "P" or (is_container(row) and any(below.code != "P" for below in rows_of(inner)))


def wrong_values(row: Row) -> Iterator[tuple[Any, str]]:
    """Values that break one constraint of a field, each with the text it must give."""
    path, constraint = row.path, row.constraint
    yield (
        ("x" if type_name(row) in ("integer", "number", "boolean") else {}) if not is_container(row) else "x",
        (f"{path} must be of type {type_name(row)}"),
    )
    if row.type.startswith("enum:"):
        listed = ", ".join(ENUMS[row.type[5:]].split())
        yield "cash", f"{path} must be one of [{listed}]"
    if row.type == "uuid":
        yield "0f3a1b2c77d41e5f9a60c4d8e2b17035", UUID_TEXT
        yield "0f3a1b2c-77d4-1e5f-9a60-c4d8e2b17035\n", UUID_TEXT
        yield 17, UUID_TEXT
    if row.type == "date-time":
        yield "2026-02-29T10:11:12.013Z", f"{path} must be an RFC 3339 date-time"
        yield "2026-02-28T10:11:12.013", f"{path} must be an RFC 3339 date-time"
        yield 1772000000000, f"{path} must be of type string"
    if row.type == "email":
        yield "thabo.example.com", f"{path} must be a well-formed email address"
    if row.type == "int64":
        yield 2**63, f"{path} must be of type integer"
        yield 1.5, f"{path} must be of type integer"
        yield "1.0", f"{path} must be of type integer"
        yield True, f"{path} must be of type integer"
    if row.type == "int32":
        yield 2**31, f"{path} must be of type integer"
    if row.type == "double":
        yield "1.5", f"{path} must be of type number"
    if row.type == "boolean":
        yield "true", f"{path} must be of type boolean"
    if constraint in MISMATCHES:
        yield MISMATCHES[constraint], f'{path} must match "{constraint[1:-1]}"'
    elif row.type == "string":
        low, high = map(int, constraint.split("-"))
        yield "é" * (high + 1), f"{path} length must be between {low} and {high}"
        if low:
            yield "é" * (low - 1), f"{path} length must be between {low} and {high}"
    if row.type == "string" and not constraint.startswith("/"):
        low = int(constraint.split("-")[0])
        yield "\0" * max(low, 1), f"{path} must not contain NUL or unpaired surrogates"
        yield "\ud83d" * max(low, 1), f"{path} must not contain NUL or unpaired surrogates"


def cases() -> list[Any]:
    return [
        pytest.param(model, row, value, text, id=f"{model}-{row.path}-{i}")
        for model in MESSAGES
        for row in rows_of(model)
        if row.type != "enum:PinType"
        for i, (value, text) in enumerate(wrong_values(row))
    ]


@pytest.mark.parametrize("model", MESSAGES)
def test_a_message_with_every_field_is_accepted_and_comes_back_unchanged(model: str) -> None:
    body = sample(model)
    message = decode(encoded(body), getattr(models, model))
    assert decode(encode(message), getattr(models, model)) == message
    assert json.loads(encode(message)) == body


@pytest.mark.parametrize(("model", "row", "value", "text"), cases())
def test_one_wrong_value_gives_its_text_and_nothing_else(model: str, row: Row, value: Any, text: str) -> None:
    expected: dict[str, Any] = {"field": row.path, "msg": text}
    if isinstance(value, (str, int, float)) and not holds_secrets(row):
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        expected["value"] = shown[:80].replace("\0", "\ufffd").replace("\ud83d", "\ufffd")
    assert violations(model, changed(sample(model), row.keys, value)) == [expected]


REQUIRED = [(model, row) for model in MESSAGES for row in rows_of(model) if row.required == "yes"]
OPTIONAL = [(model, row) for model in MESSAGES for row in rows_of(model) if row.required == "no"]


@pytest.mark.parametrize(("model", "row"), REQUIRED, ids=lambda item: getattr(item, "path", item))
def test_a_required_field_must_be_there_and_not_null(model: str, row: Row) -> None:
    expected = [{"field": row.path, "msg": f"{row.path} may not be null"}]
    assert violations(model, without(sample(model), row.keys)) == expected
    assert violations(model, changed(sample(model), row.keys, None)) == expected


@pytest.mark.parametrize(("model", "row"), OPTIONAL, ids=lambda item: getattr(item, "path", item))
def test_null_in_an_optional_field_counts_as_absent(model: str, row: Row) -> None:
    kind = getattr(models, model)
    left_out = decode(encoded(without(sample(model), row.keys)), kind)
    assert decode(encoded(changed(sample(model), row.keys, None)), kind) == left_out


LISTS = [(model, row) for model in MESSAGES for row in rows_of(model) if row.type[0] in "[{"]


@pytest.mark.parametrize(("model", "row"), LISTS, ids=lambda item: getattr(item, "path", item))
def test_an_element_of_a_list_or_map_may_not_be_null(model: str, row: Row) -> None:
    element = f"{row.path}[0]" if row.type.startswith("[") else f"{row.path}.tip"
    body = changed(sample(model), row.keys, [None] if row.type.startswith("[") else {"tip": None})
    assert violations(model, body) == [{"field": element, "msg": f"{element} may not be null"}]


@pytest.mark.parametrize(
    ("model", "row"),
    [(model, row) for model, row in LISTS if row.constraint != "-"],
    ids=lambda item: getattr(item, "path", item),
)
def test_a_list_or_map_has_a_greatest_size(model: str, row: Row) -> None:
    body = sample(model)
    value: Any = body
    for key in row.keys:
        value = value[key]
    limit = int(row.constraint)

    def filled(size: int) -> Any:
        return [value[0]] * size if isinstance(value, list) else {f"k{i}": value["tip"] for i in range(size)}

    decode(encoded(changed(body, row.keys, filled(limit))), getattr(models, model))
    expected = [{"field": row.path, "msg": f"{row.path} size must be between 0 and {limit}"}]
    assert violations(model, changed(body, row.keys, filled(limit + 1))) == expected


@pytest.mark.parametrize("model", MESSAGES)
def test_absent_third_party_identifiers_stay_absent_but_null_is_refused(model: str) -> None:
    kind = getattr(models, model)
    assert b"thirdPartyIdentifiers" not in encode(
        decode(encoded(without(sample(model), ["thirdPartyIdentifiers"])), kind)
    )
    assert b'"thirdPartyIdentifiers":[]' in encode(
        decode(encoded(changed(sample(model), ["thirdPartyIdentifiers"], [])), kind)
    )
    expected = [{"field": "thirdPartyIdentifiers", "msg": "thirdPartyIdentifiers may not be null"}]
    assert violations(model, changed(sample(model), ["thirdPartyIdentifiers"], None)) == expected


@pytest.mark.parametrize("model", MESSAGES)
def test_violations_come_in_the_order_of_the_tables(model: str) -> None:
    body = sample(model)
    leaves = [row for row in rows_of(model) if not is_container(row) and row.type not in ("boolean", "enum:PinType")]
    for row in leaves:
        body = changed(body, row.keys, [])
    assert [found["field"] for found in violations(model, body)] == [row.path for row in leaves][:100]
