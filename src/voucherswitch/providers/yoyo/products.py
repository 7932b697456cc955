"""Our product references for Yoyo's campaigns, and what its coupons were last seen to be worth. No I/O.

A coupon's value is its campaign's, not the request's. A campaign whose value is not what we sell it for issues an item
of a wrong value with every sale, and each is a loss until somebody expires it by hand. So what a campaign was last seen
to be worth is kept for a while, and a sale of another amount is refused before an item exists.
"""

import re
from enum import StrEnum
from typing import Final

from msgspec import Struct

from voucherswitch.providers.yoyo.messages import ID_MAX

CAMPAIGNS_KEPT_MAX: Final = 1_000
VALUE_KEPT_S: Final = 900.0  # a campaign that was corrected sells again after this, without a restart

_PRODUCT = re.compile(r"(giftcard|coupon):([1-9][0-9]{0,18})")


class Kind(StrEnum):
    """The two kinds of items, as they are written in a product reference."""

    GIFT_CARD = "giftcard"
    COUPON = "coupon"

    @property
    def path(self) -> str:
        """Its collection in the issuing API."""
        return f"/{self.value}s"


class CampaignRef(Struct, frozen=True):
    """What a product reference names: `giftcard:3001`."""

    kind: Kind
    campaign_id: int

    @property
    def product(self) -> str:
        return f"{self.kind}:{self.campaign_id}"


def campaign_of(product: str | None) -> CampaignRef | None:
    """The campaign of a product reference; None: it names none."""
    found = _PRODUCT.fullmatch(product or "")
    if found is None or int(found[2]) > ID_MAX:
        return None
    return CampaignRef(Kind(found[1]), int(found[2]))


class CampaignValues:
    """What coupon campaigns were last seen to be worth. Times are seconds of any one clock."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[int, float]] = {}

    def note(self, campaign_id: int, cents: int, now_s: float) -> None:
        """Remember a value; the one that was seen longest ago makes room."""
        self._seen.pop(campaign_id, None)
        self._seen[campaign_id] = (cents, now_s)
        if len(self._seen) > CAMPAIGNS_KEPT_MAX:
            del self._seen[next(iter(self._seen))]

    def allows(self, campaign_id: int, cents: int, now_s: float) -> bool:
        """Whether nothing that was seen lately speaks against selling the campaign for this amount."""
        seen = self._seen.get(campaign_id)
        return seen is None or seen[0] == cents or now_s - seen[1] >= VALUE_KEPT_S
