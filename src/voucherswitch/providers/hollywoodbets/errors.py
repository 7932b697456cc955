"""Hollywoodbets' proposed result codes -> our outcomes: one table (providers.md 4.4).

The HTTP status of a business answer is always 200, so the code alone decides. What is not in the table may have been
processed.
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
    """One line of the table: for a request, and for the block that reverses one; None: it says nothing of a block."""

    request: Meaning
    block: AdviceMeaning | None = None


DONE: Final = "HB00"
NOT_KNOWN: Final = "HB40"

_TOO_LATE: Final = Line(UNLISTED, AdviceMeaning(Effect.REFUSED))

TABLE: Final[Mapping[str, Line]] = {
    "HB10": Line(Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR)),
    "HB11": Line(Meaning(Family.DECLINED, ErrorType.INVALID_AMOUNT)),
    "HB12": Line(Meaning(Family.NOT_SENT, ErrorType.DO_NOT_HONOUR)),
    # Something was issued under this reference, and it is not this.
    "HB13": Line(Meaning(Family.UNKNOWN, ErrorType.DUPLICATE_RECORD)),
    "HB14": _TOO_LATE,
    "HB15": _TOO_LATE,
    "HB16": Line(Meaning(Family.NOT_SENT, ErrorType.DO_NOT_HONOUR, FLOAT_EXHAUSTED)),
    "HB20": Line(Meaning(Family.DECLINED, ErrorType.INVALID_VOUCHER)),
    "HB30": Line(Meaning(Family.UNKNOWN, ErrorType.VOUCHER_STATUS_UNKNOWN), WAIT),
    # Nothing to block is success only once the request cannot still be on its way in: there is no tombstone.
    NOT_KNOWN: Line(UNLISTED, AdviceMeaning(Effect.DONE_ONCE_SETTLED)),
    "HB50": Line(
        Meaning(Family.NOT_SENT, ErrorType.GENERAL_ERROR, MESSAGE_REFUSED), AdviceMeaning(Effect.WAIT, MESSAGE_REFUSED)
    ),
    "HB90": Line(Meaning(Family.NOT_SENT, ErrorType.UPSTREAM_UNAVAILABLE), WAIT),
    "HB99": Line(UNLISTED, WAIT),
}
# HTTP 401: the one refusal that has no result code.
CREDENTIALS: Final = Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED)
CREDENTIALS_OF_A_BLOCK: Final = AdviceMeaning(Effect.WAIT, CREDENTIALS_REFUSED)

_FALLBACK: Final = Line(UNLISTED)


def request_meaning(code: str, code_map: Mapping[str, Meaning]) -> Meaning:
    """What a code means for a request; the settings' `code_map` wins over the table."""
    return code_map.get(code) or TABLE.get(code, _FALLBACK).request


def block_meaning(code: str, code_map: Mapping[str, Meaning]) -> AdviceMeaning:
    """What a code means for a block; `code_map` tells only where the table says nothing."""
    return advice_meaning(TABLE.get(code, _FALLBACK).block, code_map.get(code))
