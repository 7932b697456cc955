"""How a provider's product list differs from what our catalogue sells of it, and a draft that follows it. Pure."""

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

from voucherswitch.catalogue.snapshot import Catalogue, Product
from voucherswitch.message.orders import ProviderProduct

ID_CHARS_MAX: Final = 40
NAME_CHARS_MAX: Final = 40


class Change(StrEnum):
    """What there is to do about a product of a provider."""

    SAME = "same"
    NEW = "new"  # the provider sells it, and no route of ours leads to it
    CHANGED = "changed"  # its value or limits no longer hold what ours promises
    GONE = "gone"  # a route of ours leads to it, and the provider does not list it


class Difference(Struct, frozen=True):
    """One product of a provider beside one of ours; the side that does not have it is None."""

    change: Change
    provider_product: str
    theirs: ProviderProduct | None = None
    ours: Product | None = None


def differences(catalogue: Catalogue, provider_id: str, listed: Sequence[ProviderProduct]) -> list[Difference]:
    """Compare a provider's list with the products whose routes lead to it, in the list's order; what is gone last."""
    sold = list(_sold(catalogue, provider_id))
    theirs = {item.product: item for item in listed}
    found: list[Difference] = []
    for item in listed:
        ours = [product for reference, product in sold if reference == item.product]
        for product in ours:
            change = Change.SAME if _holds(item, product) else Change.CHANGED
            found.append(Difference(change, item.product, item, product))
        if not ours:
            found.append(Difference(Change.NEW, item.product, item))
    found.extend(
        Difference(Change.GONE, reference, None, product) for reference, product in sold if reference not in theirs
    )
    return found


def draft(found: Sequence[Difference], provider_id: str, receiver_id: str) -> Iterator[dict[str, str]]:
    """The rows of a product file that would follow the provider: what is new, and what has changed. Amounts in rand.

    Args:
        receiver_id: the voucher provider of new products.
    """
    for item in found:
        if item.theirs is None or item.change not in (Change.NEW, Change.CHANGED):
            continue
        own_id = item.ours.id if item.ours is not None else _proposed_id(provider_id, item.theirs.product)
        yield {
            "product_id": own_id,
            "receiver_id": item.ours.receiver_id if item.ours is not None else receiver_id,
            "name": (item.ours.name if item.ours is not None else item.theirs.name)[:NAME_CHARS_MAX],
            "amount": _rand(item.theirs.amount_cents),
            "min": _rand(item.theirs.min_cents),
            "max": _rand(item.theirs.max_cents),
            "provider": provider_id,
            "provider_product": item.theirs.product,
        }


def _sold(catalogue: Catalogue, provider_id: str) -> Iterator[tuple[str, Product]]:
    for (_, product_id), routes in catalogue.routes.items():
        product = catalogue.products.get(product_id or "")
        if product is not None:
            yield from ((route.provider_product, product) for route in routes if route.provider_id == provider_id)


def _holds(theirs: ProviderProduct, ours: Product) -> bool:
    """Whether everything that our product may cost is something that theirs takes."""
    if theirs.fixed:
        return ours.amount_cents == theirs.amount_cents
    low, high = (ours.min_cents, ours.max_cents) if ours.amount_cents is None else (ours.amount_cents,) * 2
    return (theirs.min_cents or 0) <= (low or 0) and (theirs.max_cents is None or (high or 0) <= theirs.max_cents)


def _proposed_id(provider_id: str, reference: str) -> str:
    return re.sub(r"[^0-9A-Z]", "", f"{provider_id}{reference}".upper())[:ID_CHARS_MAX]


def _rand(cents: int | None) -> str:
    return "" if cents is None else f"{cents // 100}.{cents % 100:02d}"
