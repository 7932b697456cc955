"""States of records, vouchers and advices (interface.md §4.1, §4.2), numbered as the journal stores them."""

from collections.abc import Iterable
from enum import IntEnum


class Kind(IntEnum):
    """The three creating requests. They share one life cycle."""

    PROVISION = 1
    REDEMPTION = 2
    REFUND = 3


class State(IntEnum):
    """What is known of a request."""

    PENDING = 1  # recorded, the provider's answer is awaited
    APPROVED = 2
    DECLINED = 3
    UNKNOWN = 4  # it may have happened; somebody has to find out
    CONFIRMED = 5
    REVERSED = 6  # also a tombstone: a reversal kept without its request


OPEN_STATES = (State.PENDING, State.UNKNOWN)


class VoucherState(IntEnum):
    """State of a voucher from the moment its provision is confirmed. Before that it has none."""

    CONFIRMED_PROVISIONED = 1
    REDEEMED = 2
    CONFIRMED_REDEEMED = 3
    REFUNDED = 4


class AdviceKind(IntEnum):
    """The two advices: the request stands, or it is undone."""

    CONFIRMATION = 1
    REVERSAL = 2


class AdviceState(IntEnum):
    """Where an accepted advice is. Only QUEUED is still owed to the provider without anybody's help."""

    QUEUED = 1
    DELIVERED = 2
    CONSUMED = 3  # the provider takes no such advice: kept for audit, never sent
    PARKED = 4  # the provider refused it for good: an operator decides
    REPLACED = 5  # the switch's own confirmation, overtaken by the originator's reversal before it was sent
    REDUNDANT = 6  # acknowledged, but it changed nothing: the record was already so
    DISCARDED = 7  # an operator ended it, with a reason


def mask(states: Iterable[IntEnum]) -> int:
    """Pack states into the bit set that guarded statements take: bit n is state n."""
    bits = 0
    for state in states:
        bits |= 1 << int(state)
    return bits
