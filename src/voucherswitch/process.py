"""What every process of ours is made of: database, vault, journal, catalogue, providers. Opened and closed in order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeAlias

import asyncpg
import structlog
from msgspec import Struct

from voucherswitch.catalogue.reload import LiveCatalogue
from voucherswitch.catalogue.store import Connection
from voucherswitch.config.limits import DATABASE_START_PAUSE_S, DATABASE_START_S
from voucherswitch.config.settings import Settings
from voucherswitch.journal.batcher import DATABASE_TROUBLE
from voucherswitch.journal.database import DatabaseError, close, connect
from voucherswitch.journal.journal import Journal
from voucherswitch.journal.migrate import pending
from voucherswitch.journal.partitions import make_days
from voucherswitch.journal.presence import Presence, Worker, this_process
from voucherswitch.journal.vault_keys import KeyWatch, join, known_keys
from voucherswitch.providers.breaker import BreakerLimits, Breakers
from voucherswitch.providers.gate import Gate
from voucherswitch.providers.pool import ProviderPool
from voucherswitch.security.key_source import FileKeys, source_of
from voucherswitch.security.vault import Vault

log = structlog.get_logger(__name__)


class Parts(Struct, frozen=True):
    """The open parts of a process."""

    settings: Settings
    worker: Worker
    pool: asyncpg.Pool
    vault: Vault
    keys: KeyWatch
    journal: Journal
    catalogue: LiveCatalogue
    providers: ProviderPool
    gate: Gate


async def open_vault(settings: Settings, connection: Connection) -> Vault:
    """Read the vault's keys and make sure that they are this journal's; a new sandbox makes them.

    Raises:
        VaultError: one line: the keys are missing or damaged, or they are not those that sealed this journal.
    """
    source = source_of(settings)
    rows = await known_keys(connection)
    if not rows and settings.environment == "sandbox" and isinstance(source, FileKeys):
        source.create()
    vault = Vault(source.read() if source.quick else await asyncio.to_thread(source.read))
    await join(connection, vault, source.where, rows)
    return vault


Prepare: TypeAlias = Callable[[AsyncExitStack, Parts], Awaitable[None]]
"""Opens more; what is put on the stack is closed with it, before the parts."""


@asynccontextmanager
async def opened(
    settings: Settings, url: str, *, application: str, prepare: Prepare | None = None
) -> AsyncIterator[Parts]:
    """Open everything a process needs; on the way out, write what is queued and close it.

    The process counts as living from here to the end: whoever is named by `application` calls providers. A database
    that is starting, or changing places, is waited for DATABASE_START_S long; `prepare`, which opens what this process
    alone needs, is called anew with each try.

    Raises:
        DatabaseError, VaultError: one line that says what cannot be used.
    """
    loop = asyncio.get_running_loop()
    give_up = loop.time() + DATABASE_START_S
    reason = ""
    while True:
        async with AsyncExitStack() as stack:
            try:
                parts = await _open(stack, settings, url, application)
                if prepare is not None:
                    await prepare(stack, parts)
            except (DatabaseError, *DATABASE_TROUBLE) as error:
                trouble = error.__cause__ if isinstance(error, DatabaseError) else error
                if not isinstance(trouble, DATABASE_TROUBLE):
                    raise  # it is there, and says no
                if loop.time() >= give_up:
                    raise DatabaseError(_one_line(error)) from error
                if reason != _one_line(error):
                    reason = _one_line(error)
                    log.warning("waiting for the database", reason=reason, seconds_max=DATABASE_START_S)
                await asyncio.sleep(DATABASE_START_PAUSE_S)
                continue
            yield parts
            return


async def _open(stack: AsyncExitStack, settings: Settings, url: str, application: str) -> Parts:
    """Open the parts in order; `stack` closes those that were opened, in the opposite order."""
    pool = await connect(url, size_max=settings.journal_connections + 2, application=application)
    stack.push_async_callback(close, pool)
    if await pending(url):
        raise DatabaseError("the database lacks this release's migrations; run: voucherswitch db migrate")
    async with pool.acquire() as connection:
        vault = await open_vault(settings, connection)
    await make_days(pool)
    worker = this_process(application)
    journal = Journal(
        pool, vault, worker.worker_id, batch_max=settings.journal_batch_max, queue_max=settings.journal_queue_max
    )
    presence = Presence(pool, worker, settings.worker_lease_s, vault, journal.end_forgotten_calls)
    catalogue = LiveCatalogue(pool, settings.catalogue_poll_ms)
    providers = ProviderPool(vault, settings.provider_in_flight_max, sandbox=settings.is_sandbox)
    keys = KeyWatch(pool, vault, source_of(settings))
    catalogue.on_change(keys.look)  # first: what the others open may be under a new key
    catalogue.on_change(providers.refresh)
    breakers = Breakers(pool, BreakerLimits.of(settings))
    for end in (providers.close, presence.release, journal.drain, keys.stop, catalogue.stop, breakers.stop):
        stack.push_async_callback(end)  # each may be called although what it ends was never begun
    await catalogue.start()
    await presence.register()
    await breakers.start()
    return Parts(
        settings=settings,
        worker=worker,
        pool=pool,
        vault=vault,
        keys=keys,
        journal=journal,
        catalogue=catalogue,
        providers=providers,
        gate=Gate(breakers, catalogue),
    )


def _one_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
