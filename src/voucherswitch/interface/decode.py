"""From bytes to a message and back.

Called by the endpoints. A body that is exactly as it should be costs one strict parse; only one that is not is read
again by the rules, which convert what may be converted and list everything else. Never answers, logs or stores.
"""

import json
import re
from collections.abc import Callable, Iterable
from functools import cache
from math import isinf
from typing import Any, Final, NoReturn, TypeVar

import msgspec
from msgspec import Struct

from voucherswitch.interface.models.base import UUID_SHAPE
from voucherswitch.interface.models.errors import FormatError
from voucherswitch.interface.models.lookups import ProductsLookupQuery, VoucherLookupQuery
from voucherswitch.interface.models.rules import read_message, rule_of
from voucherswitch.interface.models.scalars import canonical_time
from voucherswitch.interface.models.transactions import ProvisionRequest
from voucherswitch.interface.violations import (
    BAD_UUID,
    BODY_MISSING,
    BODY_NOT_JSON,
    BODY_NOT_OBJECT,
    ID_IS_NOT_PROVISION_ID,
    NO_LOOKUP_KEY,
    FormatErrors,
    Found,
    Json,
    Number,
    Pairs,
    differs,
    violation,
)

__all__ = [
    "FormatErrors",
    "check_path_id",
    "check_uuid",
    "decode",
    "decode_retry",
    "encode",
    "products_lookup_query",
    "same_request",
    "voucher_lookup_query",
]

M = TypeVar("M", bound=Struct)

NESTING_MAX: Final = 16
CANONICAL_LENGTH: Final = len("2026-03-12T09:15:02.418Z")
UUID: Final = re.compile(rf"{UUID_SHAPE}\Z")
# A NUL or a surrogate in a string can only come as an escape; pairs of surrogates are fine, and the rules tell.
TROUBLE: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")

_encode: Final = msgspec.json.Encoder().encode


def decode(body: bytes, model: type[M], tolerated: frozenset[str] = frozenset()) -> M:
    """Read a body as a message.

    Args:
        body: as received; the caller has bounded its size.
        model: the message expected.
        tolerated: unknown fields to leave out, as dotted paths without list indexes: `tenders.extra`.

    Raises:
        FormatErrors: with every violation, whatever the body holds.
    """
    try:
        if b"\\" not in body and (read := _at_once(body, model)) is not None:
            return read
        if b"\\u" not in body or TROUBLE.search(body) is None:
            return msgspec.convert(_strict(body.decode()), model)
    except (ValueError, RecursionError, msgspec.ValidationError):
        pass  # the rules find out what it is, or that it is fine
    written = _as_written(body)
    message, found = read_message(model, written, tolerated)
    if found.violations:
        raise FormatErrors(found.violations, _id_of(written))
    assert isinstance(message, model)
    return message


def decode_retry(body: bytes, provision_id: str, tolerated: frozenset[str] = frozenset()) -> ProvisionRequest:
    """Read the body of a retry, which repeats the provision that its path names."""
    try:
        request = decode(body, ProvisionRequest, tolerated)
    except FormatErrors as refused:
        raise FormatErrors([*check_path_id(provision_id, refused.id), *refused.violations], refused.id) from None
    if violations := check_path_id(provision_id, request.id):
        raise FormatErrors(violations, request.id)
    return request


def encode(message: Struct) -> bytes:
    """Write a message: compact JSON, absent fields left out."""
    return _encode(message)


def check_uuid(field: str, value: str) -> list[FormatError]:
    """Return the violation of an id that came outside a body, if it is one."""
    return [] if UUID.match(value) else [violation(field, BAD_UUID, value)]


def check_path_id(provision_id: str, request_id: str | None) -> list[FormatError]:
    """Return what is wrong with a retry's path, given the well-formed id of its body if it has one."""
    if violations := check_uuid("provisionId", provision_id):
        return violations
    if request_id is None or request_id.lower() == provision_id.lower():
        return []
    return [violation("id", ID_IS_NOT_PROVISION_ID, request_id)]


def same_request(original: ProvisionRequest, repeated: ProvisionRequest) -> list[FormatError]:
    """Return a violation for each part of a retry that asks for something else than the original did."""
    then, now = _asked(original), _asked(repeated)
    return [
        violation(path, differs(path), value if isinstance(value, str) and path != "voucher.code" else None)
        for path, value in now.items()
        if value != then[path]
    ]


