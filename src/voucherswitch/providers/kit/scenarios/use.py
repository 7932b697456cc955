"""Looking up, redeeming and refunding (checks 1 and 7)."""

from typing import Final

import msgspec

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import Acknowledged, Approved, Declined
from voucherswitch.providers.kit.scenario import Scenario, expect, scenario, sends, words
from voucherswitch.providers.kit.scenarios.operations import prepared, refund_order
from voucherswitch.providers.kit.stand import Stand


@scenario("retry", 10, needs=sends("retry"), live=True)
async def retry(stand: Stand) -> str:
    """A retry of an approved sale brings the very voucher again, as often as it comes."""
    order = stand.order()
    _, voucher = await stand.sold(order)
    for _ in range(2):
        again = await stand.ask(stand.connector.retry, msgspec.structs.replace(order, sent_ms_ago=1_000))
        same = isinstance(again, Approved) and again.voucher is not None and again.voucher.code == voucher.code
        expect(same, "the same voucher", again)
    if stand.simulated:
        await stand.expect_at_most_one_voucher(order)
    return "the same voucher, twice"


@scenario("status", 1, needs=sends("status"), live=True)
async def status(stand: Stand) -> str:
    """The status of an approved sale is its voucher."""
    order = stand.order()
    _, voucher = await stand.sold(order)
    found = await stand.ask(stand.connector.status, stand.status_order(order))
    same = isinstance(found, Approved) and found.voucher is not None and found.voucher.code == voucher.code
    expect(same, "Approved with the same voucher", found)
    return words(found)


@scenario("lookup", 1, needs=sends("lookup"), live=True)
async def lookup(stand: Stand) -> str:
    """A live voucher is found by its code, with what it is worth."""
    sale, voucher = await stand.usable(stand.order())
    found = await stand.ask(stand.connector.lookup, stand.lookup_order(voucher, sale))
    expect(
        isinstance(found, Approved) and found.approved_cents == stand.amount_cents,
        f"Approved, {stand.amount_cents} cents",
        found,
    )
    return words(found)


@scenario("lookup-unknown", 7, needs=sends("lookup"))
async def lookup_unknown(stand: Stand) -> str:
    """A code that no voucher has is Declined INVALID_VOUCHER."""
    sale, voucher = await stand.usable(stand.order())
    await stand.sim.reset()  # now nobody has that code, and its shape is right
    found = await stand.ask(stand.connector.lookup, stand.lookup_order(voucher, sale))
    _expect_declined(found, ErrorType.INVALID_VOUCHER)
    return words(found)


@scenario("redeem", 1, needs=sends("redeem"), live=True)
async def redeem(stand: Stand) -> str:
    """A live voucher is redeemed for what was asked, and its confirmation is taken."""
    sale, voucher = await stand.usable(stand.order())
    order, redemption = await stand.redeemed(voucher, sale)
    expect(redemption.approved_cents == order.amount_cents, f"{order.amount_cents} cents", redemption)
    left = stand.amount_cents - order.amount_cents
    if redemption.balance_cents is not None and redemption.voucher is None:
        expect(redemption.balance_cents == left, f"{left} cents left", f"{redemption.balance_cents} cents")
    await stand.confirm_if_sent("confirmRedeem", stand.advice(order, redemption))
    return words(redemption)


@scenario("redeem-again", 7, needs=sends("redeem"), live=True)
async def redeem_again(stand: Stand) -> str:
    """A voucher that was redeemed whole is Declined VOUCHER_ALREADY_REDEEMED."""
    sale, voucher = await stand.usable(stand.order())
    order, redemption = await stand.redeemed(voucher, sale, stand.redeem_order(voucher, sale, stand.amount_cents))
    await stand.confirm_if_sent("confirmRedeem", stand.advice(order, redemption))
    again = await stand.ask(stand.connector.redeem, stand.redeem_order(voucher, sale, stand.amount_cents))
    _expect_declined(again, ErrorType.VOUCHER_ALREADY_REDEEMED)
    return words(again)


@scenario("redeem-unknown", 7, needs=sends("redeem"))
async def redeem_unknown(stand: Stand) -> str:
    """Redeeming a code that no voucher has is Declined INVALID_VOUCHER."""
    sale, voucher = await stand.usable(stand.order())
    await stand.sim.reset()
    outcome = await stand.ask(stand.connector.redeem, stand.redeem_order(voucher, sale))
    # The sandbox tells a code without a voucher like one that cannot be spent.
    _expect_declined(outcome, ErrorType.INVALID_VOUCHER, ErrorType.VOUCHER_NOT_REDEEMABLE)
    return words(outcome)


@scenario("redeem-status", 1, needs=sends("redeem", "redeemStatus"), live=True)
async def redeem_status(stand: Stand) -> str:
    """The status of an approved redemption is its amount."""
    found = await (await prepared(stand, "redeemStatus"))()
    expect(
        isinstance(found, Approved) and found.approved_cents == stand.redeem_cents,
        f"Approved, {stand.redeem_cents} cents",
        found,
    )
    return words(found)


@scenario("redeem-reversed", 12, needs=sends("redeem", "reverseRedeem"), live=True)
async def redeem_reversed(stand: Stand) -> str:
    """After the reversal of a redemption the voucher can be redeemed again."""
    sale, voucher = await stand.usable(stand.order())
    order, redemption = await stand.redeemed(voucher, sale)
    result = await stand.advise("reverseRedeem", stand.advice(order, redemption, voucher_code=voucher.code))
    expect(result == Acknowledged(), "the reversal to be acknowledged", result)
    _, again = await stand.redeemed(voucher, sale)
    return f"again {words(again)}"


@scenario("refund", 1, needs=sends("refund"), live=True)
async def refund(stand: Stand) -> str:
    """A redemption is given back for what it took."""
    sale, voucher = await stand.usable(stand.order())
    redeem, redemption = await stand.redeemed(voucher, sale)
    await stand.confirm_if_sent("confirmRedeem", stand.advice(redeem, redemption))
    outcome = await stand.ask(stand.connector.refund, refund_order(stand, redeem, redemption))
    expect(
        isinstance(outcome, Approved) and outcome.approved_cents == stand.redeem_cents,
        f"Approved, {stand.redeem_cents} cents",
        outcome,
    )
    return words(outcome)


def _expect_declined(outcome: object, *allowed: ErrorType) -> None:
    declined = isinstance(outcome, Declined) and outcome.error_type in allowed
    expect(declined, f"Declined {' or '.join(allowed)}", outcome)


SCENARIOS: Final[tuple[Scenario, ...]] = (
    *(retry, status, lookup, lookup_unknown, redeem, redeem_again, redeem_unknown, redeem_status, redeem_reversed),
    refund,
)
