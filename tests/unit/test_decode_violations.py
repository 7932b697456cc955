"""The FORMAT_ERROR list: which paths certification asks for, order, depth, what is shown, and how much."""

from typing import Any

import pytest

from support.interface_examples import (
    BASIC_ADVICE,
    BASIC_REVERSAL,
    PROVISION_REQUEST,
    REDEMPTION_REQUEST,
    REFUND_REQUEST,
    TENDER_ADVICE,
    Json,
    Row,
    changed,
    encoded,
    without,
)
from voucherswitch.interface.decode import FormatErrors, decode, encode
from voucherswitch.interface.models import (
    BasicAdvice,
    BasicReversal,
    ErrorDetail,
    ErrorType,
    Message,
    ProvisionRequest,
    RedemptionRequest,
    RefundRequest,
    TenderAdvice,
)
from voucherswitch.interface.models.errors import DetailMessage

ID = PROVISION_REQUEST["id"]

# What certification leaves out, and where.
TRANSACTION = """
    id time originator client originator.merchant originator.terminalId originator.institution
    originator.institution.id originator.institution.name originator.merchant.merchantId
    originator.merchant.merchantType originator.merchant.merchantName originator.merchant.merchantName.name
    originator.merchant.merchantName.city originator.merchant.merchantName.region
    originator.merchant.merchantName.country client.id client.name
"""
LEFT_OUT: list[tuple[type[Message], Json, str]] = [
    (ProvisionRequest, PROVISION_REQUEST, f"{TRANSACTION} thirdPartyIdentifiers[0].transactionIdentifier"),
    (
        RedemptionRequest,
        REDEMPTION_REQUEST,
        f"{TRANSACTION} thirdPartyIdentifiers[0].institutionId thirdPartyIdentifiers[0].transactionIdentifier voucher"
        " voucher.code",
    ),
    (RefundRequest, REFUND_REQUEST, f"{TRANSACTION} thirdPartyIdentifiers[0].institutionId voucher voucher.code"),
    (TenderAdvice, TENDER_ADVICE, "id requestId time tenders[0].amount.currency"),
    (BasicReversal, BASIC_REVERSAL, "id requestId time reversalReason"),
    (BasicAdvice, BASIC_ADVICE, "id requestId time"),
]


def refused(body: bytes, model: type[Message] = ProvisionRequest, tolerated: str = "") -> FormatErrors:
    with pytest.raises(FormatErrors) as caught:
        decode(body, model, frozenset(tolerated.split()))
    return caught.value


def texts(body: Any, model: type[Message] = ProvisionRequest) -> list[str]:
    return [found.msg for found in refused(encoded(body), model).violations]


def at(path: str) -> list[str | int]:
    return Row(path, "", "", "", "").keys


@pytest.mark.parametrize(
    ("model", "message", "path"),
    [
        pytest.param(model, message, path, id=f"{model.__name__}-{path}")
        for model, message, paths in LEFT_OUT
        for path in paths.split()
    ],
)
def test_each_field_that_certification_leaves_out_is_named(model: type[Message], message: Json, path: str) -> None:
    found = refused(encoded(without(message, at(path))), model).violations
    assert [(one.field, one.msg, one.value) for one in found] == [(path, f"{path} may not be null", None)]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "The request body may not be null"),
        (b" \r\n\t", "The request body may not be null"),
        (b"null", "The request body may not be null"),
        (b"{", "The request body is not valid JSON"),
        (b"{} {}", "The request body is not valid JSON"),
        (b"{'id': 1}", "The request body is not valid JSON"),
        (b'{"id": NaN}', "The request body is not valid JSON"),
        (b'{"id": -Infinity}', "The request body is not valid JSON"),
        (b'{"id": "\xff"}', "The request body is not valid JSON"),
        (b'{"id": "\xed\xa0\x80"}', "The request body is not valid JSON"),
        (b'{"id": "\x00"}', "The request body is not valid JSON"),
        ('{"id": "x"}'.encode("utf-16"), "The request body is not valid JSON"),
        (b"\xef\xbb\xbf{}", "The request body is not valid JSON"),
        (b"[]", "The request body must be an object"),
        (b'"id"', "The request body must be an object"),
        (b"17", "The request body must be an object"),
        (b"true", "The request body must be an object"),
    ],
)
def test_a_body_that_is_no_message_gives_one_text_and_no_field(body: bytes, text: str) -> None:
    caught = refused(body)
    assert [(one.field, one.msg, one.value) for one in caught.violations] == [(None, text, None)]
    assert caught.id is None


