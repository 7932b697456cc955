"""Yoyo's campaigns, as fixtures (providers.md 7.7), and how each makes its codes."""

from typing import Any, Final

from msgspec import Struct


class Campaign(Struct, frozen=True):
    """One campaign. `cents` is the fixed value of a coupon; `first_code` the code of its first item after a reset."""

    campaign_id: int
    kind: str
    name: str
    days: int
    first_code: str
    cents: int | None = None
    min_cents: int | None = None
    max_cents: int | None = None
    day_cap: int | None = None
    once_per_user: bool = False
    closed: bool = False

    @property
    def product(self) -> str:
        """As our product references name it."""
        return f"{self.kind}:{self.campaign_id}"

    @property
    def type(self) -> str:
        return "GIFTCARD" if self.kind == "giftcard" else "COUPON"

    def shown(self) -> dict[str, Any]:
        """As the list of campaigns tells it."""
        told: dict[str, Any] = {
            "id": self.campaign_id,
            "name": self.name,
            "type": self.type,
            "expiryDays": self.days,
            "stateId": "C" if self.closed else "A",
        }
        if self.cents is not None:
            return told | {"voucherAmount": self.cents}
        return told | {"minValue": self.min_cents, "maxValue": self.max_cents}


_ALL: Final = (
    Campaign(3001, "giftcard", "Gift card", days=1_095, first_code="410020030040", min_cents=1_000, max_cents=500_000),
    Campaign(
        3002,
        "giftcard",
        "Scarce gift card",
        days=365,
        first_code="4100200",
        min_cents=1_000,
        max_cents=500_000,
        day_cap=2,
    ),
    Campaign(2001, "coupon", "Coupon", days=90, first_code="410020030", cents=5_000, once_per_user=True),
    Campaign(2002, "coupon", "Closed coupon", days=90, first_code="510020030", cents=5_000, closed=True),
)

CAMPAIGNS: Final = {campaign.campaign_id: campaign for campaign in _ALL}


def campaign(kind: str, campaign_id: int) -> Campaign | None:
    """The campaign of this kind with this id."""
    found = CAMPAIGNS.get(campaign_id)
    return found if found is not None and found.kind == kind else None
