"""Who types: the account on this machine, as the audit trail names it, and whether that account may do it alone."""

import os
import pwd
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voucherswitch.cli.context import load_settings
from voucherswitch.cli.errors import WHY_NOT, Asked, CommandError

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.catalogue.store import Connection
    from voucherswitch.people.approvals.carried import NotAgreedError
    from voucherswitch.people.audit import Actor, Change
    from voucherswitch.people.people import Policy

Why = Annotated[
    str | None,
    typer.Option("--why", metavar="TEXT", help="In production, for whoever is to agree: why this is wanted."),
]


def account() -> str:
    """The account by its number in the system, not by a variable that anybody may set."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # a container runs as a number without a name
        return str(number)


def cli_actor() -> "Actor":
    """`cli:<account>@<host>`."""
    from voucherswitch.people.audit import Actor

    return Actor(kind="cli", id=f"cli:{account()}@{socket.gethostname()}")


@asynccontextmanager
async def changing(
    connection: "asyncpg.Connection",
    action: str,
    object_kind: str,
    object_id: str | None,
    *,
    reason: str | None = None,
    why: str | None = None,
) -> "AsyncIterator[Change]":
    """One transaction for what a command changes and for the audit event that tells of it.

    In production some changes need a second person (people/approvals/carried.py): one that nobody has agreed to is
    undone and asked for. Within the block `change.needs` says which agreement; None does it at once.

    Raises:
        Asked: it was asked for.
        CommandError: it would have been, and nobody said why.
    """
    from voucherswitch.people.approvals import Maker, carried
    from voucherswitch.people.audit import audited
    from voucherswitch.people.people import Policy

    policy, maker, asked = Policy.of(load_settings()), Maker.of_host(cli_actor()), None
    try:
        async with connection.transaction():
            async with audited(connection, maker.actor, action, object_kind, object_id, reason=reason) as change:
                change.needs = carried.NEEDS.get(action)
                yield change
                if (
                    change.needs is not None
                    and not change.nothing
                    and await carried.two_must_agree(connection, policy, change.needs)
                ):
                    wish = carried.Wish.of(
                        change.needs, object_kind, change.asked_id or change.object_id, change.before,
                        change.after if change.asked is None else change.asked,
                    )  # fmt: skip
                    asked = await carried.take(connection, maker, wish)
                    change.approval_id = asked.approval_id
            if asked is not None:
                await carried.carried_out(connection, maker, asked)
    except carried.NotAgreedError as refused:
        raise await asked_for(connection, policy, refused, why) from None


async def agreed_first(
    connection: "asyncpg.Connection",
    action: str,
    object_kind: str,
    object_id: str,
    *,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    why: str | None,
) -> None:
    """See that somebody has agreed to a change before somebody types for it. `changing` looks once more.

    Raises:
        Asked, CommandError: as `changing`.
    """
    from voucherswitch.people.approvals import Maker, carried
    from voucherswitch.people.people import Policy

    policy, needs = Policy.of(load_settings()), carried.NEEDS[action]
    if not await carried.two_must_agree(connection, policy, needs):
        return
    try:
        async with connection.transaction():
            wish = carried.Wish.of(needs, object_kind, object_id, before, after)
            await carried.take(connection, Maker.of_host(cli_actor()), wish)
    except carried.NotAgreedError as refused:
        raise await asked_for(connection, policy, refused, why) from None


async def asked_for(connection: "Connection", policy: "Policy", refused: "NotAgreedError", why: str | None) -> Asked:
    """Ask for a change that nobody has agreed to; returns what to raise, and thereby say."""
    from voucherswitch.people.approvals import Maker, carried

    if why is None:
        if (pending := await carried.waiting(connection, refused.wish)) is not None:
            raise CommandError(
                f"{pending} waits for somebody else to agree; see: voucherswitch approval show {pending}"
            ) from None
        raise CommandError(WHY_NOT) from None
    request = await carried.ask(connection, policy, Maker.of_host(cli_actor()), refused, why)
    return Asked(
        f"Not done yet. Asked for, as {request.approval_id}: {request.impact}. Somebody else agrees to it by: "
        f"voucherswitch approval approve {request.approval_id} --as NAME; then the same command does it",
        request,
    )
