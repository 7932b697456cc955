"""Scopes: what a token may be used for. One for each thing that an originator asks for; advices go with theirs."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    """The published names."""

    PROVISION = "suv.provision"
    REDEEM = "suv.redeem"
    REFUND = "suv.refund"
    LOOKUP = "suv.lookup"
    PRODUCTS = "suv.products"


MEANINGS: Final = {
    Scope.PROVISION: "Provision vouchers; retry, confirm and reverse that.",
    Scope.REDEEM: "Redeem vouchers; confirm, reverse and look up that.",
    Scope.REFUND: "Refund redemptions; confirm and reverse that.",
    Scope.LOOKUP: "Look vouchers up.",
    Scope.PRODUCTS: "List products.",
}


def written(scopes: Iterable[str]) -> str:
    """Scopes as OAuth2 writes them: with spaces between, here always in the same order."""
    return " ".join(sorted(scopes))


def read(text: str) -> frozenset[Scope]:
    """The scopes in a text that are ours; an issuer's others say nothing about us."""
    return frozenset(Scope(word) for word in text.split(" ") if word in _NAMES)


_NAMES: Final = frozenset(Scope)
