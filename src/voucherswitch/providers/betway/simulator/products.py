"""What the simulated Betway sells (providers.md 10.7). Proposed."""

from typing import Final

from msgspec import Struct


class Sku(Struct, frozen=True, rename="camel"):
    sku_id: str
    name: str
    fixed: bool
    min_minor: int
    max_minor: int


LISTED: Final = (
    Sku("BW-ANY", "Betway voucher", fixed=False, min_minor=1_000, max_minor=500_000),
    Sku("BW-50", "Betway voucher R50", fixed=True, min_minor=5_000, max_minor=5_000),
)
SKUS: Final = {sku.sku_id: sku for sku in LISTED}
