"""The OpenAPI document and its page tell the truth: about paths, statuses, and what is accepted and sent."""

import json
import re
from typing import Any

import pytest
import schemathesis
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from support.interface_examples import MESSAGES, WORKED, Json, Row, changed, encoded, rows_of, sample
from voucherswitch.interface import models
from voucherswitch.interface.decode import decode, encode
from voucherswitch.interface.docs_page import CONTENT_SECURITY_POLICY, docs_assets
from voucherswitch.interface.openapi import document, document_bytes
from voucherswitch.security.oauth.scopes import Scope

DOCUMENT = document()
SCHEMAS = DOCUMENT["components"]["schemas"]

# operationId: method, path, request model, success status and model, failure statuses of its table row.
OPERATIONS = """
provisionVoucher       post /vouchers                     ProvisionRequest  201 ProvisionResponse      400 401 404 500 503 504
retryProvisionVoucher  post /vouchers/{provisionId}/retry ProvisionRequest  201 ProvisionResponse      400 401 404 500 501 503 504
confirmVoucher         post /vouchers/confirmations       TenderAdvice      202 TenderAdvice           400 401 404 500 503 504
reverseVoucher         post /vouchers/reversals           BasicReversal     202 BasicReversal          400 401 404 500 503 504
lookupVoucher          get  /vouchers                     -                 200 VoucherLookupResponse  400 401 404 500 503 504
redeemVoucher          post /redemptions                  RedemptionRequest 201 RedemptionResponse     400 401 500 503 504
confirmRedeem          post /redemptions/confirmations    BasicAdvice       202 BasicAdvice            400 401 404 500 503 504
reverseRedeem          post /redemptions/reversals        BasicReversal     202 BasicReversal          400 401 404 500 503 504
lookupRedemption       get  /redemptions/{requestId}      -                 200 RedemptionResponse     400 401 403 404 500 503 504
refundVoucher          post /refunds                      RefundRequest     201 RefundResponse         400 401 500 503 504
confirmRefund          post /refunds/confirmations        BasicAdvice       202 BasicAdvice            400 401 404 500 503 504
reverseRefund          post /refunds/reversals            BasicReversal     202 BasicReversal          400 401 404 500 503 504
lookupProducts         get  /products                     -                 200 ProductsLookupResponse 400 401 404 500 501 503 504
"""  # noqa: E501
ROWS = [line.split() for line in OPERATIONS.strip().splitlines()]


def operation(method: str, path: str) -> Json:
    found: Json = DOCUMENT["paths"][path][method]
    return found


