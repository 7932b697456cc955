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
    advice_meaning,
)


class Line(Struct, frozen=True):
    """One line of the table: for a request, and for the void that reverses one; None: it says nothing of a void."""

    request: Meaning
    void: AdviceMeaning | None = None


NOT_FOUND: Final = (404, "NOT_FOUND")
STALE: Final = (401, "STALE_TIMESTAMP")

_OUR_KEY: Final = Line(
    Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
    AdviceMeaning(Effect.WAIT, CREDENTIALS_REFUSED),
)
_BUSY: Final = Line(Meaning(Family.NOT_SENT, ErrorType.UPSTREAM_UNAVAILABLE), WAIT)
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
    (401, "NONCE_REUSED"): Line(_KNOWN.request, WAIT),
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


def request_meaning(
    status: int, code: str, code_map: Mapping[str, Meaning], table: Mapping[tuple[int, str], Line] = TABLE
) -> Meaning:
    """What a refusal means for a request; the settings' `code_map` wins over the table.

    But for "not found": what `code_map` says of it is said of a lookup, and proves nothing of a sale.
    """
    of_a_sale = table is TABLE
    mapped = None if of_a_sale and (status, code) == NOT_FOUND else code_map.get(code)
    return mapped or table.get((status, code), _FALLBACK).request


def void_meaning(status: int, code: str, code_map: Mapping[str, Meaning]) -> AdviceMeaning:
    """What a refusal means for a void; `code_map` tells only where the table says nothing."""
    return advice_meaning(TABLE.get((status, code), _FALLBACK).void, code_map.get(code))
