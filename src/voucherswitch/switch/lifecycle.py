"""The life cycle as one pure table: (kind, position, message) -> what may happen (interface.md §4.2-4.8).

Everything that decides "may this happen" asks `judge`. The journal guards the same moves with the states it is given,
so that a race lost between reading and writing ends in another question, never in a wrong state.
"""

from enum import Enum, auto
from typing import Final, TypeAlias

from msgspec import Struct

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.refusals import Refusal
from voucherswitch.message.states import Kind, State


class Position(Enum):
    """Where a request stands, seen from a message that names its id."""

    ABSENT = auto()
    PENDING = auto()
    UNKNOWN = auto()
    APPROVED = auto()
    DECLINED = auto()
    DECLINED_REVERSED = auto()  # declined, and a reversal for it is on file (X7)
    CONFIRMED = auto()
    CONFIRMED_BY_SWITCH = auto()  # single messaging: confirmed by us, and the confirmation has been sent
    CONFIRMED_UNSENT = auto()  # single messaging: confirmed by us, and the provider has not heard of it yet (A10)
    REVERSED = auto()
    TOMBSTONE = auto()  # a reversal without its request


class Message(Enum):
    """What can happen to a record."""

    REQUEST = auto()  # a creating request with this id
    REUSE = auto()  # the same from an originator that may use a final id again (I5)
    RETRY = auto()
    CONFIRM = auto()
    REVERSE = auto()
    APPROVE = auto()  # the provider approved, in time or late
    DECLINE = auto()  # the provider declined, in time or late
    LOSE = auto()  # the deadline passed with the outcome open


class Move(Struct, frozen=True):
    """Allowed: the record goes to `to`."""

    to: State


class Answer(Enum):
    """Allowed without a change of state."""

    ACKNOWLEDGE = auto()  # 202, nothing else happens
    KEEP_REVERSAL = auto()  # 404 and the reversal is kept for the request that may still come
    REPEAT = auto()  # the recorded answer again
    WAIT = auto()  # the first call is running: its answer serves both
    ASK = auto()  # ask the provider what became of it
    IGNORE = auto()  # a provider's answer that comes too late to count


Verdict: TypeAlias = Move | Answer | Refusal

_P = Position
_M = Message
_E = ErrorType


def _refusal(rule: str, status: int, error_type: ErrorType, message: str, explanation: str) -> Refusal:
    return Refusal(rule=rule, status=status, error_type=error_type, message=message, explanation=explanation)


DUPLICATE_OPEN: Final = _refusal(
    "X1", 400, _E.DUPLICATE_RECORD, "Duplicate UUID.", "Id already used by a request whose outcome is not known yet."
)
_DUPLICATE_PROVISION: Final = _refusal(
    "V4", 400, _E.DUPLICATE_RECORD, "Duplicate UUID.", "Id already used by an earlier provision."
)
_DUPLICATE_REVERSED: Final = _refusal(
    "V5", 400, _E.DUPLICATE_RECORD, "Duplicate UUID.", "Id already used by an earlier provision, since reversed."
)
_DUPLICATE_MOVEMENT: Final = _refusal(
    "X2", 400, _E.DUPLICATE_RECORD, "Duplicate UUID.", "Id already used by an earlier request."
)
DUPLICATE_ELSEWHERE: Final = _refusal(
    "I3", 400, _E.DUPLICATE_RECORD, "Duplicate UUID.", "Id already used. Send a new one."
)
DUPLICATE_ADVICE: Final = _refusal(
    "I7", 400, _E.DUPLICATE_RECORD, "Duplicate UUID.", "Advice id already used for another request or operation."
)
STATUS_OPEN: Final = _refusal(
    "X5",
    503,
    _E.VOUCHER_STATUS_UNKNOWN,
    "Outcome not known yet.",
    "Repeat the confirmation until it is known.",
)

