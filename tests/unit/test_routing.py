"""Routing is a pure choice on a snapshot: who is tried, in which order, and why the others are not."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest

from voucherswitch.catalogue.snapshot import (
    Catalogue,
    Maintenance,
    Originator,
    Product,
    Provider,
    Route,
    VoucherProvider,
)
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.parties import Institution, Tender
from voucherswitch.message.refusals import Refusal
from voucherswitch.providers.contract.capabilities import Capabilities, Support
from voucherswitch.providers.gate import Shut, in_maintenance
from voucherswitch.providers.sandbox.capabilities import CAPABILITIES
from voucherswitch.switch.routing import Passed, Plan, Wish, plan

BRAND = VoucherProvider(
    receiver=Institution(id="44", name="MobiTalk"), settlement=Institution(id="33", name="Settlement")
)
TILL = Originator(id="22", name="Till", password_hash="x")
FIXED = Product(id="FIX", receiver_id="44", name="R100", amount_cents=10_000)
ANY = Product(id="ANY", receiver_id="44", name="Any", min_cents=500, max_cents=100_000)


def a_route(number: int, product_id: str | None, provider_id: str = "one", **changes: object) -> Route:
    values = {"id": number, "product_id": product_id, "receiver_id": "44", "provider_product": "P"} | changes
    return Route(provider_id=provider_id, **values)  # type: ignore[arg-type]  # a builder for tests takes any field


def a_catalogue(*routes: Route, products: Sequence[Product] = (FIXED, ANY)) -> Catalogue:
    by_target: dict[tuple[str, str | None], tuple[Route, ...]] = {}
    for route in routes:
        key = (route.receiver_id, route.product_id)
        by_target[key] = (*by_target.get(key, ()), route)
    return Catalogue(
        version=1,
        voucher_providers=MappingProxyType({"44": BRAND}),
        products=MappingProxyType({product.id: product for product in products}),
        routes=MappingProxyType(by_target),
        providers=MappingProxyType(
            {name: Provider(id=name, connector="sandbox", settings={}) for name in ("one", "two")}
        ),
    )


CAN = {"one": CAPABILITIES, "two": CAPABILITIES}


def choose(
    catalogue: Catalogue, can: dict[str, Capabilities] | None = None, originator: Originator = TILL, **wish: Any
) -> Plan | Refusal:
    values = {"receiver_id": "44", "product_id": None, "amount_cents": 1_000, "currency": "710"} | wish
    chosen = plan(Wish(**values), originator, catalogue, CAN if can is None else can)[0]
    assert not isinstance(chosen, Shut)
    return chosen


def error_type(chosen: Plan | Refusal) -> ErrorType:
    assert isinstance(chosen, Refusal)
    return chosen.error_type


def providers(chosen: Plan | Refusal) -> list[str]:
    assert isinstance(chosen, Plan)
    return [candidate.route.provider_id for candidate in chosen.candidates]


def test_a_request_without_a_product_goes_where_its_receiver_goes() -> None:
    assert providers(choose(a_catalogue(a_route(1, None), a_route(2, "ANY", "two")))) == ["one"]


def test_a_product_goes_its_own_way_and_names_its_receiver_if_the_request_does_not() -> None:
    catalogue = a_catalogue(a_route(1, None), a_route(2, "ANY", "two"))
    assert providers(choose(catalogue, product_id="ANY", receiver_id=None)) == ["two"]


@pytest.mark.parametrize(
    "wish",
    [
        {"receiver_id": None},
        {"receiver_id": "99"},
        {"product_id": "NONE"},
        {"product_id": "ANY"},  # in the catalogue, but not routed
        {"product_id": "ANY", "receiver_id": "99"},
    ],
)
def test_without_a_route_it_is_a_routing_error(wish: dict[str, Any]) -> None:
    assert error_type(choose(a_catalogue(a_route(1, None)), **wish)) is ErrorType.ROUTING_ERROR


def test_priorities_are_tried_in_order() -> None:
    catalogue = a_catalogue(a_route(1, None, "two", priority=2), a_route(2, None, "one", priority=1))
    assert {tuple(providers(choose(catalogue))) for _ in range(50)} == {("one", "two")}


def test_routes_of_one_priority_share_by_weight() -> None:
    catalogue = a_catalogue(a_route(1, None, "one", weight=9), a_route(2, None, "two", weight=1))
    first = Counter(providers(choose(catalogue))[0] for _ in range(4_000))
    assert 0.86 < first["one"] / 4_000 < 0.94


def test_what_cannot_serve_is_passed_over_with_its_reason() -> None:
    catalogue = a_catalogue(a_route(1, None, "one", enabled=False), a_route(2, None, "gone"), a_route(3, None, "two"))
    wish = Wish(receiver_id="44", product_id=None, amount_cents=1_000, currency="710")
    chosen, passed = plan(wish, TILL, catalogue, CAN)
    assert isinstance(chosen, Plan)
    assert providers(chosen) == ["two"]
    assert [item.reason for item in passed] == ["route is disabled", "provider is disabled"]


@pytest.mark.parametrize(
    ("wish", "amount"),
    [
        ({"product_id": "FIX", "amount_cents": None, "currency": None}, 10_000),
        ({"product_id": "FIX", "amount_cents": 10_000}, 10_000),
        ({"product_id": "FIX", "amount_cents": 0}, 10_000),
        ({"product_id": "ANY", "amount_cents": 500}, 500),
        ({"product_id": "ANY", "amount_cents": 100_000}, 100_000),
        ({"product_id": "FIX", "amount_cents": 9_999}, None),
        ({"product_id": "ANY", "amount_cents": 499}, None),
        ({"product_id": "ANY", "amount_cents": 100_001}, None),
        ({"product_id": "ANY", "amount_cents": None}, None),
        ({"product_id": "ANY", "amount_cents": -500}, None),
        ({"amount_cents": -1}, None),
        ({"amount_cents": 1_000, "currency": "840"}, None),
        ({"amount_cents": None}, 7_700),
    ],
)
def test_the_amount_is_the_requests_the_products_or_the_routes(wish: dict[str, Any], amount: int | None) -> None:
    catalogue = a_catalogue(a_route(1, "FIX"), a_route(2, "ANY"), a_route(3, None, default_cents=7_700))
    chosen = choose(catalogue, **wish)
    if amount is None:
        assert error_type(chosen) is ErrorType.INVALID_AMOUNT
    else:
        assert isinstance(chosen, Plan)
        assert chosen.candidates[0].amount_cents == amount


def test_an_originator_sells_only_what_it_is_entitled_to() -> None:
    stranger = Originator(id="22", name="Till", password_hash="x", receivers=frozenset({"55"}))
    chosen = choose(a_catalogue(a_route(1, None)), originator=stranger)
    assert error_type(chosen) is ErrorType.TRANSACTION_NOT_SUPPORTED


def changed(**values: object) -> dict[str, Capabilities]:
    fields = {name: getattr(CAPABILITIES, name) for name in CAPABILITIES.__struct_fields__}
    return {"one": Capabilities(**(fields | values))}


def test_a_code_may_be_named_only_where_the_provider_takes_it() -> None:
    chosen = choose(a_catalogue(a_route(1, None)), changed(client_chosen_code=False), names_code=True)
    assert error_type(chosen) is ErrorType.FUNCTION_NOT_SUPPORTED


def test_a_provider_that_issues_nothing_is_not_asked() -> None:
    chosen = choose(a_catalogue(a_route(1, None)), changed(provision=Support.NONE))
    assert error_type(chosen) is ErrorType.FUNCTION_NOT_SUPPORTED


@pytest.mark.parametrize(
    ("exact", "tenders", "served"),
    [
        (False, (), False),
        (False, (Tender(type="CASH", amount_cents=999, currency="710"),), False),
        (False, (Tender(type="CASH", amount_cents=1_001, currency="710"),), True),
        (False, (Tender(type="CASH", amount_cents=1_000, currency="840"),), False),
        (True, (Tender(type="CASH", amount_cents=1_001, currency="710"),), False),
        (
            True,
            (
                Tender(type="CASH", amount_cents=1_001, currency="710"),
                Tender(type="ROUNDING", amount_cents=-1, currency="710"),
            ),
            True,
        ),
    ],
)
def test_a_tender_first_provider_is_sent_only_what_is_paid_for(
    exact: bool, tenders: tuple[Tender, ...], served: bool
) -> None:
    """W8: otherwise the switch declines, and nothing is sent."""
    chosen = choose(a_catalogue(a_route(1, None)), changed(tender_first=True, tender_exact=exact), tenders=tenders)
    assert isinstance(chosen, Plan) is served
    if not served:
        assert error_type(chosen) is ErrorType.TRANSACTION_DECLINED


def shut_out(*names: str) -> Callable[[Provider], Shut | None]:
    """As if these providers were in maintenance or passed over; the one named first for the shortest time."""
    return lambda one: Shut(f"{one.id} is shut", 10 + names.index(one.id)) if one.id in names else None


def decide(catalogue: Catalogue, *shut: str, **wish: Any) -> tuple[Plan | Refusal | Shut, list[Passed]]:
    values = {"receiver_id": "44", "product_id": None, "amount_cents": 1_000, "currency": "710"} | wish
    return plan(Wish(**values), TILL, catalogue, CAN, shut_out(*shut))


def test_a_shut_provider_is_passed_over_with_its_reason() -> None:
    chosen, passed = decide(a_catalogue(a_route(1, None, "one"), a_route(2, None, "two", priority=2)), "one")
    assert isinstance(chosen, Plan)
    assert providers(chosen) == ["two"]
    assert [(item.route.id, item.reason) for item in passed] == [(1, "one is shut")]


def test_with_every_provider_shut_it_is_worth_trying_again_when_the_first_opens() -> None:
    chosen, _ = decide(a_catalogue(a_route(1, None, "one"), a_route(2, None, "two")), "two", "one")
    assert chosen == Shut("two is shut", 10)


def test_a_shut_provider_is_no_excuse_for_a_request_that_is_wrong() -> None:
    """503 asks the originator to try again, which would never help."""
    chosen, _ = decide(a_catalogue(a_route(1, None)), "one", amount_cents=-1)
    assert isinstance(chosen, Refusal)
    assert chosen.error_type is ErrorType.INVALID_AMOUNT


def test_a_shut_provider_that_could_serve_speaks_before_one_that_never_can() -> None:
    catalogue = a_catalogue(a_route(1, None, "one", default_cents=None), a_route(2, None, "two", default_cents=500))
    chosen, _ = decide(catalogue, "two", amount_cents=None)
    assert chosen == Shut("two is shut", 10)


NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


def a_window(number: int, start_h: float, end_h: float) -> Maintenance:
    """A window of "one", in hours from now."""
    start, end = NOW + timedelta(hours=start_h), NOW + timedelta(hours=end_h)
    return Maintenance(id=number, provider_id="one", starts_at=start, ends_at=end, reason=f"window {number}")


@pytest.mark.parametrize(
    ("windows", "holds"),
    [
        ((), None),
        (((1, -2, -1),), None),
        (((1, 1, 2),), None),
        (((1, 0, 1),), 1),
        (((1, -1, 0),), None),
        (((1, -1, 1), (2, -2, 3), (3, 4, 9)), 2),
    ],
)
def test_of_several_windows_the_one_that_ends_last_holds(
    windows: tuple[tuple[int, float, float], ...], holds: int | None
) -> None:
    provider = Provider(
        id="one", connector="sandbox", settings={}, maintenance=tuple(a_window(*window) for window in windows)
    )
    found = provider.in_maintenance(NOW)
    assert (None if found is None else found.id) == holds


def test_maintenance_says_until_when_and_why() -> None:
    provider = Provider(id="one", connector="sandbox", settings={}, maintenance=(a_window(1, -1, 0.005),))
    assert in_maintenance(provider, NOW) == Shut("maintenance until 2026-03-15 12:00:18 UTC: window 1", 18)
