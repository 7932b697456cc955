"""Who types: the account on this machine, as the audit trail names it."""

import os
import pwd
import socket
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.people.audit import Actor, Change


def account() -> str:
    """The account by its number in the system, not by a variable that anybody may set."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # a container runs as a number without a name
        return str(number)


def cli_actor() -> "Actor":
    """`cli:<account>@<host>`."""
    from voucherswitch.people.audit import Actor

    return Actor(kind="cli", id=f"cli:{account()}@{socket.gethostname()}")


def changing(
    connection: "asyncpg.Connection", action: str, object_kind: str, object_id: str | None, *, reason: str | None = None
) -> "AbstractAsyncContextManager[Change]":
    """One transaction for what a command changes and for the audit event that tells of it."""
    from voucherswitch.people.audit import audited

    return audited(connection, cli_actor(), action, object_kind, object_id, reason=reason)
