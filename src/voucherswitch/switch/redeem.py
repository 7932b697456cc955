"""Redeem: use a voucher as tender, once.

Called by interface/redemptions.py. The voucher's row is claimed in the statement that records the request, so that of
two redemptions at once only one is ever sent.
"""

from voucherswitch.config.limits import JUDGEMENTS_MAX
from voucherswitch.journal.records import Opening, Record, VoucherRecord
from voucherswitch.message.codes import ZAR, ErrorType
from voucherswitch.message.orders import RedeemOrder
from voucherswitch.message.outcomes import Outcome
from voucherswitch.message.parties import Voucher
from voucherswitch.message.refusals import Detail, Refused
from voucherswitch.message.states import Kind, VoucherState, mask
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.switch.admitting import refuse_shut
from voucherswitch.switch.deadlines import deadlines
from voucherswitch.switch.deps import Deps
from voucherswitch.switch.duplicates import check_id
from voucherswitch.switch.elsewhere import adopt
from voucherswitch.switch.exchange import Exchange, Reply
from voucherswitch.switch.movements import (
    NOT_ENABLED,
    believable,
    brand_of,
    deliver_earlier,
    deliver_owed,
    find_voucher,
    movement_amount,
    open_movement,
    refuse_open_movement,
    send_movement,
)
from voucherswitch.switch.requests import Redemption
from voucherswitch.switch.routing import refuse
from voucherswitch.switch.vouchers import MOVEMENT_OPEN, NOT_CONFIRMED, REDEEM

REDEEMABLE = mask((VoucherState.CONFIRMED_PROVISIONED,))
LOOKUP_FIRST = refuse(
    400, ErrorType.TRANSACTION_DECLINED, "Lookup required before redemption", "Look the voucher up, then redeem it."
)


async def redeem(request: Redemption, exchange: Exchange, deps: Deps) -> Reply:
    """Redeem the voucher; return the answer once it is durable.

    Raises:
        Refused: a rule of §4.4 or step 7 says no; no record was made.
        JournalFullError, JournalUnavailableError, ProviderBusyError: certainly not processed.
    """
    if not exchange.originator.redemption:
        raise Refused(NOT_ENABLED)
    limits = deadlines(exchange.originator, exchange.received_s, deps.answer_margin_s)
    for _ in range(JUDGEMENTS_MAX):
        voucher, record, generation = await _check(request, exchange, deps)
        brand = brand_of(deps, voucher.receiver_id)
        opening = await _prepare(request, exchange, deps, voucher, generation)
        refuse_shut(deps, voucher.provider_id)
        with deps.providers.reserve(opening.provider_id) as place:
            await deliver_earlier(deps, record, limits.answer)
            await deliver_owed(deps, voucher.fingerprint, limits.answer)
            opened = await open_movement(deps, opening, limits)
            if opened is None:
                continue  # the voucher or the id was taken since we looked: look again
            entry, ticket = opened
            order = RedeemOrder(
                request_id=str(request.request_id),
                amount_cents=opening.amount_cents,
                currency=ZAR,
                voucher_code=request.voucher_code,
                voucher_pin=request.voucher_pin,
                msisdn=request.msisdn,
                store=request.store,
                refs=voucher.refs,
            )

            async def send(
                connector: Connector,
                call: Call,
                order: RedeemOrder = order,
                worth_cents: int | None = voucher.approved_cents,
            ) -> Outcome:
                return believable(await connector.redeem(order, call), worth_cents)

            return await send_movement(
                deps, entry, request, exchange, opening, brand, request.voucher_code, limits, place, send, ticket
            )
    raise Refused(MOVEMENT_OPEN)


async def _check(request: Redemption, exchange: Exchange, deps: Deps) -> tuple[VoucherRecord, Record | None, int]:
    """R1, R2, X1/X2, X4, R3 in this order; returns the voucher, the id's last record and the new one's generation."""
    originator = exchange.originator
    # Read before the voucher: a record that is final now has let go of its voucher already.
    record = await deps.journal.read(request.request_id)
    vouchers = await deps.journal.read_vouchers(request.voucher_code)
    if not any(request.receiver is None or one.receiver_id == request.receiver.id for one in vouchers):
        vouchers = await adopt(request.voucher_code, request.receiver, originator, deps)
    voucher = find_voucher(vouchers, request.receiver, originator, NOT_CONFIRMED)
    generation = check_id(deps, Kind.REDEMPTION, record, originator.id, reuse=originator.allow_request_id_reuse)
    refuse_open_movement(voucher, request)
    refusal = REDEEM[voucher.state]
    if refusal is not None:
        raise Refused(refusal, _used_detail(request, record))
    return voucher, record, generation


def _used_detail(request: Redemption, record: Record | None) -> Detail:
    """R3: the voucher is named only if this very id was answered before."""
    return Detail(voucher=None if record is None else Voucher(code=request.voucher_code))


async def _prepare(
    request: Redemption, exchange: Exchange, deps: Deps, voucher: VoucherRecord, generation: int
) -> Opening:
    """Step 7: the provider can, the amount is one, and a lookup came first where the originator's setting asks."""
    can = deps.providers.capabilities.get(voucher.provider_id)
    if can is not None and not can.redeem.sends:
        raise Refused(
            refuse(400, ErrorType.FUNCTION_NOT_SUPPORTED, "Not supported.", "The provider redeems no vouchers here.")
        )
    amount = movement_amount(request)
    if exchange.originator.lookup_before_redemption and not await deps.journal.looked_up(
        voucher.fingerprint, voucher.receiver_id, exchange.originator.id
    ):
        raise Refused(LOOKUP_FIRST)
    return Opening(
        request_id=request.request_id,
        generation=generation,
        kind=Kind.REDEMPTION,
        originator_id=exchange.originator.id,
        single=exchange.originator.single,
        receiver_id=voucher.receiver_id,
        product_id=voucher.product_id,
        provider_id=voucher.provider_id,
        provider_product=voucher.provider_product,
        amount_cents=amount,
        currency=ZAR,
        store=request.store,
        fingerprint=voucher.fingerprint,
        request=request.body,
        call_ms=0,
        voucher_states=REDEEMABLE,
    )
