"""What Yoyo says: results, refusals, and answers made wrong (providers.md 7.3, 7.4)."""

from typing import Any, Final

import msgspec

from voucherswitch.providers.contract.simulator.clock import sast
from voucherswitch.providers.contract.simulator.provider import Reply

# The published samples break their lines before these properties, and the first answers must be the samples.
_BREAKS: Final = (b'"expiredAmount":', b'"redemptions":')

MALFORMED: Final = 9000  # no published code says it, so a connector must be in doubt
REFUSED_CREDENTIALS: Final = 401

TEXTS: Final = {
    2107: "VSP timed out",
    2108: "VSP not found",
    2112: "Store not found",
    2117: "VSP does not support deposit",
    2118: "VSP does not support payment",
    2119: "VSP does not support withdrawal",
    2120: "Invalid token",
    2128: "VSP does not support cashback",
    2129: "Store does not accept VSP",
    8801: "Token redeemed",
    8802: "Token expired or deactivated",
    8803: "Balance too small",
    8804: "Original transaction unknown",
    8805: "Already finalised",
    8806: "Already reversed",
    MALFORMED: "Malformed request",
    9001: "Campaign not found",
    9002: "Campaign closed",
    9003: "Amount outside the campaign's limits",
    9004: "Cap reached",
    9005: "Cap per user reached",
    9006: "Item not found",
    9007: "Item redeemed",
    9008: "Issuer float exhausted",
}

_encode: Final = msgspec.json.Encoder().encode


def success(**parts: Any) -> Reply:
    """A result that is -1, with what belongs to it."""
    body = _encode({"responseCode": "-1", "responseDesc": "Success"} | parts)
    for name in _BREAKS:
        body = body.replace(b"," + name, b",\n " + name, 1)
    return Reply(200, body)


def refusal(code: int | str, *, zero_padded: bool = False) -> Reply:
    """A result that is not -1: HTTP 200 like all of them, but for the credentials."""
    number = int(code) if str(code).isdecimal() else None
    if number == REFUSED_CREDENTIALS:
        return Reply(401, _encode({"responseCode": "401", "responseDesc": "Unauthorised"}), processed=False)
    text = TEXTS.get(number or 0, "Declined")
    shown = f"{number:05d}" if zero_padded and number is not None else str(code)
    return Reply(200, _encode({"responseCode": shown, "responseDesc": text}), processed=False)


UNKNOWN_CALL: Final = Reply(404, b"")


def wire_time(at: float) -> str:
    """A moment as Yoyo writes it: `2026-03-02T14:15:16+0200`."""
    return sast(at).strftime("%Y-%m-%dT%H:%M:%S%z")


def altered(body: bytes, kind: str, delta_cents: int) -> bytes:
    """A success made wrong, as `wrong_amount`, `wrong_reference`, `no_pin` and `bad_pin` ask; a refusal stays."""
    shown: dict[str, Any] = msgspec.json.decode(body)
    part: dict[str, Any] = shown.get("giftcard") or shown.get("coupon") or shown.get("transaction") or shown
    if kind == "wrong_amount":
        for name in ("issuedAmount", "balance", "voucherAmount", "totalAmountProcessed"):
            if name in part:
                part[name] += delta_cents
    elif kind == "wrong_reference":
        _alter_reference(shown, part)
    else:
        for name in ("wicode", "wiCode"):
            if name in part and kind == "no_pin":
                del part[name]
            elif name in part:
                part[name] = "#" + part[name][1:]
    return _encode(shown)


def _alter_reference(shown: dict[str, Any], part: dict[str, Any]) -> None:
    for holder, name in ((part, "userRef"), (part.get("storeTrxDetails", {}), "trxId"), (shown.get("token", {}), "id")):
        if name in holder:
            holder[name] = holder[name][:-1] + ("0" if holder[name][-1] != "0" else "1")
    for row in shown.get("transactions", ()):
        row["userRef"] = row["userRef"][:-1] + ("0" if row["userRef"][-1] != "0" else "1")
