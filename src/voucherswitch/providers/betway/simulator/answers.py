"""What the simulated Betway says: orders, errors (providers.md 10.2, 10.3, 10.4). Proposed."""

from typing import Any, Final

import msgspec

from voucherswitch.providers.betway.simulator.orders import FULFILLED, PENDING, REJECTED, SimulatedOrder
from voucherswitch.providers.contract.simulator.book import BookVoucher
from voucherswitch.providers.contract.simulator.clock import sast

encode: Final = msgspec.json.Encoder().encode

STATUS_OF: Final = {
    "BAD_REQUEST": 400,
    "TOKEN_INVALID": 401,
    "IP_NOT_ALLOWED": 403,
    "ORDER_UNKNOWN": 404,
    "VOUCHER_UNKNOWN": 404,
    "UNKNOWN_CALL": 404,
    "EXTERNAL_ID_CONFLICT": 409,
    "EXTERNAL_ID_CANCELLED": 409,
    "NOT_FULFILLED": 409,
    "VOUCHER_USED": 409,
    "REVERSAL_WINDOW_CLOSED": 409,
    "ALREADY_ACKNOWLEDGED": 409,
    "TENDER_MISSING": 422,
    "THROTTLED": 429,
    "SERVICE_CLOSED": 503,
}
OTHER_STATUS: Final = 422  # of a code that only a test knows
# Told by the order, not by the status: it is accepted first and rejected later.
REASONS: Final = frozenset(
    {"SKU_UNKNOWN", "OUTLET_BLOCKED", "AMOUNT_RANGE", "CREDIT_EXHAUSTED", "UPSTREAM_DOWN", "RISK_REVIEW"}
)

_TEXT: Final = {
    "VOUCHER_USED": "Cancel refused",
    "REVERSAL_WINDOW_CLOSED": "Cancel refused",
    "ALREADY_ACKNOWLEDGED": "Cancel refused",
}


def order_body(order: SimulatedOrder, poll_after_ms: int) -> bytes:
    """An order as it stands."""
    shown: dict[str, Any] = {
        "orderId": order.order_id,
        "externalId": order.form.external_id,
        "skuId": order.form.sku_id,
        "state": order.state,
    }
    if order.state == PENDING:
        shown["pollAfterMs"] = poll_after_ms
    if order.state == REJECTED:
        shown["reason"] = order.reason
    shown["acknowledged"] = order.acknowledged
    if order.state == FULFILLED and order.voucher is not None:
        shown["voucher"] = {"pin": order.voucher.code} | voucher_part(order.voucher)
    return encode(shown)


def voucher_part(voucher: BookVoucher) -> dict[str, Any]:
    """What is told of a voucher besides its PIN."""
    return {
        "serial": voucher.serial,
        "amount": {"currency": "ZAR", "minor": voucher.cents},
        "expiresOn": sast(voucher.expires_at).date().isoformat(),
    }


def error(code: str, message: str = "") -> tuple[int, bytes]:
    """Status and body of a refusal."""
    text = message or _TEXT.get(code, code.replace("_", " ").capitalize())
    return STATUS_OF.get(code, OTHER_STATUS), encode({"error": {"code": code, "message": text}})


def altered(body: bytes, kind: str, delta_cents: int) -> bytes:
    """A success body made wrong, as `wrong_amount`, `wrong_reference`, `no_pin` and `bad_pin` ask."""
    shown: dict[str, Any] = msgspec.json.decode(body)
    holder: dict[str, Any] = shown.get("voucher", shown)
    if kind == "wrong_amount" and "amount" in holder:
        holder["amount"]["minor"] += delta_cents
    elif kind == "wrong_reference" and "externalId" in shown:
        reference = shown["externalId"]
        shown["externalId"] = reference[:-1] + ("0" if reference[-1] != "0" else "1")
    elif kind == "no_pin":
        holder.pop("pin", None)
    elif kind == "bad_pin" and "pin" in holder:
        holder["pin"] = "#" + holder["pin"][1:]
    return encode(shown)
