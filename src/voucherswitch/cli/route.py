"""`voucherswitch route`: where requests go, and why."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from voucherswitch.cli.actor import Why, changing
from voucherswitch.cli.amounts import AMOUNT_HELP, amount_option, rand
from voucherswitch.cli.context import with_database
from voucherswitch.cli.errors import FAILED, CommandError, usage_error
from voucherswitch.cli.output import JsonFlag, print_json, print_table

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.catalogue.snapshot import Catalogue, Originator, Provider, Route
    from voucherswitch.config.settings import Settings
    from voucherswitch.message.refusals import Refusal
    from voucherswitch.providers.gate import Shut
    from voucherswitch.switch.routing import Passed, Plan

app = typer.Typer(help="Routes: where requests go.", no_args_is_help=True, rich_markup_mode=None)

Amount = Annotated[int | None, typer.Option(parser=amount_option, metavar="RAND", help=f"Amount {AMOUNT_HELP}.")]


@app.command()
def add(
    provider: Annotated[str, typer.Option(metavar="ID", help="The service provider it leads to.")],
    provider_product: Annotated[str, typer.Option(metavar="CODE", help="What that provider calls the product.")],
    product: Annotated[
        str | None, typer.Option(metavar="ID", help="For this product; without one, for requests that name none.")
    ] = None,
    receiver: Annotated[
        str | None, typer.Option(metavar="ID", help="Its voucher provider; a product's own when not given.")
    ] = None,
    priority: Annotated[int, typer.Option(min=0, max=32_767, help="The lowest is tried first.")] = 1,
    weight: Annotated[int, typer.Option(min=1, max=1_000, help="Share among routes of the same priority.")] = 1,
    default_amount: Annotated[
        int | None,
        typer.Option(parser=amount_option, metavar="RAND", help="Value where neither request nor product names one."),
    ] = None,
    enabled: Annotated[bool, typer.Option("--enabled/--disabled", help="Use it.")] = True,
    why: Why = None,
) -> None:
    """Add a route, or change the one between the same ends. In force within two seconds.

    A request goes to the enabled route with the lowest priority; the next is tried only when the one before provably
    processed nothing. In production somebody else must agree: asked for with --why, done by the same command once it is
    agreed to. Another weight alone, and --disabled, are done at once.

    \b
    Examples:
      voucherswitch route add --product GIFT75 --provider sandbox --provider-product SBXANY
      voucherswitch route add --product GIFT75 --provider sandbox --provider-product SBXANY --disabled
      voucherswitch route add --receiver 44444444 --provider sandbox --provider-product SBXANY --default-amount 100
    """
    if product is None and receiver is None:
        usage_error("name a --product, or a --receiver")

    async def work(connection: "asyncpg.Connection", _: object) -> int:
        from voucherswitch.catalogue.snapshot import Route
        from voucherswitch.catalogue.store import put_route

        wanted = Route(
            id=0,
            product_id=product,
            receiver_id=await _receiver_of(connection, product, receiver),
            provider_id=provider,
            provider_product=provider_product,
            default_cents=default_amount,
            priority=priority,
            weight=weight,
            enabled=enabled,
        )
        async with changing(connection, "route.change", "route", None, why=why) as change:
            before = await connection.fetchrow(
                "SELECT * FROM route WHERE product_id IS NOT DISTINCT FROM $1 AND receiver_id = $2 "
                "AND provider_id = $3 AND provider_product = $4 FOR UPDATE",
                product, wanted.receiver_id, provider, provider_product,
            )  # fmt: skip
            route_id = await put_route(connection, wanted)
            after = await connection.fetchrow("SELECT * FROM route WHERE route_id = $1", route_id)
            assert after is not None  # it was put just now
            change.object_id, change.before, change.after = str(route_id), dict(before) if before else None, dict(after)
            # A new one has another number each time it is tried.
            change.asked = {name: value for name, value in after.items() if before or name != "route_id"}
            change.asked_id = f"{product or wanted.receiver_id} to {provider}/{provider_product}"
            weighed = before is not None and {**before, "weight": weight} == dict(after)
            if weighed or not enabled:
                change.needs = None  # minutes matter
        return route_id

    route_id = with_database(work)
    print(f"Route {route_id} {'is in force' if enabled else 'is disabled'}: {product or receiver} to {provider}.")


@app.command(name="list")
def show(
    product: Annotated[str | None, typer.Option(metavar="ID", help="Only those of this product.")] = None,
    provider: Annotated[str | None, typer.Option(metavar="ID", help="Only those to this provider.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List routes in the order in which they are tried.

    \b
    Example:
      voucherswitch route list --product MOBIANY
    """

    async def work(connection: "asyncpg.Connection", _: object) -> "list[Route]":
        from voucherswitch.catalogue.store import load

        return [route for routes in (await load(connection)).routes.values() for route in routes]

    found = [
        route
        for route in with_database(work)
        if product in (None, route.product_id) and provider in (None, route.provider_id)
    ]
    if as_json:
        print_json(found)
        return
    rows = [
        (
            item.id, item.product_id or "(none named)", item.receiver_id, item.provider_id, item.provider_product,
            item.priority, item.weight, rand(item.default_cents), "" if item.enabled else "disabled",
        )
        for item in found
    ]  # fmt: skip
    columns = (">Id", "Product", "Receiver", "Provider", "Its product", ">Priority", ">Weight", ">Default", "Notes")
    print_table(columns, rows, empty="No such routes.")


