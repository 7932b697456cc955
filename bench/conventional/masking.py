"""What a trace may show: the interface's Log/store codes M, K and N are masked before anything is written."""

import json
from collections.abc import Mapping

HIDDEN = "***"
HIDDEN_KEYS = frozenset({
    "redeemInstructions", "instructions", "pin", "pinBlock", "hash", "operatorId", "firstName", "lastName", "address",
    "addressLine1", "addressLine2", "city", "region", "country", "postalCode", "dateOfBirth", "emailAddress",
    "profileId", "data", "voucherCode",
})  # fmt: skip
PLAIN_PARENTS = frozenset({"merchantName"})  # the shop's own city is no secret


def masked_json(message: Mapping[str, object]) -> str:
    """Write a message as JSON that can be shown to anybody who may see traces."""
    return json.dumps(masked(message), separators=(",", ":"), ensure_ascii=False)


def masked(value: object, key: str = "", parent: str = "") -> object:
    """Return a copy with every secret replaced; lists pass their own key on to their elements."""
    if isinstance(value, Mapping):
        return {name: masked(inner, name, key) for name, inner in value.items()}
    if key in HIDDEN_KEYS and parent not in PLAIN_PARENTS:
        return HIDDEN
    if isinstance(value, list):
        return [masked(inner, key, parent) for inner in value]
    if not isinstance(value, str):
        return value
    if (parent == "voucher" and key == "code") or (parent == "messageLines" and key == "text"):
        return HIDDEN
    if key == "msisdn":
        return HIDDEN + value[-4:]
    if key == "cardNumber":
        return value[:6] + HIDDEN + value[-4:]
    return value
