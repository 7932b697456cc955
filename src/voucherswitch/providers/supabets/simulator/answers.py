"""What the simulated Supabets says: reservations, pin checks, problems (providers.md 5.2, 5.3, 5.4). Proposed."""

from typing import Any, Final

import msgspec
from msgspec import Struct

from voucherswitch.providers.contract.simulator.book import BookVoucher
from voucherswitch.providers.contract.simulator.clock import sast

TTL_S: Final = 180
PROBLEM_JSON: Final = b"application/problem+json"
MASK_DIGITS_SHOWN: Final = 4

encode: Final = msgspec.json.Encoder().encode

STATUS_OF: Final = {
    "amount-not-allowed": 400,
    "bad-request": 400,
    "invalid-token": 401,
    "body-hash": 401,
    "token-expired": 401,
    "jti-reused": 401,
    "credit-limit": 402,
    "not-found": 404,
    "unknown-call": 404,
    "reservation-conflict": 409,
    "reservation-released": 409,
    "voucher-spent": 409,
    "reversal-window-closed": 409,
    "reservation-expired": 410,
    "unknown-product": 422,
    "unknown-site": 422,
    "throttled": 429,
    "unavailable": 503,
}
OTHER_STATUS: Final = 422  # of a code that only a test knows


class RevealedVoucher(Struct, frozen=True):
    pin: str
    serial: str
    value: int
    expiry: str


class MaskedVoucher(Struct, frozen=True):
    pin: None
    masked: str
    serial: str
    value: int
    expiry: str


class Reservation(Struct, frozen=True, rename="camel"):
    reservation_id: str
    state: str
    provider_ref: str
    ttl_seconds: int
    reserved_until: str
    voucher: RevealedVoucher | MaskedVoucher


def reservation(voucher: BookVoucher, *, reveal: bool) -> bytes:
    """A reservation's body, with the line break of the protocol's sample."""
    expiry = sast(voucher.expires_at).date().isoformat()
    part: RevealedVoucher | MaskedVoucher
    if reveal:
        part = RevealedVoucher(voucher.code, voucher.serial, voucher.cents, expiry)
    else:
        masked = "*" * (len(voucher.code) - MASK_DIGITS_SHOWN) + voucher.code[-MASK_DIGITS_SHOWN:]
        part = MaskedVoucher(None, masked, voucher.serial, voucher.cents, expiry)
    body = encode(
        Reservation(
            reservation_id=voucher.reference,
            state=voucher.state,
            provider_ref=voucher.provider_ref,
            ttl_seconds=TTL_S,
            reserved_until=sast(voucher.details["reserved_until"]).isoformat(timespec="seconds"),
            voucher=part,
        )
    )
    return body.replace(b',"voucher":', b',\n "voucher":', 1)


def problem(code: str, number: int, detail: str = "") -> bytes:
    """The body of a refusal; `number` counts them."""
    return encode(
        {
            "type": f"urn:sim:supabets:problem:{code}",
            "title": code.replace("-", " ").capitalize(),
            "status": STATUS_OF.get(code, OTHER_STATUS),
            "detail": detail or "Refused",
            "instance": f"sb-{number:06d}",
        }
    )


def altered(body: bytes, kind: str, delta_cents: int) -> bytes:
    """A success body made wrong, as `wrong_amount`, `wrong_reference`, `no_pin` and `bad_pin` ask."""
    shown: dict[str, Any] = msgspec.json.decode(body)
    holder: dict[str, Any] = shown.get("voucher", shown)
    if kind == "wrong_amount" and "value" in holder:
        holder["value"] += delta_cents
    elif kind == "wrong_reference" and "reservationId" in shown:
        reference = shown["reservationId"]
        shown["reservationId"] = reference[:-1] + ("0" if reference[-1] != "0" else "1")
    elif kind == "no_pin" and holder.get("pin"):
        holder["pin"] = None
    elif kind == "bad_pin" and holder.get("pin"):
        holder["pin"] = "#" + holder["pin"][1:]
    return encode(shown)
