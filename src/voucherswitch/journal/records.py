"""The journal's rows as the switch reads and writes them. Sealed columns are opened only where somebody needs them."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from voucherswitch.message.parties import Store
from voucherswitch.message.refusals import RecordedRefusal
from voucherswitch.message.states import AdviceKind, AdviceState, Kind, State, VoucherState


class Record(Struct, kw_only=True):
    """One row of `transaction`: the newest generation of its id.

    `age_ms` counts from `opened_at`, `settled_ms` from the end of the last call, by the database's clock, which all
    workers share; below 0 when that was set back, or while the call may still be running. Both are told only of a
    record that was read by its id. `archived`: only what the rules need of its id is left; no amounts, no answer.
    """

    request_id: UUID
    generation: int
    reference: int
    kind: Kind
    state: State
    has_request: bool
    originator_id: str
    single: bool
    receiver_id: str | None
    product_id: str | None
    provider_id: str | None
    provider_product: str | None
    amount_cents: int | None
    currency: str | None
    approved_cents: int | None
    balance_cents: int | None
    fingerprint: bytes | None
    voucher_serial: str | None
    provider_ref: str | None
    refs: dict[str, str]
    sealed_request: bytes | None
    sealed_answer: bytes | None
    error: RecordedRefusal | None
    alert: str | None
    answered_status: int | None
    redemption_id: UUID | None
    redemption_generation: int | None
    confirmation_id: UUID | None
    reversal_id: UUID | None
    opening: int
    opened_at: datetime
    age_ms: int
    settled_ms: int
    changed_at: datetime
    worker_id: int | None
    call_running: bool
    confirmed_by_switch: bool
    confirmation_unsent: bool
    archived: bool


class VoucherRecord(Struct, kw_only=True):
    """One row of `voucher`, with what its provision tells of where it came from; none: it was sold elsewhere."""

    fingerprint: bytes
    receiver_id: str
    state: VoucherState
    provision_id: UUID | None
    redemption_id: UUID | None
    redemption_generation: int | None
    refund_id: UUID | None
    refund_generation: int | None
    open_id: UUID | None
    provider_id: str
    provider_product: str
    refs: dict[str, str]
    voucher_serial: str | None
    approved_cents: int | None
    product_id: str | None
    sealed_answer: bytes | None


class RedemptionRecord(Struct, kw_only=True):
    """The redemption that a refund gives back."""

    request_id: UUID
    generation: int
    state: State
    provider_ref: str | None
    refs: dict[str, str]
    approved_cents: int | None
    refunded_cents: int


class AcceptedAdvice(Struct, kw_only=True):
    """What an advice id was accepted for."""

    advice_id: UUID
    request_id: UUID
    kind: AdviceKind
    request_kind: Kind
    originator_id: str
    state: AdviceState


class OwedAdvice(Struct, kw_only=True):
    """An acknowledged advice of a voucher that its provider has not answered yet."""

    request_id: UUID
    generation: int
    advice_id: UUID
    provider_id: str
    held_by_call: bool
    being_sent: bool


class Opening(Struct, kw_only=True):
    """A creating request about to be made durable.

    Attributes:
        call_ms: how long the provider call may run at most.
        voucher_states: the states in which a redemption or refund may claim its voucher.
        last_refund: the voucher's newest refund when the amount of this one was judged, with its generation; after
            another one there is less to give back.
    """

    request_id: UUID
    generation: int = 0
    kind: Kind
    originator_id: str
    single: bool
    receiver_id: str
    product_id: str | None = None
    provider_id: str
    provider_product: str
    store: Store
    amount_cents: int
    currency: str
    fingerprint: bytes | None = None
    request: bytes
    call_ms: int
    redemption_id: UUID | None = None
    redemption_generation: int | None = None
    voucher_states: int = 0
    last_refund: tuple[UUID | None, int | None] = (None, None)


class Entry(Struct, frozen=True, kw_only=True):
    """A durable, open request: what the rest of its flow writes against."""

    request_id: UUID
    generation: int
    reference: int
    kind: Kind
    receiver_id: str


class VoucherChange(Struct, frozen=True):
    """What a move of a record does to its voucher's state (interface.md §4.1)."""

    action: int  # one of the constants below
    to: int = 0  # VoucherState, 0: keep, -1: the state before the refund


NO_CHANGE = VoucherChange(0)
BIND = VoucherChange(1)
UNBIND = VoucherChange(3)
RELEASE = VoucherChange(2, 0)


def move_voucher(to: VoucherState) -> VoucherChange:
    """The record that owns the voucher's present state, or claimed it, takes it to `to`."""
    return VoucherChange(2, int(to))


RESTORE = VoucherChange(2, -1)


class OwedBySwitch(Struct, frozen=True, kw_only=True):
    """An advice that the switch itself owes with a close (A10, §5.4)."""

    advice_id: UUID
    kind: AdviceKind
    state: AdviceState
    provider_id: str
    reason: str | None = None
    delay_ms: int = 0


class Due(Struct, frozen=True, kw_only=True):
    """An open request that the resolver should look at since `resolve_at`. `attempts`: how often it has asked."""

    request_id: UUID
    generation: int
    provider_id: str
    resolve_at: datetime
    attempts: int


class Resolution(Struct, frozen=True, kw_only=True):
    """Who settles an unknown outcome by hand, and on what grounds."""

    resolved_by: str
    from_state: State
    reason: str
    evidence: str


class Closing(Struct, kw_only=True):
    """The outcome of a provider call, as it changes a record."""

    entry: Entry
    from_states: int
    to: State
    approved_cents: int | None = None
    balance_cents: int | None = None
    voucher_code: str | None = None
    voucher_serial: str | None = None
    provider_ref: str | None = None
    refs: dict[str, str] | None = None
    answer: bytes | None = None
    error: RecordedRefusal | None = None
    alert: str | None = None
    answered_status: int | None = None
    call_ended: bool = True
    voucher: VoucherChange = NO_CHANGE
    owed: OwedBySwitch | None = None


class Advising(Struct, kw_only=True):
    """An advice about to be accepted."""

    request_id: UUID
    generation: int
    request_kind: Kind
    originator_id: str
    advice_id: UUID
    kind: AdviceKind
    from_states: int
    to: State
    state: AdviceState
    provider_id: str
    reason: str | None = None
    amount_cents: int | None = None
    replaces_own: bool = False
    voucher: VoucherChange = NO_CHANGE
