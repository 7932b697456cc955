"""What `up` puts into the sandbox's database, and the till's password that goes with it.

The first start loads everything; later ones leave the catalogue as people have made it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from voucherswitch.cli import processes, serving
from voucherswitch.cli.sandbox_users import load_users
from voucherswitch.cli.till_access import TillAccess, read_till, write_till

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.config.settings import Settings
    from voucherswitch.security.vault import Vault

_ADDRESSES: Final = frozenset({"base_url", "pos_base_url", "redemption_base_url", "host", "port"})


@dataclass(frozen=True)
class Till:
    """The sandbox's originator as the start found it. `password` is set where it is new and therefore to be shown."""

    user: str
    password: str | None
    note: str


class _At:
    """Where a simulator will listen, for the settings of its provider."""

    def __init__(self, url: str) -> None:
        self.url = url


async def load(settings: "Settings", connection: "asyncpg.Connection", password: str | None) -> Till:
    """Load the sandbox where it is missing, follow the simulators to their ports, and see to the till's password."""
    import secrets

    from voucherswitch.catalogue import store
    from voucherswitch.catalogue.sandbox import ORIGINATOR_ID, PROVIDER_ID, load_sandbox
    from voucherswitch.process import open_vault
    from voucherswitch.security.passwords import hash_password, verify_password

    vault = await open_vault(settings, connection)
    catalogue = await store.load(connection)
    known = catalogue.originators.get(ORIGINATOR_ID)
    new = password or (None if known else secrets.token_urlsafe(12))
    if known is None or PROVIDER_ID not in catalogue.providers:
        plain, credentials = simulated(settings, PROVIDER_ID)
        hashed = hash_password(new) if new else ""
        await load_sandbox(connection, vault, settings=plain, secrets=credentials, password_hash=hashed)
    await _load_brands(settings, connection, vault)
    await _follow(settings, connection, vault)
    await load_users(settings, connection)
    if known and password:
        await store.set_originator(connection, ORIGINATOR_ID, {"password_hash": hash_password(password)})
    address = processes.interface_urls(settings)[0]
    if new:
        path = write_till(settings.data_dir, TillAccess(address, ORIGINATOR_ID, new))
        return Till(ORIGINATOR_ID, new, f"kept in {path}")
    noted = read_till(settings.data_dir)
    if (
        known is None
        or noted is None
        or noted.user != ORIGINATOR_ID
        or not verify_password(known.password_hash, noted.password)
    ):
        return Till(ORIGINATOR_ID, None, "not known here; set one: voucherswitch up --password NEW")
    path = write_till(settings.data_dir, TillAccess(address, ORIGINATOR_ID, noted.password))  # the port may be another
    return Till(ORIGINATOR_ID, None, f"in {path}")


def simulated(settings: "Settings", name: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The settings of a simulated provider: where it is, and its credentials. All else stays as it is by default."""
    port = serving.simulator_ports(settings)[name]
    return simulated_at(name, f"http://{settings.simulator_host}:{port}")


def simulated_at(name: str, url: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The same for a simulator that is reached at another address than its own, such as a proxy's."""
    from voucherswitch.providers import registry
    from voucherswitch.providers.contract.settings import secret_keys

    needed = registry.kit_profile(name).settings(_At(url))
    sealed = secret_keys(registry.settings_type(name))
    # Numbers are a test's: how often to ask, how long to wait. The sandbox has the provider's own.
    kept = {key: value for key, value in needed.items() if key in _ADDRESSES or isinstance(value, str)}
    return (
        {key: value for key, value in kept.items() if key not in sealed},
        {key: value for key, value in kept.items() if key in sealed},
    )


async def _load_brands(settings: "Settings", connection: "asyncpg.Connection", vault: "Vault") -> None:
    """Load each simulated brand once; what people make of it afterwards stays."""
    from voucherswitch.catalogue import store
    from voucherswitch.catalogue.brands import SIMULATED_BRANDS
    from voucherswitch.catalogue.sandbox import load_brand

    known = (await store.load(connection)).providers
    for brand in SIMULATED_BRANDS:
        if brand.provider_id not in known:
            plain, credentials = simulated(settings, brand.provider_id)
            await load_brand(connection, vault, brand, settings=plain, secrets=credentials)


async def _follow(settings: "Settings", connection: "asyncpg.Connection", vault: "Vault") -> None:
    """Give every simulated provider the address that its simulator has at this start."""
    import msgspec

    from voucherswitch.catalogue import store

    ports = serving.simulator_ports(settings)
    for provider in (await store.load(connection)).providers.values():
        if provider.id not in ports or provider.connector != provider.id:
            continue
        plain, _ = simulated(settings, provider.id)
        address = {key: value for key, value in plain.items() if key in _ADDRESSES}
        if any(provider.settings.get(key) != value for key, value in address.items()):
            moved = msgspec.structs.replace(provider, settings={**provider.settings, **address})
            await store.put_provider(connection, vault, moved, store.open_secrets(vault, provider))
