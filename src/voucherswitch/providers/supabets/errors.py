"""Supabets' refusals -> our outcomes: one table by HTTP status and the last part of `type` (providers.md 5.4).

Proposed protocol. What is not in the table may have been processed.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from voucherswitch.message.codes import ErrorType
from voucherswitch.providers.contract.alerts import (
    CREDENTIALS_REFUSED,
    DEAD_VOUCHER,
    FLOAT_EXHAUSTED,
    MESSAGE_REFUSED,
)
from voucherswitch.providers.contract.families import (
    UNLISTED,
    WAIT,
    AdviceMeaning,
    Effect,
    Family,
    Meaning,
    mapped_advice,
)


class Line(Struct, frozen=True):
    """One line of the table. `lookup`: what it means for a lookup, where that differs from a sale."""

    request: Meaning = UNLISTED
    confirm: AdviceMeaning = WAIT
    reverse: AdviceMeaning = WAIT
    lookup: Meaning | None = None


NOT_FOUND: Final = (404, "not-found")
TOKEN_EXPIRED: Final = (401, "token-expired")

_DONE: Final = AdviceMeaning(Effect.DONE)
_REFUSED: Final = AdviceMeaning(Effect.REFUSED)
_DECLINED: Final = Meaning(Family.DECLINED, ErrorType.TRANSACTION_DECLINED)
_DUPLICATE: Final = Line(Meaning(Family.UNKNOWN, ErrorType.DUPLICATE_RECORD))
_UNROUTED: Final = Line(Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR))
_BUSY: Final = Line(Meaning(Family.NOT_SENT, ErrorType.UPSTREAM_UNAVAILABLE))


def _ours(error_type: ErrorType, alert: str) -> Line:
    """Our message is at fault: nothing was processed, and an advice waits until somebody has mended it."""
    waits = AdviceMeaning(Effect.WAIT, alert)
    return Line(Meaning(Family.NOT_SENT, error_type, alert), confirm=waits, reverse=waits)


TABLE: Final[Mapping[tuple[int, str], Line]] = {
    (400, "amount-not-allowed"): Line(Meaning(Family.DECLINED, ErrorType.INVALID_AMOUNT)),
    (400, "bad-request"): _ours(ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
    (401, "invalid-token"): _ours(ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
    (401, "body-hash"): _ours(ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
    # The second one in a row: a new token was refused as well, so the clocks disagree.
    TOKEN_EXPIRED: Line(Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED)),
    # Our token came there before, so somebody sent our request twice; the first may have been processed.
    (401, "jti-reused"): _DUPLICATE,
    (402, "credit-limit"): Line(Meaning(Family.NOT_SENT, ErrorType.DO_NOT_HONOUR, FLOAT_EXHAUSTED)),
    NOT_FOUND: Line(confirm=_REFUSED, lookup=Meaning(Family.DECLINED, ErrorType.INVALID_VOUCHER)),
    (409, "reservation-conflict"): _DUPLICATE,
    (409, "reservation-released"): Line(_DECLINED, confirm=_REFUSED),
    # Only a committed voucher can be spent.
    (409, "voucher-spent"): Line(confirm=_DONE, reverse=_REFUSED),
    (409, "reversal-window-closed"): Line(reverse=_REFUSED),
    (410, "reservation-expired"): Line(_DECLINED, confirm=AdviceMeaning(Effect.REFUSED, DEAD_VOUCHER), reverse=_DONE),
    (422, "unknown-product"): _UNROUTED,
    (422, "unknown-site"): _UNROUTED,
    (503, "unavailable"): _BUSY,
}
THROTTLED: Final = 429  # whatever its body says

_FALLBACK: Final = Line()


def line_for(status: int, code: str, code_map: Mapping[str, Meaning]) -> Line:
    """Find what a refusal means; the settings' `code_map` wins over the table."""
    mapped = code_map.get(code)
    if mapped is not None:
        advice = mapped_advice(mapped)
        return Line(mapped, confirm=advice, reverse=advice)
    if status == THROTTLED:
        return _BUSY
    return TABLE.get((status, code), _FALLBACK)
