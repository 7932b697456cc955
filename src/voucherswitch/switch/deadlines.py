"""How long a request may take (interface.md §5.2).

Two moments bound it: the answer must leave before the originator gives up, and the provider's call may go on until the
originator would have given up, so that an answer in between is recorded and applied.
"""

from msgspec import Struct

from voucherswitch.catalogue.snapshot import Originator
from voucherswitch.config.limits import CLOSE_RESERVE_S


class Deadlines(Struct, frozen=True):
    """Moments of `time.monotonic()` in seconds."""

    answer: float
    call: float


def deadlines(originator: Originator, received_s: float, answer_margin_s: float) -> Deadlines:
    """Compute both from the receipt. A margin that would leave less than half of a short deadline is cut to half."""
    deadline_s = originator.deadline_s
    answer_in_s = max(deadline_s - answer_margin_s, deadline_s / 2) - CLOSE_RESERVE_S
    return Deadlines(answer=received_s + answer_in_s, call=received_s + deadline_s)
