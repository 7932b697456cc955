"""The connectors of a process: one that cannot be built keeps back neither the others nor the catalogue."""

from types import MappingProxyType

from support.vault import a_vault
from voucherswitch.catalogue.snapshot import Catalogue, Provider
from voucherswitch.providers.pool import ProviderPool

GOOD = {"base_url": "http://127.0.0.1:9100", "api_key": "a-key-of-the-tests"}


async def test_a_provider_that_nobody_foresaw_is_told_and_the_others_are_served() -> None:
    """Else no worker would learn of any change any more: whoever is disabled would go on selling."""
    pool = ProviderPool(a_vault(), in_flight_max=1, sandbox=True)
    providers = [
        Provider(
            id="odd",
            connector="sandbox",
            settings=GOOD | {"base_url": "https://127.0.0.1:9100", "tls": {"ca_file": "a\0b"}},
        ),
        Provider(id="karoo", connector="sandbox", settings=GOOD),
    ]
    try:
        await pool.refresh(Catalogue(version=1, providers=MappingProxyType({one.id: one for one in providers})))

        assert pool.faults == {"odd": "our fault: the connector could not be built (ValueError); see the log"}
        assert set(pool.capabilities) == {"karoo"}
    finally:
        await pool.close()
