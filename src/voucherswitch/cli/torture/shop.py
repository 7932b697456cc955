"""What is sold in a run and by whom: every simulated provider behind its proxy, and originators of both modes."""

import secrets
from collections.abc import Mapping
from typing import Final

import asyncpg
from msgspec import Struct

from voucherswitch.catalogue import store
from voucherswitch.catalogue.brands import SIMULATED_BRANDS, SimulatedBrand
from voucherswitch.catalogue.sandbox import MOBITALK, PROVIDER_ID, load_brand, load_sandbox
from voucherswitch.catalogue.snapshot import Product, Route
from voucherswitch.cli.sandbox_data import simulated_at
from voucherswitch.message.parties import Institution
from voucherswitch.providers import registry
from voucherswitch.providers.contract.capabilities import Capabilities
from voucherswitch.security.passwords import hash_password
from voucherswitch.security.vault import Vault

CENTS: Final = 10_000  # every voucher of a run is worth R100: every provider sells one
DUAL: Final = ("30000001", "30000002")
SINGLE: Final = ("30000003", "30000004")

DEADLINE_S: Final = 6
SINGLE_CONFIRM_DELAY_S: Final = 4
# Silence must end within seconds, or a run of minutes meets it a few times only. Everything else is as by default.
_IMPATIENT: Final = {"connect_timeout_ms": 500, "read_timeout_ms": 900, "total_timeout_ms": 2_500, "settle_ms": 9_000}
SETTLE_S: Final = 9

# OTT leaves the rest in a wallet, Flash gives a new voucher for it: neither can be followed by the first one's code.
_NEW_CODE_FOR_THE_REST: Final = frozenset({"ott", "flash"})

_FAILOVER: Final = "TWOROUTES100"
_TWO_ROUTES: Final = (("hollywoodbets", "100.00"), (PROVIDER_ID, "SBXANY"))


class Ware(Struct, frozen=True):
    """Something a till can sell. `provider_id` is who comes first."""

    product_id: str
    receiver: Institution
    provider_id: str
    can: Capabilities
    sold_by_two: bool = False

    @property
    def tender(self) -> bool:
        return self.can.tender_first

    @property
    def redeemable(self) -> bool:
        return self.can.redeem.sends and not self.sold_by_two

    @property
    def parts(self) -> bool:
        """Whether a part of it can be spent and the rest later by the same code."""
        return self.can.partial_redeem and self.provider_id not in _NEW_CODE_FOR_THE_REST


def wares() -> list[Ware]:
    """One of each provider, one more of the sandbox for its advices of every kind, and one that two can serve."""
    mobitalk = Institution(id=MOBITALK, name="MobiTalk")
    sandbox = registry.capabilities(PROVIDER_ID)
    return [
        Ware("MOBIANY", mobitalk, PROVIDER_ID, sandbox),
        Ware("SBXANY", mobitalk, PROVIDER_ID, sandbox),
        Ware(_FAILOVER, mobitalk, _TWO_ROUTES[0][0], registry.capabilities(_TWO_ROUTES[0][0]), sold_by_two=True),
        *(
            Ware(_sold(brand), brand.receiver, brand.provider_id, registry.capabilities(brand.provider_id))
            for brand in SIMULATED_BRANDS
        ),
    ]


def _sold(brand: SimulatedBrand) -> str:
    """A product of the brand that is worth R100, one of any amount before one of that amount: cards before coupons."""
    for sold in brand.products:
        if sold.value == CENTS or (isinstance(sold.value, tuple) and sold.value[0] <= CENTS <= sold.value[1]):
            return sold.id
    raise LookupError(f"{brand.provider_id} sells nothing for R100")


async def load(connection: asyncpg.Connection, vault: Vault, addresses: Mapping[str, str]) -> dict[str, str]:
    """Fill the catalogue; return the originators' passwords.

    Args:
        addresses: provider -> URL of its proxy.
    """
    plain, credentials = simulated_at(PROVIDER_ID, addresses[PROVIDER_ID])
    await load_sandbox(connection, vault, settings=plain | _IMPATIENT, secrets=credentials, password_hash="")
    for brand in SIMULATED_BRANDS:
        plain, credentials = simulated_at(brand.provider_id, addresses[brand.provider_id])
        await load_brand(connection, vault, brand, settings=plain | _IMPATIENT, secrets=credentials)
    await _load_two_routes(connection)
    passwords = {}
    for originator_id in (*DUAL, *SINGLE):
        passwords[originator_id] = secrets.token_urlsafe(12)
        values = {
            "name": f"Torture till {originator_id}",
            "password_hash": hash_password(passwords[originator_id]),
            "single": originator_id in SINGLE,
            "deadline_s": DEADLINE_S,
            "single_confirm_delay_s": SINGLE_CONFIRM_DELAY_S if originator_id in SINGLE else None,
            "redemption": True,
            "product_lookup": True,
        }
        await store.add_originator(connection, originator_id, values)
    return passwords


async def _load_two_routes(connection: asyncpg.Connection) -> None:
    """A product that a second provider serves when the first one was provably not asked."""
    product = Product(id=_FAILOVER, receiver_id=MOBITALK, name="Two routes R100", amount_cents=CENTS, listed=False)
    await store.put_product(connection, product)
    for priority, (provider_id, provider_product) in enumerate(_TWO_ROUTES, 1):
        await store.put_route(
            connection,
            Route(
                id=0,
                product_id=_FAILOVER,
                receiver_id=MOBITALK,
                provider_id=provider_id,
                provider_product=provider_product,
                default_cents=None,
                priority=priority,
            ),
        )
