"""Netcare's fault codes -> our outcomes (providers.md 2.4, Proposed).

A fault's `Retryable` is no part of this on purpose: it has been seen true after the voucher was issued.
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

PRICE_DIFFERS: Final = "NV-1002"
UNKNOWN_SERVICE: Final = "NV-1001"


class Line(Struct, frozen=True):
    """One line of the table."""

    request: Meaning
    confirm: AdviceMeaning = WAIT
    cancel: AdviceMeaning = WAIT


def _not_sent(error_type: ErrorType, alert: str | None = None) -> Line:
    waits = AdviceMeaning(Effect.WAIT, alert)
    return Line(Meaning(Family.NOT_SENT, error_type, alert), waits, waits)


def _declined(
    error_type: ErrorType, confirm: Effect = Effect.WAIT, cancel: Effect = Effect.WAIT, alert: str | None = None
) -> Line:
    """`alert`: of a refused confirmation."""
    return Line(Meaning(Family.DECLINED, error_type), AdviceMeaning(confirm, alert), AdviceMeaning(cancel))


_DONE, _REFUSED = Effect.DONE, Effect.REFUSED

TABLE: Final[Mapping[str, Line]] = {
    UNKNOWN_SERVICE: _not_sent(ErrorType.ROUTING_ERROR),
    "NV-1005": _not_sent(ErrorType.ROUTING_ERROR),  # unknown site
    PRICE_DIFFERS: _declined(ErrorType.INVALID_AMOUNT),
    "NV-1003": _not_sent(ErrorType.DO_NOT_HONOUR),  # suspended
    "NV-1006": Line(Meaning(Family.NOT_SENT, ErrorType.DO_NOT_HONOUR, FLOAT_EXHAUSTED)),
    "NV-1004": _declined(ErrorType.TRANSACTION_DECLINED),  # no tender, or not of the price
    "NV-1400": _not_sent(ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
    "NV-1402": _not_sent(ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
    "NV-1401": _not_sent(ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
    # The nonce was seen before: the same bytes arrived earlier, and what became of those is not told.
    "NV-1403": Line(Meaning(Family.UNKNOWN, ErrorType.DUPLICATE_RECORD)),
    # Not found. There is no tombstone: a cancellation is proved only once the request cannot come after it.
    "NV-1404": _declined(ErrorType.INVALID_VOUCHER, _REFUSED, Effect.DONE_ONCE_SETTLED),
    "NV-1409": Line(Meaning(Family.UNKNOWN, ErrorType.DUPLICATE_RECORD)),
    "NV-1410": _declined(ErrorType.VOUCHER_ALREADY_REDEEMED, _DONE, _REFUSED),
    "NV-1411": _declined(ErrorType.VOUCHER_NOT_REDEEMABLE, _REFUSED, _REFUSED),  # expired
    "NV-1412": _declined(ErrorType.VOUCHER_NOT_REDEEMABLE, _REFUSED, _DONE),  # cancelled
    # Lapsed: the confirmation came after 15 minutes, and somebody holds a voucher that is worth nothing.
    "NV-1413": _declined(ErrorType.VOUCHER_NOT_REDEEMABLE, _REFUSED, _DONE, DEAD_VOUCHER),
    "NV-1500": Line(UNLISTED),
}

_FALLBACK: Final = Line(UNLISTED)


def line_for(code: str | None, code_map: Mapping[str, Meaning]) -> Line:
    """What a fault code means; the settings' `code_map` wins over the table."""
    mapped = code_map.get(code or "")
    if mapped is None:
        return TABLE.get(code or "", _FALLBACK)
    return Line(mapped, mapped_advice(mapped), mapped_advice(mapped))
