"""Seals anew, under the key that seals, what older keys have sealed: the worker's part of a rotation (decision 0027).

It walks through every table of `SEALED` from its first block to its last, a few blocks at a time, and notes how far it
is in the same transaction: it goes on where it stopped, in whichever worker. A value is replaced only if it is still
the one that was read; a row that somebody else has locked is passed by. So at the end of a walk all values are counted
in one snapshot, and the table is walked through again until none is left.
"""

import asyncio
from typing import Final, TypeAlias

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy
from msgspec import Struct

from voucherswitch.config.limits import VAULT_COUNT_S, VAULT_SWEEP_BLOCKS, VAULT_SWEEP_PAUSE_S
from voucherswitch.journal.database import own_session
from voucherswitch.journal.statements import SQL
from voucherswitch.journal.vault_keys import known_keys, sealing_key
from voucherswitch.security.sealed import SEALED, SealedTable
from voucherswitch.security.vault import Vault, VaultError

log = structlog.get_logger(__name__)

Connection: TypeAlias = asyncpg.Connection | PoolConnectionProxy

LOCK: Final = "hashtext('voucherswitch vault')"


class Batch(Struct, frozen=True):
    """What came of some blocks. Values: `resealed` are new now, `unopened` did not open."""

    resealed: int
    unopened: int


async def let_newest_seal(connection: Connection) -> int | None:
    """Let the newest key seal, if every process that lives has it; returns it. None: nothing changes."""
    key_id: int | None = await connection.fetchval(SQL["seal_with_newest"])
    return key_id


async def reseal(pool: asyncpg.Pool, vault: Vault, stopping: asyncio.Event) -> None:
    """Seal anew what is left under older keys, once every process seals with the newest. One worker of all does it."""
    async with own_session(pool) as connection:
        if not await connection.fetchval(f"SELECT pg_try_advisory_lock({LOCK})"):
            return
        current = sealing_key(await known_keys(connection))
        if vault.current != current or await connection.fetch(SQL["sealing_otherwise"], vault.current):
            return  # what is sealed anew now would not be the last of it
        for table in SEALED:
            try:
                await _sweep(connection, vault, table, stopping)
            except asyncpg.RaiseError as error:  # a guard of the table's own; the other tables go on
                log.error("table not sealed anew", table=table.name, reason=str(error))


async def count(connection: Connection, table: SealedTable) -> dict[int, int]:
    """How many values each key has sealed in a table, in one snapshot."""
    heads = ", ".join(f"(substring({column} FROM 2 FOR 1))" for column in table.columns)
    async with connection.transaction():
        await connection.execute(f"SET LOCAL statement_timeout = '{VAULT_COUNT_S:.0f}s'")
        rows = await connection.fetch(
            f"SELECT get_byte(head, 0) AS key_id, count(*) AS number FROM {table.name}, "  # noqa: S608 - our own names
            f"LATERAL (VALUES {heads}) AS sealed (head) WHERE length(head) = 1 GROUP BY head ORDER BY head",
            timeout=VAULT_COUNT_S,
        )
    return {row["key_id"]: row["number"] for row in rows}


async def _sweep(connection: Connection, vault: Vault, table: SealedTable, stopping: asyncio.Event) -> None:
    state = await connection.fetchrow(SQL["begin_sweep"], table.name, vault.current)
    assert state is not None
    if state["finished_at"] is not None:
        return
    next_block, unopened = state["next_block"], state["unopened"]
    while not stopping.is_set():
        if next_block >= await _blocks(connection, table):
            numbers = await count(connection, table)
            left = sum(number for key_id, number in numbers.items() if key_id != vault.current) - unopened
            await connection.execute(SQL["repeat_sweep" if left > 0 else "finish_sweep"], table.name)
            log.info("vault sweep ended", table=table.name, key_id=vault.current, left=left, unopened=unopened)
            return
        async with connection.transaction():
            batch = await reseal_blocks(connection, vault, table, next_block, next_block + VAULT_SWEEP_BLOCKS)
            next_block += VAULT_SWEEP_BLOCKS
            await connection.execute(SQL["continue_sweep"], table.name, next_block, batch.resealed, batch.unopened)
        unopened += batch.unopened
        await asyncio.sleep(VAULT_SWEEP_PAUSE_S)


