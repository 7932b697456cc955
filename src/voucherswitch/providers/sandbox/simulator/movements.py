"""Redemptions and refunds in the sandbox (providers.md 11.3 and its notes).

A redemption lowers the balance at once and gets it back when reversed; a refund adds to it only when confirmed.
"""

from voucherswitch.providers.contract.simulator.provider import Reply
from voucherswitch.providers.sandbox.simulator.answers import MovementAnswer, MovementVoucherBody, encode, refusal
from voucherswitch.providers.sandbox.simulator.book import (
    MOVEMENTS_MAX,
    REDEMPTION,
    REFUND,
    Book,
    Movement,
    VoucherRecord,
)
from voucherswitch.providers.sandbox.simulator.calls import Redeem, Refund
from voucherswitch.providers.sandbox.simulator.lifecycle import (
    CONFIRMED,
    MOVEMENT,
    REDEEM_CONFIRMED,
    REVERSED,
    VOUCHER,
)
from voucherswitch.providers.sandbox.simulator.products import decline_by_amount, product
from voucherswitch.providers.sandbox.simulator.vouchers import VALID_OUTLETS


def shown(book: Book, movement: Movement, now: float) -> bytes:
    """The movement object, as things stand now."""
    voucher = book.vouchers[movement.voucher_id]
    return encode(
        MovementAnswer(
            request_id=movement.request_id,
            provider_ref=movement.provider_ref,
            kind=movement.kind,
            state=movement.state,
            approved_cents=movement.cents,
            voucher=MovementVoucherBody(voucher.shown_state(now), voucher.balance_cents, voucher.serial),
        )
    )


def status(book: Book, what: str, request_id: str, now: float) -> Reply:
    """GET /redemptions/{requestId} and GET /refunds/{requestId}."""
    movement = book.movements(what).get(request_id)
    return refusal("UNABLE_TO_LOCATE_RECORD") if movement is None else Reply(200, shown(book, movement, now))


def redeem(book: Book, form: Redeem, now: float, *, rebind_id: bool) -> Reply:
    """POST /redemptions."""
    asked = (form.code, form.pin, form.amount_cents, form.store, form.terminal)
    no = refuse_redeem(book, form, now)
    known = book.redemptions.get(form.request_id)
    if known is not None and not (rebind_id and _state_allows(no)):
        return _known(book, known, asked, now)
    if no is not None:
        return no
    voucher = book.by_code[form.code]
    book.counters.redemptions += 1
    movement = Movement(
        request_id=form.request_id,
        number=book.counters.redemptions,
        kind=REDEMPTION,
        voucher_id=voucher.request_id,
        cents=form.amount_cents or voucher.balance_cents,
        asked=asked,
        store=form.store,
        terminal=form.terminal,
    )
    voucher.balance_cents -= movement.cents
    voucher.redemptions = (*voucher.redemptions, movement)
    _change(voucher, VOUCHER["redeem"][voucher.state].to, now)
    book.redemptions[form.request_id] = movement
    return Reply(201, shown(book, movement, now))


def refuse_redeem(book: Book, form: Redeem, now: float) -> Reply | None:
    """Why a redemption cannot be done, whether or not its id is known; None: it can."""
    if ("redemptions", form.request_id) in book.tombstones:
        return refusal("REDEMPTION_ALREADY_REVERSED")
    if form.store not in VALID_OUTLETS:
        return refusal("INVALID_MERCHANT")
    voucher = book.by_code.get(form.code)
    if voucher is None:
        return refusal("VOUCHER_NOT_REDEEMABLE")
    if voucher.pin is not None and form.pin != voucher.pin:
        return refusal("INVALID_VOUCHER")
    if code := VOUCHER["redeem"][voucher.state].refusal:
        return refusal(code)
    if voucher.shown_state(now) != voucher.state:  # EXPIRED, BLOCKED
        return refusal("VOUCHER_NOT_REDEEMABLE")
    if decline := decline_by_amount(form.amount_cents):
        return decline
    cents = form.amount_cents or voucher.balance_cents
    if cents > voucher.balance_cents:
        return refusal("INSUFFICIENT_FUNDS")
    sold = product(voucher.product_id)
    if sold is not None and sold.no_partial and cents < voucher.balance_cents:
        return refusal("INVALID_AMOUNT")
    if len(voucher.redemptions) >= MOVEMENTS_MAX:
        return refusal("LIMIT_EXCEEDED")
    return None


