"""What the simulated Supabets sells (providers.md 5.7). Proposed."""

from typing import Final

from msgspec import Struct


class Product(Struct, frozen=True, rename="camel"):
    product_id: str
    name: str
    min_cents: int
    max_cents: int
    fixed: bool


LISTED: Final = (
    Product("SB-ANY", "Supabets voucher", 1_000, 500_000, fixed=False),
    Product("SB-50", "Supabets voucher R50", 5_000, 5_000, fixed=True),
    Product("SB-100", "Supabets voucher R100", 10_000, 10_000, fixed=True),
)
PRODUCTS: Final = {product.product_id: product for product in LISTED}
