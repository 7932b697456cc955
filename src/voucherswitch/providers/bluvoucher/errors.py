"""Blu Voucher's refusals -> our outcomes and the results of advices (providers.md 8.4, 8.6).

Only AEON code 103 is Documented; the other codes are Proposed, as are the codes that the trade API adds to a status.
A deployment's own codes go into the settings' `code_map`, which wins for requests; for an advice only what the protocol
says nothing of goes by it. What no table has may have been processed.
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
    """One AEON code: for sell, lookup and redeem; for SoldVoucher; for CancelVoucher. None: the section has a dash."""

    request: Meaning
    sold: AdviceMeaning | None = None
    cancel: AdviceMeaning | None = None


def _declined(error_type: ErrorType) -> Meaning:
    return Meaning(Family.DECLINED, error_type)


def _not_sent(error_type: ErrorType, alert: str | None = None) -> Meaning:
    return Meaning(Family.NOT_SENT, error_type, alert)


_DONE: Final = AdviceMeaning(Effect.DONE)
_REFUSED: Final = AdviceMeaning(Effect.REFUSED)
_OUR_CREDENTIALS: Final = AdviceMeaning(Effect.WAIT, CREDENTIALS_REFUSED)
_OUR_MESSAGE: Final = AdviceMeaning(Effect.WAIT, MESSAGE_REFUSED)
_NOT_REDEEMABLE: Final = _declined(ErrorType.VOUCHER_NOT_REDEEMABLE)
# Somebody's first message with this reference was processed, and its answer is not this one.
_DUPLICATE: Final = Meaning(Family.UNKNOWN, ErrorType.DUPLICATE_RECORD)

SESSION_UNKNOWN: Final = "750"
TRANSACTION_UNKNOWN: Final = "770"

AEON: Final[Mapping[str, Line]] = {
    "103": Line(_not_sent(ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED), _OUR_CREDENTIALS, _OUR_CREDENTIALS),
    # Seen here only when a new session was refused too.
    SESSION_UNKNOWN: Line(_not_sent(ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED)),
    "751": Line(_not_sent(ErrorType.ROUTING_ERROR)),
    "752": Line(_declined(ErrorType.INVALID_AMOUNT)),
    "753": Line(_not_sent(ErrorType.DO_NOT_HONOUR, FLOAT_EXHAUSTED)),
    "754": Line(_DUPLICATE),
    "755": Line(_not_sent(ErrorType.GENERAL_ERROR, MESSAGE_REFUSED), _OUR_MESSAGE, _OUR_MESSAGE),
    "760": Line(_declined(ErrorType.INVALID_VOUCHER)),
    "761": Line(_declined(ErrorType.VOUCHER_ALREADY_REDEEMED), cancel=_REFUSED),
    "762": Line(_NOT_REDEEMABLE),
    "763": Line(_NOT_REDEEMABLE),
    "764": Line(_NOT_REDEEMABLE),
    "765": Line(_declined(ErrorType.INVALID_AMOUNT)),
    TRANSACTION_UNKNOWN: Line(UNLISTED, _REFUSED, AdviceMeaning(Effect.DONE_ONCE_SETTLED)),
    # A repeat is a success there; a provider that says "already so" instead means the same (B.6).
    "771": Line(UNLISTED, _DONE, _REFUSED),
    "772": Line(UNLISTED, _REFUSED, _DONE),
    "773": Line(UNLISTED, cancel=_REFUSED),
    "774": Line(_declined(ErrorType.FUNCTION_NOT_SUPPORTED), _REFUSED, _REFUSED),
    "790": Line(_not_sent(ErrorType.UPSTREAM_UNAVAILABLE), WAIT, WAIT),
    "799": Line(UNLISTED, WAIT, WAIT),
}

_FALLBACK: Final = Line(UNLISTED)


def aeon_meaning(code: str | None, code_map: Mapping[str, Meaning]) -> Meaning:
    """Find what an AEON code means for a request; the settings' `code_map` wins over the table."""
    return code_map.get(code or "") or AEON.get(code or "", _FALLBACK).request


def aeon_advice(code: str | None, code_map: Mapping[str, Meaning], *, confirms: bool) -> AdviceMeaning:
    """Find what an AEON code means for SoldVoucher (`confirms`) or CancelVoucher; the table wins over `code_map`."""
    line = AEON.get(code or "", _FALLBACK)
    return advice_meaning(line.sold if confirms else line.cancel, code_map.get(code or ""))


class TradeLine(Struct, frozen=True):
    """One refusal of the trade API, for sales and for what is done with a voucher."""

    sale: Meaning
    voucher: Meaning


def _both(meaning: Meaning) -> TradeLine:
    return TradeLine(meaning, meaning)


ANY_CODE: Final = ""

TRADE: Final[Mapping[tuple[int, str], TradeLine]] = {  # by HTTP status and code
    (400, "AMOUNT"): _both(_declined(ErrorType.INVALID_AMOUNT)),
    (400, ANY_CODE): _both(_not_sent(ErrorType.GENERAL_ERROR, MESSAGE_REFUSED)),
    (401, ANY_CODE): _both(_not_sent(ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED)),
    (403, ANY_CODE): _both(_not_sent(ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED)),
    (404, ANY_CODE): TradeLine(_not_sent(ErrorType.ROUTING_ERROR), _declined(ErrorType.INVALID_VOUCHER)),
    # Of a sale no voucher can be used: what is used there may be the requestId, so the sale is in doubt.
    (409, "USED"): TradeLine(_DUPLICATE, _declined(ErrorType.VOUCHER_ALREADY_REDEEMED)),
    (409, "DUPLICATE"): _both(_DUPLICATE),
}
_NO_CODE_409: Final = _both(_DUPLICATE)
_UNLISTED_TRADE: Final = _both(UNLISTED)

TRADE_CODES: Final = frozenset(code for _, code in TRADE if code)


SERVER_ERROR: Final = 500

PROVISION: Final = "provision"  # the operations of the trade API, as they are named in `code_map`
LOOKUP: Final = "lookup"
REDEEM: Final = "redeem"


def trade_meaning(operation: str, status: int, code: str, code_map: Mapping[str, Meaning]) -> Meaning:
    """Find what a refusal of the trade API means; `code_map` wins, by the code or, where there is none, the status.

    A key is meant for one operation (`provision:409`) or, bare, for all. Bare it settles no sale that may have been
    made: "used" is a voucher in one operation and a request in another, and a 5xx tells nothing.
    """
    key = code or str(status)
    if (scoped := code_map.get(f"{operation}:{key}")) is not None:
        return scoped
    line, bare = _trade_line(status, code), code_map.get(key)
    if operation != PROVISION:
        return bare or line.voucher
    if status >= SERVER_ERROR or line.sale is _DUPLICATE:
        return line.sale
    return bare or line.sale


def mapped_trade_codes(code_map: Mapping[str, Meaning]) -> frozenset[str]:
    """The codes and statuses that `code_map` names, whatever operation it names with them."""
    return frozenset(key.rpartition(":")[2] for key in code_map)


def _trade_line(status: int, code: str) -> TradeLine:
    if (status, code) == (409, ANY_CODE):
        return _NO_CODE_409
    return TRADE.get((status, code)) or TRADE.get((status, ANY_CODE), _UNLISTED_TRADE)
