"""What redemptions and refunds share: find the voucher, let its owed advices go first, claim it, ask its provider."""

from collections.abc import Sequence

from voucherswitch.catalogue.snapshot import Originator, VoucherProvider
from voucherswitch.journal.records import Entry, Opening, Record, VoucherRecord
from voucherswitch.message.codes import ZAR, ErrorType
from voucherswitch.message.outcomes import Approved, Outcome
from voucherswitch.message.parties import Institution
from voucherswitch.message.refusals import Detail, Refusal, Refused
from voucherswitch.providers.contract.answers import BadAnswer, bad_answer
from voucherswitch.providers.gate import Ticket
from voucherswitch.providers.pool import Place
from voucherswitch.switch.admitting import enter
from voucherswitch.switch.clock import left_ms
from voucherswitch.switch.deadlines import Deadlines
from voucherswitch.switch.deps import Deps
from voucherswitch.switch.exchange import Exchange, Reply, Sent
from voucherswitch.switch.lifecycle import DUPLICATE_OPEN
from voucherswitch.switch.requests import Creating
from voucherswitch.switch.routing import invalid_amount, refuse
from voucherswitch.switch.sending import OUTCOME_OPEN, Ask, Timeout, apply_late, ask, finish, lose
from voucherswitch.switch.telling import STILL_UNKNOWN
from voucherswitch.switch.vouchers import MOVEMENT_OPEN, SEVERAL_RECEIVERS

NOT_ENABLED = refuse(
    400, ErrorType.FUNCTION_NOT_SUPPORTED, "Service not enabled.", "Redemption is not enabled for this originator."
)
UNDELIVERED = Refusal(
    rule="A6",
    status=503,
    error_type=ErrorType.UPSTREAM_UNAVAILABLE,
    message="Provider not reached.",
    explanation="An advice for this voucher must reach the provider first. Nothing was processed; try again.",
)


def find_voucher(
    vouchers: Sequence[VoucherRecord], receiver: Institution | None, originator: Originator, unknown: Refusal
) -> VoucherRecord:
    """Pick the voucher a code means, among those of receivers that the originator may use.

    Raises:
        Refused: `unknown` when there is none, ROUTING_ERROR when several receivers have the code and none is named.
    """
    known = [
        voucher
        for voucher in vouchers
        if originator.entitled(voucher.receiver_id) and (receiver is None or voucher.receiver_id == receiver.id)
    ]
    if not known:
        raise Refused(unknown)
    if len(known) > 1:
        raise Refused(SEVERAL_RECEIVERS)
    return known[0]


def brand_of(deps: Deps, receiver_id: str) -> VoucherProvider:
    """The voucher provider of a voucher; it may have been taken from the catalogue since the voucher was sold."""
    brand = deps.snapshot.voucher_providers.get(receiver_id)
    if brand is None:
        raise Refused(refuse(400, ErrorType.ROUTING_ERROR, "No route.", "The receiver is no longer in the catalogue."))
    return brand


def movement_amount(request: Creating) -> int:
    """The amount to ask for; 0 asks for all there is."""
    amount = request.amount_cents or 0
    if amount < 0:
        raise Refused(invalid_amount("The amount must not be negative."))
    if amount and request.currency != ZAR:
        raise Refused(invalid_amount("Only ZAR (710) is served."))
    return amount


def believable(outcome: Outcome, worth_cents: int | None) -> Outcome:
    """What a redemption's answer proves: nothing, when it took more than its voucher was sold for (B.4).

    Where an amount was asked for the connector has compared it; where all there is was asked for only we know a bound.
    `worth_cents` None: sold elsewhere, nobody knows.
    """
    if isinstance(outcome, Approved) and worth_cents is not None and outcome.approved_cents > worth_cents:
        return bad_answer(BadAnswer("the value is more than the voucher was sold for"))
    return outcome


async def deliver_owed(deps: Deps, fingerprint: bytes, until_s: float) -> None:
    """A6: what was acknowledged for this voucher reaches its provider before the next request on it.

    Raises:
        Refused: 503, it cannot be delivered in time; the request is not sent.
    """
    if not await deps.express.deliver(fingerprint, until_s):
        raise Refused(UNDELIVERED, Detail(retry_after_s=2))


async def deliver_earlier(deps: Deps, record: Record | None, until_s: float) -> None:
    """I5: a provider that takes the id anew forgets what it meant before, so what is owed for that goes first.

    Raises:
        Refused: 503, it cannot be delivered in time; the request is not sent.
    """
    if record is not None and record.fingerprint is not None:
        await deliver_owed(deps, record.fingerprint, until_s)


def refuse_open_movement(voucher: VoucherRecord, request: Creating) -> None:
    """X4, or X1 where the open request is this very one, sent twice at once.

    Raises:
        Refused: the voucher is claimed.
    """
    if voucher.open_id is not None:
        raise Refused(DUPLICATE_OPEN if voucher.open_id == request.request_id else MOVEMENT_OPEN)


async def open_movement(deps: Deps, opening: Opening, limits: Deadlines) -> tuple[Entry, Ticket] | None:
    """Claim the voucher and the id, with leave to ask the provider. None: one of both was taken since we looked.

    Raises:
        Refused: 503, the provider is not asked at present; nothing was recorded.
    """
    ticket = await enter(deps, opening.provider_id, limits.call)
    entry = None
    try:
        opening.call_ms = left_ms(limits.call)
        entry = await deps.journal.open(opening)
    finally:
        if entry is None:
            await ticket.give_back()
    return None if entry is None else (entry, ticket)


async def send_movement(
    deps: Deps,
    entry: Entry,
    request: Creating,
    exchange: Exchange,
    opening: Opening,
    brand: VoucherProvider,
    code: str,
    limits: Deadlines,
    place: Place,
    send: Ask,
    ticket: Ticket,
) -> Reply:
    """Ask the voucher's own provider, there is no other, and close the record with what it said."""
    sent = Sent(
        entry=entry,
        originator=exchange.originator,
        exchange=exchange,
        provider_id=opening.provider_id,
        receiver=request.receiver or brand.receiver,
        settlement=request.settlement or brand.settlement,
        amount_cents=opening.amount_cents,
        currency=ZAR,
        voucher_code=code,
    )
    with OUTCOME_OPEN:
        try:
            outcome = await ask(deps, place, send, exchange.trace, limits, ticket)
        except Timeout as timeout:
            try:
                return await lose(deps, sent, STILL_UNKNOWN, call_ended=False)
            finally:
                deps.background.start(apply_late(deps, sent, timeout.call), f"late answer of {entry.request_id}")
        return await finish(deps, sent, outcome)
