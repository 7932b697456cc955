"""Netcare's fault codes -> our outcomes (providers.md 2.4, Proposed).

A fault's `Retryable` is no part of this on purpose: it has been seen true after the voucher was issued. The settings'
`code_map` wins over the table for requests; what the table says of an advice it never turns round.
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
    advice_meaning,
)

PRICE_DIFFERS: Final = "NV-1002"
UNKNOWN_SERVICE: Final = "NV-1001"


class Line(Struct, frozen=True):
    """One line of the table; None: Netcare answers no advice with it."""

    request: Meaning
    confirm: AdviceMeaning | None = None
    cancel: AdviceMeaning | None = None


def _not_sent(error_type: ErrorType) -> Line:
    return Line(Meaning(Family.NOT_SENT, error_type))


def _ours_to_mend(error_type: ErrorType, alert: str) -> Line:
    """Our message or our credential is refused: nothing is processed, and an advice waits until it is mended."""
    waits = AdviceMeaning(Effect.WAIT, alert)
    return Line(Meaning(Family.NOT_SENT, error_type, alert), waits, waits)


def _declined(error_type: ErrorType, confirm: Effect, cancel: Effect, alert: str | None = None) -> Line:
    """`alert`: of a refused confirmation."""
    return Line(Meaning(Family.DECLINED, error_type), AdviceMeaning(confirm, alert), AdviceMeaning(cancel))


_DONE, _REFUSED = Effect.DONE, Effect.REFUSED

TABLE: Final[Mapping[str, Line]] = {
    UNKNOWN_SERVICE: _not_sent(ErrorType.ROUTING_ERROR),
    "NV-1005": _not_sent(ErrorType.ROUTING_ERROR),  # unknown site
    PRICE_DIFFERS: Line(Meaning(Family.DECLINED, ErrorType.INVALID_AMOUNT)),
    "NV-1003": _not_sent(ErrorType.DO_NOT_HONOUR),  # suspended
    "NV-1006": Line(Meaning(Family.NOT_SENT, ErrorType.DO_NOT_HONOUR, FLOAT_EXHAUSTED)),
    "NV-1004": Line(Meaning(Family.DECLINED, ErrorType.TRANSACTION_DECLINED)),  # no tender, or not of the price
    "NV-1400": _ours_to_mend(ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
    "NV-1402": _ours_to_mend(ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
    "NV-1401": _ours_to_mend(ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
    # The nonce was seen before: the same bytes arrived earlier, and what became of those is not told.
    "NV-1403": Line(Meaning(Family.UNKNOWN, ErrorType.DUPLICATE_RECORD), WAIT, WAIT),
    # Not found. There is no tombstone: a cancellation is proved only once the request cannot come after it.
    "NV-1404": _declined(ErrorType.INVALID_VOUCHER, _REFUSED, Effect.DONE_ONCE_SETTLED),
    "NV-1409": Line(Meaning(Family.UNKNOWN, ErrorType.DUPLICATE_RECORD)),
    "NV-1410": _declined(ErrorType.VOUCHER_ALREADY_REDEEMED, _DONE, _REFUSED),
    "NV-1411": _declined(ErrorType.VOUCHER_NOT_REDEEMABLE, _REFUSED, _REFUSED),  # expired
    "NV-1412": _declined(ErrorType.VOUCHER_NOT_REDEEMABLE, _REFUSED, _DONE),  # cancelled
    # Lapsed: the confirmation came after 15 minutes, and somebody holds a voucher that is worth nothing.
    "NV-1413": _declined(ErrorType.VOUCHER_NOT_REDEEMABLE, _REFUSED, _DONE, DEAD_VOUCHER),
    "NV-1500": Line(UNLISTED, WAIT, WAIT),
}

_FALLBACK: Final = Line(UNLISTED)


def meaning_of(code: str | None, code_map: Mapping[str, Meaning]) -> Meaning:
    """What a fault code means for a request; the settings' `code_map` wins over the table."""
    return code_map.get(code or "") or TABLE.get(code or "", _FALLBACK).request


def confirm_meaning_of(code: str | None, code_map: Mapping[str, Meaning]) -> AdviceMeaning:
    """What a fault code means for a confirmation; the table wins."""
    return advice_meaning(TABLE.get(code or "", _FALLBACK).confirm, code_map.get(code or ""))


def cancel_meaning_of(code: str | None, code_map: Mapping[str, Meaning]) -> AdviceMeaning:
    """The same for a cancellation."""
    return advice_meaning(TABLE.get(code or "", _FALLBACK).cancel, code_map.get(code or ""))
