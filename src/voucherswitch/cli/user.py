"""`voucherswitch user`: the people who operate the switch."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from voucherswitch.cli import people_access, user_access
from voucherswitch.cli.actor import cli_actor
from voucherswitch.cli.context import load_settings
from voucherswitch.cli.errors import NOT_FOUND, CommandError, usage_error
from voucherswitch.cli.output import JsonFlag, plain, print_json, print_table, when
from voucherswitch.cli.people_access import with_people
from voucherswitch.cli.sandbox_users import users_file

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.people.people import People

app = typer.Typer(help="Users: the people who operate the switch.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name to sign in with.", show_default=False)]
Why = Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for whoever is to agree.")]
Role = Annotated[list[str] | None, typer.Option("--role", metavar="ROLE", help="A role; may be repeated.")]


@app.command()
def invite(
    name: Name,
    role: Role = None,
    full_name: Annotated[str | None, typer.Option(metavar="TEXT", help="The whole name.  [default: NAME]")] = None,
    email: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Where notices go.")] = None,
    why: Why = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a user, and a one-time invitation with which that person sets a password.

    Where somebody could agree to it, this asks for the user first; once it was agreed to, the same command makes the
    invitation. It is good for three days and once, and only for a user without a password. Without a role: viewer.

    \b
    Examples:
      voucherswitch user invite ann --role admin
      voucherswitch user invite joe --role support --why "new in the service desk"
    """
    wanted = {
        "do": "create",
        "name": name.lower(),
        "full_name": full_name or name,
        "email": email,
        "roles": role or ["viewer"],
    }

    async def work(people: "People", connection: "asyncpg.Connection") -> dict[str, Any]:
        from voucherswitch.people import user_changes, users
        from voucherswitch.people.approvals.action import Making
        from voucherswitch.people.approvals.user_actions import change_user

        if await users.find(connection, name) is None:
            if not await people_access.nobody_could_agree(connection, "user.approve"):
                return {"request": await people_access.asked_for(people, connection, "user.change", wanted, why)}
            making = Making(people=people, connection=connection, actor=cli_actor(), approval_id="")
            await change_user(making, wanted)
        token, expires_at = await user_changes.invite(connection, cli_actor(), name)
        return {"invitation": token, "expires_at": expires_at}

    done = with_people(work)
    if as_json:
        print_json(done)
    elif "request" in done:
        print(people_access.told(done["request"]))
    else:
        print(f"Invitation for {name}, good once and until {when(done['expires_at'])}; hand it over in person:")
        print(f"  {done['invitation']}")
        print(f"It is asked for by: voucherswitch user set-up {name}")


@app.command(name="set-up")
def set_up(name: Name) -> None:
    """Set up one's own account at this terminal: the first password by the invitation, and the second factor.

    \b
    Example:
      voucherswitch user set-up ann
    """
    codes = with_people(lambda people, _: _set_up(people, name))
    if codes:
        print("The second factor is set up. Each of these codes takes its place once; keep them on paper:")
        for code in codes:
            print(f"  {code}")
    print(f"{name} can sign in.")


async def _set_up(people: "People", name: str) -> list[str]:
    from voucherswitch.people import own_account, sign_in
    from voucherswitch.people.people import Visitor
    from voucherswitch.people.sign_in import SignedIn

    visitor = Visitor(agent="command line")
    invitation: str = typer.prompt(
        "Invitation (empty: there is a password)", hide_input=True, default="", show_default=False, err=True
    )
    if invitation:
        password: str = typer.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
        owner = await own_account.accept_invitation(people, invitation.strip(), password, visitor)
        if owner != name.lower():
            raise CommandError(f"that invitation was {owner}'s, whose password is set now; sign in as {owner}")
    else:
        password = typer.prompt(f"Password of {name}", hide_input=True, err=True)
    answer = await sign_in.sign_in(people, name, password, visitor)
    if not isinstance(answer, SignedIn):
        raise CommandError(getattr(answer, "text", "too many failures; wait a quarter of an hour"))
    if answer.stage == "password":
        new: str = typer.prompt("Another password, of your own", hide_input=True, confirmation_prompt=True, err=True)
        answer = await own_account.change_password(people, answer.token, None, new, visitor)
    if answer.stage != "enrol":
        return []
    enrolment = await own_account.begin_enrolment(people, answer.token, visitor, "voucherswitch")
    print(f"Put this into an authenticator:\n  {enrolment.typed}\n  {enrolment.uri}", flush=True)
    confirmed = None
    while confirmed is None:
        code: str = typer.prompt("The code that it shows", err=True)
        confirmed = await own_account.confirm_enrolment(people, answer.token, code, visitor)
    return confirmed[1]


