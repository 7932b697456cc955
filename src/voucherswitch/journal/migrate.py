"""Brings the database to the schema of this release.

Called at the start of `up` and by `voucherswitch db migrate`; every other process only checks (`pending`), and so never
loads what migrating needs.
"""

from importlib.resources import files
from typing import TYPE_CHECKING

import asyncpg

from voucherswitch.journal.database import Hosts

if TYPE_CHECKING:
    from sqlalchemy import Connection

MIGRATION_LOCK = 0x5653_5721  # one migration at a time, whatever the number of processes that start together


def _upgrade(connection: "Connection") -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(files("voucherswitch.journal") / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def migrate(url: str) -> None:
    """Apply every revision that is missing. Safe to call from several processes at once."""
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine("postgresql+asyncpg://", async_creator=Hosts(url))
    try:
        async with engine.connect() as guard:
            await guard.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
            await guard.commit()
            try:
                async with engine.connect() as connection:
                    await connection.run_sync(_upgrade)
                    await connection.commit()
            finally:
                await guard.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
                await guard.commit()
    finally:
        await engine.dispose()


def newest_revision() -> str:
    """The revision this release needs: each has a SQL file named by its number."""
    versions = files("voucherswitch.journal") / "migrations" / "versions"
    return max(file.name.partition("_")[0] for file in versions.iterdir() if file.name.endswith(".sql"))


async def pending(url: str) -> bool:
    """Tell whether the database lacks revisions that this release needs."""
    connection = await Hosts(url)()
    try:
        current = await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return True
    finally:
        await connection.close()
    return bool(current is None or current < newest_revision())
