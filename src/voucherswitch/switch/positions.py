"""Where a record stands, as the life cycle asks it, and what a duplicate may tell its owner."""

from voucherswitch.journal.records import Record
from voucherswitch.message.answers import Answer
from voucherswitch.message.refusals import Detail
from voucherswitch.message.states import State
from voucherswitch.switch.lifecycle import Position

_PLAIN = {
    State.APPROVED: Position.APPROVED,
    State.UNKNOWN: Position.UNKNOWN,
}


def position(record: Record | None) -> Position:
    """Translate a record's columns into its position; no record is a position too."""
    if record is None:
        return Position.ABSENT
    if not record.has_request:
        return Position.TOMBSTONE
    if record.state is State.REVERSED:
        return Position.REVERSED
    if record.state is State.DECLINED:
        return Position.DECLINED if record.reversal_id is None else Position.DECLINED_REVERSED
    if record.state is State.CONFIRMED:
        if not record.confirmed_by_switch:
            return Position.CONFIRMED
        return Position.CONFIRMED_UNSENT if record.confirmation_unsent else Position.CONFIRMED_BY_SWITCH
    if record.state is State.PENDING:
        # Whose worker is dead, and past its deadline: nobody is asking any more. Never by age alone (decision 0016).
        return Position.PENDING if record.call_running else Position.UNKNOWN
    return _PLAIN[record.state]


def reversed_detail(record: Record) -> Detail:
    """V6, R2, F1, T6: the request names its reversal."""
    reversal_id = None if record.reversal_id is None else str(record.reversal_id)
    return Detail(original_id=reversal_id, reversal_id=reversal_id)


def duplicate_detail(record: Record, request_time: str | None, answer: Answer | None) -> Detail:
    """V4, V5, X2: what the owner of the first request may hear of it; never a PIN."""
    voucher = None
    if answer is not None and answer.voucher is not None:
        issued = answer.voucher
        voucher = type(issued)(
            code=issued.code,
            serial_number=issued.serial_number,
            expires_at=issued.expires_at,
            instructions=issued.instructions,
        )
    return Detail(
        voucher_id=str(record.request_id),
        request_time=request_time,
        receiver=None if answer is None else answer.receiver,
        voucher=voucher,
    )