# The texts of the three kinds, by the rule numbers of §4.3, §4.4 and §4.5.
_REVERSED_BEFORE: Final = {
    Kind.PROVISION: _refusal(
        "V6", 400, _E.VOUCHER_ALREADY_REVERSED, "Voucher reversed.", "A reversal came before this request."
    ),
    Kind.REDEMPTION: _refusal(
        "R2", 400, _E.REDEMPTION_ALREADY_REVERSED, "Redemption reversed.", "A reversal for this id was received."
    ),
    Kind.REFUND: _refusal(
        "F1", 400, _E.REFUND_ALREADY_REVERSED, "Refund reversed.", "A reversal for this id was received."
    ),
}
_RETRY_REVERSED: Final = _refusal(
    "T6", 400, _E.VOUCHER_ALREADY_REVERSED, "Voucher reversed.", "This provision was reversed; nothing to retry."
)
_NOTHING_TO_CONFIRM: Final = {
    Kind.PROVISION: _refusal(
        "V11", 404, _E.UNABLE_TO_LOCATE_RECORD, "No voucher req.", "No provision with this id to confirm."
    ),
    Kind.REDEMPTION: _refusal(
        "R7", 404, _E.UNABLE_TO_LOCATE_RECORD, "No Redemption Request", "No redemption with this id to confirm."
    ),
    Kind.REFUND: _refusal(
        "F7", 404, _E.UNABLE_TO_LOCATE_RECORD, "No Refund Request", "No refund with this id to confirm."
    ),
}
NOTHING_TO_REVERSE: Final = {
    Kind.PROVISION: _refusal(
        "V7", 404, _E.UNABLE_TO_LOCATE_RECORD, "No voucher req.", "No provision with this id; reversal kept."
    ),
    Kind.REDEMPTION: _refusal(
        "R10", 404, _E.UNABLE_TO_LOCATE_RECORD, "No Redemption Request", "No redemption with this id; reversal kept."
    ),
    Kind.REFUND: _refusal(
        "F10", 404, _E.UNABLE_TO_LOCATE_RECORD, "No Refund Request", "No refund with this id; reversal kept."
    ),
}
_CONFIRM_REVERSED: Final = {
    Kind.PROVISION: _refusal(
        "V12", 400, _E.VOUCHER_ALREADY_REVERSED, "Voucher reversed.", "This provision was reversed."
    ),
    Kind.REDEMPTION: _refusal(
        "R9", 400, _E.VOUCHER_NOT_REDEEMED, "Redemption Confirmation not performed", "The redemption is REVERSED."
    ),
    Kind.REFUND: _refusal(
        "F9", 400, _E.VOUCHER_NOT_REFUNDED, "Refund Confirmation not performed", "The refund is REVERSED."
    ),
}
_CONFIRM_AGAIN: Final[dict[Kind, Verdict]] = {
    Kind.PROVISION: Answer.ACKNOWLEDGE,  # V14
    Kind.REDEMPTION: _refusal(
        "R9", 400, _E.VOUCHER_NOT_REDEEMED, "Redemption Confirmation not performed", "The redemption is CONFIRMED."
    ),
    Kind.REFUND: _refusal(
        "F9", 400, _E.VOUCHER_NOT_REFUNDED, "Refund Confirmation not performed", "The refund is CONFIRMED."
    ),
}
_REVERSE_CONFIRMED: Final = {
    Kind.PROVISION: _refusal(
        "V10", 400, _E.VOUCHER_ALREADY_CONFIRMED, "Voucher confirmed.", "A confirmed provision cannot be reversed."
    ),
    Kind.REDEMPTION: _refusal(
        "R12", 400, _E.REDEMPTION_ALREADY_CONFIRMED, "Redemption confirmed.", "Undo a confirmed redemption by a refund."
    ),
    Kind.REFUND: _refusal(
        "F12", 400, _E.REFUND_ALREADY_CONFIRMED, "Refund confirmed", "A confirmed refund cannot be reversed."
    ),
}


def _requests(kind: Kind) -> dict[Position, Verdict]:
    """The same id in another creating request. A provision's id is never free again; see `_reuses` for the others."""
    provision = kind is Kind.PROVISION
    final: Verdict = _DUPLICATE_PROVISION if provision else _DUPLICATE_MOVEMENT
    reversed_: Verdict = _DUPLICATE_REVERSED if provision else _REVERSED_BEFORE[kind]
    return {
        _P.ABSENT: Move(State.PENDING),
        _P.PENDING: DUPLICATE_OPEN,
        _P.UNKNOWN: DUPLICATE_OPEN,
        _P.APPROVED: final,
        _P.DECLINED: final,
        _P.DECLINED_REVERSED: final if provision else reversed_,
        _P.CONFIRMED: final,
        _P.CONFIRMED_BY_SWITCH: final,
        _P.CONFIRMED_UNSENT: final,
        _P.REVERSED: reversed_,
        _P.TOMBSTONE: _REVERSED_BEFORE[kind],
    }


def _reuses(kind: Kind) -> dict[Position, Verdict]:
    """I5: a final redemption or refund id may serve again, unless a reversal for it is on file."""
    verdicts = _requests(kind)
    if kind is not Kind.PROVISION:
        for position in (_P.APPROVED, _P.DECLINED, _P.CONFIRMED, _P.CONFIRMED_BY_SWITCH, _P.CONFIRMED_UNSENT):
            verdicts[position] = Move(State.PENDING)
    return verdicts