def resolved(response: Json) -> Json:
    """A response, whether it stands in the operation or is shared."""
    if "$ref" in response:
        shared: Json = DOCUMENT["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
        return shared
    return response


def validator(model: str) -> Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{model}", "components": DOCUMENT["components"]}
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def schema_of(content: Json) -> str:
    return str(content["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1])


def test_the_document_has_exactly_the_thirteen_operations() -> None:
    found = {item["operationId"] for methods in DOCUMENT["paths"].values() for item in methods.values()}
    assert found == {row[0] for row in ROWS}
    assert DOCUMENT["servers"] == [{"url": "/suv/v1"}]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_an_operation_lists_its_bodies_and_every_status(row: list[str]) -> None:
    name, method, path, request, success, answer, *failures = row
    described = operation(method, path)
    assert described["operationId"] == name
    assert described["description"]
    always = {"403", "405", *(("413", "415") if request != "-" else ())}
    assert set(described["responses"]) == {success, *failures, *always}
    assert schema_of(described["responses"][success]) == answer
    assert (schema_of(described["requestBody"]) if "requestBody" in described else "-") == request


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_failures_have_an_error_body_and_promised_headers(row: list[str]) -> None:
    name, method, path, *_ = row
    responses = {int(status): resolved(item) for status, item in operation(method, path)["responses"].items()}
    for status, response in responses.items():
        bodyless = name == "lookupRedemption" and status == 404
        if status >= 400:
            assert "content" not in response if bodyless else schema_of(response) == "ErrorDetail"
        headers = {201: {"Location"}, 401: {"WWW-Authenticate"}, 503: {"Retry-After"}}.get(status, set())
        assert set(response.get("headers", {})) == headers
        assert all(header["required"] for header in response.get("headers", {}).values())


def test_every_operation_says_which_scope_its_token_needs() -> None:
    scopes = set(DOCUMENT["components"]["securitySchemes"]["oauth2"]["flows"]["password"]["scopes"])
    needed = set()
    for method, path in [row[1:3] for row in ROWS]:
        basic, oauth2 = operation(method, path)["security"]
        assert basic == {"basic": []}
        needed |= set(oauth2["oauth2"])
    assert needed == scopes == set(Scope)


def test_parameters_are_those_of_the_tables() -> None:
    def parameters(method: str, path: str) -> list[tuple[str, str, bool]]:
        return [(one["name"], one["in"], one["required"]) for one in operation(method, path)["parameters"]]

    assert parameters("post", "/vouchers/{provisionId}/retry") == [("provisionId", "path", True)]
    assert parameters("get", "/redemptions/{requestId}") == [("requestId", "path", True)]
    assert parameters("get", "/products") == [("channelName", "query", False)]
    assert parameters("get", "/vouchers") == [
        ("voucherCode", "query", False),
        ("provisionRequestId", "query", False),
        ("voucherSerialNumber", "query", False),
        ("receiverInstId", "query", False),
        ("settlementEntityInstId", "query", False),
    ]
    code = operation("get", "/vouchers")["parameters"][0]
    assert code["schema"] == {"type": "string", "minLength": 1, "maxLength": 40}


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_valid_closed_and_portable(name: str) -> None:
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    if "properties" in schema:
        assert schema["additionalProperties"] is False
    for pattern in re.findall(r'"pattern": "(.*?[^\\])"', json.dumps(schema)):
        assert pattern.startswith("^")
        assert pattern.endswith("$")
        assert not re.search(r"\\A|\\Z|\(\?a|\\\\d", pattern)


def test_no_schema_mentions_our_attribute_names() -> None:
    assert not re.findall(r"[a-z]+_[a-z]+", json.dumps(SCHEMAS))


@pytest.mark.parametrize("model", MESSAGES)
def test_the_schema_lists_fields_in_published_order_with_their_requiredness(model: str) -> None:
    rows = [row for row in rows_of(model) if "." not in row.path]
    assert list(SCHEMAS[model]["properties"]) == [row.path for row in rows]
    assert set(SCHEMAS[model]["required"]) == {row.path for row in rows if row.required == "yes"}


@pytest.mark.parametrize(("model", "message"), WORKED, ids=[name for name, _ in WORKED])
def test_what_we_send_meets_its_schema(model: str, message: Json) -> None:
    validator(model).validate(json.loads(encode(decode(encoded(message), getattr(models, model)))))


@pytest.mark.parametrize("model", MESSAGES)
def test_a_message_with_every_field_meets_its_schema(model: str) -> None:
    validator(model).validate(sample(model))


@pytest.mark.parametrize(
    ("model", "row"),
    [(model, row) for model in MESSAGES for row in rows_of(model) if row.required == "no"],
    ids=lambda item: getattr(item, "path", item),
)
def test_the_schema_allows_null_where_it_counts_as_absent(model: str, row: Row) -> None:
    validator(model).validate(changed(sample(model), row.keys, None))


@pytest.mark.parametrize(
    ("path", "value", "valid"),
    [
        ("amounts.requestAmount.currency", 710, True),
        ("amounts.requestAmount.currency", "710", True),
        ("amounts.requestAmount.currency", 36, False),
        ("amounts.requestAmount.currency", "ZAR", False),
        ("amounts.requestAmount.amount", 2**63, False),
        ("thirdPartyIdentifiers", None, False),
        ("thirdPartyIdentifiers", [], True),
        ("originator.terminalId", "1234567", False),
        ("originator.terminalId", None, False),
        ("originator.merchant.merchantType", "541A", False),
        ("tenders[0].tenderType", "cash", False),
        ("tenders[0].cardNumber", "4123", False),
        ("recipient.msisdn", "+0", False),
        ("voucher.pin", {"type": "CLEAR_PIN", "pin": "1234"}, True),
        ("voucher.pin", {"type": "HASHED_PIN", "pin": "1234"}, False),
        ("tranType", "SALE", False),
        ("id", "17", False),
    ],
)
def test_the_schema_refuses_what_we_refuse(path: str, value: Any, valid: bool) -> None:
    body = changed(sample("ProvisionRequest"), Row(path, "", "", "", "").keys, value)
    assert validator("ProvisionRequest").is_valid(body) is valid


def examples() -> list[Any]:
    found = []
    for path, methods in DOCUMENT["paths"].items():
        for method, item in methods.items():
            contents = [item["requestBody"]] if "requestBody" in item else []
            contents += [resolved(response) for response in item["responses"].values()]
            for content in contents:
                body = content.get("content", {}).get("application/json", {})
                shown = [body["example"]] if "example" in body else []
                shown += [one["value"] for one in body.get("examples", {}).values()]
                found += [pytest.param(schema_of(content), one, id=f"{method} {path}") for one in shown]
    return found


@pytest.mark.parametrize(("model", "example"), examples())
def test_every_example_is_a_message_that_we_would_accept_and_send(model: str, example: Json) -> None:
    assert json.loads(encode(decode(encoded(example), getattr(models, model)))) == example
    validator(model).validate(example)


def test_fuzzers_can_read_the_document() -> None:
    schema = schemathesis.openapi.from_dict(document())
    assert len(list(schema.get_all_operations())) == len(ROWS)


def test_the_document_is_served_from_memory() -> None:
    assert json.loads(document_bytes()) == document()
    assert document_bytes() is document_bytes()


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing_inline() -> None:
    """Anything else would be stopped by the policy it is served with, or fail on a network without internet."""
    assets = {path: asset.body.decode() for path, asset in docs_assets().items()}
    page = assets["/docs"]
    assert set(re.findall(r'(?:src|href)="(/[^"]*)"', page)) == {"/docs/docs.css", "/docs/docs.js", "/openapi.json"}
    assert not re.search(r"<style|<script(?! src)|\son[a-z]+=|\sstyle=", page)
    assert not any(re.search(r"https?://|@import|url\(|innerHTML|eval\(", text) for text in assets.values())
    assert "'unsafe" not in CONTENT_SECURITY_POLICY


def test_every_file_of_the_page_has_its_type() -> None:
    assert {path: asset.content_type for path, asset in docs_assets().items()} == {
        "/docs": "text/html; charset=utf-8",
        "/docs/docs.js": "text/javascript; charset=utf-8",
        "/docs/docs.css": "text/css; charset=utf-8",
    }
