"""The sandbox's operators: one user for each role, so that what two people must agree on can be tried.

They share one password, made at the first start and kept in `users.json` in the data directory; `voucherswitch user
list` says where. In the sandbox nobody needs a second factor; that two people are needed is never switched off.
"""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.config.settings import Settings

FILE: Final = "users.json"


def users_file(data_dir: Path) -> Path:
    """Where the sandbox's users are written down."""
    return data_dir / FILE


async def load_users(settings: "Settings", connection: "asyncpg.Connection") -> None:
    """Make the sandbox's users where there is nobody yet."""
    import secrets

    from voucherswitch.cli.actor import cli_actor
    from voucherswitch.people import passwords, users
    from voucherswitch.people.roles import ROLES

    if await connection.fetchval("SELECT EXISTS (SELECT FROM operator_user)"):
        return
    password = secrets.token_urlsafe(12)
    hashed = passwords.hash_new(password)
    path = users_file(settings.data_dir)
    draft = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"names": list(ROLES), "password": password}, file, indent=2)
    draft.replace(path)
    async with connection.transaction():
        for role in ROLES:
            full_name = f"Sandbox {role.replace('_', ' ')}"
            await users.create(
                connection, cli_actor(), name=role, full_name=full_name, email=None, roles=(role,), password_hash=hashed
            )
