"""What OTT says: bodies of success and refusal (providers.md 6.2 to 6.4).

Amounts change their form from answer to answer, as the section wants: a number with four decimals, text with groups.
"""

from decimal import Decimal
from typing import Any, Final

import msgspec

from voucherswitch.providers.contract.simulator.provider import Reply

TEXT_TYPE: Final = b"text/plain"

_TEXT: Final = {
    "1": "Not found",
    "2": "PIN could not be obtained",
    "3": "No product for value",
    "4": "VAT rule missing",
    "5": "Calculation failed",
    "6": "Insufficient funds",
    "7": "System error",
    "8": "Debit could not be saved",
    "9": "Credit could not be saved",
    "901": "PIN not known",
    "902": "Voucher fully redeemed",
    "903": "Amount above voucher value",
    "904": "Voucher expired",
    "905": "Voucher blocked or not confirmed",
    "906": "Vendor not allowed",
    "907": "Reference already used",
    "908": "Remit not found",
    "921": "Voucher was rejected",
    "922": "Voucher was confirmed",
    "923": "Voucher was used",
    "941": "Branch not known",
}
_AMOUNTS: Final = ("amount", "voucherAmount", "value")

_encoder: Final = msgspec.json.Encoder(decimal_format="number")
_decoder: Final = msgspec.json.Decoder(float_hook=Decimal)


def grouped(cents: int) -> str:
    """A rand amount with comma groups: 123456 is `1,234.56`."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100:,}.{abs(cents) % 100:02d}"


def amount(cents: int, *, number: bool) -> Decimal | str:
    """A rand amount in one of its two forms."""
    return Decimal(cents * 100).scaleb(-4) if number else grouped(cents)


def compact(body: dict[str, Any]) -> bytes:
    """As the issuing side writes JSON, and the document inside its string."""
    return _encoder.encode(body)


def spaced(body: dict[str, Any]) -> bytes:
    """As the redemption side writes JSON."""
    return msgspec.json.format(_encoder.encode(body), indent=0)


def failure(code: str) -> Reply:
    """A business failure: HTTP 201, and nothing was processed."""
    body = compact({"success": "false", "errorCode": code, "message": _TEXT.get(code, "Declined")})
    return Reply(201, body, processed=False)


def issued(document: dict[str, Any]) -> Reply:
    """A voucher, as a JSON document inside a string."""
    return Reply(200, compact({"success": "true", "voucher": compact(document).decode()}))


def unauthorised(text: str) -> Reply:
    """Credentials or hash refused: plain text, or nothing at all."""
    return Reply(401, text.encode(), TEXT_TYPE)


NOT_A_CALL: Final = Reply(404, b"Not found", TEXT_TYPE)
MALFORMED: Final = Reply(400, b"Bad request", TEXT_TYPE)  # the section knows no answer to it


def altered(reply: Reply, kind: str, delta_cents: int = 0) -> Reply:
    """A success made wrong; an answer without what is to be spoilt stays as it is, and so does a refusal."""
    if reply.status != 200:
        return reply
    body: dict[str, Any] = _decoder.decode(reply.body)
    if kind == "json_booleans":
        body["success"] = True
    elif "voucher" not in body:
        _spoil(body, kind, delta_cents)
    elif kind == "voucher_unreadable":
        body["voucher"] = body["voucher"][: len(body["voucher"]) // 2]
    else:
        document = _decoder.decode(body["voucher"])
        _spoil(document, kind, delta_cents)
        body["voucher"] = document if kind == "voucher_object" else compact(document).decode()
    return msgspec.structs.replace(reply, body=spaced(body) if b'": ' in reply.body else compact(body))


def _spoil(shown: dict[str, Any], kind: str, delta_cents: int) -> None:
    if kind == "wrong_amount":
        for name in _AMOUNTS:
            if name in shown:
                number = isinstance(shown[name], Decimal)
                cents = int(Decimal(shown[name]) * 100 if number else Decimal(shown[name].replace(",", "")) * 100)
                shown[name] = amount(cents + delta_cents, number=number)
    elif kind == "no_pin":
        shown.pop("pin", None)
    elif kind == "bad_pin" and "pin" in shown:
        shown["pin"] = "#" + shown["pin"][1:]
