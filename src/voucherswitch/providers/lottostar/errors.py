"""Lottostar's proposed refusals -> our outcomes: one table by HTTP status and error code (providers.md 3.4).

What is not in the table may have been processed.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from voucherswitch.message.codes import ErrorType
from voucherswitch.providers.contract.alerts import CREDENTIALS_REFUSED, FLOAT_EXHAUSTED, MESSAGE_REFUSED
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
    """One line of the table: for a request, and for the void that reverses one."""

    request: Meaning
    void: AdviceMeaning = WAIT


NOT_FOUND: Final = (404, "NOT_FOUND")
STALE: Final = (401, "STALE_TIMESTAMP")

_OUR_KEY: Final = Line(
    Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
    AdviceMeaning(Effect.WAIT, CREDENTIALS_REFUSED),
)
_BUSY: Final = Line(Meaning(Family.NOT_SENT, ErrorType.UPSTREAM_UNAVAILABLE))
# Something with this id, or these very bytes, was processed before, and its answer is not this one.
_KNOWN: Final = Line(Meaning(Family.UNKNOWN, ErrorType.DUPLICATE_RECORD))
_TOO_LATE: Final = Line(UNLISTED, AdviceMeaning(Effect.REFUSED))

TABLE: Final[Mapping[tuple[int, str], Line]] = {
    (400, "INVALID_AMOUNT"): Line(Meaning(Family.DECLINED, ErrorType.INVALID_AMOUNT)),
    (400, "INVALID_REQUEST"): Line(
        Meaning(Family.NOT_SENT, ErrorType.GENERAL_ERROR, MESSAGE_REFUSED), AdviceMeaning(Effect.WAIT, MESSAGE_REFUSED)
    ),
    (401, "BAD_SIGNATURE"): _OUR_KEY,
    (401, "UNKNOWN_KEY"): _OUR_KEY,
    STALE: _OUR_KEY,  # the second time; the first one only corrects our clock
    (401, "NONCE_REUSED"): _KNOWN,
    (402, "FLOAT_EXHAUSTED"): Line(Meaning(Family.NOT_SENT, ErrorType.DO_NOT_HONOUR, FLOAT_EXHAUSTED)),
    (404, "STORE_UNKNOWN"): Line(Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR)),
    (409, "IDEMPOTENCY_MISMATCH"): _KNOWN,
    (409, "REFERENCE_VOIDED"): Line(Meaning(Family.DECLINED, ErrorType.TRANSACTION_DECLINED)),
    (409, "ALREADY_REDEEMED"): _TOO_LATE,
    (409, "VOID_WINDOW_CLOSED"): _TOO_LATE,
    (429, "RATE_LIMITED"): _BUSY,
    (503, "MAINTENANCE"): _BUSY,
}
# Only a lookup can be about a voucher that does not exist; a status has a rule of its own (B.7).
LOOKUP_TABLE: Final = {**TABLE, NOT_FOUND: Line(Meaning(Family.DECLINED, ErrorType.INVALID_VOUCHER))}

CODES: Final = frozenset(code for _, code in LOOKUP_TABLE)

_FALLBACK: Final = Line(UNLISTED)


def line_for(
    status: int, code: str, code_map: Mapping[str, Meaning], table: Mapping[tuple[int, str], Line] = TABLE
) -> Line:
    """Find what a refusal means; the settings' `code_map` wins over the table."""
    mapped = code_map.get(code)
    if mapped is None:
        return table.get((status, code), _FALLBACK)
    return Line(mapped, mapped_advice(mapped))
