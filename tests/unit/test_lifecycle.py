"""The life cycle as a state machine: whatever messages come, in whatever order, the promises of §4.2 hold."""

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from voucherswitch.message.refusals import Refusal
from voucherswitch.message.states import Kind, State
from voucherswitch.switch.lifecycle import TABLE, Answer, Message, Move, Position, judge, states_moved_by

_AFTER = {
    State.PENDING: Position.PENDING,
    State.APPROVED: Position.APPROVED,
    State.DECLINED: Position.DECLINED,
    State.UNKNOWN: Position.UNKNOWN,
    State.CONFIRMED: Position.CONFIRMED,
    State.REVERSED: Position.REVERSED,
}


class OneRequest(RuleBasedStateMachine):
    """One id, hit by everything an originator and a provider may do."""

    def __init__(self) -> None:
        super().__init__()
        self.position = Position.ABSENT
        self.kind = Kind.PROVISION
        self.confirmed = False
        self.reversed = False
        self.approvals = 0

    @initialize(kind=st.sampled_from(Kind))
    def choose(self, kind: Kind) -> None:
        self.kind = kind

    def _tell(self, message: Message) -> None:
        before = self.position
        verdict = judge(self.kind, before, message)
        if isinstance(verdict, Move):
            self.position = _AFTER[verdict.to]
            self.confirmed |= verdict.to is State.CONFIRMED
            self.reversed |= verdict.to is State.REVERSED
            self.approvals += verdict.to is State.APPROVED
        elif verdict is Answer.KEEP_REVERSAL:
            declined = before in (Position.DECLINED, Position.DECLINED_REVERSED)
            self.position = Position.DECLINED_REVERSED if declined else Position.TOMBSTONE

    @rule(
        message=st.sampled_from(
            [Message.REQUEST, Message.RETRY, Message.CONFIRM, Message.REVERSE, Message.LOSE, Message.DECLINE]
        )
    )
    def originator_or_provider(self, message: Message) -> None:
        self._tell(message)

    @precondition(lambda self: self.approvals == 0)
    @rule()
    def provider_approves(self) -> None:
        self._tell(Message.APPROVE)

    @rule()
    def late_approval(self) -> None:
        """An answer that comes when the record is decided counts for nothing."""
        if self.position not in (Position.PENDING, Position.UNKNOWN):
            assert judge(self.kind, self.position, Message.APPROVE) is Answer.IGNORE

    @invariant()
    def never_confirmed_and_reversed(self) -> None:
        assert not (self.confirmed and self.reversed)

    @invariant()
    def at_most_one_approval(self) -> None:
        assert self.approvals <= 1

    @invariant()
    def final_states_stay(self) -> None:
        """Nothing but a reuse, which makes a new record, leads out of a final state."""
        if self.position in (Position.CONFIRMED, Position.REVERSED):
            for message in Message:
                if message is not Message.REUSE:
                    assert not isinstance(judge(self.kind, self.position, message), Move)

    @invariant()
    def repeating_an_advice_is_harmless(self) -> None:
        """What was just accepted is accepted or refused again, and moves nothing."""
        for message in (Message.CONFIRM, Message.REVERSE):
            verdict = judge(self.kind, self.position, message)
            if isinstance(verdict, Move):
                again = judge(self.kind, _AFTER[verdict.to], message)
                assert not isinstance(again, Move)


OneRequest.TestCase.settings = settings(max_examples=300, stateful_step_count=30, deadline=None)
TestOneRequest = OneRequest.TestCase


def test_the_table_has_an_answer_for_everything() -> None:
    assert set(TABLE) == {(kind, message) for kind in Kind for message in Message}
    for (kind, message), verdicts in TABLE.items():
        assert set(verdicts) == set(Position), f"{kind.name} {message.name} lacks a position"


def test_an_unknown_outcome_is_left_only_by_an_answer_or_a_reversal() -> None:
    """Nothing times out into failed: a retry asks, a confirmation waits, a repeat is a duplicate."""
    for kind in Kind:
        moves = {
            message: verdict.to
            for message in Message
            if isinstance(verdict := judge(kind, Position.UNKNOWN, message), Move)
        }
        assert moves == {
            Message.REVERSE: State.REVERSED,
            Message.APPROVE: State.APPROVED,
            Message.DECLINE: State.DECLINED,
        }


def test_guards_are_the_states_the_table_moves_from() -> None:
    open_states = {State.PENDING, State.UNKNOWN}
    for kind in Kind:
        assert states_moved_by(kind, Message.CONFIRM, State.CONFIRMED) == {State.APPROVED}
        assert states_moved_by(kind, Message.REVERSE, State.REVERSED) == open_states | {State.APPROVED}
        assert states_moved_by(kind, Message.LOSE, State.UNKNOWN) == {State.PENDING}
        assert states_moved_by(kind, Message.APPROVE, State.APPROVED) == open_states


def test_an_id_is_reused_only_where_no_reversal_is_on_file() -> None:
    for kind in (Kind.REDEMPTION, Kind.REFUND):
        reused = {position for position in Position if isinstance(judge(kind, position, Message.REUSE), Move)} - {
            Position.ABSENT
        }
        assert reused == {
            Position.APPROVED,
            Position.DECLINED,
            Position.CONFIRMED,
            Position.CONFIRMED_BY_SWITCH,
            Position.CONFIRMED_UNSENT,
        }
    assert all(
        isinstance(judge(Kind.PROVISION, position, Message.REUSE), Refusal)
        for position in Position
        if position is not Position.ABSENT
    )


def test_single_messaging_lets_a_reversal_overtake_only_an_unsent_confirmation() -> None:
    for kind in Kind:
        assert judge(kind, Position.CONFIRMED_UNSENT, Message.REVERSE) == Move(State.REVERSED)
        assert isinstance(judge(kind, Position.CONFIRMED_BY_SWITCH, Message.REVERSE), Refusal)
        for position in (Position.CONFIRMED_UNSENT, Position.CONFIRMED_BY_SWITCH):
            assert judge(kind, position, Message.CONFIRM) is Answer.ACKNOWLEDGE
