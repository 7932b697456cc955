"""What the tests of people share: an office with users in it, and ways to make time pass."""

import asyncio
import tempfile
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from support.vault import vault_of
from voucherswitch.people import factor, guards, passwords, sessions, sign_in, users
from voucherswitch.people.audit import Actor
from voucherswitch.people.people import People, Policy, Visitor
from voucherswitch.people.sessions import Session
from voucherswitch.people.sign_in import Answer, SignedIn
from voucherswitch.people.users import User
from voucherswitch.security.sealed import OPERATOR
from voucherswitch.security.vault import Vault

TABLES: Final = (
    "audit_event", "audit_anchor", "operator_user", "operator_role", "custom_role", "operator_session",
    "recovery_code", "invitation", "sign_in_guard", "pin_grant", "approval", "oidc_flow",
)  # fmt: skip
MOMENTS: Final = {
    "operator_session": ("begun_at", "seen_at", "stepped_up_at"),
    "operator_user": ("created_at", "signed_in_at"),
    "sign_in_guard": ("shut_until", "changed_at"),
    "invitation": ("expires_at",),
    "pin_grant": ("granted_at", "expires_at"),
    "oidc_flow": ("expires_at",),
}
HOST: Final = Actor(kind="cli", id="cli:root@host")
DESK: Final = Visitor(ip="196.25.1.10", agent="a browser", correlation_id="c-1")
PASSWORD: Final = "baobab tram 7 lemon"
SANDBOX: Final = Policy(second_factor=False, admins_min=1)
PRODUCTION: Final = Policy(second_factor=True, admins_min=2)


def named(url: str, database: str) -> str:
    """The same server's other database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


async def emptied(pool: asyncpg.Pool) -> None:
    """Forget everybody and everything they did: what only the owner of a database can do, past its guards."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(f"TRUNCATE {', '.join(TABLES)} RESTART IDENTITY")


@cache
def _hash() -> str:
    return passwords.hash_new(PASSWORD)


@cache
def _vault() -> Vault:
    with tempfile.TemporaryDirectory() as folder:
        return vault_of(Path(folder) / "vault.key")


class Office:
    """Users of an installation, and what they do."""

    def __init__(self, pool: asyncpg.Pool, policy: Policy) -> None:
        self.pool = pool
        self.people = People(pool, _vault(), policy)
        self.secrets: dict[str, bytes] = {}

    async def hire(self, name: str, *roles: str, with_factor: bool = False, email: str | None = None) -> User:
        """Make a user with PASSWORD, at once."""
        async with self.pool.acquire() as connection:
            user = await users.create(
                connection, HOST, name=name, full_name=name.title(), email=email, roles=roles or ("viewer",),
                password_hash=await asyncio.to_thread(_hash),
            )  # fmt: skip
            if with_factor:
                self.secrets[name] = factor.new_secret()
                sealed = self.people.vault.seal(self.secrets[name], OPERATOR.context("factor", user.user_id))
                await connection.execute(
                    "UPDATE operator_user SET factor = $2 WHERE user_id = $1", user.user_id, sealed
                )
        return user

    async def code(self, name: str, *, steps: int = 0) -> str:
        """A user's code of now, or of so many steps later; by the database's clock, as it is checked."""
        now = await self.pool.fetchval("SELECT clock_timestamp()")
        return factor.code_at(self.secrets[name], factor.step_of(now) + steps)

    async def try_password(self, name: str, password: str = PASSWORD, visitor: Visitor = DESK) -> Answer:
        """Try to sign in."""
        return await sign_in.sign_in(self.people, name, password, visitor)

    async def signed_in(self, name: str, visitor: Visitor = DESK) -> str:
        """Sign in, with a code where it takes one; returns the token."""
        answer = await self.try_password(name, visitor=visitor)
        assert isinstance(answer, SignedIn)
        if answer.stage == "factor":
            # The newest step that was used is of no matter here; another sign-in may have used this one.
            await self.pool.execute("UPDATE operator_user SET factor_step = 0 WHERE name = $1", name)
            answer = await sign_in.prove_factor(self.people, answer.token, await self.code(name), visitor)
        assert isinstance(answer, SignedIn)
        assert answer.stage == "open"
        return answer.token

    async def stepped_up(self, name: str, visitor: Visitor = DESK) -> Session:
        """Sign in and step up; returns the session."""
        token = await self.signed_in(name, visitor)
        await self.pool.execute("UPDATE operator_user SET factor_step = 0 WHERE name = $1", name)
        proof = await self.code(name) if name in self.secrets else PASSWORD
        answer = await sign_in.step_up(self.people, token, proof, visitor)
        assert isinstance(answer, SignedIn)
        session = await self.session(answer.token)
        assert session is not None
        return session

    async def session(self, token: str) -> Session | None:
        """Whose session a token is."""
        async with self.pool.acquire() as connection:
            return await sessions.look_up(connection, self.people, token, DESK)

    async def user(self, name: str) -> User:
        """A user as he is now."""
        async with self.pool.acquire() as connection:
            found = await users.find(connection, name)
        assert found is not None
        return found

    async def failed_before(self, name: str, times: int, visitor: Visitor = DESK) -> None:
        """So many failures of a name just now, without the work of each."""
        async with self.pool.acquire() as connection, connection.transaction():
            for _ in range(times):
                gates = await guards.hold(connection, self.people, visitor, name)
                await guards.note_failure(connection, gates, visitor, None)

    async def actions(self, *, of: str | None = None) -> list[str]:
        """What the audit trail tells, in order."""
        rows = await self.pool.fetch(
            "SELECT action, outcome FROM audit_event WHERE $1::text IS NULL OR actor_id = $1 ORDER BY seq", of
        )
        return [row["action"] for row in rows]

    async def passes(self, time: timedelta) -> None:
        """Let time pass: everything that was, was so much earlier."""
        for table, columns in MOMENTS.items():
            earlier = ", ".join(f"{column} = {column} - $1::interval" for column in columns)
            await self.pool.execute(f"UPDATE {table} SET {earlier}", time)
        await self.pool.execute(
            "UPDATE sign_in_guard SET failed_at = array(SELECT t - $1::interval FROM unnest(failed_at) AS t)", time
        )