def test_nesting_is_bounded() -> None:
    """Sixteen levels are read, and judged by their fields; the seventeenth makes the body unreadable."""

    def nested(levels: int) -> Json:
        return {"deep": 1} if levels == 1 else {"deep": nested(levels - 1)}

    assert "Unrecognized field 'deep'" in texts(nested(16))
    assert texts(nested(17)) == ["The request body is not valid JSON"]
    assert texts({"deep": [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}) == ["The request body is not valid JSON"]


def test_known_fields_come_first_then_unknown_ones_in_body_order() -> None:
    """Whatever the order in the body, and however deep the unknown field stands."""
    body = {"zebra": 1, **PROVISION_REQUEST, "aardvark": "2"}
    body["product"] = {"colour": True}
    body["originator"] = {**body["originator"], "hat": None, "terminalId": "T1"}
    body["client"] = {"id": "70110002"}
    found = refused(encoded(body)).violations
    assert [(one.field, one.msg, one.value) for one in found] == [
        ("originator.terminalId", "originator.terminalId length must be between 8 and 8", "T1"),
        ("client.name", "client.name may not be null", None),
        ("product.productId", "product.productId may not be null", None),
        ("zebra", "Unrecognized field 'zebra'", "1"),
        ("originator.hat", "Unrecognized field 'originator.hat'", None),
        ("product.colour", "Unrecognized field 'product.colour'", "true"),
        ("aardvark", "Unrecognized field 'aardvark'", "2"),
    ]


def test_every_failed_constraint_of_one_field_is_listed() -> None:
    body = changed(PROVISION_REQUEST, at("client.name"), "\0" * 41)
    assert texts(body) == [
        "client.name length must be between 0 and 40",
        "client.name must not contain NUL or unpaired surrogates",
    ]


def test_a_wrong_type_ends_the_checks_of_what_is_below() -> None:
    assert texts(changed(PROVISION_REQUEST, ["originator"], "till 3")) == ["originator must be of type object"]
    assert texts(changed(PROVISION_REQUEST, ["tenders"], {})) == ["tenders must be of type list"]
    assert texts(changed(PROVISION_REQUEST, ["amounts"], [])) == ["amounts must be of type object"]


def test_list_elements_are_named_by_index() -> None:
    body = changed(TENDER_ADVICE, ["tenders", 1, "amount"], {"amount": 1})
    body["thirdPartyIdentifiers"][2] = None
    assert texts(body, TenderAdvice) == [
        "thirdPartyIdentifiers[2] may not be null",
        "tenders[1].amount.currency may not be null",
    ]


def test_a_field_given_twice_is_refused_wherever_it_stands() -> None:
    text = encoded(PROVISION_REQUEST).decode()
    twice = text.replace('"stan"', '"stan": "1", "stan"').replace('"city"', '"city": "Durban", "city"')
    found = [one.msg for one in refused(twice.encode()).violations]
    assert found == ["Duplicate field 'originator.merchant.merchantName.city'", "Duplicate field 'stan'"]


@pytest.mark.parametrize(
    ("body", "model"),
    [
        (PROVISION_REQUEST, ProvisionRequest),
        (REDEMPTION_REQUEST, RedemptionRequest),
        (REFUND_REQUEST, RefundRequest),
        (BASIC_ADVICE, BasicAdvice),
        (BASIC_REVERSAL, BasicReversal),
        (TENDER_ADVICE, TenderAdvice),
    ],
)
def test_no_field_of_any_message_is_taken_twice_whatever_comes_the_first_time(body: Json, model: type[Message]) -> None:
    """The quick reading must see each of them: with the same value, another, one that is none, and an empty one."""
    for path in paths_of(body):
        values: tuple[Any, ...] = (value_at(body, path), "", "1", None, 0, {}, [])
        for first in values:
            twice = written_twice(body, path, first)
            found = [one.msg for one in refused(twice, model).violations]
            assert any(text.startswith("Duplicate field") and text.endswith(f"{path[-1]}'") for text in found), twice


Path = tuple[str | int, ...]


def paths_of(value: Any, above: Path = ()) -> list[Path]:
    """Where every field of a body is."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [
        path
        for key, item in items
        for path in ([(*above, key)] if isinstance(key, str) else []) + paths_of(item, (*above, key))
    ]


def value_at(value: Any, path: Path) -> Any:
    """What is there."""
    for key in path:
        value = value[key]
    return value


def written_twice(value: Any, path: Path, first: Any) -> bytes:
    """The body as JSON, with one field twice: first with a value of its own."""
    if isinstance(value, list):
        parts = [
            written_twice(item, path[1:], first) if path and path[0] == number else encoded(item)
            for number, item in enumerate(value)
        ]
        return b"[" + b",".join(parts) + b"]"
    parts = []
    for name, item in value.items():
        if path == (name,):
            parts.append(encoded(name) + b":" + encoded(first))
        deeper = len(path) > 1 and path[0] == name
        parts.append(encoded(name) + b":" + (written_twice(item, path[1:], first) if deeper else encoded(item)))
    return b"{" + b",".join(parts) + b"}"


def test_a_repeated_free_key_tag_or_unknown_field_is_refused_too() -> None:
    amounts = '"amounts": {"additionalAmounts": {"tip": {"amount": 1, "currency": "710"}, "tip": {"amount": 1}}}'
    text = encoded(BASIC_ADVICE).decode()[:-1]
    assert [one.msg for one in refused(f'{text}, {amounts}, "x": 1, "x": 2}}'.encode(), BasicAdvice).violations] == [
        "Duplicate field 'amounts.additionalAmounts.tip'",
        "amounts.additionalAmounts.tip.currency may not be null",
        "Unrecognized field 'x'",
        "Duplicate field 'x'",
    ]
    pin = '"voucher": {"pin": {"type": "CLEAR_PIN", "type": "CLEAR_PIN", "pin": "1"}}'
    text = encoded(PROVISION_REQUEST).decode()[:-1]
    assert [one.msg for one in refused(f"{text}, {pin}}}".encode()).violations] == [
        "Duplicate field 'voucher.pin.type'"
    ]


@pytest.mark.parametrize(
    ("pin", "expected"),
    [
        ({}, ["voucher.pin.type may not be null"]),
        (
            {"type": "PIN", "pin": "1", "nothing": 1},
            ["voucher.pin.type must be one of [CLEAR_PIN, ENCRYPTED_PIN, HASHED_PIN]"],
        ),
        ({"type": {}}, ["voucher.pin.type must be of type string"]),
        ({"type": "CLEAR_PIN"}, ["voucher.pin.pin may not be null"]),
        (
            {"type": "CLEAR_PIN", "pin": "1234", "pinBlock": "0123456789ABCDEF"},
            ["Unrecognized field 'voucher.pin.pinBlock'"],
        ),
        ("1234", ["voucher.pin must be of type object"]),
    ],
)
def test_the_type_of_a_pin_decides_which_fields_it_has(pin: Any, expected: list[str]) -> None:
    assert texts({**PROVISION_REQUEST, "voucher": {"pin": pin}}) == expected


SECRET = "4123456789012345"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("voucher", SECRET),
        ("voucher", {"code": SECRET * 3}),
        ("voucher", {"pin": SECRET}),
        ("voucher", {"pin": {"type": "CLEAR_PIN", "pin": SECRET * 2}}),
        ("voucher", {"pin": {"type": "CLEAR_PIN", "pin": "1", "pinn": SECRET}}),
        ("voucher", {"kode": SECRET}),
        ("voucher", {"redeemInstructions": SECRET}),
        ("voucher", {"redeemInstructions": [SECRET * 20]}),
        ("tenders", [SECRET]),
        ("tenders", [{"amount": {"amount": 1, "currency": "710"}, "tenderType": "CASH", "cardNumber": "x" + SECRET}]),
        ("recipient", SECRET),
        ("recipient", {"msisdn": "0" + SECRET}),
        ("recipient", {"nickname": SECRET}),
        ("recipient", {"dateOfBirth": SECRET}),
        ("recipient", {"emailAddress": SECRET}),
        ("recipient", {"addressDetails": {"street": SECRET}}),
        ("slipData", {"messageLines": [SECRET]}),
        ("slipData", {"messageLines": [{"text": SECRET * 20}]}),
        ("voucherCode", SECRET),
        ("PIN", SECRET),
        ("cardnumber", SECRET),
    ],
)
def test_no_violation_shows_what_could_be_spent_or_whose_it_is(path: str, value: Any) -> None:
    assert SECRET not in repr(refused(encoded({**PROVISION_REQUEST, path: value})).violations)


def test_a_plain_value_is_shown_as_text_up_to_eighty_characters() -> None:
    found = refused(encoded({**PROVISION_REQUEST, "basketRef": "ä" * 256, "stan": {}, "extra": False})).violations
    assert [one.value for one in found] == ["ä" * 80, None, "false"]


def test_at_most_a_hundred_violations_are_listed() -> None:
    assert len(texts({f"x{i}": 1 for i in range(200)})) == 100
    assert len(texts({**PROVISION_REQUEST, "thirdPartyIdentifiers": [None] * 20_000})) == 100


def test_names_and_values_that_cannot_be_sent_are_made_sendable() -> None:
    """A lone surrogate in a field name would otherwise break the very answer that refuses it."""
    caught = refused(b'{"\\ud800\\u0000": "\\udfff", "x": "' + b"y" * 500 + b'"}', BasicAdvice)
    body = encode(
        ErrorDetail(
            error_type=ErrorType.FORMAT_ERROR,
            error_message="Bad formatting.",
            detail_message=DetailMessage(format_errors=tuple(caught.violations)),
        )
    )
    assert "Unrecognized field '\ufffd\ufffd'" in body.decode()


@pytest.mark.parametrize("value", [ID, ID.upper()])
def test_the_refusal_carries_the_id_of_the_body_if_it_is_one(value: str) -> None:
    assert refused(encoded({**PROVISION_REQUEST, "id": value, "x": 1})).id == value


@pytest.mark.parametrize("value", [None, "", 17, ID[:-1], [ID], ID + "\n"])
def test_the_refusal_carries_no_id_otherwise(value: Any) -> None:
    assert refused(encoded({**PROVISION_REQUEST, "id": value})).id is None


def test_tolerated_fields_are_left_out_and_nothing_else_is() -> None:
    """Tolerance is for fields we don't know: it never hides a known one, and never a wrong value of one."""
    tolerated = frozenset({"paymentMethods", "tenders.tip", "voucher.code"})
    body = {**PROVISION_REQUEST, "paymentMethods": [{"a": 1, "b": {}}]}
    body["tenders"] = [{"amount": {"amount": 1, "currency": 710}, "tenderType": "CASH", "tip": 3}]
    message = decode(encoded(body), ProvisionRequest, tolerated)
    assert b"paymentMethods" not in encode(message)
    assert b"tip" not in encode(message)
    caught = refused(encoded({**body, "voucher": {"code": "x" * 41}, "tip": 1}), tolerated=" ".join(tolerated))
    assert [one.msg for one in caught.violations] == [
        "voucher.code length must be between 0 and 40",
        "Unrecognized field 'tip'",
    ]
