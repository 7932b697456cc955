"""Registers the programs that fetch tokens in originators' names. Called by the CLI and, later, the console."""

import re
import secrets
from collections.abc import Collection
from typing import Final

import asyncpg
from msgspec import Struct

from voucherswitch.catalogue.store import CatalogueError, Connection
from voucherswitch.config.limits import OAUTH_CLIENTS_MAX
from voucherswitch.journal.statements import SQL
from voucherswitch.security.oauth.scopes import Scope
from voucherswitch.security.passwords import hash_password

GRANTS: Final = ("client_credentials", "password", "refresh_token")

# What a client can be called: characters that need no escape in a header, a form or a shell.
_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9._~-]{1,64}")


class NewClient(Struct, frozen=True):
    """A client and its secret, which is told once. The repr keeps it to itself."""

    client_id: str
    secret: str

    def __repr__(self) -> str:
        return f"NewClient({self.client_id!r})"


async def add_client(
    connection: Connection,
    originator_id: str,
    client_id: str | None,
    grants: Collection[str] = GRANTS,
    scopes: Collection[str] = tuple(Scope),
) -> NewClient:
    """Register a client of an originator, under a name of its own or one that we make.

    Raises:
        CatalogueError: unknown originator, grant or scope; the name is taken or not usable; there are too many.
    """
    name = client_id or f"client-{secrets.token_hex(8)}"
    if _CLIENT_ID.fullmatch(name) is None:
        raise CatalogueError("a client id has 1 to 64 letters, digits and any of - . _ ~")
    for value, allowed, kind in ((grants, GRANTS, "grant"), (scopes, tuple(map(str, Scope)), "scope")):
        if not value:
            raise CatalogueError(f"a client needs a {kind}: {', '.join(allowed)}")
        if unknown := sorted(set(value) - set(allowed)):
            raise CatalogueError(f"there is no {kind} {unknown[0]}; there are {', '.join(allowed)}")
    if set(grants) == {"refresh_token"}:
        raise CatalogueError("refresh tokens come with the grant password: add it")
    new = NewClient(name, _secret())
    try:
        added = await connection.fetchval(
            SQL["add_oauth_client"], name, originator_id, hash_password(new.secret), sorted(grants), sorted(scopes),
            OAUTH_CLIENTS_MAX,
        )  # fmt: skip
    except asyncpg.UniqueViolationError as error:
        raise CatalogueError(f"client {name} exists already; give it a new secret with: rotate") from error
    except asyncpg.ForeignKeyViolationError as error:
        raise CatalogueError(f"originator {originator_id} does not exist; see: originator list") from error
    if added is None:
        raise CatalogueError(f"originator {originator_id} has {OAUTH_CLIENTS_MAX} clients already; remove one")
    return new


async def rotate_secret(connection: Connection, originator_id: str, client_id: str) -> NewClient:
    """Give a client a new secret; the old one stops at once.

    Raises:
        CatalogueError: the originator has no such client.
    """
    new = NewClient(client_id, _secret())
    found = await connection.fetchval(SQL["set_client_secret"], client_id, originator_id, hash_password(new.secret))
    return new if found is not None else _missing(originator_id, client_id)


async def enable_client(connection: Connection, originator_id: str, client_id: str, *, enabled: bool) -> None:
    """Let a client fetch and use tokens, or not.

    Raises:
        CatalogueError: the originator has no such client.
    """
    if await connection.fetchval(SQL["enable_client"], client_id, originator_id, enabled) is None:
        _missing(originator_id, client_id)


async def remove_client(connection: Connection, originator_id: str, client_id: str) -> None:
    """Forget a client; its tokens count no more.

    Raises:
        CatalogueError: the originator has no such client.
    """
    if await connection.fetchval(SQL["remove_client"], client_id, originator_id) is None:
        _missing(originator_id, client_id)


async def revoke_all(connection: Connection, originator_id: str) -> None:
    """Make every token of an originator worthless, log-ins included.

    Raises:
        CatalogueError: there is no such originator.
    """
    if await connection.fetchval(SQL["revoke_all_tokens"], originator_id) is None:
        raise CatalogueError(f"originator {originator_id} does not exist; see: originator list")


def _secret() -> str:
    return secrets.token_urlsafe(32)  # 256 bits


def _missing(originator_id: str, client_id: str) -> NewClient:
    raise CatalogueError(f"originator {originator_id} has no client {client_id}; see: originator client list")
