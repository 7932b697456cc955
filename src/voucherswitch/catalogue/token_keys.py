"""Moves the keys that sign our tokens from state to state. Called by the worker's duty, at start, and by the CLI.

No token in use is ever broken by a rotation: a key is published TOKEN_KEYS_MAX_AGE_S before it signs, and kept until
the last token that it signed has run out.
"""

from typing import Final

import asyncpg
import structlog
from msgspec import Struct

from voucherswitch.catalogue.store import CatalogueError, Connection
from voucherswitch.config.limits import TOKEN_KEY_SPARE_S, TOKEN_KEYS_MAX_AGE_S, TOKEN_LIFETIME_S_MAX
from voucherswitch.journal.statements import SQL
from voucherswitch.security.oauth.keys import KeyState, new_key
from voucherswitch.security.vault import Vault

log = structlog.get_logger(__name__)

_KEPT_S: Final = TOKEN_LIFETIME_S_MAX + TOKEN_KEY_SPARE_S
_LOCK: Final = 0x766F_6B65  # one process at a time moves keys


class TokenKeyError(CatalogueError):
    """The keys cannot be rotated now. The text says why, in one line."""


class _Ages(Struct, frozen=True):
    """How long each key has been what it is, in seconds."""

    next: dict[str, float]
    active: dict[str, float]
    retired: dict[str, float]

    @classmethod
    def of(cls, rows: list[asyncpg.Record]) -> "_Ages":
        def those(state: KeyState, column: str) -> dict[str, float]:
            return {row["kid"]: row[column] for row in rows if row["state"] == state}

        return cls(
            those(KeyState.NEXT, "made_s"), those(KeyState.ACTIVE, "active_s"), those(KeyState.RETIRED, "retired_s")
        )

    def due(self, active_s: float) -> bool:
        """Whether there is anything to do."""
        return (
            not self.next
            or not self.active
            or (self.rotatable and any(age >= active_s for age in self.active.values()))
            or any(age >= _KEPT_S for age in self.retired.values())
        )

    @property
    def rotatable(self) -> bool:
        """Whether the next key is known wherever it must be."""
        return any(age >= TOKEN_KEYS_MAX_AGE_S for age in self.next.values())


async def keep_token_keys(connection: Connection, vault: Vault, key_days: int) -> None:
    """Make the keys that are missing, rotate when the active one is `key_days` old, forget what signed long ago."""
    active_s = key_days * 86_400.0
    if not (await _ages(connection)).due(active_s):
        return  # nearly always: writing would have every worker read its catalogue anew
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        ages = await _ages(connection)
        if ages.rotatable and any(age >= active_s for age in ages.active.values()):
            await _rotate(connection, ages)
        await _complete(connection, vault)
        if over := [kid for kid, age in ages.retired.items() if age >= _KEPT_S]:
            await connection.execute(SQL["drop_token_keys"], over)


async def rotate_token_keys(connection: Connection, vault: Vault) -> None:
    """Let the next key sign from now on.

    Raises:
        TokenKeyError: it was published too short a time ago.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        ages = await _ages(connection)
        if ages.active and not ages.rotatable:
            wait_s = TOKEN_KEYS_MAX_AGE_S - max(ages.next.values(), default=0.0)
            raise TokenKeyError(
                f"the next key is not known everywhere yet: try again in {wait_s:.0f} s, or, if a key has leaked, "
                "take back all of them with --compromised"
            )
        if ages.active:
            await _rotate(connection, ages)
        await _complete(connection, vault)


async def replace_token_keys(connection: Connection, vault: Vault) -> int:
    """Forget every key, so that no token signed so far counts, and make new ones; returns how many there were."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        kids = [row["kid"] for row in await connection.fetch(SQL["token_key_times"])]
        await connection.execute(SQL["drop_token_keys"], kids)
        await _complete(connection, vault)
    return len(kids)


async def _ages(connection: Connection) -> _Ages:
    return _Ages.of(await connection.fetch(SQL["token_key_times"]))


async def _rotate(connection: Connection, ages: _Ages) -> None:
    for kid in ages.active:
        await connection.execute(SQL["move_token_key"], kid, KeyState.ACTIVE, KeyState.RETIRED)
    for kid in ages.next:
        await connection.execute(SQL["move_token_key"], kid, KeyState.NEXT, KeyState.ACTIVE)
        log.info("tokens are signed with another key", kid=kid)


async def _complete(connection: Connection, vault: Vault) -> None:
    """See to it that one key signs and one comes next."""
    ages = await _ages(connection)
    if not ages.active and ages.next:
        await connection.execute(SQL["move_token_key"], next(iter(ages.next)), KeyState.NEXT, KeyState.ACTIVE)
        ages = await _ages(connection)
    for state, present in ((KeyState.ACTIVE, ages.active), (KeyState.NEXT, ages.next)):
        if not present:
            key = new_key(vault, state)
            await connection.execute(SQL["add_token_key"], key.kid, key.state, key.public, key.sealed)
