"""A rotation of the vault's keys: who may seal with the new one, and what becomes of what the old one sealed."""

import asyncio
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg
import pytest

from journal.journal_traffic import Requests, Traffic, put_provider
from support.vault import a_keyring, vault_of
from support.waiting import eventually
from voucherswitch.catalogue import store
from voucherswitch.catalogue.snapshot import Provider
from voucherswitch.journal.archive.run import Archiver, Policy
from voucherswitch.journal.invariants import EVER, TO_THE_END, Window, check
from voucherswitch.journal.journal import Journal
from voucherswitch.journal.presence import Presence, this_process
from voucherswitch.journal.resealing import _replace, count, let_newest_seal, reseal, reseal_blocks
from voucherswitch.journal.statements import SQL
from voucherswitch.journal.vault_keys import KeyWatch, join, known_keys, sealing_key
from voucherswitch.security.key_source import CommandKeys, FileKeys
from voucherswitch.security.keys import Keyring
from voucherswitch.security.sealed import PROVIDER, SEALED, TRANSACTION
from voucherswitch.security.vault import Vault, VaultError

NEVER: Final = asyncio.Event()
BOTH: Final = a_keyring(1, 2)
OLD: Final = Keyring({1: BOTH.sealing[1]}, BOTH.finder)
SECRETS: Final = {"api_key": "an invented secret"}


class Process:
    """What a process holds of the vault."""

    def __init__(self, pool: asyncpg.Pool, path: Path) -> None:
        self.pool = pool
        self.vault = vault_of(path)
        self.watch = KeyWatch(pool, self.vault, FileKeys(path))
        self.presence = Presence(pool, this_process("worker"), 10, self.vault, self.watch.look)

    async def starts(self) -> "Process":
        async with self.pool.acquire() as connection:
            await join(connection, self.vault, "its file", await known_keys(connection))
        await self.presence._renew()
        return self

    async def notices(self) -> None:
        """What the catalogue's poll and the renewal of the lease do."""
        await self.watch.look()
        await self.presence._renew()


async def register(pool: asyncpg.Pool, path: Path) -> None:
    """What a command does that opens the vault."""
    async with pool.acquire() as connection:
        await join(connection, vault_of(path), "its file", await known_keys(connection))


async def joined(pool: asyncpg.Pool, keys: Keyring) -> Vault:
    vault = Vault(keys)
    async with pool.acquire() as connection:
        await join(connection, vault, "its file", await known_keys(connection))
    return vault


async def written(pool: asyncpg.Pool, vault: Vault) -> Requests:
    """Requests in every state, and a provider with secrets."""
    async with pool.acquire() as connection:
        await put_provider(connection)
        await store.put_provider(connection, vault, Provider(id="secretive", connector="sandbox", settings={}), SECRETS)
    return await Traffic(Journal(pool, vault, 1, batch_max=64, queue_max=1000)).all()


# One row of each of the other tables; `{0}` is its key.
_ROWS: Final = {
    "operator_user": "INSERT INTO operator_user (user_id, name, full_name, factor, factor_pending) "
    "VALUES ('{0}', '{0}', 'Somebody', $1, $2)",
    "token_key": "INSERT INTO token_key (kid, state, public, sealed, activated_at, retired_at) "
    "VALUES ('{0}', 3, '{{}}', $1, now(), now())",
}


async def fill(pool: asyncpg.Pool, vault: Vault) -> None:
    """Two rows of every table with sealed columns that requests and providers do not fill."""
    for table in SEALED:
        for key in ("one", "two") if table.name in _ROWS else ():
            values = [vault.seal(b"a secret", table.context(column, key)) for column in table.columns]
            await pool.execute(_ROWS[table.name].format(key), *values)


async def let_new_key_seal(pool: asyncpg.Pool) -> Vault:
    vault = await joined(pool, BOTH)
    assert await newest_seals(pool) == 2  # no process lives
    vault.seal_with(2)
    return vault


async def newest_seals(pool: asyncpg.Pool) -> int | None:
    async with pool.acquire() as connection:
        return await let_newest_seal(connection)


async def counts(pool: asyncpg.Pool) -> dict[str, dict[int, int]]:
    async with pool.acquire() as connection:
        return {table.name: await count(connection, table) for table in SEALED}


