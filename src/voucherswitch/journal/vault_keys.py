"""Which vault keys this journal knows, and how a process joins it and follows it (decision 0027).

A key that somebody adds is registered first and seals later: when every process that lives has it. So nobody meets a
value that it cannot open, whichever machine a key reaches first. `vault_key` holds a known text under each key, by
which a wrong one is told before it does harm. No key is ever in the database.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeAlias

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy
from msgspec import Struct

from voucherswitch.config.limits import VAULT_LOOK_AGAIN_S
from voucherswitch.journal.batcher import DATABASE_TROUBLE
from voucherswitch.journal.statements import SQL
from voucherswitch.security.key_source import KeySource
from voucherswitch.security.keys import Keyring
from voucherswitch.security.sealed import VAULT_KEY
from voucherswitch.security.vault import Vault, VaultError

log = structlog.get_logger(__name__)

Connection: TypeAlias = asyncpg.Connection | PoolConnectionProxy

_KNOWN: Final = "known text"


class KeyRow(Struct, frozen=True):
    """One key as the journal knows it."""

    key_id: int
    known: bytes
    added_at: datetime
    seals_since: datetime | None
    retired_at: datetime | None


async def known_keys(connection: "Connection | asyncpg.Pool") -> list[KeyRow]:
    """Read the keys that the journal knows, the oldest first."""
    return [KeyRow(**dict(row)) for row in await connection.fetch(SQL["vault_keys"])]


def sealing_key(rows: Sequence[KeyRow]) -> int:
    """The key that seals."""
    return max(row.key_id for row in rows if row.seals_since is not None)


async def join(connection: Connection, vault: Vault, where: str, rows: list[KeyRow]) -> list[KeyRow]:
    """See that these are the journal's keys, register those that it does not know, and let the right one seal.

    Raises:
        VaultError: one line: a key is not the journal's, or one is missing.
    """
    _refuse_others(rows, vault, where)
    new = vault.key_ids.difference(row.key_id for row in rows)
    if new:
        for key_id in sorted(new, reverse=True):  # in a new journal the highest one seals
            await connection.execute(SQL["register_vault_key"], key_id, _known_text(vault, key_id))
        rows = await known_keys(connection)
        _refuse_others(rows, vault, where)  # another process may have been first with another key
    vault.seal_with(sealing_key(rows))
    return rows


class KeyWatch:
    """Keeps the keys of a process current while it runs.

    `look` is called with every change of the catalogue, to which the keys belong; while a key is missing, also by
    itself. A value under a key that is not here has the source asked again, so that it opens with the next try at the
    latest.
    """

    def __init__(self, pool: asyncpg.Pool, vault: Vault, source: KeySource) -> None:
        self._pool = pool
        self._vault = vault
        self._source = source
        self.rotating = False  # whether there are keys beside the one that seals
        self._complaint = ""
        self._asked_s = -VAULT_LOOK_AGAIN_S
        self._again: asyncio.Task[None] | None = None
        vault.when_unknown(self._read_again)

    async def look(self, _: object = None) -> None:
        """Learn new keys from the source, and seal with the key that seals."""
        rows = await known_keys(self._pool)
        if not rows:
            return  # somebody has taken them out: the next start notes them anew
        needed = {row.key_id for row in rows if row.retired_at is None}
        self.rotating = len(needed) > 1
        if not needed <= self._vault.key_ids:
            await self._learn(rows)
        current = sealing_key(rows)
        if current in self._vault.key_ids and self._vault.current != current:
            self._vault.seal_with(current)
            log.info("vault key seals", key_id=current)
        missing = sorted(needed - self._vault.key_ids)
        if missing:
            self._complain(f"{self._source.where} lacks vault key {missing[0]}; bring it there, or restart with it")
            self._look_soon()
        else:
            self._complaint = ""

    async def stop(self) -> None:
        """Stop looking."""
        if self._again is not None:
            self._again.cancel()
            await asyncio.gather(self._again, return_exceptions=True)

    async def _learn(self, rows: Sequence[KeyRow]) -> None:
        """Take what the source has, if every key of it is the journal's."""
        if not self._source.may_change:
            return
        try:
            keys = self._source.read() if self._source.quick else await asyncio.to_thread(self._source.read)
            candidate = Vault(keys)
            for row in rows:
                _refuse_other(row, candidate, self._source.where)
            self._vault.take(keys)
        except VaultError as error:
            self._complain(str(error))

    def _read_again(self) -> Keyring | None:
        """Called when a value needs a key that is not here."""
        if not (self._source.quick and self._source.may_change):
            self._look_soon()
            return None
        if time.monotonic() < self._asked_s + VAULT_LOOK_AGAIN_S:
            return None
        self._asked_s = time.monotonic()
        try:
            return self._source.read()
        except VaultError as error:
            self._complain(str(error))
            return None

    def _look_soon(self) -> None:
        if self._again is None or self._again.done() or self._again is asyncio.current_task():
            self._again = asyncio.create_task(self._look_again(), name="vault keys")

    async def _look_again(self) -> None:
        await asyncio.sleep(VAULT_LOOK_AGAIN_S)
        try:
            await self.look()
        except DATABASE_TROUBLE as error:
            self._complain(str(error) or type(error).__name__)
            self._look_soon()

    def _complain(self, reason: str) -> None:
        """Say it once, until it is another reason."""
        if reason != self._complaint:
            self._complaint = reason
            log.error("vault keys not as the journal knows them", reason=reason)


def _known_text(vault: Vault, key_id: int) -> bytes:
    """What `vault_key.known` holds: a text and its fingerprint, so that it tells a wrong finder key too."""
    text = _KNOWN.encode() + vault.fingerprint(_KNOWN)
    return vault.seal_under(key_id, text, VAULT_KEY.context("known", key_id))


def _refuse_others(rows: Sequence[KeyRow], vault: Vault, where: str) -> None:
    for row in rows:
        _refuse_other(row, vault, where)
    missing = [row.key_id for row in rows if row.seals_since and not row.retired_at and row.key_id not in vault.key_ids]
    if missing:
        raise VaultError(
            f"{where} lacks vault key {missing[0]}, which has sealed what is in this journal; restore its line, or "
            "bring it from where it was added"
        )


def _refuse_other(row: KeyRow, vault: Vault, where: str) -> None:
    if row.key_id not in vault.key_ids:
        return
    try:
        known = vault.open(row.known, VAULT_KEY.context("known", row.key_id))
    except VaultError as error:
        reason = str(error)
    else:
        if known == _KNOWN.encode() + vault.fingerprint(_KNOWN):
            return
        reason = "its finder key is another one"
    raise VaultError(
        f"{where} is not the vault key that sealed this journal's vouchers (key {row.key_id}: {reason}); "
        "restore the right one"
    )
