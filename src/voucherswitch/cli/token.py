"""`voucherswitch token`: the keys that sign tokens, and taking tokens back."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from voucherswitch.cli.actor import changing
from voucherswitch.cli.context import with_database
from voucherswitch.cli.output import JsonFlag, print_json, print_table

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.config.settings import Settings

app = typer.Typer(help="Tokens (OAuth2): keys, and taking back.", no_args_is_help=True, rich_markup_mode=None)
keys = typer.Typer(help="The keys that sign tokens.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(keys, name="keys")


@app.command()
def revoke(originator: Annotated[str, typer.Option(metavar="ID", help="Whose tokens.")]) -> None:
    """Make every token of an originator worthless within two seconds, refresh tokens included.

    Its clients fetch new ones with their secrets; where a secret has leaked, give the client another one first. Of an
    outside issuer's tokens, those that were issued before this moment count no more.

    \b
    Example:
      voucherswitch token revoke --originator 33334444
    """

    async def work(connection: "asyncpg.Connection") -> None:
        from voucherswitch.catalogue.oauth_clients import revoke_all

        async with changing(connection, "credential.revoke", "originator", originator) as change:
            change.before, change.after = {"tokens": "set"}, {"tokens": "removed"}
            await revoke_all(connection, originator)

    with_database(lambda connection, _: work(connection))
    print(f"All tokens of originator {originator} are revoked.")


@keys.command(name="list")
def show(as_json: JsonFlag = False) -> None:
    """List the keys: the next one, the one that signs, and those that signed before.

    \b
    Example:
      voucherswitch token keys list
    """

    async def work(connection: "asyncpg.Connection") -> list[dict[str, Any]]:
        from voucherswitch.journal.statements import SQL
        from voucherswitch.security.oauth.keys import KeyState

        return [
            {
                "kid": row["kid"],
                "state": KeyState(row["state"]).name.lower(),
                **{name: row[name] and row[name].isoformat() for name in ("made_at", "activated_at", "retired_at")},
            }
            for row in await connection.fetch(SQL["token_key_times"])
        ]

    found = with_database(lambda connection, _: work(connection))
    if as_json:
        print_json(found)
        return
    rows = [
        (item["kid"], item["state"], *(_minute(item[name]) for name in ("made_at", "activated_at", "retired_at")))
        for item in found
    ]
    print_table(("Key", "State", "Made", "Signs since", "Retired"), rows, empty="No keys; a running switch makes them.")


@keys.command()
def rotate(
    compromised: Annotated[
        bool, typer.Option("--compromised", help="Take back all keys, and with them every token signed so far.")
    ] = False,
) -> None:
    """Let the next key sign from now on; the worker does it by itself every `token_key_days`. No token breaks.

    With --compromised every key is taken back and new ones are made: all originators need new tokens.

    \b
    Examples:
      voucherswitch token keys rotate
      voucherswitch token keys rotate --compromised
    """

    async def work(connection: "asyncpg.Connection", settings: "Settings") -> None:
        from voucherswitch.catalogue.token_keys import replace_token_keys, rotate_token_keys
        from voucherswitch.process import open_vault

        vault = await open_vault(settings, connection)
        action = "key.retire" if compromised else "key.activate"
        async with changing(connection, action, "token_key", None) as change:
            change.before = await _signing(connection)
            taken_back = 0
            if compromised:
                taken_back = await replace_token_keys(connection, vault)
            else:
                await rotate_token_keys(connection, vault)
            change.after = {**await _signing(connection), "taken_back": taken_back}

    with_database(work)
    print("All keys are taken back, and new ones sign." if compromised else "The next key signs from now on.")


async def _signing(connection: "asyncpg.Connection") -> dict[str, Any]:
    """Which key signs, by the id that is published."""
    from voucherswitch.security.oauth.keys import KeyState

    return {"signs": await connection.fetchval("SELECT kid FROM token_key WHERE state = $1", KeyState.ACTIVE)}


def _minute(moment: str | None) -> str:
    return moment[:16].replace("T", " ") if moment else ""