async def test_a_key_seals_when_every_living_process_has_it(journal_pool: asyncpg.Pool, tmp_path: Path) -> None:
    """Two machines: the key file of the second gets the new key later."""
    here, there = FileKeys(tmp_path / "here"), tmp_path / "there"
    here.create()
    there.touch(mode=0o600)
    there.write_bytes(here.path.read_bytes())
    first, second = await Process(journal_pool, here.path).starts(), await Process(journal_pool, there).starts()

    here.add(2)
    await register(journal_pool, here.path)
    await first.notices()
    await second.notices()
    assert await newest_seals(journal_pool) is None
    assert (sorted(first.vault.key_ids), first.vault.current, sorted(second.vault.key_ids)) == ([1, 2], 1, [1])
    assert sealing_key(await known_keys(journal_pool)) == 1

    there.write_bytes(here.path.read_bytes())
    await second.notices()
    assert await newest_seals(journal_pool) == 2
    assert sealing_key(await known_keys(journal_pool)) == 2
    await first.notices()
    await second.notices()
    assert (first.vault.current, second.vault.current) == (2, 2)
    await asyncio.gather(first.watch.stop(), second.watch.stop())


async def test_a_value_of_a_key_that_came_meanwhile_opens_at_once(journal_pool: asyncpg.Pool, tmp_path: Path) -> None:
    """A process that was frozen while the others went on reads its key file again when it meets such a value."""
    file = FileKeys(tmp_path / "vault.key")
    file.create()
    frozen = await Process(journal_pool, file.path).starts()
    file.add(2)
    sealed = Vault(file.read()).seal(b"code", b"row")
    assert frozen.vault.open(sealed, b"row") == b"code"
    assert frozen.vault.current == 1


async def test_keys_that_are_not_the_journals_are_refused(journal_pool: asyncpg.Pool) -> None:
    await joined(journal_pool, OLD)
    other = a_keyring(1, 2)
    for wrong, complaint in (
        (other, "is not the vault key that sealed"),
        (Keyring(OLD.sealing, other.finder), "its finder key is another one"),
        (Keyring({2: BOTH.sealing[2]}, OLD.finder), "lacks vault key 1"),
    ):
        with pytest.raises(VaultError, match=complaint):
            await joined(journal_pool, wrong)
    assert [row.key_id for row in await known_keys(journal_pool)] == [1]
    await joined(journal_pool, BOTH)
    with pytest.raises(VaultError, match="key 2"):
        await joined(journal_pool, Keyring({1: OLD.sealing[1], 2: other.sealing[2]}, OLD.finder))


async def test_everything_is_sealed_anew_and_opens_where_it_did(journal_pool: asyncpg.Pool) -> None:
    old = await joined(journal_pool, OLD)
    requests = await written(journal_pool, old)
    await fill(journal_pool, old)
    before = await counts(journal_pool)
    assert {table: set(numbers) for table, numbers in before.items()} == {table.name: {1} for table in SEALED}
    changed_at = await journal_pool.fetch("SELECT request_id, changed_at FROM transaction ORDER BY 1, 2")

    vault = await let_new_key_seal(journal_pool)
    await reseal(journal_pool, vault, NEVER)

    assert await counts(journal_pool) == {table: {2: numbers[1]} for table, numbers in before.items()}
    new = Vault(Keyring({2: BOTH.sealing[2]}, BOTH.finder))
    row = await journal_pool.fetchrow("SELECT * FROM transaction WHERE request_id = $1", requests.ids["approved"])
    assert row is not None
    answer = new.open(row["answer"], TRANSACTION.context("answer", row["request_id"], row["generation"]))
    assert requests.codes["approved"].encode() in answer
    secrets = await journal_pool.fetchval("SELECT secrets FROM provider WHERE provider_id = 'secretive'")
    assert SECRETS["api_key"].encode() in new.open(secrets, PROVIDER.context("secrets", "secretive"))
    assert await journal_pool.fetch("SELECT request_id, changed_at FROM transaction ORDER BY 1, 2") == changed_at
    async with journal_pool.acquire() as connection:
        assert await check(connection, Window(EVER, TO_THE_END)) == []
    sweeps = await journal_pool.fetch("SELECT resealed, unopened, finished_at FROM vault_sweep WHERE key_id = 2")
    assert [bool(sweep["finished_at"]) for sweep in sweeps] == [True] * len(SEALED)
    assert sum(sweep["resealed"] for sweep in sweeps) == sum(sum(numbers.values()) for numbers in before.values())


