"""What was revoked, in memory in every worker, and the log-ins that refresh tokens stand for.

A revocation counts in the worker that takes it at once, and in every other within `catalogue_poll_ms`.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import structlog
from msgspec import Struct

from voucherswitch.config.limits import TOKEN_LIFETIME_S_MAX, TOKEN_REVOCATIONS_MAX
from voucherswitch.journal.batcher import DATABASE_TROUBLE
from voucherswitch.journal.statements import SQL
from voucherswitch.security.oauth.scopes import Scope

log = structlog.get_logger(__name__)


class Revocations:
    """Ids of tokens and log-ins that count no more. `in` never blocks."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool: Final = pool
        self._until: dict[UUID, float] = {}  # id -> when it may be forgotten, in seconds since 1970
        self._version = -1

    def __contains__(self, token_id: object) -> bool:
        return token_id in self._until

    async def add(self, token_id: UUID, originator_id: str) -> None:
        """Revoke an access token, or all of a log-in; durable, and known here, when this returns."""
        async with self._pool.acquire() as connection, connection.transaction():
            kept = await connection.fetchval(SQL["count_revocations"], originator_id, TOKEN_REVOCATIONS_MAX)
            if kept >= TOKEN_REVOCATIONS_MAX:
                log.warning("all tokens revoked: too many were revoked one by one", originator=originator_id)
                await connection.execute(SQL["revoke_all_tokens"], originator_id)
                await connection.execute("DELETE FROM token_revocation WHERE originator_id = $1", originator_id)
            else:
                await connection.execute(SQL["revoke_token"], token_id, originator_id, float(TOKEN_LIFETIME_S_MAX))
        self._until[token_id] = time.time() + TOKEN_LIFETIME_S_MAX

    async def refresh(self) -> None:
        """Read what others have revoked."""
        async with self._pool.acquire() as connection:
            version = await connection.fetchval(SQL["revocation_version"])
            if version == self._version:
                return
            rows = await connection.fetch(SQL["revocations_since"], self._version)
        now = time.time()
        self._until = {token_id: until for token_id, until in self._until.items() if until > now}
        self._until.update((row["token_id"], row["expires_at"]) for row in rows)
        self._version = version

    async def _watch(self, poll_s: float) -> None:
        while True:
            await asyncio.sleep(poll_s)
            try:
                await self.refresh()
            except DATABASE_TROUBLE as error:
                log.warning("revoked tokens not read", reason=str(error) or type(error).__name__)
            except Exception:
                # Whatever it is, the watch must not end: the next revocation has to be seen.
                log.exception("revoked tokens not read")


@asynccontextmanager
async def watched_revocations(pool: asyncpg.Pool, poll_ms: int) -> AsyncIterator[Revocations]:
    """Read what is revoked, then keep watching it."""
    revocations = Revocations(pool)
    await revocations.refresh()
    task = asyncio.create_task(revocations._watch(poll_ms / 1000), name="revocation watch")
    try:
        yield revocations
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class LogIn(Struct, frozen=True):
    """What a refresh token stands for, and the token itself, which is told once."""

    family: UUID
    originator_id: str
    scopes: frozenset[Scope]
    generation: int
    refresh_token: str


class Ended(Struct, frozen=True):
    """A log-in that is over."""

    family: UUID
    originator_id: str
    replayed: bool


class RefreshTokens:
    """The log-ins that may fetch new tokens without a password.

    A refresh token serves once; its successor comes with the answer. Whoever comes with one that was exchanged before
    has it from somebody else, or somebody else has: then the log-in is over for both. Only the one just exchanged may
    be exchanged again, for `grace_s` and until its successor is used: that answer may have been lost.
    """

    def __init__(self, pool: asyncpg.Pool, lifetime_s: int, grace_s: int, kept_max: int) -> None:
        self._pool: Final = pool
        self._lifetime_s: Final = float(lifetime_s)
        self._grace_s: Final = float(grace_s)
        self._kept_max: Final = kept_max

    async def begin(
        self, originator_id: str, client_id: str, scopes: frozenset[Scope], generation: int
    ) -> LogIn | None:
        """Begin a log-in. None: the originator is not what it was a moment ago."""
        family = uuid4()
        token = _token(family)
        kept = await self._pool.fetchval(
            SQL["add_refresh_token"], family, _hash(token), originator_id, client_id, generation, sorted(scopes),
            self._lifetime_s, self._kept_max,
        )  # fmt: skip
        return None if kept is None else LogIn(family, originator_id, scopes, generation, token)

    async def exchange(self, token: str, client_id: str) -> LogIn | Ended | None:
        """Exchange a refresh token. Ended: it had been exchanged before; None: it is nothing to this client."""
        family = _family(token)
        if family is None:
            return None
        successor = _token(family)
        row = await self._pool.fetchrow(
            SQL["rotate_refresh_token"], family, client_id, _hash(token), _hash(successor), self._grace_s
        )
        if row is None:
            return await self.end(token, client_id)
        return LogIn(family, row["originator_id"], frozenset(map(Scope, row["scopes"])), row["generation"], successor)

    async def end(self, token: str, client_id: str) -> Ended | None:
        """End a token's log-in, whichever of its tokens it is. None: it is nothing to this client."""
        family = _family(token)
        if family is None:
            return None
        row = await self._pool.fetchrow(SQL["end_refresh_token"], family, client_id, _hash(token))
        return None if row is None else Ended(family, row["originator_id"], row["replayed"])


def _token(family: UUID) -> str:
    return f"{family.hex}.{secrets.token_urlsafe(32)}"


def _family(token: str) -> UUID | None:
    try:
        return UUID(hex=token.partition(".")[0])
    except ValueError:
        return None


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
