"""`voucherswitch product sync`: a provider's own product list beside our catalogue, and a draft that follows it."""

import csv
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from voucherswitch.cli.amounts import rand
from voucherswitch.cli.context import with_database
from voucherswitch.cli.errors import FAILED, CommandError, usage_error
from voucherswitch.cli.output import JsonFlag, print_json, print_table
from voucherswitch.cli.product_rows import COLUMNS

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.catalogue.differences import Difference
    from voucherswitch.catalogue.snapshot import Catalogue, Product
    from voucherswitch.config.settings import Settings
    from voucherswitch.message.orders import ProviderProduct

_LIST_S: Final = 30.0  # a provider that takes longer for its list does not have one


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(sync)


def sync(
    provider: Annotated[str, typer.Argument(metavar="PROVIDER", help="Its id.", show_default=False)],
    receiver: Annotated[
        str | None, typer.Option(metavar="ID", help="Voucher provider of what is new; else that of its other products.")
    ] = None,
    draft_file: Annotated[
        Path | None, typer.Option("--draft", metavar="FILE", help="Write what would follow the provider, as CSV.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Ask a provider what it sells, and show how our catalogue differs. Nothing is changed.

    The draft holds what is new and what has changed, with its routes. Look it through, name things as your shops do,
    and take it in with `product import`. What the provider no longer lists is only shown.

    \b
    Examples:
      voucherswitch product sync flash
      voucherswitch product sync flash --draft flash.csv
      voucherswitch product import flash.csv
    """
    from voucherswitch.catalogue.differences import Change, differences, draft

    async def work(
        connection: "asyncpg.Connection", settings: "Settings"
    ) -> "tuple[Catalogue, Sequence[ProviderProduct]]":
        return await _listed(connection, settings, provider)

    catalogue, listed = with_database(work)
    found = differences(catalogue, provider, listed)
    if draft_file is not None:
        owner = receiver or _only_receiver(catalogue, provider)
        rows = list(draft(found, provider, owner))
        with draft_file.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
    if as_json:
        print_json(found)
        return
    table = [
        (item.change.value, item.provider_product, _theirs(item), item.ours.id if item.ours else "", _ours(item.ours))
        for item in found
        if item.change is not Change.SAME
    ]
    same = sum(item.change is Change.SAME for item in found)
    print_table(
        ("", f"At {provider}", "Sells", "Our product", "Promises"),
        table,
        empty=f"Nothing differs: {provider} lists {len(listed)} products, {same} of ours lead to them.",
    )
    if draft_file is not None:
        print(
            f"{len(rows)} lines are in {draft_file}; look through them, then: voucherswitch product import {draft_file}"
        )


async def _listed(
    connection: "asyncpg.Connection", settings: "Settings", provider_id: str
) -> "tuple[Catalogue, Sequence[ProviderProduct]]":
    from voucherswitch.catalogue import store
    from voucherswitch.message.outcomes import OutcomeUnknown
    from voucherswitch.message.trace import Trace
    from voucherswitch.process import open_vault
    from voucherswitch.providers.contract.connector import Call
    from voucherswitch.providers.registry import build

    catalogue = await store.load(connection)
    known = catalogue.providers.get(provider_id)
    if known is None:
        raise CommandError(f"provider {provider_id} does not exist; see: voucherswitch provider list")
    vault = await open_vault(settings, connection)
    own = dict(known.settings) | store.open_secrets(vault, known)
    connector = build(known.connector, provider_id, own, sandbox=settings.is_sandbox)
    try:
        if not connector.capabilities.products.sends:
            raise CommandError(f"{provider_id} has no product list to ask for: its products are those of the catalogue")
        listed = await connector.products(Call(trace=Trace(), deadline=time.monotonic() + _LIST_S))
    finally:
        await connector.close()
    if isinstance(listed, OutcomeUnknown):
        reason = listed.provider_message or listed.provider_code or "no usable answer"
        raise CommandError(f"{provider_id} did not tell its products: {reason}", FAILED)
    return catalogue, listed


def _only_receiver(catalogue: "Catalogue", provider_id: str) -> str:
    """The voucher provider of all that leads to the provider today."""
    receivers = {
        receiver_id
        for (receiver_id, _), routes in catalogue.routes.items()
        if any(route.provider_id == provider_id for route in routes)
    }
    if len(receivers) != 1:
        usage_error(
            f"{len(receivers)} voucher providers lead to {provider_id}: name that of new products by --receiver"
        )
    return receivers.pop()


def _theirs(item: "Difference") -> str:
    if item.theirs is None:
        return ""
    return f"{item.theirs.name}, {_value(item.theirs)}"


def _ours(product: "Product | None") -> str:
    return "" if product is None else _value(product)


def _value(item: "Product | ProviderProduct") -> str:
    if item.amount_cents is not None:
        return rand(item.amount_cents)
    return f"{rand(item.min_cents)} to {rand(item.max_cents)}"
