"""Yoyo's response codes -> our outcomes: one table for both of its APIs, whose codes do not overlap (providers.md 7.4).

A code is compared as a whole number, because Yoyo pads some with zeros: `02120` is 2120. What is not in the table may
have been processed.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from voucherswitch.message.codes import ErrorType
from voucherswitch.providers.contract.alerts import CREDENTIALS_REFUSED, FLOAT_EXHAUSTED
from voucherswitch.providers.contract.families import (
    UNLISTED,
    AdviceMeaning,
    Effect,
    Family,
    Meaning,
    advice_meaning,
)

SUCCESS: Final = -1
REFUSED_CREDENTIALS: Final = 401  # the HTTP status; no response code says it
ITEM_NOT_FOUND: Final = 9006
TRANSACTION_NOT_FOUND: Final = 8804


class Told(Enum):
    """The advices."""

    DELETE = "expire an issued item"
    FINALISE = "a redemption stands"
    REVERSE = "a redemption is undone"


def _declined(error_type: ErrorType) -> Meaning:
    return Meaning(Family.DECLINED, error_type)


REQUESTS: Final[Mapping[int, Meaning]] = {
    REFUSED_CREDENTIALS: Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
    # Issuing
    9001: Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR),
    9002: Meaning(Family.NOT_SENT, ErrorType.DO_NOT_HONOUR),
    9003: _declined(ErrorType.INVALID_AMOUNT),
    9004: _declined(ErrorType.LIMIT_EXCEEDED),
    9005: _declined(ErrorType.LIMIT_EXCEEDED),
    ITEM_NOT_FOUND: Meaning(Family.UNKNOWN, ErrorType.UNABLE_TO_LOCATE_RECORD),
    9008: Meaning(Family.NOT_SENT, ErrorType.DO_NOT_HONOUR, FLOAT_EXHAUSTED),
    # Redemption. A value store that timed out may have taken the value.
    2107: Meaning(Family.UNKNOWN, ErrorType.VOUCHER_STATUS_UNKNOWN),
    2108: Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR),
    2112: Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR),
    **dict.fromkeys((2117, 2118, 2119, 2128), _declined(ErrorType.FUNCTION_NOT_SUPPORTED)),
    2120: _declined(ErrorType.INVALID_VOUCHER),
    2129: _declined(ErrorType.DO_NOT_HONOUR),
    8801: _declined(ErrorType.VOUCHER_ALREADY_REDEEMED),
    8802: _declined(ErrorType.VOUCHER_NOT_REDEEMABLE),
    8803: _declined(ErrorType.INSUFFICIENT_FUNDS),
}

_DONE: Final = AdviceMeaning(Effect.DONE)
_REFUSED: Final = AdviceMeaning(Effect.REFUSED)

ADVICES: Final[Mapping[tuple[Told, int], AdviceMeaning]] = {
    (Told.DELETE, ITEM_NOT_FOUND): _DONE,
    (Told.DELETE, 9007): _REFUSED,
    (Told.REVERSE, TRANSACTION_NOT_FOUND): AdviceMeaning(Effect.DONE_ONCE_SETTLED),
    (Told.FINALISE, TRANSACTION_NOT_FOUND): _REFUSED,
    # Already finalised, already reversed: the same again is -1 by rule, and no refusal if it is not.
    (Told.FINALISE, 8805): _DONE,
    (Told.REVERSE, 8805): _REFUSED,
    (Told.FINALISE, 8806): _REFUSED,
    (Told.REVERSE, 8806): _DONE,
}
_NO_CREDENTIALS: Final = AdviceMeaning(Effect.WAIT, CREDENTIALS_REFUSED)


def meaning_of(code: int | None, code_map: Mapping[str, Meaning]) -> Meaning:
    """What a code means for a request; the settings' `code_map` wins over the table."""
    if code is None:
        return UNLISTED
    return code_map.get(str(code)) or REQUESTS.get(code, UNLISTED)


def advice_meaning_of(told: Told, code: int | None, code_map: Mapping[str, Meaning]) -> AdviceMeaning:
    """What a code means for an advice; the settings' `code_map` only where the table has no line for it."""
    if code is None:
        return advice_meaning(None, None)
    listed = _NO_CREDENTIALS if code == REFUSED_CREDENTIALS else ADVICES.get((told, code))
    return advice_meaning(listed, code_map.get(str(code)))


def by_number(code_map: Mapping[str, Meaning]) -> dict[str, Meaning]:
    """The settings' `code_map` with its codes as numbers are written: its `02120` is 2120, as in the answers."""
    return {str(int(code)) if code.isdecimal() else code: meaning for code, meaning in code_map.items()}
