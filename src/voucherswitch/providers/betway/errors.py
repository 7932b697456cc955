"""Betway's refusals -> our outcomes: one table by HTTP status and error code, and the reasons of a rejected order
(providers.md 10.4). Proposed protocol.

What is not in the table may have been processed. A rejected order was not, whatever its reason.
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
    """One line of the table. `lookup`: what it means for a lookup, where that differs from an order.

    `confirm`, `reverse`: None where the table says nothing of such an advice.
    """

    request: Meaning = UNLISTED
    confirm: AdviceMeaning | None = None
    reverse: AdviceMeaning | None = None
    lookup: Meaning | None = None


NOT_FOUND: Final = (404, "ORDER_UNKNOWN")
VOUCHER_NOT_FOUND: Final = (404, "VOUCHER_UNKNOWN")
NOT_OF_ORDERS: Final = frozenset({NOT_FOUND, VOUCHER_NOT_FOUND})  # answers to questions, never to a new order

_REFUSED: Final = AdviceMeaning(Effect.REFUSED)
_DECLINED: Final = Meaning(Family.DECLINED, ErrorType.TRANSACTION_DECLINED)
_UNROUTED: Final = Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR)
# Said of an order only: a lookup that meets it has no answer, which costs nobody anything.
_BUSY: Final = Line(
    Meaning(Family.NOT_SENT, ErrorType.UPSTREAM_UNAVAILABLE), confirm=WAIT, reverse=WAIT, lookup=UNLISTED
)


def _ours(error_type: ErrorType, alert: str) -> Line:
    """Our message is at fault: nothing was processed, and an advice waits until somebody has mended it."""
    waits = AdviceMeaning(Effect.WAIT, alert)
    return Line(Meaning(Family.NOT_SENT, error_type, alert), confirm=waits, reverse=waits)


TABLE: Final[Mapping[tuple[int, str], Line]] = {
    (400, "BAD_REQUEST"): _ours(ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
    NOT_FOUND: Line(confirm=_REFUSED),
    VOUCHER_NOT_FOUND: Line(lookup=Meaning(Family.DECLINED, ErrorType.INVALID_VOUCHER)),
    (409, "EXTERNAL_ID_CONFLICT"): Line(Meaning(Family.UNKNOWN, ErrorType.DUPLICATE_RECORD)),
    (409, "EXTERNAL_ID_CANCELLED"): Line(_DECLINED, confirm=_REFUSED),
    (409, "NOT_FULFILLED"): Line(confirm=WAIT),
    (409, "VOUCHER_USED"): Line(reverse=_REFUSED),
    (409, "REVERSAL_WINDOW_CLOSED"): Line(reverse=_REFUSED),
    (409, "ALREADY_ACKNOWLEDGED"): Line(reverse=_REFUSED),
    (422, "TENDER_MISSING"): Line(_DECLINED),
    (503, "SERVICE_CLOSED"): _BUSY,
}
# Whatever their body says.
BY_STATUS: Final[Mapping[int, Line]] = {
    401: _ours(ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
    403: _ours(ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
    429: _BUSY,
}
REASONS: Final[Mapping[str, Meaning]] = {
    "SKU_UNKNOWN": _UNROUTED,
    "OUTLET_BLOCKED": _UNROUTED,
    "AMOUNT_RANGE": Meaning(Family.DECLINED, ErrorType.INVALID_AMOUNT),
    "CREDIT_EXHAUSTED": Meaning(Family.NOT_SENT, ErrorType.DO_NOT_HONOUR, FLOAT_EXHAUSTED),
    "UPSTREAM_DOWN": Meaning(Family.NOT_SENT, ErrorType.UPSTREAM_UNAVAILABLE),
}
CODES: Final = frozenset(code for _, code in TABLE) | {"TOKEN_INVALID", "IP_NOT_ALLOWED"}

_FALLBACK: Final = Line()


def request_meaning(status: int, code: str, code_map: Mapping[str, Meaning], *, lookup: bool = False) -> Meaning:
    """What a refusal means for a request; the settings' `code_map` wins over the table.

    But for "not found": what `code_map` says of it is said of a lookup, and proves nothing of an order.
    """
    line, mapped = _line(status, code), code_map.get(code)
    if lookup:
        return mapped or line.lookup or line.request
    return line.request if mapped is None or (status, code) in NOT_OF_ORDERS else mapped


def confirm_meaning(status: int, code: str, code_map: Mapping[str, Meaning]) -> AdviceMeaning:
    """What a refusal means for an acknowledgement; `code_map` tells only where the table does not."""
    return advice_meaning(_line(status, code).confirm, code_map.get(code))


def reverse_meaning(status: int, code: str, code_map: Mapping[str, Meaning]) -> AdviceMeaning:
    """What a refusal means for a cancellation; `code_map` tells only where the table does not."""
    return advice_meaning(_line(status, code).reverse, code_map.get(code))


def _line(status: int, code: str) -> Line:
    return TABLE.get((status, code)) or BY_STATUS.get(status, _FALLBACK)


def rejection(reason: str, code_map: Mapping[str, Meaning]) -> Meaning:
    """What the reason of a rejected order means; one that nobody listed is still a rejection."""
    return code_map.get(reason) or REASONS.get(reason, _DECLINED)
