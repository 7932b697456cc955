"""What `up` loads: one originator, brands, a believable catalogue and every scripted fault as a product.

Loading again changes nothing but the provider's address and, if one is given, the originator's password.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from voucherswitch.catalogue import store
from voucherswitch.catalogue.brands import SimulatedBrand, Sold
from voucherswitch.catalogue.snapshot import ChannelListing, Product, Provider, Route, VoucherProvider
from voucherswitch.message.parties import Institution
from voucherswitch.security.vault import Vault

ORIGINATOR_ID: Final = "22222222"
MOBITALK: Final = "44444444"
SETTLEMENT: Final = Institution(id="33333333", name="Sandbox Settlement")
PROVIDER_ID: Final = "sandbox"
DEFAULT_CENTS: Final = 10_000  # a request to MobiTalk that names no amount buys R100

_BRANDS: Final = (
    Institution(id=MOBITALK, name="MobiTalk"),
    Institution(id="55555555", name="Protea Gifts"),
    Institution(id="66666666", name="Karoo Games"),
)

# id, brand, name, barcode, description, fixed value or (lowest, highest), category
_SOLD: Final[tuple[tuple[str, str, str, str, str, int | tuple[int, int], str], ...]] = (
    ("MOBI29", MOBITALK, "MobiTalk Airtime R29", "6009710000013", "Airtime for any MobiTalk number", 2_900, "Airtime"),
    ("MOBI55", MOBITALK, "MobiTalk Airtime R55", "6009710000020", "Airtime for any MobiTalk number", 5_500, "Airtime"),
    ("MOBI110", MOBITALK, "MobiTalk Airtime R110", "6009710000037", "Airtime with 10% extra", 11_000, "Airtime"),
    ("MOBIANY", MOBITALK, "MobiTalk Airtime any amount", "6009710000044", "R5 to R1 000", (500, 100_000), "Airtime"),
    ("MOBIDATA1G", MOBITALK, "MobiTalk 1 GB 30 days", "6009710000051", "Data bundle, 30 days", 8_500, "Data"),
    ("MOBIDATA5G", MOBITALK, "MobiTalk 5 GB 30 days", "6009710000068", "Data bundle, 30 days", 27_900, "Data"),
    ("PROTEA100", "55555555", "Protea Gift R100", "6009720000010", "Gift voucher for any Protea shop", 10_000, "Gifts"),
    ("PROTEA250", "55555555", "Protea Gift R250", "6009720000027", "Gift voucher for any Protea shop", 25_000, "Gifts"),
    ("PROTEA500", "55555555", "Protea Gift R500", "6009720000034", "Gift voucher for any Protea shop", 50_000, "Gifts"),
    ("PROTEAANY", "55555555", "Protea Gift any amount", "6009720000041", "R50 to R5 000", (5_000, 500_000), "Gifts"),
    ("KAROO60", "66666666", "Karoo Games R60", "6009730000017", "Credit for the Karoo game shop", 6_000, "Gaming"),
    ("KAROO150", "66666666", "Karoo Games R150", "6009730000024", "Credit for the Karoo game shop", 15_000, "Gaming"),
    ("KAROO300", "66666666", "Karoo Games R300", "6009730000031", "Credit for the Karoo game shop", 30_000, "Gaming"),
    ("KAROOANY", "66666666", "Karoo Games any amount", "6009730000048", "R20 to R2 000", (2_000, 200_000), "Gaming"),
)

# The sandbox provider's own products, its scripts among them; product id = the provider's product reference.
SCRIPTED: Final[tuple[str, ...]] = (
    "SBXANY", "SBXPIN", "SBXNOPARTIAL", *(f"SBXDECLINE{number:02d}" for number in range(1, 17)), "SBXTIMEOUT",
    "SBXHANG", "SBXRSTBEFORE", "SBXRSTAFTER", "SBXDROPAFTER", "SBX503", "SBX429", "SBX500", "SBXGARBAGE", "SBXTRUNC",
    "SBXWRONGAMT", "SBXNOPIN", "SBXLATE2000", "SBXLATE20000", "SBXSLOW5000", "SBXWRONGREF", "SBXINFLIGHT3000",
    "SBXADVFAIL3", "SBXADVLOST1", "SBXPENDING5000",
)  # fmt: skip
_FIXED: Final = {"SBXFIX100": 10_000, "SBXFIX500": 50_000}


def products() -> Iterator[Product]:
    """Everything the sandbox sells. The scripted products are sold, but not listed in product lookups."""
    for number, (product_id, brand, name, barcode, description, value, category) in enumerate(_SOLD, 1):
        fixed = value if isinstance(value, int) else None
        low, high = (None, None) if isinstance(value, int) else value
        listing = ChannelListing(
            channel_name="TILL",
            display_name=name,
            display_category=category,
            sort_order=number,
            channel_product_id=f"T-{number:03d}",
        )
        yield Product(
            id=product_id,
            receiver_id=brand,
            name=name,
            barcode=barcode,
            description=description,
            amount_cents=fixed,
            min_cents=low,
            max_cents=high,
            channels=(listing,),
        )
    for product_id in SCRIPTED:
        yield Product(
            id=product_id,
            receiver_id=MOBITALK,
            name=f"Sandbox {product_id}",
            min_cents=100,
            max_cents=1_000_000,
            listed=False,
        )
    for product_id, cents in _FIXED.items():
        yield Product(
            id=product_id, receiver_id=MOBITALK, name=f"Sandbox {product_id}", amount_cents=cents, listed=False
        )


async def load_brand(
    connection: store.Connection,
    vault: Vault,
    brand: SimulatedBrand,
    *,
    settings: Mapping[str, Any],
    secrets: dict[str, str],
) -> None:
    """Load a simulated provider with its brand, products and routes, in one transaction.

    Args:
        settings: the provider's settings, with the simulator's address.
        secrets: its credentials.
    """
    own: dict[str, Any] = dict(settings)
    if brand.foreign:
        own["capabilities"] = {"foreignVouchers": True, **own.get("capabilities", {})}
    async with connection.transaction():
        await store.put_provider(
            connection, vault, Provider(id=brand.provider_id, connector=brand.provider_id, settings=own), secrets
        )
        await store.put_voucher_provider(connection, VoucherProvider(receiver=brand.receiver, settlement=SETTLEMENT))
        for number, sold in enumerate(brand.products, 1):
            await store.put_product(connection, _product(brand, sold, number))
            await store.put_route(connection, _brand_route(brand, sold.id, sold.provider_product, None))
        if brand.default is not None:
            provider_product, cents = brand.default
            await store.put_route(connection, _brand_route(brand, None, provider_product, cents))


def _product(brand: SimulatedBrand, sold: Sold, number: int) -> Product:
    fixed = sold.value if isinstance(sold.value, int) else None
    low, high = (None, None) if isinstance(sold.value, int) else sold.value
    listing = ChannelListing(
        channel_name="TILL",
        display_name=sold.name,
        display_category=sold.category,
        sort_order=number,
        channel_product_id=f"{brand.provider_id[:2].upper()}-{number:03d}",
    )
    return Product(
        id=sold.id,
        receiver_id=brand.receiver.id,
        name=sold.name,
        barcode=sold.barcode,
        description=sold.description,
        amount_cents=fixed,
        min_cents=low,
        max_cents=high,
        channels=(listing,),
    )


def _brand_route(
    brand: SimulatedBrand, product_id: str | None, provider_product: str, default_cents: int | None
) -> Route:
    return Route(
        id=0,
        product_id=product_id,
        receiver_id=brand.receiver.id,
        provider_id=brand.provider_id,
        provider_product=provider_product,
        default_cents=default_cents,
    )


async def load_sandbox(
    connection: store.Connection,
    vault: Vault,
    *,
    settings: Mapping[str, Any],
    secrets: dict[str, str],
    password_hash: str,
) -> bool:
    """Load all of it in one transaction; returns whether the originator was made now, with this password.

    Args:
        settings: the sandbox provider's settings, with the simulator's address.
        secrets: its credentials.
        password_hash: of the originator's password; used only if the originator does not exist yet.
    """
    async with connection.transaction():
        await store.put_provider(
            connection, vault, Provider(id=PROVIDER_ID, connector="sandbox", settings=settings), secrets
        )
        for brand in _BRANDS:
            await store.put_voucher_provider(connection, VoucherProvider(receiver=brand, settlement=SETTLEMENT))
        await store.put_route(connection, _route(None, MOBITALK, "SBXANY", DEFAULT_CENTS))
        for product in products():
            await store.put_product(connection, product)
            provider_product = product.id if product.id.startswith("SBX") else "SBXANY"
            await store.put_route(connection, _route(product.id, product.receiver_id, provider_product, None))
        known = await connection.fetchval("SELECT true FROM originator WHERE originator_id = $1", ORIGINATOR_ID)
        if not known:
            await store.add_originator(
                connection,
                ORIGINATOR_ID,
                {
                    "name": "Sandbox Till",
                    "password_hash": password_hash,
                    "allow_request_id_reuse": True,
                    "redemption": True,
                    "product_lookup": True,
                },
            )
        return not known


def _route(product_id: str | None, receiver_id: str, provider_product: str, default_cents: int | None) -> Route:
    return Route(
        id=0,
        product_id=product_id,
        receiver_id=receiver_id,
        provider_id=PROVIDER_ID,
        provider_product=provider_product,
        default_cents=default_cents,
    )
