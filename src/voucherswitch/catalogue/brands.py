"""What the ten simulated providers sell in the sandbox: a brand each, and products as a shop would list them.

Prices and limits are those of the simulators' fixtures (providers.md Part C); names and barcodes are invented.
"""

from typing import Final

from msgspec import Struct

from voucherswitch.message.parties import Institution


class Sold(Struct, frozen=True):
    """One product. `value` is the fixed amount in cents, or the lowest and the highest."""

    id: str
    name: str
    barcode: str
    description: str
    value: int | tuple[int, int]
    category: str
    provider_product: str


class SimulatedBrand(Struct, frozen=True):
    """A brand and the simulated provider behind it.

    `foreign`: its vouchers are redeemed here also when others sold them. `default` is the provider's product for
    requests that name no product of ours, with the amount when they name none either.
    """

    provider_id: str
    receiver: Institution
    products: tuple[Sold, ...]
    foreign: bool = False
    default: tuple[str, int] | None = None


def _values(prefix: str, name: str, barcode: int, category: str, product: str, rands: tuple[int, ...]) -> list[Sold]:
    """A row of fixed values; `product` may name the value: `LS{rand}`."""
    return [
        Sold(
            f"{prefix}{value}",
            f"{name} R{value}",
            f"{barcode + number * 7:013d}",
            f"Voucher of R{value}",
            value * 100,
            category,
            product.format(rand=value),
        )
        for number, value in enumerate(rands, 1)
    ]


SIMULATED_BRANDS: Final[tuple[SimulatedBrand, ...]] = (
    SimulatedBrand(
        "stellr",
        Institution(id="80000001", name="Stellr"),
        (
            Sold("GAME100", "Game Card R100", "6009801000014", "Code for a game shop", 10_000, "Gaming", "GAME0100"),
            Sold("MUSIC60", "Music 1 month", "6009801000021", "Music without advertising", 6_000, "Music", "MUSC0060"),
            Sold(
                "APPSTORE", "App Store credit", "6009801000038", "R10 to R5 000", (1_000, 500_000), "Apps", "STORE001"
            ),
            Sold("LINK200", "Gift link R200", "6009801000045", "A link that opens a gift", 20_000, "Gifts", "LINK0200"),
        ),
        foreign=True,
    ),
    SimulatedBrand(
        "netcare",
        Institution(id="80000002", name="Netcare"),
        (
            Sold("GPVISIT", "GP consultation", "6009802000013", "One visit", 10_000, "Health", "GP-CONSULT-1"),
            Sold("GPMEDS", "GP visit and medicine", "6009802000020", "One visit", 45_000, "Health", "GP-MEDS-1"),
            Sold("DENTAL", "Dental check", "6009802000037", "Check and cleaning", 60_000, "Health", "DENTAL-CHECK"),
            Sold("EYETEST", "Eye examination", "6009802000044", "By an optometrist", 52_000, "Health", "OPTO-EXAM"),
        ),
    ),
    SimulatedBrand(
        "lottostar",
        Institution(id="80000003", name="Lottostar"),
        tuple(_values("LOTTO", "Lottostar", 6009803000000, "Betting", "LS{rand}", (10, 20, 50, 100, 200, 500, 1000))),
    ),
    SimulatedBrand(
        "hollywoodbets",
        Institution(id="80000004", name="Hollywoodbets"),
        tuple(_values("HOLLY", "Hollywoodbets", 6009804000000, "Betting", "{rand}.00", (10, 20, 50, 100, 500, 1000))),
    ),
    SimulatedBrand(
        "supabets",
        Institution(id="80000005", name="Supabets"),
        (
            Sold("SUPA50", "Supabets R50", "6009805000018", "Voucher of R50", 5_000, "Betting", "SB-50"),
            Sold("SUPA100", "Supabets R100", "6009805000025", "Voucher of R100", 10_000, "Betting", "SB-100"),
            Sold(
                "SUPAANY",
                "Supabets any amount",
                "6009805000032",
                "R10 to R5 000",
                (1_000, 500_000),
                "Betting",
                "SB-ANY",
            ),
        ),
        default=("SB-ANY", 10_000),
    ),
    SimulatedBrand(
        "ott",
        Institution(id="80000006", name="OTT Voucher"),
        (
            *_values("OTT", "OTT Voucher", 6009806000000, "Vouchers", "value", (50, 100, 200, 500)),
            Sold(
                "OTTANY", "OTT Voucher any amount", "6009806000090", "R5 to R5 000", (500, 500_000), "Vouchers", "value"
            ),
        ),
        foreign=True,
        default=("value", 10_000),
    ),
    SimulatedBrand(
        "yoyo",
        Institution(id="80000007", name="Yoyo"),
        (
            Sold("COFFEE50", "Coffee coupon R50", "6009807000016", "At a coffee shop", 5_000, "Coupons", "coupon:2001"),
            Sold(
                "GIFTCARD",
                "Gift card any amount",
                "6009807000023",
                "R10 to R5 000",
                (1_000, 500_000),
                "Gifts",
                "giftcard:3001",
            ),
        ),
        foreign=True,
        default=("giftcard:3001", 10_000),
    ),
    SimulatedBrand(
        "bluvoucher",
        Institution(id="80000008", name="Blu Voucher"),
        (
            *_values("BLU", "Blu Voucher", 6009808000000, "Vouchers", "BLU", (50, 100, 200, 500, 1000)),
            Sold(
                "BLUANY",
                "Blu Voucher any amount",
                "6009808000090",
                "R10 to R4 000",
                (1_000, 400_000),
                "Vouchers",
                "BLU",
            ),
        ),
        foreign=True,
        default=("BLU", 10_000),
    ),
    SimulatedBrand(
        "flash",
        Institution(id="80000009", name="Flash"),
        (
            *_values("1VOUCHER", "1Voucher", 6009809000000, "Vouchers", "1voucher", (50, 100, 200, 500)),
            Sold(
                "1VOUCHERANY",
                "1Voucher any amount",
                "6009809000090",
                "R1 to R4 000",
                (100, 400_000),
                "Vouchers",
                "1voucher",
            ),
            Sold(
                "FLASHGIFT50", "Gift voucher R50", "6009809000106", "For a chain of shops", 5_000, "Gifts", "gift:301"
            ),
            Sold(
                "FLASHGIFT",
                "Gift voucher any amount",
                "6009809000113",
                "R10 to R1 000",
                (1_000, 100_000),
                "Gifts",
                "gift:302",
            ),
        ),
        foreign=True,
        default=("1voucher", 10_000),
    ),
    SimulatedBrand(
        "betway",
        Institution(id="80000010", name="Betway"),
        (
            Sold("BETWAY50", "Betway R50", "6009810000011", "Voucher of R50", 5_000, "Betting", "BW-50"),
            Sold(
                "BETWAYANY",
                "Betway any amount",
                "6009810000028",
                "R10 to R5 000",
                (1_000, 500_000),
                "Betting",
                "BW-ANY",
            ),
        ),
        default=("BW-ANY", 10_000),
    ),
)
