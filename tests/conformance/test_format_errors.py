"""FORMAT_ERROR over HTTP: its shape (interface.md §3.2) and the texts of §3.3. Every field is tested in tests/unit."""

from typing import Any

import pytest

from support.client import Answer
from support.expect import format_refused
from support.messages import (
    Json,
    a_confirmation,
    a_provision,
    a_redemption,
    a_refund,
    a_reversal,
    a_tender_confirmation,
    cash,
    changed,
    new_id,
    rand,
    without,
)
from support.originators import TOLERANT
from support.switch import Switch
from support.till import Till

TRANSACTION = [
    "id",
    "time",
    "originator",
    "client",
    "originator.merchant",
    "originator.terminalId",
    "originator.institution",
    "originator.institution.id",
    "originator.institution.name",
    "originator.merchant.merchantId",
    "originator.merchant.merchantType",
    "originator.merchant.merchantName",
    "originator.merchant.merchantName.name",
    "originator.merchant.merchantName.city",
    "originator.merchant.merchantName.region",
    "originator.merchant.merchantName.country",
    "client.id",
    "client.name",
]
# The table at the end of §3.3, and `voucher.code`, which is a violation by §2.1.
CERTIFIED: list[tuple[str, list[str]]] = [
    ("/vouchers", [*TRANSACTION, "thirdPartyIdentifiers[0].transactionIdentifier"]),
    (
        "/redemptions",
        [
            *TRANSACTION,
            "thirdPartyIdentifiers[0].institutionId",
            "thirdPartyIdentifiers[0].transactionIdentifier",
            "voucher",
            "voucher.code",
        ],
    ),
    ("/refunds", [*TRANSACTION, "thirdPartyIdentifiers[0].institutionId", "voucher", "voucher.code"]),
    ("/vouchers/confirmations", ["id", "requestId", "time", "tenders[0].amount.currency"]),
    ("/vouchers/reversals", ["id", "requestId", "time", "reversalReason"]),
    ("/redemptions/confirmations", ["id", "requestId", "time"]),
    ("/redemptions/reversals", ["id", "requestId", "time", "reversalReason"]),
    ("/refunds/confirmations", ["id", "requestId", "time"]),
    ("/refunds/reversals", ["id", "requestId", "time", "reversalReason"]),
]
LEFT_OUT = [(path, missing) for path, fields in CERTIFIED for missing in fields]


def a_message(path: str) -> Json:
    """A valid message for a path."""
    match path:
        case "/vouchers":
            return a_provision()
        case "/redemptions":
            return a_redemption(code="4711")
        case "/refunds":
            return a_refund(code="4711")
        case "/vouchers/confirmations":
            return a_tender_confirmation(new_id())
        case _ if path.endswith("/confirmations"):
            return a_confirmation(new_id())
        case _:
            return a_reversal(new_id())


@pytest.mark.parametrize("how", ["absent", "null"])
@pytest.mark.parametrize(("path", "missing"), LEFT_OUT, ids=[f"{path} {missing}" for path, missing in LEFT_OUT])
async def test_3_3_a_missing_field_is_the_first_violation(till: Till, path: str, missing: str, how: str) -> None:
    whole = a_message(path)

    answer = await till.post(path, without(whole, missing) if how == "absent" else changed(whole, missing, None))

    format_refused(
        answer,
        id=None if missing == "id" else whole["id"],
        violations=[(missing, f"{missing} may not be null")],
    )
    assert "value" not in answer.violations[0]


async def rejected(till: Till, path: str, value: Any) -> Answer:
    """Send a provision with one value changed; it must be a FORMAT_ERROR with the body's own id."""
    request = changed(a_provision(tenders=[cash(10_000)]), path, value)
    answer = await till.post("/vouchers", request)
    format_refused(answer, id=request["id"] if path != "id" else None)
    return answer


