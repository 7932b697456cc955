"""The journal's rows as the console reads them. None holds a sealed column.

States and kinds are the journal's numbers (message/states.py): a number that this release does not know is still shown.
"""

from datetime import datetime
from uuid import UUID

from msgspec import Struct


class Count(Struct):
    """Transactions of one state, by minute or by provider; the other of the two is None."""

    minute: datetime | None
    provider_id: str | None
    by_provider: bool
    state: int
    number: int


class Unresolved(Struct):
    """Requests that somebody has to settle. `number` stops at UNRESOLVED_MAX + 1; `cents` is in rand."""

    number: int
    oldest_at: datetime | None
    cents: int


class Provider(Struct):
    """A provider as configured, what keeps it from being used or asked now, and how many lanes a worker holds now."""

    provider_id: str
    connector: str
    enabled: bool
    saf_paused: bool
    fault: str | None
    shut: str | None
    lanes: int
    lanes_held: int


class Backlog(Struct):
    """Advices a provider is still owed; `held` of the queued ones wait by design.

    `provider_id` None: advices that name no provider, which nobody will send.
    """

    provider_id: str | None
    queued: int
    held: int
    oldest_at: datetime | None
    parked: int


class Advice(Struct):
    """One row of `advice`. `worth_cents` is its amount, or that of the whole transaction if it is for the whole."""

    request_id: UUID
    generation: int
    advice_id: UUID
    kind: int
    request_kind: int
    state: int
    by_switch: bool
    provider_id: str | None
    lane: int
    reason: str | None
    worth_cents: int | None
    currency: str | None
    attempts: int
    next_attempt_at: datetime
    sending_until: datetime | None
    last_error: str | None
    created_at: datetime
    finished_at: datetime | None


class Leg(Struct):
    """One message exchange; its texts are masked in the journal already and cut to LEG_CHARS_MAX here."""

    leg_id: int
    generation: int
    advice_id: UUID | None
    direction: int
    peer: str
    operation: str
    started_at: datetime
    duration_us: int
    outcome: int
    status: int | None
    request: str
    request_chars: int
    response: str | None
    response_chars: int | None
    error: str | None


class Transaction(Struct):
    """One row of `transaction` without its sealed columns, with the names that the catalogue knows."""

    request_id: UUID
    generation: int
    reference: int
    kind: int
    state: int
    has_request: bool
    originator_id: str
    originator_name: str | None
    single: bool
    receiver_id: str | None
    receiver_name: str | None
    settlement_name: str | None
    product_id: str | None
    product_name: str | None
    provider_id: str | None
    provider_product: str | None
    amount_cents: int | None
    currency: str | None
    approved_cents: int | None
    balance_cents: int | None
    voucher_serial: str | None
    voucher_state: int | None
    provider_ref: str | None
    refs: str | None
    error: str | None
    alert: str | None
    answered_status: int | None
    redemption_id: UUID | None
    confirmation_id: UUID | None
    reversal_id: UUID | None
    opened_at: datetime
    call_until: datetime | None
    worker_lives: bool
    changed_at: datetime
    archived: bool


class Refusal(Struct):
    """A request that was refused before a record was made."""

    kind: int
    operation: str
    originator_id: str
    refused_at: datetime
    error: str


class Resolution(Struct):
    """An unknown outcome that an operator settled by hand."""

    resolved_at: datetime
    resolved_by: str
    from_state: int
    to_state: int
    reason: str
    evidence: str


class Related(Struct):
    """Another transaction on the same voucher."""

    request_id: UUID
    generation: int
    kind: int
    state: int
    amount_cents: int | None
    currency: str | None
    opened_at: datetime