def voucher_lookup_query(parameters: Iterable[tuple[str, str]]) -> VoucherLookupQuery:
    """Read the query of lookupVoucher; unknown parameters are ignored, a repeated one is refused."""
    query, found = _read_query(VoucherLookupQuery, parameters)
    if query and not (query.voucher_code or query.provision_request_id or query.voucher_serial_number):
        found = [violation(None, NO_LOOKUP_KEY)]
    if query is None or found:
        raise FormatErrors(found)
    return query


def products_lookup_query(parameters: Iterable[tuple[str, str]]) -> ProductsLookupQuery:
    """Read the query of lookupProducts."""
    query, found = _read_query(ProductsLookupQuery, parameters)
    if query is None:
        raise FormatErrors(found)
    return query


def _read_query(model: type[M], parameters: Iterable[tuple[str, str]]) -> tuple[M | None, list[FormatError]]:
    found = Found()
    query = rule_of(model).read(Pairs(parameters), "", found)
    return query if isinstance(query, model) else None, found.violations


def _asked(request: ProvisionRequest) -> dict[str, object]:
    return {
        "receiver.id": request.receiver and request.receiver.id,
        "amounts.requestAmount": request.amounts and request.amounts.request_amount,
        "voucher.code": request.voucher and request.voucher.code,
        "product.productId": request.product and request.product.product_id,
    }


def _at_once(body: bytes, model: type[M]) -> M | None:
    """Read a body without backslashes that is as we would write it; None: it may be fine, but not at one glance.

    msgspec keeps the last of two fields of one name. Without backslashes every quote begins or ends a string, and what
    we write again has no string that was not there: as many quotes mean that no field was lost.
    """
    try:
        message: M = _decoder(model)(body)
    except msgspec.ValidationError:
        return None
    return message if _encode(message).count(b'"') == body.count(b'"') else None


@cache
def _decoder(model: type[Struct]) -> Callable[[bytes], Any]:
    return msgspec.json.Decoder(model).decode


def _strict_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object of the fast path, where no field comes twice.

    Two things that many originators write differently are put right here, so that they don't pay for the patient
    reading: a currency sent as a number, and a time with an offset or without milliseconds.
    """
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError
    if type(currency := fields.get("currency")) is int:
        fields["currency"] = str(currency)
    elif type(time := fields.get("time")) is str and len(time) != CANONICAL_LENGTH:
        fields["time"] = canonical_time(time) or time
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    if isinf(number := float(text)):
        raise ValueError
    return number


_strict: Final = json.JSONDecoder(
    object_pairs_hook=_strict_object, parse_float=_finite, parse_constant=_refuse_constant
).decode
_written: Final = json.JSONDecoder(
    object_pairs_hook=Pairs, parse_int=Number, parse_float=Number, parse_constant=_refuse_constant
).decode


def _as_written(body: bytes) -> Pairs:
    """Parse a body without losing anything: repeated fields, digits, order."""
    try:
        text = body.decode()
        value: Json = _written(text) if text.strip(" \t\r\n") else None
    except (ValueError, RecursionError):
        raise FormatErrors([violation(None, BODY_NOT_JSON)]) from None
    if value is None:
        raise FormatErrors([violation(None, BODY_MISSING)])
    if _is_too_deep(value):
        raise FormatErrors([violation(None, BODY_NOT_JSON)])
    if not isinstance(value, Pairs):
        raise FormatErrors([violation(None, BODY_NOT_OBJECT)])
    return value


def _is_too_deep(value: Json) -> bool:
    """Walk level by level: a hostile body is deeper than the stack."""
    level: list[Json] = [value]
    for _ in range(NESTING_MAX):
        level = [item for holder in level for item in _items(holder)]
        if not level:
            return False
    return any(isinstance(item, list) for item in level)


def _items(value: Json) -> list[Json]:
    if isinstance(value, Pairs):
        return [item for _, item in value]
    return [*value] if isinstance(value, list) else []


def _id_of(body: Pairs) -> str | None:
    """Return the message's own id, if it can serve to identify the refusal."""
    value = dict(body).get("id")
    return value if isinstance(value, str) and UUID.match(value) else None