@app.command()
def preview(
    product: Annotated[str | None, typer.Option(metavar="ID", help="What would be asked for.")] = None,
    receiver: Annotated[str | None, typer.Option(metavar="ID", help="Of which voucher provider.")] = None,
    amount: Amount = None,
    originator: Annotated[
        str | None, typer.Option(metavar="ID", help="By whom.  [default: one that may sell everything]")
    ] = None,
    tendered: Annotated[
        int | None, typer.Option(parser=amount_option, metavar="RAND", help="What the customer has paid in cash.")
    ] = None,
    names_code: Annotated[bool, typer.Option("--names-code", help="The originator names the voucher's code.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show where a provision would go: every route in order, why it is taken or why it is passed over. Sends nothing.

    It asks the very function that the switch asks, on the catalogue of this moment. Exit code 1: it would be refused.

    \b
    Examples:
      voucherswitch route preview --product MOBIANY --amount 100
      voucherswitch route preview --receiver 44444444 --originator 22222222
    """
    if product is None and receiver is None:
        usage_error("name a --product, or a --receiver")

    async def work(connection: "asyncpg.Connection", settings: "Settings") -> dict[str, Any]:
        from voucherswitch.catalogue.store import load
        from voucherswitch.message.codes import ZAR
        from voucherswitch.message.parties import Tender
        from voucherswitch.providers.breaker import NEVER_OPENED, read
        from voucherswitch.providers.gate import breaker_text, shut_now
        from voucherswitch.switch.routing import Wish, plan

        catalogue = await load(connection)
        wish = Wish(
            receiver_id=receiver,
            product_id=product,
            amount_cents=amount,
            currency=ZAR,
            names_code=names_code,
            tenders=() if tendered is None else (Tender(type="CASH", amount_cents=tendered, currency=ZAR),),
        )
        capabilities, faults = await _capabilities(settings, connection, catalogue)
        breakers = await read(connection)

        def shutting(provider: "Provider") -> "Shut | None":
            return shut_now(provider, breakers.get(provider.id, NEVER_OPENED))

        decided, passed = plan(wish, _originator(catalogue, originator), catalogue, capabilities, shutting)
        trials = {name: breaker_text(one) for name, one in breakers.items() if one.opened_at is not None}
        return _described(decided, passed, faults, trials)

    described = with_database(work)
    if as_json:
        print_json(described)
    else:
        rows = [
            (row["order"], row["verdict"], row["route_id"], row["provider_id"], row["provider_product"],
             row["priority"], row["weight"], rand(row["amount_cents"]), row["reason"])
            for row in described["routes"]
        ]  # fmt: skip
        columns = (">", "", ">Route", "Provider", "Its product", ">Priority", ">Weight", ">Amount", "Why")
        print_table(columns, rows, empty="No route is set up for this product and voucher provider.")
    if described["refusal"] is not None:
        raise CommandError(f"it would be refused: {described['refusal']}", FAILED)


async def _receiver_of(connection: "asyncpg.Connection", product: str | None, receiver: str | None) -> str:
    if product is None:
        return receiver or ""
    own = await connection.fetchval("SELECT receiver_id FROM product WHERE product_id = $1", product)
    if own is None:
        raise CommandError(f"product {product} is not known; add it first: voucherswitch product add")
    if receiver is not None and receiver != own:
        raise CommandError(f"product {product} is of voucher provider {own}, not of {receiver}: leave --receiver out")
    return str(own)


async def _capabilities(
    settings: "Settings", connection: "asyncpg.Connection", catalogue: "Catalogue"
) -> tuple[dict[str, Any], dict[str, str]]:
    """What each provider can do with its present settings, and why some can do nothing: as the switch finds out."""
    from voucherswitch.process import open_vault
    from voucherswitch.providers.pool import ProviderPool

    pool = ProviderPool(await open_vault(settings, connection), in_flight_max=1, sandbox=settings.is_sandbox)
    try:
        await pool.refresh(catalogue)
        return dict(pool.capabilities), dict(pool.faults)
    finally:
        await pool.close()


def _originator(catalogue: "Catalogue", originator_id: str | None) -> "Originator":
    from voucherswitch.catalogue.snapshot import Originator

    if originator_id is None:
        return Originator(id="", name="", password_hash="")
    known = catalogue.originators.get(originator_id)
    if known is None:
        raise CommandError(f"originator {originator_id} does not exist; see: voucherswitch originator list")
    return known


def _described(
    decided: "Plan | Refusal | Shut", passed: "list[Passed]", faults: dict[str, str], trials: dict[str, str]
) -> dict[str, Any]:
    """The decision as rows: what is tried, in order, then what is passed over.

    Args:
        faults: why providers have no connector.
        trials: of the open circuit breakers, since when and why; one of a provider that is taken lets one call through.
    """
    from voucherswitch.switch.routing import Plan

    rows: list[dict[str, Any]] = []
    candidates = decided.candidates if isinstance(decided, Plan) else ()
    for order, candidate in enumerate(candidates, 1):
        alike = [item.route.weight for item in candidates if item.route.priority == candidate.route.priority]
        reason = "tried first" if order == 1 else f"tried when {order - 1} before it processed nothing"
        if len(alike) > 1:
            reason += f"; first of its priority in {candidate.route.weight * 100 // sum(alike)} of 100 requests"
        if candidate.provider.id in trials:
            reason += f"; by one call at a time, as a trial: {trials[candidate.provider.id]}"
        rows.append(_row(candidate.route, "take", reason, order=order, amount_cents=candidate.amount_cents))
    for item in passed:
        reason = (
            item.reason if item.route.provider_id not in faults else f"{item.reason}: {faults[item.route.provider_id]}"
        )
        rows.append(_row(item.route, "pass", reason))
    refusal = None if isinstance(decided, Plan) else _refusal(decided)
    return {"refusal": refusal, "routes": rows}


def _refusal(decided: "Refusal | Shut") -> str:
    from voucherswitch.message.refusals import Refusal
    from voucherswitch.switch.admitting import NOT_ASKED

    if isinstance(decided, Refusal):
        return f"{decided.error_type}: {decided.message} {decided.explanation or ''}".strip()
    return f"{NOT_ASKED.error_type}: {NOT_ASKED.message} {decided.why}"


def _row(
    route: "Route", verdict: str, reason: str, *, order: int | None = None, amount_cents: int | None = None
) -> dict[str, Any]:
    return {
        "order": order,
        "verdict": verdict,
        "route_id": route.id,
        "provider_id": route.provider_id,
        "provider_product": route.provider_product,
        "priority": route.priority,
        "weight": route.weight,
        "amount_cents": amount_cents,
        "reason": reason,
    }
