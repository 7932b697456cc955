"""How commands about people reach them: database and vault, a sign-in at the terminal, a second person's consent."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from voucherswitch.cli.actor import cli_actor
from voucherswitch.cli.context import administered, load_settings
from voucherswitch.cli.errors import WHY_NOT, CommandError
from voucherswitch.cli.output import print_json

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.config.settings import Settings
    from voucherswitch.people.approvals import Request
    from voucherswitch.people.people import People
    from voucherswitch.people.sessions import Session

Result = TypeVar("Result")


def with_people(work: "Callable[[People, asyncpg.Connection], Awaitable[Result]]") -> Result:
    """Run a command's work with what functions about people need."""
    import asyncio

    settings = load_settings()
    with administered(settings) as url:
        return asyncio.run(_opened(settings, url, work))


async def _opened(
    settings: "Settings", url: str, work: "Callable[[People, asyncpg.Connection], Awaitable[Result]]"
) -> Result:
    from voucherswitch.journal import database
    from voucherswitch.people.people import People, Policy
    from voucherswitch.process import open_vault

    pool = await database.connect(url, size_max=3, application="command")
    try:
        async with pool.acquire() as connection:
            vault = await open_vault(settings, connection)
            return await work(People(pool, vault, Policy.of(settings)), connection)  # type: ignore[arg-type]  # a proxy of one
    finally:
        await database.close(pool)


async def sign_in_here(people: "People", name: str) -> "Session":
    """Have somebody prove at the terminal who he is: password, then a code, which is his step-up too.

    Raises:
        CommandError: he did not.
    """
    from voucherswitch.people import sessions, sign_in
    from voucherswitch.people.people import Visitor
    from voucherswitch.people.sign_in import SignedIn

    visitor = Visitor(agent="command line")
    password: str = typer.prompt(f"Password of {name}", hide_input=True, err=True)
    answer = await sign_in.sign_in(people, name, password, visitor)
    if isinstance(answer, SignedIn) and answer.stage == "factor":
        code: str = typer.prompt("Code of the second factor", err=True)
        answer = await sign_in.prove_factor(people, answer.token, code, visitor, stepping_up=True)
    elif isinstance(answer, SignedIn) and answer.stage == "open":
        answer = await sign_in.step_up(people, answer.token, password, visitor)
    if not isinstance(answer, SignedIn):
        raise CommandError(getattr(answer, "text", "too many failures; wait a quarter of an hour"))
    if answer.stage != "open":
        raise CommandError(f"{name} has to set up the account first: voucherswitch user set-up {name}")
    async with people.pool.acquire() as connection:
        session = await sessions.look_up(connection, people, answer.token, visitor)
    if session is None:
        raise CommandError("the session has ended already; try again")
    return session


async def sign_out_here(people: "People", session: "Session") -> None:
    """End what `sign_in_here` began."""
    from voucherswitch.people import sessions

    async with people.pool.acquire() as connection:
        await sessions.sign_out(connection, session)


async def asked_for(
    people: "People",
    connection: "asyncpg.Connection",
    action: str,
    payload: Mapping[str, Any],
    why: str | None,
) -> "Request":
    """Ask for a change in the name of this account; somebody else must agree."""
    from voucherswitch.people.approvals import Maker, request

    if why is None:
        raise CommandError(WHY_NOT)
    return await request(people.policy, connection, Maker.of_host(cli_actor()), action, payload, why)


async def nobody_could_agree(connection: "asyncpg.Connection", permission: str) -> bool:
    """Whether there is no active user with a permission: then what somebody on the host does is done at once."""
    from voucherswitch.people.users import holders

    return not await holders(connection, permission)


def agreed_change(
    action: str,
    prepare: "Callable[[asyncpg.Connection], Awaitable[dict[str, Any]]]",
    why: str | None,
    *,
    as_json: bool = False,
) -> None:
    """Ask for a change of people in the name of this account; where nobody could agree to it, make it. Says which.

    Args:
        prepare: what is asked for, from what there is now.
    """

    async def work(people: "People", connection: "asyncpg.Connection") -> dict[str, Any]:
        from voucherswitch.people.approvals import ACTIONS
        from voucherswitch.people.approvals.action import Making

        payload = await prepare(connection)
        kind = ACTIONS[action]
        if not await nobody_could_agree(connection, kind.approves):
            return {"request": await asked_for(people, connection, action, payload, why)}
        assert kind.propose is not None and kind.execute is not None, f"{action} is carried out by who asks"  # noqa: PT018
        making = Making(people=people, connection=connection, actor=cli_actor(), approval_id="")
        async with connection.transaction():
            await kind.propose(connection, payload)
            return {"result": await kind.execute(making, payload)}

    done = with_people(work)
    if as_json:
        print_json(done)
    else:
        print(told(done["request"]) if "request" in done else f"{done['result']}.")


def told(request: "Request") -> str:
    """What a command says that has asked for a change."""
    return (
        f"Asked for, as {request.approval_id}: {request.impact}. Somebody else agrees to it by: "
        f"voucherswitch approval approve {request.approval_id} --as NAME"
    )
