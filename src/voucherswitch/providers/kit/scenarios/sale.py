"""Selling: the plain sale, what cannot be sold, and who may sell (checks 1, 7, 10, 15, 16)."""

from typing import TYPE_CHECKING, Final

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import Approved, Declined, NotSent, OutcomeUnknown, Pending
from voucherswitch.providers.contract.capabilities import Capabilities, Support
from voucherswitch.providers.contract.kit import KitProfile
from voucherswitch.providers.kit.scenario import Mismatch, Scenario, alert_of, expect, scenario, sends, words
from voucherswitch.providers.kit.stand import Stand

if TYPE_CHECKING:
    from voucherswitch.message.orders import ProvisionOrder

UNKNOWN_PRODUCT: Final = "NOSUCH01"  # short and plain enough for every protocol
UNKNOWN_OUTLET: Final = "S999"


@scenario("sale", 1, live=True)
async def sale(stand: Stand) -> str:
    """A sale brings one voucher of the value asked for."""
    order = stand.order()
    before = await stand.float_cents() if stand.simulated else 0
    approved, voucher = await stand.sold(order)
    expect(approved.approved_cents == order.amount_cents, f"{order.amount_cents} cents", approved)
    if stand.simulated:
        state = await stand.expect_at_most_one_voucher(order)
        expect(state is not None and state["code"] == voucher.code, "the code in the books", "another code")
        taken = before - await stand.float_cents()
        expect(taken == order.amount_cents, f"{order.amount_cents} cents off our balance", f"{taken} cents")
        await stand.expect_sent_once()
    return words(approved)


@scenario("same-reference", 10)
async def same_reference(stand: Stand) -> str:
    """A reference sent twice never becomes a decline: the first voucher again, or a doubt."""
    order = stand.order()
    _, voucher = await stand.sold(order)
    again = await stand.provision(order)
    expect(isinstance(again, Approved | OutcomeUnknown), "the same voucher again, or OutcomeUnknown", again)
    state = await stand.sim.state(order.request_id)
    if isinstance(again, Approved) and again.voucher is not None and again.voucher.code != voucher.code:
        retry = stand.record.retry
        expect(retry is not Support.NATIVE, "the same voucher, as retry=native says", "another voucher")
        return "the provider issues again, so the switch never sends a reference twice (no native retry)"
    if state is not None and stand.record.retry is Support.NATIVE:
        await stand.expect_at_most_one_voucher(order)
    return "the same voucher again" if isinstance(again, Approved) else words(again)


@scenario("other-currency", 1, live=True)
async def other_currency(stand: Stand) -> str:
    """A sale in another currency is declined here; nothing is sent."""
    outcome = await stand.provision(stand.order(currency="840"))
    expect(_declined(outcome, ErrorType.INVALID_AMOUNT), "Declined INVALID_AMOUNT", outcome)
    expect(stand.legs == [], "no message", f"{len(stand.legs)}")
    return words(outcome)


@scenario("unsold-amount", 7)
async def unsold_amount(stand: Stand) -> str:
    """An amount that the provider does not sell is declined."""
    outcome = await stand.provision(_of_one_cent(stand))
    expect(_declined(outcome, ErrorType.INVALID_AMOUNT), "Declined INVALID_AMOUNT", outcome)
    await _expect_nothing_issued(stand)
    return words(outcome)


@scenario("wrong-product", 7)
async def wrong_product(stand: Stand) -> str:
    """A product that the provider does not know is no sale and no doubt."""
    outcome = await stand.provision(stand.order(product=UNKNOWN_PRODUCT))
    if isinstance(outcome, Approved):
        expect(not _travelled(stand, UNKNOWN_PRODUCT), "a refusal: the message named the product", outcome)
        return "no product is in the message, so none can be wrong"
    _expect_refused(outcome, ErrorType.ROUTING_ERROR, ErrorType.INVALID_AMOUNT)
    await _expect_nothing_issued(stand)
    return words(outcome)


@scenario("wrong-outlet", 7)
async def wrong_outlet(stand: Stand) -> str:
    """An outlet that the provider does not know is no sale and no doubt."""
    stand.connector = stand.with_settings(outlet_map={}, default_outlet=UNKNOWN_OUTLET)
    outcome = await stand.provision()
    if isinstance(outcome, Approved):
        expect(not _travelled(stand, UNKNOWN_OUTLET), "a refusal: the message named the outlet", outcome)
        return "no outlet is in the message, so none can be wrong"
    _expect_refused(outcome, ErrorType.ROUTING_ERROR, ErrorType.INVALID_MERCHANT)
    await _expect_nothing_issued(stand)
    return words(outcome)


