"""The OpenAPI 3.1 document of the interface, generated from the models that the endpoints decode with.

Built once; written by hand are only the table of operations, the examples and the words.
"""

import json
from functools import cache
from typing import Any, Final

from voucherswitch.interface.models import ErrorDetail, examples
from voucherswitch.interface.models.base import UUID_SHAPE
from voucherswitch.interface.models.operations import OPERATIONS, Operation
from voucherswitch.interface.models.schema import REF, component_schemas, parameter_schemas
from voucherswitch.security.oauth.scopes import MEANINGS, Scope

Json = dict[str, Any]

BASE_PATH: Final = "/suv/v1"
JSON_TYPE: Final = "application/json"

DESCRIPTION: Final = """\
Digital vouchers over one interface: provision them, look them up, redeem and refund them.

**Paths** are accepted with and without a trailing slash.

**Ids** are UUIDs that you choose. They are compared without regard to case and echoed as you wrote them. An id is used
up by the first request that we record under it.

**Times** are RFC 3339 with seconds and an offset. We answer in UTC with three fraction digits; a time sent that way
comes back unchanged.

**Optional fields** may be left out or be null, which is the same; only `thirdPartyIdentifiers` must not be null. Our
answers never hold null. Unknown fields and fields given twice are refused.

**Conversions**: a number or a boolean given for a text is taken as it is written (`710` becomes `"710"`), and digits in
a string are taken for an integer.

**When something fails**: 4xx is final. 503 says that nothing was done; try again with a new id. 500, 504 and silence
leave the outcome open: reverse the request, retry a provision, or look up a redemption. For confirmations and reversals
every 5xx means: send the same message again. 404 to a reversal is a success, because there is nothing to reverse.
"""

TAGS: Final = {
    "Vouchers": "Issue vouchers, finish or undo what was issued, and look vouchers up.",
    "Redemptions": "Use vouchers as tender.",
    "Refunds": "Put redeemed vouchers back.",
    "Products": "What may be sold.",
}

TOKEN_PATH: Final = "/oauth2/token"  # noqa: S105 - a path
SCOPES: Final = {str(scope): text for scope, text in MEANINGS.items()}
_SCOPES_OF_TAGS: Final = {
    "Vouchers": Scope.PROVISION,
    "Redemptions": Scope.REDEEM,
    "Refunds": Scope.REFUND,
    "Products": Scope.PRODUCTS,
}
SCOPE_OF: Final = {operation.id: str(_SCOPES_OF_TAGS[operation.tag]) for operation in OPERATIONS} | {
    "lookupVoucher": str(Scope.LOOKUP)
}

UUID_SCHEMA: Final = {"type": "string", "format": "uuid", "pattern": f"^{UUID_SHAPE}$"}
PATH_PARAMETERS: Final = {
    "provisionId": "The `id` of the original request; must equal the `id` in the body.",
    "requestId": "The `id` of the redemption request.",
}
QUERY_PARAMETERS: Final = {
    "voucherCode": "The voucher's code. Secret: kept out of every log of ours, and best kept out of yours.",
    "provisionRequestId": "The `id` of the provision request.",
    "voucherSerialNumber": "The voucher's serial number.",
    "receiverInstId": "The institution that issued the voucher; helps to route the question.",
    "settlementEntityInstId": "The institution through which to ask.",
    "channelName": "Only products that are listed for this channel.",
}

LOCATION: Final = {
    "description": "The address of the request, without its query.",
    "required": True,
    "schema": {"type": "string"},
}
RETRY_AFTER: Final = {
    "description": "Seconds to wait before the next try.",
    "required": True,
    "schema": {"type": "string", "pattern": "^[0-9]+$"},
}
WWW_AUTHENTICATE: Final = {
    "description": "How to identify yourself.",
    "required": True,
    "schema": {"type": "string"},
}

FAILURES: Final = {
    400: (
        "BadRequest",
        "Refused for good: bad format, an id already used, the voucher's state, or a provider's decline.",
    ),
    401: ("Unauthorized", "Not identified: no credentials, wrong ones, or a token that has expired."),
    403: ("Forbidden", "The client certificate is not the one agreed with you, or the token lacks the scope."),
    404: ("NotFound", "Nothing is known under this id or key; or, where so agreed, a provider's final decline."),
    405: ("MethodNotAllowed", "The path exists, but not with this method."),
    413: ("ContentTooLarge", "The body is over 64 KiB."),
    415: ("UnsupportedMediaType", "The body is not declared as application/json."),
    500: ("InternalError", "Outcome unknown."),
    501: ("NotImplemented", "Not offered to you or not by this provider."),
    503: ("Unavailable", "Certainly not processed."),
    504: ("NoAnswer", "Outcome unknown: the provider has the message, and no usable answer came in time."),
}
ALWAYS: Final = (400, 401, 403, 405, 500, 503, 504)
WITH_BODY: Final = (413, 415)
HEADERS: Final = {401: {"WWW-Authenticate": WWW_AUTHENTICATE}, 503: {"Retry-After": RETRY_AFTER}}
FAILURE_EXAMPLES: Final = {
    400: {
        "badFormat": {"summary": "Two violations", "value": examples.FORMAT_ERROR},
        "reversed": {"summary": "A reversal came first", "value": examples.ALREADY_REVERSED},
    }
}
# These two tell nothing but their status: whose redemption it is, is nobody else's business.
WITHOUT_BODY: Final = {("lookupRedemption", 404): "Never received. No body."}
SOMETIMES_WITHOUT_BODY: Final = {
    ("lookupRedemption", 403): "Submitted by another client: no body. Else, with a body, as for every other operation.",
}


