"""What one call says about its provider's health. Pure.

Failing is: not reached, no usable answer in time, or its own word that it is unavailable. A decline is an answer like
any other, and what we held back ourselves (a full bulkhead, missing settings, a product without a map) says nothing.
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

from voucherswitch.config.limits import BREAKER_SILENCE_S
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import AdviceResult, NotSent, Outcome, OutcomeUnknown, Pending
from voucherswitch.message.trace import Leg, LegOutcome
from voucherswitch.providers.contract.alerts import BAD_ANSWER


class Health(Enum):
    """What a call proves of its provider."""

    WELL = auto()  # it answered
    FAILING = auto()
    UNTOLD = auto()  # nothing was sent, or nothing can be told from it


# Operations of which UPSTREAM_UNAVAILABLE is the provider's state. Of a question it may only mean "not found yet".
_CREATING: Final = frozenset({"provision", "redeem", "refund"})


def judge(result: Outcome | AdviceResult | None, legs: Sequence[Leg], cut_after_s: float | None) -> Health:
    """Judge one call by its exchanges, and by what the connector read in the last of them.

    Args:
        result: None when the call was given up.
        legs: the exchanges of this call alone, in order.
        cut_after_s: how long the call was given, if it ended by our clock and not by the provider's own budget.
    """
    if not legs:
        return Health.UNTOLD
    last = legs[-1]
    match last.outcome:
        case LegOutcome.NOT_SENT:
            return Health.UNTOLD if last.ours else Health.FAILING
        case LegOutcome.NO_ANSWER:
            hasty = cut_after_s is not None and cut_after_s < BREAKER_SILENCE_S
            return Health.UNTOLD if hasty else Health.FAILING
        case LegOutcome.ANSWERED:
            return Health.FAILING if _unavailable(result, last) else Health.WELL


def _unavailable(result: Outcome | AdviceResult | None, answered: Leg) -> bool:
    if not isinstance(result, NotSent | OutcomeUnknown | Pending):
        return False
    if result.alert == BAD_ANSWER or (
        answered.status is not None and (answered.status >= 500 or answered.status == 429)
    ):
        return True
    return (
        not isinstance(result, Pending)
        and result.error_type is ErrorType.UPSTREAM_UNAVAILABLE
        and answered.operation in _CREATING
    )


def reason_of(result: Outcome | AdviceResult | None, legs: Sequence[Leg]) -> str:
    """How a failing call failed, in a few words. A leg's error quotes no body."""
    last = legs[-1]
    if last.error is not None:
        return last.error
    if isinstance(result, Pending):
        return result.cause
    code = result.provider_code if isinstance(result, NotSent | OutcomeUnknown) else None
    message = result.provider_message if isinstance(result, NotSent | OutcomeUnknown) else None
    told = " ".join(part for part in (code, message) if part)
    return told or (f"answered {last.status}" if last.status is not None else "no usable answer")