@app.command(name="list")
def show(as_json: JsonFlag = False) -> None:
    """List all users.

    \b
    Example:
      voucherswitch user list
    """

    async def work(_: "People", connection: "asyncpg.Connection") -> list[Any]:
        from voucherswitch.people.users import all_users

        return await all_users(connection)

    found = with_people(work)
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one.name, one.user_id, one.full_name, ", ".join(one.roles),
            "disabled" if not one.enabled else "invited" if not one.can_sign_in else "active",
            one.has_factor, one.signed_in_at,
        )
        for one in found
    ]  # fmt: skip
    columns = ("Name", "Id", "Full name", "Roles", "State", "Second factor", "Signed in")
    print_table(columns, rows, empty="No users. The first: voucherswitch user invite NAME --role admin")
    settings = load_settings()
    if settings.environment == "sandbox" and users_file(settings.data_dir).exists():
        print(f"The password of the sandbox's users is in {users_file(settings.data_dir)}.")


@app.command(name="show")
def show_one(name: Name, as_json: JsonFlag = False) -> None:
    """Show one user: roles, permissions, open sessions. Exit code 3: there is none.

    \b
    Example:
      voucherswitch user show ann
    """

    async def work(people: "People", connection: "asyncpg.Connection") -> dict[str, Any] | None:
        from voucherswitch.people import sessions, users

        user = await users.find(connection, name)
        if user is None:
            return None
        shown: dict[str, Any] = plain(user)
        return shown | {
            "permissions": sorted(await users.permissions(connection, user)),
            "pins_until": await users.pins_until(connection, user),
            "sessions": await sessions.list_live(connection, people, user.user_id),
        }

    found = with_people(work)
    if found is None:
        raise CommandError(f"there is no user {name}; see: voucherswitch user list", NOT_FOUND)
    if as_json:
        print_json(found)
        return
    lines = [(key, ", ".join(map(str, value)) if isinstance(value, list) else value) for key, value in found.items()]
    print_table(("What", "Value"), lines, empty="")


def _change(do: str, name: str, why: str | None, *, as_json: bool = False, **more: Any) -> None:
    """Ask for a change of a user; where nobody could agree to it, make it."""

    async def prepare(_: object) -> dict[str, Any]:
        return {"do": do, "name": name.lower()} | more

    people_access.agreed_change("user.change", prepare, why, as_json=as_json)


@app.command()
def roles(name: Name, role: Role = None, why: Why = None, as_json: JsonFlag = False) -> None:
    """Ask that a user hold just these roles. Sessions of that user end when it is done.

    \b
    Example:
      voucherswitch user roles joe --role support --role configurer --why "also looks after the catalogue"
    """
    if not role:
        usage_error("name at least one --role; who may do nothing is disabled")
    _change("roles", name, why, as_json=as_json, roles=role)


@app.command()
def enable(name: Name, why: Why = None) -> None:
    """Ask that a user may sign in again."""
    _change("enable", name, why)


@app.command()
def unlock(name: Name, why: Why = None) -> None:
    """Ask that a user need not wait any longer after failed sign-ins."""
    _change("unlock", name, why)


@app.command(name="reset-factor")
def reset_factor(name: Name, why: Why = None) -> None:
    """Ask that a user sets up another second factor at the next sign-in: the device is lost, and the codes too."""
    _change("reset_factor", name, why)


@app.command(name="reset-password")
def reset_password(name: Name, why: Why = None) -> None:
    """Ask that a forgotten password is taken away; once it was agreed to, `user invite` makes an invitation."""
    _change("reset_password", name, why)


@app.command()
def disable(
    name: Name, reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; kept in the audit trail.")]
) -> None:
    """Disable a user at once, and end every session of that user. Nobody has to agree: minutes may matter.

    \b
    Example:
      voucherswitch user disable joe --reason "laptop stolen"
    """

    async def work(people: "People", connection: "asyncpg.Connection") -> None:
        from voucherswitch.people.user_changes import set_enabled

        await set_enabled(connection, cli_actor(), name, people.policy, enabled=False, reason=reason)

    with_people(work)
    print(f"{name} is disabled and signed out.")


user_access.register(app)
