"""Brings the database to the schema of this release.

Called at the start of `up` and by `voucherswitch db migrate`; every other process only checks (`pending`).
"""

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

MIGRATION_LOCK = 0x5653_5721  # one migration at a time, whatever the number of processes that start together


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("voucherswitch.journal") / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def sqlalchemy_url(url: str) -> str:
    """Turn a `postgresql://` URL into the one SQLAlchemy reads; asyncpg is the one driver here."""
    scheme, _, rest = url.partition("://")
    if scheme not in ("postgresql", "postgres"):
        raise ValueError(f"DATABASE_URL must start with postgresql://, not {scheme}://")
    return f"postgresql+asyncpg://{rest}"


async def migrate(url: str) -> None:
    """Apply every revision that is missing. Safe to call from several processes at once."""
    engine = create_async_engine(sqlalchemy_url(url))
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


async def pending(url: str) -> bool:
    """Tell whether the database lacks revisions that this release needs."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    engine = create_async_engine(sqlalchemy_url(url))
    try:
        async with engine.connect() as connection:
            current = await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())
    finally:
        await engine.dispose()
    return current != newest
