"""What the creating flows share: ask a provider inside the deadlines, and close the record with what it said.

The provider's call may outlive the answer: at the answer deadline the originator hears 504, the record becomes UNKNOWN,
and the call goes on until the originator would have given up. Its late answer is applied (interface.md §5.4).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeAlias, assert_never

import structlog

from voucherswitch.journal.batcher import JournalError
from voucherswitch.journal.records import NO_CHANGE, Closing
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import Approved, Declined, NotSent, Outcome, OutcomeUnknown
from voucherswitch.message.refusals import RecordedRefusal, Refused
from voucherswitch.message.states import State, mask
from voucherswitch.message.trace import Leg, Trace
from voucherswitch.providers.contract.alerts import BAD_ANSWER
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.providers.gate import Shut, Ticket
from voucherswitch.providers.pool import Place
from voucherswitch.switch.approvals import approval, undone
from voucherswitch.switch.deadlines import Deadlines
from voucherswitch.switch.deps import Deps
from voucherswitch.switch.exchange import Asked, Exchange, Reply, Sent
from voucherswitch.switch.lifecycle import Message, states_moved_by
from voucherswitch.switch.telling import NOT_DURABLE, declined, make_answer, not_sent, reply_from_record, unknown
from voucherswitch.switch.unwritten import Kept
from voucherswitch.switch.vouchers import change_on_reversal

Ask: TypeAlias = Callable[[Connector, Call], Awaitable[Outcome]]

log = structlog.get_logger(__name__)

OUTCOME_UNKNOWN = "outcome_unknown"  # the alert of a record that somebody has to find out about
OPEN = mask((State.PENDING, State.UNKNOWN))


class Timeout(Exception):  # noqa: N818 (a moment, not a fault)
    """The answer deadline passed while the provider's call goes on in `call`."""

    def __init__(self, call: asyncio.Task[Outcome]) -> None:
        super().__init__("answer deadline passed")
        self.call = call


async def ask(
    deps: Deps, place: Place, send: Ask, trace: Trace, limits: Deadlines, ticket: Ticket | None = None
) -> Outcome:
    """Make one call to the provider whose place is held; return what it proved.

    Without a `ticket` it asks the gate for one; NotSent when it is shut.

    Raises:
        Timeout: the answer is due and the call goes on.
    """
    work = _enter_and_call(deps, place.provider_id, send, Call(trace.part(), limits.call), ticket)
    call = asyncio.create_task(work)
    place.lend(call)
    await _ended(call, limits.answer - time.monotonic())
    if not call.done():
        raise Timeout(call)
    return call.result()


async def _ended(call: asyncio.Task[Outcome], within_s: float) -> None:
    """Wait until a call has ended, but no longer than this; it goes on. `asyncio.wait` takes twice the time for it."""
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()

    def over(_call: object = None) -> None:
        if not waiter.done():
            waiter.set_result(None)

    timer = loop.call_later(max(0.0, within_s), over)
    call.add_done_callback(over)
    try:
        await waiter
    finally:
        timer.cancel()
        call.remove_done_callback(over)


async def _enter_and_call(deps: Deps, provider_id: str, send: Ask, call: Call, ticket: Ticket | None) -> Outcome:
    if ticket is None:
        entered = await deps.gate.enter(provider_id, call.deadline)
        if isinstance(entered, Shut):
            return NotSent(ErrorType.UPSTREAM_UNAVAILABLE, provider_message="the provider is not asked at present")
        ticket = entered
    outcome: Outcome | None = None
    try:
        outcome = await _call(deps, provider_id, send, call)
        return outcome
    finally:
        await ticket.settle(outcome, call.trace.legs, call.deadline)


async def _call(deps: Deps, provider_id: str, send: Ask, call: Call) -> Outcome:
    async with deps.providers.use(provider_id) as connector:
        if connector is None:
            return NotSent(
                error_type=ErrorType.ROUTING_ERROR,
                provider_message="the provider is not set up",  # why is in the log: it names files and addresses
                alert="provider_settings",
            )
        outcome = await _attempted(send, connector, call, provider_id)
    if not isinstance(outcome, Approved | Declined) and outcome.alert is not None:
        log.error(
            "provider needs attention",
            provider=provider_id,
            alert=outcome.alert,
            provider_code=outcome.provider_code,
            reason=outcome.provider_message,
        )
    return outcome


