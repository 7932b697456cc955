"""`voucherswitch originator client`: the programs that fetch tokens in an originator's name (OAuth2)."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voucherswitch.cli.actor import Why, changing
from voucherswitch.cli.context import with_database
from voucherswitch.cli.errors import Asked
from voucherswitch.cli.output import JsonFlag, print_json, print_table

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.catalogue.oauth_clients import NewClient

app = typer.Typer(help="Programs that fetch tokens for it (OAuth2).", no_args_is_help=True, rich_markup_mode=None)

Originator = Annotated[str, typer.Argument(metavar="ID", help="The originator.")]
Client = Annotated[str, typer.Argument(metavar="CLIENT", help="The client's id.")]
Grants = Annotated[
    list[str] | None,
    typer.Option(
        "--grant", metavar="GRANT", help="client_credentials, password or refresh_token; may be repeated; default all."
    ),
]
Scopes = Annotated[
    list[str] | None,
    typer.Option("--scope", metavar="SCOPE", help="What its tokens may allow; may be repeated; default all."),
]


@app.command()
def add(
    originator_id: Originator,
    client_id: Annotated[str | None, typer.Option(metavar="CLIENT", help="Its id; made up when not given.")] = None,
    grants: Grants = None,
    scopes: Scopes = None,
    why: Why = None,
    as_json: JsonFlag = False,
) -> None:
    """Register a client and show its secret, once. It can fetch tokens within two seconds.

    In production somebody else must agree: asked for with --why, done by the same command once it is agreed to, which
    then shows the secret. So with `rotate` and `enable`.

    \b
    Examples:
      voucherswitch originator client add 33334444
      voucherswitch originator client add 33334444 --client-id stock-app --grant client_credentials --scope suv.products
    """
    from voucherswitch.catalogue.oauth_clients import GRANTS, add_client
    from voucherswitch.security.oauth.scopes import Scope

    async def work(connection: "asyncpg.Connection") -> "NewClient":
        return await add_client(connection, originator_id, client_id, granted, allowed)

    granted, allowed = grants or GRANTS, scopes or tuple(Scope)
    after = {"client": client_id, "secret": "set", "grants": sorted(granted), "scopes": sorted(map(str, allowed))}
    _show(_changed(work, "credential.issue", originator_id, None, after, why=why, as_json=as_json), as_json=as_json)


@app.command()
def rotate(originator_id: Originator, client_id: Client, why: Why = None, as_json: JsonFlag = False) -> None:
    """Give a client a new secret and show it, once. The old one stops working within two seconds.

    What it fetched before counts to its end; to end that as well: voucherswitch token revoke. To change secrets without
    a gap, add a second client and remove the first one later.

    \b
    Example:
      voucherswitch originator client rotate 33334444 stock-app
    """
    from voucherswitch.catalogue.oauth_clients import rotate_secret

    async def work(connection: "asyncpg.Connection") -> "NewClient":
        return await rotate_secret(connection, originator_id, client_id)

    before, after = {"client": client_id, "secret": "set"}, {"client": client_id, "secret": "changed"}
    _show(_changed(work, "credential.issue", originator_id, before, after, why=why, as_json=as_json), as_json=as_json)


@app.command()
def enable(originator_id: Originator, client_id: Client, why: Why = None) -> None:
    """Let a disabled client fetch and use tokens again.

    \b
    Example:
      voucherswitch originator client enable 33334444 stock-app
    """
    _switch(originator_id, client_id, why, enabled=True)
    print(f"Client {client_id} enabled.")


@app.command()
def disable(originator_id: Originator, client_id: Client) -> None:
    """Let a client fetch no token, and use none that it has.

    \b
    Example:
      voucherswitch originator client disable 33334444 stock-app
    """
    _switch(originator_id, client_id, None, enabled=False)
    print(f"Client {client_id} disabled.")


@app.command()
def remove(originator_id: Originator, client_id: Client) -> None:
    """Forget a client. Its tokens stop working within two seconds.

    \b
    Example:
      voucherswitch originator client remove 33334444 stock-app
    """
    from voucherswitch.catalogue.oauth_clients import remove_client

    async def work(connection: "asyncpg.Connection") -> None:
        await remove_client(connection, originator_id, client_id)

    before, after = {"client": client_id, "secret": "set"}, {"client": client_id, "secret": "removed"}
    _changed(work, "credential.revoke", originator_id, before, after)
    print(f"Client {client_id} removed.")


@app.command(name="list")
def show(
    originator_id: Annotated[str | None, typer.Argument(metavar="ID", help="Only of this originator.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List clients, without their secrets.

    \b
    Example:
      voucherswitch originator client list 33334444
    """

    async def work(connection: "asyncpg.Connection") -> list[dict[str, Any]]:
        rows = await connection.fetch(
            "SELECT client_id, originator_id, enabled, grants, scopes, secret_at FROM oauth_client"
            " WHERE $1::text IS NULL OR originator_id = $1 ORDER BY originator_id, client_id",
            originator_id,
        )
        return [dict(row) for row in rows]

    found = with_database(lambda connection, _: work(connection))
    if as_json:
        print_json([item | {"secret_at": item["secret_at"].isoformat()} for item in found])
        return
    rows = [
        (
            item["originator_id"],
            item["client_id"],
            "yes" if item["enabled"] else "no",
            ", ".join(item["grants"]),
            ", ".join(item["scopes"]),
            item["secret_at"].strftime("%Y-%m-%d %H:%M"),
        )
        for item in found
    ]
    print_table(("Originator", "Client", "Enabled", "Grants", "Scopes", "Secret since"), rows, empty="No clients.")


def _switch(originator_id: str, client_id: str, why: str | None, *, enabled: bool) -> None:
    from voucherswitch.catalogue.oauth_clients import enable_client

    async def work(connection: "asyncpg.Connection") -> None:
        await enable_client(connection, originator_id, client_id, enabled=enabled)

    before, after = {"client": client_id, "enabled": not enabled}, {"client": client_id, "enabled": enabled}
    _changed(work, "originator.change", originator_id, before, after, why=why, at_once=not enabled)


def _changed(
    work: "Callable[[asyncpg.Connection], Awaitable[Any]]",
    action: str,
    originator_id: str,
    before: dict[str, Any] | None,
    after: dict[str, Any],
    *,
    why: str | None = None,
    at_once: bool = False,
    as_json: bool = False,
) -> Any:
    """Do it, and say so in the audit trail; or ask for it."""

    async def recorded(connection: "asyncpg.Connection") -> Any:
        async with changing(connection, action, "originator", originator_id, why=why) as change:
            done = await work(connection)
            change.before = before
            change.after = after | ({"client": done.client_id} if done is not None else {})
            change.asked, change.asked_id = after, f"{originator_id} client {after['client'] or 'of a new name'}"
            if at_once:
                change.needs = None
        return done

    try:
        return with_database(lambda connection, _: recorded(connection))
    except Asked as asked:
        if not as_json:
            raise
        print_json({"request": asked.request})
        raise typer.Exit from None


def _show(new: "NewClient", *, as_json: bool) -> None:
    if as_json:
        print_json({"client_id": new.client_id, "client_secret": new.secret})
        return
    print(f"Client id:      {new.client_id}")
    print(f"Client secret:  {new.secret}")
    print("The secret is not shown again.")
