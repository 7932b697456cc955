"""Choose where a provision goes: a pure choice on a snapshot, so that `route preview` can replay and explain it."""

import random

from msgspec import Struct

from voucherswitch.catalogue.snapshot import Catalogue, Originator, Product, Provider, Route, VoucherProvider
from voucherswitch.config.limits import ROUTES_MAX
from voucherswitch.message.codes import ZAR, ErrorType
from voucherswitch.message.parties import Tender
from voucherswitch.message.refusals import Refusal
from voucherswitch.providers.contract.capabilities import Capabilities, Support
from voucherswitch.providers.gate import Shut, Shutting


class Wish(Struct, frozen=True, kw_only=True):
    """What an originator asks for, as far as routing cares."""

    receiver_id: str | None
    product_id: str | None
    amount_cents: int | None
    currency: str | None
    names_code: bool = False
    tenders: tuple[Tender, ...] = ()


class Candidate(Struct, frozen=True):
    """A route that may be tried, with the amount it would be asked for."""

    route: Route
    provider: Provider
    amount_cents: int


class Plan(Struct, frozen=True, kw_only=True):
    """Where a request goes, in the order in which routes are tried."""

    brand: VoucherProvider
    product: Product | None
    candidates: tuple[Candidate, ...]


class Passed(Struct, frozen=True):
    """A route that was not taken, and why. `shut`: it could serve, but its provider is not to be asked now."""

    route: Route
    reason: str
    shut: Shut | None = None


def nobody_shut(_: Provider) -> Shut | None:
    """For a choice that does not look at how providers are now."""
    return None


def refuse(status: int, error_type: ErrorType, message: str, explanation: str) -> Refusal:
    """A refusal of step 7: route, entitlement, capability, limits, tender (interface.md §3.1)."""
    return Refusal(rule="step 7", status=status, error_type=error_type, message=message, explanation=explanation)


NO_ROUTE = refuse(400, ErrorType.ROUTING_ERROR, "No route.", "No provider is set up for this product and receiver.")
TENDER_FIRST = Refusal(
    rule="W8",
    status=400,
    error_type=ErrorType.TRANSACTION_DECLINED,
    message="Tender required before request",
    explanation="This provider needs tenders that cover the amount.",
)
NEGATIVE_TENDER = Refusal(
    rule="W7",
    status=400,
    error_type=ErrorType.INVALID_AMOUNT,
    message="Negative tender.",
    explanation="Only a ROUNDING tender may be negative.",
)


def plan(
    wish: Wish,
    originator: Originator,
    catalogue: Catalogue,
    capabilities: dict[str, Capabilities],
    shutting: Shutting = nobody_shut,
) -> tuple[Plan | Refusal | Shut, list[Passed]]:
    """Decide the routes of a provision; returns also every route that was passed over, and why.

    Args:
        shutting: what keeps a provider from being asked now: maintenance, or its circuit breaker.

    Returns:
        The plan. Else step 7's refusal; or `Shut`, which comes first, when a route could serve the wish another time.
    """
    product = catalogue.products.get(wish.product_id) if wish.product_id is not None else None
    receiver_id = wish.receiver_id or (product.receiver_id if product else None)
    brand = catalogue.voucher_providers.get(receiver_id) if receiver_id is not None else None
    if receiver_id is None or brand is None:
        return NO_ROUTE, []
    if wish.product_id is not None and (product is None or not product.enabled or product.receiver_id != receiver_id):
        return NO_ROUTE, []
    if not originator.entitled(receiver_id):
        return (
            refuse(
                400, ErrorType.TRANSACTION_NOT_SUPPORTED, "Not entitled.", "The originator may not sell this receiver."
            ),
            [],
        )
    routes = catalogue.routes.get((receiver_id, product.id if product else None), ())
    able, passed, refusal = _able(wish, product, routes, catalogue, capabilities, shutting)
    if not able:
        shut = [item.shut for item in passed if item.shut is not None]
        return min(shut, key=lambda item: item.retry_after_s, default=None) or refusal or NO_ROUTE, passed
    return Plan(brand=brand, product=product, candidates=_ordered(able)), passed


