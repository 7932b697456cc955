"""A provider's product list beside our catalogue, and the draft that follows it."""

from types import MappingProxyType

import pytest

from voucherswitch.catalogue.differences import Change, differences, draft
from voucherswitch.catalogue.snapshot import Catalogue, Product, Route
from voucherswitch.message.orders import ProviderProduct


def a_product(product_id: str, cents: int | tuple[int, int]) -> Product:
    fixed = cents if isinstance(cents, int) else None
    low, high = (None, None) if isinstance(cents, int) else cents
    return Product(id=product_id, receiver_id="R", name=product_id, amount_cents=fixed, min_cents=low, max_cents=high)


def a_catalogue(*sold: tuple[Product, str]) -> Catalogue:
    """Products with the provider's reference that their route leads to."""
    routes: dict[tuple[str, str | None], tuple[Route, ...]] = {
        ("R", product.id): (
            Route(id=1, product_id=product.id, receiver_id="R", provider_id="flash", provider_product=reference),
        )
        for product, reference in sold
    }
    return Catalogue(version=1, products=MappingProxyType({product.id: product for product, _ in sold}), routes=routes)


def fixed(reference: str, cents: int) -> ProviderProduct:
    return ProviderProduct(reference, f"{reference} of the provider", fixed=True, amount_cents=cents)


def ranged(reference: str, low: int, high: int) -> ProviderProduct:
    return ProviderProduct(reference, f"{reference} of the provider", fixed=False, min_cents=low, max_cents=high)


@pytest.mark.parametrize(
    ("theirs", "ours", "change"),
    [
        (fixed("P", 5_000), 5_000, Change.SAME),
        (fixed("P", 5_000), 6_000, Change.CHANGED),
        (fixed("P", 5_000), (100, 5_000), Change.CHANGED),
        (ranged("P", 1_000, 9_000), (1_000, 9_000), Change.SAME),
        (ranged("P", 1_000, 9_000), (2_000, 8_000), Change.SAME),
        (ranged("P", 1_000, 9_000), (500, 8_000), Change.CHANGED),
        (ranged("P", 1_000, 9_000), (2_000, 9_001), Change.CHANGED),
        (ranged("P", 1_000, 9_000), 9_000, Change.SAME),
        (ranged("P", 1_000, 9_000), 900, Change.CHANGED),
    ],
)
def test_what_we_promise_must_be_something_that_the_provider_sells(
    theirs: ProviderProduct, ours: int | tuple[int, int], change: Change
) -> None:
    [found] = differences(a_catalogue((a_product("OURS", ours), "P")), "flash", [theirs])

    assert (found.change, found.provider_product) == (change, "P")


def test_new_and_gone_products_are_told_apart() -> None:
    catalogue = a_catalogue((a_product("OLD", 100), "OLD-REF"), (a_product("KEPT", 200), "KEPT-REF"))

    found = differences(catalogue, "flash", [fixed("NEW-REF", 300), fixed("KEPT-REF", 200)])

    assert [(item.change, item.provider_product) for item in found] == [
        (Change.NEW, "NEW-REF"),
        (Change.SAME, "KEPT-REF"),
        (Change.GONE, "OLD-REF"),
    ]


def test_routes_to_other_providers_are_no_matter() -> None:
    assert differences(a_catalogue((a_product("OTHER", 100), "X")), "ott", []) == []


def test_the_draft_holds_what_is_new_and_what_has_changed_and_nothing_else() -> None:
    catalogue = a_catalogue((a_product("MINE", 100), "A"), (a_product("FINE", 200), "B"), (a_product("OLD", 300), "C"))
    found = differences(catalogue, "flash", [fixed("A", 150), fixed("B", 200), ranged("gift:302", 1_000, 100_000)])

    rows = list(draft(found, "flash", "99999999"))

    assert rows == [
        {
            "product_id": "MINE", "receiver_id": "R", "name": "MINE", "amount": "1.50", "min": "", "max": "",
            "provider": "flash", "provider_product": "A",
        },
        {
            "product_id": "FLASHGIFT302", "receiver_id": "99999999", "name": "gift:302 of the provider", "amount": "",
            "min": "10.00", "max": "1000.00", "provider": "flash", "provider_product": "gift:302",
        },
    ]  # fmt: skip