async def _attempted(send: Ask, connector: Connector, call: Call, provider_id: str) -> Outcome:
    """A connector raises for nothing that its peer did. One that does all the same may have sent the request."""
    try:
        return await send(connector, call)
    except Exception:
        log.exception("unexpected error in a connector", provider=provider_id)
        return OutcomeUnknown(provider_message="our fault: the connector failed", alert=BAD_ANSWER)


async def finish(deps: Deps, sent: Sent, outcome: Outcome) -> Reply:
    """Close the record with an outcome that came in time; returns the answer the journal holds.

    Raises:
        Refused: 500, the journal does not take it; it is kept and written as a late answer.
    """
    try:
        return await _finish(deps, sent, outcome)
    except JournalError as error:
        keep(deps, sent, outcome, sent.exchange.trace.take(), error)
        raise Refused(NOT_DURABLE) from error


async def _finish(deps: Deps, sent: Sent, outcome: Outcome) -> Reply:
    match outcome:
        case Approved():
            return await _approve(deps, sent, outcome)
        case Declined():
            return await _decline(deps, sent, declined(sent, outcome), None)
        case NotSent():
            return await _decline(deps, sent, not_sent(outcome), outcome.alert)
        case OutcomeUnknown():
            refs = refs_of(outcome)
            return await lose(deps, sent, unknown(outcome), call_ended=True, alert=outcome.alert, refs=refs)
        case _:
            assert_never(outcome)


async def _approve(deps: Deps, sent: Sent, outcome: Approved) -> Reply:
    answer = make_answer(sent, outcome)
    reply = sent.exchange.renderer.answer(answer)
    closing = approval(deps, sent, outcome, answer, from_states=OPEN)
    closing.answered_status = reply.status
    if await close(deps, closing, sent.exchange, reply):
        return reply
    await _undo_if_declined(deps, sent, closing)
    return await overtaken(deps, sent)


async def _undo_if_declined(deps: Deps, asked: Asked, closing: Closing) -> None:
    """An approval of what was declined meanwhile undoes itself: its originator has given the money back.

    It can come only from a process that was frozen or cut off for so long that it was taken for dead, so that its
    provider was asked and knew of no such request yet.
    """
    record = await deps.journal.read(asked.entry.request_id)
    if record is None or record.generation != asked.entry.generation or record.state is not State.DECLINED:
        return
    log.error("approved after it was declined: reversed", request_id=str(record.request_id), provider=asked.provider_id)
    closing.from_states = mask((State.DECLINED,))
    closing = undone(deps, closing, asked.provider_id)
    closing.voucher = NO_CHANGE  # the decline let go of it
    await deps.journal.close(closing, [])


async def _decline(deps: Deps, sent: Sent, error: RecordedRefusal, alert: str | None) -> Reply:
    reply = sent.exchange.renderer.refusal(error)
    closing = Closing(
        entry=sent.entry,
        from_states=OPEN,
        to=State.DECLINED,
        error=error,
        alert=alert,
        answered_status=reply.status,
        voucher=change_on_reversal(sent.entry.kind, State.PENDING),
    )
    if await close(deps, closing, sent.exchange, reply):
        return reply
    return await overtaken(deps, sent)


async def lose(
    deps: Deps,
    sent: Sent,
    error: RecordedRefusal,
    *,
    call_ended: bool,
    alert: str | None = None,
    refs: dict[str, str] | None = None,
) -> Reply:
    """Answer 504 and leave the record UNKNOWN; with the call still running its late answer will be applied."""
    reply = sent.exchange.renderer.refusal(error)
    closing = Closing(
        entry=sent.entry,
        from_states=mask(states_moved_by(sent.entry.kind, Message.LOSE, State.UNKNOWN)),
        to=State.UNKNOWN,
        error=error,
        alert=alert or OUTCOME_UNKNOWN,
        refs=refs,
        answered_status=reply.status,
        call_ended=call_ended,
    )
    if await close(deps, closing, sent.exchange, reply):
        return reply
    return await overtaken(deps, sent)