ROWS: list[tuple[int, str, Any, str, str | None]] = [
    (2, "id", "4711", "UUID must conform to the format 8-4-4-4-12 hexadecimal values", "4711"),
    (3, "colour", "green", "Unrecognized field 'colour'", "green"),
    (3, "originator.merchant.colour", 7, "Unrecognized field 'originator.merchant.colour'", "7"),
    (3, "paymentMethods", [], "Unrecognized field 'paymentMethods'", None),
    (4, "thirdPartyIdentifiers[1]", None, "thirdPartyIdentifiers[1] may not be null", None),
    (5, "originator.terminalId", "T42", "originator.terminalId length must be between 8 and 8", "T42"),
    (5, "client.name", "x" * 41, "client.name length must be between 0 and 40", "x" * 41),
    (6, "originator.merchant.merchantType", "54A1", 'originator.merchant.merchantType must match "[0-9]{4}"', "54A1"),
    (6, "amounts.requestAmount.currency", "ZAR", 'amounts.requestAmount.currency must match "[0-9]{3}"', "ZAR"),
    (7, "tenders[0].tenderType", "Cash", "tenders[0].tenderType must be one of [CASH, CHEQUE, CREDIT_CARD, DEBIT_CARD, "
        "WALLET, ROUNDING, GIFT_CARD, LOYALTY_CARD, OTHER]", "Cash"),
    (8, "amounts.requestAmount.amount", "1.5", "amounts.requestAmount.amount must be of type integer", "1.5"),
    (8, "amounts.requestAmount.amount", 2**63, "amounts.requestAmount.amount must be of type integer", str(2**63)),
    (8, "product.isFixedValue", "yes", "product.isFixedValue must be of type boolean", "yes"),
    (8, "originator", [], "originator must be of type object", None),
    (8, "tenders", {}, "tenders must be of type list", None),
    (8, "basketRef", {}, "basketRef must be of type string", None),
    (8, "time", 1_700_000_000, "time must be of type string", "1700000000"),
    (9, "time", "2026-03-12 09:15:02Z", "time must be an RFC 3339 date-time", "2026-03-12 09:15:02Z"),
    (9, "time", "2026-03-12T09:15:02", "time must be an RFC 3339 date-time", "2026-03-12T09:15:02"),
    (9, "time", "2026-02-30T09:15:02Z", "time must be an RFC 3339 date-time", "2026-02-30T09:15:02Z"),
    (10, "recipient", {"emailAddress": "thabo"}, "recipient.emailAddress must be a well-formed email address", None),
    (11, "transactionLabels", [{"name": "a", "value": "b"}] * 21, "transactionLabels size must be between 0 and 20",
        None),
    (16, "basketRef", "a\0b", "basketRef must not contain NUL or unpaired surrogates", "a\N{REPLACEMENT CHARACTER}b"),
    (16, "rrn", "\ud800", "rrn must not contain NUL or unpaired surrogates", "\N{REPLACEMENT CHARACTER}"),
    (5, "stan", "9" * 256, "stan length must be between 0 and 255", "9" * 80),
    (5, "voucher", {"code": "7" * 41}, "voucher.code length must be between 0 and 40", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "path", "value", "message", "shown"), ROWS, ids=[f"row {row} {path}" for row, path, *_ in ROWS]
)
async def test_3_3_the_texts_letter_by_letter(
    till: Till, row: int, path: str, value: Any, message: str, shown: str | None
) -> None:
    answer = await rejected(till, path, value)

    first = answer.violations[0]
    assert first["msg"] == message
    assert first.get("value") == shown


@pytest.mark.parametrize(
    ("row", "body", "message"),
    [
        (12, b"", "The request body may not be null"),
        (12, b" \n ", "The request body may not be null"),
        (12, b"null", "The request body may not be null"),
        (13, b"{", "The request body is not valid JSON"),
        (13, b'{"id": NaN}', "The request body is not valid JSON"),
        (13, b"{'id': 1}", "The request body is not valid JSON"),
        (13, b"\xff\xfe{}", "The request body is not valid JSON"),
        (13, b'{"id":"\xe9"}', "The request body is not valid JSON"),
        (14, b"[]", "The request body must be an object"),
        (14, b'"id"', "The request body must be an object"),
        (14, b"4711", "The request body must be an object"),
    ],
)
@pytest.mark.parametrize("path", ["/vouchers", "/redemptions/reversals"])
async def test_3_3_a_body_that_is_no_message(till: Till, path: str, row: int, body: bytes, message: str) -> None:
    format_refused(await till.post(path, body), id=None, violations=[(None, message)])


async def test_3_3_row_15_the_same_field_twice(till: Till) -> None:
    body = b'{"id": "x", "id": "y", "client": {"id": "1", "name": "a", "name": "b"}}'

    answer = await till.post("/vouchers", body)

    messages = [found["msg"] for found in answer.violations]
    assert "Duplicate field 'id'" in messages
    assert "Duplicate field 'client.name'" in messages


