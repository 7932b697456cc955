"""`voucherswitch approval`: changes that one person asks for and another agrees to."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from voucherswitch.cli import people_access
from voucherswitch.cli.actor import cli_actor
from voucherswitch.cli.errors import FAILED, CommandError
from voucherswitch.cli.output import JsonFlag, plain, print_json, print_table
from voucherswitch.cli.people_access import with_people

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.people.approvals import Request
    from voucherswitch.people.people import People

app = typer.Typer(help="Approvals: changes that two people agree on.", no_args_is_help=True, rich_markup_mode=None)

Id = Annotated[str, typer.Argument(metavar="ID", help="Its id: a-1.", show_default=False)]
As = Annotated[str, typer.Option("--as", metavar="NAME", help="The user who decides; asked for password and code.")]

_WAITING = ("REQUESTED", "APPROVED")
_DECIDED = ("EXECUTED", "FAILED", "REJECTED", "WITHDRAWN", "EXPIRED", "STALE")


@app.command(name="list")
def show(
    every: Annotated[bool, typer.Option("--all", help="Also those that are decided.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """List what waits for somebody to agree, and what was agreed to and waits for whoever asked to do it.

    \b
    Example:
      voucherswitch approval list --all
    """

    async def work(_: "People", connection: "asyncpg.Connection") -> "list[Request]":
        from voucherswitch.people.approvals import listed

        return await listed(connection, (*_WAITING, *(_DECIDED if every else ())), limit)

    found = with_people(work)
    if as_json:
        print_json(found)
        return
    rows = [
        (one.approval_id, one.state, one.action, one.impact, one.requested_by, one.comment, one.expires_at)
        for one in found
    ]
    columns = ("Id", "State", "Change", "What it does", "Asked by", "Why", "Until")
    print_table(columns, rows, empty="Nothing waits; with --all what was decided.")


@app.command(name="show")
def show_one(approval_id: Id, as_json: JsonFlag = False) -> None:
    """Show one request with what it changes.

    \b
    Example:
      voucherswitch approval show a-1
    """

    async def work(_: "People", connection: "asyncpg.Connection") -> "Request":
        from voucherswitch.people.approvals import read

        return await read(connection, approval_id)

    found = plain(with_people(work))
    if as_json:
        print_json(found)
        return
    lines = [(key, json.dumps(value) if isinstance(value, dict) else value) for key, value in found.items()]
    print_table(("What", "Value"), lines, empty="")


@app.command()
def approve(
    approval_id: Id,
    name: As,
    comment: Annotated[str, typer.Option(metavar="TEXT", help="For the record; needed where it is about money.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Agree to a change; it is made at once. Whoever asked for it cannot. Exit code 1: it was not made, and why.

    A change that whoever asked makes himself, by the same command as before, is then APPROVED. One that could not be
    made (FAILED) is tried again when it is agreed to once more.

    \b
    Example:
      voucherswitch approval approve a-1 --as ann
    """

    async def work(people: "People", connection: "asyncpg.Connection") -> "Request":
        from voucherswitch.people import approvals

        session = await people_access.sign_in_here(people, name)
        try:
            return await approvals.approve(people, connection, session, approval_id, comment)
        finally:
            await people_access.sign_out_here(people, session)

    ended = with_people(work)
    if as_json:
        print_json(ended)
    elif ended.state == "APPROVED":
        print(f"{ended.approval_id} is APPROVED: {ended.requested_by} may do it now, by the command that asked for it.")
    else:
        print(f"{ended.approval_id} is {ended.state}: {ended.result}.")
    if ended.state not in ("EXECUTED", "APPROVED"):
        raise CommandError(f"{ended.approval_id} was not done: {ended.result}", FAILED)


@app.command()
def reject(
    approval_id: Id,
    name: As,
    comment: Annotated[str, typer.Option(metavar="TEXT", help="Why not; it stays on record.")],
) -> None:
    """Refuse a change.

    \b
    Example:
      voucherswitch approval reject a-1 --as ann --comment "joe has left the company"
    """

    async def work(people: "People", connection: "asyncpg.Connection") -> None:
        from voucherswitch.people import approvals

        session = await people_access.sign_in_here(people, name)
        try:
            await approvals.reject(connection, session, approval_id, comment)
        finally:
            await people_access.sign_out_here(people, session)

    with_people(work)
    print(f"{approval_id} is rejected.")


@app.command()
def withdraw(approval_id: Id) -> None:
    """Take back what this account has asked for, also if it was agreed to and is not done yet.

    \b
    Example:
      voucherswitch approval withdraw a-1
    """

    async def work(_: "People", connection: "asyncpg.Connection") -> None:
        from voucherswitch.people.approvals import Maker
        from voucherswitch.people.approvals import withdraw as take_back

        await take_back(connection, Maker.of_host(cli_actor()), approval_id)

    with_people(work)
    print(f"{approval_id} is withdrawn.")
