"""What the answers of a scenario must have left in the books, by the names of its operations (scenarios.py)."""

from collections import Counter
from collections.abc import Mapping
from typing import Final, TypeAlias

from msgspec import Struct

from voucherswitch.message.states import Kind, State

Record: TypeAlias = tuple[Kind, State]


class Effect(Struct, frozen=True):
    """What one answer changes.

    Attributes:
        left: the kind and state that a record had before; None: there was none.
        reached: those that it has then; None: no record changes.
        issued: vouchers that the provider issues.
        advices: those that are owed to the provider, and delivered in the end.
    """

    left: Record | None = None
    reached: Record | None = None
    issued: int = 0
    advices: int = 0


def _sold(state: State) -> Record:
    return Kind.PROVISION, state


def _redeemed(state: State) -> Record:
    return Kind.REDEMPTION, state


EFFECTS: Final[dict[str, Effect]] = {
    "provision": Effect(reached=_sold(State.APPROVED), issued=1),
    "confirm provision": Effect(_sold(State.APPROVED), _sold(State.CONFIRMED), advices=1),
    "declined provision": Effect(reached=_sold(State.DECLINED)),
    "provision in doubt": Effect(reached=_sold(State.UNKNOWN), issued=1),  # it issues, and does not say so
    "retry": Effect(_sold(State.UNKNOWN), _sold(State.APPROVED)),  # the voucher that was issued before
    "reverse provision": Effect(_sold(State.UNKNOWN), _sold(State.REVERSED), advices=1),
    "duplicate": Effect(),
    "lookup voucher": Effect(),
    "lookup products": Effect(),
    "redeem": Effect(reached=_redeemed(State.APPROVED)),
    "confirm redemption": Effect(_redeemed(State.APPROVED), _redeemed(State.CONFIRMED), advices=1),
    "reverse redemption": Effect(_redeemed(State.APPROVED), _redeemed(State.REVERSED), advices=1),
}


class Expected(Struct):
    """How the books must have grown: records by kind and state, vouchers issued, advices delivered."""

    records: Counter[Record]
    issued: int
    delivered: int


def expected(answers: Mapping[str, int]) -> Expected:
    """Sum up what so many answers of each operation must have left."""
    records: Counter[Record] = Counter()
    for name, number in answers.items():
        effect = EFFECTS[name]
        if effect.left is not None:
            records[effect.left] -= number
        if effect.reached is not None:
            records[effect.reached] += number
    return Expected(
        records=Counter({record: number for record, number in records.items() if number}),
        issued=sum(EFFECTS[name].issued * number for name, number in answers.items()),
        delivered=sum(EFFECTS[name].advices * number for name, number in answers.items()),
    )