async def test_3_2_every_violation_is_listed_in_the_order_of_the_tables(till: Till) -> None:
    request = a_provision(zebra=1, amounts={"requestAmount": {"amount": "x", "currency": "ZA"}}, aardvark=2)
    request = without(request, "client.name")
    request = changed(changed(request, "originator.terminalId", "T42"), "originator.merchant.merchantType", "abc")

    answer = await till.post("/vouchers", request)

    assert [found["field"] for found in answer.violations] == [
        "originator.terminalId",
        "originator.merchant.merchantType",
        "client.name",
        "amounts.requestAmount.amount",
        "amounts.requestAmount.currency",
        *[name for name in request if name in ("zebra", "aardvark")],
    ]


async def test_3_2_one_field_may_break_several_constraints(till: Till) -> None:
    answer = await rejected(till, "recipient", {"msisdn": "0" * 300})

    assert {found["field"] for found in answer.violations} == {"recipient.msisdn"}


async def test_3_2_wrong_type_ends_the_checks_below(till: Till) -> None:
    answer = await rejected(till, "originator", "the till")

    assert [found["field"] for found in answer.violations] == ["originator"]


async def test_3_2_at_most_a_hundred_are_listed(till: Till) -> None:
    answer = await rejected(till, "tenders", [{"x": i} for i in range(80)])

    assert len(answer.violations) == 100


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        ("voucher", {"code": "SECRET-CODE-" + "7" * 40}),
        ("voucher", {"pin": {"type": "CLEAR_PIN", "pin": "SECRET-PIN-31415926535"}}),
        ("voucher", {"pin": {"type": "ENCRYPTED_PIN", "pinBlock": "SECRET-BLOCK"}}),
        ("voucher", {"pin": {"type": "HASHED_PIN", "hash": "SECRET-HASH"}}),
        ("voucher", {"pni": "SECRET-TYPO"}),
        ("voucherCode", "SECRET-PLACE"),
        ("tenders", [cash(1) | {"cardNumber": "SECRET-CARD"}]),
        ("recipient", {"msisdn": "SECRET-NUMBER"}),
        ("recipient", {"firstName": "SECRET-NAME" * 10}),
        ("recipient", {"dateOfBirth": "SECRET-BIRTH"}),
    ],
)
async def test_3_2_what_is_masked_in_logs_is_not_shown_in_violations(till: Till, path: str, secret: Any) -> None:
    answer = await rejected(till, path, secret)

    assert "SECRET" not in answer.raw.decode()


async def test_3_2_an_id_that_is_malformed_is_not_repeated_as_the_id(till: Till) -> None:
    answer = await till.post("/redemptions/confirmations", a_confirmation("also wrong", id="wrong"))

    format_refused(answer, id=None)
    assert [found["field"] for found in answer.violations] == ["id", "requestId"]


async def test_o7_tolerated_fields_are_accepted_and_ignored(switch: Switch, till: Till) -> None:
    tolerant = Till(switch, TOLERANT)
    extra: Json = {"loyalty": {"card": 7}, "tenders": [cash(10_000) | {"scheme": "VISA"}]}

    accepted = await tolerant.provision(**extra)
    elsewhere = await tolerant.provision(scheme="VISA")
    strict = await till.provision(**extra)

    assert accepted.status == 201
    assert "loyalty" not in accepted.body
    assert [found["field"] for found in elsewhere.violations] == ["scheme"]
    assert [found["field"] for found in strict.violations] == ["loyalty", "tenders[0].scheme"]


async def test_3_5_the_limits_themselves_are_accepted(till: Till) -> None:
    entries = [{"institutionId": "1", "transactionIdentifier": str(i)} for i in range(20)]

    answer = await till.provision(
        thirdPartyIdentifiers=entries,
        transactionLabels=[{"name": "n" * 50, "value": "v" * 255}] * 20,
        basketRef="b" * 255,
        amounts={"requestAmount": rand(10_000), "additionalAmounts": {f"a{i}": rand(1) for i in range(20)}},
    )

    assert answer.status == 201
    assert len(answer.body["thirdPartyIdentifiers"]) == 22
    advice = a_tender_confirmation(answer.body["id"], thirdPartyIdentifiers=answer.body["thirdPartyIdentifiers"])
    assert (await till.post("/vouchers/confirmations", advice)).status == 202
