"""The messages a till sends, as the interface writes them (interface.md §2). Pure, but for time and new ids."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

Message = dict[str, Any]

ZAR: Final = "710"
TERMINAL: Final = "CLITILL1"
SHOP: Final = "Terminal Till"


def provision(
    user: str,
    *,
    product: str | None,
    receiver: str | None,
    amount_cents: int | None,
    code: str | None,
    paid_cents: int | None = None,
) -> Message:
    """Ask for a voucher; the customer has paid for it where `paid_cents` says so, as some providers demand."""
    message = _transaction(user, receiver)
    if product is not None:
        message["product"] = {"productId": product}
    if amount_cents is not None:
        message["amounts"] = {"requestAmount": _money(amount_cents)}
    if code is not None:
        message["voucher"] = {"code": code}
    if paid_cents is not None:
        slip = f"SLIP-{message['id'][:8].upper()}"
        message["tenders"] = [{"amount": _money(paid_cents), "tenderType": "CASH", "reference": slip}]
    return message


def redemption(user: str, *, code: str, pin: str | None, receiver: str | None, amount_cents: int | None) -> Message:
    """Use a voucher as tender; without an amount all there is on it."""
    message = _transaction(user, receiver) | {"voucher": {"code": code}}
    if pin is not None:
        message["voucher"]["pin"] = {"type": "CLEAR_PIN", "pin": pin}
    if amount_cents is not None:
        message["amounts"] = {"requestAmount": _money(amount_cents)}
    return message


def refund(
    user: str, *, code: str, receiver: str | None, amount_cents: int | None, redemption_id: str | None
) -> Message:
    """Put a redeemed voucher back; without an amount all of it."""
    message = _transaction(user, receiver) | {"voucher": {"code": code}}
    if amount_cents is not None:
        message["amounts"] = {"requestAmount": _money(amount_cents)}
    if redemption_id is not None:
        message["redemptionId"] = redemption_id
    return message


def confirmation(request_id: str, *, cash_cents: int | None = None) -> Message:
    """The request stands; a provision's customer paid this in cash."""
    message = _advice(request_id)
    if cash_cents is not None:
        message["tenders"] = [{"amount": _money(cash_cents), "tenderType": "CASH"}]
    return message


def reversal(request_id: str, reason: str) -> Message:
    """The request is undone."""
    return _advice(request_id) | {"reversalReason": reason}


def renewed(message: Message) -> Message:
    """The same wish as a new request."""
    return message | {"id": str(uuid4()), "time": _now()}


def _transaction(user: str, receiver: str | None) -> Message:
    request_id = str(uuid4())
    till = {"id": user, "name": SHOP}
    message: Message = {
        "id": request_id,
        "time": _now(),
        "originator": {
            "institution": till,
            "terminalId": TERMINAL,
            "merchant": {
                "merchantType": "5411",
                "merchantId": "VOUCHERSWITCH01",
                "merchantName": {"name": SHOP, "city": "Cape Town", "region": "WC", "country": "ZA"},
            },
        },
        "client": till,
        "thirdPartyIdentifiers": [
            {"institutionId": user, "transactionIdentifier": f"TILL-{request_id[:8]}"},
            {"institutionId": user, "transactionIdentifier": request_id},
        ],
    }
    if receiver is not None:
        message["receiver"] = {"id": receiver, "name": receiver}
    return message


def _advice(request_id: str) -> Message:
    return {"id": str(uuid4()), "requestId": request_id, "time": _now(), "thirdPartyIdentifiers": []}


def _money(cents: int) -> Message:
    return {"amount": cents, "currency": ZAR}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