def _able(
    wish: Wish,
    product: Product | None,
    routes: tuple[Route, ...],
    catalogue: Catalogue,
    capabilities: dict[str, Capabilities],
    shutting: Shutting,
) -> tuple[list[Candidate], list[Passed], Refusal | None]:
    """Split routes into those that can serve the wish and those that cannot; the first refusal speaks for all."""
    able: list[Candidate] = []
    passed: list[Passed] = []
    first: Refusal | None = None
    for route in routes:
        provider = catalogue.providers.get(route.provider_id)
        verdict = _check(wish, product, route, provider, capabilities.get(route.provider_id))
        if isinstance(verdict, str):
            passed.append(Passed(route, verdict))
        elif isinstance(verdict, Refusal):
            passed.append(Passed(route, verdict.message))
            first = first or verdict
        elif (shut := shutting(verdict.provider)) is not None:
            passed.append(Passed(route, shut.why, shut))
        else:
            able.append(verdict)
    return able, passed, first


def _check(
    wish: Wish, product: Product | None, route: Route, provider: Provider | None, can: Capabilities | None
) -> Candidate | Refusal | str:
    if not route.enabled:
        return "route is disabled"
    if provider is None or not provider.enabled:
        return "provider is disabled"
    if can is None:
        return "provider's settings are missing or wrong"
    if can.provision is Support.NONE:
        return refuse(400, ErrorType.FUNCTION_NOT_SUPPORTED, "Not supported.", "The provider issues no vouchers.")
    if wish.names_code and not can.client_chosen_code:
        return refuse(
            400, ErrorType.FUNCTION_NOT_SUPPORTED, "Not supported.", "The provider chooses voucher codes itself."
        )
    amount = check_amount(wish, product, route)
    if isinstance(amount, Refusal):
        return amount
    if can.tender_first and not _tendered(wish, amount, exact=can.tender_exact):
        return TENDER_FIRST
    return Candidate(route, provider, amount)


def check_amount(wish: Wish, product: Product | None, route: Route) -> int | Refusal:
    """The value to ask for: the request's, the product's or the route's; within the product's limits."""
    asked = wish.amount_cents or None
    if asked is not None and wish.currency != ZAR:
        return invalid_amount("Only ZAR (710) is served.")
    if product is None:
        value = asked if asked is not None else route.default_cents
    elif product.amount_cents is not None:
        value = product.amount_cents
        if asked is not None and asked != value:
            return invalid_amount(f"The product's value is {value} cents.")
    else:
        value = asked
        low, high = product.min_cents or 1, product.max_cents
        if value is not None and (value < low or (high is not None and value > high)):
            return invalid_amount(f"The product takes {low} to {high} cents.")
    if value is None:
        return invalid_amount("amounts.requestAmount is needed for this product.")
    if value < 0:
        return invalid_amount("The amount must be above zero.")
    return value


def invalid_amount(explanation: str) -> Refusal:
    """400 INVALID_AMOUNT with the reason."""
    return refuse(400, ErrorType.INVALID_AMOUNT, "Invalid amount.", explanation)


def _tendered(wish: Wish, amount_cents: int, *, exact: bool) -> bool:
    paid = sum(tender.amount_cents for tender in wish.tenders if tender.currency == ZAR)
    return bool(wish.tenders) and (paid == amount_cents if exact else paid >= amount_cents)


def _ordered(able: list[Candidate]) -> tuple[Candidate, ...]:
    """By priority; routes of one priority share by weight: a weighted draw without replacement."""
    ordered = sorted(
        able,
        key=lambda item: (item.route.priority, -(random.random() ** (1 / item.route.weight))),  # noqa: S311 (load, not secrets)
    )
    return tuple(ordered[:ROUTES_MAX])
