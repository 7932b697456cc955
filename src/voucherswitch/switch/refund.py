"""Refund: give a confirmed redemption back, as a new transaction that may be declined.

Called by interface/refunds.py. The voucher's row is claimed like for a redemption.
"""

from uuid import UUID

from voucherswitch.catalogue.snapshot import Originator
from voucherswitch.config.limits import JUDGEMENTS_MAX
from voucherswitch.journal.records import Opening, Record, RedemptionRecord, VoucherRecord
from voucherswitch.message.codes import ZAR, ErrorType
from voucherswitch.message.orders import RefundOrder
from voucherswitch.message.outcomes import Outcome
from voucherswitch.message.refusals import Refusal, Refused
from voucherswitch.message.states import Kind, State, VoucherState, mask
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.switch.admitting import refuse_shut
from voucherswitch.switch.deadlines import deadlines
from voucherswitch.switch.deps import Deps
from voucherswitch.switch.duplicates import check_id
from voucherswitch.switch.exchange import Exchange, Reply
from voucherswitch.switch.movements import (
    NOT_ENABLED,
    brand_of,
    deliver_earlier,
    deliver_owed,
    find_voucher,
    movement_amount,
    open_movement,
    refuse_open_movement,
    send_movement,
)
from voucherswitch.switch.requests import Refund
from voucherswitch.switch.routing import invalid_amount, refuse
from voucherswitch.switch.vouchers import MOVEMENT_OPEN, REFUND, UNKNOWN_VOUCHER

REFUNDABLE = mask((VoucherState.CONFIRMED_REDEEMED,))
REFUNDABLE_IN_PART = mask((VoucherState.CONFIRMED_REDEEMED, VoucherState.CONFIRMED_PROVISIONED))
GIVEN_BACK = Refusal(
    "F2",
    400,
    ErrorType.VOUCHER_NOT_REDEEMED,
    "Voucher not refundable",
    "All of the redemption has been refunded.",
)
NO_SUCH_REDEMPTION = Refusal(
    "F2",
    400,
    ErrorType.VOUCHER_NOT_REDEEMED,
    "Voucher not refundable",
    "The voucher has no such redemption.",
)


async def refund(request: Refund, exchange: Exchange, deps: Deps) -> Reply:
    """Refund the redemption; return the answer once it is durable.

    Raises:
        Refused: a rule of §4.5 or step 7 says no; no record was made.
        JournalFullError, JournalUnavailableError, ProviderBusyError: certainly not processed.
    """
    if not exchange.originator.redemption:
        raise Refused(NOT_ENABLED)
    limits = deadlines(exchange.originator, exchange.received_s, deps.answer_margin_s)
    for _ in range(JUDGEMENTS_MAX):
        checked = await _check(request, exchange, deps)
        if checked is None:
            continue  # another refund came while we looked: look again
        voucher, redemption, record, generation = checked
        brand = brand_of(deps, voucher.receiver_id)
        opening = _prepare(request, exchange, deps, voucher, redemption, generation)
        refuse_shut(deps, voucher.provider_id)
        with deps.providers.reserve(opening.provider_id) as place:
            await deliver_earlier(deps, record, limits.answer)
            await deliver_owed(deps, voucher.fingerprint, limits.answer)
            opened = await open_movement(deps, opening, limits)
            if opened is None:
                continue  # the voucher or the id was taken since we looked: look again
            entry, ticket = opened
            order = RefundOrder(
                request_id=str(request.request_id),
                amount_cents=opening.amount_cents,
                currency=ZAR,
                voucher_code=request.voucher_code,
                store=request.store,
                redemption_id=str(redemption.request_id),
                refs=redemption.refs,
            )

            async def send(connector: Connector, call: Call, order: RefundOrder = order) -> Outcome:
                return await connector.refund(order, call)

            return await send_movement(
                deps, entry, request, exchange, opening, brand, request.voucher_code, limits, place, send, ticket
            )
    raise Refused(MOVEMENT_OPEN)