@cache
def document_bytes() -> bytes:
    """Return the document as it is served."""
    return json.dumps(document(), ensure_ascii=False, separators=(",", ":")).encode()


def document() -> Json:
    """Build the document."""
    messages = {model for operation in OPERATIONS for model in (operation.request, operation.answer) if model}
    paths: Json = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Single Use Vouchers",
            "version": "1.24",
            "summary": "Provision, look up, redeem and refund digital vouchers.",
            "description": DESCRIPTION,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": BASE_PATH}],
        "security": [{"basic": []}, {"oauth2": []}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": component_schemas(sorted({*messages, ErrorDetail}, key=lambda model: model.__name__)),
            "responses": {name: _failure(status, text) for status, (name, text) in FAILURES.items()},
            "securitySchemes": {
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "The user name is the `client.id` of your messages.",
                },
                "oauth2": {
                    "type": "oauth2",
                    "description": (
                        "An access token (JWT); the user behind it is the `client.id` of your messages. Client id and "
                        "secret come with every request for one, in the header or in the form."
                    ),
                    "flows": {
                        "clientCredentials": {"tokenUrl": TOKEN_PATH, "scopes": SCOPES},
                        "password": {"tokenUrl": TOKEN_PATH, "refreshUrl": TOKEN_PATH, "scopes": SCOPES},
                    },
                },
            },
        },
    }


def _operation(operation: Operation) -> Json:
    described: Json = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "security": [{"basic": []}, {"oauth2": [SCOPE_OF[operation.id]]}],
    }
    if parameters := [*_path_parameters(operation), *_query_parameters(operation)]:
        described["parameters"] = parameters
    if operation.request:
        content = _content(operation.request.__name__, operation.request_example)
        described["requestBody"] = {"required": True, "content": content}
    described["responses"] = {str(operation.success): _success(operation)} | {
        str(status): _failure_of(operation, status) for status in _failures(operation)
    }
    return described


def _path_parameters(operation: Operation) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "description": text, "schema": UUID_SCHEMA}
        for name, text in PATH_PARAMETERS.items()
        if f"{{{name}}}" in operation.path
    ]


def _query_parameters(operation: Operation) -> list[Json]:
    schemas = parameter_schemas(operation.query) if operation.query else {}
    return [
        {"name": name, "in": "query", "required": False, "description": QUERY_PARAMETERS[name], "schema": schema}
        for name, schema in schemas.items()
    ]


def _failures(operation: Operation) -> list[int]:
    return sorted({*ALWAYS, *operation.also_fails, *(WITH_BODY if operation.request else ())})


def _success(operation: Operation) -> Json:
    echo = operation.answer is operation.request
    response: Json = {
        "description": "Accepted. The body is the message as you sent it." if echo else operation.answer.__doc__,
        "content": _content(operation.answer.__name__, operation.answer_example),
    }
    if operation.success == 201:
        response["headers"] = {"Location": LOCATION}
    return response


def _failure_of(operation: Operation, status: int) -> Json:
    if text := WITHOUT_BODY.get((operation.id, status)):
        return {"description": text}
    if text := SOMETIMES_WITHOUT_BODY.get((operation.id, status)):
        return _failure(status, text)
    return {"$ref": f"#/components/responses/{FAILURES[status][0]}"}


def _failure(status: int, text: str) -> Json:
    content: Json = {"schema": {"$ref": REF.format(name="ErrorDetail")}}
    if status in FAILURE_EXAMPLES:
        content["examples"] = FAILURE_EXAMPLES[status]
    response: Json = {"description": text, "content": {JSON_TYPE: content}}
    if status in HEADERS:
        response["headers"] = HEADERS[status]
    return response


def _content(model: str, example: Json | None) -> Json:
    return {JSON_TYPE: {"schema": {"$ref": REF.format(name=model)}, "example": example}}
