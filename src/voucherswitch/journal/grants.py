"""What the database lets the console do, when it connects as a role of its own (docs/operations/audit.md).

Whoever takes the console over can then read what the console reads and change what operators change, and still cannot
change or delete an audit event: the role may only append them.
"""

from typing import Final

import asyncpg

# Tables that the console only appends to.
APPENDS: Final = ("audit_event",)
# Tables that operators change through the console, sign-ins and approvals among them.
CHANGES: Final = (
    "operator_user", "operator_role", "custom_role", "operator_session", "recovery_code", "invitation",
    "sign_in_guard", "pin_grant", "approval", "oidc_flow", "originator",
)  # fmt: skip


class RoleError(Exception):
    """A role cannot be given its rights. The text says why and what to do, in one line."""


async def grant_console(connection: asyncpg.Connection, role: str) -> None:
    """Give a role what the console needs, and take every other right on our tables from it. Repeatable.

    Raises:
        RoleError: there is no such role, or it owns our tables or is a superuser: then no right can be kept from it.
    """
    row = await connection.fetchrow(
        "SELECT rolsuper, EXISTS (SELECT FROM pg_class WHERE oid = 'audit_event'::regclass"
        " AND pg_has_role(r.oid, relowner, 'MEMBER')) AS owns FROM pg_roles AS r WHERE rolname = $1",
        role,
    )
    if row is None:
        raise RoleError(f"the database has no role {role}; make one: CREATE ROLE {role} LOGIN PASSWORD '…'")
    if row["rolsuper"] or row["owns"]:
        raise RoleError(f"role {role} owns the tables or is a superuser: name one that is only the console's")
    quoted = '"' + role.replace('"', '""') + '"'
    async with connection.transaction():
        for statement in (
            f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {quoted}",
            f"GRANT USAGE ON SCHEMA public TO {quoted}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {quoted}",
            f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {quoted}",
            *(f"GRANT INSERT ON {table} TO {quoted}" for table in APPENDS),
            *(f"GRANT INSERT, UPDATE, DELETE ON {table} TO {quoted}" for table in CHANGES),
        ):
            await connection.execute(statement)
