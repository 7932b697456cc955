"""Rows of the journal's statements <-> typed records. Pure."""

from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from voucherswitch.config.limits import LANES_PER_PROVIDER
from voucherswitch.journal.records import (
    NO_CHANGE,
    AcceptedAdvice,
    Closing,
    Due,
    Entry,
    OwedAdvice,
    OwedBySwitch,
    Record,
    RedemptionRecord,
    VoucherRecord,
)
from voucherswitch.message.refusals import RecordedRefusal
from voucherswitch.message.states import AdviceKind, AdviceState, Kind, State, VoucherState
from voucherswitch.message.trace import Leg

_decode_error = msgspec.json.Decoder(RecordedRefusal).decode
_decode_refs = msgspec.json.Decoder(dict[str, str]).decode


def lane_of(request_id: UUID) -> int:
    """The lane of all advices of one request: order within a request needs one lane."""
    return request_id.int % LANES_PER_PROVIDER


def refs(text: str | None) -> dict[str, str]:
    """What a provider must hear again."""
    return _decode_refs(text) if text else {}


def refusal(text: str) -> RecordedRefusal:
    """A refusal as it was told."""
    return _decode_error(text)


class Kept(NamedTuple):
    """What of an outcome is kept in another form than it is told."""

    fingerprint: bytes | None
    refs: str | None
    answer: bytes | None
    error: str | None


def plainly_approves(closing: Closing) -> bool:
    """Whether approve_provisions writes all that an outcome changes."""
    return (
        closing.to is State.APPROVED
        and closing.entry.kind is Kind.PROVISION
        and closing.entry.generation == 0
        and closing.answered_status is not None
        and closing.call_ended
        and closing.voucher == NO_CHANGE
        and closing.owed is None
        and closing.error is None
        and closing.alert is None
        and closing.balance_cents is None
    )


def approval_row(closing: Closing, kept: Kept, worker_id: int) -> tuple[Any, ...]:
    """The columns of approve_provisions."""
    return (
        closing.entry.request_id, closing.approved_cents, kept.fingerprint, closing.voucher_serial,
        closing.provider_ref, kept.refs, kept.answer, closing.answered_status, worker_id,
    )  # fmt: skip


def closing_row(closing: Closing, kept: Kept, worker_id: int) -> tuple[tuple[Any, ...], list[tuple[Any, ...]]]:
    """The columns of close_transactions, and the advice that the close owes."""
    entry, owed = closing.entry, closing.owed
    values = (
        entry.request_id, entry.generation, closing.from_states, int(closing.to), closing.approved_cents,
        closing.balance_cents, kept.fingerprint, closing.voucher_serial, closing.provider_ref, kept.refs, kept.answer,
        kept.error, closing.alert, closing.answered_status, closing.call_ended, closing.voucher.action,
        closing.voucher.to, None if owed is None else owed.advice_id, worker_id,
    )  # fmt: skip
    return values, [] if owed is None else [owed_row(entry, owed)]


def owed_row(entry: Entry, owed: OwedBySwitch) -> tuple[Any, ...]:
    """The columns of an advice that a close owes, as close_transactions takes them."""
    return (
        entry.request_id, entry.generation, owed.advice_id, int(owed.kind), int(owed.state), owed.provider_id,
        lane_of(entry.request_id), owed.reason, owed.delay_ms,
    )  # fmt: skip


def leg_rows(request_id: UUID, generation: int, legs: list[Leg]) -> list[tuple[Any, ...]]:
    """The columns of legs, as every tracing statement takes them."""
    return [
        (
            request_id,
            generation,
            leg.advice_id,
            int(leg.direction),
            leg.peer,
            leg.operation,
            leg.started_at,
            leg.duration_us,
            int(leg.outcome),
            leg.status,
            leg.request,
            leg.response,
            leg.error,
        )
        for leg in legs
    ]


def record(row: asyncpg.Record) -> Record:
    """A row of read_records."""
    return Record(
        request_id=row["request_id"],
        generation=row["generation"],
        reference=row["reference"],
        kind=Kind(row["kind"]),
        state=State(row["state"]),
        has_request=row["has_request"],
        originator_id=row["originator_id"],
        single=row["single"],
        receiver_id=row["receiver_id"],
        product_id=row["product_id"],
        provider_id=row["provider_id"],
        provider_product=row["provider_product"],
        amount_cents=row["amount_cents"],
        currency=row["currency"],
        approved_cents=row["approved_cents"],
        balance_cents=row["balance_cents"],
        fingerprint=row["fingerprint"],
        voucher_serial=row["voucher_serial"],
        provider_ref=row["provider_ref"],
        refs=refs(row["refs"]),
        sealed_request=row["request"],
        sealed_answer=row["answer"],
        error=refusal(row["error"]) if row["error"] else None,
        alert=row["alert"],
        answered_status=row["answered_status"],
        redemption_id=row["redemption_id"],
        redemption_generation=row["redemption_generation"],
        confirmation_id=row["confirmation_id"],
        reversal_id=row["reversal_id"],
        opening=row["opening"],
        opened_at=row["opened_at"],
        age_ms=row["age_ms"],
        settled_ms=row["settled_ms"],
        changed_at=row["changed_at"],
        worker_id=row["worker_id"],
        call_running=bool(row["call_running"]),
        confirmed_by_switch=bool(row["by_switch"]),
        confirmation_unsent=bool(row["unsent"]),
        archived=row["archived"],
    )


def due(row: asyncpg.Record) -> Due:
    """A row of due_resolutions."""
    return Due(
        request_id=row["request_id"],
        generation=row["generation"],
        provider_id=row["provider_id"],
        resolve_at=row["resolve_at"],
        attempts=row["resolve_attempts"],
    )


def voucher(row: asyncpg.Record) -> VoucherRecord:
    """A row of read_vouchers."""
    return VoucherRecord(
        fingerprint=row["fingerprint"],
        receiver_id=row["receiver_id"],
        state=VoucherState(row["state"]),
        provision_id=row["provision_id"],
        redemption_id=row["redemption_id"],
        redemption_generation=row["redemption_generation"],
        refund_id=row["refund_id"],
        refund_generation=row["refund_generation"],
        open_id=row["open_id"],
        provider_id=row["provider_id"],
        provider_product=row["provider_product"],
        refs=refs(row["refs"]),
        voucher_serial=row["voucher_serial"],
        approved_cents=row["approved_cents"],
        product_id=row["product_id"],
        sealed_answer=row["answer"],
    )


def accepted_advice(row: asyncpg.Record) -> AcceptedAdvice:
    """A row of read_advices."""
    return AcceptedAdvice(
        advice_id=row["advice_id"],
        request_id=row["request_id"],
        kind=AdviceKind(row["kind"]),
        request_kind=Kind(row["request_kind"]),
        originator_id=row["originator_id"],
        state=AdviceState(row["state"]),
    )


def owed_advice(row: asyncpg.Record) -> OwedAdvice:
    """A row of owed_of_vouchers."""
    return OwedAdvice(
        request_id=row["request_id"],
        generation=row["generation"],
        advice_id=row["advice_id"],
        provider_id=row["provider_id"],
        held_by_call=bool(row["held_by_call"]),
        being_sent=bool(row["being_sent"]),
    )


def redemption(row: asyncpg.Record) -> RedemptionRecord:
    """A row of read_redemptions."""
    return RedemptionRecord(
        request_id=row["request_id"],
        generation=row["generation"],
        state=State(row["state"]),
        provider_ref=row["provider_ref"],
        refs=refs(row["refs"]),
        approved_cents=row["approved_cents"],
        refunded_cents=row["refunded_cents"],
    )
