"""`voucherswitch user grant-pins`, `revoke-pins`, `check`: who may see PINs for a while; are there admins enough."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from voucherswitch.cli import people_access
from voucherswitch.cli.actor import cli_actor
from voucherswitch.cli.errors import CommandError
from voucherswitch.cli.output import JsonFlag, print_json
from voucherswitch.cli.people_access import with_people

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.people.admins import Admins
    from voucherswitch.people.people import People

Name = Annotated[str, typer.Argument(metavar="NAME", help="The user's name.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(name="grant-pins")(grant_pins)
    app.command(name="revoke-pins")(revoke_pins)
    app.command()(check)


def grant_pins(
    name: Name,
    days: Annotated[int, typer.Option(metavar="N", help="For so many days, 1 to 30; it ends by itself.")],
    why: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for whoever is to agree.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Ask that a user may reveal PINs of vouchers for some days. Only who holds the role support can be let.

    No role reveals PINs: it is granted to a person for a time. Each reveal needs a reason and is in the audit trail.

    \b
    Example:
      voucherswitch user grant-pins joe --days 7 --why "slips of the north fail to print until Friday"
    """

    async def prepare(_: object) -> dict[str, Any]:
        return {"name": name.lower(), "days": days}

    people_access.agreed_change("pin.grant", prepare, why, as_json=as_json)


def revoke_pins(
    name: Name, reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; kept in the audit trail.")]
) -> None:
    """End a user's grants to reveal PINs at once. Nobody has to agree: minutes may matter.

    \b
    Example:
      voucherswitch user revoke-pins joe --reason "printers are repaired"
    """

    async def work(_: "People", connection: "asyncpg.Connection") -> bool:
        from voucherswitch.people.user_changes import revoke_pins as revoke

        return await revoke(connection, cli_actor(), name, reason)

    ended = with_people(work)
    print(f"{name} reveals no PINs any more." if ended else f"{name} had no grant to reveal PINs.")


def check(as_json: JsonFlag = False) -> None:
    """See that there are admins enough to run: two in production, so that one can agree to what the other asks for.

    Exit code 1: there are too few, and what to do. A production console does not start then.

    \b
    Example:
      voucherswitch user check
    """

    async def work(people: "People", connection: "asyncpg.Connection") -> "Admins":
        from voucherswitch.people.admins import admins, require_admins

        return await (admins if as_json else require_admins)(connection, people.policy)

    found = with_people(work)
    if as_json:
        print_json({"active": found.active, "needed": found.needed, "single": found.single, "enough": found.enough})
        if not found.enough:
            raise CommandError(f"{found.needed} active admins are needed; see: voucherswitch user check")
        return
    print(f"{len(found.active)} active admins, {found.needed} needed: {', '.join(found.active) or 'nobody'}.")
    if found.single:
        print("Nobody could agree to what one asks for.")
