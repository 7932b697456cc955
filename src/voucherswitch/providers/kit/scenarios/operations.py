"""Any operation by its name, after whatever it needs has happened: for scenarios that go through many of them."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from voucherswitch.message.codes import ZAR
from voucherswitch.message.orders import RedeemOrder, RefundOrder
from voucherswitch.message.outcomes import Approved
from voucherswitch.message.parties import Voucher
from voucherswitch.providers.kit.stand import STORE, Stand, new_id

REQUESTS: Final = (
    "provision",
    "retry",
    "status",
    "lookup",
    "redeem",
    "redeemStatus",
    "refund",
    "refundStatus",
    "products",
)
ADVICES: Final = ("confirm", "reverse", "confirmRedeem", "reverseRedeem", "confirmRefund", "reverseRefund")

Act = Callable[[], Awaitable[Any]]


async def prepared(stand: Stand, operation: str) -> Act:
    """Do everything that comes before an operation; returns what does the operation itself, as often as it is called.

    Requests that create something take a new id each time; the others are about what was prepared.
    """
    order = stand.order()
    match operation:
        case "provision":
            return lambda: stand.provision(stand.order())
        case "retry":
            await stand.sold(order)
            again = msgspec.structs.replace(order, sent_ms_ago=1_000)
            return lambda: stand.ask(stand.connector.retry, again)
        case "status":
            sale, _ = await stand.sold(order)
            return lambda: stand.ask(stand.connector.status, stand.status_order(order, sale))
        case "products":
            return stand.products
    sale, voucher = await stand.usable(order)
    if operation == "lookup":
        return lambda: stand.ask(stand.connector.lookup, stand.lookup_order(voucher, sale))
    if operation == "redeem":
        return lambda: stand.ask(stand.connector.redeem, stand.redeem_order(voucher, sale))
    redeem, redemption = await stand.redeemed(voucher, sale)
    if operation == "redeemStatus":
        return lambda: stand.ask(stand.connector.redeem_status, stand.status_order(redeem, redemption))
    await stand.confirm_if_sent("confirmRedeem", stand.advice(redeem, redemption))
    if operation == "refund":
        return lambda: stand.ask(stand.connector.refund, refund_order(stand, redeem, redemption))
    refund = refund_order(stand, redeem, redemption)
    refunded = await stand.ask(stand.connector.refund, refund)
    assert operation == "refundStatus"
    status = stand.status_order(as_movement(refund), refunded if isinstance(refunded, Approved) else None)
    return lambda: stand.ask(stand.connector.refund_status, status)


async def prepared_advice(stand: Stand, advice: str) -> Callable[..., Awaitable[Any]]:
    """Do what an advice is about; returns what gives it, each time with the same advice id.

    The returned function takes `sent_ms_ago`.
    """
    order = stand.order()
    if advice in ("confirm", "reverse"):
        approved, _ = await stand.sold(order)
        return _deliver(stand, advice, stand.advice(order, approved))
    sale, voucher = await stand.usable(order)
    redeem, redemption = await stand.redeemed(voucher, sale)
    if advice in ("confirmRedeem", "reverseRedeem"):
        return _deliver(stand, advice, stand.advice(redeem, _with(redemption, voucher)))
    await stand.confirm_if_sent("confirmRedeem", stand.advice(redeem, redemption))
    refund = refund_order(stand, redeem, redemption)
    refunded = await stand.ask(stand.connector.refund, refund)
    return _deliver(stand, advice, stand.advice(as_movement(refund), _with(refunded, voucher)))


def refund_order(stand: Stand, redeem: RedeemOrder, redemption: Approved) -> RefundOrder:
    """Give all of a redemption back."""
    return RefundOrder(
        request_id=new_id(),
        amount_cents=stand.redeem_cents,
        currency=ZAR,
        voucher_code=redeem.voucher_code,
        store=STORE,
        redemption_id=redeem.request_id,
        refs=redemption.refs,
    )


def as_movement(refund: RefundOrder) -> RedeemOrder:
    """A refund as a status or an advice names it: by its id, amount and voucher."""
    return RedeemOrder(
        request_id=refund.request_id,
        amount_cents=refund.amount_cents,
        currency=refund.currency,
        voucher_code=refund.voucher_code,
        store=refund.store,
    )


def _deliver(stand: Stand, advice: str, order: Any) -> Callable[..., Awaitable[Any]]:
    def deliver(sent_ms_ago: int = 0) -> Awaitable[Any]:
        return stand.advise(advice, msgspec.structs.replace(order, sent_ms_ago=sent_ms_ago))

    return deliver


def _with(movement: Any, voucher: Voucher) -> Approved | None:
    """A movement's approval with the voucher it was about; a change voucher is another one."""
    return msgspec.structs.replace(movement, voucher=voucher) if isinstance(movement, Approved) else None
