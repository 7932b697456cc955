"""`voucherswitch db`: where the database is, and bringing it to this release's schema."""

import asyncio

import typer

from voucherswitch.cli.context import connect, load_settings, own_server, running_database

app = typer.Typer(help="The journal's database.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def url() -> None:
    """Print the connection string of the database, and nothing else.

    \b
    Example:
      psql "$(voucherswitch db url)"
    """
    print(running_database(load_settings()))


@app.command()
def migrate() -> None:
    """Bring the database to the schema of this release. Safe while the previous release is running.

    `voucherswitch up` does this by itself; the single processes only check.
    """
    settings = load_settings()
    if settings.database_url is not None:
        asyncio.run(migrated(settings.database_url))
    else:
        with own_server(settings) as own_url:
            asyncio.run(migrated(own_url))
    print("The database has the schema of this release.")


async def migrated(database_url: str) -> None:
    """Apply what is missing, once the database is known to answer.

    Raises:
        DatabaseError: it does not.
    """
    from voucherswitch.journal.migrate import migrate as apply
    from voucherswitch.journal.migrate import pending

    connection = await connect(database_url)
    await connection.close()
    if await pending(database_url):
        await apply(database_url)
