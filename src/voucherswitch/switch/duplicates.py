"""A creating request whose id is taken: which refusal, and what its sender may hear (I3, V4-V6, R2, F1, X1, X2)."""

import msgspec
from msgspec import Struct

from voucherswitch.journal.records import Record
from voucherswitch.message.refusals import Detail, Refusal, Refused
from voucherswitch.message.states import Kind, State
from voucherswitch.switch.deps import Deps
from voucherswitch.switch.lifecycle import DUPLICATE_ELSEWHERE, Message, Move, judge
from voucherswitch.switch.positions import duplicate_detail, position, reversed_detail
from voucherswitch.switch.telling import recorded_answer


class _Recorded(Struct):
    """The part of a recorded request that a duplicate's answer repeats."""

    time: str | None = None


_decode = msgspec.json.Decoder(_Recorded).decode


def check_id(deps: Deps, kind: Kind, record: Record | None, originator_id: str, *, reuse: bool) -> int:
    """Return the generation that a new request with this id gets; refuse if the id is not free for it.

    Raises:
        Refused: the id is taken, or a reversal for it is on file.
    """
    if record is None:
        return 0
    if record.originator_id != originator_id or record.kind is not kind:
        raise Refused(DUPLICATE_ELSEWHERE)
    verdict = judge(kind, position(record), Message.REUSE if reuse else Message.REQUEST)
    if isinstance(verdict, Move):
        return record.generation + 1
    if not isinstance(verdict, Refusal):
        raise TypeError(f"a request is never answered by {verdict}")
    raise Refused(verdict, _detail(deps, record, verdict))


def _detail(deps: Deps, record: Record, refusal: Refusal) -> Detail:
    if refusal.rule in ("V6", "R2", "F1"):
        return reversed_detail(record)
    issued = record.kind is Kind.PROVISION and record.state in (State.APPROVED, State.CONFIRMED, State.REVERSED)
    answer = recorded_answer(deps, record) if issued and record.sealed_answer is not None else None
    time = None if record.archived else _decode(deps.journal.open_request(record)).time
    return duplicate_detail(record, time, answer)
