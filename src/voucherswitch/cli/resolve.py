"""`voucherswitch resolve`: settle by hand what no message can find out."""

import asyncio
from typing import Annotated, Literal
from uuid import UUID

import typer

from voucherswitch.cli.actor import asked_for, cli_actor
from voucherswitch.cli.context import administered, load_settings
from voucherswitch.cli.errors import CommandError

Found = Literal["declined", "approved", "reversed"]


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(resolve)


def resolve(
    request_id: Annotated[UUID, typer.Argument(metavar="ID", help="Id of the request.", show_default=False)],
    found: Annotated[Found, typer.Option("--as", help="What the provider did, or what is to be.", show_default=False)],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it is settled by hand.", show_default=False)],
    evidence: Annotated[
        str,
        typer.Option(metavar="TEXT", help="Where it is written: a file and line, a ticket.", show_default=False),
    ],
) -> None:
    """Settle a request whose outcome nobody knows, from what the provider's file or people say.

    declined: the provider did nothing and will not. reversed: it did, or may have; undone here, and the provider is
    told where it takes reversals, else it stays listed as money at risk. approved: a redemption or refund was done and
    stands; a provision cannot be settled so, because nobody here has the voucher's code. Who did it, when and why is
    kept for ever and shown by explain. The same command again changes nothing. In production somebody else must agree,
    and the reason is what that person reads: the first time this asks, the same command then does it.

    \b
    Example:
      voucherswitch resolve 04c6284a-930e-444f-982e-37e931b8daf3 --as declined \\
        --reason "not sold, says the provider" --evidence "stellr_20261122.csv: no such row"
    """
    if not reason.strip() or not evidence.strip():
        raise CommandError("--reason and --evidence must say something")
    settings = load_settings()
    with administered(settings) as url:
        state = asyncio.run(_settle(url, request_id, found, reason.strip(), evidence.strip()))
    print(f"{request_id} is {state} now; see: voucherswitch explain {request_id}")


async def _settle(url: str, request_id: UUID, found: Found, reason: str, evidence: str) -> str:
    from voucherswitch.people.approvals import Maker, carried
    from voucherswitch.people.people import Policy
    from voucherswitch.process import opened
    from voucherswitch.saf.express import Express
    from voucherswitch.saf.policy import Backoff
    from voucherswitch.switch import settle
    from voucherswitch.switch.deps import Background, Deps
    from voucherswitch.switch.unwritten import Unwritten

    settings = load_settings()
    async with opened(settings, url, application="command") as parts:
        deps = Deps(
            journal=parts.journal,
            catalogue=parts.catalogue,
            providers=parts.providers,
            gate=parts.gate,
            express=Express(parts.journal, parts.providers, parts.gate, Backoff.of(settings)),
            background=Background(),
            unwritten=Unwritten(),
            answer_margin_s=settings.answer_margin_s,
        )
        consent = carried.Consent(Policy.of(settings), Maker.of_host(cli_actor()))
        try:
            state = await settle.settle(request_id, settle.Found(found), consent, reason, evidence, deps)
        except settle.SettleError as error:
            raise CommandError(str(error)) from error
        except carried.NotAgreedError as refused:
            async with parts.journal.pool.acquire() as connection:
                raise await asked_for(connection, consent.policy, refused, reason) from None
    return state.name
