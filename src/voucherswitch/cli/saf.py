"""`voucherswitch saf`: store-and-forward, the advices that providers have still to be told."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from uuid import UUID

import typer

from voucherswitch.cli.actor import changing
from voucherswitch.cli.context import with_database
from voucherswitch.cli.errors import FAILED, NOT_FOUND, CommandError, usage_error
from voucherswitch.cli.output import JsonFlag, lasting, plain, print_json, print_table

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.journal.reports import AdviceReport, LegReport, QueueReport

app = typer.Typer(
    help="Store-and-forward: what providers must still be told.", no_args_is_help=True, rich_markup_mode=None
)

Provider = Annotated[str, typer.Argument(metavar="PROVIDER", help="Its id.", show_default=False)]
StateName = Literal["queued", "delivered", "consumed", "parked", "replaced", "redundant", "discarded"]

_RESEND_MAX: Final = 10_000
_TOLD_MAX: Final = 100  # ids that the audit trail keeps of them


@app.command(name="list")
def show(
    provider: Annotated[str | None, typer.Option(metavar="ID", help="Only this provider, with its advices.")] = None,
    state: Annotated[StateName | None, typer.Option(help="List the advices in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="List at most so many advices, the oldest.")] = 100,
    as_json: JsonFlag = False,
) -> None:
    """Show each provider's queue; with --provider or --state the advices too.

    Held: not due by design, for a call that may be running or a confirmation that a reversal may still overtake.
    Parked: the provider refused it for good, so somebody must decide. Paused: delivery was stopped by hand.

    \b
    Examples:
      voucherswitch saf list
      voucherswitch saf list --state parked
      voucherswitch saf list --provider sandbox --json
    """
    with_advices = provider is not None or state is not None

    async def work(
        connection: "asyncpg.Connection", _: object
    ) -> "tuple[datetime, list[QueueReport], list[AdviceReport]]":
        from voucherswitch.journal import reports
        from voucherswitch.message.states import AdviceState

        now = await connection.fetchval("SELECT clock_timestamp()")
        queues = [item for item in await reports.saf_queues(connection) if provider in (None, item.provider_id)]
        if provider is not None and not queues:
            raise CommandError(f"provider {provider} does not exist; see: voucherswitch provider list")
        if not with_advices:
            return now, queues, []
        wanted = AdviceState[(state or "queued").upper()]
        return now, queues, await reports.saf_advices(connection, provider, wanted, limit)

    now, queues, advices = with_database(work)
    if as_json:
        print_json({"providers": queues, "advices": advices} if with_advices else {"providers": queues})
        return
    rows = [
        (
            item.provider_id, item.queued, _age(item.oldest_at, now), item.held, item.failing, item.parked,
            item.paused, item.shut or item.newest_error,
        )
        for item in queues
    ]  # fmt: skip
    columns = (
        "Provider",
        ">Queued",
        ">Oldest",
        ">Held",
        ">Failing",
        ">Parked",
        "Paused",
        "Why not told",
    )
    print_table(columns, rows, empty="No providers.")
    if with_advices:
        _print_advices(advices, now)


@app.command(name="show")
def show_one(
    advice_id: Annotated[UUID, typer.Argument(metavar="ADVICE_ID", help="Its id.", show_default=False)],
    as_json: JsonFlag = False,
) -> None:
    """Show one advice and every attempt to deliver it. Exit code 3: no accepted advice has this id.

    \b
    Example:
      voucherswitch saf show 261ed2d5-d206-4eef-aa20-97b78acc7a7a
    """

    async def work(
        connection: "asyncpg.Connection", _: object
    ) -> "tuple[datetime, AdviceReport | None, list[LegReport]]":
        from voucherswitch.journal import reports

        now = await connection.fetchval("SELECT clock_timestamp()")
        advice = await reports.saf_advice(connection, advice_id)
        return now, advice, [] if advice is None else await reports.attempts(connection, advice)

    now, advice, attempts = with_database(work)
    if advice is None:
        raise CommandError(f"{advice_id}: no accepted advice has this id", NOT_FOUND)
    from voucherswitch.cli.explain_words import advice_text

    if as_json:
        print_json(plain(advice) | {"text": advice_text(advice, now), "attempts_made": plain(attempts)})
        return
    print(f"{advice_text(advice, now)}.")
    print(f"It is about {advice.request_kind.name.lower()} {advice.request_id} of originator {advice.originator_id}.")
    rows = [
        (leg.started_at, leg.status, leg.outcome, lasting(leg.duration_us / 1_000_000), leg.error) for leg in attempts
    ]
    print_table(("Attempt", ">Status", "Outcome", ">Took", "Error"), rows, empty="Nothing was sent.")


@app.command()
def resend(
    advice_ids: Annotated[
        list[UUID] | None, typer.Argument(metavar="[ADVICE_ID]...", help="Their ids.", show_default=False)
    ] = None,
    provider: Annotated[str | None, typer.Option(metavar="ID", help="With --parked: all of this provider.")] = None,
    parked: Annotated[bool, typer.Option("--parked", help="Every parked advice of the --provider.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Send advices again now: parked ones, or queued ones that wait for their next attempt.

    \b
    Examples:
      voucherswitch saf resend 261ed2d5-d206-4eef-aa20-97b78acc7a7a
      voucherswitch saf resend --provider sandbox --parked
    """
    if bool(advice_ids) == (provider is not None and parked) or (provider is not None) != parked:
        usage_error("name ADVICE_IDs, or --provider ID --parked")

    async def work(connection: "asyncpg.Connection", _: object) -> tuple[list[UUID], list[UUID]]:
        from voucherswitch.journal import reports
        from voucherswitch.journal.statements import SQL
        from voucherswitch.message.states import AdviceState

        wanted = list(advice_ids or ())
        if parked:
            found = await reports.saf_advices(connection, provider, AdviceState.PARKED, _RESEND_MAX)
            wanted = [item.advice_id for item in found]
        async with changing(connection, "saf.resend", "advice", None) as change:
            sent = [row["advice_id"] for row in await connection.fetch(SQL["resend_advices"], wanted)]
            change.object_id = str(sent[0]) if len(sent) == 1 else provider
            change.after = {"advices": len(sent), "first": [str(item) for item in sent[:_TOLD_MAX]]}
            change.nothing = not sent
        return wanted, sent

    wanted, sent = with_database(work)
    left = [item for item in wanted if item not in set(sent)]
    if as_json:
        print_json({"resent": sent, "not_resent": left})
    else:
        print(f"{len(sent)} of {len(wanted)} advices are sent again now.")
    if left:
        raise CommandError(f"not sent again: {left[0]}: it is unknown, finished or being sent; see saf show", FAILED)


