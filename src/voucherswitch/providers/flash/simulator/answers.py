"""What Flash says: bodies of success and refusal, in the shape of the samples (providers.md 9.3, 9.4)."""

from typing import Any, Final

import msgspec
from msgspec import Struct

from voucherswitch.providers.contract.simulator.book import BookVoucher
from voucherswitch.providers.contract.simulator.clock import sast
from voucherswitch.providers.contract.simulator.provider import Reply
from voucherswitch.providers.flash.simulator.calls import Form, Reverse

ACCOUNT: Final = "0000-0000-0000-0001"
SUCCESS: Final = 0

encode: Final = msgspec.json.Encoder().encode

_TEXT: Final = {
    SUCCESS: "Success",
    7001: "Field missing or wrong",
    7002: "Amount outside product limits",
    7003: "Product unknown",
    7004: "Account or store unknown",
    7005: "Account funds insufficient",
    7006: "Product suspended",
    7101: "Voucher not found",
    7103: "Voucher already used",
    7104: "Voucher cancelled",
    7105: "Voucher expired",
    7106: "Amount above voucher value",
    7201: "Reference used with other content",
    7202: "Reference in progress",
    7301: "Original transaction not found",
    7302: "Voucher already used",
    7901: "Not booked, try again",
    7999: "System error",
}


class ContentBody(Struct, frozen=True, rename="camel"):
    redemption_instructions: str = "Enter the PIN"
    terms_and_conditions: str = "See issuer"


class VoucherBody(Struct, frozen=True, rename="camel"):
    amount: int
    expiry_date: str
    pin: str
    serial_number: str
    status: str
    content: ContentBody = ContentBody()


class AnswerBody(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Fields in the order of the samples; what does not apply is left out."""

    response_code: int
    response_message: str
    account_number: str | None = None
    reference: str | None = None
    store_id: str | None = None
    terminal_id: str | None = None
    amount: int | None = None
    transaction_date: str | None = None
    transaction_id: str | None = None
    voucher: VoucherBody | None = None


def succeeded(form: Form, transaction_id: str, now: float, voucher: BookVoucher | None = None) -> Reply:
    """A success; `voucher` is the one that it made, if it made one."""
    return Reply(
        200,
        encode(
            AnswerBody(
                response_code=SUCCESS,
                response_message=_TEXT[SUCCESS],
                account_number=ACCOUNT,
                reference=form.reference,
                store_id=getattr(form, "store_id", None),
                terminal_id=getattr(form, "terminal_id", None),
                amount=None if isinstance(form, Reverse) else form.amount,
                transaction_date=sast(now).isoformat(timespec="seconds"),
                transaction_id=transaction_id,
                voucher=None if voucher is None else _shown(voucher),
            )
        ),
    )


def refused(code: int | str, form: Form | None = None) -> Reply:
    """A decline or an error: HTTP 200 with a code. `form` is missing when the message could not be read."""
    amount = None if form is None or isinstance(form, Reverse) else form.amount
    body = {"responseCode": code, "responseMessage": _TEXT.get(code, "Refused") if isinstance(code, int) else "Refused"}
    told = {} if form is None else {"accountNumber": ACCOUNT, "reference": form.reference}
    return Reply(200, encode(body | told | ({} if amount is None else {"amount": amount})), processed=False)


def altered(body: bytes, kind: str, delta_cents: int) -> bytes:
    """A body made wrong, as `wrong_amount`, `wrong_reference`, `no_pin` and `bad_pin` ask; what it lacks stays away."""
    shown: dict[str, Any] = msgspec.json.decode(body)
    voucher = shown.get("voucher", {})
    if kind == "wrong_amount" and "amount" in shown:
        shown["amount"] += delta_cents
    elif kind == "wrong_reference" and "reference" in shown:
        reference = shown["reference"]
        shown["reference"] = reference[:-1] + ("0" if reference[-1] != "0" else "1")
    elif "pin" in voucher:
        if kind == "no_pin":
            del voucher["pin"]
        elif kind == "bad_pin":
            voucher["pin"] = "#" + voucher["pin"][1:]
    return encode(shown)


def _shown(voucher: BookVoucher) -> VoucherBody:
    return VoucherBody(
        amount=voucher.cents,
        expiry_date=sast(voucher.expires_at).isoformat(timespec="seconds"),
        pin=voucher.code,
        serial_number=voucher.serial,
        status=voucher.state,
    )
