"""A product as a line of a file: checked as a whole, refused with the column's name."""

from pathlib import Path

import pytest

from voucherswitch.catalogue.snapshot import EMPTY
from voucherswitch.cli.errors import CommandError
from voucherswitch.cli.product_file import read_products
from voucherswitch.cli.product_rows import product_of

GOOD: dict[str, str | None] = {"product_id": "P1", "receiver_id": "55555555", "name": "Protea", "amount": "75"}


def test_a_fixed_value() -> None:
    product = product_of(GOOD | {"barcode": "600123", "channels": "TILL | APP", "description": " a gift "})
    assert (product.amount_cents, product.min_cents, product.max_cents) == (7_500, None, None)
    assert [listing.channel_name for listing in product.channels] == ["TILL", "APP"]
    assert (product.barcode, product.description) == ("600123", "a gift")
    assert (product.enabled, product.listed) == (True, True)


def test_a_value_between_limits() -> None:
    product = product_of(GOOD | {"amount": "", "min": "5", "max": "1000.50", "listed": "no", "enabled": "No"})
    assert (product.amount_cents, product.min_cents, product.max_cents) == (None, 500, 100_050)
    assert (product.enabled, product.listed) == (False, False)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": " "}, "name is missing"),
        ({"product_id": None}, "product_id is missing"),
        ({"product_id": "P" * 41}, "product_id has 41 characters"),
        ({"name": "a\x00b"}, "cannot be printed"),
        ({"barcode": "6009-1"}, "barcode"),
        ({"amount": ""}, "the value is missing"),
        ({"min": "5", "max": "6"}, "either a fixed amount or both limits"),
        ({"amount": "", "min": "5"}, "the value is missing"),
        ({"amount": "", "min": "6", "max": "5"}, "the lower one first"),
        ({"amount": "0"}, "above zero"),
        ({"amount": "7.5"}, "amount: '7.5' is not an amount in rand"),
        ({"listed": "perhaps"}, "listed 'perhaps' is not yes or no"),
        ({"channels": "TILL|" + "x" * 51}, "channels has 51 characters"),
    ],
)
def test_a_bad_cell_is_named(change: dict[str, str | None], reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        product_of(GOOD | change)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("product_id,name,amount", "lacks receiver_id"),
        ("product_id,receiver_id,name,price", "unknown column 'price'"),
        ("", "lacks product_id, receiver_id, name"),
    ],
)
def test_a_file_with_other_columns_is_refused(header: str, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "products.csv"
    file.write_text(header, encoding="utf-8")
    with pytest.raises(CommandError, match=reason):
        read_products(file, EMPTY)
