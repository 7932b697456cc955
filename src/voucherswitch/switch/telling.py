"""What an originator is told: outcomes and records turned into answers and refusals (interface.md §5.1, X3-X10)."""

from uuid import UUID

from msgspec.structs import replace

from voucherswitch.journal.records import Record
from voucherswitch.message.answers import Answer, unpack
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import Approved, Declined, NotSent, OutcomeUnknown
from voucherswitch.message.parties import Voucher
from voucherswitch.message.refusals import Detail, RecordedRefusal, Refusal, Refused
from voucherswitch.message.states import Kind, State
from voucherswitch.providers.contract.families import printable
from voucherswitch.switch.deps import Deps
from voucherswitch.switch.exchange import Asked, Exchange, Reply

NOT_DURABLE = Refusal(
    rule="§5.1",
    status=500,
    error_type=ErrorType.GENERAL_ERROR,
    message="Outcome could not be recorded.",
    explanation="The outcome is unknown to you: reverse, retry or look it up.",
)


REVERSED_MEANWHILE = {
    Kind.PROVISION: Refusal(
        "X3", 400, ErrorType.VOUCHER_ALREADY_REVERSED, "Voucher reversed.", "A reversal came while it ran."
    ),
    Kind.REDEMPTION: Refusal(
        "X3", 400, ErrorType.REDEMPTION_ALREADY_REVERSED, "Redemption reversed.", "A reversal came while it ran."
    ),
    Kind.REFUND: Refusal(
        "X3", 400, ErrorType.REFUND_ALREADY_REVERSED, "Refund reversed.", "A reversal came while it ran."
    ),
}
STILL_UNKNOWN = RecordedRefusal(
    refusal=Refusal(
        rule="M5", status=504, error_type=ErrorType.UPSTREAM_UNAVAILABLE, message="No answer from provider in time."
    ),
    detail=Detail(),
)


NO_LONGER_KEPT = Refusal(
    rule="T5",
    status=400,
    error_type=ErrorType.DUPLICATE_RECORD,
    message="Duplicate UUID.",
    explanation="Id already used; the answer is no longer kept. Ask the operator of the switch.",
)


def reply_from_record(deps: Deps, record: Record, exchange: Exchange) -> Reply:
    """Give a record's answer again: its approval, its decline, its reversal, or 504 while nobody knows.

    Raises:
        Refused: the record is archived, and its answer with it.
    """
    if record.archived and record.state is not State.REVERSED:
        raise Refused(NO_LONGER_KEPT)
    if record.state in (State.APPROVED, State.CONFIRMED):
        return exchange.renderer.recorded(deps.journal.open_request(record), recorded_answer(deps, record))
    if record.state is State.REVERSED:
        detail = Detail(original_id=_text(record.reversal_id), reversal_id=_text(record.reversal_id))
        return exchange.renderer.refusal(RecordedRefusal(REVERSED_MEANWHILE[record.kind], detail))
    if record.state is State.DECLINED and record.error is not None:
        return exchange.renderer.refusal(record.error)
    return exchange.renderer.refusal(STILL_UNKNOWN)


def recorded_answer(deps: Deps, record: Record) -> Answer:
    """Open the approval that a record keeps."""
    if record.sealed_answer is None:
        raise ValueError(f"transaction {record.request_id} is {record.state.name} without an answer")
    return unpack(deps.journal.open_answer(record.request_id, record.generation, record.sealed_answer))


def make_answer(sent: Asked, outcome: Approved) -> Answer:
    """What the journal keeps of an approval and what its response is made from."""
    reference = f"VSW-{sent.entry.reference:012d}"
    return Answer(
        receiver=sent.receiver,
        settlement=sent.settlement,
        switch_ref=reference,
        provider_ref=outcome.provider_ref or str(sent.entry.request_id),
        approved_cents=outcome.approved_cents,
        currency=sent.currency,
        # A fresh voucher's balance is its value; only a movement has one of its own to tell.
        balance_cents=None if sent.entry.kind is Kind.PROVISION else outcome.balance_cents,
        voucher=None if outcome.voucher is None else _printable(outcome.voucher),
        product_name=sent.product_name,
    )


def _printable(voucher: Voucher) -> Voucher:
    """Its instructions go onto a slip, whatever the provider wrote into them."""
    if all(line.isprintable() for line in voucher.instructions):
        return voucher
    return replace(voucher, instructions=tuple(printable(line) for line in voucher.instructions))


def declined(sent: Asked, outcome: Declined) -> RecordedRefusal:
    """X6: the provider's final no; for a provision with the status its originator expects."""
    status = sent.originator.provision_decline_status if sent.entry.kind is Kind.PROVISION else 400
    refusal = Refusal(
        rule="X6", status=status, error_type=outcome.error_type, message="Declined by provider.", explanation=None
    )
    return RecordedRefusal(refusal, _provider_detail(outcome))


def not_sent(outcome: NotSent) -> RecordedRefusal:
    """X10: no route was left. 503 where another try may do better, else 400."""
    again = outcome.error_type in (ErrorType.UPSTREAM_UNAVAILABLE, ErrorType.GENERAL_ERROR)
    refusal = Refusal(
        rule="X10",
        status=503 if again else 400,
        error_type=outcome.error_type,
        message="Provider not reached." if again else "Not possible at the provider.",
        explanation="Nothing was processed; try again with a new id." if again else None,
    )
    return RecordedRefusal(refusal, _provider_detail(outcome))


def unknown(outcome: OutcomeUnknown) -> RecordedRefusal:
    """M5: it may have been processed; the originator reverses, retries or looks it up."""
    status_unknown = outcome.error_type is ErrorType.VOUCHER_STATUS_UNKNOWN
    refusal = Refusal(
        rule="M5",
        status=504,
        error_type=ErrorType.VOUCHER_STATUS_UNKNOWN if status_unknown else ErrorType.UPSTREAM_UNAVAILABLE,
        message="Provider does not know yet." if status_unknown else "No answer from provider in time.",
    )
    return RecordedRefusal(refusal, _provider_detail(outcome))


def _provider_detail(outcome: Declined | NotSent | OutcomeUnknown) -> Detail:
    return Detail(provider_code=outcome.provider_code, provider_message=outcome.provider_message)


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
