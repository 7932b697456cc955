"""`voucherswitch role`: what users may do."""

from typing import TYPE_CHECKING, Any

import typer

from voucherswitch.cli.context import with_database
from voucherswitch.cli.output import JsonFlag, print_json, print_table

if TYPE_CHECKING:
    import asyncpg

app = typer.Typer(help="Roles: what users may do.", no_args_is_help=True, rich_markup_mode=None)


@app.command(name="list")
def show(as_json: JsonFlag = False) -> None:
    """List roles, built in and custom, with their permissions and how many users hold each.

    \b
    Example:
      voucherswitch role list --json | jq '.[] | select(.role == "support").permissions'
    """

    async def work(connection: "asyncpg.Connection", _: object) -> list[dict[str, Any]]:
        from voucherswitch.people.roles import MATRIX, ROLES

        rows = await connection.fetch("SELECT role, count(*) AS users FROM operator_role GROUP BY role")
        held = {row["role"]: row["users"] for row in rows}
        custom = await connection.fetch("SELECT role, description, permissions FROM custom_role ORDER BY role")
        built_in = [
            (role, text, sorted(name for name, roles in MATRIX.items() if role in roles))
            for role, text in ROLES.items()
        ]
        made = [(row["role"], row["description"], sorted(row["permissions"])) for row in custom]
        return [
            {
                "role": role,
                "description": text,
                "built_in": role in ROLES,
                "users": held.get(role, 0),
                "permissions": may,
            }
            for role, text, may in (*built_in, *made)
        ]

    found = with_database(work)
    if as_json:
        print_json(found)
        return
    rows = [(one["role"], one["users"], one["description"], ", ".join(one["permissions"])) for one in found]
    print_table(("Role", ">Users", "For", "May"), rows, empty="")
