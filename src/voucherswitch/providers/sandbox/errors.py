"""The sandbox's refusals -> our outcomes: one table by HTTP status and error code (providers.md 11.5).

What is not in the table may have been processed.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from msgspec import Struct

from voucherswitch.message.codes import ErrorType
from voucherswitch.providers.contract.alerts import CREDENTIALS_REFUSED, MESSAGE_REFUSED
from voucherswitch.providers.contract.families import UNLISTED, Family, Meaning


class ToAdvice(Enum):
    """What a refusal means for an advice."""

    WAIT = "stays queued"
    REFUSED = "final: parked"
    REFUSED_UNLESS_REVERSAL = "final for a confirmation; a reversal left a tombstone, so it has its effect"


class Line(Struct, frozen=True):
    """One line of the table."""

    request: Meaning
    advice: ToAdvice


def _declined(code: str) -> Line:
    return Line(Meaning(Family.DECLINED, ErrorType(code)), ToAdvice.REFUSED)


NOT_FOUND: Final = (404, "UNABLE_TO_LOCATE_RECORD")

_STATE_REFUSALS: Final = (
    *("VOUCHER_ALREADY_PROVISIONED", "VOUCHER_ALREADY_CONFIRMED", "VOUCHER_ALREADY_REVERSED"),
    *("VOUCHER_ALREADY_REDEEMED", "VOUCHER_ALREADY_REFUNDED", "VOUCHER_NOT_REDEEMABLE", "VOUCHER_NOT_REDEEMED"),
    *("VOUCHER_NOT_REFUNDED", "REDEMPTION_ALREADY_CONFIRMED", "REDEMPTION_ALREADY_REVERSED"),
    *("REDEMPTION_NOT_CONFIRMED", "REFUND_ALREADY_CONFIRMED", "REFUND_ALREADY_REVERSED"),
)
_BUSINESS_REFUSALS: Final = (
    *("DO_NOT_HONOUR", "INVALID_AMOUNT", "TRANSACTION_DECLINED", "LIMIT_EXCEEDED", "INSUFFICIENT_FUNDS"),
    *("INVALID_VOUCHER", "VOUCHER_ALREADY_REDEEMED", "VOUCHER_NOT_REDEEMABLE", "FUNCTION_NOT_SUPPORTED"),
    "GENERAL_ERROR",
)
_BUSY: Final = Line(Meaning(Family.NOT_SENT, ErrorType.UPSTREAM_UNAVAILABLE), ToAdvice.WAIT)

TABLE: Final[Mapping[tuple[int, str], Line]] = {
    (400, "FORMAT_ERROR"): Line(Meaning(Family.NOT_SENT, ErrorType.GENERAL_ERROR, MESSAGE_REFUSED), ToAdvice.WAIT),
    (401, "AUTHENTICATION_ERROR"): Line(
        # Our key is wrong, which is no fault of the originator: another provider may still serve it.
        Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
        ToAdvice.WAIT,
    ),
    NOT_FOUND: Line(UNLISTED, ToAdvice.REFUSED_UNLESS_REVERSAL),
    (404, "INVALID_VOUCHER"): Line(Meaning(Family.DECLINED, ErrorType.INVALID_VOUCHER), ToAdvice.WAIT),
    (404, "INVALID_MERCHANT"): Line(Meaning(Family.DECLINED, ErrorType.INVALID_MERCHANT), ToAdvice.WAIT),
    # An unknown product: our map is wrong, and nothing was issued.
    (404, "ROUTING_ERROR"): Line(Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR), ToAdvice.WAIT),
    **{(409, code): _declined(code) for code in _STATE_REFUSALS},
    # The first message with this id was processed, and its answer is not this one.
    (409, "DUPLICATE_RECORD"): Line(Meaning(Family.UNKNOWN, ErrorType.DUPLICATE_RECORD), ToAdvice.REFUSED),
    **{(422, code): _declined(code) for code in _BUSINESS_REFUSALS},
    (422, "VOUCHER_STATUS_UNKNOWN"): Line(Meaning(Family.UNKNOWN, ErrorType.VOUCHER_STATUS_UNKNOWN), ToAdvice.WAIT),
    (429, "UPSTREAM_UNAVAILABLE"): _BUSY,
    (503, "UPSTREAM_UNAVAILABLE"): _BUSY,
}

CODES: Final = frozenset(code for _, code in TABLE)

_FALLBACK: Final = Line(UNLISTED, ToAdvice.WAIT)


def line_for(status: int, code: str, code_map: Mapping[str, Meaning]) -> Line:
    """Find what a refusal means; the settings' `code_map` wins over the table."""
    mapped = code_map.get(code)
    if mapped is None:
        return TABLE.get((status, code), _FALLBACK)
    return Line(mapped, ToAdvice.REFUSED if mapped.family is Family.DECLINED else ToAdvice.WAIT)