def refs_of(outcome: Outcome) -> dict[str, str] | None:
    """What was sent and must be known to find an unknown request again; None: nothing."""
    return outcome.refs or None if isinstance(outcome, OutcomeUnknown) else None


class _OutcomeOpen:
    """From the moment a record is durable its outcome may be anything: a journal that fails then is 500, unknown,
    never the 503 that would say "certainly not processed"."""

    def __enter__(self) -> None:
        return

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, JournalError):
            raise Refused(NOT_DURABLE) from error


OUTCOME_OPEN: Final = _OutcomeOpen()  # `with OUTCOME_OPEN:`


async def close(deps: Deps, closing: Closing, exchange: Exchange, reply: Reply) -> bool:
    """Write an outcome with its trace. False: the record was decided meanwhile."""
    inbound, *outbound = exchange.legs(reply)
    try:
        return await deps.journal.close(closing, [inbound, *outbound])
    except JournalError:
        exchange.trace.legs[:0] = outbound  # not written: they belong to whatever is written instead
        raise


async def overtaken(deps: Deps, sent: Sent) -> Reply:
    """Answer by what the journal holds: the record was closed by somebody else while the call ran (X3)."""
    record = await deps.journal.read(sent.entry.request_id)
    if record is None or record.generation != sent.entry.generation:
        raise Refused(NOT_DURABLE)
    reply = reply_from_record(deps, record, sent.exchange)
    await deps.journal.record_legs(sent.entry.request_id, sent.entry.generation, [sent.exchange.inbound(reply)])
    return reply


async def apply_late(deps: Deps, sent: Sent, call: asyncio.Task[Outcome]) -> None:
    """Wait for a call that outlived its answer and apply what it brings (§5.4)."""
    await apply(deps, sent, await call, sent.exchange.trace.take())


async def apply(deps: Deps, asked: Asked, outcome: Outcome, legs: list[Leg]) -> None:
    """Apply an outcome that its originator did not hear; what the journal does not take now is kept."""
    try:
        await _apply(deps, asked, outcome, legs)
    except JournalError as error:
        keep(deps, asked, outcome, legs, error)


def keep(deps: Deps, asked: Asked, outcome: Outcome, legs: list[Leg], error: JournalError) -> None:
    """Keep what could not be written until the database is back."""
    deps.unwritten.keep(Kept(partial(_apply, deps, asked, outcome, legs), _facts(asked, outcome)), str(error))


async def _apply(deps: Deps, asked: Asked, outcome: Outcome, legs: list[Leg]) -> None:
    match outcome:
        case Approved():
            answer = make_answer(asked, outcome)
            approved = approval(deps, asked, outcome, answer, from_states=OPEN, late=True)
            if not await deps.journal.close(approved, legs):
                await _undo_if_declined(deps, asked, approved)
        case Declined() | NotSent():
            error = declined(asked, outcome) if isinstance(outcome, Declined) else not_sent(outcome)
            voucher = change_on_reversal(asked.entry.kind, State.UNKNOWN)
            closing = Closing(entry=asked.entry, from_states=OPEN, to=State.DECLINED, error=error, voucher=voucher)
            await deps.journal.close(closing, legs)
        case OutcomeUnknown():
            await deps.journal.end_call(asked.entry, outcome.alert, legs, refs_of(outcome))
        case _:
            assert_never(outcome)


def _facts(asked: Asked, outcome: Outcome) -> dict[str, Any]:
    """What an operator needs to settle an outcome without the journal; nothing that could be spent."""
    facts = {
        "request_id": str(asked.entry.request_id),
        "generation": asked.entry.generation,
        "kind": asked.entry.kind.name,
        "originator": asked.originator.id,
        "provider": asked.provider_id,
        "amount_cents": asked.amount_cents,
        "outcome": type(outcome).__name__,
    }
    if isinstance(outcome, Approved):
        serial = None if outcome.voucher is None else outcome.voucher.serial_number
        return facts | {"serial": serial, "provider_ref": outcome.provider_ref, "refs": outcome.refs}
    return facts | {"provider_code": outcome.provider_code}
