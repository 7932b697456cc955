"""Providers of the test switch beside the sandbox: the same simulator, with one capability changed each.

Each has a brand of its own, sold without a product: `a_provision(**at(NO_RETRY))`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from voucherswitch.catalogue import store
from voucherswitch.catalogue.sandbox import DEFAULT_CENTS, SETTLEMENT
from voucherswitch.catalogue.snapshot import Product, Provider, Route, VoucherProvider
from voucherswitch.message.parties import Institution
from voucherswitch.providers.sandbox.simulator import API_KEY
from voucherswitch.security.vault import Vault

SECRETS: Final = {"api_key": API_KEY}


@dataclass(frozen=True)
class Brand:
    """A voucher provider with the service provider behind it. `down`: nothing listens at its address."""

    id: str
    name: str
    capabilities: Mapping[str, str | bool] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    down: bool = False
    saf_paused: bool = False
    routes: tuple[str, ...] = ()  # names of the brands whose providers serve this one, in order; none: its own

    @property
    def receiver(self) -> dict[str, str]:
        """The brand as messages name it."""
        return {"id": self.id, "name": self.name}


NOBODY: Final = "Nobody"  # a brand that is not routed

PAUSED: Final = Brand("70000001", "Paused", saf_paused=True)
DOWN: Final = Brand("70000002", "Down", down=True)
FAILOVER: Final = Brand("70000003", "Failover", routes=("Down", "Sandbox"))
NO_ADVICES: Final = Brand("70000004", "NoAdvices", {"confirm": "consume", "reverse": "consume"})
NO_REDEEM_ADVICES: Final = Brand("70000017", "NoRedeemAdvices", {"confirmRedeem": "consume", "reverseRedeem": "none"})
NO_REFUND_ADVICES: Final = Brand("70000018", "NoRefundAdvices", {"confirmRefund": "none", "reverseRefund": "consume"})
NO_RETRY: Final = Brand("70000005", "NoRetry", {"retry": "none"})
NO_LOOKUP: Final = Brand("70000006", "NoLookup", {"lookup": "none"})
OWN_CODES: Final = Brand("70000007", "OwnCodes", {"clientChosenCode": False})
TENDER_FIRST: Final = Brand("70000008", "TenderFirst", {"tenderFirst": True})
TENDER_EXACT: Final = Brand("70000009", "TenderExact", {"tenderFirst": True, "tenderExact": True})
WHOLE_ONLY: Final = Brand("70000010", "WholeOnly", {"partialRedeem": False})
PARTIAL_ADVICES: Final = Brand("70000011", "PartialAdvices", {"partialAdvices": True})
NO_REDEEM: Final = Brand("70000012", "NoRedeem", {"redeem": "none", "refund": "none"})
NO_REFUND: Final = Brand("70000013", "NoRefund", {"refund": "none"})
UNROUTED: Final = Brand("70000014", "Unrouted", routes=(NOBODY,))
BAD_KEY: Final = Brand("70000015", "BadKey", settings={"api_key": "wrong-key"})
HANGING: Final = Brand("70000019", "Hanging")
REFUSING: Final = Brand("70000020", "Refusing")
NO_STATUS: Final = Brand("70000022", "NoStatus", {"status": "none"})
NO_WAY: Final = Brand("70000023", "NoWay", {"status": "none", "reverse": "consume"})
FOREIGN: Final = Brand("70000021", "Foreign", {"foreignVouchers": True})
SPARE: Final = Brand("70000031", "Spare", routes=("Hanging", "Sandbox"))

BRANDS: Final = (
    PAUSED, DOWN, FAILOVER, NO_ADVICES, NO_REDEEM_ADVICES, NO_REFUND_ADVICES, NO_RETRY, NO_LOOKUP, OWN_CODES,
    TENDER_FIRST, TENDER_EXACT, WHOLE_ONLY, PARTIAL_ADVICES, NO_REDEEM, NO_REFUND, UNROUTED, BAD_KEY, HANGING, REFUSING,
    FOREIGN, NO_STATUS, NO_WAY, SPARE,
)  # fmt: skip

# Scripted products of the simulator that the sandbox does not sell, with waits that suit a test.
PRODUCTS: Final = ("SBXLATE400", "SBXLATE1000", "SBXLATE1500", "SBXSLOW400", "SBXINFLIGHT800", "SBXPENDING800")


def at(brand: Brand) -> dict[str, Any]:
    """Changes that send a provision to a brand."""
    return {"product": None, "receiver": brand.receiver}


async def load_brands(connection: store.Connection, vault: Vault, url: str, closed_url: str) -> None:
    """Add them all to the catalogue. `closed_url` is an address where nothing listens."""
    for brand in BRANDS:
        await load_brand(connection, vault, brand, closed_url if brand.down else url)
    for product_id in PRODUCTS:
        product = Product(
            id=product_id, receiver_id="44444444", name=product_id, min_cents=100, max_cents=1_000_000, listed=False
        )
        await store.put_product(connection, product)
        await store.put_route(connection, _route("44444444", "sandbox", 1, product_id))


async def load_brand(connection: store.Connection, vault: Vault, brand: Brand, url: str) -> None:
    """Add one brand, with its provider at `url` unless it is served by others' providers; those must be there."""
    if not brand.routes:
        settings = {"base_url": url, "default_outlet": "S001", "capabilities": dict(brand.capabilities)}
        settings |= brand.settings
        secrets = {} if "api_key" in settings else SECRETS
        provider = Provider(id=brand.name.lower(), connector="sandbox", settings=settings)
        await store.put_provider(connection, vault, provider, secrets)
        if brand.saf_paused:
            await store.pause_saf(connection, provider.id, True)
    receiver = Institution(id=brand.id, name=brand.name)
    await store.put_voucher_provider(connection, VoucherProvider(receiver=receiver, settlement=SETTLEMENT))
    for priority, name in enumerate(brand.routes or (brand.name,), 1):
        if name != NOBODY:
            await store.put_route(connection, _route(brand.id, name.lower(), priority))


def _route(receiver_id: str, provider_id: str, priority: int, product_id: str | None = None) -> Route:
    return Route(
        id=0,
        product_id=product_id,
        receiver_id=receiver_id,
        provider_id=provider_id,
        provider_product=product_id or "SBXANY",
        default_cents=None if product_id else DEFAULT_CENTS,
        priority=priority,
    )