async def test_a_sealed_value_copied_to_another_row_or_column_does_not_open(journal_pool: asyncpg.Pool) -> None:
    """In every table that holds sealed values, as an operator of the database could try."""
    vault = await joined(journal_pool, OLD)
    await written(journal_pool, vault)
    await fill(journal_pool, vault)
    for provider_id in ("another", "third"):
        async with journal_pool.acquire() as connection:
            await store.put_provider(
                connection, vault, Provider(id=provider_id, connector="sandbox", settings={}), SECRETS
            )
    for table in SEALED:
        names = ", ".join([*table.key, *table.columns])
        filled = " AND ".join(f"{name} IS NOT NULL" for name in table.columns)
        one, other = await journal_pool.fetch(f"SELECT {names} FROM {table.name} WHERE {filled} LIMIT 2")
        for column in table.columns:
            own = table.context(column, *(one[name] for name in table.key))
            assert vault.open(one[column], own)
            moved = [(other[column], own), *((one[name], own) for name in table.columns if name != column)]
            for value, context in moved:
                with pytest.raises(VaultError, match="another row"):
                    vault.open(value, context)


async def test_a_row_that_changed_or_is_locked_meanwhile_is_left_for_the_next_walk(
    journal_pool: asyncpg.Pool,
) -> None:
    old = await joined(journal_pool, OLD)
    requests = await written(journal_pool, old)
    vault = await let_new_key_seal(journal_pool)
    held = requests.ids["approved"]
    async with journal_pool.acquire() as other, journal_pool.acquire() as connection:
        change = other.transaction()
        await change.start()
        await other.execute("UPDATE transaction SET alert = 'held' WHERE request_id = $1", held)
        async with asyncio.timeout(5):
            await reseal_blocks(connection, vault, TRANSACTION, 0, 1000)
        fresh = old.seal(b"a later answer", TRANSACTION.context("answer", held, 0))
        await other.execute("UPDATE transaction SET answer = $2 WHERE request_id = $1", held, fresh)
        await change.commit()
    left = await journal_pool.fetch("SELECT request_id FROM transaction WHERE get_byte(request, 1) = 1")
    assert [row["request_id"] for row in left] == [held]
    assert await journal_pool.fetchval("SELECT answer FROM transaction WHERE request_id = $1", held) == fresh

    await reseal(journal_pool, vault, NEVER)
    sealed = await journal_pool.fetchval("SELECT answer FROM transaction WHERE request_id = $1", held)
    assert sealed[1] == 2
    assert vault.open(sealed, TRANSACTION.context("answer", held, 0)) == b"a later answer"


async def test_a_value_that_was_replaced_after_it_was_read_is_not_overwritten(
    journal_pool: asyncpg.Pool,
) -> None:
    """The guard of the statement: it compares with what was read."""
    old = await joined(journal_pool, OLD)
    requests = await written(journal_pool, old)
    vault = await let_new_key_seal(journal_pool)
    key: UUID = requests.ids["approved"]
    context = TRANSACTION.context("answer", key, 0)
    later = old.seal(b"a later answer", context)
    fresh = vault.seal(b"anything", context)
    async with journal_pool.acquire() as connection:
        rows = await connection.fetch("SELECT * FROM transaction WHERE request_id = $1", key)
        await journal_pool.execute("UPDATE transaction SET answer = $2 WHERE request_id = $1", key, later)
        values = {"request": rows[0]["request"], "answer": fresh}
        assert await _replace(connection, TRANSACTION, rows, [values]) == 0
    assert await journal_pool.fetchval("SELECT answer FROM transaction WHERE request_id = $1", key) == later


