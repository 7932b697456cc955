"""What Lottostar says, as proposed: bodies of success and refusal (providers.md 3.2 to 3.4)."""

from datetime import datetime, time
from typing import Any, Final

import msgspec
from msgspec import Struct

from voucherswitch.providers.contract.provider_time import SAST
from voucherswitch.providers.contract.simulator.book import BookVoucher
from voucherswitch.providers.contract.simulator.clock import business_day, months_later, sast
from voucherswitch.providers.contract.simulator.provider import Reply

EXPIRY_MONTHS: Final = 36
RETRY_AFTER: Final = b"Retry-After: 1\r\n"

encode: Final = msgspec.json.Encoder().encode

# Code -> status and text. A code that is ordered but not listed is answered with 422.
REFUSALS: Final = {
    "INVALID_AMOUNT": (400, "This denomination is not sold"),
    "INVALID_REQUEST": (400, "Message does not have the form of this call"),
    "BAD_SIGNATURE": (401, "Signature refused"),
    "UNKNOWN_KEY": (401, "No such key"),
    "STALE_TIMESTAMP": (401, "Timestamp is too far from our clock"),
    "NONCE_REUSED": (401, "Nonce was used before"),
    "FLOAT_EXHAUSTED": (402, "Balance does not cover the voucher"),
    "NOT_FOUND": (404, "No such voucher"),
    "UNKNOWN_CALL": (404, "No such call"),
    "STORE_UNKNOWN": (404, "No such store"),
    "IDEMPOTENCY_MISMATCH": (409, "Reference was used with other values"),
    "REFERENCE_VOIDED": (409, "Reference was voided"),
    "ALREADY_REDEEMED": (409, "Voucher was spent"),
    "VOID_WINDOW_CLOSED": (409, "Voucher can no longer be voided"),
    "RATE_LIMITED": (429, "Too many requests"),
    "MAINTENANCE": (503, "Closed for maintenance"),
}
OTHER: Final = (422, "Refused")


class VoucherAnswer(Struct, frozen=True, rename="camel"):
    voucher_id: str
    client_txn_id: str
    code: str
    serial: str
    value_cents: int
    issued_at: str
    expires_at: str
    status: str


def voucher_body(voucher: BookVoucher) -> bytes:
    """The voucher object."""
    body = encode(
        VoucherAnswer(
            voucher_id=voucher.provider_ref,
            client_txn_id=voucher.reference,
            code=voucher.code,
            serial=voucher.serial,
            value_cents=voucher.cents,
            issued_at=sast(voucher.issued_at).isoformat(timespec="milliseconds"),
            expires_at=expiry_text(voucher),
            status=voucher.state,
        )
    )
    # The specification's sample breaks the line here, and its bodies are byte-exact.
    return body.replace(b',"issuedAt"', b',\n "issuedAt"')


def lookup_body(voucher: BookVoucher) -> bytes:
    """What a lookup tells; it never repeats the code."""
    return encode(
        {
            "serial": voucher.serial,
            "valueCents": voucher.cents,
            "status": voucher.state,
            "expiresAt": expiry_text(voucher),
        }
    )


def refusal(code: str, trace_number: int) -> Reply:
    """The error body of a code, spaced as in the specification."""
    status, text = REFUSALS.get(code, OTHER)
    error = {"code": code, "message": text, "traceId": f"ls-{trace_number:06d}"}
    body = msgspec.json.format(encode({"error": error}), indent=0)
    return Reply(status, body, headers=RETRY_AFTER if status == 429 else b"")


def altered(body: bytes, kind: str, delta_cents: int) -> bytes:
    """A success body made wrong, as `wrong_amount`, `wrong_reference`, `no_pin` and `bad_pin` ask; a refusal stays."""
    shown: dict[str, Any] = msgspec.json.decode(body)
    if kind == "wrong_amount" and "valueCents" in shown:
        shown["valueCents"] += delta_cents
    elif kind == "wrong_reference" and "clientTxnId" in shown:
        reference = shown["clientTxnId"]
        shown["clientTxnId"] = reference[:-1] + ("0" if reference[-1] != "0" else "1")
    elif kind == "no_pin":
        shown.pop("code", None)
    elif kind == "bad_pin" and "code" in shown:
        shown["code"] = "#" + shown["code"][1:]
    return encode(shown)


def expires_at(issued_at: float) -> float:
    """The end of the day on which a voucher of now expires."""
    last_day = months_later(business_day(issued_at), EXPIRY_MONTHS)
    return datetime.combine(last_day, time(23, 59, 59), SAST).timestamp()


def expiry_text(voucher: BookVoucher) -> str:
    return sast(voucher.expires_at).isoformat(timespec="seconds")