@scenario("no-outlet", 7, live=True)
async def no_outlet(stand: Stand) -> str:
    """A till that the settings give no outlet is NotSent ROUTING_ERROR; nothing that could issue is sent."""
    stand.connector = stand.with_settings(outlet_map={}, default_outlet=None)
    outcome = await stand.provision()
    expect(
        isinstance(outcome, NotSent) and outcome.error_type is ErrorType.ROUTING_ERROR, "NotSent ROUTING_ERROR", outcome
    )
    expect(not any(leg.operation == "provision" for leg in stand.legs), "no provision message", "one was sent")
    return words(outcome)


def _tender_first(_profile: KitProfile, record: Capabilities) -> str | None:
    return None if record.tender_first else "the record says tenderFirst=no"


@scenario("no-tender", 16, needs=_tender_first)
async def no_tender(stand: Stand) -> str:
    """Without the customer's payment nothing is issued."""
    outcome = await stand.provision(stand.order(tenders=()))
    expect(_declined(outcome, ErrorType.TRANSACTION_DECLINED), "Declined TRANSACTION_DECLINED", outcome)
    await _expect_nothing_issued(stand)
    return words(outcome)


@scenario("products", 1, needs=sends("products"), live=True)
async def products(stand: Stand) -> str:
    """The product list is readable and has what routes sell, each entry with its value or its range."""
    listed = await stand.products()
    if isinstance(listed, OutcomeUnknown):
        raise Mismatch(f"expected a product list; seen: {words(listed)}")
    expect(len(listed) > 0, "at least one product", "none")
    for entry in listed:
        priced = entry.amount_cents if entry.fixed else entry.min_cents and entry.max_cents
        expect(bool(priced), f"a value or a range for {entry.product}", "neither")
    names = {entry.product for entry in listed}
    expect(stand.product in names, f"{stand.product} among them", f"{len(names)} others")
    return f"{len(listed)} products"


@scenario("credentials", 15)
async def credentials(stand: Stand) -> str:
    """Refused credentials are NotSent ROUTING_ERROR with an alert; an advice stays queued with one."""
    sold_before = stand.order()
    approved, _ = await stand.sold(sold_before)
    await stand.sim.fault("auth_fail", "*", times=0)
    outcome = await stand.provision()
    expect(
        isinstance(outcome, NotSent) and outcome.error_type is ErrorType.ROUTING_ERROR, "NotSent ROUTING_ERROR", outcome
    )
    expect(alert_of(outcome) is not None, "an alert", "none")
    seen = words(outcome)
    for capability in ("confirm", "reverse"):
        if sends(capability)(stand.profile, stand.record) is None:
            result = await stand.advise(capability, stand.advice(sold_before, approved))
            expect(
                isinstance(result, Pending) and alert_of(result) is not None, f"{capability} pending + alert", result
            )
            seen += f"; {capability}: {words(result)}"
    total = (await stand.sim.totals())["vouchers"]
    expect(total == 1, "no voucher beyond the first", f"{total} in the books")
    return seen


def _declined(outcome: object, error_type: ErrorType) -> bool:
    return isinstance(outcome, Declined) and outcome.error_type is error_type


def _of_one_cent(stand: Stand) -> "ProvisionOrder":
    order = stand.order(amount_cents=1)
    tender = order.tenders[0]
    return stand.order(amount_cents=1, tenders=(type(tender)(tender.type, 1, tender.currency, tender.reference),))


def _expect_refused(outcome: object, *allowed: ErrorType) -> None:
    refused = isinstance(outcome, Declined | NotSent) and outcome.error_type in allowed
    expect(refused, f"NotSent or Declined, {' or '.join(allowed)}", outcome)


def _travelled(stand: Stand, text: str) -> bool:
    """Whether a message named something; messages are recorded with only their secrets hidden."""
    return any(text in leg.request for leg in stand.legs)


async def _expect_nothing_issued(stand: Stand) -> None:
    total = (await stand.sim.totals())["vouchers"]
    expect(total == 0, "no voucher in the books", f"{total}")


SCENARIOS: Final[tuple[Scenario, ...]] = (
    *(sale, same_reference, other_currency, unsold_amount, wrong_product, wrong_outlet, no_outlet, no_tender),
    *(products, credentials),
)
