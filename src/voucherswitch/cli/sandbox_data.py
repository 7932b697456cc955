"""What `up` puts into the sandbox's database, and the till's password that goes with it.

The first start loads everything; later ones leave the catalogue as people have made it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from voucherswitch.cli import processes
from voucherswitch.cli.till_access import TillAccess, read_till, write_till

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.config.settings import Settings

SIMULATED: Final = "sandbox"
STORE: Final = "S001"  # the one shop that the sandbox provider knows


@dataclass(frozen=True)
class Till:
    """The sandbox's originator as the start found it. `password` is set where it is new and therefore to be shown."""

    user: str
    password: str | None
    note: str


async def load(settings: "Settings", connection: "asyncpg.Connection", password: str | None) -> Till:
    """Load the sandbox where it is missing, follow the simulator to its port, and see to the till's password."""
    import secrets

    import msgspec

    from voucherswitch.catalogue import store
    from voucherswitch.catalogue.sandbox import ORIGINATOR_ID, PROVIDER_ID, load_sandbox
    from voucherswitch.process import open_vault
    from voucherswitch.providers.sandbox.simulator import API_KEY
    from voucherswitch.security.passwords import hash_password, verify_password

    vault = await open_vault(settings, connection)
    catalogue = await store.load(connection)
    known, provider = catalogue.originators.get(ORIGINATOR_ID), catalogue.providers.get(PROVIDER_ID)
    new = password or (None if known else secrets.token_urlsafe(12))
    base_url = f"http://{settings.simulator_host}:{processes.simulator_ports(settings)[SIMULATED]}"
    if known is None or provider is None:
        await load_sandbox(
            connection,
            vault,
            settings={"base_url": base_url, "default_outlet": STORE},
            secrets={"api_key": API_KEY},
            password_hash=hash_password(new) if new else "",
        )
    elif provider.settings.get("base_url") != base_url:
        moved = msgspec.structs.replace(provider, settings={**provider.settings, "base_url": base_url})
        await store.put_provider(connection, vault, moved, store.open_secrets(vault, provider))
    if known and password:
        await store.set_originator(connection, ORIGINATOR_ID, {"password_hash": hash_password(password)})
    address = processes.interface_url(settings)
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
