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
    advice_meaning,
)


class Line(Struct, frozen=True):
    """One line of the table. `lookup`: what it means for a lookup, where that differs from a sale.

    `confirm`, `reverse`: None where the table says nothing of such an advice.
    """

    request: Meaning = UNLISTED
    confirm: AdviceMeaning | None = None
    reverse: AdviceMeaning | None = None
    lookup: Meaning | None = None


NOT_FOUND: Final = (404, "not-found")
TOKEN_EXPIRED: Final = (401, "token-expired")

_DONE: Final = AdviceMeaning(Effect.DONE)
_REFUSED: Final = AdviceMeaning(Effect.REFUSED)
_DECLINED: Final = Meaning(Family.DECLINED, ErrorType.TRANSACTION_DECLINED)
_DUPLICATE: Final = Line(Meaning(Family.UNKNOWN, ErrorType.DUPLICATE_RECORD))
_UNROUTED: Final = Line(Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR))
_BUSY: Final = Line(Meaning(Family.NOT_SENT, ErrorType.UPSTREAM_UNAVAILABLE), confirm=WAIT, reverse=WAIT)


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
    TOKEN_EXPIRED: Line(
        Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED), confirm=WAIT, reverse=WAIT
    ),
    # Our token came there before, so somebody sent our request twice; the first may have been processed.
    (401, "jti-reused"): Line(_DUPLICATE.request, confirm=WAIT, reverse=WAIT),
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


def request_meaning(status: int, code: str, code_map: Mapping[str, Meaning], *, lookup: bool = False) -> Meaning:
    """What a refusal means for a request; the settings' `code_map` wins over the table.

    But for "not found": what `code_map` says of it is said of a lookup, and proves nothing of a sale.
    """
    line, mapped = _line(status, code), code_map.get(code)
    if lookup:
        return mapped or line.lookup or line.request
    return line.request if mapped is None or (status, code) == NOT_FOUND else mapped


def confirm_meaning(status: int, code: str, code_map: Mapping[str, Meaning]) -> AdviceMeaning:
    """What a refusal means for the commit of a confirmation; `code_map` tells only where the table does not."""
    return advice_meaning(_line(status, code).confirm, code_map.get(code))


def reverse_meaning(status: int, code: str, code_map: Mapping[str, Meaning]) -> AdviceMeaning:
    """What a refusal means for a release; `code_map` tells only where the table does not."""
    return advice_meaning(_line(status, code).reverse, code_map.get(code))


def _line(status: int, code: str) -> Line:
    return _BUSY if status == THROTTLED else TABLE.get((status, code), _FALLBACK)
