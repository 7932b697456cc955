"""`voucherswitch role`: what users may do."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voucherswitch.cli import people_access
from voucherswitch.cli.context import with_database
from voucherswitch.cli.errors import NOT_FOUND, CommandError
from voucherswitch.cli.output import JsonFlag, print_json, print_table

if TYPE_CHECKING:
    import asyncpg

app = typer.Typer(help="Roles: what users may do.", no_args_is_help=True, rich_markup_mode=None)

Role = Annotated[str, typer.Argument(metavar="ROLE", help="Its name.", show_default=False)]
Permissions = Annotated[
    list[str],
    typer.Option("--permission", metavar="PERMISSION", help="As `role show` names them; may be repeated."),
]
Why = Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for whoever is to agree.")]


@app.command(name="list")
def show(as_json: JsonFlag = False) -> None:
    """List roles, built in and custom, with their permissions and how many users hold each.

    \b
    Example:
      voucherswitch role list --json | jq '.[] | select(.role == "support").permissions'
    """

    found = with_database(lambda connection, _: _load(connection))
    if as_json:
        print_json(found)
        return
    rows = [(one["role"], one["users"], one["description"], ", ".join(one["permissions"])) for one in found]
    print_table(("Role", ">Users", "For", "May"), rows, empty="")


@app.command(name="show")
def show_one(role: Role, as_json: JsonFlag = False) -> None:
    """Show one role, and which permissions there are besides. Exit code 3: there is none.

    \b
    Examples:
      voucherswitch role show admin
      voucherswitch role show teller --json | jq .permissions
    """
    one = next((one for one in with_database(lambda connection, _: _load(connection)) if one["role"] == role), None)
    if one is None:
        raise CommandError(f"there is no role {role}; see: voucherswitch role list", NOT_FOUND)
    if as_json:
        print_json(one)
        return
    from voucherswitch.people.roles import PERMISSIONS

    lacks = sorted(PERMISSIONS - set(one["permissions"]))
    lines = [
        ("Role", role), ("For", one["description"]), ("Built in", one["built_in"]), ("Users", one["users"]),
        ("May", ", ".join(one["permissions"])), ("May not", ", ".join(lacks)),
    ]  # fmt: skip
    print_table(("What", "Value"), lines, empty="")


@app.command()
def create(
    role: Role,
    permissions: Permissions,
    description: Annotated[str, typer.Option(metavar="TEXT", help="For whom it is, in a sentence.")],
    why: Why = None,
    as_json: JsonFlag = False,
) -> None:
    """Ask for a role of your own, made of permissions. What excludes each other cannot be put into one role.

    So with all changes of roles: somebody else must agree (`voucherswitch approval`), and they are made then.

    \b
    Example:
      voucherswitch role create watch --permission monitoring.view --permission alert.view --permission alert.work \\
        --description "Works alerts at night" --why "the night shift is not ours"
    """

    def made(known: dict[str, Any] | None) -> dict[str, Any]:
        if known is not None:
            raise CommandError(f"there is a role {role} already; see: voucherswitch role show {role}")
        return {"do": "put", "role": role, "description": description, "permissions": sorted(set(permissions))}

    _ask(role, made, why, as_json=as_json)


@app.command()
def grant(role: Role, permissions: Permissions, why: Why = None, as_json: JsonFlag = False) -> None:
    """Ask that a custom role be given permissions. Sessions of its holders end when it is done.

    \b
    Example:
      voucherswitch role grant watch --permission saf.view --why "they look at queues, too"
    """
    _ask(role, lambda known: _with(role, known, set(permissions), set()), why, as_json=as_json)


@app.command()
def take(role: Role, permissions: Permissions, why: Why = None, as_json: JsonFlag = False) -> None:
    """Ask that permissions be taken from a custom role. Sessions of its holders end when it is done.

    \b
    Example:
      voucherswitch role take watch --permission alert.work --why "they only watch from June on"
    """
    _ask(role, lambda known: _with(role, known, set(), set(permissions)), why, as_json=as_json)


@app.command()
def delete(role: Role, why: Why = None, as_json: JsonFlag = False) -> None:
    """Ask that a custom role be taken out. Nobody may hold it.

    \b
    Example:
      voucherswitch role delete watch --why "the night shift has ended"
    """
    _ask(role, lambda _: {"do": "delete", "role": role}, why, as_json=as_json)


def _with(role: str, known: dict[str, Any] | None, given: set[str], taken: set[str]) -> dict[str, Any]:
    """A custom role as it would be, with some permissions more and some less."""
    if known is None or known["built_in"]:
        raise CommandError(f"{role} is no custom role; make one with: voucherswitch role create")
    held = set(known["permissions"])
    if (same := given & held) or (same := taken - held):
        raise CommandError(f"{role} {'has' if given else 'has not'} {min(same)}; see: voucherswitch role show {role}")
    wanted = sorted((held | given) - taken)
    return {"do": "put", "role": role, "description": known["description"], "permissions": wanted}


def _ask(
    role: str, change: "Callable[[dict[str, Any] | None], dict[str, Any]]", why: str | None, *, as_json: bool
) -> None:
    async def prepare(connection: "asyncpg.Connection") -> dict[str, Any]:
        return change(next((one for one in await _load(connection) if one["role"] == role), None))

    people_access.agreed_change("role.change", prepare, why, as_json=as_json)


async def _load(connection: "asyncpg.Connection") -> list[dict[str, Any]]:
    from voucherswitch.people.roles import MATRIX, ROLES

    rows = await connection.fetch("SELECT role, count(*) AS users FROM operator_role GROUP BY role")
    held = {row["role"]: row["users"] for row in rows}
    custom = await connection.fetch("SELECT role, description, permissions FROM custom_role ORDER BY role")
    built_in = [
        (role, text, sorted(name for name, roles in MATRIX.items() if role in roles)) for role, text in ROLES.items()
    ]
    made = [(row["role"], row["description"], sorted(row["permissions"])) for row in custom]
    return [
        {"role": role, "description": text, "built_in": role in ROLES, "users": held.get(role, 0), "permissions": may}
        for role, text, may in (*built_in, *made)
    ]