@app.command()
def pause(provider: Provider) -> None:
    """Stop delivering advices to a provider: they queue up. In force within 2 s.

    A redemption or refund still delivers first what is owed for its own voucher; otherwise it could not succeed.

    \b
    Example:
      voucherswitch saf pause sandbox
    """
    with_database(lambda connection, _: _set_paused(connection, provider, paused=True))
    print(f"Delivery to {provider} is paused; go on with: voucherswitch saf resume {provider}")


@app.command()
def resume(provider: Provider) -> None:
    """Deliver advices to a provider again. In force within 2 s.

    \b
    Example:
      voucherswitch saf resume sandbox
    """
    with_database(lambda connection, _: _set_paused(connection, provider, paused=False))
    print(f"Delivery to {provider} goes on.")


async def _set_paused(connection: "asyncpg.Connection", provider: str, *, paused: bool) -> None:
    from voucherswitch.catalogue.store import pause_saf

    async with changing(connection, "saf.pause" if paused else "saf.resume", "provider", provider) as change:
        known = await connection.fetchrow("SELECT saf_paused FROM provider WHERE provider_id = $1 FOR UPDATE", provider)
        change.before = None if known is None else {"paused": known["saf_paused"]}
        change.after = {"paused": paused}
        await pause_saf(connection, provider, paused)


def _print_advices(advices: "list[AdviceReport]", now: datetime) -> None:
    rows: list[tuple[Any, ...]] = [
        (
            item.advice_id, item.kind, item.state, item.provider_id, item.request_id, _age(item.created_at, now),
            item.attempts, item.last_error,
        )
        for item in advices
    ]  # fmt: skip
    columns = ("Advice", "Kind", "State", "Provider", "Request", ">Age", ">Attempts", "Last error")
    print_table(columns, rows, empty="No such advices.")


def _age(moment: datetime | None, now: datetime) -> str | None:
    return None if moment is None else lasting((now - moment).total_seconds())
