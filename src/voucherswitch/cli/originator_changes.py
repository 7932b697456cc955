"""What `voucherswitch originator add`, `set` and `password` do: checked, made and recorded in one transaction."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from voucherswitch.cli.actor import changing
from voucherswitch.cli.errors import CommandError
from voucherswitch.cli.till_access import TillAccess, read_till, write_till

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.config.settings import Settings

PASSWORD_CHANGE: Final[dict[str, Any]] = {"before": {"password": "set"}, "after": {"password": "changed"}}


def added(values: Mapping[str, Any]) -> dict[str, Any]:
    """A new originator as the audit trail and a request tell of it."""
    return {**values, "password": "set"}


async def add(
    connection: "asyncpg.Connection", originator_id: str, values: dict[str, Any], secret: str, why: str | None
) -> None:
    """Register an originator."""
    from voucherswitch.catalogue.store import add_originator
    from voucherswitch.security.passwords import hash_password

    await check_receivers(connection, values)
    async with changing(connection, "originator.add", "originator", originator_id, why=why) as change:
        change.after = added(values)
        await add_originator(connection, originator_id, values | {"password_hash": hash_password(secret)})


async def change_settings(
    connection: "asyncpg.Connection", originator_id: str, values: dict[str, Any], why: str | None
) -> None:
    """Change the settings of `values`."""
    from voucherswitch.catalogue.store import set_originator

    await check_receivers(connection, values)
    action = "allowlist.change" if set(values) == {"sources"} else "originator.change"
    async with changing(connection, action, "originator", originator_id, why=why) as change:
        row = await connection.fetchrow("SELECT * FROM originator WHERE originator_id = $1 FOR UPDATE", originator_id)
        change.before = {name: row[name] for name in values if name in row} if row else None
        change.after = values
        if values == {"enabled": False}:
            change.needs = None  # minutes matter
        await set_originator(connection, originator_id, values)


async def set_password(
    connection: "asyncpg.Connection", settings: "Settings", originator_id: str, secret: str, why: str | None
) -> None:
    """Set a password; the sandbox's till follows."""
    from voucherswitch.catalogue.store import set_originator
    from voucherswitch.security.passwords import hash_password

    async with changing(connection, "credential.issue", "originator", originator_id, why=why) as change:
        change.before, change.after = PASSWORD_CHANGE["before"], PASSWORD_CHANGE["after"]
        await set_originator(connection, originator_id, {"password_hash": hash_password(secret)})
    noted = read_till(settings.data_dir)
    if settings.environment == "sandbox" and noted is not None and noted.user == originator_id:
        write_till(settings.data_dir, TillAccess(noted.url, noted.user, secret))


async def check_known(connection: "asyncpg.Connection", originator_id: str) -> None:
    """See that there is such an originator."""
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM originator WHERE originator_id = $1)", originator_id):
        raise CommandError(f"originator {originator_id} does not exist; see: originator list")


def check_id(originator_id: str) -> None:
    """See that a text may be an originator's id."""
    if not 1 <= len(originator_id) <= 255 or ":" in originator_id or not originator_id.isprintable():
        raise CommandError(
            f"{originator_id!r} cannot be an originator's id: it is the user name of basic authentication, so 1 to 255 "
            "characters and no colon"
        )


async def check_receivers(connection: "asyncpg.Connection", values: Mapping[str, Any]) -> None:
    """See that the voucher providers that it may sell are known."""
    known = {row["receiver_id"] for row in await connection.fetch("SELECT receiver_id FROM voucher_provider")}
    for receiver in values.get("receivers") or ():
        if receiver not in known:
            raise CommandError(f"voucher provider {receiver} is not known; see: voucherswitch receiver list")
