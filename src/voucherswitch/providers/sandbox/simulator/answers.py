"""What the sandbox says: bodies of success and refusal (providers.md 11.2, 11.3, 11.5)."""

from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import Struct

from voucherswitch.providers.contract.simulator.provider import Reply

encode: Final = msgspec.json.Encoder().encode

# Where a code has two, this is the one of a refusal by state; scripted and ordered declines use 422 (see products.py).
STATUS_OF: Final = {
    "FORMAT_ERROR": 400,
    "AUTHENTICATION_ERROR": 401,
    "UNABLE_TO_LOCATE_RECORD": 404,
    "INVALID_VOUCHER": 404,
    "INVALID_MERCHANT": 404,
    "ROUTING_ERROR": 404,
    "DUPLICATE_RECORD": 409,
    "VOUCHER_ALREADY_PROVISIONED": 409,
    "VOUCHER_ALREADY_CONFIRMED": 409,
    "VOUCHER_ALREADY_REVERSED": 409,
    "VOUCHER_ALREADY_REDEEMED": 409,
    "VOUCHER_ALREADY_REFUNDED": 409,
    "VOUCHER_NOT_REDEEMABLE": 409,
    "VOUCHER_NOT_REDEEMED": 409,
    "VOUCHER_NOT_REFUNDED": 409,
    "REDEMPTION_ALREADY_CONFIRMED": 409,
    "REDEMPTION_ALREADY_REVERSED": 409,
    "REDEMPTION_NOT_CONFIRMED": 409,
    "REFUND_ALREADY_CONFIRMED": 409,
    "REFUND_ALREADY_REVERSED": 409,
    "UPSTREAM_UNAVAILABLE": 503,
}
OTHER_STATUS: Final = 422

_TEXT: Final = {
    "FORMAT_ERROR": "Message does not have the form of this call",
    "AUTHENTICATION_ERROR": "Credentials refused",
    "UNABLE_TO_LOCATE_RECORD": "No record of this request",
    "INVALID_VOUCHER": "No such voucher",
    "INVALID_MERCHANT": "No such store",
    "ROUTING_ERROR": "No such product",
    "REDEMPTION_NOT_CONFIRMED": "Voucher redemption unconfirmed",
    "UPSTREAM_UNAVAILABLE": "Closed for maintenance",
}


class VoucherBody(Struct, frozen=True, rename="camel", omit_defaults=True):
    code: str
    pin: str | None
    serial: str
    value_cents: int
    balance_cents: int
    expires_at: str
    instructions: tuple[str, ...]


class VoucherAnswer(Struct, frozen=True, rename="camel", omit_defaults=True):
    request_id: str
    provider_ref: str
    product_id: str
    state: str
    voucher: VoucherBody | None = None


class MovementVoucherBody(Struct, frozen=True, rename="camel"):
    state: str
    balance_cents: int
    serial: str


class MovementAnswer(Struct, frozen=True, rename="camel"):
    request_id: str
    provider_ref: str
    kind: str
    state: str
    approved_cents: int
    voucher: MovementVoucherBody


class AdviceAnswer(Struct, frozen=True, rename="camel"):
    request_id: str
    advice_id: str
    state: str


@lru_cache(maxsize=1_024)
def refusal(code: str, status: int | None = None) -> Reply:
    """The error body of a code, with the status it has by rule or the given one."""
    status = STATUS_OF.get(code, OTHER_STATUS) if status is None else status
    text = _TEXT.get(code, code.replace("_", " ").capitalize())
    return Reply(status, encode({"error": {"code": code, "providerCode": f"SBX-{status}", "message": text}}))


def altered(body: bytes, kind: str, delta_cents: int) -> bytes:
    """A success body made wrong, as `wrong_amount`, `wrong_reference`, `no_pin` and `bad_pin` ask; a refusal stays."""
    shown: dict[str, Any] = msgspec.json.decode(body)
    voucher = shown.get("voucher", {})
    if kind == "wrong_amount":
        holder, name = (shown, "approvedCents") if "approvedCents" in shown else (voucher, "valueCents")
        if name in holder:
            holder[name] += delta_cents
    elif kind == "wrong_reference" and "requestId" in shown:
        reference = shown["requestId"]
        shown["requestId"] = reference[:-1] + ("0" if reference[-1] != "0" else "1")
    elif "code" in voucher:
        if kind == "no_pin":
            del voucher["code"]
        elif kind == "bad_pin":
            voucher["code"] = "#" + voucher["code"][1:]
    return encode(shown)
