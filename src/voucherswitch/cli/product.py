"""`voucherswitch product`: what is sold. Changes are in force in every switch process within two seconds."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voucherswitch.cli import product_sync
from voucherswitch.cli.actor import Why, changing
from voucherswitch.cli.amounts import AMOUNT_HELP, rand
from voucherswitch.cli.context import with_database
from voucherswitch.cli.errors import FAILED, CommandError, say
from voucherswitch.cli.output import JsonFlag, print_json, print_table
from voucherswitch.cli.product_rows import product_of

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.catalogue.snapshot import Catalogue, Product

app = typer.Typer(help="Products: what is sold.", no_args_is_help=True, rich_markup_mode=None)

product_sync.register(app)

# Bad lines that are told one by one; a file with more of them is the wrong file.
_TOLD_MAX = 100


@app.command()
def add(
    product_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, as originators send it.")],
    receiver: Annotated[str, typer.Option(metavar="ID", help="Its voucher provider.")],
    name: Annotated[str, typer.Option(metavar="TEXT", help="Its name, as slips and lists show it.")],
    amount: Annotated[str | None, typer.Option(metavar="RAND", help=f"Fixed value {AMOUNT_HELP}.")] = None,
    low: Annotated[str | None, typer.Option("--min", metavar="RAND", help="Or the lowest value …")] = None,
    high: Annotated[str | None, typer.Option("--max", metavar="RAND", help="… and the highest.")] = None,
    barcode: Annotated[str | None, typer.Option(metavar="CODE", help="1 to 13 letters and digits.")] = None,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="For lists of products.")] = None,
    channel: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Channel that lists it; may be repeated.")
    ] = None,
    listed: Annotated[bool, typer.Option("--listed/--unlisted", help="Show it in product lookups.")] = True,
    enabled: Annotated[bool, typer.Option("--enabled/--disabled", help="Sell it.")] = True,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a product that has this id.")] = False,
    why: Why = None,
) -> None:
    """Add a product. It is sold once it has a route: see `voucherswitch route add`.

    In production somebody else must agree: asked for with --why, done by the same command once it is agreed to. A
    disabled one is put at once.

    \b
    Examples:
      voucherswitch product add GIFT75 --receiver 55555555 --name "Protea Gift R75" --amount 75
      voucherswitch product add GIFTANY --receiver 55555555 --name "Protea Gift" --min 5 --max 1000 --channel TILL
    """
    product = product_of(
        {
            "product_id": product_id, "receiver_id": receiver, "name": name, "barcode": barcode,
            "description": description, "amount": amount, "min": low, "max": high,
            "channels": "|".join(channel or ()), "listed": "yes" if listed else "no",
            "enabled": "yes" if enabled else "no",
        }
    )  # fmt: skip
    with_database(lambda connection, _: _put(connection, product, why, replace=replace))
    print(
        f"Product {product_id} is in the catalogue. Where it goes: voucherswitch route preview --product {product_id}"
    )


@app.command(name="list")
def show(
    receiver: Annotated[str | None, typer.Option(metavar="ID", help="Only those of this voucher provider.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also unlisted and disabled ones.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List the catalogue as the database holds it; `voucherswitch products` lists what an originator sees.

    \b
    Example:
      voucherswitch product list --all --json | jq '.[] | select(.enabled | not)'
    """
    catalogue = with_database(lambda connection, _: _load(connection))
    found = [
        product
        for product in catalogue.products.values()
        if (receiver is None or product.receiver_id == receiver) and (every or (product.listed and product.enabled))
    ]
    if as_json:
        print_json(found)
        return
    rows = [
        (item.id, item.name, _value(item), item.receiver_id, _routes(item, catalogue), _notes(item)) for item in found
    ]
    columns = ("Product", "Name", ">Value", "Voucher provider", "Goes to", "Notes")
    print_table(columns, rows, empty="No such products; with --all also unlisted and disabled ones.")


@app.command(name="import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV with a header line, UTF-8.", exists=True, dir_okay=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check it.")] = False,
    why: Why = None,
) -> None:
    """Add or replace the products of a CSV file: all of them or, when a line is bad, none.

    Columns: product_id, receiver_id, name (needed), barcode, description, amount (fixed value) or min and max, channels
    (names with | between), listed, enabled (yes or no), provider and provider_product (a route to it). Amounts are in
    rand. Every bad line is told with its number. In production somebody else must agree, as to `product add`: to a file
    of this name and content, of which the request tells the SHA-256.

    \b
    Example:
      product_id,receiver_id,name,amount,min,max,channels
      GIFT75,55555555,Protea Gift R75,75,,,TILL|APP
      GIFTANY,55555555,Protea Gift,,5,1000.00,TILL
      voucherswitch product import catalogue.csv --dry-run
    """
    from voucherswitch.catalogue.store import load
    from voucherswitch.cli.product_file import read_products, store_products

    found = read_products(file, with_database(lambda connection, _: load(connection)))
    for bad in found.bad[:_TOLD_MAX]:
        print(f"line {bad.line}: {bad.reason}")
    if len(found.bad) > _TOLD_MAX:
        print(f"… and {len(found.bad) - _TOLD_MAX} more bad lines")
    if found.bad:
        raise CommandError(f"{file}: {len(found.bad)} of {found.lines} lines are bad; nothing was imported", FAILED)
    if dry_run:
        print(f"{found.lines} lines are good; nothing was imported (--dry-run).")
        return
    source = {"file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    with_database(lambda connection, _: store_products(connection, found.products, found.routes, source, why))
    print(f"{len(found.products)} products imported.")
    unrouted = found.unrouted
    if unrouted:
        say(f"{len(unrouted)} of them have no route and cannot be sold yet, for instance {unrouted[0]}")


async def _put(connection: "asyncpg.Connection", product: "Product", why: str | None, *, replace: bool) -> None:
    from voucherswitch.catalogue.store import put_product

    async with changing(connection, "product.change", "product", product.id, why=why) as change:
        known = await connection.fetchrow("SELECT * FROM product WHERE product_id = $1 FOR UPDATE", product.id)
        if known and not replace:
            raise CommandError(f"product {product.id} exists already; add --replace to change it")
        change.before = {**known, "channels": json.loads(known["channels"])} if known else None
        await put_product(connection, product)
        stored = await connection.fetchrow("SELECT * FROM product WHERE product_id = $1", product.id)
        assert stored is not None  # it was put just now
        change.after = {**stored, "channels": json.loads(stored["channels"])}
        if not product.enabled:
            change.needs = None  # nobody can sell it, and minutes may matter


async def _load(connection: "asyncpg.Connection") -> "Catalogue":
    from voucherswitch.catalogue.store import load

    return await load(connection)


def _value(product: "Product") -> str:
    if product.amount_cents is not None:
        return rand(product.amount_cents)
    return f"{rand(product.min_cents)} to {rand(product.max_cents)}"


def _routes(product: "Product", catalogue: "Catalogue") -> str:
    routes = catalogue.routes.get((product.receiver_id, product.id), ())
    return ", ".join(dict.fromkeys(route.provider_id for route in routes if route.enabled)) or "nowhere"


def _notes(product: "Product") -> str:
    notes: Sequence[tuple[bool, str]] = ((not product.enabled, "disabled"), (not product.listed, "unlisted"))
    return ", ".join(text for holds, text in notes if holds)