_RETRIES: Final[dict[Position, Verdict]] = {
    _P.ABSENT: Move(State.PENDING),  # T1
    _P.PENDING: Answer.WAIT,  # T2
    _P.UNKNOWN: Answer.ASK,  # T3, T4
    _P.APPROVED: Answer.REPEAT,  # T5
    _P.CONFIRMED: Answer.REPEAT,
    _P.CONFIRMED_BY_SWITCH: Answer.REPEAT,
    _P.CONFIRMED_UNSENT: Answer.REPEAT,
    _P.DECLINED: Answer.REPEAT,  # T7
    _P.DECLINED_REVERSED: Answer.REPEAT,
    _P.REVERSED: _RETRY_REVERSED,
    _P.TOMBSTONE: _RETRY_REVERSED,
}


def _confirms(kind: Kind) -> dict[Position, Verdict]:
    return {
        _P.ABSENT: _NOTHING_TO_CONFIRM[kind],
        _P.TOMBSTONE: _NOTHING_TO_CONFIRM[kind],
        _P.DECLINED: _NOTHING_TO_CONFIRM[kind],
        _P.DECLINED_REVERSED: _NOTHING_TO_CONFIRM[kind],
        _P.PENDING: STATUS_OPEN,
        _P.UNKNOWN: STATUS_OPEN,
        _P.APPROVED: Move(State.CONFIRMED),
        _P.CONFIRMED: _CONFIRM_AGAIN[kind],
        _P.CONFIRMED_BY_SWITCH: Answer.ACKNOWLEDGE,  # A10 wins over R9 and F9
        _P.CONFIRMED_UNSENT: Answer.ACKNOWLEDGE,
        _P.REVERSED: _CONFIRM_REVERSED[kind],
    }


def _reverses(kind: Kind) -> dict[Position, Verdict]:
    return {
        _P.ABSENT: Answer.KEEP_REVERSAL,
        _P.TOMBSTONE: Answer.KEEP_REVERSAL,
        _P.DECLINED: Answer.KEEP_REVERSAL,  # X7
        _P.DECLINED_REVERSED: Answer.KEEP_REVERSAL,
        _P.PENDING: Move(State.REVERSED),  # X3: it binds whatever the running call brings
        _P.UNKNOWN: Move(State.REVERSED),
        _P.APPROVED: Move(State.REVERSED),
        _P.CONFIRMED: _REVERSE_CONFIRMED[kind],
        _P.CONFIRMED_BY_SWITCH: _REVERSE_CONFIRMED[kind],
        _P.CONFIRMED_UNSENT: Move(State.REVERSED),  # A10: it replaces the confirmation that is still held
        _P.REVERSED: Answer.ACKNOWLEDGE,  # V9, R13, F13
    }


def _provider_says(to: State, *, late: bool) -> dict[Position, Verdict]:
    """A provider's answer counts while the record is open; nothing that came first is undone by it."""
    verdicts: dict[Position, Verdict] = dict.fromkeys(Position, Answer.IGNORE)
    verdicts[_P.PENDING] = Move(to)
    if late:
        verdicts[_P.UNKNOWN] = Move(to)
    return verdicts


TABLE: Final[dict[tuple[Kind, Message], dict[Position, Verdict]]] = {
    (kind, message): verdicts
    for kind in Kind
    for message, verdicts in {
        _M.REQUEST: _requests(kind),
        _M.REUSE: _reuses(kind),
        _M.RETRY: _RETRIES,
        _M.CONFIRM: _confirms(kind),
        _M.REVERSE: _reverses(kind),
        _M.APPROVE: _provider_says(State.APPROVED, late=True),
        _M.DECLINE: _provider_says(State.DECLINED, late=True),
        _M.LOSE: _provider_says(State.UNKNOWN, late=False),
    }.items()
}


def judge(kind: Kind, position: Position, message: Message) -> Verdict:
    """Say what `message` does to a record of `kind` at `position`: a move, an answer without one, or a refusal."""
    return TABLE[kind, message][position]


_STATES: Final = {
    _P.PENDING: State.PENDING,
    _P.UNKNOWN: State.UNKNOWN,
    _P.APPROVED: State.APPROVED,
    _P.DECLINED: State.DECLINED,
    _P.DECLINED_REVERSED: State.DECLINED,
    _P.CONFIRMED: State.CONFIRMED,
    _P.CONFIRMED_BY_SWITCH: State.CONFIRMED,
    _P.CONFIRMED_UNSENT: State.CONFIRMED,
    _P.REVERSED: State.REVERSED,
}


def states_moved_by(kind: Kind, message: Message, to: State) -> frozenset[State]:
    """The states from which `message` leads to `to`: what a guarded change must expect.

    Without the unsent confirmation of single messaging, whose change is guarded by the unsent advice as well.
    """
    return frozenset(
        _STATES[position]
        for position, verdict in TABLE[kind, message].items()
        if isinstance(verdict, Move)
        and verdict.to is to
        and position in _STATES
        and position is not _P.CONFIRMED_UNSENT
    )
