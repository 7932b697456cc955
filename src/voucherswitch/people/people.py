"""What everything about people needs: the database, the vault, this installation's rules, and a bound on hashing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg
from msgspec import Struct

from voucherswitch.catalogue.store import Connection
from voucherswitch.config.limits import PASSWORD_CHECKS_MAX, SIGN_IN_WAIT_S
from voucherswitch.config.settings import Settings
from voucherswitch.people import passwords
from voucherswitch.people.audit import Actor
from voucherswitch.security.vault import Vault


class PeopleError(Exception):
    """Something cannot be done to or by a person. The text is one line: what is wrong, what to do."""


class Policy(Struct, frozen=True, kw_only=True):
    """The rules of this installation.

    Attributes:
        second_factor: everybody has one; else only who has set it up.
        admins_min: so many active admins must remain.
        session_idle_s, session_max_s: a session ends after so long without use, and after so long anyway.
        sso_only: passwords are closed, except for the break-glass admin.
        two_agree: what two people must agree on waits for the second of them. Changes of people always do.
    """

    second_factor: bool = True
    admins_min: int = 2
    session_idle_s: int = 900
    session_max_s: int = 36_000
    sso_only: bool = False
    approval_expiry_h: int = 72
    two_agree: bool = True

    @classmethod
    def of(cls, settings: Settings) -> "Policy":
        """Read from the settings."""
        production = settings.environment == "production"
        return cls(
            second_factor=production,
            admins_min=2 if production and not settings.console_single_admin else 1,
            session_idle_s=settings.console_session_idle_s,
            session_max_s=settings.console_session_max_s,
            sso_only=settings.console_oidc_only,
            approval_expiry_h=settings.approval_expiry_h,
            two_agree=production,
        )


class Visitor(Struct, frozen=True, kw_only=True):
    """Who asks, before he has said who he is: from which address, with what, and the id of his request."""

    ip: str | None = None
    agent: str | None = None
    correlation_id: str | None = None

    def as_actor(self, user_id: str | None, roles: tuple[str, ...] = (), session_id: str | None = None) -> Actor:
        """The same once it is known who he is; None: somebody unknown."""
        return Actor(
            kind="user",
            id=user_id or "unknown",
            roles=roles,
            session_id=session_id,
            ip=self.ip,
            correlation_id=self.correlation_id,
        )


class People:
    """The open parts that functions about people share."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault, policy: Policy) -> None:
        self.pool, self.vault, self.policy = pool, vault, policy
        self._hashing = asyncio.Semaphore(PASSWORD_CHECKS_MAX)  # each takes 64 MiB and a tenth of a second of a core

    async def hash_new(self, password: str, *names: str) -> str:
        """Hash a new password, off the event loop.

        Raises:
            PeopleError: it cannot be taken; the text says why.
        """
        async with self._hashing:
            try:
                return await asyncio.to_thread(passwords.hash_new, password, *names)
            except passwords.WeakPasswordError as error:
                raise PeopleError(str(error)) from None

    @asynccontextmanager
    async def checking(self) -> AsyncIterator[Connection]:
        """A transaction in which one password may be checked: taken when it is this one's turn."""
        async with self._hashing, self.pool.acquire() as connection, connection.transaction():
            # Attempts at one name wait for each other, each for its hash; longer than elsewhere is no sign of trouble.
            await connection.execute(f"SET LOCAL lock_timeout = '{SIGN_IN_WAIT_S}s'")
            yield connection


async def right_password(password_hash: str | None, password: str) -> bool:
    """Check a password, off the event loop; within `People.checking`."""
    return await asyncio.to_thread(passwords.verify, password_hash, password)


async def clock(connection: Connection) -> datetime:
    """The time by the database's clock: one clock for all processes."""
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return now