async def reseal_blocks(connection: Connection, vault: Vault, table: SealedTable, begin: int, end: int) -> Batch:
    """Seal anew what older keys have sealed in some blocks of a table."""
    key, columns = ", ".join(table.key), ", ".join(table.columns)
    older = " OR ".join(f"substring({column} FROM 2 FOR 1) <> $3" for column in table.columns)
    rows = await connection.fetch(
        f"SELECT {key}, {columns} FROM {table.name} "  # noqa: S608 - our own names
        f"WHERE ctid >= format('(%s,0)', $1::bigint)::tid AND ctid < format('(%s,0)', $2::bigint)::tid AND ({older})",
        begin,
        end,
        bytes([vault.current]),
    )
    fresh, unopened = [], 0
    for row in rows:
        values = {column: row[column] for column in table.columns}
        for column, value in values.items():
            if value is not None and value[1] != vault.current:
                try:
                    values[column] = _resealed(vault, table, column, row)
                except VaultError as error:
                    unopened += 1
                    told = " ".join(str(row[name]) for name in table.key)
                    log.error("sealed value does not open", table=table.name, key=told, reason=str(error))
        fresh.append(values)
    return Batch(resealed=await _replace(connection, table, rows, fresh), unopened=unopened)


def _resealed(vault: Vault, table: SealedTable, column: str, row: asyncpg.Record) -> bytes:
    context = table.context(column, *(row[name] for name in table.key))
    return vault.seal(vault.open(row[column], context), context)


async def _replace(
    connection: Connection, table: SealedTable, rows: list[asyncpg.Record], fresh: list[dict[str, bytes | None]]
) -> int:
    """Put new values in the place of those that were read, where they still are; returns how many."""
    changed = [
        tuple(row[name] for name in (*table.key, *table.columns)) + tuple(values.values())
        for row, values in zip(rows, fresh, strict=True)
        if any(row[name] != value for name, value in values.items())
    ]
    if not changed:
        return 0
    kinds = [*table.key.values(), *["bytea"] * (2 * len(table.columns))]
    arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(kinds, 1))
    old, new = ([f"{age}_{name}" for name in table.columns] for age in ("old", "new"))
    key = ", ".join(table.key)
    unchanged = " AND ".join(f"t.{name} IS NOT DISTINCT FROM d.old_{name}" for name in table.columns)
    # Locked first, without waiting: a sale's statement that holds some of these rows and wants others must not find
    # itself waiting for us while we wait for it.
    replaced = await connection.fetch(
        f"WITH d AS (SELECT * FROM unnest({arrays}) AS d ({', '.join([*table.key, *old, *new])})), "  # noqa: S608 - as above
        f"free AS MATERIALIZED (SELECT {key} FROM {table.name} AS t JOIN d USING ({key}) "
        f"WHERE {unchanged} FOR NO KEY UPDATE OF t SKIP LOCKED) "
        f"UPDATE {table.name} AS t SET {', '.join(f'{name} = d.new_{name}' for name in table.columns)} "
        f"FROM d JOIN free USING ({key}) WHERE {' AND '.join(f't.{name} = d.{name}' for name in table.key)} "
        f"RETURNING {', '.join(f'(d.old_{name} <> d.new_{name})::integer' for name in table.columns)}",
        *(list(values) for values in zip(*changed, strict=True)),
    )
    return sum(value or 0 for row in replaced for value in row.values())


async def _blocks(connection: Connection, table: SealedTable) -> int:
    blocks: int = await connection.fetchval(
        "SELECT pg_relation_size(to_regclass($1)) / current_setting('block_size')::integer", table.name
    )
    return blocks
