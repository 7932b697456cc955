"""`voucherswitch receiver`: voucher providers, the brands that customers buy. Messages call them receivers."""

from typing import TYPE_CHECKING, Annotated

import typer

from voucherswitch.cli.actor import Why, changing
from voucherswitch.cli.context import with_database
from voucherswitch.cli.output import JsonFlag, print_json, print_table
from voucherswitch.cli.product_rows import check_text

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.catalogue.snapshot import VoucherProvider

app = typer.Typer(
    help="Voucher providers: the brands, `receiver` in messages.", no_args_is_help=True, rich_markup_mode=None
)


@app.command()
def add(
    receiver_id: Annotated[str, typer.Argument(metavar="ID", help="Its institution id.")],
    name: Annotated[str, typer.Option(metavar="TEXT", help="Its name, as slips show it.")],
    settlement_id: Annotated[str, typer.Option(metavar="ID", help="The institution through which its sales settle.")],
    settlement_name: Annotated[str, typer.Option(metavar="TEXT", help="That institution's name.")],
    why: Why = None,
) -> None:
    """Add a voucher provider, or change the names of a known one.

    In production somebody else must agree: asked for with --why, done by the same command once it is agreed to.

    \b
    Example:
      voucherswitch receiver add 77777777 --name "Marula Music" --settlement-id 33333333 --settlement-name "Settler"
    """
    for what, text in (("name", name), ("settlement name", settlement_name)):
        check_text(what, text, 1, 40)
    for what, text in (("id", receiver_id), ("settlement id", settlement_id)):
        check_text(what, text, 1, 255)

    async def work(connection: "asyncpg.Connection", _: object) -> None:
        from voucherswitch.catalogue.snapshot import VoucherProvider
        from voucherswitch.catalogue.store import put_voucher_provider
        from voucherswitch.message.parties import Institution

        brand = VoucherProvider(
            receiver=Institution(id=receiver_id, name=name),
            settlement=Institution(id=settlement_id, name=settlement_name),
        )
        async with changing(connection, "receiver.change", "receiver", receiver_id, why=why) as change:
            before = await connection.fetchrow(
                "SELECT * FROM voucher_provider WHERE receiver_id = $1 FOR UPDATE", receiver_id
            )
            change.before = dict(before) if before else None
            change.after = {
                "receiver_id": receiver_id,
                "name": name,
                "settlement_id": settlement_id,
                "settlement_name": settlement_name,
            }
            await put_voucher_provider(connection, brand)

    with_database(work)
    print(
        f"Voucher provider {receiver_id} is in the catalogue; next: voucherswitch route add --receiver {receiver_id} …"
    )


@app.command(name="list")
def show(as_json: JsonFlag = False) -> None:
    """List all voucher providers."""

    async def work(connection: "asyncpg.Connection", _: object) -> "list[VoucherProvider]":
        from voucherswitch.catalogue.store import load

        return list((await load(connection)).voucher_providers.values())

    brands = with_database(work)
    if as_json:
        print_json(brands)
        return
    rows = [(brand.receiver.id, brand.receiver.name, brand.settlement.id, brand.settlement.name) for brand in brands]
    print_table(("Id", "Name", "Settles through", "Name"), rows, empty="No voucher providers.")
