"""What Hollywoodbets says, as proposed: HTTP 200 and a result code, good or bad (providers.md 4.2 to 4.4)."""

from datetime import datetime, time
from typing import Any, Final

import msgspec
from msgspec import Struct

from voucherswitch.providers.contract.answers import cents_of, rand
from voucherswitch.providers.contract.provider_time import SAST
from voucherswitch.providers.contract.simulator.book import BookVoucher
from voucherswitch.providers.contract.simulator.clock import business_day, months_later, sast
from voucherswitch.providers.contract.simulator.provider import Reply
from voucherswitch.providers.hollywoodbets.simulator.calls import CONTENT_TYPE

EXPIRY_MONTHS: Final = 36
DONE: Final = "HB00"

encode: Final = msgspec.json.Encoder().encode

TEXTS: Final = {
    DONE: "OK",
    "HB10": "Outlet is not known",
    "HB11": "Face value is not sold",
    "HB12": "No stock of this face value",
    "HB13": "Reference was used with other data",
    "HB14": "Voucher was used, block refused",
    "HB15": "Voucher can no longer be blocked",
    "HB16": "Credit limit reached",
    "HB20": "PIN is not known",
    "HB30": "Reference is being processed",
    "HB40": "Reference is not known",
    "HB50": "Request is malformed",
    "HB90": "Internal error, nothing was booked",
    "HB99": "Internal error",
}


class IssueAnswer(Struct, frozen=True, rename="camel"):
    result_code: str
    result_text: str
    partner_ref: str
    voucher_id: int
    serial_number: str
    pin: str
    face_value: str
    expiry_date: str
    batch_no: str
    state: str


def issue(voucher: BookVoucher) -> Reply:
    """The issue object."""
    body = encode(
        IssueAnswer(
            result_code=DONE,
            result_text=TEXTS[DONE],
            partner_ref=voucher.reference,
            voucher_id=int(voucher.provider_ref),
            serial_number=voucher.serial,
            pin=voucher.code,
            face_value=rand(voucher.cents),
            expiry_date=expiry_text(voucher.expires_at),
            batch_no=voucher.details["batch"],
            state=voucher.state,
        )
    )
    # The specification's sample breaks the line here, and its bodies are byte-exact.
    return _reply(body.replace(b',"faceValue"', b',\n "faceValue"'), processed=True)


def done(**fields: Any) -> Reply:
    """A success with these fields."""
    return _reply(encode({"resultCode": DONE, "resultText": TEXTS[DONE]} | fields), processed=True)


def refusal(code: str, reference: str = "", *, processed: bool = False) -> Reply:
    """A refusal, spaced as in the specification; about a reference where the call has one."""
    fields = {"resultCode": code, "resultText": TEXTS.get(code, "Refused")}
    if reference:
        fields["partnerRef"] = reference
    return _reply(msgspec.json.format(encode(fields), indent=0), processed=processed)


def credentials_refused() -> Reply:
    return Reply(401, b"", CONTENT_TYPE, b'WWW-Authenticate: Basic realm="retail-topup", charset="UTF-8"\r\n')


def no_such_call() -> Reply:
    return Reply(404, b"", CONTENT_TYPE)


def empty(*, processed: bool) -> Reply:
    """HTTP 200 and nothing."""
    return _reply(b"", processed=processed)


def altered(body: bytes, kind: str, delta_cents: int = 0) -> bytes:
    """A success body made wrong, as `wrong_amount`, `wrong_reference`, `no_pin`, `bad_pin` and `number_pin` ask."""
    shown: dict[str, Any] = msgspec.json.decode(body) if body else {}
    if shown.get("resultCode") != DONE:
        return body
    if kind == "wrong_amount" and "faceValue" in shown:
        shown["faceValue"] = rand(cents_of(shown["faceValue"]) + delta_cents)
    elif kind == "wrong_reference" and "partnerRef" in shown:
        reference = shown["partnerRef"]
        shown["partnerRef"] = reference[:-1] + ("0" if reference[-1] != "0" else "1")
    elif kind == "no_pin":
        shown.pop("pin", None)
    elif kind == "bad_pin" and "pin" in shown:
        shown["pin"] = "#" + shown["pin"][1:]
    elif kind == "number_pin" and "pin" in shown:
        shown["pin"] = int(shown["pin"])  # its leading zeros are gone
    return encode(shown)


def expires_at(issued_at: float) -> float:
    """The end of the day on which a voucher of now expires."""
    last_day = months_later(business_day(issued_at), EXPIRY_MONTHS)
    return datetime.combine(last_day, time(23, 59, 59), SAST).timestamp()


def expiry_text(expires: float) -> str:
    return f"{sast(expires):%d/%m/%Y}"


def _reply(body: bytes, *, processed: bool) -> Reply:
    return Reply(200, body, CONTENT_TYPE, processed=processed)
