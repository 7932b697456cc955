"""`voucherswitch provider maintenance` and `close-breaker`: when a provider is asked, and when it is passed over."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from voucherswitch.cli.actor import changing
from voucherswitch.cli.context import with_database
from voucherswitch.cli.errors import NOT_FOUND, CommandError, usage_error
from voucherswitch.cli.output import JsonFlag, print_json, print_table, when

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.catalogue.snapshot import Maintenance

maintenance = typer.Typer(
    help="Maintenance windows: when a provider is not asked.", no_args_is_help=True, rich_markup_mode=None
)

ProviderId = Annotated[str, typer.Argument(metavar="ID", help="The provider's id.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(name="close-breaker")(close_breaker)
    app.add_typer(maintenance, name="maintenance")


def close_breaker(provider_id: ProviderId) -> None:
    """Send to a provider again that is passed over because it failed: close its circuit breaker now.

    Seldom needed: after a cool-down of a minute at most one call tries by itself. In force within two seconds; it opens
    again if the provider still fails. Exit code 3: it is not open.

    \b
    Example:
      voucherswitch provider close-breaker sandbox
    """

    async def work(connection: "asyncpg.Connection", _: object) -> bool:
        from voucherswitch.providers.breaker import close

        async with changing(connection, "breaker.reset", "provider", provider_id) as change:
            closed = await close(connection, provider_id)
            change.nothing = not closed
            change.before, change.after = {"breaker": "open"}, {"breaker": "closed"}
        return closed

    if not with_database(work):
        raise CommandError(f"no circuit breaker of {provider_id} is open; see: voucherswitch provider list", NOT_FOUND)
    print(f"The circuit breaker of {provider_id} is closed: requests and advices are sent to it again.")


def moment(text: str) -> datetime:
    """A time with its zone: 2026-03-15T22:00+02:00, or with a Z for UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        usage_error(f"{text!r} is not a time like 2026-03-15T22:00+02:00")
    if found.tzinfo is None:
        usage_error(f"{text!r} has no zone: write {text}+02:00, or {text}Z for UTC")
    return found.astimezone(UTC)


@maintenance.command()
def add(
    provider_id: ProviderId,
    until: Annotated[datetime, typer.Option(parser=moment, metavar="TIME", help="Its end, with a zone.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for whoever looks later.")],
    start: Annotated[
        datetime | None,
        typer.Option("--from", parser=moment, metavar="TIME", help="Its beginning, with a zone.  [default: now]"),
    ] = None,
) -> None:
    """Agree on a time in which the provider is not asked. In force within two seconds.

    Sales go to the next route, or are answered 503 like redemptions, refunds and lookups; its advices wait.

    \b
    Examples:
      voucherswitch provider maintenance add sandbox --until 2026-03-15T23:30+02:00 --reason "their release"
      voucherswitch provider maintenance add sandbox --from 2026-03-15T22:00Z --until 2026-03-15T23:30Z --reason INC-7
    """

    async def work(connection: "asyncpg.Connection", _: object) -> tuple[int, datetime]:
        from voucherswitch.catalogue.store import add_maintenance

        starts_at = start or await connection.fetchval("SELECT clock_timestamp()")
        async with changing(connection, "maintenance.add", "provider", provider_id, reason=reason) as change:
            number = await add_maintenance(connection, provider_id, starts_at, until, reason)
            change.after = {"window": number, "starts_at": starts_at, "ends_at": until}
        return number, starts_at

    window_id, starts_at = with_database(work)
    print(f"Window {window_id}: {provider_id} is not asked from {when(starts_at)} until {when(until)}.")


@maintenance.command(name="list")
def show(
    provider_id: Annotated[str | None, typer.Option("--provider", metavar="ID", help="Only this provider's.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List windows: those that run, lie ahead, or were over in the last 90 days.

    \b
    Example:
      voucherswitch provider maintenance list
    """

    async def work(connection: "asyncpg.Connection", _: object) -> "tuple[datetime, list[Maintenance]]":
        from voucherswitch.catalogue.store import list_maintenance

        now = await connection.fetchval("SELECT clock_timestamp()")
        return now, await list_maintenance(connection, provider_id)

    now, windows = with_database(work)
    if as_json:
        print_json(windows)
        return
    rows = [
        (
            item.id, item.provider_id, item.starts_at, item.ends_at,
            "over" if item.ends_at <= now else "runs" if item.starts_at <= now else "ahead", item.reason,
        )
        for item in windows
    ]  # fmt: skip
    print_table((">Window", "Provider", "From", "Until", "State", "Reason"), rows, empty="No maintenance windows.")


@maintenance.command()
def end(
    window_id: Annotated[int, typer.Argument(metavar="WINDOW", help="Its number, as listed.", show_default=False)],
) -> None:
    """End a window now, or take out one that has not begun. In force within two seconds. Exit code 3: it is over.

    \b
    Example:
      voucherswitch provider maintenance end 12
    """

    async def work(connection: "asyncpg.Connection", _: object) -> "tuple[str, bool] | None":
        from voucherswitch.catalogue.store import end_maintenance

        async with changing(connection, "maintenance.end", "provider", None) as change:
            ended = await end_maintenance(connection, window_id)
            change.nothing = ended is None
            if ended is not None:
                change.object_id = ended[0]
                change.before = {"window": window_id, "had_begun": ended[1]}
                change.after = {"window": window_id, "ended": True}
        return ended

    ended = with_database(work)
    if ended is None:
        raise CommandError(f"window {window_id} is over, or never was; see: provider maintenance list", NOT_FOUND)
    provider_id, had_begun = ended
    print(f"{provider_id} is asked again." if had_begun else f"Window {window_id} of {provider_id} is taken out.")