async def test_a_walk_goes_on_where_it_was_stopped_and_begins_anew_with_another_key(
    journal_pool: asyncpg.Pool,
) -> None:
    await written(journal_pool, await joined(journal_pool, OLD))
    vault = await let_new_key_seal(journal_pool)
    stopped = asyncio.Event()
    stopped.set()
    await reseal(journal_pool, vault, stopped)
    assert set((await counts(journal_pool))["transaction"]) == {1}
    await journal_pool.execute("UPDATE vault_sweep SET next_block = 100000 WHERE table_name = 'transaction'")

    await reseal(journal_pool, vault, NEVER)  # what lies before block 100000 was not looked at: the count tells
    sweep = await journal_pool.fetchrow("SELECT * FROM vault_sweep WHERE table_name = 'transaction'")
    assert sweep is not None
    assert (sweep["next_block"], sweep["finished_at"]) == (0, None)

    await reseal(journal_pool, vault, NEVER)
    assert set((await counts(journal_pool))["transaction"]) == {2}

    three = Keyring(BOTH.sealing | {3: a_keyring(3).sealing[3]}, BOTH.finder)
    last = await joined(journal_pool, three)
    assert await newest_seals(journal_pool) == 3
    last.seal_with(3)
    await reseal(journal_pool, last, NEVER)
    assert set((await counts(journal_pool))["transaction"]) == set((await counts(journal_pool))["provider"]) == {3}


async def test_what_does_not_open_stays_and_is_told_and_stops_nothing(
    journal_pool: asyncpg.Pool,
) -> None:
    requests = await written(journal_pool, await joined(journal_pool, OLD))
    vault = await let_new_key_seal(journal_pool)
    key = requests.ids["approved"]
    await journal_pool.execute("UPDATE transaction SET answer = answer || '\\x00' WHERE request_id = $1", key)
    await reseal(journal_pool, vault, NEVER)
    sweep = await journal_pool.fetchrow("SELECT * FROM vault_sweep WHERE table_name = 'transaction'")
    assert sweep is not None
    assert (sweep["unopened"], bool(sweep["finished_at"])) == (1, True)
    assert (await counts(journal_pool))["transaction"][1] == 1


async def test_a_process_follows_its_key_file_by_itself_once_a_key_is_missing(
    journal_pool: asyncpg.Pool, tmp_path: Path
) -> None:
    here, there = FileKeys(tmp_path / "here"), tmp_path / "there"
    here.create()
    there.touch(mode=0o600)
    there.write_bytes(here.path.read_bytes())
    process = await Process(journal_pool, there).starts()
    here.add(2)
    await register(journal_pool, here.path)
    await process.notices()
    there.write_bytes(here.path.read_bytes())

    async def learned() -> bool:
        return process.vault.key_ids == {1, 2}

    await eventually(learned, "the new key")
    await process.watch.stop()


async def test_a_process_asks_the_command_again_when_a_key_is_added(journal_pool: asyncpg.Pool, tmp_path: Path) -> None:
    file = FileKeys(tmp_path / "vault.key")
    file.create()
    process = Process(journal_pool, file.path)
    process.watch = KeyWatch(journal_pool, process.vault, CommandKeys(("cat", str(file.path))))
    await process.starts()
    file.add(2)
    await register(journal_pool, file.path)
    await process.watch.look()
    assert process.vault.key_ids == {1, 2}


async def test_a_file_of_the_archive_says_which_keys_it_needs(journal_pool: asyncpg.Pool, tmp_path: Path) -> None:
    await written(journal_pool, await joined(journal_pool, OLD))
    for table, columns in {
        "transaction": ("opened_at", "changed_at", "call_ended_at"),
        "voucher": ("changed_at",),
        "advice": ("created_at", "finished_at"),
    }.items():
        older = ", ".join(f"{column} = {column} - interval '400 days'" for column in columns)
        await journal_pool.execute(f"UPDATE {table} SET {older}")
    async with journal_pool.acquire() as connection:
        await Archiver(connection, tmp_path, Policy(closed_days=30, voucher_days=30)).run()
    files = await journal_pool.fetch("SELECT vault_keys FROM archive_file WHERE holds = 'transaction'")
    assert [file["vault_keys"] for file in files] == [[1]]
    assert await journal_pool.fetchval(SQL["archived_vault_keys"]) == 1