async def _check(
    request: Refund, exchange: Exchange, deps: Deps
) -> tuple[VoucherRecord, RedemptionRecord, Record | None, int] | None:
    """F1, X1/X2, F6, X4, F2-F4 in this order; returns what the refund is opened with, None when that changed."""
    originator = exchange.originator
    record = await deps.journal.read(request.request_id)
    generation = check_id(deps, Kind.REFUND, record, originator.id, reuse=originator.allow_request_id_reuse)
    voucher = await _voucher(request, originator, deps)
    refuse_open_movement(voucher, request)
    named = await _named_redemption(request, voucher, deps)
    refusal = REFUND[voucher.state]
    if named is None or named.state is not State.CONFIRMED:
        raise Refused(refusal or NO_SUCH_REDEMPTION)
    left = _left_cents(named) > 0
    if not left and await _voucher(request, originator, deps) != voucher:
        return None
    if refusal is not None and not (left and _partly_used(deps, request, voucher)):
        raise Refused(refusal)
    if not left:
        raise Refused(GIVEN_BACK)
    if (
        request.receiver_ref is not None
        and request.redemption_id is None
        and named.provider_ref != request.receiver_ref
    ):
        raise Refused(NO_SUCH_REDEMPTION)
    return voucher, named, record, generation


async def _voucher(request: Refund, originator: Originator, deps: Deps) -> VoucherRecord:
    vouchers = await deps.journal.read_vouchers(request.voucher_code)
    return find_voucher(vouchers, request.receiver, originator, UNKNOWN_VOUCHER)


async def _named_redemption(request: Refund, voucher: VoucherRecord, deps: Deps) -> RedemptionRecord | None:
    """The redemption that `redemptionId` names on this voucher; without it, the one that made the present state."""
    if request.redemption_id is None:
        redemption_id = voucher.redemption_id
    else:
        try:
            redemption_id = UUID(request.redemption_id)
        except ValueError:
            return None
    if redemption_id is None:
        return None
    return await deps.journal.read_redemption(redemption_id, voucher.fingerprint)


def _partly_used(deps: Deps, request: Refund, voucher: VoucherRecord) -> bool:
    """O21: a partly used voucher is spendable again, and a named redemption of it can still be given back."""
    can = deps.providers.capabilities.get(voucher.provider_id)
    return (
        voucher.state is VoucherState.CONFIRMED_PROVISIONED
        and request.redemption_id is not None
        and can is not None
        and can.partial_redeem
    )


def _left_cents(redemption: RedemptionRecord) -> int:
    """What of a redemption refunds have not given back."""
    return (redemption.approved_cents or 0) - redemption.refunded_cents


def _amount(request: Refund, redemption: RedemptionRecord) -> int:
    """What to ask for: never "all there is", because then any amount in the answer would pass for it."""
    left = _left_cents(redemption)
    amount = movement_amount(request) or left
    if amount > left:
        raise Refused(invalid_amount("More than the redemption took and refunds have left of it."))
    return amount


def _prepare(
    request: Refund,
    exchange: Exchange,
    deps: Deps,
    voucher: VoucherRecord,
    redemption: RedemptionRecord,
    generation: int,
) -> Opening:
    """Step 7: the provider can, and the amount is one."""
    can = deps.providers.capabilities.get(voucher.provider_id)
    if can is not None and not can.refund.sends:
        raise Refused(
            refuse(400, ErrorType.FUNCTION_NOT_SUPPORTED, "Not supported.", "The provider refunds no vouchers.")
        )
    partly = voucher.state is VoucherState.CONFIRMED_PROVISIONED
    return Opening(
        request_id=request.request_id,
        generation=generation,
        kind=Kind.REFUND,
        originator_id=exchange.originator.id,
        single=exchange.originator.single,
        receiver_id=voucher.receiver_id,
        product_id=voucher.product_id,
        provider_id=voucher.provider_id,
        provider_product=voucher.provider_product,
        amount_cents=_amount(request, redemption),
        currency=ZAR,
        store=request.store,
        fingerprint=voucher.fingerprint,
        request=request.body,
        call_ms=0,
        redemption_id=redemption.request_id,
        redemption_generation=redemption.generation,
        voucher_states=REFUNDABLE_IN_PART if partly else REFUNDABLE,
        last_refund=(voucher.refund_id, voucher.refund_generation),
    )