def refund(book: Book, form: Refund, now: float, *, rebind_id: bool) -> Reply:
    """POST /refunds."""
    asked = (form.code, form.redemption_request_id, form.amount_cents)
    found = refundable(book, form)
    known = book.refunds.get(form.request_id)
    if known is not None and not (rebind_id and _state_allows(None if isinstance(found, Movement) else found)):
        return _known(book, known, asked, now)
    if not isinstance(found, Movement):
        return found
    voucher = book.by_code[form.code]
    book.counters.refunds += 1
    movement = Movement(
        request_id=form.request_id,
        number=book.counters.refunds,
        kind=REFUND,
        voucher_id=voucher.request_id,
        cents=form.amount_cents or _left(voucher, found),
        asked=asked,
        store=found.store,
        terminal=found.terminal,
        redemption=found,
        before=voucher.state,
    )
    voucher.refunds = (*voucher.refunds, movement)
    _change(voucher, VOUCHER["refund"][voucher.state].to, now)
    book.refunds[form.request_id] = movement
    return Reply(201, shown(book, movement, now))


def refundable(book: Book, form: Refund) -> Movement | Reply:
    """The redemption that a refund gives back, or why there is none."""
    if ("refunds", form.request_id) in book.tombstones:
        return refusal("REFUND_ALREADY_REVERSED")
    voucher = book.by_code.get(form.code)
    if voucher is None:
        return refusal("INVALID_VOUCHER")
    if code := VOUCHER["refund"][voucher.state].refusal:
        return refusal(code)
    if form.redemption_request_id is None:
        if voucher.state == CONFIRMED:
            return refusal("VOUCHER_NOT_REDEEMED")
        candidates = [one for one in voucher.redemptions if one.state == CONFIRMED]
    else:
        named = book.redemptions.get(form.redemption_request_id)
        candidates = [one for one in voucher.redemptions if one is named and one.state == CONFIRMED]
    if not candidates:
        return refusal("VOUCHER_NOT_REDEEMED")
    if len(candidates) > 1:
        return refusal("TRANSACTION_DECLINED")
    if decline := decline_by_amount(form.amount_cents):
        return decline
    redemption = candidates[0]
    left = _left(voucher, redemption)
    if left == 0:
        return refusal("VOUCHER_ALREADY_REFUNDED")
    if form.amount_cents > left:
        return refusal("INVALID_AMOUNT")
    if len(voucher.refunds) >= MOVEMENTS_MAX:
        return refusal("LIMIT_EXCEEDED")
    return redemption


def advise(book: Book, movement: Movement, op: str, now: float) -> str | None:
    """Confirm or reverse a movement; returns the refusal's code, None when it is accepted."""
    cell = MOVEMENT[op][movement.state]
    if cell.refusal is not None or cell.to is None:
        return cell.refusal
    voucher = book.vouchers[movement.voucher_id]
    movement.state = cell.to
    if cell.to == CONFIRMED:
        movement.confirmed_at = now
    if movement.kind == REDEMPTION:
        if cell.to == REVERSED:
            voucher.balance_cents += movement.cents
        whole = cell.to == CONFIRMED and voucher.balance_cents == 0
        _change(voucher, REDEEM_CONFIRMED if whole else CONFIRMED, now)
    elif cell.to == CONFIRMED:
        voucher.balance_cents += movement.cents
        _change(voucher, CONFIRMED, now)
    else:
        _change(voucher, movement.before, now)
    return None


def _state_allows(no: Reply | None) -> bool:
    """Whether nothing but an amount, a selection or the code itself keeps the voucher from it: 409 is its state."""
    return no is None or no.status != 409


def _known(book: Book, known: Movement, asked: tuple[str | int | None, ...], now: float) -> Reply:
    """A request id seen before: its answer again, if it is the same request."""
    return Reply(200, shown(book, known, now)) if known.asked == asked else refusal("DUPLICATE_RECORD")


def _left(voucher: VoucherRecord, redemption: Movement) -> int:
    """What of a redemption has not been given back."""
    given = sum(one.cents for one in voucher.refunds if one.redemption is redemption and one.state != REVERSED)
    return redemption.cents - given


def _change(voucher: VoucherRecord, state: str | None, now: float) -> None:
    assert state is not None
    voucher.state = state
    voucher.note(now, state)


def redeemed_elsewhere(book: Book, voucher: VoucherRecord, now: float) -> None:
    """The world uses the whole voucher, past us: there is a confirmed redemption that we never sent."""
    book.counters.redemptions += 1
    movement = Movement(
        request_id=f"elsewhere-{book.counters.redemptions:08d}",
        number=book.counters.redemptions,
        kind=REDEMPTION,
        voucher_id=voucher.request_id,
        cents=voucher.balance_cents,
        asked=(),
        store="",
        terminal="",
        state=CONFIRMED,
    )
    voucher.balance_cents = 0
    voucher.redemptions = (*voucher.redemptions, movement)
    _change(voucher, REDEEM_CONFIRMED, now)
