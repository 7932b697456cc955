"""Users: who they are, which roles they hold, what that lets them do, and how one is made."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import asyncpg
from msgspec import Struct

from voucherswitch.catalogue.store import Connection
from voucherswitch.people.audit import Actor, Event, record
from voucherswitch.people.people import PeopleError
from voucherswitch.people.roles import RoleError, check_roles, permissions_of

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{1,63}")
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")


class User(Struct, frozen=True, kw_only=True):
    """A user as others may see him: no hash, no secret."""

    user_id: str
    name: str
    full_name: str
    email: str | None
    enabled: bool
    roles: tuple[str, ...]
    has_password: bool
    has_factor: bool
    issuer: str | None
    subject: str | None
    break_glass: bool
    version: int
    created_at: datetime
    signed_in_at: datetime | None

    @property
    def can_sign_in(self) -> bool:
        """Whether there is a way to sign in at all."""
        return self.enabled and (self.has_password or self.issuer is not None)

    @property
    def identities(self) -> frozenset[str]:
        """Everything that he signs in with: two users who share one of these are one person."""
        found = {f"user:{self.user_id}", f"name:{self.name}"}
        if self.email:
            found.add(f"email:{self.email.casefold()}")
        if self.issuer is not None:
            found.add(f"sso:{self.issuer} {self.subject}")
        return frozenset(found)


_COLUMNS: Final = """
SELECT u.user_id, u.name, u.full_name, u.email, u.enabled, u.password_hash IS NOT NULL AS has_password,
       u.factor IS NOT NULL AS has_factor, u.issuer, u.subject, u.break_glass, u.version, u.created_at, u.signed_in_at,
       coalesce((SELECT array_agg(r.role ORDER BY r.role) FROM operator_role AS r WHERE r.user_id = u.user_id), '{}')
           AS roles
  FROM operator_user AS u
"""


def _user(row: asyncpg.Record) -> User:
    values = dict(row)
    return User(**values | {"roles": tuple(values["roles"])})


async def all_users(connection: Connection) -> list[User]:
    """Everybody, by name."""
    return [_user(row) for row in await connection.fetch(f"{_COLUMNS} ORDER BY u.name")]


async def find(connection: Connection, who: str) -> User | None:
    """A user by name or id."""
    row = await connection.fetchrow(f"{_COLUMNS} WHERE u.name = lower($1) OR u.user_id = $1", who)
    return None if row is None else _user(row)


async def held(connection: Connection, who: str) -> User:
    """The same, locked against others until the transaction ends.

    Raises:
        PeopleError: there is no such user.
    """
    await connection.execute("SELECT FROM operator_user WHERE name = lower($1) OR user_id = $1 FOR UPDATE", who)
    user = await find(connection, who)
    if user is None:
        raise PeopleError(f"there is no user {who}; see: voucherswitch user list")
    return user


async def custom_roles(connection: Connection) -> Mapping[str, frozenset[str]]:
    """Custom roles with their permissions."""
    rows = await connection.fetch("SELECT role, permissions FROM custom_role ORDER BY role")
    return {row["role"]: frozenset(row["permissions"]) for row in rows}


async def permissions(connection: Connection, user: User) -> frozenset[str]:
    """What a user may do now, with what was granted for a time."""
    own = permissions_of(user.roles, await custom_roles(connection))
    return own if await pins_until(connection, user) is None else own | {"pin.reveal"}


async def pins_until(connection: Connection, user: User) -> datetime | None:
    """Until when a user may reveal PINs by what was granted; None: he may not."""
    found: datetime | None = await connection.fetchval(
        "SELECT max(expires_at) FROM pin_grant WHERE user_id = $1 AND revoked_at IS NULL"
        " AND expires_at > clock_timestamp()",
        user.user_id,
    )
    return found


async def holders(connection: Connection, permission: str) -> list[User]:
    """Active users with a permission: enabled, and able to sign in."""
    custom = await custom_roles(connection)
    return [
        user
        for user in await all_users(connection)
        if user.can_sign_in and permission in permissions_of(user.roles, custom)
    ]


async def create(
    connection: Connection,
    actor: Actor,
    *,
    name: str,
    full_name: str,
    email: str | None,
    roles: Iterable[str],
    password_hash: str | None = None,
    must_change: bool = False,
    sso: tuple[str, str] | None = None,
    break_glass: bool = False,
    approval_id: str | None = None,
) -> User:
    """Make a user. Without a password and without single sign-on he cannot sign in before he was invited.

    Raises:
        PeopleError: the name is taken or not a name, or the roles cannot be given.
    """
    name = name.lower()
    check_name(name)
    if email is not None and not _EMAIL.fullmatch(email):
        raise PeopleError(f"{email!r} is no e-mail address")
    if not full_name.strip() or len(full_name) > 200 or not full_name.isprintable():
        raise PeopleError("a user's full name is one line of 1 to 200 characters")
    wanted = await checked_roles(connection, roles)
    issuer, subject = sso or (None, None)
    async with connection.transaction():
        user_id: str | None = await connection.fetchval(
            "INSERT INTO operator_user"
            " (name, full_name, email, password_hash, must_change, issuer, subject, break_glass)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING user_id",
            name, full_name.strip(), email, password_hash, must_change, issuer, subject, break_glass,
        )  # fmt: skip
        if user_id is None:
            raise PeopleError(f"there is a user {name} already; see: voucherswitch user show {name}")
        await connection.executemany(
            "INSERT INTO operator_role (user_id, role) VALUES ($1, $2)", [(user_id, role) for role in wanted]
        )
        made = Event(
            actor=actor,
            action="user.create",
            object_kind="user",
            object_id=user_id,
            approval_id=approval_id,
            after={"name": name, "full_name": full_name.strip(), "roles": wanted, "sso": issuer is not None},
        )
        await record(connection, made)
    user = await find(connection, user_id)
    assert user is not None  # made just now
    return user


def is_name(text: str) -> bool:
    """Whether a text may be a sign-in name."""
    return _NAME.fullmatch(text) is not None


def check_name(name: str) -> None:
    """See that a text may be a sign-in name.

    Raises:
        PeopleError: it may not.
    """
    if not is_name(name):
        raise PeopleError(
            f"{name!r} cannot be a user's name: 2 to 64 small letters, digits, and . _ @ + - after the first"
        )


async def checked_roles(connection: Connection, roles: Iterable[str]) -> list[str]:
    """Roles in order, if one person may hold them together.

    Raises:
        PeopleError: he may not.
    """
    wanted = sorted(set(roles))
    try:
        check_roles(wanted, await custom_roles(connection))
    except RoleError as error:
        raise PeopleError(str(error)) from None
    return wanted


def token_hash(token: str) -> bytes:
    """What is stored of a random token of ours."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
