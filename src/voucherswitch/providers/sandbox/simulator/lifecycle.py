"""The sandbox's life cycle: what may happen to a voucher and its movements, as one pure table (providers.md 11.3).

The table of the specification has a column per voucher state. Advices of movements are read here by the movement's own
state instead, which gives the same cells and also answers for the second and third movement of one voucher.
"""

from typing import Final

from msgspec import Struct

PROVISIONED: Final = "PROVISIONED"
CONFIRMED: Final = "CONFIRMED"
REDEEMED: Final = "REDEEMED"
REDEEM_CONFIRMED: Final = "REDEEM_CONFIRMED"
REFUNDED: Final = "REFUNDED"
REVERSED: Final = "REVERSED"
AUTHORISED: Final = "AUTHORISED"  # movements only

STATES: Final = (PROVISIONED, CONFIRMED, REDEEMED, REDEEM_CONFIRMED, REFUNDED, REVERSED)


class Cell(Struct, frozen=True):
    """What an operation does in a state: a refusal, or acceptance that leads to `to`, or to no change."""

    refusal: str | None = None
    to: str | None = None


SAME: Final = Cell()


def _to(state: str) -> Cell:
    return Cell(to=state)


def _no(code: str) -> Cell:
    return Cell(refusal=code)


def _row(*cells: Cell) -> dict[str, Cell]:
    return dict(zip(STATES, cells, strict=True))


_REDEEMED_ALREADY: Final = _no("VOUCHER_ALREADY_REDEEMED")
_NOT_REDEEMABLE: Final = _no("VOUCHER_NOT_REDEEMABLE")
_NOT_REDEEMED: Final = _no("VOUCHER_NOT_REDEEMED")
_CONFIRMED_ALREADY: Final = _no("VOUCHER_ALREADY_CONFIRMED")
_REVERSED_ALREADY: Final = _no("VOUCHER_ALREADY_REVERSED")

VOUCHER: Final = {
    "retry": _row(SAME, SAME, SAME, SAME, SAME, _REVERSED_ALREADY),
    "confirm": _row(_to(CONFIRMED), SAME, SAME, SAME, SAME, _REVERSED_ALREADY),
    "reverse": _row(
        _to(REVERSED), _CONFIRMED_ALREADY, _CONFIRMED_ALREADY, _CONFIRMED_ALREADY, _CONFIRMED_ALREADY, SAME
    ),
    "redeem": _row(
        _NOT_REDEEMABLE,
        _to(REDEEMED),
        _REDEEMED_ALREADY,
        _REDEEMED_ALREADY,
        _REDEEMED_ALREADY,
        _NOT_REDEEMABLE,
    ),
    # In CONFIRMED only if a confirmed redemption is named: the balance was used in part.
    "refund": _row(
        _NOT_REDEEMED,
        _to(REFUNDED),
        _no("REDEMPTION_NOT_CONFIRMED"),
        _to(REFUNDED),
        _no("VOUCHER_ALREADY_REFUNDED"),
        _NOT_REDEEMED,
    ),
}

MOVEMENT: Final = {
    "confirmRedeem": {AUTHORISED: _to(CONFIRMED), CONFIRMED: _NOT_REDEEMED, REVERSED: _NOT_REDEEMED},
    "reverseRedeem": {AUTHORISED: _to(REVERSED), CONFIRMED: _no("REDEMPTION_ALREADY_CONFIRMED"), REVERSED: SAME},
    "confirmRefund": {
        AUTHORISED: _to(CONFIRMED),
        CONFIRMED: _no("VOUCHER_NOT_REFUNDED"),
        REVERSED: _no("VOUCHER_NOT_REFUNDED"),
    },
    "reverseRefund": {AUTHORISED: _to(REVERSED), CONFIRMED: _no("REFUND_ALREADY_CONFIRMED"), REVERSED: SAME},
}
