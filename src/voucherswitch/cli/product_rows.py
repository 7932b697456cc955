"""A product as people write it, on the command line or in a file, checked and turned into one of the catalogue. Pure.

The bounds are the interface's (interface.md §2.7): what breaks them could be stored, but not told to an originator.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from voucherswitch.cli.amounts import cents_of
from voucherswitch.cli.errors import CommandError

if TYPE_CHECKING:
    from voucherswitch.catalogue.snapshot import Product, Route

COLUMNS: Final = (
    "product_id", "receiver_id", "name", "barcode", "description", "amount", "min", "max", "channels", "listed",
    "enabled", "provider", "provider_product",
)  # fmt: skip
REQUIRED: Final = ("product_id", "receiver_id", "name")

_BARCODE: Final = re.compile(r"[0-9A-Za-z]{1,13}", re.ASCII)
_YES: Final = {"": None, "yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def product_of(row: Mapping[str, str | None]) -> "Product":
    """Check one row and make a product of it; an empty cell counts as absent.

    Raises:
        CommandError: what is wrong with it, naming the column.
    """
    from voucherswitch.catalogue.snapshot import ChannelListing, Product

    cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
    for name in REQUIRED:
        if not cells[name]:
            raise CommandError(f"{name} is missing")
    check_text("product_id", cells["product_id"], 1, 40)
    check_text("name", cells["name"], 1, 40)
    check_text("description", cells["description"], 0, 250)
    if cells["barcode"] and not _BARCODE.fullmatch(cells["barcode"]):
        raise CommandError(f"barcode {cells['barcode']!r} is not 1 to 13 letters and digits")
    amount, low, high = (_cents(name, cells[name]) for name in ("amount", "min", "max"))
    _check_value(amount, low, high)
    listed, enabled = (_flag(name, cells[name]) for name in ("listed", "enabled"))
    return Product(
        id=cells["product_id"],
        receiver_id=cells["receiver_id"],
        name=cells["name"],
        barcode=cells["barcode"] or None,
        description=cells["description"] or None,
        amount_cents=amount,
        min_cents=low,
        max_cents=high,
        enabled=enabled is not False,
        listed=listed is not False,
        channels=tuple(ChannelListing(channel_name=name) for name in _channels(cells["channels"])),
    )


def route_of(row: Mapping[str, str | None], product: "Product") -> "Route | None":
    """The route that a row asks for: both its columns, or none.

    Raises:
        CommandError: only one of them.
    """
    from voucherswitch.catalogue.snapshot import Route

    provider, provider_product = ((row.get(name) or "").strip() for name in ("provider", "provider_product"))
    if bool(provider) != bool(provider_product):
        raise CommandError("a route needs both provider and provider_product")
    if not provider:
        return None
    return Route(
        id=0,
        product_id=product.id,
        receiver_id=product.receiver_id,
        provider_id=provider,
        provider_product=provider_product,
    )


def check_text(what: str, text: str, shortest: int, longest: int) -> None:
    """Refuse a text that is too short, too long, or that a slip cannot print.

    Raises:
        CommandError: it is.
    """
    if not shortest <= len(text) <= longest:
        raise CommandError(f"{what} has {len(text)} characters, it may have {shortest} to {longest}")
    if not text.isprintable():
        raise CommandError(f"{what} has a character that cannot be printed")


def _check_value(amount: int | None, low: int | None, high: int | None) -> None:
    if amount is not None and (low is not None or high is not None):
        raise CommandError("a product has either a fixed amount or both limits, not both")
    if amount is None and (low is None or high is None):
        raise CommandError("the value is missing: give a fixed amount, or both min and max")
    if amount is not None and amount <= 0:
        raise CommandError("the amount must be above zero")
    if low is not None and high is not None and not 0 < low <= high:
        raise CommandError("the limits must be above zero, the lower one first")


def _cents(name: str, text: str) -> int | None:
    if not text:
        return None
    try:
        return cents_of(text)
    except ValueError as error:
        raise CommandError(f"{name}: {error}") from None


def _flag(name: str, text: str) -> bool | None:
    try:
        return _YES[text.lower()]
    except KeyError:
        raise CommandError(f"{name} {text!r} is not yes or no") from None


def _channels(text: str) -> list[str]:
    names = [name.strip() for name in text.split("|") if name.strip()]
    for name in names:
        check_text("channels", name, 1, 50)
    return names
